"""What this machine need not have: Triton, for the way back to the reference path; a GPU, for the kernels to be compiled."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

NO_TRITON = """
import sys
import torch

sys.modules["triton"] = None  # as where it is not installed
from spikepropamine import build
from spikepropamine.snn import scan

scan.BACKENDS["cpu"] = "gpu"  # as if the CPU's tensors were on CUDA
network, spikes = build("dp-oja", 3, 4, 2), torch.ones(5, 2, 3)
expected = network.run(spikes, path="reference").readout
assert all(torch.equal(network(spikes), expected) for _ in range(2))
try:
    network.run(spikes, path="fused")
except ValueError as error:
    print(error)
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from spikepropamine.snn.gpu import autograd, kernels, tiled
from spikepropamine.snn.plasticity import RULES, Rule

TUPLES = {"given": kernels.Given, "kept": kernels.Kept, "scratch": kernels.Scratch, "gradients": kernels.Gradients}
TUPLES |= dict.fromkeys(("start", "end", "grad_end", "grad_start"), kernels.State)


def compile_for_a_gpu(kernel, **constants):
    def of(name):
        if name in TUPLES:
            return TUPLES[name](*["*fp32"] * len(TUPLES[name]._fields))
        return "i32" if name in ("T", "B", "P", "Q", "stride") else "*fp32"

    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else of(name) for name in names}
    source = ASTSource(kernel, signature, constexprs={(names.index(name),): x for name, x in constants.items()})
    assert triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]


for rule in RULES.values():
    if rule.advance is Rule.advance and rule.update is Rule.update:
        coefficients, slopes = autograd.jitted(rule)
        block = {"BLOCK_P": 32, "BLOCK_Q": 8, "COEFFICIENTS": coefficients}
        for modulated in (False, True):
            compile_for_a_gpu(kernels.forward, MODULATED=modulated, KEEP=True, **block)
            compile_for_a_gpu(kernels.backward, MODULATED=modulated, SLOPES=slopes, TRACK_INPUTS=True, **block)
        compile_for_a_gpu(tiled.forward, KEEP=True, BLOCK_K=16, **block)
        compile_for_a_gpu(tiled.backward, SLOPES=slopes, TRACK_INPUTS=True, BLOCK_K=16, **block)
        print(rule.name)
"""


def child(script, **environment):
    here = {name: x for name, x in os.environ.items() if name != "TRITON_INTERPRET"} | environment
    done = subprocess.run([sys.executable, "-c", script], env=here, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done


def test_without_triton_the_reference_path_runs_and_says_so_once():
    done = child(NO_TRITON)
    assert "path = 'fused': must be 'auto' or 'reference' where Triton is not installed" in done.stdout
    assert done.stderr.count("taking the reference path: Triton is not installed (pip install --no-deps triton)") == 1


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed: pip install --no-deps triton")
def test_the_kernels_of_every_rule_compile_for_a_gpu(tmp_path):
    assert set(child(COMPILED, TRITON_CACHE_DIR=str(tmp_path)).stdout.split()) >= {"oja", "bcm", "hebb"}

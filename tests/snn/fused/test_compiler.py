"""What is said, and done, where numba cannot compile or finds its files damaged."""

import os
import subprocess
import sys

import pytest

RUN = """
import logging, torch
logging.basicConfig()
from spikepropamine import build
from spikepropamine.snn.controls import build_control
spikes = torch.ones(7, 3, 5)
print(build("snn", 5, 6, 2)(spikes).sum().item(), build_control("alif", 5, 6, 2).run(spikes).readout.sum().item())
"""


def run(**environment):
    search = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", RUN],
        env=os.environ | search | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def numbers(child):
    assert child.returncode == 0, child.stderr
    return [round(float(x), 3) for x in child.stdout.split()]


@pytest.mark.slow
def test_without_numba_s_compiler_the_reference_path_runs_and_files_of_its_cache_may_be_damaged(tmp_path):
    first = run(NUMBA_CACHE_DIR=str(tmp_path))
    assert "damaged" not in first.stderr
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) >= 4
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    second = run(NUMBA_CACHE_DIR=str(tmp_path))
    assert numbers(second) == numbers(first)
    assert "damaged" in second.stderr and str(tmp_path) in second.stderr
    assert "damaged" not in run(NUMBA_CACHE_DIR=str(tmp_path)).stderr
    without = run(NUMBA_DISABLE_JIT="1")
    assert numbers(without) == numbers(first)
    assert "switched off by NUMBA_DISABLE_JIT" in without.stderr

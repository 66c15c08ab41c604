"""A training step on a GPU, many implementations side by side.

``reference path``
    as :func:`spikepropamine.snn.scan.scan` takes it where it is asked to.
``torch.compile``
    its tick compiled.
``CUDA graph``
    the whole step, forward and backward, recorded once and replayed.
``JAX``, ``JAX, jax.checkpoint``
    :mod:`spikepropamine.timing.jax_peer`.
``fused path``
    the Triton kernels, as ``scan`` takes them by itself.
``fused path, CUDA graph``
    the same step recorded and replayed: what is left when nothing waits for Python.
``fused path on the CPU``
    the same step on the same machine's processor, one thread.
"""

import importlib.metadata
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import find_spec

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..checks import require, require_count
from ..snn import gpu
from ..snn.networks import NETWORKS, SpikingNetwork
from ..snn.scan import initial_state
from . import jax_peer
from .benchmark import Hidden, Step, Workload, fused, made, reference, step

ROUNDS = 3


def tick(layer, neuron, s_pre: Tensor, v: Tensor, plastic):
    """A tick of the reference path: the calls of :func:`spikepropamine.snn.scan.scan` without its checks, which would wait for the GPU."""
    s_post, v = neuron(layer.current(s_pre, plastic), v)
    return s_post, v, layer.step(s_pre, s_post, plastic)


def loop(network: SpikingNetwork, spikes: Tensor, tick: Callable = tick) -> Tensor:
    """The spikes of the hidden layer, (T, B, Q), by one ``tick`` after another."""
    v, plastic = initial_state(network.synapses, spikes.shape[1])
    out = []
    for s_pre in spikes:
        s_post, v, plastic = tick(network.synapses, network.neuron, s_pre, v, plastic)
        out.append(s_post)
    return torch.stack(out)


def kernels(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The spikes of the hidden layer by the Triton kernels, without the checks of ``scan``."""
    state = initial_state(network.synapses, spikes.shape[1])
    return gpu.run(network.synapses, network.neuron, spikes, state)[0]


def eager(hidden: Hidden) -> Callable[[Workload], Step]:
    """A step whose hidden layer is ``hidden``, launch by launch."""

    def prepare(workload: Workload) -> Step:
        network, spikes = made(workload, "cuda")
        return lambda: step(hidden, network, spikes)

    return prepare


def compiled(workload: Workload) -> Step:
    """A step whose ticks are compiled."""
    network, spikes = made(workload, "cuda")
    torch.compiler.reset()  # what was compiled for other sizes counts towards a limit
    compiled_tick = torch.compile(tick, dynamic=False)
    return lambda: step(lambda network, spikes: loop(network, spikes, compiled_tick), network, spikes)


def graph(hidden: Hidden) -> Callable[[Workload], Step]:
    """A step whose hidden layer is ``hidden``, recorded and replayed."""

    def prepare(workload: Workload) -> Step:
        network, spikes = made(workload, "cuda")
        # as PyTorch asks for: some steps on a stream beside, then the recording
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(2):
                step(hidden, network, spikes)
        torch.cuda.current_stream().wait_stream(beside)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # the recording has memory of its own
        recorded = torch.cuda.CUDAGraph()
        network.zero_grad(set_to_none=True)
        with torch.cuda.graph(recorded):
            step(hidden, network, spikes)

        def replay() -> None:
            recorded.replay()

        replay.reads = network, spikes  # whose memory the recording knows by address alone
        return replay

    return prepare


def in_jax(checkpointing: bool) -> Callable[[Workload], Step]:
    """A step in JAX, on the GPU where JAX knows it."""

    def prepare(workload: Workload) -> Step:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # it would take most of the GPU's memory
        return jax_peer.prepared(*made(workload, "cpu"), checkpointing)

    return prepare


def on_cpu(workload: Workload) -> Step:
    """A step of the fused path, on the CPU."""
    network, spikes = made(workload, "cpu")
    return lambda: step(fused, network, spikes)


CPU = "fused path on the CPU"
ON_GPU: dict[str, Callable[[Workload], Step]] = {
    "reference path": eager(reference),
    "torch.compile": compiled,
    "CUDA graph": graph(loop),
    "JAX": in_jax(False),
    "JAX, jax.checkpoint": in_jax(True),
    "fused path": eager(fused),
    "fused path, CUDA graph": graph(kernels),
}
IMPLEMENTATIONS = ON_GPU | {CPU: on_cpu}


def plan(networks: list[str]) -> list[tuple[Workload, tuple[str, ...]]]:
    """The workloads that are measured, and by which of IMPLEMENTATIONS: all networks at the size of the CPU's headline, and the first and the last at others."""
    every, own = tuple(IMPLEMENTATIONS), ("CUDA graph", "fused path")
    first, last = networks[0], networks[-1]
    return [
        *((Workload(name), every) for name in networks),
        (Workload(first, 512), every),
        # without checkpoints JAX would keep E of every tick, 40 GB, and not give it back
        (Workload(first, 4096), tuple(name for name in every if name != "JAX")),
        (Workload(first, ticks=1000), every),
        (Workload(first, inputs=256, hidden=256), every),
        *((Workload(last, **size), own) for size in ({"batch": 4096}, {"ticks": 1000}, {"inputs": 256, "hidden": 256})),
        (Workload(first, 512, 256, 256), own),
        (Workload(first, 4096, 256, 256), ("fused path",)),
    ]


def measure(networks: list[str], rounds: int = ROUNDS) -> tuple[pd.DataFrame, dict]:
    """Time and memory of a training step of ``networks`` in float32.

    Returns:
        A table with a row for each workload and implementation of :func:`plan`: the workload, ``milliseconds_per_step``
        (the median over ``rounds`` after one to warm up), ``seconds_to_prepare`` (until the first step was done, compiling
        included), ``peak_megabytes`` of the GPU's memory beyond what was there, as PyTorch counts it (NaN on the CPU and for
        JAX), and ``failure``, the last line of an error; and facts: the GPU, the versions of CUDA, Triton and JAX, and how many rounds.

    Raises:
        ValueError: no GPU, or a network that is not plastic.
    """
    table = pd.DataFrame([row for rows in measured(networks, rounds) for row in rows])
    return table, facts(rounds)


def facts(rounds: int) -> dict:
    """What the measurements were made with, beside what every record says."""
    versions = {name: importlib.metadata.version(name) for name in ("triton", "jax") if find_spec(name)}
    return {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "rounds": rounds} | versions


def measured(networks: list[str], rounds: int) -> Iterator[list[dict]]:
    """The rows of :func:`measure`, a list at a time: first what the CPU takes, then each workload, whose implementations take turns."""
    require_count("rounds", rounds)
    require(torch.cuda.is_available(), "device", "cpu", "a machine with a GPU that PyTorch knows")
    for name in networks:
        require(NETWORKS.get(name, (None,))[0] is not None, "networks", name, "plastic ones")
    torch.set_num_threads(1)
    planned = plan(networks)
    for workload, names in tqdm(planned, desc="on the CPU", unit="workload"):
        if CPU in names:
            yield _compare(workload, {CPU: on_cpu}, rounds)
    for workload, names in tqdm(planned, desc="on the GPU", unit="workload"):
        yield _compare(workload, {name: ON_GPU[name] for name in names if name != CPU}, rounds)


def _compare(workload: Workload, implementations: dict[str, Callable[[Workload], Step]], rounds: int) -> list[dict]:
    steps, rows = {}, {}
    for name, prepare in implementations.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        held, started = torch.cuda.memory_allocated(), time.perf_counter()
        rows[name] = asdict(workload) | {"implementation": name, "failure": ""}
        try:
            steps[name] = prepare(workload)
            _timed(steps[name])
        except Exception as error:  # of any of the libraries that are compared
            rows[name]["failure"] = str(error).strip().splitlines()[-1]
            continue
        counted = torch.cuda.max_memory_allocated() - held
        rows[name] |= {
            "seconds_to_prepare": time.perf_counter() - started,
            "peak_megabytes": counted / 1e6 if name != CPU and not name.startswith("JAX") else math.nan,
        }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, one in steps.items():
            if not rows[name]["failure"]:
                try:
                    seconds[name].append(_timed(one))
                except Exception as error:
                    rows[name]["failure"] = str(error).strip().splitlines()[-1]
    for name, taken in seconds.items():
        if not rows[name]["failure"]:
            rows[name]["milliseconds_per_step"] = 1000 * statistics.median(taken[1:])
    return list(rows.values())


def _timed(step: Step) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started

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

:func:`publish` tests the kernels, then measures what matters most first, and ends in under eight minutes.
"""

import gc
import importlib.metadata
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..checks import require, require_count
from ..snn.networks import NETWORKS, SpikingNetwork
from ..snn.scan import initial_state
from . import jax_peer
from .benchmark import Hidden, Step, Workload, fused, made, reference, step

ROUNDS = 3
SECONDS = 470  # for all of it, under eight minutes
TESTS = 150  # of them for the tests of the kernels
LAST = 60  # of them between the start of the last implementation and the end of its workload


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
        # other threads of the process, such as JAX has, may call CUDA meanwhile
        with torch.cuda.graph(recorded, capture_error_mode="thread_local"):
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
# those that matter most first, so that they are there when time runs out
IMPLEMENTATIONS: dict[str, Callable[[Workload], Step]] = {
    "fused path": eager(fused),
    "fused path, CUDA graph": graph(fused),
    "CUDA graph": graph(loop),
    "reference path": eager(reference),
    CPU: on_cpu,
    "JAX": in_jax(False),
    "JAX, jax.checkpoint": in_jax(True),
    "torch.compile": compiled,
}

Plan = Sequence[tuple[Workload, tuple[str, ...]]]


def plan(networks: Sequence[str]) -> Plan:
    """The workloads to measure and by which of IMPLEMENTATIONS, those that matter most first.

    The first network at every size, all networks at the size of the CPU's headline, and the last network at others.
    """
    every, own, alone = tuple(IMPLEMENTATIONS), ("fused path", "CUDA graph"), ("fused path",)
    first, *others = networks
    last = networks[-1]
    return [
        (Workload(first), every),
        # without checkpoints JAX would keep E of every tick, 40 GB, and not give it back
        (Workload(first, 4096), tuple(name for name in every if name != "JAX")),
        (Workload(first, ticks=1000), every),
        (Workload(first, inputs=256, hidden=256), every),
        (Workload(first, 512), every),
        *((Workload(name), every) for name in others),
        *((Workload(last, **size), own) for size in ({"batch": 4096}, {"ticks": 1000}, {"inputs": 256, "hidden": 256})),
        (Workload(first, 512, 256, 256), own),
        # the reference path, which keeps every tick, would take more than a GPU holds
        (Workload(first, 4096, 256, 256), alone),
        (Workload(first, 4096, ticks=1000), alone),
    ]


def missing(table: pd.DataFrame, networks: Sequence[str]) -> Plan:
    """What of :func:`plan` is not in ``table``; what failed there is."""
    fields = list(Workload.__dataclass_fields__)
    there = {(Workload(*size), name) for *size, name in table[[*fields, "implementation"]].itertuples(index=False)}
    left = [(one, tuple(name for name in names if (one, name) not in there)) for one, names in plan(networks)]
    return [(one, names) for one, names in left if names]


def publish(networks: Sequence[str], root: Path, keep: Callable[[pd.DataFrame, dict], None]) -> Plan:
    """Test the kernels, then time a training step of ``networks`` in float32, for SECONDS in all.

    Args:
        networks: plastic ones.
        root: the repository, whose tests are run.
        keep: given what is measured so far after each workload, so that what ends the process early loses little: a
            table with a row for each workload and implementation, which holds the workload, ``milliseconds_per_step``
            (the median over ROUNDS after one to warm up), ``seconds_to_prepare`` (until the first step was done,
            compiling included), ``peak_megabytes`` of the GPU's memory beyond what was there, as PyTorch counts it
            (NaN on the CPU and for JAX), and ``failure``, the first line of an error; and facts: the GPU, the versions
            of CUDA, Triton and JAX, how many rounds, and what the tests said.

    Returns:
        What there was no time for.

    Raises:
        ValueError: no GPU, a network that is not plastic, or a test that fails.
    """
    require(torch.cuda.is_available(), "device", "cpu", "a machine with a GPU that PyTorch knows")
    for name in networks:
        require(NETWORKS.get(name, (None,))[0] is not None, "networks", name, "plastic ones")
    started = time.monotonic()
    versions = {name: importlib.metadata.version(name) for name in ("triton", "jax") if find_spec(name)}
    facts = {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "rounds": ROUNDS} | versions
    facts["tests"] = tested(root, ("tests/snn/gpu", "tests/timing/test_gpu.py"), TESTS)
    torch.set_num_threads(1)
    table = pd.DataFrame()
    for rows in measured(plan(networks), ROUNDS, started + SECONDS - LAST):
        table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
        keep(table, facts)
    return missing(table, networks)


def tested(root: Path, tests: Iterable[str], seconds: float) -> str:
    """What pytest says of ``tests``, or after ``seconds`` how many have passed.

    Raises:
        ValueError: a test fails, or none can be run.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-vv",
        "-x",
        "-m",
        "not slow",
        "--color=no",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
    try:
        done = subprocess.run(command, cwd=root, env=unbuffered, timeout=seconds, stdout=subprocess.PIPE)
    except subprocess.TimeoutExpired as ended:
        passed = (ended.stdout or b"").count(b" PASSED ")
        return f"stopped after {seconds:.0f} s, {passed} passed until then and none failed"
    said = done.stdout.decode().strip()
    if done.returncode:
        raise ValueError(f"the tests of the kernels must pass before they are timed:\n{said[-2000:]}")
    return said.splitlines()[-1].strip("= ")


def measured(planned: Plan, rounds: int, deadline: float) -> Iterator[list[dict]]:
    """The rows of each workload, whose implementations take turns; none is begun past ``deadline``, by ``time.monotonic``."""
    require_count("rounds", rounds)
    for workload, names in tqdm(planned, unit="workload"):
        rows = _compare(workload, names, rounds, deadline)
        if rows:
            yield rows


def _compare(workload: Workload, names: Iterable[str], rounds: int, deadline: float) -> list[dict]:
    steps, rows = {}, {}
    for name in names:
        if time.monotonic() > deadline:
            break
        if torch.cuda.is_available():
            gc.collect()  # what one that failed has left
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        held, started = torch.cuda.memory_allocated(), time.perf_counter()
        rows[name] = asdict(workload) | {"implementation": name, "failure": ""}
        try:
            steps[name] = IMPLEMENTATIONS[name](workload)
            _timed(steps[name])
        except Exception as error:  # of any of the libraries that are compared
            rows[name]["failure"] = _first_line(error)
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
                    rows[name]["failure"] = _first_line(error)
    for name, taken in seconds.items():
        if not rows[name]["failure"]:
            rows[name]["milliseconds_per_step"] = 1000 * statistics.median(taken[1:])
    return list(rows.values())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _timed(step: Step) -> float:
    _wait()
    started = time.perf_counter()
    step()
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

"""A training step on a GPU, where a loop over ticks mostly waits for its operations to be launched, and what could shorten it.

``reference path``
    as :func:`spikepropamine.snn.scan.scan` takes it.
``torch.compile``
    its tick compiled.
``CUDA graph``
    the whole step, forward and backward, recorded once and replayed.
``fused path on the CPU``
    the same step on the same machine's processor, one thread.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..checks import require
from ..snn.networks import NETWORKS, SpikingNetwork, build
from ..snn.scan import initial_state, integrate
from .benchmark import Hidden, Workload, fused, reference

Step = Callable[[], None]
ROUNDS = 5
BATCHES = (512, 4096)  # of the first network, beside the batch that all have


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


def step(hidden: Hidden, network: SpikingNetwork, spikes: Tensor) -> None:
    """The forward pass, a loss on the readout, and the backward pass."""
    network.zero_grad(set_to_none=True)
    out = hidden(network, spikes)
    readout, _ = integrate(
        network.readout(out), out.new_zeros(out.shape[1], network.readout.out_features), network.integrator
    )
    readout.square().mean().backward()


def made(workload: Workload, device: str) -> tuple[SpikingNetwork, Tensor]:
    """The network of ``workload`` and its input spikes, (T, B, P), on ``device``."""
    network = build(workload.network, workload.inputs, workload.hidden, 2).to(device)
    spikes = (
        torch.rand(workload.ticks, workload.batch, workload.inputs, generator=torch.Generator().manual_seed(0))
        < workload.rate
    )
    return network, spikes.float().to(device)


def as_it_is(workload: Workload) -> Step:
    """A step of the reference path."""
    network, spikes = made(workload, "cuda")
    return lambda: step(reference, network, spikes)


def compiled(workload: Workload) -> Step:
    """A step whose ticks are compiled."""
    network, spikes = made(workload, "cuda")
    torch.compiler.reset()  # what was compiled for other sizes counts towards a limit
    compiled_tick = torch.compile(tick, dynamic=False)
    return lambda: step(lambda network, spikes: loop(network, spikes, compiled_tick), network, spikes)


def graph(workload: Workload) -> Step:
    """A step that was recorded and is replayed."""
    network, spikes = made(workload, "cuda")
    # as PyTorch asks for: some steps on a stream beside, then the recording
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step(loop, network, spikes)
    torch.cuda.current_stream().wait_stream(beside)
    recorded = torch.cuda.CUDAGraph()
    network.zero_grad(set_to_none=True)
    with torch.cuda.graph(recorded):
        step(loop, network, spikes)

    def replay() -> None:
        recorded.replay()

    replay.reads = network, spikes  # whose memory the recording knows by address alone
    return replay


def on_cpu(workload: Workload) -> Step:
    """A step of the fused path, on the CPU."""
    network, spikes = made(workload, "cpu")
    return lambda: step(fused, network, spikes)


IMPLEMENTATIONS: dict[str, Callable[[Workload], Step]] = {
    "reference path": as_it_is,
    "torch.compile": compiled,
    "CUDA graph": graph,
    "fused path on the CPU": on_cpu,
}


def measure(networks: list[str], rounds: int = ROUNDS) -> tuple[pd.DataFrame, dict]:
    """Time and memory of a training step of ``networks`` in float32, the implementations of each taking turns.

    Returns:
        A table with a row for each network, batch and implementation: the workload, ``milliseconds_per_step`` (the median
        over ``rounds`` after one to warm up), ``seconds_to_prepare`` (until the first step was done, compiling included),
        ``peak_megabytes`` of the GPU's memory beyond what was there (NaN on the CPU) and ``failure``, the last line of an
        error; and facts: the GPU, the version of CUDA and how many rounds.

    Raises:
        ValueError: no GPU, or a network that is not plastic.
    """
    require(torch.cuda.is_available(), "device", "cpu", "a machine with a GPU that PyTorch knows")
    for name in networks:
        require(NETWORKS.get(name, (None,))[0] is not None, "networks", name, "plastic ones")
    torch.set_num_threads(1)
    workloads = [Workload(name) for name in networks] + [Workload(networks[0], batch) for batch in BATCHES]
    rows = [
        row for workload in tqdm(workloads, desc="on the GPU", unit="network") for row in _compare(workload, rounds)
    ]
    return pd.DataFrame(rows), {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "rounds": rounds}


def _compare(workload: Workload, rounds: int) -> list[dict]:
    steps, rows = {}, {}
    for name, prepare in IMPLEMENTATIONS.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        held, started = torch.cuda.memory_allocated(), time.perf_counter()
        rows[name] = asdict(workload) | {"implementation": name, "failure": ""}
        try:
            steps[name] = prepare(workload)
            _timed(steps[name])
        except RuntimeError as error:
            rows[name]["failure"] = str(error).strip().splitlines()[-1]
            continue
        on_gpu = torch.cuda.max_memory_allocated() - held
        rows[name] |= {
            "seconds_to_prepare": time.perf_counter() - started,
            "peak_megabytes": on_gpu / 1e6 if prepare is not on_cpu else math.nan,
        }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, one in steps.items():
            seconds[name].append(_timed(one))
    for name, taken in seconds.items():
        rows[name]["milliseconds_per_step"] = 1000 * statistics.median(taken[1:])
    return list(rows.values())


def _timed(step: Step) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started

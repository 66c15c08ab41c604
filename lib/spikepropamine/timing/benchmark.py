"""Time and memory of one training step, many implementations side by side.

A step is the forward pass of a whole network, a loss on its readout, and the backward pass. Every
implementation runs the same equations, sizes and inputs in a process of its own, on one thread.
The hidden layer differs; readout and loss are the same for all (JAX computes all of it itself). Those that are compared take
turns, a few steps each, round after round: a machine that slows down for a while slows all of
them. The first step of a turn finds the caches full of another's data, which in training it
would not, and is not counted.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from tqdm.auto import tqdm

from ..checks import require_choice, require_count
from ..snn.fused import simd
from ..snn.networks import NETWORKS, SpikingNetwork, build
from ..snn.plasticity import RULES
from ..snn.scan import integrate, scan
from . import jax_peer

Hidden = Callable[[SpikingNetwork, Tensor], Tensor]


@dataclass(frozen=True)
class Workload:
    """One network at one size; inputs spike with probability ``rate`` at a tick."""

    network: str
    batch: int = 64
    inputs: int = 64
    hidden: int = 64
    ticks: int = 200
    rate: float = 0.1

    def __post_init__(self):
        require_choice("network", self.network, NETWORKS)
        for name in ("batch", "inputs", "hidden", "ticks"):
            require_count(name, getattr(self, name))

    def __str__(self) -> str:
        return f"{self.network}, B={self.batch}, P={self.inputs}, Q={self.hidden}, T={self.ticks}"


# ---------------------------------------------------------------- implementations of the hidden layer


def fused(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The fused path of this project."""
    return scan(network.synapses, network.neuron, spikes, path="fused")[0]


def reference(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The reference path of this project: a loop over ``snntorch.Leaky`` and the layer's methods."""
    return scan(network.synapses, network.neuron, spikes, path="reference")[0]


def _tick(network, s, W, b, alpha, eta, V, c, E, v, x, y, theta):
    # steps 1 to 7 of the method in as few tensor operations as they take
    layer, beta = network.synapses, float(network.neuron.beta)
    current = torch.addmm(b, s, W.t()) + torch.matmul(alpha * E, s.unsqueeze(-1)).squeeze(-1)
    v = beta * v + current - (v > 1).to(v.dtype)
    out = network.neuron.spike_grad(v - 1)
    x, y = layer.trace_decay * x + (1 - layer.trace_decay) * s, layer.trace_decay * y + (1 - layer.trace_decay) * out
    rate = eta if V is None else eta * torch.tanh(torch.addmm(c, y, V.t()))
    if layer.rule.name == "oja":
        growth = (rate * y).unsqueeze(-1)
        E = E + growth * (x.unsqueeze(1) - y.unsqueeze(-1) * E)
    elif layer.rule.name == "bcm":
        E = E + (rate * y * (y - theta)).unsqueeze(-1) * x.unsqueeze(1)
        theta = theta + layer.rule.theta_step(layer.dt) * (y * y - theta)
    else:
        require_choice("rule", layer.rule.name, ("oja", "bcm"))
    return out, E.clamp(-layer.e_max, layer.e_max), v, x, y, theta


def _loop(network, spikes, tick, segments=1) -> Tensor:
    layer = network.synapses
    V, c = (layer.modulator_weight, layer.modulator_bias) if layer.modulated else (None, None)
    B, (Q, P) = spikes.shape[1], layer.weight.shape
    state = [
        spikes.new_zeros(B, Q, P),
        spikes.new_zeros(B, Q),
        spikes.new_zeros(B, P),
        spikes.new_zeros(B, Q),
        spikes.new_zeros(B, Q),
    ]
    outs = []

    def run(part, *state):
        part_outs = []
        for s in part:
            out, *state = tick(network, s, layer.weight, layer.bias, layer.alpha, layer.rule.eta, V, c, *state)
            part_outs.append(out)
        return torch.stack(part_outs), *state

    for part in spikes.chunk(segments):
        out, *state = checkpoint(run, part, *state, use_reentrant=False) if segments > 1 else run(part, *state)
        outs.append(out)
    return torch.cat(outs)


def plain_loop(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The straightforward loop: tensor operations tick by tick, full autograd."""
    return _loop(network, spikes, _tick)


def checkpointed_loop(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The straightforward loop under ``torch.utils.checkpoint``, √T segments."""
    return _loop(network, spikes, _tick, segments=max(2, math.isqrt(len(spikes))))


def compiled_loop(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """The straightforward loop with its tick under ``torch.compile``."""
    return _loop(network, spikes, torch.compile(_tick, dynamic=False))


def norse(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """Norse's LIFBoxCell after the same linear layer."""
    from norse.torch import LIFBoxCell

    cell, state, outs = LIFBoxCell(), None, []
    for current in network.synapses(spikes):
        out, state = cell(current, state)
        outs.append(out)
    return torch.stack(outs)


def spikingjelly(network: SpikingNetwork, spikes: Tensor) -> Tensor:
    """SpikingJelly's multi-step LIFNode after the same linear layer."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m")(network.synapses(spikes))


Step = Callable[[], None]


def made(workload: Workload, device: str) -> tuple[SpikingNetwork, Tensor]:
    """The network of ``workload`` and its input spikes, (T, B, P), on ``device``."""
    network = build(workload.network, workload.inputs, workload.hidden, 2).to(device)
    spikes = (
        torch.rand(workload.ticks, workload.batch, workload.inputs, generator=torch.Generator().manual_seed(0))
        < workload.rate
    )
    return network, spikes.float().to(device)


def step(hidden: Hidden, network: SpikingNetwork, spikes: Tensor) -> None:
    """The forward pass, a loss on the readout, and the backward pass."""
    network.zero_grad(set_to_none=True)
    out = hidden(network, spikes)
    readout, _ = integrate(
        network.readout(out), out.new_zeros(out.shape[1], network.readout.out_features), network.integrator
    )
    readout.square().mean().backward()


def torch_step(hidden: Hidden, workload: Workload) -> Step:
    """A training step in PyTorch, on the CPU; what it compiles is compiled."""
    network, spikes = made(workload, "cpu")
    step(hidden, network, spikes[:4])
    return lambda: step(hidden, network, spikes)


def jax_step(checkpointing: bool, workload: Workload) -> Step:
    """A training step in JAX, compiled, on one core: JAX is told by the processor it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return jax_peer.prepared(*made(workload, "cpu"), checkpointing)


PLASTIC: dict[str, Hidden] = {
    "straightforward loop": plain_loop,
    "reference path": reference,
    "torch.compile": compiled_loop,
    "gradient checkpointing": checkpointed_loop,
    "fused path": fused,
}
JAX = {"JAX": False, "JAX, jax.checkpoint": True}  # whether it checkpoints; plastic networks
FIXED: dict[str, Hidden] = {"snnTorch": reference, "Norse": norse, "SpikingJelly": spikingjelly, "fused path": fused}
BASELINE = {True: "straightforward loop", False: "snnTorch"}


def implementations(workload: Workload) -> dict[str, Callable[[Workload], Step]]:
    """What prepares a training step of ``workload``, by the name of the implementation."""
    if workload.network == "snn":
        return {name: partial(torch_step, hidden) for name, hidden in FIXED.items()}
    peers = {name: partial(jax_step, checkpointing) for name, checkpointing in JAX.items()}
    *others, own = ((name, partial(torch_step, hidden)) for name, hidden in PLASTIC.items())
    return dict(others) | peers | dict([own])


# ---------------------------------------------------------------- measuring


def steps(workload: Workload, implementation: str) -> Iterator[dict[str, float]]:
    """One training step after another in this process: its milliseconds, and the megabytes it took beyond what was there."""
    torch.set_num_threads(1)
    step = implementations(workload)[implementation](workload)
    while True:
        before, start = _memory("VmRSS", reset=True), time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        yield {"milliseconds": 1000 * seconds, "megabytes": _memory("VmHWM") - before}


TURN = 3  # steps; the first is not counted


class _Contestant:
    """One implementation of one workload in a process of its own, which takes a turn whenever it is asked to."""

    def __init__(self, workload: Workload, implementation: str):
        self.workload, self.implementation, self.failure, self.taken = workload, implementation, "", []
        request = json.dumps({"workload": asdict(workload), "implementation": implementation})
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "spikepropamine.timing.benchmark", request],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
        )

    def turn(self) -> None:
        """Take a turn and keep what it measured, or why it could not be taken."""
        try:
            self._process.stdin.write(TURN * "\n")
            self._process.stdin.flush()
            self.taken.append([json.loads(self._process.stdout.readline()) for _ in range(TURN)])
        except (BrokenPipeError, json.JSONDecodeError):
            self._process.wait()
            self._errors.seek(0)
            self.failure = self._errors.read().strip().splitlines()[-1]

    def row(self) -> dict:
        """The median time of the counted steps of all turns but the first, which warms up; the most memory of any step."""
        counted = [step["milliseconds"] for turn in self.taken[1:] for step in turn[1:]]
        measured = (
            {
                "milliseconds_per_step": statistics.median(counted),
                "peak_megabytes": max(step["megabytes"] for turn in self.taken for step in turn),
            }
            if counted
            else {}
        )
        return {
            "workload": str(self.workload),
            **asdict(self.workload),
            "implementation": self.implementation,
            "failure": self.failure,
            **measured,
        }

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()


def floor() -> dict[str, float]:
    """What one core can do: floating-point operations a second out of registers, bytes a second from memory."""
    a = np.full(2048, 0.5, np.float32)
    _multiply_add(a, 1)
    start = time.perf_counter()
    _multiply_add(a, 20_000)
    arithmetic = 2 * 2048 * 8 * 20_000 / (time.perf_counter() - start)
    source, target = torch.ones(2**26), torch.ones(2**26)
    target.copy_(source)
    start = time.perf_counter()
    for _ in range(5):
        target.copy_(source)
    return {"flops": arithmetic, "bytes": 5 * 2 * 4 * 2**26 / (time.perf_counter() - start)}


@numba.njit(fastmath={"contract"}, cache=True)
def _multiply_add(a, times):
    # x = x² − 1/2, which no compiler can shorten, on as many chains at a time as keep the units busy
    step = simd.width(a)
    for _ in range(times):
        for i in range(0, a.size, 8 * step):
            x0, x1, x2, x3 = (
                simd.load(a, i),
                simd.load(a, i + step),
                simd.load(a, i + 2 * step),
                simd.load(a, i + 3 * step),
            )
            x4, x5, x6, x7 = (
                simd.load(a, i + 4 * step),
                simd.load(a, i + 5 * step),
                simd.load(a, i + 6 * step),
                simd.load(a, i + 7 * step),
            )
            for _ in range(8):
                x0, x1, x2, x3 = x0 * x0 - 0.5, x1 * x1 - 0.5, x2 * x2 - 0.5, x3 * x3 - 0.5
                x4, x5, x6, x7 = x4 * x4 - 0.5, x5 * x5 - 0.5, x6 * x6 - 0.5, x7 * x7 - 0.5
            for k, x in enumerate((x0, x1, x2, x3, x4, x5, x6, x7)):
                simd.store(a, i + k * step, x)


def operations(workload: Workload) -> float:
    """Floating-point operations on synapses that the method asks for in a step with recomputation.

    Per synapse and tick: E forward and again, 3 each with decay and 2 without; its adjoint, 5 and 2.
    Per spike and synapse: current 3, its adjoint 6. A modulator adds 2 per pair of neurons and tick, for
    the adjoint of V x.
    """
    dense = workload.batch * workload.ticks * workload.hidden
    rule, modulated = NETWORKS[workload.network]
    per_synapse = (11 if RULES[rule].decays else 6) + 9 * workload.rate
    return dense * (workload.inputs * per_synapse + (2 * workload.hidden if modulated else 0))


def bytes_moved(workload: Workload) -> float:
    """Bytes that must pass through memory in a step with recomputation, in float32.

    Once each: input spikes, output spikes and potentials written and read, their gradient read; and √T/2
    checkpoints of E written and read.
    """
    rows = workload.batch * workload.ticks * (2 * workload.inputs + 5 * workload.hidden)
    return 4 * (rows + math.isqrt(workload.ticks) * workload.batch * workload.inputs * workload.hidden)


# What the chapter measures, by profile: in each series, (workload, implementations or all of them) side by side, and
# how many rounds are counted.
Entries = list[tuple[Workload, tuple[str, ...]]]


def plan(profile: str, networks: list[str]) -> list[tuple[str, Entries, int]]:
    """The series of ``profile`` for ``networks``."""
    both, fused_only = ("straightforward loop", "fused path"), ("fused path",)
    if profile == "smoke":
        return [("headline", [(Workload(n, 4, 8, 8, 20), (*both, "snnTorch")) for n in networks], 2)]
    headline = ("headline", [(Workload(n), ()) for n in networks], 3)
    plastic = [n for n in networks if n != "snn"]
    if profile == "quick" or not plastic:
        return [headline]
    name = plastic[0]
    ticks = [(Workload(name, 16, ticks=ticks), both) for ticks in (100, 200, 400, 1000)]
    ticks += [(Workload(name, 16, ticks=ticks), fused_only) for ticks in (3000, 10_000)]
    batch = [(Workload(name, batch), both) for batch in (8, 16, 32, 64, 128)]
    synapses = [(Workload(name, 16, size, size), both) for size in (16, 32, 64, 128)]
    synapses += [(Workload(name, 16, size, size), fused_only) for size in (256, 512)]
    return [headline, ("ticks", ticks, 2), ("batch", batch, 2), ("synapses", synapses, 2)]


def run_plan(profile: str, networks: list[str]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Measure the plan of ``profile``: a row a measurement, with its series, and the floor of this machine."""
    tables = [compare(entries, rounds).assign(series=series) for series, entries, rounds in plan(profile, networks)]
    return pd.concat(tables, ignore_index=True), floor()


def compare(entries: Entries, rounds: int) -> pd.DataFrame:
    """The implementations of each entry (all that there are where it names none), in turn, after one round to warm up.

    Columns: workload and its fields, implementation, milliseconds_per_step, peak_megabytes,
    ratio_to_reference (how many times faster than the workload's baseline), failure (its last line).
    """
    require_count("rounds", rounds)
    contestants = [
        _Contestant(w, name) for w, only in entries for name in implementations(w) if not only or name in only
    ]
    try:
        for _ in tqdm(range(rounds + 1), desc=str(entries[0][0]), unit="round", leave=False):
            for contestant in contestants:
                if not contestant.failure:
                    contestant.turn()
    finally:
        for contestant in contestants:
            contestant.close()
    table = pd.DataFrame([contestant.row() for contestant in contestants])
    baseline = {
        w: g.set_index("implementation").milliseconds_per_step.get(BASELINE[w.split(",")[0] != "snn"], math.nan)
        for w, g in table.groupby("workload")
    }
    table["ratio_to_reference"] = table.workload.map(baseline) / table.milliseconds_per_step
    return table


def _memory(field: str, reset: bool = False) -> float:
    """VmRSS or VmHWM of this process in megabytes; NaN where there is no /proc. Reset makes the peak start anew."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    measured = steps(Workload(**asked["workload"]), asked["implementation"])
    for _ in sys.stdin:
        print(json.dumps(next(measured)), flush=True)

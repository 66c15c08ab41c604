"""The page on plasticity rules: what each is known to do, shown by this package's own functions."""

import inspect
import textwrap
from collections.abc import Callable
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib.figure import Figure
from torch import Tensor

from ...snn import layers, plasticity
from ...snn.networks import NETWORKS, NetworkOptions, build
from ...training.supervised import generator
from .. import figures, plots
from ..figures import Drawing

OPTIONS = NetworkOptions()
STREAM = 3  # of random numbers that no training uses
# a tenth of the networks' initial rates, so that E stays off its bound while the curves are told apart
RULES = {"Oja": plasticity.Oja(0.1 * OPTIONS.eta_oja), "BCM": plasticity.BCM(0.1 * OPTIONS.eta_bcm, OPTIONS.tau_theta)}
BLUE, RED, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


class Findings(NamedTuple):
    """All figures of the page, and how the two implementations agree: what its first sentences are computed from."""

    synapse: Drawing
    oja: Drawing
    bcm: Drawing
    gates: Drawing
    agreement: dict[str, "Agreement"]


class Agreement(NamedTuple):
    """How far the fused path is from the reference on one input."""

    spikes_off: int  # spikes that differ
    gradient: float  # largest relative difference of a gradient


def names_of_networks() -> pd.DataFrame:
    """What the name of each of the five networks means."""
    rules = {None: "–", "oja": "Oja", "bcm": "BCM"}
    return pd.DataFrame(
        [
            {
                "name": f"`{name}`",
                "in full": " ".join(["neuromodulated"] * modulated + ["differentiable plasticity"] * (rule is not None))
                or "plain spiking neural network",  # fmt: skip
                "input synapses": f"W + αE, {rules[rule]}'s rule" if rule else "W alone",
                "modulator M": "learned, tanh(V x + c)" if modulated else ("always 1" if rule else "–"),
                "learned": "W, b" + ", α, η" * (rule is not None) + ", V, c" * modulated + ", readout",
            }
            for name, (rule, modulated) in NETWORKS.items()
            if rule in rules
        ]
    )


def code(*functions: Callable, only: str = "", lines: int = 2) -> Markdown:
    """The source of ``functions``, or the ``lines`` from the one that holds ``only`` on."""
    source = [line for function in functions for line in inspect.getsource(function).rstrip().splitlines()]
    if only:
        start = next(k for k, line in enumerate(source) if only in line)
        source = source[start : start + lines]
    return Markdown("```python\n" + textwrap.dedent("\n".join(source)) + "\n```")


def found() -> Findings:
    """Everything that the page shows, computed."""
    with figures.style(), torch.no_grad():
        drawings = draw_synapse(), draw_oja(), draw_bcm(), draw_gates()
    for drawing in drawings:
        plt.close(drawing.figure)  # a notebook would show them all at once
    return Findings(*drawings, {name: agreement(name) for name in ("oja", "bcm")})


def what_we_found(found: Findings) -> Markdown:
    """The page in four sentences."""
    oja = found.oja.data
    end = oja[oja.tick == oja.groupby("input").tick.transform("max")]
    plane = found.bcm.data[found.bcm.data.panel == "plane"]
    ends = plane[plane.tick == plane.tick.max()]
    change = changes_by_gate(found.gates.data)
    off = sum(one.spikes_off for one in found.agreement.values())
    worst = max(one.gradient for one in found.agreement.values())
    return Markdown(
        figures.minus(
            f"Oja's rule turns a neuron's weights to the leading principal component of its input: {end.angle_degrees.max():.1f}° "
            f"from it at most, at a norm of {end.norm.mean():.2f}. BCM makes a neuron selective for one of two patterns from "
            f"{selective(ends)} of {len(ends)} starts. A synapse learns while its modulator is positive "
            f"({change['Oja', 0]:+.2f} in E under Oja's rule), keeps what it has while the modulator is zero "
            f"({change['Oja', 1]:+.2f}), and unlearns on average while it is negative ({change['Oja', 2]:+.2f}). These are theorems and "
            "definitions, so they test the code, not the paper. The compiled code computes what the equations say: on the same "
            f"input, {off or 'no'} spikes differ and gradients agree to {worst:.0e}."
        )
    )


# ---------------------------------------------------------------- one synapse under given spike trains

PHASES = [("together", 30.0, 30.0), ("pre alone", 30.0, 0.0), ("post alone", 0.0, 30.0), ("silence", 0.0, 0.0)]
PHASE_MS = 1000.0


def spike_trains(seed: int) -> Tensor:
    """Poisson spikes of a presynaptic and a postsynaptic neuron through PHASES, (ticks, 2)."""
    ticks = round(PHASE_MS / OPTIONS.dt)
    rates = torch.tensor([[pre, post] for _, pre, post in PHASES]).repeat_interleave(ticks, 0)
    return (torch.rand(rates.shape, generator=generator(STREAM, seed)) < rates * OPTIONS.dt / 1000).float()


@torch.no_grad()
def trace(rule: plasticity.Rule, modulator: Tensor, spikes: Tensor) -> pd.DataFrame:
    """One synapse tick by tick under given ``spikes``, (ticks, 2), and a given ``modulator``, (ticks,)."""
    layer = layers.PlasticLinear(1, 1, rule, e_max=OPTIONS.e_max, dt=OPTIONS.dt, tau_trace=OPTIONS.tau_trace)
    state, rows = layer.initial_state(1), []
    for t, (pre, post) in enumerate(spikes):
        layer.modulator = lambda x_post, M=modulator[t]: torch.full_like(x_post, M)
        state = layer.step(pre.view(1, 1), post.view(1, 1), state)
        row = t * OPTIONS.dt, modulator[t], state.E, state.x_pre, state.x_post, state.theta
        rows.append([float(value) for value in row])
    return pd.DataFrame(rows, columns=["time_ms", "modulator", "E", "x_pre", "x_post", "theta"])


def draw_synapse() -> Drawing:
    """Traces, and E under each rule with the modulator held at one, zero and minus one."""
    trains = spike_trains(0)
    frames = [
        trace(rule, torch.full((len(trains),), M), trains).assign(rule=name)
        for name, rule in RULES.items()
        for M in (1.0, 0.0, -1.0)
    ]
    data = pd.concat(frames, ignore_index=True)
    figure, axes = figures.grid(3, 1, height=4.4, sharex=True)
    _draw_trains(axes[0], trains, frames[0])
    lines = {1.0: (GREEN, "-"), 0.0: ("black", ":"), -1.0: (PINK, "--")}
    for axis, name in zip(axes[1:], RULES):
        for M, (colour, line) in lines.items():
            frame = data[(data.rule == name) & (data.modulator == M)]
            axis.plot(
                frame.time_ms, frame.E, color=colour, ls=line, label=figures.minus(f"M = {M:+.0f}") if M else "M = 0"
            )
        axis.set_ylabel(f"E, {name}")
    axes[1].legend(loc="lower right", ncols=3, bbox_to_anchor=(1, 0.08))
    for k, (label, *_) in enumerate(PHASES):
        for axis in axes:
            axis.axvline(k * PHASE_MS, color="0.8", lw=0.8, zorder=0)
        axes[0].text((k + 0.5) * PHASE_MS, 1.0, label, ha="center", va="bottom", fontsize=8, transform=axes[0].get_xaxis_transform())  # fmt: skip
    axes[-1].set_xlabel("time (ms)")
    end = data[np.isclose(data.time_ms, PHASE_MS - OPTIONS.dt) & (data.modulator == 1)].set_index("rule").E
    rates = " and ".join(f"{rule.eta.item():g} ({name})" for name, rule in RULES.items())
    caption = (
        f"E grows where both neurons fire and the modulator allows it: after {PHASE_MS:g} ms of firing together it is {end['Oja']:+.2f} under "
        f"Oja's rule and {end['BCM']:+.2f} under BCM. One synapse under given spike trains (marks); top: traces; below: E with "
        f"η = {rates} and the modulator held at one, zero and minus one."
    )
    alt = (
        "Three stacked panels over four seconds. Traces rise while a neuron fires. Under both rules E moves while both neurons fire, in "
        "opposite directions for positive and negative modulation, and stays at zero where the modulator is zero. Under Oja's rule it "
        "decays when the postsynaptic neuron fires alone."
    )
    return Drawing(figure, data, caption, alt)


def _draw_trains(axis, trains: Tensor, frame: pd.DataFrame) -> None:
    for y, (label, colour, line) in enumerate((("pre", BLUE, "-"), ("post", RED, "--"))):
        times = torch.nonzero(trains[:, y])[:, 0] * OPTIONS.dt
        axis.scatter(times, np.full(len(times), -0.03 - 0.05 * y), marker="|", s=12, lw=0.7, color=colour)
        axis.plot(frame.time_ms, frame[f"x_{label}"], color=colour, ls=line, label=f"{label}synaptic")
    axis.set_ylabel("trace x")
    axis.legend(loc="upper right")


# ---------------------------------------------------------------- Oja: the leading principal component

TRIALS, INPUTS = 6, 8


def gaussian_rates(ticks: int, rng: np.random.Generator) -> np.ndarray:
    """Correlated Gaussian rates, (ticks, trials, inputs)."""
    mixing = rng.normal(size=(INPUTS, INPUTS)) * np.linspace(1.0, 0.2, INPUTS)
    return rng.normal(size=(ticks, TRIALS, INPUTS)) @ mixing.T / np.sqrt(INPUTS)


def poisson_traces(ticks: int, rng: np.random.Generator) -> np.ndarray:
    """Traces of Poisson spikes whose rates share a slow source, (ticks, trials, inputs)."""
    decay, share = np.exp(-OPTIONS.dt / OPTIONS.tau_trace), rng.uniform(0, 1, INPUTS)
    source, x, out = np.zeros((TRIALS, 1)), np.zeros((TRIALS, INPUTS)), np.empty((ticks, TRIALS, INPUTS))
    for t in range(ticks):
        source = 0.95 * source + rng.normal(size=(TRIALS, 1)) * np.sqrt(1 - 0.95**2)
        hz = np.clip(40 * (1 + share * source), 0, 200)
        x = decay * x + (1 - decay) * (rng.random((TRIALS, INPUTS)) < hz * OPTIONS.dt / 1000)
        out[t] = x
    return out


def run_oja(inputs: np.ndarray, rate: float, every: int = 100) -> pd.DataFrame:
    """A linear neuron under Oja's rule: the angle of E to the leading eigenvector of its input, and E's norm."""
    moments = np.einsum("tbi,tbj->ij", inputs, inputs) / inputs[:, :, 0].size
    leading = torch.from_numpy(np.linalg.eigh(moments)[1][:, -1].copy())
    E, rows = 0.3 * torch.randn(TRIALS, 1, INPUTS, generator=generator(STREAM, 2), dtype=torch.float64), []
    for t, x in enumerate(torch.from_numpy(inputs)):
        if t % every == 0:
            w = E[:, 0]
            angle = torch.rad2deg(torch.arccos((w @ leading).abs() / w.norm(dim=1)))
            rows += [(t, b, float(angle[b]), float(w[b].norm())) for b in range(TRIALS)]
        E = plasticity.oja(E, x, (E[:, 0] * x).sum(1, keepdim=True), rate)
    return pd.DataFrame(rows, columns=["tick", "trial", "angle_degrees", "norm"])


def draw_oja() -> Drawing:
    """Angle and norm over time, with Gaussian rates and with Poisson spikes."""
    rng = np.random.default_rng(0)
    parts = {
        "Gaussian rates": run_oja(gaussian_rates(12000, rng), 0.003),
        "Poisson spikes": run_oja(poisson_traces(30000, rng), 0.004),
    }
    figure, axes = figures.grid(2, 2, height=3.6, sharex="col", sharey="row")
    for column, (name, frame) in zip(axes.T, parts.items()):
        for axis, quantity in zip(column, ("angle_degrees", "norm")):
            plots.lines_by(axis, frame, "tick", quantity, "trial", color=BLUE)
        column[0].set_title(name)
        column[1].axhline(1, color="0.5", lw=0.8, ls=":")
        column[1].set(xlabel="tick", ylim=(0, 1.6))
    axes[0][0].set(ylabel="angle (degrees)", ylim=(0, 95))
    axes[1][0].set_ylabel("norm of E")
    data = pd.concat([frame.assign(input=name) for name, frame in parts.items()], ignore_index=True)
    end = data[data.tick == data.groupby("input").tick.transform("max")].groupby("input")
    says = "; ".join(
        f"{name}: angle {frame.angle_degrees.mean():.1f}° (at most {frame.angle_degrees.max():.1f}°), norm {frame.norm.mean():.2f}"
        for name, frame in end
    )
    caption = (
        f"Oja's rule finds the leading principal component: at the end, {says}. Angle between E and the leading eigenvector, and norm of "
        f"E (dotted: one), from {TRIALS} random starts on correlated input."
    )
    alt = f"Four panels over time. From random starts the angle falls to a few degrees and the norm settles at one, with rates and with spikes. At the end, {says}."
    return Drawing(figure, data, caption, alt)


# ---------------------------------------------------------------- BCM: selectivity

BCM_RATE, BCM_STEP = 0.002, 0.02  # η, and dt/τ_θ: the threshold is the faster of the two
RUNAWAY = 1e6  # no E grows beyond


def run_bcm(E: Tensor, patterns: Tensor, ticks: int, step: float, every: int = 50) -> tuple[Tensor, Tensor]:
    """Responses to each pattern, (samples, starts, patterns), and θ, while patterns come in random turn."""
    respond = lambda E: (E[:, 0] @ patterns.T).clamp(min=0)  # noqa: E731
    theta = respond(E).square().mean(1, keepdim=True)
    choices = torch.randint(0, len(patterns), (ticks,), generator=generator(STREAM, 4))
    responses, thetas = [], []
    for t, choice in enumerate(choices):
        if t % every == 0:
            responses.append(respond(E))
            thetas.append(theta)
        x = patterns[choice].expand(len(E), -1)
        y = (E[:, 0] * x).sum(1, keepdim=True).clamp(min=0)
        E = plasticity.bcm(E, x, y, theta, BCM_RATE).clamp(-RUNAWAY, RUNAWAY)
        theta = plasticity.slide(theta, y, step)
    return torch.stack(responses), torch.stack(thetas)[..., 0]


def draw_bcm() -> Drawing:
    """Responses to two patterns from many starts, and over time with the threshold sliding and frozen."""
    two, every = torch.eye(2, dtype=torch.float64), 50
    starts = torch.cartesian_prod(*[torch.linspace(0.15, 2.65, 5, dtype=torch.float64)] * 2) + torch.tensor([0.06, 0.0])
    start = torch.tensor([[[0.55, 0.5]]], dtype=torch.float64)
    runs = {
        "plane": run_bcm(starts.unsqueeze(1), two, 30000, BCM_STEP),
        "sliding": run_bcm(start, two, 12000, BCM_STEP),
        "frozen": run_bcm(start, two, 12000, 0.0),
    }
    data = pd.concat([_responses(name, *run, every) for name, run in runs.items()], ignore_index=True)
    plane, ran_away = data[data.panel == "plane"], data[data.panel == "frozen"]
    ends = plane[plane.tick == plane.tick.max()]
    preferred = ends[["pattern_1", "pattern_2"]].max(axis=1).mean()
    caption = (
        f"BCM makes a neuron selective: {selective(ends)} of {len(ends)} starts end so, with a mean response of {preferred:.2f} to the "
        "preferred one of two orthogonal patterns in random turn. Left: responses from all starts (blue; grey dots: starts); circles: the stable fixed "
        f"points. Middle and right: one start, with the threshold sliding and frozen (|E| held at {RUNAWAY:,.0f} there)."
    )
    top = ran_away[["pattern_1", "pattern_2"]].iloc[-1].max()
    alt = f"Left: trajectories in the plane of two responses all run to one of two circles, (2, 0) or (0, 2). Middle: one response rises and the other falls to zero. Right, on a log scale: with a frozen threshold responses reach {top:.1g}."
    return Drawing(_plot_bcm(data), data, caption, alt)


def selective(ends: pd.DataFrame) -> int:
    """How many neurons answer one pattern ten times as much as the other."""
    responses = ends[["pattern_1", "pattern_2"]]
    return int((responses.max(axis=1) > 10 * responses.min(axis=1)).sum())


def _responses(panel: str, responses: Tensor, theta: Tensor, every: int) -> pd.DataFrame:
    samples, starts, _ = responses.shape
    frame = pd.DataFrame(responses.reshape(-1, 2).numpy(), columns=["pattern_1", "pattern_2"])
    ticks, start = np.repeat(every * np.arange(samples), starts), np.tile(np.arange(starts), samples)
    frame = frame.assign(panel=panel, start=start, tick=ticks, theta=theta.reshape(-1).numpy())
    return frame[["panel", "start", "tick", "pattern_1", "pattern_2", "theta"]]


def _plot_bcm(data: pd.DataFrame) -> Figure:
    figure, axes = figures.grid(1, 3, height=2.6)
    plane = data[data.panel == "plane"]
    plots.lines_by(axes[0], plane, "pattern_1", "pattern_2", "start", color=BLUE, lw=0.7)
    first = plane[plane.tick == 0]
    axes[0].scatter(first.pattern_1, first.pattern_2, s=5, color="0.6", zorder=3, lw=0)
    axes[0].scatter([2, 0], [0, 2], s=45, facecolors="none", edgecolors=RED, lw=1.3, zorder=4)
    axes[0].set(xlabel="response to pattern 1", ylabel="response to pattern 2", title="from many starts", xlim=(-0.15, 3), ylim=(-0.15, 3))  # fmt: skip
    for axis, panel in zip(axes[1:], ("sliding", "frozen")):
        frame = data[data.panel == panel]
        for column, colour, line in (("pattern_1", BLUE, "-"), ("pattern_2", RED, "--"), ("theta", "black", ":")):
            label = "θ" if column == "theta" else column.replace("_", " ")
            axis.plot(frame.tick, frame[column], color=colour, ls=line, lw=1.2, label=label)
        axis.set(xlabel="tick", title=f"{panel} threshold")
    axes[1].set_ylabel("response")
    axes[2].set_yscale("log")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


# ---------------------------------------------------------------- modulation: when a synapse may learn

GATES = [("M = +1", 1.0), ("M = 0", 0.0), ("M = −1", -1.0), ("M = 0", 0.0), ("M = +1", 1.0)]
GATE_MS, GATE_HZ = 600.0, 30.0


def draw_gates() -> Drawing:
    """E while both neurons fire all the time and the modulator alone changes."""
    ticks = round(GATE_MS / OPTIONS.dt)
    modulator = torch.tensor([M for _, M in GATES]).repeat_interleave(ticks)
    frames = []
    for name, rule in RULES.items():
        for seed in range(5):
            draws = torch.rand(len(modulator), 2, generator=generator(STREAM, seed))
            frame = trace(rule, modulator, (draws < GATE_HZ * OPTIONS.dt / 1000).float())
            frames.append(frame[["time_ms", "modulator", "E"]].assign(rule=name, seed=seed))
    data = pd.concat(frames, ignore_index=True)
    figure, axes = figures.grid(1, len(RULES), height=2.3, sharex=True)
    for axis, name in zip(axes, RULES):
        plots.lines_by(axis, data[data.rule == name], "time_ms", "E", "seed", color=BLUE)
        for k, (label, M) in enumerate(GATES):
            colour = {1.0: GREEN, 0.0: "white", -1.0: PINK}[M]
            axis.axvspan(k * GATE_MS, (k + 1) * GATE_MS, color=colour, alpha=0.15, lw=0)
            axis.text((k + 0.5) * GATE_MS, 1.0, label, ha="center", va="bottom", fontsize=7, transform=axis.get_xaxis_transform())  # fmt: skip
        axis.set(xlabel="time (ms)", ylabel=f"E, {name}")
    change = changes_by_gate(data)
    says = figures.minus(
        "; ".join(
            f"{name}: " + ", ".join(f"{change[name, k]:+.2f} while {GATES[k][0]}" for k in range(3)) for name in RULES
        )
    )
    caption = (
        "The modulator decides when a synapse learns: E grows while M is positive, holds while it is zero, and unlearns on average while it is negative. "
        f"With M negative, Oja's decay term drives E away from its fixed point. Both neurons fire at {GATE_HZ:g} Hz throughout; five spike trains. Mean change of E, {says}."
    )
    alt = f"Two panels of efficacy over time, divided by the value of the modulator. E rises while M is positive, holds still while M is zero and falls while M is negative. {says}."
    return Drawing(figure, data, caption, alt)


def changes_by_gate(data: pd.DataFrame) -> pd.Series:
    """The mean change of E in each window of GATES, by (rule, number of the window)."""
    window = (data.time_ms // GATE_MS).astype(int).rename("window")
    each = data.groupby(["rule", "seed", window]).E.agg(lambda e: e.iloc[-1] - e.iloc[0])
    return each.groupby(["rule", "window"]).mean()


# ---------------------------------------------------------------- two implementations


def agreement(rule: str) -> Agreement:
    """The reference and the fused path on the same random input, in float64, in spikes and in gradients."""
    network = build(f"ndp-{rule}", 20, 16, 2, seed=1).double()
    spikes = (torch.rand(120, 8, 20, generator=generator(STREAM, 1)) < 0.1).double()
    gradients, outs = [], []
    for path in ("reference", "fused"):
        network.zero_grad()
        run = network.run(spikes, path=path)
        run.readout.square().sum().backward()
        outs.append(run.spikes)
        gradients.append([p.grad.clone() for p in network.parameters()])
    worst = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(*gradients))
    return Agreement(int((outs[0] != outs[1]).sum()), worst)


def show_agreement(found: Findings) -> Markdown:
    """A line for each rule."""
    lines = (
        f"- `ndp-{rule}`: {one.spikes_off} spikes differ; the largest relative difference of a gradient is {one.gradient:.1e}"
        for rule, one in found.agreement.items()
    )
    return Markdown("\n".join(lines))

"""Drawings of the network, a plastic synapse, the tasks, the robots and the policy, made from the objects themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import mujoco
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from ..snn.networks import NetworkOptions
from ..tasks.task import Task
from ..training.supervised import generator
from ..walking.policies import Policy
from ..walking.robots import Locomotion
from .figures import WIDTH, Drawing

INK, PLASTIC, FIXED, MODULATOR, SOFT = "#222222", "#D55E00", "#555555", "#009E73", "#EEF3F8"
PRE, POST = "#0072B2", "#E69F00"
SHOWN_TRIAL = 2  # of a task's random stream: one in which cues differ


def network(options: NetworkOptions = NetworkOptions()) -> Drawing:
    """Inputs → plastic synapses → hidden neurons → readout, with the equation of each."""
    figure, axis = canvas(WIDTH, 2.9, (0, 100), (2, 50))
    parts = {
        "input spikes": (r"$s_i[t] \in \{0, 1\}$",),
        "plastic synapses": (
            r"$I_j = b_j + \sum_i (W_{ji} + \alpha_{ji} E_{ji})\, s_i$",
            r"$E$: written within a trial",
        ),
        "hidden neurons": (
            r"$v_j[t] = \beta\, v_j[t{-}1] + I_j[t] - \vartheta\, s_j[t{-}1]$",
            r"$s_j[t] = 1$ if $v_j[t] > \vartheta = 1$, else $0$",
        ),
        "readout": (r"$y_c[t] = \beta_y\, y_c[t{-}1] + d_c$", r"$+ \Sigma_j\, U_{cj}\, s_j[t]$", "no spikes, no reset"),
    }
    inputs, hidden, readout = [np.linspace(low, high, n) for low, high, n in ((18, 44, 5), (20, 42, 4), (26, 36, 2))]
    for y in inputs:
        _spikes(axis, 3, y, y)
        for to in hidden:
            arrow(axis, (13, y), (47, to), PLASTIC, lw=0.7, head=False)
    for y in hidden:
        axis.add_patch(Circle((49, y), 1.8, facecolor=SOFT, edgecolor=INK, lw=1))
        for to in readout:
            arrow(axis, (51, y), (82, to), FIXED, lw=0.7, head=False)
    for y in readout:
        axis.add_patch(Circle((84, y), 1.8, facecolor="white", edgecolor=INK, lw=1))
    for (name, lines), x in zip(parts.items(), (8, 30, 52, 86)):
        colour = PLASTIC if name == "plastic synapses" else INK
        axis.text(x, 48.5, name, ha="center", weight="bold", color=colour, fontsize=9)
    for lines, (x, y) in zip(parts.values(), ((8, 12), (26, 12), (56, 12), (87, 20))):
        axis.text(x, y, "\n".join(lines), ha="center", va="top", fontsize=8.5, linespacing=1.5)
    axis.text(68, 43, r"$U$: fixed weights", color=FIXED, ha="center", fontsize=8)
    axis.text(30, 44, "in snn: $W$ alone", color=PLASTIC, ha="center", fontsize=8)
    beta = {"β": np.exp(-options.dt / options.tau_membrane), "β_y": np.exp(-options.dt / options.tau_readout)}
    data = pd.DataFrame([{"part": name, "equation": " ".join(lines)} for name, lines in parts.items()])
    caption = (
        "The network: input spikes reach the hidden neurons through plastic synapses, and a leaky readout sums the hidden spikes. "
        f"β = exp(−dt/τ) is {beta['β']:.3f} for the membrane and {beta['β_y']:.3f} for the readout; a spike lowers the potential by the threshold ϑ one tick later."
    )
    return Drawing(figure, data, caption, "Diagram from left to right: spike trains, orange lines for plastic synapses, four hidden neurons, grey lines for fixed weights, two readout units; the equation of each part below it.")  # fmt: skip


def synapse() -> Drawing:
    """One plastic synapse: two traces, a rule, a modulator, and what the efficacy E does to the current."""
    figure, axis = canvas(WIDTH, 3.0, (-2, 100), (4, 40))
    nodes = {
        "presynaptic spikes": (9, 34, r"$s_i$", PRE),
        "presynaptic trace": (9, 12, r"$x_i \leftarrow \lambda x_i + (1{-}\lambda) s_i$", PRE),
        "rule": (42, 12, r"$\Delta_{ji}$: Oja or BCM", INK),
        "efficacy": (42, 34, r"$E_{ji} \leftarrow E_{ji} + \eta\, M_j \Delta_{ji}$", PLASTIC),
        "current": (74, 34, r"$(W_{ji} + \alpha_{ji} E_{ji})\, s_i$", PLASTIC),
        "postsynaptic trace": (78, 12, r"$x_j \leftarrow \lambda x_j + (1{-}\lambda) s_j$", POST),
        "modulator": (62, 23, r"$M_j = \tanh(\sum_k V_{jk} x_k + c_j)$", MODULATOR),
    }
    for name, (x, y, text, colour) in nodes.items():
        box(axis, x, y, name, text, colour)
    axis.add_patch(Circle((95, 34), 3, facecolor=SOFT, edgecolor=INK, lw=1))
    axis.text(95, 34, r"$s_j$", ha="center", va="center", fontsize=9)
    for start, stop, colour in (
        ((9, 30), (9, 16), PRE),
        ((19, 12), (31, 12), PRE),
        ((67, 12), (53, 12), POST),
        ((42, 16), (42, 30), INK),
        ((53, 34), (63, 34), PLASTIC),
        ((85, 34), (92, 34), INK),
        ((95, 31), (86, 16.5), POST),
        ((76, 16), (70, 19), POST),
        ((56, 27), (49, 30), MODULATOR),
        ((19, 34), (31.5, 34), PRE),
    ):
        arrow(axis, start, stop, colour)
    data = pd.DataFrame([{"part": name, "equation": text} for name, (*_, text, _) in nodes.items()])
    caption = (
        "A plastic synapse writes its own memory: traces of both neurons drive the rule, the modulator scales it, and the efficacy E "
        "adds to the fixed weight. W, α, η, V and c are learned by gradient descent; E starts every trial at zero and is held to ±E_max."
    )
    return Drawing(figure, data, caption, "Diagram of one synapse. Presynaptic and postsynaptic traces meet in the rule; the rule changes the efficacy, scaled by a modulator that reads the postsynaptic traces; the efficacy adds to the weight in the current to the postsynaptic neuron.")  # fmt: skip


def timelines(tasks: Mapping[str, Task]) -> Drawing:
    """What drives the inputs in one trial of each task, without noise: a row of panels, from the task's own sampling."""
    figure, axes = plt.subplots(len(tasks), 1, figsize=(WIDTH, 1.55 * len(tasks) + 0.3), squeeze=False)
    rows, told = [], []
    for axis, (name, task) in zip(axes[:, 0], tasks.items()):
        driven, windows = driven_inputs(task), phases(task)
        extent = (0, task.ticks * task.dt, task.n_inputs - 0.5, -0.5)
        axis.imshow(driven.T, aspect="auto", cmap="Blues", vmin=0, vmax=1.3, extent=extent, interpolation="nearest")
        axis.axvspan(task.decision_start * task.dt, task.ticks * task.dt, color="#F0E442", alpha=0.35, lw=0)
        for what, start, stop in windows:
            axis.text((start + stop) / 2, 1.02, what, ha="center", va="bottom", fontsize=7, transform=axis.get_xaxis_transform())  # fmt: skip
        groups = input_groups(task)
        axis.set_yticks([(part.start + part.stop - 1) / 2 for part in groups.values()], list(groups))
        axis.tick_params(axis="y", length=0)
        for part in list(groups.values())[1:]:
            axis.axhline(part.start - 0.5, color="0.8", lw=0.6)
        axis.set_title(task.label, loc="left", pad=14, weight="bold")
        rows += [
            {"task": name, "window": f"item {what}" if what.isdigit() else what, "start_ms": start, "stop_ms": stop}
            for what, start, stop in windows
        ]
        told.append(f"{name}: " + ", ".join(f"{what} {start:g} to {stop:g} ms" for what, start, stop in windows))
    axes[-1, 0].set_xlabel("time (ms)")
    caption = (
        "What a trial shows, and when: inputs that are driven (blue) in one trial of each task, without the background noise; the "
        "answer is read out in the decision period (yellow)."
    )
    return Drawing(figure, pd.DataFrame(rows), caption, "; ".join(told) + ".")


def driven_inputs(task: Task) -> np.ndarray:
    """Which inputs are driven at each tick of one trial, (ticks, inputs): the task sampled without noise, at a spike a tick."""
    certain = replace(task, noise=0.0, cue_rate=1000 / task.dt)
    return certain.sample(1, generator(2, SHOWN_TRIAL)).spikes[:, 0].numpy()


def phases(task: Task) -> list[tuple[str, float, float]]:
    """The windows of a trial, (name, start, stop) in ms: each cue by its number, the delay, the decision."""
    busy = driven_inputs(task)[: task.decision_start].any(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], busy, [0]]).astype(int)))
    shown = list(zip(edges[::2], edges[1::2]))
    names = ["shown"] if len(shown) == 1 else [f"{k}" for k in range(1, len(shown) + 1)]
    found = [(name, start * task.dt, stop * task.dt) for name, (start, stop) in zip(names, shown)]
    decision = task.decision_start * task.dt
    return [*found, ("delay", found[-1][2], decision), ("decision", decision, task.ticks * task.dt)]


def input_groups(task: Task) -> dict[str, slice]:
    """The groups of a task's inputs by what they stand for, top to bottom; all of them together where that is not known."""
    sizes: dict[str, int] = {}
    if hasattr(task, "group"):
        sizes = dict.fromkeys(("left", "right", "decision", "background"), task.group_size)
    elif hasattr(task, "cue_inputs"):
        sizes = {"cue": task.cue_inputs, "reward": task.group_size, "question": task.group_size}
    elif hasattr(task, "key_inputs"):
        sizes = {"key": task.key_inputs, "value": 2 * task.value_bits * task.bit_inputs, "question": task.group_size}
    elif hasattr(task, "bits_again"):
        sizes = {"bits": task.n_inputs}
    if sum(sizes.values()) != task.n_inputs:
        sizes = {"inputs": task.n_inputs}
    stops = np.cumsum(list(sizes.values()))
    return {name: slice(int(stop - size), int(stop)) for (name, size), stop in zip(sizes.items(), stops)}


def robots(environments: Sequence[str] = ("Ant-v5", "HalfCheetah-v5")) -> Drawing:
    """The robots, from the geometry of their MuJoCo models: Ant from above, HalfCheetah from the side; limbs and motors named."""
    figure, axes = plt.subplots(1, len(environments), figsize=(WIDTH, 2.9), squeeze=False)
    rows, told, motors = [], [], []
    for axis, name in zip(axes[0], environments):
        parts = list(_geometry(name))
        across = (0, 2) if name.startswith("HalfCheetah") else (0, 1)  # axes of the world that are drawn: x, and z or y
        colours = dict(zip((limb for limb in dict.fromkeys(limb for limb, *_ in parts) if limb not in _BODY), LIMBS))
        for limb, ends, radius in parts:
            colour = colours.get(limb, "#999999")
            (x0, y0), (x1, y1) = ends[:, across]
            width = 2 * radius * 72 * 2.4 / 2.2  # of the capsule, in points on an axis of about 2.2 m on 2.4 inches
            axis.plot(
                [x0, x1], [y0, y1], color=colour, lw=width, solid_capstyle="round", zorder=4 if limb == "torso" else 3
            )
            if (x0, y0) == (x1, y1):  # a sphere, of which a line would show nothing
                axis.plot(x0, y0, "o", color=colour, ms=width, zorder=4)
            rows.append({"environment": name, "limb": limb, "x_m": ends[:, 0].mean(), "y_m": ends[:, across[1]].mean()})
        named = _name_limbs(axis, name, rows)
        told.append(f"{name}: {', '.join(named)}")
        axis.annotate(
            "", (0.95, -0.09), (0.55, -0.09), xycoords="axes fraction", arrowprops={"arrowstyle": "->", "color": INK}
        )
        axis.text(0.5, -0.09, "reward: speed along x", transform=axis.transAxes, ha="right", va="center", fontsize=7.5)
        observations, actions = Locomotion(name).sizes()
        motors.append((COUNTS[actions], "the ant" if name.startswith("Ant") else name.removesuffix("-v5")))
        view = "from the side" if across[1] == 2 else "from above"
        axis.set_title(f"{name.removesuffix('-v5')}, {view}\n{observations} observations, {actions} torques")
        axis.set_aspect("equal")
        axis.margins(0.18)
        axis.axis("off")
    (count, robot), *others = motors
    message = " and ".join([f"{count.capitalize()} motors move {robot}", *map(" ".join, others)])
    caption = (
        f"{message}: the two robots, drawn from their simulation models. A leg of the ant has a hip and an ankle, each of HalfCheetah's a thigh, a "
        "shin and a foot; every joint has a motor. Legs of the ant are named by where they are as it walks along x, with the model's names "
        "in brackets: the model counts front and back along y, so its front right leg is the rear left one here."
    )
    return Drawing(figure, pd.DataFrame(rows), caption, f"Two stick figures. {'; '.join(told)}.")


def policy(choice: Policy = Policy("dp-oja"), environment: str = "Ant-v5") -> Drawing:
    """The spiking policy: observation → encoder → plastic synapses → second population → readout → torques."""
    observations, actions = Locomotion(environment).sizes()
    figure, axis = canvas(WIDTH, 2.0, (0, 100), (0, 28))
    n = choice.n_hidden
    stages = (
        ("observation", f"{observations} numbers,\nnormalised", INK),
        ("encoder", f"{n} spiking neurons,\nfixed weights", FIXED),
        ("second population", f"{n} spiking neurons,\nplastic synapses", PLASTIC),
        ("readout", "leaky, no spikes,\nfixed weights", FIXED),
        ("torques", f"{actions} means,\none a motor", INK),
    )
    for k, (name, text, colour) in enumerate(stages):
        x = 9 + 20.5 * k
        box(axis, x, 17, name, text, colour, width=18, height=11)
        if k:
            arrow(axis, (x - 11.5, 17), (x - 9, 17), PLASTIC if name == "second population" else INK)
    dt = choice.options.dt
    axis.annotate("", (91, 6), (9, 6), arrowprops={"arrowstyle": "<->", "color": INK, "lw": 0.8})
    axis.text(50, 3, f"one control step of {choice.ticks * dt:g} ms = {choice.ticks} ticks of {dt:g} ms; E and all potentials are kept through the episode", ha="center", fontsize=8)  # fmt: skip
    data = pd.DataFrame([{"part": name, "what": text.replace("\n", " ")} for name, text, _ in stages])
    caption = (
        "The spiking policy: two populations in a row, and the synapses between them are the plastic ones. "
        f"The readout's potential at the last of {choice.ticks} ticks is the mean of each torque."
    )
    return Drawing(figure, data, caption, "Five boxes in a row: " + ", ".join(f"{name} ({text})" for name, text, _ in stages).replace("\n", " ") + ".")  # fmt: skip


# ---------------------------------------------------------------- strokes

_BODY = ("torso", "head")
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
LIMBS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def canvas(width: float, height: float, x: tuple[float, float], y: tuple[float, float]) -> tuple[Figure, Axes]:
    """An empty drawing, in inches, with the coordinates it is drawn in."""
    figure, axis = plt.subplots(figsize=(width, height))
    axis.set(xlim=x, ylim=y)
    axis.axis("off")
    return figure, axis


def box(
    axis: Axes, x: float, y: float, name: str, text: str, colour: str, width: float = 20, height: float = 8
) -> None:
    """A box around (x, y) with a name at its top and a text at its bottom."""
    corner = (x - width / 2, y - height / 2)
    axis.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=1", facecolor="white", edgecolor=colour, lw=1.2))  # fmt: skip
    axis.text(x, y + height / 2 - 1, name, ha="center", va="top", fontsize=7.5, color=colour, weight="bold")
    axis.text(x, y - height / 2 + 1, text, ha="center", va="bottom", fontsize=7.5, color=INK)


def arrow(axis: Axes, start, stop, colour: str, lw: float = 1.1, head: bool = True) -> None:
    """An arrow, or without a head a line."""
    style = "-|>" if head else "-"
    axis.add_patch(
        FancyArrowPatch(start, stop, arrowstyle=style, mutation_scale=8, color=colour, lw=lw, shrinkA=0, shrinkB=0)
    )


def _spikes(axis: Axes, x: float, y: float, seed: float) -> None:
    times = x + 9 * np.sort(np.random.default_rng(int(seed)).random(5))
    axis.vlines(times, y - 1.4, y + 1.4, color=PRE, lw=1)
    axis.hlines(y, x, x + 10, color="0.8", lw=0.6, zorder=0)


def _geometry(environment: str) -> Iterator[tuple[str, np.ndarray, float]]:
    """Of each capsule or sphere of a robot: the limb it belongs to, its ends (2, 3) in metres, and its radius."""
    env = Locomotion(environment).make()
    model, data = env.unwrapped.model, mujoco.MjData(env.unwrapped.model)
    mujoco.mj_forward(model, data)
    for k in range(model.ngeom):
        if mujoco.mjtGeom(model.geom_type[k]) not in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE):
            continue
        half = model.geom_size[k, 1] * data.geom_xmat[k].reshape(3, 3)[:, 2]
        ends = np.stack([data.geom_xpos[k] - half, data.geom_xpos[k] + half])
        name = model.geom(k).name
        yield ("head" if name == "head" else _limb(model, model.geom_bodyid[k])), ends, float(model.geom_size[k, 0])
    env.close()


def _limb(model: mujoco.MjModel, body: int) -> str:
    """The body that hangs on the torso and holds ``body``; on HalfCheetah each part of a leg by its own name."""
    chain = [body]
    while model.body_parentid[chain[-1]] > 0:
        chain.append(model.body_parentid[chain[-1]])
    name = model.body(chain[-1] if len(chain) == 1 else chain[-2]).name
    own = model.body(body).name
    return own if own and not own.startswith("aux") and own != name else name


def _name_limbs(axis: Axes, environment: str, rows: Sequence[Mapping]) -> list[str]:
    """Writes the name of each limb beside it: where it is on the robot; on the ant with the model's name in brackets."""
    names = []
    frame = pd.DataFrame(rows)
    frame = frame[(frame.environment == environment) & ~frame.limb.isin(_BODY)]
    for limb, part in frame.groupby("limb", sort=False):
        x, y = part[["x_m", "y_m"]].iloc[-1]
        cheetah = environment.startswith("HalfCheetah")
        side = 1 if cheetah or x > frame.x_m.mean() else -1
        name = (
            f"{'front' if limb[0] == 'f' else 'rear'} {limb[1:]}"
            if cheetah
            else f"{'front' if x > 0 else 'rear'} {'left' if y > 0 else 'right'}\n({limb})"
        )
        axis.annotate(name, (x, y), ((19 if cheetah else 24) * side, 0), textcoords="offset points", ha="left" if side > 0 else "right", va="center", fontsize=7.5)  # fmt: skip
        names.append(name.replace("\n", " "))
    return names

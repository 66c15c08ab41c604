"""Figures, tables and sentences of round one in the chapter on temporal tasks; round two: :mod:`.round_two`."""

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import torch

from ...experiments.config import Experiment
from ...records.statistics import Interval, interquartile_mean
from ...snn.networks import NetworkOptions, rule_of
from ...tasks import TASKS
from ...tasks.cue_reward import CueReward
from ...tasks.key_value_pairs import KeyValuePairs
from ...tasks.recall import Recall
from ...tasks.task import NOISE_HZ, TESTED_DELAY_FACTORS, TESTED_NOISE_HZ, CueSequence, Task
from ...tasks.weak_cues import WeakCues
from ...training.supervised import generator
from .. import figures, plots
from ..chapters import how_it_ended, show_how_it_ended
from ..figures import Drawing
from ..judges.judge import Definitions
from ..judges.temporal_round_two import thresholds
from ..phrases import between, enumerated
from .cue_association import overflowed

SHOWN_TRIAL = 2


def cue_reward_in_words(task: CueReward) -> str:
    """The task in words, its values from the task itself."""
    return (
        f"**Cue-reward association**, after {{cite:t}}`miconi2019`: which cue was rewarded? {task.n_cues} cues, each a random "
        f"{task.active} of {task.cue_inputs} inputs that fire at {task.cue_rate:g} Hz for {task.cue_ms:g} ms, followed by {task.gap_ms:g} "
        f"ms without one. While one of them is shown, {task.group_size} reward inputs fire as well. After a delay of {task.delay_ms:g} ms one "
        f"cue comes again for {task.decision_ms:g} ms, the rewarded one in half of the trials, together with {task.group_size} inputs "
        f"that ask the question: {task.ticks} ticks of {task.dt:g} ms. In the published task an agent acts and is rewarded; here reward "
        "is an input."
    )


def recall_in_words(task: Recall) -> str:
    """The task in words, its values from the task itself."""
    return (
        f"**One-shot recall**, after {{cite:t}}`miconi2018`: a pattern is shown once, then completed. {task.n_bits} random bits, each "
        f"with {task.group_size} inputs that fire at {task.cue_rate:g} Hz for a 1 and {task.group_size} for a 0, are shown for "
        f"{task.pattern_ms:g} ms. After a delay of {task.delay_ms:g} ms {task.bits_again} of them come again for {task.decision_ms:g} "
        f"ms, and the other {task.n_bits - task.bits_again} are asked for: {task.ticks} ticks. The published task has several patterns "
        "of many bits, shown more than once."
    )


def pairs_in_words(task: KeyValuePairs) -> str:
    """The task in words, its values from the task itself."""
    return (
        f"**Key–value pairs**: which value was shown with this key? {task.n_cues} pairs are shown for {task.cue_ms:g} ms each, each "
        f"followed by {task.gap_ms:g} ms without one. A key is a random {task.active} of {task.key_inputs} inputs that fire at {task.cue_rate:g} Hz; a "
        f"value is {task.value_bits} bits, each with {task.bit_inputs} inputs for a 1 and {task.bit_inputs} for a 0. After "
        f"{task.delay_ms:g} ms one of the keys comes again for {task.decision_ms:g} ms, and all bits of its value are asked for: "
        f"{task.ticks} ticks. Each bit is 1 in exactly half of the pairs, so that remembering what was shown, without what was shown "
        "together, gives chance."
    )


def weak_cues_in_words(task: WeakCues, d: Definitions) -> str:
    """The task in words, its values from the task itself and from what is registered of it."""
    return (
        f"**Weak cues**: which side had more cues? As in [cue association](cue_association.ipynb), but a cue adds {task.cue_rate:g} Hz to "
        f"a background of {task.noise_hz:g} Hz. An observer who knows everything about the task is right in {d.observer:.2f} of the "
        f"trials, so that here {thresholds(d).solved:.3f} counts as solved."
    )


def draw_trials(tasks: Mapping[str, Task]) -> Drawing:
    """One trial of each of ``tasks``, as input spikes."""
    figure, axes = figures.grid(1, len(tasks), height=2.8, squeeze=False)
    rows = []
    for axis, (name, task) in zip(axes[0], tasks.items()):
        trial = task.sample(1, generator(2, SHOWN_TRIAL))
        t, i = torch.nonzero(trial.spikes[:, 0], as_tuple=True)
        windows = [(0, task.in_ticks(task.pattern_ms))] if isinstance(task, Recall) else _cue_windows(task)
        for start, stop in windows:
            axis.axvspan(start * task.dt, stop * task.dt, color="0.88", lw=0)
        axis.axvspan(task.decision_start * task.dt, task.ticks * task.dt, color="#F0E442", alpha=0.5, lw=0)
        axis.scatter(t * task.dt, i, s=1.5, marker="|", lw=0.7, color="black", rasterized=True)
        axis.set(title=task.label, xlabel="time (ms)", ylim=(task.n_inputs, -1))
        rows.append(pd.DataFrame({"task": name, "time_ms": (t * task.dt).numpy(), "input": i.numpy()}))
        groups = _input_groups(task)
        if groups:
            axis.set_yticks(list(groups.values()), list(groups))
            axis.tick_params(axis="y", length=0)
        else:
            axis.set_ylabel("input")
    labels = ", ".join(task.label for task in tasks.values())
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        f"What was shown must be kept over a delay in which nothing but noise is shown, and is asked for at the end: one trial of each of {len(tasks)} tasks, drawn at high "
        "noise, input spikes (marks), what is shown (grey) and the decision period (yellow), in which a cue, a key or a part of the pattern comes "
        "again.",
        f"Spike rasters of one trial each of {labels}. Grey bands mark what is shown; a yellow band at the end the decision.",
    )


def _cue_windows(task: CueSequence) -> list[tuple[int, int]]:
    return [(start, start + task.cue_ticks) for start in task.cue_starts]


def _input_groups(task: Task) -> dict[str, float]:
    """Where the labels of groups of inputs stand."""
    if isinstance(task, CueReward):
        end = task.cue_inputs + task.group_size
        return {
            "cue": task.cue_inputs / 2,
            "reward": (task.cue_inputs + end) / 2,
            "question": (end + task.n_inputs) / 2,
        }
    if isinstance(task, KeyValuePairs):
        end = task.n_inputs - task.group_size
        return {"key": task.key_inputs / 2, "value": (task.key_inputs + end) / 2, "question": (end + task.n_inputs) / 2}
    return {}


# ---------------------------------------------------------------- round one: what is reached


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with tasks as they are read."""
    return table.assign(task=[TASKS[task].label for task in table.task])


def draw_accuracy(runs: pd.DataFrame, d: Definitions) -> Drawing:
    """Accuracy of every seed, a panel a noise level, a place a task."""
    noises, names = list(dict.fromkeys(runs.noise)), list(dict.fromkeys(runs.network))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(noises), height=3.6, sharey=True, squeeze=False)
    for axis, noise in zip(axes[0], noises):
        plots.seeds_and_interval(
            axis, labelled(runs[runs.noise == noise]), "accuracy", styles, at="task", horizontal=True
        )
        plots.limits(axis, {"solved": d.solved_at_least, "failed": d.failed_at_most}, horizontal=True)
        axis.set(xlim=(0.4, 1.02), xlabel="held-out accuracy")
        axis.set_title(f"{noise} noise", pad=14)
    plots.legend_above(figure, styles)
    middle = plots.intervals(runs, "accuracy", ["noise", "task", "network"], d.confidence)
    plastic = middle[middle.network != "snn"]
    solved = plastic.low >= d.solved_at_least
    missed = ", ".join(
        f"{r.network} on {TASKS[r.task].label} at {r.noise} noise" for r in plastic[~solved].itertuples()
    )
    told = "; ".join(
        f"{TASKS[task].label} at {noise} noise: " + ", ".join(f"{r.network} {r.mean:.2f}" for r in part.itertuples())
        for (noise, task), part in middle.groupby(["noise", "task"], sort=False)
    )
    return Drawing(
        figure,
        runs[["task", "network", "noise", "seed", "accuracy"]],
        f"Plastic networks solve {solved.sum()} of {len(solved)} cases"
        + (f"; missed by {missed}" if missed else "")
        + ". Accuracy on "
        f"held-out trials after training: every seed (faint), interquartile mean and {d.confidence:.0%} bootstrap interval.",
        f"Dot plot of accuracy, a panel a noise level, a place a task. Interquartile means: {told}.",
    )


def compare(runs: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Pairs of networks on each task; p is adjusted over the comparisons at one noise level."""
    tests = [
        plots.comparisons(part, "accuracy", pairs, ["task", "noise"]) for _, part in runs.groupby("noise", sort=False)
    ]
    return pd.concat(tests, ignore_index=True)


def draw_learning(curves: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """Held-out accuracy while training, a row a noise level, a column a task."""
    noises, tasks = list(dict.fromkeys(curves.noise)), list(dict.fromkeys(curves.task))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(len(noises), len(tasks), height=4.2, sharey=True, sharex=True, squeeze=False)
    for row, noise in zip(axes, noises):
        for axis, task in zip(row, tasks):
            part = curves[(curves.task == task) & (curves.noise == noise)]
            plots.band(axis, part, "step", "accuracy", styles)
            axis.axhline(0.5, color="0.5", lw=0.8, ls=":")
            axis.set(ylim=(0.4, 1.02))
        row[0].set_ylabel(f"accuracy, {noise} noise")
    for axis, task in zip(axes[0], tasks):
        axis.set_title(TASKS[task].label)
    for axis in axes[-1]:
        axis.set_xlabel("training step")
    plots.legend_above(figure, styles)
    ended = [
        (how_it_ended(part)["last_gain"], f"{name} on {TASKS[task].label} at {noise} noise")
        for (task, noise, name), part in curves.groupby(["task", "noise", "network"], sort=False)
    ]
    gain, who = max(ended)
    return Drawing(
        figure,
        curves[["task", "network", "noise", "seed", "step", "accuracy"]],
        f"Some networks still improve when training ends, {who} the most ({gain:+.3f} in the last fifth): held-out accuracy while "
        "training, interquartile mean over seeds with bootstrap intervals. Dotted: chance.",
        f"Learning curves, a row a noise level, a column a task. Largest gain in the last fifth of training: {who}, {gain:+.3f}.",
    )


# ---------------------------------------------------------------- round one: beyond what was trained


def tested(runs: pd.DataFrame, field: str) -> pd.DataFrame:
    """Accuracy of every run where ``field`` has another value than it was trained with, a row each."""
    prefix = f"tested.{field}."
    columns = [column for column in runs if column.startswith(prefix)]
    long = (
        runs[[*["task", "noise", "network", "seed"], *columns]]
        .melt(["task", "noise", "network", "seed"], columns, prefix, "accuracy")
        .dropna(subset="accuracy")
    )
    long = long.assign(field=field, value=long[prefix].str.removeprefix(prefix).astype(float)).drop(columns=prefix)
    return long.rename(columns={"noise": "trained_at"})


def ideal_observer(tasks: Iterable[str], trials: int = 500) -> pd.DataFrame:
    """What an ideal observer gets right at each background rate, a row each."""
    return pd.DataFrame(
        {
            "task": name,
            "network": "ideal observer",
            "field": "noise",
            "value": hz,
            "accuracy": TASKS[name](noise=hz).ideal_accuracy(trials, generator(3, 0)),
        }
        for name in tasks
        for hz in TESTED_NOISE_HZ
    )


def draw_noise(runs: pd.DataFrame, ideal: pd.DataFrame) -> Drawing:
    """Accuracy against the background rate at test, a row a noise level of training, a column a task."""
    frame = tested(runs, "noise")
    noises, tasks = list(dict.fromkeys(frame.trained_at)), list(dict.fromkeys(frame.task))
    names = list(dict.fromkeys(frame.network))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(len(noises), len(tasks), height=4.2, sharey=True, sharex=True, squeeze=False)
    for row, noise in zip(axes, noises):
        for axis, task in zip(row, tasks):
            plots.band(axis, frame[(frame.task == task) & (frame.trained_at == noise)], "value", "accuracy", styles)
            observer = ideal[ideal.task == task]
            axis.plot(observer.value, observer.accuracy, color="0.5", lw=3, alpha=0.5, zorder=0)
            axis.axvline(TASKS[task](noise=noise).noise_hz, color="0.6", lw=0.8, ls=":")
            axis.set_ylim(0.4, 1.02)
        row[0].set_ylabel(f"accuracy\ntrained at {noise} noise")
    for axis, task in zip(axes[0], tasks):
        axis.set_title(TASKS[task].label)
    for axis in axes[-1]:
        axis.set_xlabel("background (Hz)")
    plots.legend_above(figure, styles)
    silent = frame[(frame.value == 0) & (frame.network != "snn")]
    at_zero = silent.groupby("task", sort=False).accuracy.mean()
    told = ", ".join(f"{TASKS[task].label} {value:.2f}" for task, value in at_zero.items())
    return Drawing(
        figure,
        pd.concat([ideal, frame], ignore_index=True),
        f"Without background plastic networks lose most on cue association (mean accuracy at 0 Hz: {told}), while noise up to "
        f"{frame.value.max():g} Hz leaves an ideal observer (grey) right in {_floored(ideal.accuracy.min())} of the trials{' or more' if ideal.accuracy.min() < 1 else ''}. Each row "
        f"was trained at one level (dotted). Interquartile mean over seeds ({_seeds_by_task(frame)}) with bootstrap intervals.",
        f"Accuracy against background from 0 to {frame.value.max():g} Hz. Plastic networks at 0 Hz: {told}.",
    )


def _seeds_by_task(frame: pd.DataFrame) -> str:
    """How many seeds of each network were tested, by task: "15 on cue association, 20 on one-shot recall"."""
    seeds = frame.dropna(subset=["accuracy"]).groupby("task", sort=False).seed.nunique()
    return ", ".join(f"{n} on {TASKS[task].label}" for task, n in seeds.items())


def _floored(share: float) -> str:
    """A share in per cent, rounded down to a tenth, so that "at least" is true of it."""
    return f"{math.floor(1000 * share) / 10:g}%"


LABELS = {"n_cues": "number of cues", "bits_again": "bits that come again"}


NEAR_CHANCE = 0.6  # accuracy below which a network is said to have fallen


def quietest(runs: pd.DataFrame) -> str | float:
    """The lowest noise of ``runs``: low, but where a reader's question put another one in its place."""
    return min(set(runs.noise), key=lambda noise: NOISE_HZ.get(noise, noise))


def draw_beyond(runs: pd.DataFrame) -> Drawing:
    """Accuracy against the delay (above) and against the number of cues or bits (below), trained at the lowest noise."""
    low = runs[runs.noise == quietest(runs)]
    tasks, names = list(dict.fromkeys(low.task)), list(dict.fromkeys(low.network))
    styles, parts = figures.network_styles(names), []
    figure, axes = figures.grid(2, len(tasks), height=4.4, sharey=True, squeeze=False)
    for k, task in enumerate(tasks):
        field = TASKS[task].beyond[0]
        for axis, key, label in ((axes[0][k], "delay_ms", "delay (ms)"), (axes[1][k], field, LABELS[field])):
            frame = tested(low[low.task == task], key)
            if len(frame):
                plots.band(axis, frame, "value", "accuracy", styles)
                axis.axvline(getattr(TASKS[task](), key), color="0.6", lw=0.8, ls=":")
                parts.append(frame)
            axis.set(ylim=(0.4, 1.02), xlabel=label)
        axes[0][k].set_title(TASKS[task].label)
    for row in axes:
        row[0].set_ylabel("accuracy")
    plots.legend_above(figure, styles)
    data = pd.concat(parts, ignore_index=True)
    delays = data[(data.field == "delay_ms") & (data.network != "snn")]
    longest = (
        delays[delays.value == delays.groupby("task").value.transform("max")]
        .groupby("task", sort=False)
        .accuracy.mean()
    )
    told = ", ".join(f"{TASKS[task].label} {value:.2f}" for task, value in longest.items())
    fewer = data[(data.field == "n_cues") & (data.network != "snn")]
    fewest = plots.intervals(fewer[fewer.value == fewer.value.min()], "accuracy", ["task", "network"])
    fall = "; ".join(
        f"on {TASKS[task].label} {enumerated(part.network)}"
        for task, part in fewest[fewest["mean"] < NEAR_CHANCE].groupby("task", sort=False)
    )
    fall = (
        f" With {fewer.value.min():g} cue{'s' if fewer.value.min() > 1 else ''} these fall below {NEAR_CHANCE}: {fall}."
        if fall
        else ""
    )
    return Drawing(
        figure,
        data,
        (
            f"At {max(TESTED_DELAY_FACTORS):g} times the trained delay plastic networks still have, on average, {told}.{fall} "
            if told
            else ""
        )
        + "Accuracy against the delay and against the number of cues or of bits that come again; trained at low noise at "
        "the dotted value. Interquartile mean over seeds with bootstrap intervals.",
        f"Six panels of accuracy. Mean of the plastic networks at the longest delay: {told}.",
    )


def draw_sizes(sized: pd.DataFrame) -> Drawing:
    """Accuracy against the number of hidden neurons, a panel a task; ``sized`` has the column ``hidden``."""
    tasks, names = list(dict.fromkeys(sized.task)), list(dict.fromkeys(sized.network))
    styles, hidden = figures.network_styles(names), sorted(set(sized.hidden))
    figure, axes = figures.grid(1, len(tasks), height=2.7, sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks):
        plots.band(axis, sized[sized.task == task], "hidden", "accuracy", styles)
        axis.set(title=TASKS[task].label, xlabel="hidden neurons", xscale="log", ylim=(0.4, 1.02))
        axis.set_xticks(hidden, list(map(str, hidden)), minor=False)
        axis.set_xticks([], minor=True)
    axes[0][0].set_ylabel("held-out accuracy")
    plots.legend_above(figure, styles)
    smallest = plots.intervals(sized[sized.hidden == hidden[0]], "accuracy", ["task", "network"])
    told = "; ".join(
        f"{TASKS[task].label}: " + ", ".join(f"{r.network} {r.mean:.2f}" for r in part.itertuples())
        for task, part in smallest.groupby("task", sort=False)
    )
    plastic = smallest[smallest.network != "snn"] if set(smallest.network) != {"snn"} else smallest
    best = plastic.loc[plastic.groupby("task", sort=False)["mean"].idxmax()]
    reached = "; ".join(
        f"{TASKS[r.task].label}, {r.network}, {Interval(r.mean, r.low, r.high):.2f}" for r in best.itertuples()
    )
    counts = ", ".join(f"{n} at {size}" for size, n in sized.groupby("hidden").seed.nunique().items())
    return Drawing(
        figure,
        sized[["task", "network", "hidden", "seed", "accuracy"]],
        f"What the best of these networks reaches with {hidden[0]} hidden neurons, by task: {reached}. Accuracy against the number of "
        f"hidden neurons, trained at low noise, interquartile mean over seeds ({counts}) with bootstrap intervals.",
        f"Accuracy against hidden neurons, a panel a task; interquartile means with {hidden[0]}: {told}.",
    )


def large_enough(sized: pd.DataFrame, d: Definitions) -> str:
    """The smallest number of hidden neurons with which a plastic network solves each task, in a sentence."""
    found = plots.intervals(sized[sized.network != "snn"], "accuracy", ["task", "network", "hidden"], d.confidence)
    told = []
    for task, part in found.groupby("task", sort=False):
        solved = part[part.low >= d.solved_at_least]
        first = solved[solved.hidden == solved.hidden.min()]
        least = (
            f"{first.hidden.iloc[0]} ({enumerated([f'`{name}`' for name in first.network])})"
            if len(first)
            else "more than were tried"
        )
        told.append(f"on {TASKS[task].label} {least}")
    return (
        f"The smallest size tried at which a plastic network solves a task at low noise, by its interval's lower end: {', '.join(told)} "
        f"hidden neurons. With {between(list(sized.groupby('hidden').seed.nunique()), 'd')} seeds a size, one that fails keeps a size out, whatever the others reach."
    )


def modulation_says(tests: pd.DataFrame, significant_at: float) -> str:
    """Whether neuromodulation helps, in a sentence: how many cases are significantly better, worse, and neither."""
    found = tests.adjusted_p < significant_at
    better, worse = (int((found & (sign * tests.difference > 0)).sum()) for sign in (1, -1))
    where = enumerated(
        f"{r.network} on {TASKS[r.task].label} at {r.noise} noise"
        for r in tests[found & (tests.difference < 0)].itertuples()
    )
    return (
        f"With neuromodulation networks are significantly better in {better or 'none'} of {len(tests)} cases (rule × task × noise) and significantly "
        f"worse in {worse or 'none'}{f' ({where})' if where else ''}; in {len(tests) - better - worse or 'none'} no difference is found."
    )


# ---------------------------------------------------------------- round one: what missed


def missed(
    runs: pd.DataFrame, curves: pd.DataFrame, experiments: Mapping[str, Experiment], d: Definitions
) -> pd.DataFrame:
    """Plastic networks that do not solve a task: how their training ended, and their η at its start and end."""
    rows = []
    for (task, noise, name), cell in runs.groupby(["task", "noise", "network"], sort=False):
        interval = interquartile_mean(cell.accuracy, confidence=d.confidence)
        if rule_of(name) is None or d.stands(interval) == "solved":
            continue
        part = curves[(curves.task == task) & (curves.noise == noise) & (curves.network == name)]
        config = next(c for c in experiments[task].configs if (c.network.name, c.task.noise) == (name, noise))
        row = {"task": task, "noise": noise, "network": name} | how_it_ended(part)
        rows.append(
            row
            | {
                "eta_first": _first_eta(config.network.options, name),
                "eta_last": part[part.step == part.step.max()].eta.mean(),
            }
        )
    return pd.DataFrame(rows)


def _first_eta(options: NetworkOptions, name: str) -> float:
    return getattr(options, f"eta_{name.rsplit('-', 1)[1]}")


def shown_missed(rows: pd.DataFrame) -> pd.DataFrame:
    """:func:`missed` as it is read."""
    ends = show_how_it_ended(rows)
    eta = [f"{r.eta_first:.3g} → {r.eta_last:.3g}" for r in rows.itertuples()]
    return pd.concat([labelled(rows)[["task", "noise", "network"]], ends], axis=1).assign(**{"η, first and last": eta})


def skipped_and_rates(runs: pd.DataFrame) -> str:
    """Updates that were skipped, and mean firing rates, in a sentence each."""
    skipped = runs.groupby("network", sort=False).skipped_steps.max()
    rates = runs.groupby(["task", "network"], sort=False).firing_rate.mean()
    tasks = list(dict.fromkeys(runs.task))
    return (
        overflowed(skipped, int(runs["training.steps"].max()))
        + "\n\nMean firing rates of the hidden neurons, over both noise levels: "
        + "; ".join(
            f"{TASKS[task].label}: " + ", ".join(f"`{name}` {rate:.0f} Hz" for name, rate in rates[task].items())
            for task in tasks
        )
        + "."
    )


def standing(d: Definitions, interval) -> str:
    """The mark behind an accuracy in a table."""
    return {"solved": " ✓", "failed": " ✗", "neither": ""}[d.stands(interval)]

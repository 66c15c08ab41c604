"""Figures, tables and sentences of the chapter on cue association."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from ...experiments.config import Config, Experiment
from ...experiments.temporal_round_two import CELLS as TWO
from ...records.statistics import Interval, interquartile_mean
from ...snn.networks import Recording
from ...tasks import TASKS
from ...tasks.cue_association import CueAssociation
from ...tasks.task import NOISE_HZ, Trials
from ...training.supervised import generator
from .. import figures, plots
from ..chapters import Chapter
from ..figures import Drawing
from ..judges.judge import Definitions
from ..phrases import between, capital, enumerated, networks_a_case
from ..rerun import counted
from .locomotion import SEEDS_FOR_INTERVALS
from .round_two import TRADITIONAL, Found, by_few_seeds

SHOWN_TRIAL = 1  # cues on both sides; trial 0 happens to have all seven on the right
CELLS = ("cue-association-low", "cue-association-high", "weak-cues-high")  # of round two, which this chapter shows
GROUPS = ("left", "right", "decision", "background")


def described(task: CueAssociation, tau_membrane: float) -> str:
    """The task in words, its values from the task itself."""
    noise = ", ".join(f"{hz:g} Hz at *{level}*" for level, hz in NOISE_HZ.items())
    return (
        f"A trial has {task.n_cues} cues of {task.cue_ms:g} ms, each on the left or the right with equal probability and "
        f"followed by {task.gap_ms:g} ms without one, then a delay of {task.delay_ms:g} ms, then a decision period of "
        f"{task.decision_ms:g} ms: {task.ticks} ticks of {task.dt:g} ms. Of {task.n_inputs} inputs, {task.group_size} fire at "
        f"{task.cue_rate:g} Hz during left cues, {task.group_size} during right cues, {task.group_size} during the decision "
        f"period, and {task.group_size} carry background alone. Noise is background firing on every input: {noise}. The "
        "answer is the class with the larger mean readout over the decision period. The delay is "
        f"{task.delay_ms / tau_membrane:g} membrane time constants long."
    )


def tidy(runs: pd.DataFrame) -> pd.DataFrame:
    """``runs`` with the columns ``network`` and ``noise``."""
    return runs.rename(columns={"network.name": "network", "task.noise": "noise"})


def with_curves(curves: pd.DataFrame, runs: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """``curves`` with network, noise and ``columns`` of their runs."""
    keys = ["config_hash", "seed"]
    return curves.merge(runs[[*keys, "network", "noise", *columns]], on=keys)


# ---------------------------------------------------------------- the task


def draw_trials(by_noise: Mapping[str, CueAssociation]) -> Drawing:
    """One trial at each noise level, as input spikes."""
    figure, axes = figures.grid(1, len(by_noise), height=2.9, sharey=True, squeeze=False)
    rows = []
    for axis, (noise, task) in zip(axes[0], by_noise.items()):
        trial = task.sample(1, generator(2, SHOWN_TRIAL))
        t, i = torch.nonzero(trial.spikes[:, 0], as_tuple=True)
        shade(axis, task, trial)
        for k, start in enumerate(task.cue_starts):
            side = "LR"[int(trial.shown[0, k])]
            axis.text((start + task.cue_ticks / 2) * task.dt, task.n_inputs + 0.5, side, ha="center", fontsize=8)
        axis.scatter(t * task.dt, i, s=1.5, marker="|", lw=0.7, color="black", rasterized=True)
        axis.set(title=f"{noise} noise, {task.noise_hz:g} Hz", xlabel="time (ms)", ylim=(-1, task.n_inputs + 3))
        middle = [(task.group(group).start + task.group(group).stop - 1) / 2 for group in GROUPS]
        axis.set_yticks(middle, GROUPS)
        axis.tick_params(axis="y", length=0)
        rows.append(pd.DataFrame({"noise": noise, "time_ms": (t * task.dt).numpy(), "input": i.numpy()}))
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        "The side of each cue is plain to see, and nothing tells it any more during the delay: input spikes (marks) of one trial "
        "at both noise levels, cues (grey, L or R above) and the decision period (yellow).",
        "Two spike rasters over time, one per noise level. Seven grey bands mark cues; during each, either the left or the right "
        "group of input neurons fires densely. After the last cue only sparse background spikes remain until the decision group "
        "fires in the last band.",
    )


def shade(axis: Axes, task: CueAssociation, trial: Trials) -> None:
    """Cues (left darker) and the decision period behind a plot over time."""
    for k, start in enumerate(task.cue_starts):
        colour = "0.9" if trial.shown[0, k] else "0.8"
        axis.axvspan(start * task.dt, (start + task.cue_ticks) * task.dt, color=colour, lw=0)
    axis.axvspan(task.decision_start * task.dt, task.ticks * task.dt, color="#F0E442", alpha=0.4, lw=0)


# ---------------------------------------------------------------- what is reached


def stand(runs: pd.DataFrame, definitions: Definitions) -> dict[tuple[str, str], tuple[Interval, str]]:
    """By (noise, network): accuracy, and whether the task is solved or failed."""
    found = {}
    for key, cell in runs.groupby(["noise", "network"], sort=False):
        interval = interquartile_mean(cell.accuracy, confidence=definitions.confidence)
        found[key] = interval, definitions.stands(interval)
    return found


def draw_errors(runs: pd.DataFrame, definitions: Definitions) -> Drawing:
    """The share of wrong answers of every seed on a logarithmic axis, so that 0.95 and 1.00 are told apart."""
    trials = int(runs["training.evaluation_trials"].iloc[0])
    noises, names = list(dict.fromkeys(runs.noise)), list(dict.fromkeys(runs.network))
    data = runs[["network", "noise", "seed", "accuracy"]].copy()
    # no error among so many trials is drawn as half of one
    wrong = data.assign(wrong=(1 - data.accuracy).clip(lower=0.5 / trials))
    figure, axes = figures.grid(1, len(noises), height=2.4, sharey=True, sharex=True, squeeze=False)
    for axis, noise in zip(axes[0], noises):
        part = wrong[wrong.noise == noise]
        plots.seeds_and_interval(axis, part, "wrong", figures.network_styles(names), horizontal=True)
        limits = {"solved": 1 - definitions.solved_at_least, "failed": 1 - definitions.failed_at_most}
        plots.limits(axis, limits, horizontal=True)
        axis.set(xscale="log", xlabel="share of wrong answers")
        axis.set_title(f"{noise} noise", pad=14)
    found = stand(runs, definitions)
    solved = [key for key, (_, how) in found.items() if how == "solved"]
    told = "; ".join(f"{name} at {noise} noise {interval.mean:.3f}" for (noise, name), (interval, _) in found.items())
    return Drawing(
        figure,
        data,
        f"{len(solved)} of {len(found)} cases are solved, and errors of the plastic networks are rare: the share of wrong answers "
        f"on {trials} held-out trials after training, every seed (faint), interquartile mean and {definitions.confidence:.0%} "
        "bootstrap interval. A seed without an error stands at half an error.",
        f"Dot plot of wrong answers on a logarithmic axis, a panel a noise level. Accuracies: {told}.",
    )


def draw_learning(curves: pd.DataFrame, names: list[str]) -> Drawing:
    """Held-out accuracy while training, a panel a noise level."""
    noises = list(dict.fromkeys(curves.noise))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(noises), height=2.6, sharey=True, squeeze=False)
    for axis, noise in zip(axes[0], noises):
        plots.band(axis, curves[curves.noise == noise], "step", "accuracy", styles)
        plots.limits(axis, {"chance": 0.5})
        axis.set(title=f"{noise} noise", xlabel="training step", ylim=(0.4, 1.02))
    axes[0][0].set_ylabel("held-out accuracy")
    plots.legend_above(figure, styles)
    half = curves[curves.step <= curves.step.max() / 2]
    at_half = half[half.step == half.step.max()].groupby("network").accuracy
    half = at_half.agg(lambda accuracy: interquartile_mean(accuracy).mean)
    told = ", ".join(f"{name} {half[name]:.2f}" for name in names if name in half)
    return Drawing(
        figure,
        curves[["network", "noise", "seed", "step", "accuracy"]],
        f"Half-way through training the networks have, over the seeds of both noise levels, {told}: interquartile mean of held-out accuracy over "
        f"{curves.seed.nunique()} seeds (thick), with bootstrap intervals where it is cited and every seed (faint) where it is explored.",
        f"Learning curves, a panel a noise level, accuracy 0.4 to 1 over training steps. Half-way: {told}.",
    )


def shown_accuracies(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of accuracies as it is read."""
    rows = []
    for (noise, name), cell in runs.groupby(["noise", "network"], sort=False):
        interval = interquartile_mean(cell.accuracy)
        rows.append(
            {
                "network": name,
                "noise": noise,
                "seeds": len(cell),
                "accuracy": f"{interval:.3f}",
                "worst seed": f"{cell.accuracy.min():.3f}",
                "best seed": f"{cell.accuracy.max():.3f}",
            }
        )
    return pd.DataFrame(rows)


def shown_tests(tests: pd.DataFrame, significant_at: float) -> pd.DataFrame:
    """Comparisons as :func:`plots.comparisons` makes them, as they are read."""
    return pd.DataFrame(
        {
            "network": tests.network + " against " + tests.against,
            **({"task": [TASKS[task].label for task in tests.task]} if "task" in tests else {}),
            **({"noise": tests.noise} if "noise" in tests else {}),
            "difference in accuracy": [
                f"{r.difference:+.3f} ({r.low:+.3f} to {r.high:+.3f})" for r in tests.itertuples()
            ],
            "adjusted p": [f"{p:.2g}" + ("" if p < significant_at else ", not significant") for p in tests.adjusted_p],
            "P(better)": [f"{s:.2f}" for s in tests.superiority],
        }
    )


def learned(curves: pd.DataFrame, runs: pd.DataFrame, definitions: Definitions) -> str:
    """Who learns the task and how soon, in two sentences."""
    how = {key: way for key, (_, way) in stand(runs, definitions).items()}
    solved = [key for key, way in how.items() if way == "solved"]
    failed = sorted({name for (_, name), way in how.items() if way == "failed"})
    soon = []
    for noise, name in solved:
        mean = curves[(curves.noise == noise) & (curves.network == name)].groupby("step").accuracy.mean()
        soon.append(int(mean[mean >= 0.9].index.min()))
    first = f"{len(solved)} of {len(how)} cases (networks × noise levels) are solved"
    first += f", with an accuracy of 0.9 after {min(soon)} to {max(soon)} steps" if soon else ""
    return first + (f". Failed by the criterion: {', '.join(f'`{name}`' for name in failed)}." if failed else ".")


ANSWERS = ("No, other memories do as well or better", "By these tasks it does", "These tasks do not tell")


def other_memories(found: Found, solved: Mapping[str, float]) -> str:
    """Whether traditional networks with a memory do the tasks of round two that are at hand as well, in a line for each; the answer first."""
    lines, answers = [], []
    for cell in found.cells:
        networks = found.networks(cell)
        reached = {name: interquartile_mean(runs.accuracy) for name, runs in networks.items()}
        seeds = found.runs[found.runs.cell == cell].seed.nunique()

        def told(name: str, few: bool = seeds < SEEDS_FOR_INTERVALS, reached: Mapping[str, Interval] = reached) -> str:
            return f"`{name}` {reached[name].mean if few else reached[name]:.3f}"

        kinds = [
            [name for name in reached if name != "snn" and (name in TRADITIONAL) == other] for other in (False, True)
        ]
        best = [max(names, key=lambda name: reached[name].mean) for names in kinds if names]
        who = [name for name, interval in reached.items() if interval.low >= solved[cell]]
        without = [name for name in who if name in TRADITIONAL]
        answers.append(
            ANSWERS[0]
            if without or len(best) == 2 and reached[best[0]].mean < reached[best[1]].mean
            else ANSWERS[1]
            if who
            else ANSWERS[2]
        )
        planned = len(found.experiments[cell].runs) if cell in found.experiments else len(found.runs)
        made = len(found.runs[found.runs.cell == cell])
        part = f", {made} of {planned} runs so far" if made < planned else ""
        lines.append(
            f"- {capital(TWO[cell].label)}, {counted(seeds, 'seed')}{part}: solved by {enumerated(f'`{name}`' for name in who) or 'no network'}. The best of each kind: "
            f"{enumerated(map(told, best))}.{by_few_seeds(networks)}"
        )
    if not lines:
        return "Not yet run in round two."
    return (
        f"{min(answers, key=ANSWERS.index)} (plastic networks against `lsnn`, `lsnn-100`, `rsnn-long` and `stp`):\n\n"
        + "\n".join(lines)
    )


# ---------------------------------------------------------------- where the memory sits


@dataclass(frozen=True)
class Shown:
    """One trial, and what trained networks do in it."""

    task: CueAssociation
    trial: Trials
    recorded: Mapping[str, Recording]

    @property
    def plastic(self) -> list[str]:
        """Names of the networks that have E."""
        return [name for name, recording in self.recorded.items() if recording.E is not None]


def record(chapter: Chapter, experiment: Experiment, configs: Mapping[str, Config]) -> Shown:
    """One trial in each network of ``configs``, trained with seed 0."""
    task = next(iter(configs.values())).task
    trial, recorded = task.sample(1, generator(2, SHOWN_TRIAL)), {}
    for name, config in configs.items():
        network = config.build(0)
        network.load_state_dict(chapter.weights(experiment, config, 0), strict=False)
        recorded[name] = network(trial.spikes.float(), record=True)[1]
    return Shown(task, trial, recorded)


def change_over_delay(shown: Shown, name: str) -> float:
    """How much of E at the start of the delay, relative to its norm, has changed at its end."""
    E, task = shown.recorded[name].E[:, 0], shown.task
    before, after = E[task.delay_start], E[task.decision_start]
    return ((after - before).norm() / before.norm()).item()


def draw_efficacies(shown: Shown) -> Drawing:
    """The strongest synapse of each side over one trial, a panel a plastic network."""
    task, rows = shown.task, []
    time = np.arange(task.ticks) * task.dt
    figure, axes = figures.grid(1, len(shown.plastic), height=2.5, squeeze=False, sharey=True)
    for axis, name in zip(axes[0], shown.plastic):
        E = shown.recorded[name].E[:, 0]
        shade(axis, task, shown.trial)
        for side, colour, line in (("left", "#0072B2", "-"), ("right", "#D55E00", "--")):
            block = E[..., task.group(side)]
            j, i = divmod(int(block[task.decision_start].abs().argmax()), block.shape[-1])
            series = block[:, j, i].numpy()
            axis.plot(time, series, color=colour, ls=line, lw=1.2, label=f"from a {side} input")
            synapse = f"{side} input {i} to neuron {j}"
            rows.append(pd.DataFrame({"network": name, "synapse": synapse, "time_ms": time, "efficacy": series}))
        axis.set(title=name, xlabel="time (ms)")
    axes[0][0].set_ylabel("efficacy E")
    axes[0][0].legend(loc="best", fontsize=7)
    change = ", ".join(f"{name} {change_over_delay(shown, name):.0%}" for name in shown.plastic)
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        f"E is written while cues come in, and changes less over the delay (all of E, relative to its norm: {change}). Drawn: for each side the "
        "synapse with the largest |E| at the decision, clipped at the bound of E, in one trial of trained networks (seed 0, low noise). Dark "
        "grey: left cues; light grey: right cues; yellow: decision.",
        f"Plastic efficacies over one trial, a panel a network. They move while cues come in. Over the delay E changes by {change}.",
    )


def draw_spikes(shown: Shown, rates: Mapping[str, float]) -> Drawing:
    """Spikes of the hidden neurons in the same trial, a row a network."""
    task, rows = shown.task, []
    figure, axes = figures.grid(len(rates), 1, height=0.85 * len(rates) + 0.5, sharex=True, squeeze=False)
    for axis, name in zip(axes[:, 0], rates):
        t, j = torch.nonzero(shown.recorded[name].spikes[:, 0], as_tuple=True)
        shade(axis, task, shown.trial)
        axis.scatter(t * task.dt, j, s=1.5, marker="|", lw=0.6, color="black", rasterized=True)
        axis.set_ylabel(f"{name}\nneuron")
        rows.append(pd.DataFrame({"network": name, "time_ms": (t * task.dt).numpy(), "neuron": j.numpy()}))
    axes[-1, 0].set_xlabel("time (ms)")
    delay = slice(task.delay_start, task.decision_start)
    share = {name: (r.spikes[delay].sum() / r.spikes.sum()).item() for name, r in shown.recorded.items()}
    told = ", ".join(f"{name} {share[name]:.0%}" for name in rates)
    part = (task.decision_start - task.delay_start) / task.ticks
    lower = "at a lower rate " if max(share.values()) < part else ""
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        f"Hidden neurons keep firing in the delay, {lower}({min(share.values()):.0%} to {max(share.values()):.0%} of a network's spikes in "
        f"{part:.0%} of the trial). That E and not these spikes holds the answer is shown by exchanging E between trials (Controls): "
        "spikes of the hidden neurons in the same trial (seed 0, low noise), shading as above. Mean firing rates over held-out trials: "
        + ", ".join(f"{name} {rate:.0f} Hz" for name, rate in rates.items())
        + ".",
        f"Spike rasters of the hidden layer, a row a network. Share of spikes in the delay: {told}.",
    )


# ---------------------------------------------------------------- without background


def probes(mechanism: pd.DataFrame) -> pd.DataFrame:
    """Of the measurement ``mechanism``: accuracy without background, against the rate of spikes in the decision period."""
    found = mechanism[mechanism.quantity.str.startswith("probe.")]
    rates = found.quantity.str.removeprefix("probe.").astype(float)
    return found.assign(probe_hz=rates, accuracy=found.value)[["network", "noise", "seed", "probe_hz", "accuracy"]]


def draw_probe(found: pd.DataFrame) -> Drawing:
    """Accuracy without background against the rate of the probe, a panel a noise level of training."""
    noises, names = list(dict.fromkeys(found.noise)), list(dict.fromkeys(found.network))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(noises), height=2.6, sharey=True, squeeze=False)
    for axis, noise in zip(axes[0], noises):
        part = found[found.noise == noise].sort_values("probe_hz")
        for name, look in styles.items():
            one = part[part.network == name]
            axis.plot(one.probe_hz, one.accuracy, lw=1.3, ms=4, **look)
        plots.limits(axis, {"chance": 0.5})
        axis.set(title=f"trained at {noise} noise", xlabel="extra spikes (Hz)", ylim=(0.4, 1.02))
    axes[0][0].set_ylabel("accuracy at 0 Hz of background")
    plots.legend_above(figure, styles)
    silent, (most, back, _) = found[found.probe_hz == 0].accuracy, brought_back(found)
    told = "; ".join(f"{name} trained at {noise} noise {value:.2f}" for (noise, name), value in most.items())
    return Drawing(
        figure,
        found,
        f"Without background the answer is at chance ({silent.min():.2f} to {silent.max():.2f}); extra spikes on the inputs of both cues "
        f"during the decision, which carry no information on the side, raise it to at least {BROUGHT_BACK:g} in {len(back)} of {len(most)} cases (up to "
        f"{most.max():.2f}). Here stands {networks_a_case(found, ('noise', 'network'))}.",
        f"Accuracy against the rate of the probe, a panel a noise level of training. Highest with a probe: {told}.",
    )


BROUGHT_BACK = 0.6  # accuracy from which on a probe is said to raise it


def brought_back(found: pd.DataFrame) -> tuple[pd.Series, pd.Series, str]:
    """The best accuracy with a probe, by (noise, network); those that it raises to BROUGHT_BACK; and the others, in words."""
    most = found[found.probe_hz > 0].groupby(["noise", "network"]).accuracy.max()
    back, lost = most[most >= BROUGHT_BACK], most[most < BROUGHT_BACK]
    told = " and ".join(f"`{name}` trained at {noise} noise" for noise, name in lost.index)
    said = f"in {told} they do not ({lost.max():.2f}), and the reason is not known" if len(lost) else ""
    return most, back, said


def without_background(found: pd.DataFrame) -> str:
    """What the probe says, in words; the answer first."""
    silent = found[found.probe_hz == 0].accuracy
    most, back, lost = brought_back(found)
    trained = found[found.probe_hz == found.noise.map(NOISE_HZ)].groupby(["noise", "network"]).accuracy.mean()
    at_trained = int((trained >= BROUGHT_BACK).sum())
    answer = "Perhaps because noise spikes read the memory out" if len(back) else "That is not known"
    return (
        f"{answer}. Trained networks answer at chance where nothing but cues fires ({silent.min():.2f} to {silent.max():.2f} in "
        f"{len(silent)} cases). E is stored in the synapses from the left and the right inputs, and a synapse acts only when its "
        "input spikes; during the decision these inputs are silent but for the background. Extra spikes on both groups alike carry no information on the "
        f"side. At the rate of the noise of training they raise accuracy to at least {BROUGHT_BACK:g} in {at_trained} of {len(trained)} cases "
        f"({between(list(trained), '.2f') if len(trained) else '–'} over all of them); at the best of the rates tried in {len(back)} of {len(most)}"
        + (f" ({between(list(back), '.2f')})" if len(back) else "")
        + f"{'; ' + lost if lost else ''}. Extra spikes on other inputs were not tried ({networks_a_case(found, ('noise', 'network'))})."
    )


def what_we_found(
    runs: pd.DataFrame, definitions: Definitions, change: Mapping[str, float], found: pd.DataFrame
) -> str:
    """The chapter's opening, in sentences."""
    how = stand(runs, definitions)
    plastic = {key: one for key, one in how.items() if key[1] != "snn"}
    lines = []
    if plastic:
        solved = sum(way == "solved" for _, way in plastic.values())
        worst = min(plastic, key=lambda key: plastic[key][0].mean)
        lines.append(
            f"Plastic networks solve the task in {solved} of {len(plastic)} cases (networks × noise levels); the weakest, `{worst[1]}` "
            f"at {worst[0]} noise, reaches {plastic[worst][0]:.3f}."
        )
    if any(name == "snn" for _, name in how):
        plain = ", ".join(
            f"{one.mean:.3f} at {noise} noise" for (noise, name), (one, _) in how.items() if name == "snn"
        )
        lines.append(
            f"The plain network, whose membranes forget within a few of their 20 ms, stays near chance: {plain}."
        )
    if change:
        most = max(change, key=change.get)
        lines.append(
            f"E is written while cues come in and changes by at most {change[most]:.0%} of its norm over the silent delay (`{most}`; one trial of seed 0); exchanging E "
            "between trials shows that the answer follows it ([](controls.ipynb))."
        )
    if len(found):
        silent = found[found.probe_hz == 0].accuracy
        most, back, lost = brought_back(found)
        read = ", which fits a read-out of E through noise spikes" if len(back) else ""
        lines.append(
            f"Without background noise every plastic network falls to chance ({silent.min():.2f} to {silent.max():.2f}). In "
            f"{len(back)} of {len(most)} cases ({networks_a_case(found, ('noise', 'network'))}) extra spikes on both cue groups during the decision, which carry no "
            f"information on the side, raise it to at least {BROUGHT_BACK:g} (up to {most.max():.2f}){read}{'; ' + lost if lost else ''}."
        )
    return figures.minus("\n".join(f"- {line}" for line in lines))


def overflowed(skipped: pd.Series, steps: int) -> str:
    """How many updates were skipped in a run at most, by network, in a sentence."""
    if not skipped.any():
        return "No update was skipped for an overflowing gradient."
    told = ", ".join(f"`{name}` {int(n)}" for name, n in skipped.items() if n)
    return f"Updates skipped for an overflowing gradient, of {steps} in a run at most: {told}; in other networks none."


def what_missed(runs: pd.DataFrame, definitions: Definitions) -> str:
    """Who misses the criterion, how many updates were skipped, how long runs took."""
    how = stand(runs, definitions)
    missed = [
        f"`{name}` at {noise} noise ({one.mean:.3f})"
        for (noise, name), (one, way) in how.items()
        if way != "solved" and name != "snn"
    ]
    skipped, seconds = (runs.groupby("network", sort=False)[c] for c in ("skipped_steps", "training_seconds"))
    return (
        (
            "Plastic networks that miss the criterion: " + ", ".join(missed)
            if missed
            else "No plastic network misses the criterion"
        )
        + f". {overflowed(skipped.max(), int(runs['training.steps'].max()))} Median time of a run on one core: "
        + ", ".join(f"`{name}` {s:.0f} s" for name, s in seconds.median().items())
        + "."
    )

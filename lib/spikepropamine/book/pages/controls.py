"""Figures, tables and sentences of the chapter on controls."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...experiments.restrictions import RESTRICTIONS
from ...experiments.temporal import LONGER, TRAINED_LONGER
from ...records.statistics import interquartile_mean
from ...snn.controls import CONTROLS
from ...tasks import TASKS
from .. import figures, plots
from ..chapters import how_it_ended, show_how_it_ended
from ..figures import Drawing
from ..judges.judge import Definitions
from ..network_styles import Style
from ..phrases import between, capital, enumerated, networks_a_case
from .temporal_tasks import labelled

WAYS: dict[str, Style] = {
    "intact": {"color": "#000000", "marker": "o", "linestyle": "-", "label": "intact"},
    "E forgotten": {"color": "#D55E00", "marker": "s", "linestyle": "-", "label": "E forgotten"},
    "all but E forgotten": {"color": "#0072B2", "marker": "^", "linestyle": "-", "label": "all but E forgotten"},
    "modulator shuffled": {"color": "#CC79A7", "marker": "D", "linestyle": "-", "label": "modulator shuffled"},
}
FOLLOWED: dict[str, Style] = {
    "E": {"color": "#D55E00", "marker": "s", "linestyle": "-", "label": "E"},
    "all but E": {"color": "#0072B2", "marker": "^", "linestyle": "-", "label": "all but E"},
}
CASE = ("task", "noise", "network")
AT_BOUND = 0.005  # share of efficacies from which on a network is said to drive them to their bound
CAN_DO_IT = 0.6  # accuracy above which a network is said to do a task at all, where something is taken from it


# ---------------------------------------------------------------- E exchanged between trials


def followed(mechanism: pd.DataFrame) -> pd.DataFrame:
    """Of the measurement ``mechanism``: how often the answer follows the trial that E, or all else, was taken from."""
    found = mechanism[mechanism.quantity.str.startswith("follows.")]
    exchanged = found.quantity.str.removeprefix("follows.")
    return found.assign(exchanged=exchanged, follows=found.value)[
        ["task", "network", "noise", "seed", "exchanged", "follows"]
    ]


def goes_with(swapped: pd.DataFrame) -> str:
    """Whether the answer goes with E, in a sentence; empty where nothing was exchanged."""
    if swapped.empty:
        return ""
    of = {exchanged: part.follows for exchanged, part in swapped.groupby("exchanged")}
    answer = (
        "The memory sits in E" if of["E"].min() > 0.5 > of["all but E"].max() else "The memory does not sit in E alone"
    )
    return (
        f"{answer}. Where two trials that ask for different answers exchange E, the answer goes with E in {of['E'].min():.0%} to "
        f"{of['E'].max():.0%} of trials; where they exchange everything else, with that in at most {of['all but E'].max():.0%} "
        f"({networks_a_case(swapped, CASE)})."
    )


def draw_swap(found: pd.DataFrame) -> Drawing:
    """How often the answer follows the donor, a panel a task and noise level."""
    cases = list(dict.fromkeys(zip(found.task, found.noise)))
    names = list(dict.fromkeys(found.network))
    figure, axes = figures.grid(1, len(cases), height=2.6, sharey=True, squeeze=False)
    for axis, (task, noise) in zip(axes[0], cases):
        part = found[(found.task == task) & (found.noise == noise)]
        for exchanged, look in FOLLOWED.items():
            one = part[part.exchanged == exchanged].set_index("network").reindex(names)
            axis.plot(one.follows, range(len(names)), **(look | {"linestyle": "none"}), ms=5)
        axis.set(
            title=f"{TASKS[task].label}\n{noise} noise",
            xlim=(-0.03, 1.03),
            xlabel="share of answers\nthat follow the\nexchanged part",
        )
        axis.set_yticks(range(len(names)), names)
    axes[0][0].invert_yaxis()
    plots.legend_above(figure, FOLLOWED)
    of = {exchanged: part.follows for exchanged, part in found.groupby("exchanged")}
    lines = "; ".join(
        f"{r.network} on {TASKS[r.task].label} at {r.noise} noise, {r.exchanged}: {r.follows:.2f}"
        for r in found.itertuples()
    )
    return Drawing(
        figure,
        found,
        f"The answer goes with E: where two trials ask for different answers, it follows the trial that E was taken from in "
        f"{of['E'].min():.0%} to {of['E'].max():.0%} of cases, and the trial that everything else was taken from in "
        f"{of['all but E'].min():.0%} to {of['all but E'].max():.0%}. State exchanged at the first tick of the decision; seed 0 of each "
        "network.",
        f"Dot plot of how often the answer follows the donor. {lines}.",
    )


# ---------------------------------------------------------------- E at its bound


def at_bound(mechanism: pd.DataFrame) -> pd.DataFrame:
    """Of the measurement ``mechanism``: the share of efficacies at their bound, and the share of Σ|α E| that they carry."""
    found = mechanism[mechanism.quantity.isin(["at bound", "carried"])]
    wide = found.pivot(index=["task", "network", "noise", "seed"], columns="quantity", values="value").reset_index()
    return wide.rename(columns={"at bound": "share_at_bound"}).rename_axis(columns=None)


def latch(bound: pd.DataFrame) -> str:
    """Whether networks drive E to its bound, in a sentence; empty where that was not measured."""
    if bound.empty:
        return ""
    used = bound[bound.share_at_bound > AT_BOUND]
    if used.empty:
        return "No network drives E to its bound."
    return (
        f"{'Most' if len(used) > len(bound) / 2 else 'Some'} networks drive efficacies to their bound: {used.share_at_bound.min():.0%} to "
        f"{used.share_at_bound.max():.0%} of efficacies stand at their bound at the decision and carry up to {used.carried.max():.0%} of "
        f"Σ|α E|, in {len(used)} of {len(bound)} cases (those with more than {AT_BOUND:.1%} there; {networks_a_case(bound, CASE)})."
    )


def draw_bound(found: pd.DataFrame) -> Drawing:
    """The share of Σ|α E| that efficacies at their bound carry against their share in number."""
    names = list(dict.fromkeys(found.sort_values("network").network))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, 1, height=2.6, squeeze=False)
    axis = axes[0][0]
    for name, look in styles.items():
        part = found[found.network == name]
        axis.plot(part.share_at_bound, part.carried, **(look | {"linestyle": "none"}), ms=5)
    axis.set(
        xlabel="share of efficacies at their bound when the decision begins", ylabel="share of Σ|α E|\nthat they carry"
    )
    axis.plot([0, found.share_at_bound.max()], [0, found.share_at_bound.max()], color="0.6", lw=0.8, ls=":")
    plots.legend_above(figure, styles)
    used = found[found.share_at_bound > AT_BOUND]
    never = sorted(set(found.network) - set(used.network))
    lines = "; ".join(
        f"{r.network} on {TASKS[r.task].label} at {r.noise} noise {r.share_at_bound:.1%}, {r.carried:.0%}"
        for r in found.itertuples()
    )
    said = (
        f"{'Most' if len(used) > len(found) / 2 else 'Some'} networks drive efficacies to their bound: in {len(used)} of {len(found)} trained networks {used.share_at_bound.min():.0%} to "
        f"{used.share_at_bound.max():.0%} of efficacies stand at their bound and carry {used.carried.min():.0%} to "
        f"{used.carried.max():.0%} of Σ|α E|"
        if len(used)
        else "No network drives E to its bound"
    )
    return Drawing(
        figure,
        found,
        f"{said}{'; never in ' + ', '.join(never) if never and len(used) else ''}. One mark for each network, task and noise level, seed "
        "0; dotted: as much as their number.",
        f"Scatter of the share at the bound and of what these carry. {lines}.",
    )


# ---------------------------------------------------------------- a part of the state taken away


def draw_ablations(table: pd.DataFrame, trials: int) -> Drawing:
    """Accuracy on so many ``trials`` with a part of the state taken away, a row a noise level, a column a task."""
    noises, tasks = list(dict.fromkeys(table.noise)), list(dict.fromkeys(table.task))
    ways = {name: look for name, look in WAYS.items() if name in set(table.ablation)}
    figure, axes = figures.grid(len(noises), len(tasks), height=4.4, sharey=True, sharex=True, squeeze=False)
    for row, noise in zip(axes, noises):
        for axis, task in zip(row, tasks):
            part = table[(table.task == task) & (table.noise == noise)]
            plots.seeds_and_interval(axis, part, "accuracy", ways, by="ablation", at="network")
            axis.axhline(0.5, color="0.5", lw=0.8, ls=":")
            axis.set_ylim(0.4, 1.02)
        row[0].set_ylabel(f"accuracy, {noise} noise")
    for axis, task in zip(axes[0], tasks):
        axis.set_title(TASKS[task].label)
    plots.legend_above(figure, ways)
    middle = plots.intervals(table, "accuracy", ["ablation", "network"])
    told = "; ".join(
        f"{way}: " + ", ".join(f"{r.network} {r.mean:.2f}" for r in part.itertuples())
        for way, part in middle.groupby("ablation", sort=False)
    )
    lost = {way: np.median(list(losses(table, way).values())) for way in ways if losses(table, way)}
    message = ", ".join(f"{share:.0%} with {way}" for way, share in lost.items() if way != "intact")
    seeds = table.groupby(["task", "noise", "network"]).seed.nunique()
    return Drawing(
        figure,
        table[["task", "network", "noise", "seed", "ablation", "accuracy"]],
        f"The median loss of accuracy above chance is {message}. Trained plastic networks with a part of their state taken away at the decision: "
        f"{between(seeds, 'd')} seeds on {trials} trials each (faint), interquartile mean and 95% bootstrap interval. Dotted: chance.",
        f"Accuracy with parts of the state taken away. Over tasks and noise levels: {told}.",
    )


def losses(table: pd.DataFrame, way: str) -> dict[tuple[str, str, str], float]:
    """By (task, noise, network): the share of the accuracy above chance that is lost; of networks that do the task."""
    middle = plots.intervals(table, "accuracy", ["task", "noise", "network", "ablation"])
    mean = middle.set_index(["task", "noise", "network", "ablation"])["mean"]
    lost = {}
    for task, noise, name, ablation in mean.index:
        intact = mean.get((task, noise, name, "intact"), np.nan)
        if ablation == way and intact > CAN_DO_IT:
            lost[task, noise, name] = (intact - mean[task, noise, name, way]) / (intact - 0.5)
    return lost


def what_is_lost(table: pd.DataFrame) -> str:
    """How much of the accuracy above chance each ablation costs, a line each."""
    lines, medians, below = [], {}, False
    for way in WAYS:
        lost = losses(table, way)
        if way == "intact" or not lost:
            continue
        medians[way], below = np.median(list(lost.values())), below or max(lost.values()) > 1
        least, most = min(lost, key=lost.get), max(lost, key=lost.get)
        lines.append(
            f"- **{way}** removes a median of {np.median(list(lost.values())):.0%} of the accuracy above chance ({len(lost)} cases; "
            f"minimum {round(lost[least], 2) + 0:.0%}, `{least[2]}` on {TASKS[least[0]].label} at {least[1]} noise; maximum {lost[most]:.0%}, "
            f"`{most[2]}` on {TASKS[most[0]].label} at {most[1]} noise)."
        )
    if not lines:
        return ""
    most = max(medians, key=lambda way: medians[way])
    others = enumerated(f"{share:.0%} with {way}" for way, share in medians.items() if way != most)
    answer = f"Most with {most}: a median of {medians[most]:.0%} of the accuracy above chance" + (
        f", against {others}." if others else "."
    )
    note = "\n\nA loss of more than 100% is an accuracy below chance." if below else ""
    return figures.minus(f"{answer}\n\n" + "\n".join(lines) + note)


def left_after_reset(table: pd.DataFrame) -> str:
    """What accuracy is left once E is forgotten, in a sentence."""
    left = plots.intervals(table[table.ablation == "E forgotten"], "accuracy", ["task", "noise", "network"])["mean"]
    near = int((left < 0.55).sum())
    return (
        f"Forgetting E leaves an accuracy of {left.min():.2f} to {left.max():.2f}, and chance in {near} of {len(left)} cases only. The "
        "prediction that this page made before, chance everywhere, was wrong, for two likely reasons. Potentials, traces, thresholds and the "
        "readout were shaped by E until the reset and outlive it by some of their time constants. And a network without E is off the "
        "states that it was trained in: some answer one side in nearly every trial. A reset therefore shows that something is lost, and "
        "not where the memory was; the exchange above does."
    )


def ablation_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The interquartile mean of each case with its interval, a row each."""
    found = plots.intervals(table, "accuracy", ["task", "noise", "network", "ablation"])
    return found.rename(columns={"mean": "accuracy"}).drop(columns="n")


# ---------------------------------------------------------------- round one: other kinds of memory


def draw_memory(memory: pd.DataFrame, names: Sequence[str], d: Definitions) -> Drawing:
    """Networks with other kinds of memory beside those of the book, a panel a task."""
    tasks = list(dict.fromkeys(memory.task))
    styles = figures.network_styles([*names, *CONTROLS])
    figure, axes = figures.grid(1, len(tasks), height=3.4, sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks):
        plots.seeds_and_interval(axis, memory[memory.task == task], "accuracy", styles, horizontal=True)
        plots.limits(axis, {"solved": d.solved_at_least, "failed": d.failed_at_most}, horizontal=True)
        axis.axhline(len(names) - 0.5, color="0.7", lw=0.8)
        axis.set(xlim=(0.4, 1.02), xlabel="held-out accuracy")
        axis.set_title(TASKS[task].label, pad=14)
    middle = plots.intervals(memory, "accuracy", ["task", "network"])
    others = middle[middle.network.isin(list(CONTROLS))]
    solve = others[others.low >= d.solved_at_least]
    said = "; ".join(
        f"{TASKS[task].label}: {', '.join(part.network)}" for task, part in solve.groupby("task", sort=False)
    )
    told = "; ".join(
        f"{TASKS[task].label}: " + ", ".join(f"{r.network} {r.mean:.2f}" for r in part.itertuples())
        for task, part in middle.groupby("task", sort=False)
    )
    return Drawing(
        figure,
        memory[["task", "network", "seed", "accuracy"]],
        f"Solved without plasticity: {said or 'nothing'}. Networks with other kinds of memory ({[*CONTROLS][0]} to {[*CONTROLS][-1]}) beside those of the book, low "
        "noise: every seed (faint), interquartile mean and 95% bootstrap interval.",
        f"Dot plot of accuracy, a panel a task, a row a network. {told}.",
    )


def memory_tests(memory: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Each control against the best plastic network of its task, p adjusted over all."""
    parts = []
    for task, part in memory.groupby("task", sort=False):
        plastic = part[part.network.isin([name for name in names if name != "snn"])]
        best = plots.intervals(plastic, "accuracy", "network").set_index("network")["mean"].idxmax()
        parts.append(part.assign(network=part.network.where(part.network != best, "best")).assign(best=best))
    together = pd.concat(parts, ignore_index=True)
    pairs = [(name, "best") for name in CONTROLS]
    tests = plots.comparisons(together, "accuracy", pairs, ["task"])
    return tests.assign(against=tests.task.map(together.drop_duplicates("task").set_index("task").best))


def shown_memory(memory: pd.DataFrame, tests: pd.DataFrame, d: Definitions) -> pd.DataFrame:
    """The controls' accuracies with what became of their comparison, as they are read."""
    rows = []
    for task, part in memory.groupby("task", sort=False):
        for name in CONTROLS:
            interval = interquartile_mean(part[part.network == name].accuracy)
            test = tests[(tests.task == task) & (tests.network == name)]
            row = {
                "task": TASKS[task].label,
                "control": name,
                "accuracy": f"{interval:.3f}",
                "verdict": d.stands(interval),
            }
            if len(test):
                t = test.iloc[0]
                differs = "" if t.adjusted_p < d.significant_at else ", not significant"
                row["difference to the best plastic network"] = (
                    f"{t.difference:+.3f} ({t.low:+.3f} to {t.high:+.3f}) to {t.against}, p {t.adjusted_p:.2g}{differs}"
                )
            rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def missed(memory: pd.DataFrame, curves: Mapping[str, pd.DataFrame], d: Definitions) -> pd.DataFrame:
    """How the training of controls ended that do not solve a task."""
    rows = []
    for task, part in memory.groupby("task", sort=False):
        ended = curves[task].merge(part[["config_hash", "seed", "network"]], on=["config_hash", "seed"])
        for name in CONTROLS:
            if d.stands(interquartile_mean(part[part.network == name].accuracy)) != "solved":
                rows.append({"task": task, "network": name} | how_it_ended(ended[ended.network == name]))
    return pd.DataFrame(rows)


def shown_missed(rows: pd.DataFrame) -> pd.DataFrame:
    """:func:`missed` as it is read."""
    return pd.concat(
        [labelled(rows)[["task", "network"]].rename(columns={"network": "control"}), show_how_it_ended(rows)], axis=1
    )


def shown_longer(memory: pd.DataFrame, longer: pd.DataFrame, d: Definitions) -> pd.DataFrame:
    """Controls that were trained for longer on cue-reward, beside the usual training."""
    rows = []
    for name in TRAINED_LONGER:
        usual = memory[(memory.task == "cue-reward") & (memory.network == name)].accuracy
        more = longer[longer.network == name].accuracy
        i, j = interquartile_mean(usual), interquartile_mean(more)
        rows.append(
            {
                "control": name,
                "usual training": f"{i:.3f}",
                f"{LONGER} times as long": f"{j:.3f}",
                "verdict": d.stands(j),
            }
        )
    return pd.DataFrame(rows)


def shown_search(searched: pd.DataFrame) -> pd.DataFrame:
    """The search of each control's learning rate, as it is read."""
    mean = searched.groupby(["task", "network", "learning_rate"]).accuracy.mean()
    rows = []
    for task in dict.fromkeys(searched.task):
        for name in CONTROLS:
            chosen = TASKS[task].choice(name)[0]
            rates = {
                f"rate {rate:g}": f"{a:.3f}" + (" (chosen)" if rate == chosen else "")
                for rate, a in mean[task, name].items()
            }
            rows.append({"task": TASKS[task].label, "control": name, **rates})
    return pd.DataFrame(rows).fillna("–")


def hardly_chosen(searched: pd.DataFrame, d: Definitions) -> str:
    """Controls that no rate of the search took off chance."""
    best = searched.groupby(["task", "network"], sort=False).accuracy.max()
    blind = [
        f"`{name}` on {TASKS[task].label}" for (task, name), accuracy in best.items() if accuracy <= d.failed_at_most
    ]
    if not blind:
        return ""
    return f"No rate took these above {d.failed_at_most:g} within the search, which therefore hardly chose among rates: {', '.join(blind)}."


# ---------------------------------------------------------------- what need not be learned


def draw_restricted(restricted: pd.DataFrame) -> Drawing:
    """Plastic networks with one part held fixed, a panel a task; ``held`` is the part, or "nothing"."""
    tasks = list(dict.fromkeys(restricted.task))
    names = list(dict.fromkeys(restricted.network))
    styles = figures.network_styles(names)
    ordered = pd.concat([restricted[restricted.held == held] for held in ("nothing", *RESTRICTIONS)], ignore_index=True)
    figure, axes = figures.grid(1, len(tasks), height=3.4, sharey=True, squeeze=False)
    for axis, task in zip(axes[0], tasks):
        plots.seeds_and_interval(axis, ordered[ordered.task == task], "accuracy", styles, at="held", horizontal=True)
        axis.set(title=TASKS[task].label, xlim=(0.4, 1.02), xlabel="held-out accuracy")
    axes[0][0].set_ylabel("held fixed")
    plots.legend_above(figure, styles)
    tests = restriction_tests(restricted)
    worse = {
        held: int(((t.difference < 0) & (t.adjusted_p < 0.05)).sum()) for held, t in tests.groupby("held", sort=False)
    }
    counts = tests.groupby("held", sort=False).size()
    told = "; ".join(f"with {held}, {n} of {counts[held]}" for held, n in worse.items())
    return Drawing(
        figure,
        ordered[["task", "network", "held", "seed", "accuracy"]],
        f"How many networks get significantly worse depends on which part is held fixed ({told or 'not tested, one seed'}): plastic networks "
        "trained at low noise with one part held fixed, every seed (faint), interquartile mean and 95% bootstrap interval.",
        f"Dot plot of accuracy, a panel a task, a place a part that is held fixed. Significantly worse: {told}.",
    )


def restriction_tests(restricted: pd.DataFrame) -> pd.DataFrame:
    """Each network with a part held fixed against the same with nothing held, p adjusted over all cases."""
    pairs = [(held, "nothing") for held in RESTRICTIONS]
    tests = plots.comparisons(restricted, "accuracy", pairs, ["task", "network"], by="held")
    # comparisons calls what it compares networks: here these are the parts, and the network is part of the case
    tests.columns = ["task", "network", "held", "against", *tests.columns[4:]]
    return tests


def told_restricted(restricted: pd.DataFrame, d: Definitions) -> str:
    """What holding each part fixed costs, a line each."""
    lines = []
    for held, part in restriction_tests(restricted).groupby("held", sort=False):
        part = part.sort_values("difference")
        worse = ((part.difference < 0) & (part.adjusted_p < d.significant_at)).sum()
        least, most = part.iloc[0], part.iloc[-1]
        lines.append(
            f"- {held}: significantly worse in {worse} of {len(part)} cases; differences from {least.difference:+.3f} (`{least.network}` on "
            f"{TASKS[least.task].label}) to {most.difference:+.3f}."
        )
    if not lines:
        return "One seed is not enough to test a difference."
    return (
        "Against the same network with nothing held (two-sided Mann–Whitney U, adjusted over all cases):\n\n"
        + figures.minus("\n".join(lines))
    )


def without_a_spike(restricted: pd.DataFrame, d: Definitions) -> str:
    """Why some networks with W at zero stay at chance: whether a first spike ever came."""
    told = []
    for task, of in restricted[restricted.held == "W at 0"].groupby("task", sort=False):
        spike = of[of.firing_rate > 0]
        beyond = int((spike.accuracy > d.failed_at_most).sum())
        told.append(
            f"on {TASKS[task].label} {len(spike)} of {len(of)} networks spike after training, and {beyond} end above {d.failed_at_most:g}"
        )
    return (
        "With W at zero E starts at zero as well: no input reaches a neuron until its bias has made it fire, and without a spike no efficacy "
        f"grows. {capital('; '.join(told))}. A network that never spikes does not say that plasticity alone could not do the task, given weights to "
        "start from."
    )


# ---------------------------------------------------------------- in words


def what_we_found(swapped: pd.DataFrame, bound: pd.DataFrame) -> str:
    """What trained networks rely on, in sentences."""
    return figures.minus("\n".join(f"- {said}" for said in (goes_with(swapped), latch(bound)) if said))

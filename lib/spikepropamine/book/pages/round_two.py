"""Figures, tables and sentences of round two on the temporal tasks, for the chapters that show it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from ...experiments import temporal_round_two as two
from ...experiments.config import Experiment
from ...experiments.temporal_round_two import CELLS, COMPARED, compared_as
from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from ...snn.networks import rule_of
from ...tasks.key_value_pairs import KeyValuePairs
from .. import figures, plots
from ..chapters import Chapter, how_it_ended, show_how_it_ended
from ..claims import Judgement
from ..figures import Drawing
from ..judges.judge import Definitions, Round
from ..judges.temporal_round_two import best, thresholds
from ..phrases import between, capital, enumerated
from .scorecard import line

PLASTIC = tuple(name for name, (kind, _) in COMPARED.items() if kind not in two.TRADITIONAL and rule_of(kind))
TRADITIONAL = tuple(name for name in COMPARED if name not in PLASTIC)
EQUAL_SIZE = tuple(name for name in TRADITIONAL if COMPARED[name][1] == 48)
LARGER = tuple(name for name in TRADITIONAL if COMPARED[name][1] > 48)
WHAT = {
    "snn": "memoryless: membranes of 20 ms, no recurrence",
    "lsnn": "recurrent, half of the neurons with adaptive thresholds (LSNN)",
    "lsnn-100": "the same with 100 neurons",
    "rsnn-long": "recurrent, membranes that learn time constants from 20 to 1000 ms",
    "stp": "recurrent, synapses that facilitate and depress (Tsodyks and Markram)",
}


@dataclass(frozen=True)
class Found:
    """The runs of round two that are at hand, and what was planned."""

    runs: pd.DataFrame  # with the columns cell and network, as COMPARED names it
    curves: pd.DataFrame
    experiments: Mapping[str, Experiment]  # by cell

    @property
    def cells(self) -> list[str]:
        """Cells of which at least one run is at hand."""
        return list(dict.fromkeys(self.runs.cell)) if len(self.runs) else []

    @property
    def whole(self) -> list[str]:
        """Cells of which every planned run is at hand."""
        counts = self.runs.cell.value_counts() if len(self.runs) else {}
        return [cell for cell in self.cells if counts[cell] == len(self.experiments[cell].runs)]

    def of(self, *cells: str) -> "Found":
        """The same of some cells alone."""
        keep = [self.runs[self.runs.cell.isin(cells)], self.curves[self.curves.cell.isin(cells)]]
        return Found(*keep, {cell: self.experiments[cell] for cell in cells})

    def networks(self, cell: str) -> dict[str, pd.DataFrame]:
        """The runs of one cell by network."""
        return {name: part for name, part in self.runs[self.runs.cell == cell].groupby("network", sort=False)}


def gather(chapter: Chapter, cells: Iterable[str] = tuple(CELLS)) -> Found:
    """What is published of round two, or made here; the first cell alone at profiles other than ``paper``."""
    p = chapter.parameters
    cells = list(cells) if p.profile == "paper" else list(cells)[:1]
    names = [name for name in COMPARED if name in TRADITIONAL or name in p.network_names()]
    runs, curves, experiments = [], [], {}
    for cell in cells:
        experiments[cell] = chapter.changed(two.round_two(cell, p.profile, p.seeds, names))
        trained, learning = chapter.at_hand(experiments[cell])
        if len(trained):
            keys = zip(trained["network.name"], trained["network.n_hidden"])
            trained = trained.assign(cell=cell, network=[compared_as(*key) for key in keys])
            order = trained.network.map(list(COMPARED).index)
            runs.append(trained.iloc[np.lexsort((trained.seed, order))])
            where = trained[["config_hash", "seed", "network", "cell"]]
            curves.append(learning.merge(where, on=["config_hash", "seed"]))
    nothing = pd.DataFrame({"cell": [], "network": [], "config_hash": [], "seed": [], "git_commit": [], "accuracy": []})
    together = [pd.concat(parts, ignore_index=True) if parts else nothing for parts in (runs, curves)]
    return Found(*together, experiments)


def progress(found: Found, rounds: Sequence[Round] = ()) -> str:
    """How many of the planned runs are at hand: those that are judged, by ``rounds``, and those that are shown beside them."""
    done = found.runs.cell.value_counts().to_dict() if len(found.runs) else {}
    about = {cell for one in rounds if one.number == 2 for cell in one.tasks}
    lines = []
    for judged, what in ((True, "that are judged"), (False, "which are shown and not judged")):
        cells = [cell for cell in found.experiments if (cell in about) == judged]
        total, made = sum(len(found.experiments[cell].runs) for cell in cells), sum(done.get(cell, 0) for cell in cells)
        if not cells:
            continue
        further, comma = (" further" if lines else "", "" if judged else ",")
        if made == total:
            lines.append(f"All {total}{further} runs{comma} {what}{comma} are done.")
        else:
            lines.append(f"Of {total}{further} runs{comma} {what}, {made} {'is' if made == 1 else 'are'} done.")
    return " ".join(lines)


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the column task, the label of its cell; networks in the book's order."""
    table = table.sort_values("network", key=lambda names: names.map(list(COMPARED).index), kind="stable")
    return table.assign(task=table.cell.map(lambda cell: CELLS[cell].label))


def marked(found: Found, solved: Mapping[str, float]) -> dict[str, float]:
    """By the label of each cell at hand: from which accuracy on it is solved."""
    return {CELLS[cell].label: solved.get(cell, 0.95) for cell in found.cells}


def networks_table(found: Found) -> pd.DataFrame:
    """What is compared; numbers of parameters range over the cells at hand, which have more or fewer inputs."""
    rows = []
    for name, (_, hidden) in COMPARED.items():
        configs = [config for cell in found.cells for config in found.experiments[cell].configs]
        built = [c.build(0) for c in configs if compared_as(c.network.name, c.network.n_hidden) == name]
        parameters = [sum(p.numel() for p in network.parameters()) for network in built]
        row = {"network": name, "memory": WHAT.get(name, "efficacies E of its synapses"), "hidden neurons": hidden}
        rows.append(row | {"parameters": between(parameters, ",d") if parameters else "–"})
    return pd.DataFrame(rows)


def draw_accuracy(found: Found, solved: Mapping[str, float]) -> Drawing:
    """Accuracy of every seed, a panel a task; ``solved`` is each cell's threshold."""
    names = [name for name in COMPARED if name in set(found.runs.network)]
    styles = figures.network_styles(names)
    same = len({frozenset(part) for _, part in found.runs.groupby("cell").network}) == 1  # or a panel names its own
    figure, axes = figures.grid(1, len(found.cells), height=3.0, sharey=same, squeeze=False)
    reached = []
    for axis, cell in zip(axes[0], found.cells):
        part = found.runs[found.runs.cell == cell]
        plots.seeds_and_interval(axis, part, "accuracy", styles, horizontal=True)
        plots.limits(axis, {"solved": solved.get(cell, 0.95)}, horizontal=True)
        axis.set(xlim=(0.4, 1.02), xlabel="held-out accuracy")
        axis.set_title(CELLS[cell].label, pad=14)
        low = {name: interquartile_mean(runs.accuracy).low for name, runs in part.groupby("network")}
        runs, planned = len(part), len(found.experiments[cell].runs)
        label = CELLS[cell].label if cell in found.whole else f"{CELLS[cell].label} ({runs} of {planned} runs so far)"
        reached.append((label, [name for name in names if low.get(name, 0) >= solved.get(cell, 0.95)]))
    message = "; ".join(f"{label}: {', '.join(who) or 'no network'}" for label, who in reached)
    middle = plots.intervals(found.runs, "accuracy", ["cell", "network"])
    seeds = between(found.runs.groupby(["cell", "network"]).seed.nunique(), "d")
    told = "; ".join(
        f"{CELLS[cell].label}: " + ", ".join(f"{r.network} {r.mean:.2f}" for r in part.itertuples())
        for cell, part in middle.groupby("cell", sort=False)
    )
    return Drawing(
        figure,
        found.runs[["cell", "network", "seed", "accuracy"]],
        f"Solved by: {message}. Every seed (faint, {seeds} a network), interquartile mean and 95% bootstrap interval; dashed: solved, by "
        "the interval's lower end.",
        f"Dot plot of accuracy, a panel a task, a row a network. Interquartile means: {told}.",
    )


def draw_learning(found: Found) -> Drawing:
    """Learning curves, a panel a task."""
    names = [name for name in COMPARED if name in set(found.runs.network)]
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(found.cells), height=2.7, sharey=True, squeeze=False)
    for axis, cell in zip(axes[0], found.cells):
        plots.band(axis, found.curves[found.curves.cell == cell], "step", "accuracy", styles)
        plots.limits(axis, {"chance": 0.5})
        axis.set(title=CELLS[cell].label, xlabel="training step", ylim=(0.4, 1.02))
    axes[0][0].set_ylabel("held-out accuracy")
    plots.legend_above(figure, styles, columns=5)
    ended = end_of_training(found)
    still = ended[ended.last_gain > FLAT]
    told = ", ".join(f"{r.network} on {CELLS[r.cell].label} {r.last_gain:+.3f}" for r in still.itertuples())
    message = (
        f"{len(still)} of {len(ended)} curves are not flat at the end ({told})"
        if len(still)
        else "Every curve is flat at the end"
    )
    return Drawing(
        figure,
        found.curves[["cell", "network", "seed", "step", "accuracy"]],
        f"{message}. A curve counts as flat where the mean over seeds gains at most {FLAT} in the last fifth of training; the learning "
        "rate falls to zero there, which flattens every curve. Interquartile mean with bootstrap intervals.",
        f"Learning curves, a panel a task. {message}.",
    )


NONE_CHOSEN = "*No plastic network was chosen.*"
FLAT = 0.005
LEARNED = 0.6  # accuracy from which on a network, or a seed of it, is said to have learned something


def end_of_training(found: Found) -> pd.DataFrame:
    """Of each network on each cell: how training ended, means over seeds."""
    groups = found.curves.groupby(["cell", "network"], sort=False)
    return pd.DataFrame([{"cell": cell, "network": name} | how_it_ended(part) for (cell, name), part in groups])


def shown_end(found: Found) -> pd.DataFrame:
    """:func:`end_of_training` as it is read."""
    rows = end_of_training(found)
    names = pd.DataFrame({"task": rows.cell.map(lambda cell: CELLS[cell].label), "network": rows.network})
    return pd.concat([names, show_how_it_ended(rows)], axis=1)


# ---------------------------------------------------------------- plasticity against the best traditional network


def gains(found: Found, d: Mapping[str, float]) -> pd.DataFrame:
    """Each plastic network less the best traditional one with as many neurons, and less the larger one; a row a difference."""
    rows = []
    for cell in found.cells:
        networks = found.networks(cell)
        for kind, names in (("with as many neurons", EQUAL_SIZE), ("with more parameters", LARGER)):
            there = tuple(name for name in names if name in networks)
            if not there:
                continue
            other = best(there, networks, d)
            for name in PLASTIC:
                if name in networks and min(len(networks[name]), len(networks[other])) > 1:
                    pair = [networks[name].accuracy], [networks[other].accuracy]
                    interval = interquartile_difference(*pair, d.confidence)
                    where = {"cell": cell, "network": name, "against": other, "kind": kind}
                    rows.append(where | interval._asdict())
    return pd.DataFrame(rows, columns=["cell", "network", "against", "kind", "mean", "low", "high"])


def draw_gains(table: pd.DataFrame) -> Drawing:
    """The gains with their intervals, a panel a task."""
    cells, kinds = list(dict.fromkeys(table.cell)), list(dict.fromkeys(table.kind))
    names = [name for name in PLASTIC if name in set(table.network)]
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(cells), height=2.6, sharey=True, squeeze=False)
    for axis, cell in zip(axes[0], cells):
        part = table[table.cell == cell]
        for k, kind in enumerate(kinds):
            for row in part[part.kind == kind].itertuples():
                at = k + 0.18 * (names.index(row.network) - (len(names) - 1) / 2)
                plots.error_interval(
                    axis,
                    at,
                    Interval(row.mean, row.low, row.high),
                    True,
                    **(styles[row.network] | {"linestyle": "none"}),
                )
        axis.axvline(0, color="0.4", lw=0.8, ls="--")
        axis.set_yticks(range(len(kinds)), [f"than the best\n{kind}" for kind in kinds])
        axis.locator_params(axis="x", nbins=4)
        axis.set_ylim(len(kinds) - 0.4, -0.6)
        axis.set(title=CELLS[cell].label, xlabel="gain in accuracy over\n" + " and ".join(dict.fromkeys(part.against)))
    plots.legend_above(figure, styles)
    above = int((table.low > 0).sum())
    below = int((table.high < 0).sum())
    lines = "; ".join(
        f"{CELLS[r.cell].label}, {r.network} over {r.against} ({r.kind}) {r.mean:+.3f} ({r.low:+.3f} to {r.high:+.3f})"
        for r in table.itertuples()
    )
    return Drawing(
        figure,
        table,
        f"Plastic networks are better than the best traditional network in {above} of {len(table)} comparisons, and worse in {below}, "
        "by the interval of the difference: interquartile mean of accuracy over seeds less that of the best traditional network with "
        "as many neurons, and of the one with more parameters, with 95% bootstrap intervals.",
        f"Differences in accuracy with intervals, a panel a task. {lines}.",
    )


# ---------------------------------------------------------------- key-value pairs: what is stored


def tested(found: Found, field: str) -> pd.DataFrame:
    """Accuracy of every run on key-value pairs with another value of ``field``, a row each."""
    runs, prefix = found.runs, f"tested.{field}."
    columns = [column for column in runs if column.startswith(prefix)]
    long = (
        runs[[*["cell", "network", "seed"], *columns]]
        .melt(["cell", "network", "seed"], columns, prefix, "accuracy")
        .dropna(subset="accuracy")
    )
    return long.assign(field=field, value=long[prefix].str.removeprefix(prefix).astype(float)).drop(columns=prefix)


def stored(found: Found, cell: str) -> pd.DataFrame:
    """Bits stored at each number of pairs, of every run; per hidden neuron, synapse and parameter too."""
    task, table = CELLS[cell].task, tested(found.of(cell), "n_cues")
    built = {compared_as(c.network.name, c.network.n_hidden): c.build(0) for c in found.experiments[cell].configs}
    size = {name: sum(p.numel() for p in network.parameters()) for name, network in built.items()}
    links = {name: synapses(network) for name, network in built.items()}
    pairs = {k: KeyValuePairs(**(vars(task) | {"n_cues": int(k)})) for k in table.value.unique()}
    bits = np.array([pairs[k].information(a) for k, a in zip(table.value, table.accuracy)])
    neurons = table.network.map(lambda name: COMPARED[name][1]).astype(float)
    return table.assign(
        bits=bits,
        bits_per_neuron=bits / neurons,
        bits_per_synapse=bits / table.network.map(links).astype(float),
        bits_per_thousand=1000 * bits / table.network.map(size).astype(float),
    )


def synapses(network: nn.Module) -> int:
    """How many synapses end on the hidden neurons of a network: from inputs, and from one another where it is recurrent."""
    cell = getattr(network, "cell", network)
    return cell.synapses.weight.numel() + (cell.recurrent.numel() if hasattr(cell, "recurrent") else 0)


def draw_pairs(found: Found, cell: str) -> Drawing:
    """Accuracy against the number of pairs and the delay, and the bits that are stored."""
    names = [name for name in COMPARED if name in set(found.runs.network)]
    styles, capacity = figures.network_styles(names), stored(found, cell)
    delays = tested(found.of(cell), "delay_ms")
    panels = (
        (capacity, "accuracy", "pairs shown", "accuracy"),
        (capacity, "bits", "pairs shown", "bits stored"),
        (delays, "accuracy", "delay (ms)", "accuracy"),
    )
    figure, axes = figures.grid(1, len(panels), height=2.9, squeeze=False)
    task = CELLS[cell].task
    for axis, (frame, y, x_label, y_label) in zip(axes[0], panels):
        plots.band(axis, frame, "value", y, styles)
        axis.axvline(task.delay_ms if "delay" in x_label else task.n_cues, color="0.6", lw=0.8, ls=":")
        axis.set(xlabel=x_label, ylabel=y_label)
    plots.legend_above(figure, styles, columns=5)
    top = plots.intervals(capacity, "bits", ["network", "value"])
    peak = top.loc[top.groupby("network", sort=False)["mean"].idxmax()].sort_values("mean", ascending=False)
    told = ", ".join(f"{r.network} {r.mean:.1f} (pairs: {r.value:g})" for r in peak.itertuples())
    first, rest = peak.iloc[0], peak[~peak.network.isin(PLASTIC)]
    beside = (
        f"; the best traditional network, {rest.iloc[0].network}, at most {rest.iloc[0]['mean']:.1f}"
        if len(rest)
        else ""
    )
    data = pd.concat([capacity, delays], ignore_index=True)
    return Drawing(
        figure,
        data,
        f"At most {first['mean']:.1f} bits are stored, by {first.network}{beside}. Networks trained with {task.n_cues} pairs and a delay of "
        f"{task.delay_ms:g} ms (dotted) are tested with others, without further training. Bits stored: pairs × bits of a value × (1 − the "
        "entropy of an answer). Interquartile mean over seeds with bootstrap intervals.",
        f"Three panels: accuracy and bits stored against the number of pairs, accuracy against the delay. Most bits stored: {told}.",
    )


def shown_stored(found: Found, cell: str) -> pd.DataFrame:
    """Bits stored at the trained number of pairs, in all, per neuron and per thousand parameters, as they are read."""
    table = stored(found, cell)
    at = table[table.value == CELLS[cell].task.n_cues]
    rows = []
    for name, part in at.groupby("network", sort=False):
        row = {"network": name, "hidden neurons": COMPARED[name][1]}
        for column, label in (
            ("bits", "bits"),
            ("bits_per_neuron", "bits per neuron"),
            ("bits_per_synapse", "bits per 1000 synapses"),
            ("bits_per_thousand", "bits per 1000 parameters"),
        ):
            row[label] = f"{interquartile_mean(part[column] * (1000 if column == 'bits_per_synapse' else 1)):.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- in words


def verdicts(judgements: Sequence[Judgement], cells: Sequence[str]) -> str:
    """Round two's verdicts on claims about these cells, each with the cells it met."""
    lines = []
    for one in judgements:
        if one.round.number == 2 and set(one.round.tasks) & set(cells):
            lines.append(line(one))
            lines += [f"    - {CELLS[cell].label}: {found.reason}." for cell, found in one.decision.found.items()]
    return "\n".join(lines)


def counted(judgements: Sequence[Judgement], cells: Sequence[str]) -> str:
    """How many claims about these cells hold, in part or in full, in a sentence."""
    found = [one.read() for one in judgements if one.round.number == 2 and set(one.round.tasks) & set(cells)]
    if not found:
        return "Not yet judged."
    each = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys(found))
    return f"Of {len(found)} claims and questions that are judged on these tasks: {each}."


def what_we_found(found: Found, d: Definitions, solved: Mapping[str, float], before: str = "") -> str:
    """Round two in sentences, a line a cell of which all runs are at hand; its name follows ``before``."""
    lines = []
    for cell in found.whole:
        networks = found.networks(cell)
        means = {name: interquartile_mean(runs.accuracy, confidence=d.confidence) for name, runs in networks.items()}
        kinds = [tuple(name for name in names if name in means) for names in (PLASTIC, TRADITIONAL)]
        if not all(kinds):
            continue
        label = CELLS[cell].label
        label = f"**{before}{label if before else capital(label)}**"
        first, second = (best(names, networks, d) for names in kinds)
        who = [f"`{name}`" for name, i in means.items() if i.low >= solved.get(cell, d.solved_at_least)]
        ahead = "ahead of" if means[first].mean > means[second].mean else "behind"
        lines.append(
            f"{label}: the best plastic network, `{first}` at {means[first]:.3f}, is {ahead} the best traditional one, `{second}` at "
            f"{means[second]:.3f}. Solved by {', '.join(who) or 'no network'}.{_all_behind(found.of(cell), d, second)}"
        )
    for cell in found.whole:
        both = all(any(name in found.networks(cell) for name in names) for names in (PLASTIC, TRADITIONAL))
        if both and isinstance(CELLS[cell].task, KeyValuePairs):
            table = stored(found, cell).loc[lambda table, k=CELLS[cell].task.n_cues: table.value == k]
            at = table.groupby("network").bits.agg(lambda bits: interquartile_mean(bits).mean)
            most, other = (at[list(n for n in names if n in at)].idxmax() for names in (PLASTIC, TRADITIONAL))
            shown = CELLS[cell].task.n_cues * CELLS[cell].task.value_bits
            lines.append(
                f"Plastic networks store most: of the {shown} bits of a trial of {CELLS[cell].task.label} ({CELLS[cell].task.noise} noise) `{most}` keeps "
                f"{at[most]:.1f}, and `{other}`, the best traditional network, {at[other]:.1f}."
            )
    return figures.minus("\n".join(f"- {line}" for line in lines))


def _all_behind(found: Found, d: Mapping[str, float], other: str) -> str:
    """That every plastic network is worse than ``other``, the best traditional one, where that is so."""
    table = gains(found, d)
    table = table[table.against == other]
    return f" Every plastic network is worse than `{other}`." if len(table) and (table.high < 0).all() else ""


def solved_at(rounds: Sequence[Round]) -> dict[str, float]:
    """By cell, from which accuracy on it is solved; cells that no claim is about as where the observer makes no error."""
    found = dict.fromkeys(CELLS, 0.95)
    for one in rounds:
        if one.number == 2 and "observer" in one.definitions:
            found |= dict.fromkeys(one.tasks, thresholds(one.definitions).solved)
    return found


def exceptions(rounds: Sequence[Round], number: int) -> str:
    """The exceptions to "registered before the runs" of a round on temporal tasks, as a list."""
    return "\n".join(f"- {text}" for one in rounds if one.number == number and one.tasks for text in one.exceptions)


def known(rounds: Sequence[Round]) -> str:
    """What was known when round two was registered, folded away."""
    said = dict.fromkeys(one.known for one in rounds if one.number == 2 and one.tasks)
    text = "\n\n".join(said)
    return (
        f":::{{admonition}} What was known when round two was registered\n:class: dropdown\n{text}\n:::" if said else ""
    )


# ---------------------------------------------------------------- the search


def searched(chapter: Chapter) -> pd.DataFrame:
    """Every point of the search and of its extension that is at hand: network, values, accuracy, and whether it was chosen."""
    rows = []
    points = [(name, values, {}) for name in COMPARED for values in two.space(name)]
    points += [(name, values, options) for name, more in two.EXTENDED.items() for values, options in more]
    accuracy = {}
    for experiment in (two.search(), two.extended_search()):
        runs = chapter.everything.results(experiment)[0]
        accuracy |= dict(zip(runs["config_hash"], runs["accuracy"])) if len(runs) else {}
    for name, values, options in points:
        found = accuracy.get(two.searched_as(name, values, options).hash)
        if found is not None:
            chosen = two.CHOSEN.get(name) == values and not options
            rows.append(
                {
                    "network": name,
                    **vars(values),
                    **{"options": ", ".join(options.values())},
                    "accuracy": found,
                    "chosen": chosen,
                }
            )
    return pd.DataFrame(rows).drop_duplicates() if rows else pd.DataFrame(rows)


def shown_search(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`searched` as it is read: each network's points from best to worst."""
    rows = []
    for name, part in table.groupby("network", sort=False):
        part = part.sort_values("accuracy", ascending=False)
        kind = COMPARED[name][0]
        surrogate, start = two.SEARCHED_SURROGATES.get(kind, two.SEARCHED_SLOPES)[0], two.SEARCHED_STARTS[kind][0]
        for point in part.itertuples():
            surrogate_said = point.options or f"{surrogate} {point.surrogate:g}"
            rows.append(
                {
                    "network": name + (" (chosen)" if point.chosen else ""),
                    "learning rate": f"{point.learning_rate:g}",
                    "surrogate": surrogate_said,
                    "start": f"{start} {point.start:g}",
                    "accuracy": f"{point.accuracy:.3f}",
                }
            )
    return pd.DataFrame(rows)


def in_short(found: Found, d: Mapping[str, float]) -> str:
    """Whether plastic networks beat the best traditional ones, in a sentence."""
    if not found.whole:
        return "Not yet run."
    if not set(PLASTIC) & set(found.runs.network):
        return NONE_CHOSEN
    told, all_of, none_of = [], 0, 0
    for cell in found.whole:
        table = gains(found.of(cell), d)
        beat, lost, of = _beat_and_lost(table)
        all_of, none_of = all_of + (beat > 0), none_of + (beat == 0)
        worse = f", {lost} {'is' if lost == 1 else 'are'} worse than one or both" if lost else ""
        told.append(f"On {CELLS[cell].label} {beat} of {of} plastic networks beat both{worse}.")
    answer = "Not everywhere" if all_of and none_of else "Yes" if all_of else "No"
    return (
        f"{answer}. Each plastic network is compared with the best traditional one that has as many neurons, and with the one that has more "
        f"parameters, by the interval of the difference. {' '.join(told)}"
    )


def beats(found: Found, d: Mapping[str, float]) -> str:
    """On which tasks most plastic networks beat the best traditional ones, and on which they do not, in a sentence."""
    if not set(PLASTIC) & set(found.runs.get("network", ())):
        return ""
    told = {"beat {}": [], "lose to {}": [], "neither beat {} nor lose": []}
    win, lose, tie = told
    for cell in found.whole:
        beat, lost, of = _beat_and_lost(gains(found.of(cell), d))
        what, count = (win, beat) if beat > of / 2 else (lose, lost) if lost > of / 2 else (tie, of - beat - lost)
        told[what].append(f"{CELLS[cell].label} ({count} of {of})")
    parts: list[str] = []
    for what, cells in told.items():
        if cells:
            others = "them" if parts else "the best traditional networks"
            parts.append(f"{what.format(others)} on {enumerated(cells)}")
    return f"Plastic networks {', and '.join(parts)}." if parts else ""


def _beat_and_lost(table: pd.DataFrame) -> tuple[int, int, int]:
    """Of a cell's gains: how many networks beat both of the best traditional ones, how many are worse than one, and of how many."""
    networks = [part for _, part in table.groupby("network")]
    beat, lost = (sum((part.low > 0).all() for part in networks), sum((part.high < 0).any() for part in networks))
    return beat, lost, len(networks)


def looked_into(found: Found) -> str:
    """What the end of training tells of traditional networks that stay at chance."""
    if not found.cells:
        return ""
    ended = end_of_training(found)
    stuck = ended[ended.network.isin(TRADITIONAL) & (ended.network != "snn") & (ended.accuracy < 0.55)]
    if stuck.empty:
        return ""
    told = "; ".join(
        f"`{r.network}` on {CELLS[r.cell].label} (accuracy {interquartile_mean(found.networks(r.cell)[r.network].accuracy).mean:.3f}, "
        f"{r.firing_rate:.1f} Hz, norm of the gradient {r.gradient_norm:.2g})"
        for r in stuck.itertuples()
    )
    silent = [f"`{r.network}` on {CELLS[r.cell].label}" for r in stuck.itertuples() if r.firing_rate < 1]
    said = f"All but silent in the end: {', '.join(silent)}. " if silent else ""
    return (
        f"Some traditional networks never left chance: {told}. {said}Gradients flow in all of them. On the task of the search nothing took them off "
        "chance: no slope or starting value of the search, and not LSNN's triangular surrogate, which was tried for them later. The comparison "
        "rests on LSNN, which learns."
    )


def who_missed(found: Found, solved: Mapping[str, float]) -> str:
    """Which plastic networks miss which tasks, and how their training ended, a line each."""
    if not found.cells:
        return "Not yet run."
    lines, missed = [], {name: [] for name in PLASTIC}
    for cell in found.cells:
        for name, runs in found.networks(cell).items():
            interval = interquartile_mean(runs.accuracy)
            if name not in PLASTIC or interval.low >= solved[cell]:
                continue
            missed[name].append(cell)
            curves = found.curves[(found.curves.cell == cell) & (found.curves.network == name)]
            end, eta = how_it_ended(curves), curves[curves.step == curves.step.max()].eta.mean()
            still = "still improves" if end["last_gain"] > FLAT else "is flat"
            lines.append(
                f"- `{name}` on {CELLS[cell].label}, {interval:.3f}: {still} at the end ({end['last_gain']:+.3f} in the last fifth), fires at "
                f"{end['firing_rate']:.0f} Hz, has a gradient of norm {end['gradient_norm']:.2g}, and η went from {two.CHOSEN[name].start:g} to {eta:.2g}."
            )
    if not set(PLASTIC) & set(found.runs.network):
        return NONE_CHOSEN
    if not lines:
        return f"Plastic networks miss none of {len(PLASTIC) * len(found.cells)} cases."
    always = [
        f"`{name}` misses all {len(found.cells)} tasks" for name in PLASTIC if len(found.cells) == len(missed[name])
    ]
    nobody = [
        f"every plastic network misses {CELLS[cell].label}"
        for cell in found.cells
        if all(cell in cells for cells in missed.values())
    ]
    first = " and ".join([*always, *nobody]) if len(found.cells) > 1 else ""
    first = f"{capital(first)}; why is not known. " if first else ""
    return figures.minus(
        f"{first}Plastic networks miss {len(lines)} of {len(PLASTIC) * len(found.cells)} cases:\n\n" + "\n".join(lines)
    )


def who_binds(found: Found, solved: Mapping[str, float]) -> str:
    """How many plastic and how many traditional networks solve the cells whose answer is a binding, in a sentence."""
    cells = [cell for cell in found.whole if CELLS[cell].task.name in ("key-value-pairs", "cue-reward")]
    counts = []
    for names in (PLASTIC, TRADITIONAL):
        runs = [found.networks(cell).get(name) for cell in cells for name in names]
        low = [interquartile_mean(one.accuracy).low >= solved[one.cell.iloc[0]] for one in runs if one is not None]
        counts.append((sum(low), len(low)))
    if not cells:
        return ""
    (plastic, of), (others, of_others) = counts
    if not of:
        return NONE_CHOSEN
    return (
        f"{'Most do' if plastic > of / 2 else 'Few do'}: {plastic} of {of} cases (plastic networks × tasks) are solved, and {others} of "
        f"{of_others} of the traditional ones{_nearest(found, cells, solved)}."
    )


def _nearest(found: Found, cells: Sequence[str], solved: Mapping[str, float]) -> str:
    """The traditional network that comes nearest to solving a cell that it does not solve; empty where there is none."""
    reached = {
        (name, cell): interquartile_mean(found.networks(cell)[name].accuracy)
        for cell in cells
        for name in TRADITIONAL
        if name in found.networks(cell)
    }
    short = {key: one for key, one in reached.items() if one.low < solved[key[1]]}
    if not short:
        return ""
    name, cell = max(short, key=lambda key: short[key].mean - solved[key[1]])
    return f" (the nearest is `{name}` on {CELLS[cell].label}, {short[name, cell]:.3f})"


def long_enough(found: Found) -> str:
    """How many learning curves were flat at the end, of networks that learn and of the others, in sentences."""
    if not found.cells:
        return ""
    ended = end_of_training(found.of(*found.cells))
    learn = ended[ended.accuracy >= LEARNED]
    still, rest = learn[learn.last_gain > FLAT], len(ended) - len(learn)
    others = f" The other {'curve ends' if rest == 1 else f'{rest} curves end'} below {LEARNED:g}." if rest else ""
    of = f"{len(learn)} curves of networks that learn"
    if learn.empty:
        return "No network learned, so the curves do not say."
    if still.empty:
        return (
            f"Yes, by what the curves show: none of {of} gains more than {FLAT} in the last fifth of training.{others}"
        )
    each = enumerated(
        f"`{r.network}` on {CELLS[r.cell].label} ({r.last_gain:+.3f})"
        for r in still.sort_values("last_gain", ascending=False).itertuples()
    )
    return (
        f"{'For most' if len(still) < len(learn) / 2 else 'For some' if len(still) < len(learn) else 'No'}: {len(learn) - len(still)} of {of} gain at most {FLAT} in the last fifth of "
        f"training. Those that still improve are {each}.{others}"
    )


def under_noise(found: Found, d: Definitions, solved: Mapping[str, float], cell: str = "weak-cues-high") -> str:
    """Whether networks do a task whose noise costs the ideal observer, in two sentences; empty until its runs are whole."""
    if cell not in found.whole:
        return "Not yet run to the end." if cell in found.experiments else ""
    networks, limit = found.networks(cell), solved[cell]
    if not any(name in networks for name in PLASTIC):
        return NONE_CHOSEN
    who = [name for name, runs in networks.items() if interquartile_mean(runs.accuracy).low >= limit]
    plastic = [name for name in who if name in PLASTIC]
    first, other = (
        best(tuple(name for name in names if name in networks), networks, d) for names in (PLASTIC, TRADITIONAL)
    )
    reached = {name: interquartile_mean(networks[name].accuracy) for name in (first, other)}
    return figures.minus(
        f"{'Yes' if len(plastic) == len(PLASTIC) else 'Some do' if plastic else 'No'}: on {CELLS[cell].label} {len(plastic)} of {len(PLASTIC)} "
        f"plastic networks reach the {limit:.3f} that counts as solved there, and {len(who) - len(plastic)} of the traditional ones. The best "
        f"plastic network, `{first}`, has {reached[first]:.3f}, the best traditional one, `{other}`, {reached[other]:.3f}."
        + by_few_seeds(networks)
    )


def by_few_seeds(networks: Mapping[str, pd.DataFrame]) -> str:
    """Which networks learn in some seeds though their interquartile mean does not show it, in a sentence each."""
    told = []
    for name, runs in networks.items():
        learned = sorted(runs.accuracy[runs.accuracy >= LEARNED])
        if 0 < len(learned) < len(runs) and interquartile_mean(runs.accuracy).mean < LEARNED:
            told.append(
                f" `{name}` learns in only {len(learned)} of {len(runs)} seeds ({enumerated(f'{x:.3f}' for x in learned)})."
            )
    return "".join(told)

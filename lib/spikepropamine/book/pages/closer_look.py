"""Figures, tables and sentences of the closer look at round two, for the chapters that show it. It judges no claim."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from ...experiments import closer_look as look
from ...experiments import temporal_round_two as two
from ...experiments.config import Config, Experiment
from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from ...tasks.key_value_pairs import KeyValuePairs
from .. import figures, plots
from ..chapters import Chapter
from ..figures import Drawing
from ..phrases import between, capital, enumerated
from .round_two import LEARNED

PARTS = tuple(f"{part} held" for part in look.PARTS)
BOUNDS = tuple(look.E_MAX)
GATES = ("M = 1", *look.GATES)
DRAWN = {
    "nothing": "nothing changed",
    **{change: change.replace("E_max", "bound") for change in BOUNDS},
    "M = 1": "no gate (M = 1)",
    "V held": "gate not learned (V, c held)",
    "M constant": "constant gate, M = tanh(c)",
}  # what a row of a figure is called where its change has another name
NOT_YET = "*Not yet run.*"
AHEAD = 0.005  # in accuracy: less is a tie


def exploratory(*experiments: tuple[Experiment, pd.DataFrame]) -> str:
    """That these runs judge nothing, and how many there are."""
    done, planned = (
        sum(len(runs) for _, runs in experiments),
        sum(len(experiment.runs) for experiment, _ in experiments),
    )
    return (
        "These runs are exploratory: planned after round two was judged, they judge no claim. "
        f"{done} of {planned} runs are done."
    )


def named(runs: pd.DataFrame, configs: Mapping[tuple[str, str] | str, Config]) -> pd.DataFrame:
    """``runs`` with the columns network and change (or change alone), by the configurations that are so called."""
    names = {
        config.hash: (key if isinstance(key, tuple) else (config.network.name, key)) for key, config in configs.items()
    }
    there = runs[runs.config_hash.isin(list(names))] if len(runs) else pd.DataFrame({"config_hash": []})
    found = pd.DataFrame([names[one] for one in there.config_hash], columns=["network", "change"], index=there.index)
    order = {change: k for k, (_, change) in enumerate(names.values())}
    return (
        there.assign(**found).sort_values("change", key=lambda c: c.map(order), kind="stable") if len(there) else found
    )


def findings(changed: pd.DataFrame) -> str:
    """What plastic networks need, a line each; without those of which nothing is run."""
    lines = []
    parts, bounds, gates = (differences(changed, changes) for changes in (PARTS, BOUNDS, GATES))
    if len(parts):
        worse, of = _worse(parts), parts.groupby("change", sort=False).size()
        needed = [change for change in of.index if worse[change] == of[change]]
        held = -parts[parts.change.isin(needed)]["mean"]
        must = (
            f"holding {' or '.join(change.removesuffix(' held') for change in needed)} where it starts costs every network accuracy (at least "
            f"{held.min():.2f})"
            if needed
            else "no part costs every network accuracy where it is held"
        )
        rest = "".join(
            f"; holding {change.removesuffix(' held')} costs {worse[change]} of {of[change]} networks accuracy{_helps(parts, change)}"
            for change in of.index
            if change not in needed
        )
        lines.append(f"{must}{rest}.")
    if len(bounds):
        each = [
            f"by {between(rows['mean'], '+.3f')} with {'no bound' if change == 'no bound' else f'a bound of {look.E_MAX[change]:g}'}"
            for change, rows in bounds.groupby("change", sort=False)
        ]
        lines.append(f"with another bound of E, or none, accuracy changes {enumerated(each)}.")
    if len(gates):
        fell = {change: -rows["mean"] for change, rows in gates.groupby("change", sort=False)}
        told = {
            "M = 1": "without a gate",
            "M constant": "with a gate that is learned but constant",
            "V held": "with a gate that is not learned",
        }
        each = ", ".join(f"by {between(-fell[change], '+.3f')} {told[change]}" for change in told if change in fell)
        lines.append(
            f"with a simpler gate the accuracy of {enumerated(f'`{name}`' for name in dict.fromkeys(gates.network))} changes {each}."
        )
    return figures.minus("\n".join(f"- Exploratory, on key–value pairs: {line}" for line in lines))


def _helps(found: pd.DataFrame, change: str) -> str:
    """Which networks are better with a change by the interval of the difference, in brackets; empty where none is."""
    better = found[(found.change == change) & (found.low > 0)]
    return f" (holding it adds {_said(better)})" if len(better) else ""


def _worse(found: pd.DataFrame) -> dict[str, int]:
    """By change, in how many networks it costs accuracy by the interval of the difference."""
    return {change: int((rows.high < 0).sum()) for change, rows in found.groupby("change", sort=False)}


# ---------------------------------------------------------------- one thing changed


def differences(table: pd.DataFrame, changes: Collection[str], against: str = "nothing") -> pd.DataFrame:
    """Each network with a change less the same without, over seeds: a row a difference."""
    rows = []
    for name, part in table.groupby("network", sort=False):
        of = {change: runs.accuracy for change, runs in part.groupby("change", sort=False)}
        for change in changes:
            if min(len(of.get(change, ())), len(of.get(against, ()))) > 1:
                interval = interquartile_difference([of[change]], [of[against]])
                rows.append({"network": name, "change": change, "seeds": len(of[change])} | interval._asdict())
    return pd.DataFrame(rows, columns=["network", "change", "seeds", "mean", "low", "high"])


def _said(rows: pd.DataFrame, form: str = "+.3f") -> str:
    return ", ".join(f"{Interval(r.mean, r.low, r.high):{form}} in `{r.network}`" for r in rows.itertuples())


def draw_changes(
    table: pd.DataFrame, changes: Collection[str], finding: str, message: str, against: str = "nothing"
) -> Drawing:
    """Accuracy of every seed, a place a change; the caption is ``finding``, then ``message`` on what is drawn."""
    part = table[table.change.isin([against, *changes])]
    order = [against, *changes]
    part = part.sort_values("change", key=lambda c: c.map(order.index), kind="stable")
    names = [name for name in two.COMPARED if name in set(part.network)]
    part = part.assign(change=part.change.replace(DRAWN))
    styles = figures.network_styles(names)
    figure, ((axis,),) = figures.grid(1, 1, height=0.9 + 0.36 * part.change.nunique(), squeeze=False)
    plots.seeds_and_interval(axis, part, "accuracy", styles, at="change", horizontal=True)
    axis.set(xlim=(np.floor(20 * part.accuracy.min() - 0.2) / 20, 1.0), xlabel="held-out accuracy")
    plots.legend_above(figure, styles)
    told = "; ".join(
        f"{r.network}, {r.change} {r.mean:.3f}"
        for r in plots.intervals(part, "accuracy", ["network", "change"]).itertuples()
    )
    seeds = between(part.groupby(["network", "change"]).seed.nunique(), "d")
    return Drawing(
        figure,
        part[["network", "change", "seed", "accuracy"]],
        figures.minus(f"{finding}: " if finding else "")
        + f"{message} Every seed (faint, {seeds} each), interquartile mean and 95% bootstrap interval.",
        f"Dot plot of accuracy, a place for each change, a colour for each network. {told}.",
    )


def draw_parts(table: pd.DataFrame) -> Drawing:
    """Every network with one part held where it starts."""
    found, told = differences(table, PARTS), []
    lost = found.groupby("change")["mean"].mean()
    words = ["costs most", *["less"] * (len(lost) - 2), "least"]
    for change, word in zip(lost.sort_values().index, words):
        fell = -found[found.change == change]["mean"]
        size = between(fell, ".2f") if fell.min() >= 0.005 else f"at most {max(fell.max(), 0):.2f}"
        told.append(f"holding {change.removesuffix(' held')} {word} ({size})")
    finding = ", ".join(told)
    message = "key–value pairs with one part held where it starts."
    return draw_changes(table, PARTS, capital(finding), message)


def draw_gates(table: pd.DataFrame) -> Drawing:
    """The modulated networks with simpler gates."""
    table = table[table.network.isin(look.MODULATED)]
    found, finding = differences(table, GATES), ""
    if len(found):
        every = (found["mean"] < 0).all()
        most = found.loc[found["mean"].idxmin()]
        costs = "Every simpler gate costs accuracy" if every else "Some simpler gates cost accuracy"
        finding = f"{costs}; {DRAWN[most.change]} costs most (up to {-most['mean']:.2f})"
    message = "key–value pairs with the gate of the modulated networks as it is (nothing changed), left out, constant in time, and held where it starts."
    return draw_changes(table, GATES, finding, message)


def draw_bounds(table: pd.DataFrame) -> Drawing:
    """The modulated networks with E bounded elsewhere, and not at all."""
    table = table[table.network.isin(look.MODULATED)]
    found, finding = differences(table, BOUNDS), ""
    if len(found):
        most = found["mean"].abs().max()
        finding = f"Moving or removing the bound of E changes accuracy by at most {most:.3f}"
    usual = f"E clipped at ±{look.UNCHANGED_BOUND:g} (nothing changed)"
    return draw_changes(table, BOUNDS, finding, f"key–value pairs with {usual}, at other bounds, and not at all.")


def smooth_bound_in_words() -> str:
    """The caption of the table on a smooth bound."""
    config = look.smooth_bound().configs[0]
    return (
        f"A smooth bound of E beside the clip and no bound, on {config.task.n_cues} key–value pairs after {config.training.steps} steps: E clipped "
        f"at ±{look.UNCHANGED_BOUND:g}, without a bound, and with a smooth one, where the synapse acts by E_max tanh(E / E_max) of an efficacy that is not "
        "bounded: interquartile mean over seeds with 95% bootstrap interval."
    )


def parts_needed(table: pd.DataFrame) -> str:
    """What it costs to hold each part where it starts, a line each; the answer first."""
    found = differences(table, PARTS)
    if found.empty:
        return NOT_YET
    lines, needed, worse = [], [], _worse(found)
    for change, rows in found.groupby("change", sort=False):
        if worse[change] == len(rows):
            needed.append(change.removesuffix(" held"))
        lines.append(
            f"- **{change}**: worse in {worse[change]} of {len(rows)} networks by the interval of the difference: {_said(rows)}."
        )
    answer = (
        f"Holding {' or '.join(needed)} where it starts costs every network accuracy"
        if needed
        else "No part costs every network accuracy where it is held"
    )
    rest = [part for part in look.PARTS if part not in needed]
    answer += f"; holding {' or '.join(rest)} does not cost every one" if rest and needed else ""
    return figures.minus(f"{answer}.\n\n" + "\n".join(lines))


def bound_needed(table: pd.DataFrame, smooth: pd.DataFrame) -> str:
    """Whether networks need E to be clipped where it is, in sentences; the answer first."""
    found = differences(table, BOUNDS)
    if found.empty:
        return NOT_YET
    least = found.loc[found["mean"].idxmin()]
    answer = "No" if (found.high >= 0).all() else "A little" if least["mean"] > -0.05 else "Yes"
    each = "; ".join(f"{DRAWN[change]} {_said(rows)}" for change, rows in found.groupby("change", sort=False))
    told = f"{answer}: with another bound than the usual {look.UNCHANGED_BOUND:g} accuracy changes by at most {found['mean'].abs().max():.3f}. By each: {each}."
    if answer != "Yes":
        told += " So networks learn without a bound that E could rest at."
    other = differences(smooth, ("no bound", "smooth bound"), "clip")
    for row in other[other.change == "smooth bound"].itertuples():
        reached = interquartile_mean(smooth[smooth.change == "smooth bound"].accuracy)
        told += (
            f" With a smooth bound in place of the clip, on two pairs and with {row.seeds} seeds, `{row.network}` reaches {reached:.3f}, "
            f"{Interval(row.mean, row.low, row.high):+.3f} against the clip."
        )
    return figures.minus(told)


def gate_needed(table: pd.DataFrame) -> str:
    """Whether the modulator's parameters or its signal matter, in sentences; the answer first."""
    found = differences(table, GATES)
    if found.empty:
        return NOT_YET
    of = {change: rows for change, rows in found.groupby("change", sort=False)}
    worse = _worse(found)
    told = {
        "M = 1": "Without a gate, M = 1, with the values that the search chose for the modulated network",
        "M constant": "With a gate that each neuron learns but that does not change in time, M = tanh(c)",
        "V held": "With a gate that changes in time but is not learned, V and c held where they start",
    }
    each = [f"- {told[change]}: {_said(of[change])}." for change in told if change in of]
    count = {change: f"{worse[change]} of {len(of[change])}" for change in of}
    mean = found.pivot(index="network", columns="change", values="mean")
    random = " A gate that is not learned is worse than none." if (mean["V held"] < mean["M = 1"]).all() else ""
    beside = differences(table, ("M constant",), "M = 1")
    constant = (
        f" A constant gate is better than none in {int((beside.low > 0).sum())} of {len(beside)} ({_said(beside)})."
    )
    costs = [rows["high"].max() < 0 for rows in of.values()]
    answer = (
        "Every simpler gate costs accuracy"
        if all(costs)
        else "Some simpler gates cost accuracy"
        if any(costs)
        else "No simpler gate costs every network accuracy"
    )
    return figures.minus(
        f"{answer}, by the interval of the difference: held where it starts, the gate costs accuracy in {count['V held']} networks; learned but "
        f"constant in time, in {count['M constant']}; left out, in {count['M = 1']}. A constant gate has fewer parameters than the whole gate, so whether "
        f"its movement or its parameters matter is not told apart.{random}{constant if len(beside) else ''}\n\n"
        + "\n".join(each)
    )


# ---------------------------------------------------------------- trained with other pairs, bits and delays

USUAL = KeyValuePairs()


def trained_with(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracy and bits stored of each run of :func:`closer_look.trained_with_pairs`, with what its task was; by task, then network."""
    parts = []
    for config in look.trained_with_pairs().configs if len(runs) else ():
        part = runs.loc[runs.config_hash == config.hash, ["config_hash", "seed", "git_commit", "accuracy"]]
        task, size = config.task, sum(p.numel() for p in config.build(0).parameters())
        bits = part.accuracy.map(task.information)
        parts.append(
            part.assign(
                network=two.compared_as(config.network.name, config.network.n_hidden),
                pairs=task.n_cues,
                value_bits=task.value_bits,
                delay_ms=task.delay_ms,
                bits=bits,
                bits_per_neuron=bits / config.network.n_hidden,
                bits_per_thousand=1000 * bits / size,
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _by_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose task differs from the usual one by its pairs alone."""
    return table[(table.value_bits == USUAL.value_bits) & (table.delay_ms == USUAL.delay_ms)]


def _peaks(table: pd.DataFrame) -> pd.DataFrame:
    """Of each network the number of pairs at which it stores most bits, the best network first."""
    found = plots.intervals(_by_pairs(table), "bits", ["network", "pairs"])
    return found.loc[found.groupby("network", sort=False)["mean"].idxmax()].sort_values("mean", ascending=False)


def _most(table: pd.DataFrame) -> str:
    peak = _peaks(table)
    return "; ".join(
        f"{r.network} {r.mean:.1f} (at {r.pairs} pair{'s' if r.pairs > 1 else ''})" for r in peak.itertuples()
    )


def most_stored(table: pd.DataFrame) -> str:
    """The most bits that each network stores where it is trained for as many pairs as it is tested with, as a line; or nothing."""
    if table.empty:
        return ""
    pairs = f"1 to {max(look.PAIRS)} pairs of {USUAL.value_bits} bits"
    return f"- Exploratory: most bits that each network stores where it is trained for {pairs}, in half the steps: {_most(table)}."


def draw_trained_with(table: pd.DataFrame) -> Drawing:
    """Accuracy and bits stored, in all, per neuron and per thousand parameters, against the number of pairs trained with."""
    usual = _by_pairs(table)
    names = [name for name in two.COMPARED if name in set(usual.network)]
    styles = figures.network_styles(names)
    panels = {
        "accuracy": "held-out accuracy",
        "bits": "bits stored",
        "bits_per_neuron": "bits per hidden neuron",
        "bits_per_thousand": "bits per 1000 parameters",
    }
    figure, axes = figures.grid(2, 2, height=4.6)
    for axis, (column, label) in zip(axes.flat, panels.items()):
        plots.band(axis, usual, "pairs", column, styles)
        axis.set(xlabel="pairs trained with", ylabel=label, xticks=sorted(usual.pairs.unique()))
    plots.legend_above(figure, styles)
    told, first = _most(table), _peaks(table).iloc[0]
    return Drawing(
        figure,
        table.drop(columns=["config_hash", "git_commit"]),
        f"Trained for the number of pairs that they are tested with, networks store at most {first['mean']:.1f} bits, by {first.network}: {told}. {look.PAIRS_TRAINING.steps} steps "
        f"each, {between(usual.groupby(['network', 'pairs']).seed.nunique(), 'd')} seeds. All networks have as many hidden neurons but "
        "lsnn-100, which has more parameters than any other. Accuracy, and bits stored in all, per hidden neuron and per thousand parameters: "
        "interquartile mean with bootstrap intervals.",
        f"Four panels against the number of pairs. Most bits: {told}.",
    )


def shown_trained_with(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`trained_with` as it is read: a row a task, a column a network."""
    table = table.assign(delay_ms=[f"{delay:g}" for delay in table.delay_ms])
    shown = plots.interval_table(table, "accuracy", ["pairs", "value_bits", "delay_ms"])
    return shown.rename(columns={"value_bits": "bits", "delay_ms": "delay (ms)"})


def how_much(table: pd.DataFrame) -> str:
    """Whether plastic networks keep their lead when trained for other pairs, values and delays, in sentences; the answer first."""
    if table.empty:
        return NOT_YET
    rows = []
    for (pairs, bits, delay), part in table.groupby(["pairs", "value_bits", "delay_ms"], sort=False):
        of = {name: runs.accuracy for name, runs in part.groupby("network", sort=False) if len(runs) > 1}
        mean = {name: interquartile_mean(accuracy).mean for name, accuracy in of.items()}
        best = [
            max(set(names) & set(of), key=mean.__getitem__, default=None)
            for names in (look.STORES_PLASTIC, look.STORES_OTHER)
        ]
        if None not in best:
            gain = interquartile_difference(*([of[name]] for name in best))
            task = {"pairs": pairs, "bits": bits, "delay": delay}
            rows.append(task | {"mean": gain.mean, "low": gain.low, "high": gain.high})
    found = pd.DataFrame(rows)
    if found.empty:
        return NOT_YET
    ahead, behind = found.low > AHEAD, found.high < -AHEAD
    told = (
        f"Trained for what it is tested with, the better plastic network is ahead of the best other one by more than {AHEAD:g}, by the "
        f"interval of the difference, in {ahead.sum()} of {len(found)} tasks, and behind in {behind.sum()}."
    )
    if len(rest := found[~ahead & ~behind]):
        told += f" No difference is found with {enumerated(_task(r) for r in rest.itertuples())}."
    if behind.any():
        told += f" It is behind with {enumerated(_task(r) for r in found[behind].itertuples())}."
    if ahead.any():
        least, most = (found.loc[getattr(found["mean"][ahead], end)()] for end in ("idxmin", "idxmax"))
        told += f" Where it is ahead, the lead is between {least['mean']:.3f} ({_task(least)}) and {most['mean']:.3f} ({_task(most)})."
    return figures.minus(told)


def _task(row) -> str:
    """A task by what is not usual in it."""
    pairs = f"{row.pairs:g} pair{'s' if row.pairs > 1 else ''}"
    bits = f" of {row.bits:g} bits" if row.bits != USUAL.value_bits else ""
    delay = f" after {row.delay / 1000:g} s" if row.delay != USUAL.delay_ms else ""
    return pairs + bits + delay


# ---------------------------------------------------------------- the slope of the surrogate


def slopes(chapter: Chapter) -> pd.DataFrame:
    """Plastic networks on cue-reward at high noise with both slopes, every seed; how large gradients were on the way."""
    cell, steep = "cue-reward-high", look.steep()
    parts = []
    for experiment in (two.round_two(cell, networks=look.PUBLISHED_PLASTIC), steep):
        published = chapter.everything.published_runs(experiment.name)
        if published is None:
            continue
        known = {config.hash: config.network for config in experiment.configs}
        keys = ["config_hash", "seed"]
        runs = published.runs[published.runs.config_hash.isin(list(known))]
        gradient = published.curves.groupby(keys).gradient_norm.median().rename("gradient_norm").reset_index()
        runs = runs[[*keys, "git_commit", "accuracy", "firing_rate"]].merge(gradient, on=keys)
        network = [known[one] for one in runs.config_hash]
        parts.append(runs.assign(network=[n.name for n in network], slope=[n.options.slope for n in network]))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return found.assign(change=[f"slope {slope:g}" for slope in found.slope]) if len(parts) == 2 else pd.DataFrame()


def draw_slopes(table: pd.DataFrame) -> Drawing:
    """Cue-reward at high noise with both slopes."""
    usual, steep = (f"slope {slope:g}" for slope in (table.slope.min(), look.STEEP))
    found, finding = differences(table, [steep], usual), ""
    hard = found[found.high < -0.05]
    if len(hard):
        finding = f"With a steep surrogate ({steep}) accuracy falls by " + enumerated(
            f"{-r.mean:.3f} in {r.network}" for r in hard.itertuples()
        )
        rest = found[~found.network.isin(hard.network)]
        finding += (
            f", and by at most {max(-rest['mean'].min(), 0):.3f} in {enumerated(rest.network)}" if len(rest) else ""
        )
    elif len(found):
        finding = f"A steep surrogate ({steep}) costs at most {max(-found['mean'].min(), 0):.3f} of accuracy"
    message = f"cue-reward at high noise with the {usual} of the surrogate that round two searched, and with the {steep} of round one, all else equal."
    return draw_changes(table, [steep], finding, message, usual)


def in_round_one(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of round one at high noise, with the columns network and accuracy; empty where there are none."""
    if runs.empty:
        return pd.DataFrame(columns=["network", "accuracy"])
    return runs[runs["task.noise"] == "high"].rename(columns={"network.name": "network"})


def why_hard(table: pd.DataFrame, first: pd.DataFrame) -> str:
    """What the slope did, and what longer training did by itself, in sentences; the answer first.

    Args:
        table: runs of round two with both slopes.
        first: the runs of round one, which had the steep slope and a shorter training, with the columns network and accuracy.
    """
    if table.empty:
        return NOT_YET
    usual, steep = (f"slope {slope:g}" for slope in (table.slope.min(), look.STEEP))
    found = differences(table, (steep,), usual)
    if found.empty:
        return NOT_YET
    reach = {change: (2**0.5 - 1) / slope for change, slope in zip(table.change, table.slope)}
    trained = f"Trained as in round two, but with round one's slope of {look.STEEP:g} instead of {table.slope.min():g}"
    parts = {True: found[found.high < -0.05], False: found[found.high >= -0.05]}
    lost = {
        hard: f"{enumerated(f'`{name}`' for name in rows.network)} {'lose' if len(rows) > 1 else 'loses'} "
        + enumerated(f"{-r.mean:.3f} ({-r.high:.3f} to {-r.low:.3f})" for r in rows.itertuples())
        for hard, rows in parts.items()
        if len(rows)
    }
    if True not in lost:
        return figures.minus(f"Not because the surrogate gradient was too steep. {trained}, {lost[False]} of accuracy.")
    rest = f"; {lost[False]}" if False in lost else ""
    reached = [interquartile_mean(runs.accuracy).mean for _, runs in table[table.change == usual].groupby("network")]
    longer = differences(pd.concat([table, first.assign(change="round one")]), (steep,), "round one")
    alone = (
        f"Round two's training alone, still with the steep slope, changes round one's accuracy by {_said(longer)}. "
        if len(longer)
        else ""
    )
    return figures.minus(
        f"Because the surrogate gradient was too steep for {enumerated(f'`{name}`' for name in parts[True].network)}. {trained}, {lost[True]} of "
        f"accuracy{rest} ({found.seeds.min()} seeds with the steep slope, 95% bootstrap intervals). {alone}"
        f"With a steep surrogate the gradient falls to half within {reach[steep]:.2f} of the threshold, with {usual} within "
        f"{reach[usual]:.2f}. The same networks reach {min(reached):.2f} to {max(reached):.2f} with {usual}, so E can hold the answer."
    )


# ---------------------------------------------------------------- traditional networks with a curriculum


AS_SEARCHED = "as searched"


def taught(runs: pd.DataFrame) -> pd.DataFrame:
    """What traditional networks reach after each lesson of their curriculum: a row a run and a number of cues."""
    configs, rows = {config.hash: config for config in look.curriculum().configs}, []
    cells = {cell.task: key for key, cell in two.CELLS.items()}
    other_start = f"slope {look.OTHER_START.surrogate:g}, recovery {look.OTHER_START.start:g}"
    for run in runs[runs.config_hash.isin(list(configs))].to_dict("records") if len(runs) else []:
        config = configs[run["config_hash"]]
        name = two.compared_as(config.network.name, config.network.n_hidden)
        start = AS_SEARCHED if config.network == two.network(name, two.CHOSEN[name]) else other_start
        reached = {
            cues: (run[f"taught.{cues}.accuracy"], run[f"taught.{cues}.firing_rate"])
            for cues in config.training.earlier
        }
        reached[config.task.n_cues] = run["accuracy"], run["firing_rate"]
        where = {key: run[key] for key in ("config_hash", "seed", "git_commit")}
        for cues, (accuracy, rate) in reached.items():
            found = {
                "cell": cells[config.task],
                "network": name,
                "start": start,
                "cues": cues,
                "accuracy": accuracy,
                "firing_rate": rate,
            }
            rows.append(where | found)
    return pd.DataFrame(rows)


def shown_taught(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`taught` as it is read: a row a network, a column a lesson."""
    rows = []
    for (cell, name, start), part in table.groupby(["cell", "network", "start"], sort=False):
        lessons = [interquartile_mean(of.accuracy) for _, of in part.groupby("cues")]
        cues = sorted(part.cues.unique())
        unit = "pairs" if cell.startswith("key-value-pairs") else "cues"
        row = {"task": two.CELLS[cell].label, "network": name, "start": start, "seeds": part.seed.nunique()}
        rows.append(
            row
            | {
                f"lesson {k}": f"{i:.3f} ({n} {unit if n > 1 else unit[:-1]})"
                for k, (n, i) in enumerate(zip(cues, lessons), 1)
            }
        )
    return pd.DataFrame(rows)


def with_a_curriculum(table: pd.DataFrame, straight: pd.DataFrame) -> str:
    """What a curriculum did for networks that stay at chance, in sentences; ``straight`` are the runs of round two."""
    if table.empty:
        return NOT_YET
    lines, items, stuck, others = [], [], [], []
    for (cell, name, start), part in table.groupby(["cell", "network", "start"], sort=False):
        by_cues = part.groupby("cues")
        mean, rates = by_cues.accuracy.agg(lambda of: interquartile_mean(of).mean), by_cues.firing_rate.mean()
        # round two's runs have the start that was searched, and no other was run without a curriculum
        without = straight[(straight.cell == cell) & (straight.network == name) & (start == AS_SEARCHED)].accuracy
        before = interquartile_mean(without).mean if len(without) else float("nan")
        unit = "pairs" if cell.startswith("key-value-pairs") else "cues"
        if before < LEARNED:
            stuck.append(mean.iloc[-1] > LEARNED)
        elif start != AS_SEARCHED:
            others.append(mean.iloc[-1] > LEARNED)
        if unit == "pairs" and mean.iloc[0] > 0.9 and mean.iloc[1] < LEARNED:
            items.append(name)
        last = interquartile_mean(part[part.cues == part.cues.max()].accuracy)
        each = ", ".join(f"{value:.3f} with {cues}" for cues, value in mean.iloc[:-1].items())
        each += f", {f'{last:.3f}' if part.seed.nunique() > 1 else f'{last.mean:.3f}'} with {mean.index[-1]}"
        lines.append(
            f"- `{name}` ({start}) on {two.CELLS[cell].label}: {each} {unit} ({rates.min():.0f} to {rates.max():.0f} Hz)"
            + (f"; {before:.3f} without a curriculum." if len(without) else ".")
        )
    held = (
        f" One pair is learned by {enumerated(f'`{name}`' for name in dict.fromkeys(items))}, two pairs are not. One value can be remembered without its "
        "key; with two pairs the network must know which value belongs to which key. As far as this training goes these networks store one value, but not "
        "which of two belongs to a key."
    )
    counted = [f"{sum(stuck)} of {len(stuck)} cases that stayed at chance in round two"] * bool(stuck)
    counted += [f"{sum(others)} of {len(others)} with another start"] * bool(others)
    return (
        f"{'Some do' if any([*stuck, *others]) else 'No'}: with fewer cues or pairs first, and as many steps in all, {enumerated(counted) or 'none'} end above {LEARNED:g}, this page's mark for having learned."
        f"{held if items else ''}\n\n" + "\n".join(lines)
    )

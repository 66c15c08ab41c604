"""The landing page: does the paper hold up? Four sentences, one figure and a grid of claims."""

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes

from ...checks import require
from ...records.statistics import interquartile_difference, interquartile_mean
from ...walking.conditions import TRAINING
from ...walking.robots import ENVIRONMENTS
from .. import figures, plots
from ..claims import VERDICTS, Judgement, latest, number
from ..figures import Drawing, Item
from ..judges.judge import Records
from ..judges.temporal import Thresholds
from ..judges.temporal_round_two import by_network, limits_of
from ..judges.walking import ROBOT
from ..phrases import capital, enumerated
from .scorecard import MARKS, against, anchor, in_words, label_of

PLAIN = "snn"
# networks with another kind of memory, in words
KINDS = {
    "lsnn": "recurrent spiking networks with adaptive thresholds (LSNN)",
    "rsnn": "recurrent spiking networks with slow membranes",
    "stp": "short-term plasticity",
}


def answer(judgements: Sequence[Judgement], results: Records) -> Markdown:
    """The answer in four sentences: the verdicts, the temporal tasks, other memories, walking; each of its latest round."""
    newest = {j.id: j for j in latest(judgements)}
    sentences = [_verdicts(newest), _tasks(newest), _memories(newest, results), _walking(newest, results)]
    return Markdown(figures.minus("\n\n".join(filter(None, sentences))))


def grid(judgements: Sequence[Judgement]) -> Markdown:
    """Tables of claims × what they are judged on (tasks, or networks that walk): a mark and the cells met in each cell.

    Each cell leads to its own anchor on the scorecard. The paper's claims stand open, the questions of our own are folded.
    """
    newest = latest(judgements)
    tables = _tables([j for j in newest if not j.claim.ours], newest, judgements)
    own = [j for j in newest if j.claim.ours and _columns(j)]
    used = {j.verdict for j in judgements} | {one.verdict for j in judgements for one in j.decision.found.values()}
    legend = " · ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items() if verdict in used)
    told = [
        f"{legend}. A count: how many networks on a task, or robots, meet the criterion; {MARKS[VERDICTS[1]]} beside a 0 is met in part alone. "
        "[What dp-oja and its kin are](#names-of-the-networks)." + _rounds(judgements)
    ]
    if own:
        counted = "one question" if len(own) == 1 else f"{len(own)} questions"
        told.append(
            figures.folded(f"What we asked beyond the paper: {counted}", *_tables(own, newest, judgements)).markdown
        )
    waiting = [f"[{j.claim.title}](#{anchor(j)})" for j in newest if not _columns(j)]
    if waiting:
        told.append(f"Registered and not yet judged: {'; '.join(waiting)}.")
    return Markdown(figures.minus("\n\n".join([*tables, *(f":::::::::{{container}} claims-grid\n{text}\n:::::::::" for text in told)])))  # fmt: skip


def beside(text: Markdown, item: Item) -> Markdown:
    """A text with a figure to its right, or below it on a narrow screen."""
    parts = "\n\n".join(f":::::{{grid-item}}\n{part}\n:::::" for part in (text.data, item.markdown))
    return Markdown(f"::::::{{grid}} 1 1 2 2\n:gutter: 3\n:class-container: landing\n\n{parts}\n::::::")


def shown_in_overview(results: Records, judgements: Sequence[Judgement]) -> list[str]:
    """The published results that :func:`draw_overview` draws; none before a round was run on temporal tasks."""
    if not _on_temporal_tasks(judgements):
        return []
    walk = _walk(judgements)
    return [name for name in (*_widest(judgements).records, *(walk.records if walk else ())) if name in results]


def draw_overview(results: Records, judgements: Sequence[Judgement]) -> Drawing:
    """Accuracy on the temporal tasks of the latest round that was run, and what the policies earn of that on walking."""
    widest, walk = _widest(judgements), _walk(judgements)
    d = {name: value for j in judgements if j.round.number == widest.round.number for name, value in j.round.definitions.items()}  # fmt: skip
    data = pd.concat([*_accuracies(results, widest), _returns(results, walk)], ignore_index=True)
    names = _shown(data, widest)
    data = data[data.network.isin(names)].reset_index(drop=True)
    walks = {name: value for name, value in (("walks", d.get("walks_at_least")),) if value}
    labels = {"accuracy": "accuracy on held-out trials", "return": "return of an episode"}
    robots = data[data.measure == "return"].place.nunique()
    figure, axes = plt.subplots(
        2, 1, figsize=(4.6, 1.9 + 0.3 * robots), height_ratios=(len(widest.decision.found), 0.3 + robots)
    )
    for axis, measure in zip(axes, labels):
        part = data[data.measure == measure].assign(place=lambda t: t.place.map(label_of))
        plots.seeds_and_interval(axis, part, "value", figures.network_styles(names), at="place", horizontal=True)
        if measure == "accuracy":
            _task_limits(axis, [_limits(task, widest.round.number, judgements) for task in dict.fromkeys(data[data.measure == measure].place)])  # fmt: skip
        else:
            plots.limits(axis, walks, horizontal=True)
        axis.set_xlabel(labels[measure])
    plots.legend_above(figure, figures.network_styles(names), columns=4)
    middle = plots.intervals(data, "value", ["measure", "place", "network"])
    told = "; ".join(
        f"{label_of(place)}: " + ", ".join(f"{r.network} {number(r.mean)}" for r in part.itertuples())
        for place, part in middle.groupby("place", sort=False)
    )
    alt = f"Dot plot of {len(names)} networks on temporal tasks and as they walk. Interquartile means: {told}."
    return Drawing(figure, data, _caption(data, judgements), alt)


def _limits(task: str, number: int, judgements: Sequence[Judgement]) -> Thresholds:
    """Where a task is solved and failed in a round: its own thresholds, which allow for what the ideal observer misses."""
    d = next(j.round.definitions for j in judgements if j.round.number == number and task in j.round.tasks and "solved_at_least" in j.round.definitions)  # fmt: skip
    return limits_of(d)


def _task_limits(axis: Axes, limits: Sequence[Thresholds]) -> None:
    """Of each task, from top to bottom, a short line at each of its thresholds; their names stand above the first."""
    for (name, values), dash in zip(Thresholds(*zip(*limits))._asdict().items(), ("--", ":")):
        for k, value in enumerate(values):
            axis.vlines(value, k - 0.5, k + 0.5, color="0.4", lw=0.8, ls=dash, zorder=0)
        axis.text(values[0], 1.0, name, transform=axis.get_xaxis_transform(), fontsize=7, color="0.35", ha="center", va="bottom")  # fmt: skip


def _shown(data: pd.DataFrame, widest: Judgement) -> list[str]:
    """The plain and the plastic networks, the best of the others on the tasks, and the policy that does not spike."""
    plastic = widest.round.plastic
    others = data[(data.measure == "accuracy") & ~data.network.isin([PLAIN, *plastic])].groupby("network").value.mean()
    best = [others.idxmax()] if len(others) else []
    return [name for name in (PLAIN, *plastic, *best, "mlp") if (data.network == name).any()]


def _caption(data: pd.DataFrame, judgements: Sequence[Judgement]) -> str:
    newest = {j.id: j for j in latest(judgements)}
    met, of = newest["claim-3"].cells
    noisy = newest.get("claim-4")
    but = ""
    if noisy is not None and noisy.decision.found and (where := _observer_errs(noisy)):
        but = f" ({noisy.cells[0] or 'none'} of {noisy.cells[1]} on {where})"
    returns = data[data.measure == "return"]
    walking = ""
    if PLAIN in set(returns.network):
        more = _earn_more(returns, newest["claim-5"].round.plastic)
        walking = f", and {enumerated(more) or 'none'} {'walk' if len(more) > 1 else 'walks'} significantly better than {PLAIN}"
    return f"Plastic networks solve {met} of {of} cases that {PLAIN} fails{but}{walking}. Seeds (faint), interquartile mean, 95% interval."


def _on_temporal_tasks(judgements: Sequence[Judgement]) -> list[Judgement]:
    return [j for j in latest(judgements) if j.round.tasks and j.decision.found and set(j.decision.found) <= set(j.round.tasks)]  # fmt: skip


def _widest(judgements: Sequence[Judgement]) -> Judgement:
    """Of the latest round that was run on temporal tasks, the judgement that rests on most of them and their networks."""
    judged = _on_temporal_tasks(judgements)
    require(len(judged) > 0, "judgements", len(judged), "one or more that were run on temporal tasks")
    return max(judged, key=lambda j: (j.round.number, len(j.decision.found), len(j.records)))


def _accuracies(results: Records, j: Judgement) -> Iterator[pd.DataFrame]:
    """Of each task of a judgement the accuracy of every run at the noise that the claim is about."""
    for task in j.decision.found:
        for name in j.records:
            if name.startswith(task) and name in results:
                runs = results[name]
                if j.round.number > 1:
                    runs = pd.concat([part.assign(network=key) for key, part in by_network(runs).items()])
                else:
                    runs = runs[runs["task.noise"] == "low"].rename(columns={"network.name": "network"})
                yield runs.assign(place=task, measure="accuracy", value=runs["accuracy"])[_COLUMNS]


def _walk(judgements: Sequence[Judgement]) -> Judgement | None:
    """The latest judgement on who walks."""
    return next((j for j in latest(judgements) if j.id == "claim-5"), None)


def _returns(results: Records, walk: Judgement | None) -> pd.DataFrame:
    """What every policy behind a judgement earns on each of its robots: Ant alone in round one, and both after it."""
    walks = None if walk is None else results.get(walk.records[0])
    if walks is None:
        return pd.DataFrame(columns=_COLUMNS)
    robots = (ROBOT,) if walk.round.number == 1 else ENVIRONMENTS
    walks = walks[walks.environment.isin(robots) & (walks.condition == TRAINING)]
    places = walks.environment.str.removesuffix("-v5")
    return walks.rename(columns={"return": "value"}).assign(place=places, measure="return")[_COLUMNS]


_COLUMNS = ["measure", "place", "network", "seed", "value"]


def _rounds(judgements: Sequence[Judgement]) -> str:
    """How much of the latest round has been run, where it is not all of it."""
    last = max(j.round.number for j in judgements)
    judged = [bool(j.decision.found) for j in judgements if j.round.number == last]
    if all(judged):
        return ""
    return f" {sum(judged)} of the {len(judged)} claims and questions of round {last} have been judged; elsewhere round {last - 1} stands."  # fmt: skip


def _verdicts(newest: Mapping[str, Judgement]) -> str:
    claims = [j for j in newest.values() if not j.claim.ours]
    counts = {verdict: sum(j.verdict == verdict for j in claims) for verdict in VERDICTS}
    told = [f"{n} {'is' if n == 1 else 'are'} {verdict}" for verdict, n in counts.items() if n]
    return f"**Of the {len(claims)} claims in the paper's abstract, {enumerated(told)}.**"


def _tasks(newest: Mapping[str, Judgement]) -> str:
    """How often plastic networks solve what the plain one fails, without and with significant noise."""
    judged = [newest[id] for id in ("claim-3", "claim-4") if id in newest and newest[id].decision.found]
    told = []
    for j in judged:
        met, of = j.cells
        if j.id == "claim-3":
            told.append(f"{met} of {of} cases (network × task) that a plain spiking network fails")
        elif where := _observer_errs(j):
            few = told and met * judged[0].cells[1] < of * judged[0].cells[0]
            told.append(f"{', but' if few else ' and'} {met} of {of} on {where}, the only task whose noise misleads even an ideal observer")  # fmt: skip
        else:
            told.append(f" and {met} of {of} under significant noise")
    return f"Plastic networks solve {''.join(told).removeprefix(' and ')}." if told else ""


def _observer_errs(j: Judgement) -> str:
    """The tasks of a judgement where even an ideal observer errs, by their labels; "" where it makes no mistake."""
    errs = j.round.definitions.get("observer", 1.0) < 1
    return enumerated([label_of(task) for task in j.decision.found]) if errs else ""


def _memories(newest: Mapping[str, Judgement], results: Records) -> str:
    """Whether networks with another kind of memory do as well: where they win, by how much, and where they lose."""
    j = newest.get("claim-3-other-memory")
    if j is None or not j.decision.found:
        return ""
    found = j.decision.found
    won = [task for task, one in found.items() if one.verdict != VERDICTS[2] and one.met > 0]
    lost = {task: _best(results, j, task) for task, one in found.items() if one.verdict == VERDICTS[2]}
    if not lost:
        return f"No other kind of memory does as well: {j.cells[0]} of {j.cells[1]} cases."
    told = "; ".join(
        f"on {label_of(task)}, {other[0]} reaches {other[1]:.2f} and the best plastic network, {own[0]}, {own[1]:.2f}"
        for task, (other, own) in lost.items()
    )
    kinds = {KINDS.get(other[0].split("-")[0], "another kind of memory") for other, _ in lost.values()}
    ahead = f". Plastic networks lead on {enumerated([label_of(task) for task in won])}" if won else ""
    who = " and ".join(sorted(kinds))
    return f"**{capital(who)} can beat plasticity**: {told}{ahead}."


def _best(results: Records, j: Judgement, task: str) -> tuple[tuple[str, float], tuple[str, float]]:
    """The best network with another kind of memory on a task of a judgement, and the best plastic one, with accuracies."""
    runs = pd.concat([part for part in _accuracies(results, j) if (part.place == task).all()])
    means = runs.groupby("network").value.apply(lambda values: interquartile_mean(values).mean)
    plastic = means[means.index.isin(j.round.plastic)]
    other = means[~means.index.isin([PLAIN, *j.round.plastic])]
    return (other.idxmax(), other.max()), (plastic.idxmax(), plastic.max())


def _walking(newest: Mapping[str, Judgement], results: Records) -> str:
    """How many plastic networks walk, what they keep under novel conditions, and whether they remember while they walk."""
    walk, keep = newest.get("claim-5"), newest.get("claim-6")
    if walk is None or keep is None or not (walk.decision.found and keep.decision.found):
        return ""
    met, of = walk.cells
    better = _earn_more(_returns(results, walk), walk.round.plastic)
    gain = f"{enumerated(better) or 'none'} significantly better than the plain one"
    first = walk.round.number == 1
    told = (
        f"{met} of {of} plastic networks walk with a simulated ant, {gain}"
        if first
        else f"Plastic networks walk in {met} of {of} cases (network × robot), {gain}"
    )
    d, (kept, cells) = keep.round.definitions, keep.cells
    part, of_what = sum(one.in_part for one in keep.decision.found.values()), "return" if first else "progress"
    told += (
        f". Under novel conditions {kept or 'none'} of {cells} keep{'s' * (kept < 2)} the {d.keeps_at_least:.0%} of "
        f"[{of_what}](novel_conditions.ipynb) that was asked for"
        + (f", {'all' if part == cells else part} at least {d.keeps_partly_at_least:.0%} by the mean" if part else "")
    )
    remember = newest.get("claim-adaptation")
    if remember is not None and remember.decision.found:
        told += f". Where [a walk must be remembered](adaptation.ipynb), {remember.cells[0]} of {remember.cells[1]} networks remember which way to run"
        found = newest.get("claim-adaptation-finding-out")
        if found is not None and found.decision.found:
            met, of = found.cells
            told += f", and {met or 'none'} of {of} find{'s' * (met == 1)} it out where only the reward is shown"
    return told + "."


def _earn_more(returns: pd.DataFrame, plastic: Sequence[str]) -> list[str]:
    """The plastic networks whose return is above the plain one's by an interval that excludes zero; and, where there are several robots, on which."""
    of = {key: part.value for key, part in returns.groupby(["place", "network"], sort=False)}
    places = list(dict.fromkeys(returns.place))
    return [
        name if len(places) == 1 else f"{name} on {place}"
        for name in plastic
        for place in places
        if {(place, name), (place, PLAIN)} <= set(of)
        and interquartile_difference([of[place, name]], [of[place, PLAIN]]).low > 0
    ]


def _together(judgements: Sequence[Judgement]) -> list[tuple[str, ...]]:
    """The columns of each table: claims that share one stand in one table."""
    tables: list[tuple[str, ...]] = []
    for j in judgements:
        columns = _columns(j)
        share = [one for one in tables if set(one) & set(columns)]
        joined = tuple(dict.fromkeys(name for one in (*share, columns) for name in one))
        at = tables.index(share[0]) if share else len(tables)
        tables = [*tables[:at], joined, *(one for one in tables[at:] if one not in share)]
    return tables


def _columns(j: Judgement) -> tuple[str, ...]:
    """What the claim is judged on, in order: what was found, or the tasks of a round that is not yet run."""
    return tuple(j.decision.found) or j.round.tasks


def _tables(part: Sequence[Judgement], newest: Sequence[Judgement], judgements: Sequence[Judgement]) -> list[str]:
    """A table of ``part`` for each set of columns that claims share, without the columns that none of ``part`` has."""
    tables = []
    for columns in _together(newest):
        rows = [j for j in part if set(_columns(j)) & set(columns)]
        used = tuple(name for name in columns if any(name in _columns(j) for j in rows))
        tables += [_table(rows, used, judgements)] if rows else []
    return tables


def _table(rows: Sequence[Judgement], keys: tuple[str, ...], judgements: Sequence[Judgement]) -> str:
    heads = ["claim", "verdict", "decided by", *map(label_of, keys)]
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|" + ":-:|" * len(keys)]
    for j in rows:
        cells = [
            f"**{j.label}.** {j.claim.title}",
            _verdict(j, judgements),
            _decided(j),
            *(_cell(j, key) for key in keys),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return f":::{{container}} claims-grid of-{len(keys)}\n" + "\n".join(lines) + "\n:::"


def _verdict(j: Judgement, judgements: Sequence[Judgement]) -> str:
    """The verdict, and those of the claim's other rounds, each with its anchor."""
    others = [e for e in judgements if e.id == j.id and e is not j]
    told = "".join(f" [round {e.round.number}: {MARKS[e.verdict]}](#{anchor(e)})" for e in others)
    return f"[{MARKS[j.verdict]} {j.read()}](#{anchor(j)}){told}"


def _decided(j: Judgement) -> str:
    """The number that decided against its threshold, without what the scorecard adds in words."""
    what, told = j.deciding.what, against(j.deciding)
    return told.replace(in_words(what), ", ".join(in_words(what).split(", ")[:2]), 1)


def _cell(j: Judgement, key: str) -> str:
    one = j.decision.found.get(key)
    if one is None:
        return f"[{MARKS[j.verdict]}](#{anchor(j)})" if key in _columns(j) else ""
    count = f" {one.met}/{one.of}" if one.of > 1 else ""
    return f"[{MARKS[one.verdict]}{count}](#{anchor(j, key)})"

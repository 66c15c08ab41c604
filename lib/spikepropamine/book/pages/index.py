"""The landing page: does the paper hold up? Four sentences, one figure and a grid of claims."""

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown

from ...checks import require
from ...records.statistics import interquartile_difference
from ...walking.conditions import TRAINING
from .. import figures, plots
from ..claims import VERDICTS, Judgement, latest, number
from ..figures import Drawing, Item
from ..judges.judge import Records
from ..judges.temporal_round_two import by_network
from ..judges.walking import MEASUREMENTS, ROBOT
from .scorecard import MARKS, against, anchor

PLAIN = "snn"


def answer(judgements: Sequence[Judgement]) -> Markdown:
    """The answer in four sentences: the verdicts, the temporal tasks, other memories, walking; each of its latest round."""
    newest = {j.id: j for j in latest(judgements)}
    claims = [j for j in newest.values() if not j.claim.ours]
    counts = {v: sum(j.verdict == v for j in claims) for v in VERDICTS}
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
    sentences = [f"**Of the {len(claims)} claims of the abstract, {told}.**{_rounds(judgements)}"]
    sentences += [tell(newest) for tell in (_tasks, _memories, _walking)]
    return Markdown(figures.minus("\n\n".join(filter(None, sentences))))


def grid(judgements: Sequence[Judgement]) -> Markdown:
    """Tables of claims × what they are judged on (tasks, or networks that walk): a mark and the cells met in each cell.

    Each cell leads to its own anchor on the scorecard.
    """
    newest, tables = latest(judgements), []
    for columns in filter(None, _together(newest)):
        rows = [j for j in newest if set(_columns(j)) & set(columns)]
        tables.append(_table(rows, columns, judgements))
    waiting = [f"[{j.claim.title}](#{anchor(j)})" for j in newest if not _columns(j)]
    if waiting:
        tables.append(f":::{{container}} claims-grid\nRegistered and not yet run: {'; '.join(waiting)}.\n:::")
    legend = " · ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
    legend += (
        ". Counts: networks that meet the criterion. The number is the one that decides, against its threshold. What dp-oja and "
        "its kin are: [names of the networks](#names-of-the-networks)."
    )
    return Markdown(figures.minus("\n\n".join([*tables, f":::{{container}} claims-grid\n{legend}\n:::"])))


def beside(text: Markdown, item: Item) -> Markdown:
    """A text with a figure to its right, or below it on a narrow screen."""
    parts = "\n\n".join(f":::::{{grid-item}}\n{part}\n:::::" for part in (text.data, item.markdown))
    return Markdown(f"::::::{{grid}} 1 1 2 2\n:gutter: 3\n:class-container: landing\n\n{parts}\n::::::")


def shown_in_overview(results: Records, judgements: Sequence[Judgement]) -> list[str]:
    """The published results that :func:`draw_overview` draws."""
    return [name for name in (*_widest(judgements).records, MEASUREMENTS) if name in results]


def draw_overview(results: Records, judgements: Sequence[Judgement]) -> Drawing:
    """Accuracy on the temporal tasks of the latest round that was run, and what the policies earn on Ant."""
    widest = _widest(judgements)
    d = {name: value for j in judgements if j.round.number == widest.round.number for name, value in j.round.definitions.items()}  # fmt: skip
    data = pd.concat([*_accuracies(results, widest), _returns(results)], ignore_index=True)
    names = _shown(data, widest)
    data = data[data.network.isin(names)].reset_index(drop=True)
    limits = {
        "accuracy": {"solved": d["solved_at_least"], "failed": d["failed_at_most"]},
        "return": {name: value for name, value in (("walks", d.get("walks_at_least")),) if value},
    }
    labels = {"accuracy": "accuracy on held-out trials", "return": "return of an episode"}
    figure, axes = plt.subplots(2, 1, figsize=(4.2, 2.9), height_ratios=(len(widest.decision.found), 1.3))
    for axis, measure in zip(axes, limits):
        part = data[data.measure == measure]
        plots.seeds_and_interval(axis, part, "value", figures.network_styles(names), at="place", horizontal=True)
        plots.limits(axis, limits[measure], horizontal=True)
        axis.set_xlabel(labels[measure])
    plots.legend_above(figure, figures.network_styles(names), columns=4)
    middle = plots.intervals(data, "value", ["measure", "place", "network"])
    told = "; ".join(
        f"{place}: " + ", ".join(f"{r.network} {number(r.mean)}" for r in part.itertuples())
        for place, part in middle.groupby("place", sort=False)
    )
    alt = f"Dot plot of {len(names)} networks on temporal tasks and on Ant. Interquartile means: {told}."
    return Drawing(figure, data, _caption(data, judgements), alt)


def _shown(data: pd.DataFrame, widest: Judgement) -> list[str]:
    """The plain and the plastic networks, the best of the others on the tasks, and the policy that does not spike."""
    plastic = widest.round.plastic
    others = data[(data.measure == "accuracy") & ~data.network.isin([PLAIN, *plastic])].groupby("network").value.mean()
    best = [others.idxmax()] if len(others) else []
    return [name for name in (PLAIN, *plastic, *best, "mlp") if (data.network == name).any()]


def _caption(data: pd.DataFrame, judgements: Sequence[Judgement]) -> str:
    newest = {j.id: j for j in latest(judgements)}
    met, of = newest["claim-3"].cells
    returns = {name: part.value for name, part in data[data.measure == "return"].groupby("network")}
    walking = ""
    if PLAIN in returns:
        plastic = [name for name in newest["claim-5"].round.plastic if name in returns]
        more = [name for name in plastic if interquartile_difference([returns[name]], [returns[PLAIN]]).low > 0]
        walking = f"; by walking, {', '.join(more) or 'none of them'} earns more than {PLAIN}"
    return (
        f"Plastic networks solve {met} of {of} cases that {PLAIN} fails{walking}. Every seed (faint), interquartile mean and 95% "
        "bootstrap interval."
    )


def _widest(judgements: Sequence[Judgement]) -> Judgement:
    """Of the latest round that was run on temporal tasks, the judgement that rests on most of them and their networks."""
    judged = [j for j in latest(judgements) if j.round.tasks and j.decision.found and set(j.decision.found) <= set(j.round.tasks)]  # fmt: skip
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


def _returns(results: Records) -> pd.DataFrame:
    walks = results.get(MEASUREMENTS)
    if walks is None:
        return pd.DataFrame(columns=_COLUMNS)
    walks = walks[(walks.environment == ROBOT) & (walks.condition == TRAINING)]
    return walks.rename(columns={"return": "value"}).assign(place="Ant", measure="return")[_COLUMNS]


_COLUMNS = ["measure", "place", "network", "seed", "value"]


def _rounds(judgements: Sequence[Judgement]) -> str:
    """How much of the latest round has been run, where it is not all of it."""
    last = max(j.round.number for j in judgements)
    judged = [bool(j.decision.found) for j in judgements if j.round.number == last]
    if all(judged):
        return ""
    return f" Round {last} is registered, and {sum(judged) or 'none'} of its {len(judged)} claims and questions {'has' if sum(judged) == 1 else 'have'} been run so far; elsewhere, round {last - 1} stands."  # fmt: skip


def _tasks(newest: Mapping[str, Judgement]) -> str:
    """How often plastic networks solve what the plain one fails, without and with significant noise, and where they miss."""
    judged = [newest[id] for id in ("claim-3", "claim-4") if id in newest and newest[id].decision.found]
    if not judged:
        return ""
    told = [f"in {j.cells[0]} of {j.cells[1]} cases{how}" for j, how in zip(judged, ("", " under significant noise"))]
    missed = dict.fromkeys(task for j in judged for task, one in j.decision.found.items() if one.met < one.of)
    where = f"; what they miss is on {', '.join(missed)}" if missed else ""
    return f"Plastic networks solve temporal tasks that a spiking network without memory fails {' and '.join(told)}{where}."


def _memories(newest: Mapping[str, Judgement]) -> str:
    """Whether networks with another kind of memory do as well."""
    j = newest.get("claim-3-other-memory")
    if j is None or not j.decision.found:
        return ""
    met, of = j.cells
    return f"Is it plasticity that they need? {j.claim.title}: this {j.read()}, in {met} of {of} cases ({against(j.deciding)})."


def _walking(newest: Mapping[str, Judgement]) -> str:
    """How many plastic networks walk, and what they keep under novel conditions."""
    walk, keep = newest.get("claim-5"), newest.get("claim-6")
    if walk is None or keep is None or not (walk.decision.found and keep.decision.found):
        return ""
    met, of = walk.cells
    kept, least = keep.cells, keep.deciding.interval
    return (
        f"{met} of {of} plastic networks walk with a simulated ant, and {kept[0]} of {kept[1]} keep their walk under novel "
        f"conditions ({keep.deciding.what.split(',')[0]} keeps the least, {least:.0%} of its return) by the registered measure, "
        f"which is [a mild one](novel_conditions.ipynb)."
    )


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


def _table(rows: Sequence[Judgement], keys: tuple[str, ...], judgements: Sequence[Judgement]) -> str:
    lines = [f"| claim | {' | '.join(keys)} |", "|---|" + ":-:|" * len(keys)]
    for j in rows:
        lines.append(f"| {_title(j, judgements)} | {' | '.join(_cell(j, key) for key in keys)} |")
    return ":::{container} claims-grid\n" + "\n".join(lines) + "\n:::"


def _title(j: Judgement, judgements: Sequence[Judgement]) -> str:
    """The claim in a few words, its verdict and the number that decided; its other rounds are linked."""
    whose = "Ours:" if j.claim.ours else f"{j.label}."
    others = [e for e in judgements if e.id == j.id and e is not j]
    told = "".join(f" ([round {e.round.number}](#{anchor(e)}): {e.read()})" for e in others)
    return f"**{whose} {j.claim.title}.** [{MARKS[j.verdict]} {j.read()}](#{anchor(j)}){told}. {against(j.deciding)}"


def _cell(j: Judgement, key: str) -> str:
    one = j.decision.found.get(key)
    if one is None:
        return f"[{MARKS[j.verdict]}](#{anchor(j)})" if key in _columns(j) else ""
    count = f" {one.met}/{one.of}" if one.of > 1 else ""
    return f"[{MARKS[one.verdict]}{count}](#{anchor(j, key)})"

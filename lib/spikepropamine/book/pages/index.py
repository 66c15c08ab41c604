"""The landing page: does the paper hold up? Four sentences, one figure and a grid of claims."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown

from ...records.statistics import interquartile_difference
from ...walking.conditions import TRAINING
from .. import figures, plots
from ..claims import VERDICTS, Judgement, latest, number
from ..figures import Drawing, Item
from ..judges.judge import Records, Round
from ..judges.walking import MEASUREMENTS, ROBOT
from .scorecard import MARKS, against, anchor


def answer(judgements: Sequence[Judgement]) -> Markdown:
    """The answer in four sentences: the verdicts, the temporal tasks, other memories, walking; each of its latest round."""
    newest = {j.id: j for j in latest(judgements)}
    claims = [j for j in newest.values() if not j.claim.ours]
    counts = {v: sum(j.verdict == v for j in claims) for v in VERDICTS}
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
    sentences = [f"**Of the {len(claims)} claims of the abstract, {told}.**"]
    sentences += [tell(newest) for tell in (_tasks, _memories, _walking)]
    return Markdown(figures.minus("\n\n".join(filter(None, sentences))))


def grid(judgements: Sequence[Judgement]) -> Markdown:
    """A table of claims × tasks (or networks that walk) for each set of columns: a mark and the cells met, and the number that decides.

    Each cell leads to its own anchor on the scorecard.
    """
    newest = latest(judgements)
    columns = dict.fromkeys(_columns(j) for j in newest)
    tables = [_table([j for j in newest if _columns(j) == keys], keys, judgements) for keys in columns]
    legend = " · ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
    return Markdown(
        figures.minus(
            "\n\n".join(
                [
                    *tables,
                    f"{legend}. Counts: networks that meet the criterion. The number is the one that decides, against its threshold.",
                ]
            )
        )
    )


def beside(text: Markdown, item: Item) -> Markdown:
    """A text with a figure to its right, or below it on a narrow screen."""
    parts = "\n\n".join(f":::::{{grid-item}}\n{part}\n:::::" for part in (text.data, item.markdown))
    return Markdown(f"::::::{{grid}} 1 1 2 2\n:gutter: 3\n:class-container: landing\n\n{parts}\n::::::")


def shown_in_overview(results: Records, judgements: Sequence[Judgement]) -> list[str]:
    """The published results that :func:`draw_overview` draws."""
    return [name for name in (*_round_shown(judgements).tasks, MEASUREMENTS) if name in results]


def draw_overview(results: Records, judgements: Sequence[Judgement]) -> Drawing:
    """Accuracy on each task at low noise, and what the policies earn on Ant: the plain and the plastic networks."""
    one = _round_shown(judgements)
    names, d = [one.plain, *one.plastic], one.definitions
    data = pd.concat([_accuracies(results, task) for task in one.tasks if task in results] + [_returns(results)])
    data = data[data.network.isin(names)].reset_index(drop=True)
    limits = {
        "accuracy": {"solved": d.solved_at_least, "failed": d.failed_at_most},
        "return": {"walks": d.walks_at_least},
    }
    labels = {"accuracy": "accuracy on held-out trials, low noise", "return": "return of an episode"}
    figure, axes = plt.subplots(2, 1, figsize=(4.8, 3.0), height_ratios=(len(one.tasks), 1.3))
    for axis, measure in zip(axes, limits):
        plots.seeds_and_interval(
            axis, data[data.measure == measure], "value", figures.network_styles(names), at="place", horizontal=True
        )
        plots.limits(axis, limits[measure], horizontal=True)
        axis.set_xlabel(labels[measure])
    plots.legend_above(figure, figures.network_styles(names), columns=len(names))
    middle = plots.intervals(data, "value", ["measure", "place", "network"])
    told = "; ".join(
        f"{place}: " + ", ".join(f"{r.network} {number(r.mean)}" for r in part.itertuples())
        for place, part in middle.groupby("place", sort=False)
    )
    alt = f"Dot plot of {len(names)} networks on temporal tasks and on Ant. Interquartile means: {told}."
    return Drawing(figure, data, _caption(data, middle, one), alt)


def _caption(data: pd.DataFrame, middle: pd.DataFrame, one: Round) -> str:
    tasks = middle[middle.measure == "accuracy"]
    plain = tasks.network == one.plain
    solved, failed = (
        tasks[~plain].low >= one.definitions.solved_at_least,
        tasks[plain].high <= one.definitions.failed_at_most,
    )
    returns = {name: part.value for name, part in data[data.measure == "return"].groupby("network")}
    more = [name for name in one.plastic if name in returns and interquartile_difference([returns[name]], [returns[one.plain]]).low > 0]  # fmt: skip
    walking = f", and {', '.join(more) or 'none of them'} walks farther than {one.plain}" if returns else ""
    return (
        f"Plastic networks solve {solved.sum()} of {len(solved)} cases at low noise where {one.plain} fails {failed.sum()} of "
        f"{len(failed)}{walking}. Every seed (faint), interquartile mean and 95% bootstrap interval."
    )


def _round_shown(judgements: Sequence[Judgement]) -> Round:
    """The latest round in which a claim on temporal tasks was judged."""
    judged = [j.round for j in judgements if j.round.tasks and j.decision.found]
    return max(judged or [judgements[0].round], key=lambda one: one.number)


def _accuracies(results: Records, task: str) -> pd.DataFrame:
    runs = results[task].rename(columns={"network.name": "network", "accuracy": "value"})
    return runs[runs["task.noise"] == "low"].assign(place=task, measure="accuracy")[_COLUMNS]


def _returns(results: Records) -> pd.DataFrame:
    walks = results.get(MEASUREMENTS)
    if walks is None:
        return pd.DataFrame(columns=_COLUMNS)
    walks = walks[(walks.environment == ROBOT) & (walks.condition == TRAINING)]
    return walks.rename(columns={"return": "value"}).assign(place="Ant", measure="return")[_COLUMNS]


_COLUMNS = ["measure", "place", "network", "seed", "value"]


def _tasks(newest: Mapping[str, Judgement]) -> str:
    """How often plastic networks solve what the plain one fails, at either noise, and where they miss."""
    judged = [j for j in newest.values() if j.claim.judge == "solves_where_snn_fails" and j.decision.found]
    if not judged:
        return ""
    told = [f"in {j.cells[0]} of {j.cells[1]} cases at {j.claim.options['noise']} noise" for j in judged]
    missed = dict.fromkeys(task for j in judged for task, one in j.decision.found.items() if one.met < one.of)
    where = f"; every miss is on {' or '.join(missed)}" if missed else ""
    return f"Plastic networks solve temporal tasks that the plain spiking network fails {' and '.join(told)}{where}."


def _memories(newest: Mapping[str, Judgement]) -> str:
    """Whether another kind of memory solves the tasks as well."""
    j = newest.get("claim-3-other-memory")
    if j is None or not j.decision.found:
        return ""
    if j.verdict == VERDICTS[0]:
        return "No spiking network with another kind of memory solves them."
    met, of = j.cells
    return (
        f"Plasticity is not the only memory that can: {of - met} of {of} networks with another kind of memory solve a task too, "
        f"such as {j.deciding.what.removesuffix(', accuracy')} ({number(j.deciding.interval.mean)})."
    )


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


def _columns(j: Judgement) -> tuple[str, ...]:
    """What the claim is judged on, in order: what was found, or the tasks of a round that is not yet run."""
    return tuple(j.decision.found) or j.round.tasks


def _table(rows: Sequence[Judgement], keys: tuple[str, ...], judgements: Sequence[Judgement]) -> str:
    lines = [f"| claim | {' | '.join(keys)} |", "|---|" + ":-:|" * len(keys)]
    for j in rows:
        lines.append(f"| {_title(j, judgements)} | {' | '.join(_cell(j, key) for key in keys)} |")
    return ":::{container} claims-grid\n" + "\n".join(lines) + "\n:::"


def _title(j: Judgement, judgements: Sequence[Judgement]) -> str:
    """The claim in a few words, its verdict and the number that decided; earlier rounds are linked."""
    whose = "Ours:" if j.claim.ours else f"{j.label}."
    earlier = [f" (round {e.round.number}: [{e.read()}](#{anchor(e)}))" for e in judgements if e.id == j.id and e.round.number < j.round.number]  # fmt: skip
    now = f"[{MARKS[j.verdict]} {j.read()}](#{anchor(j)})"
    return f"**{whose} {j.claim.title}.** {now}{''.join(earlier)}. {against(j.deciding)}"


def _cell(j: Judgement, key: str) -> str:
    one = j.decision.found.get(key)
    if one is None:
        return f"[{MARKS[j.verdict]}](#{anchor(j)})"
    count = f" {one.met}/{one.of}" if one.of > 1 else ""
    return f"[{MARKS[one.verdict]}{count}](#{anchor(j, key)})"

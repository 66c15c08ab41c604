"""Each claim of the paper against the records: a verdict and the number it rests on."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..checks import require, require_choice, require_positive
from ..experiments.temporal import TASKS
from ..records.atomic import load_yaml
from ..records.statistics import Interval, adjusted, balanced, compare, interquartile_difference, interquartile_mean
from ..snn.controls import CONTROLS
from ..snn.networks import NETWORKS
from ..tasks.task import NOISE_HZ
from ..walking.conditions import CONDITIONS, TRAINING

VERDICTS = ("reproduced", "partly reproduced", "not reproduced", "not yet run")
_OF_OURS = dict(zip(VERDICTS, ("holds", "holds in part", "does not hold", "not yet run")))
PLASTIC = tuple(name for name in NETWORKS if name != "snn")


@dataclass(frozen=True)
class Definitions:
    """The thresholds of claims.yml."""

    solved_at_least: float
    failed_at_most: float
    confidence: float
    changed_at_least: float
    significant_at: float
    seeds_at_least: int
    control_seeds_at_least: int
    walks_at_least: float
    keeps_at_least: float
    keeps_low_at_least: float
    keeps_partly_at_least: float
    walking_seeds_at_least: int

    def stands(self, accuracy: Interval) -> str:
        """How a network stands with a task: "solved", "failed" or "neither", by the interval's end."""
        return (
            "solved"
            if accuracy.low >= self.solved_at_least
            else "failed"
            if accuracy.high <= self.failed_at_most
            else "neither"
        )


class Judgement(NamedTuple):
    """A claim's verdict, with the number that decides it."""

    claim: str
    statement: str
    criterion: str
    quantity: str  # what measured is
    measured: Interval
    verdict: str
    by_task: dict[str, tuple[str, str]]  # task, or network where walking is judged: (verdict, reason)
    ours: bool  # a question of this project's, not a claim of the abstract
    chapter: str  # the page that shows it
    item: str  # the figure or table that shows it
    records: tuple[str, ...]  # published results that it rests on

    @property
    def label(self) -> str:
        """What to call it in a table: the claim's number, or whose question it is."""
        return "ours" if self.ours else self.claim.removeprefix("claim-")

    def read(self, verdict: str) -> str:
        """A verdict in words: what the paper does not say cannot be reproduced, it holds or does not."""
        return _OF_OURS[verdict] if self.ours else verdict


Cells = dict[str, pd.DataFrame]  # network: its runs on one task at one noise level, a row a seed


def load_claims(path: Path) -> tuple[Definitions, list[str], list[dict[str, Any]]]:
    """The definitions, tasks and claims of ``path``; ValueError names the field that is wrong."""
    content = load_yaml(path)
    require(isinstance(content, dict), str(path), type(content).__name__, "a mapping")
    fields = Definitions.__dataclass_fields__
    definitions = content.get("definitions")
    require(
        isinstance(definitions, dict) and set(definitions) == set(fields),
        f"{path}: definitions",
        definitions,
        "exactly " + ", ".join(fields),
    )
    for name, value in definitions.items():
        require_positive(f"{path}: {name}", value)
    tasks, claims = content.get("tasks"), content.get("claims")
    require(isinstance(tasks, list) and len(tasks) > 0, f"{path}: tasks", tasks, "a list of one or more tasks")
    for task in tasks:
        require_choice(f"{path}: tasks", task, TASKS)
    require(isinstance(claims, list), f"{path}: claims", claims, "a list")
    for claim in claims:
        require(isinstance(claim, dict), f"{path}: claims", claim, "a list of mappings")
        for name in ("id", "statement", "judge", "criterion", "chapter", "item"):
            require(isinstance(claim.get(name), str), f"{path}: {name}", claim.get(name), "a text")
        require_choice(f"{path}: noise of {claim['id']}", claim.get("noise"), [None, *NOISE_HZ])
        require(
            isinstance(claim.get("ours", False), bool),
            f"{path}: ours of {claim['id']}",
            claim.get("ours"),
            "true or false",
        )
        require_choice(f"{path}: judge of {claim['id']}", claim["judge"], JUDGES | WALKING_JUDGES)
    return Definitions(**definitions), tasks, claims


def judge(path: Path, runs: Mapping[str, pd.DataFrame], walks: pd.DataFrame | None = None) -> list[Judgement]:
    """Judge every claim of ``path``.

    Args:
        path: the claims.
        runs: of each temporal task, by its name, and of its controls, by ``<task>-controls``: a row a run.
        walks: how trained policies fare on Ant, a row for each network, seed, condition and strength
            (:func:`spikepropamine.experiments.novel_conditions.measure`); None or empty where nothing is published.
    """
    definitions, tasks, claims = load_claims(path)
    judgements = []
    for claim in claims:
        if claim["judge"] in WALKING_JUDGES:
            evidence, enough = _walking(walks, definitions)
            decide, rests_on = WALKING_JUDGES[claim["judge"]], ("novel-conditions",)
        else:
            decide, networks, parts = JUDGES[claim["judge"]]
            evidence = {
                task: _cells([runs.get(task + part, pd.DataFrame()) for part in parts], claim.get("noise"), networks)
                for task in tasks
            }
            enough = all(
                len(cell) >= _seeds_needed(name, definitions)
                for cells in evidence.values()
                for name, cell in cells.items()
            )
            rests_on = tuple(task + part for task in tasks for part in parts)
        decision = decide(evidence, definitions) if enough else _NOT_YET_RUN
        where = claim.get("ours", False), claim["chapter"], claim["item"], rests_on
        judgements.append(Judgement(claim["id"], claim["statement"], claim["criterion"], *decision, *where))
    return judgements


def _cells(tables: list[pd.DataFrame], noise: str | None, networks: Iterable[str]) -> Cells:
    runs = pd.concat(tables, ignore_index=True)
    if noise is None or runs.empty:
        return {name: runs[:0] for name in networks}
    at_noise = runs[runs["task.noise"] == noise]
    return {name: at_noise[at_noise["network.name"] == name] for name in networks}


def _seeds_needed(name: str, d: Definitions) -> int:
    return d.control_seeds_at_least if name in CONTROLS else d.seeds_at_least


def number(value: float) -> str:
    """A measured value as it is read: whole where it is large, to three places where it is not, a dash where there is none."""
    return "–" if math.isnan(value) else (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}")


def table(judgements: list[Judgement]) -> pd.DataFrame:
    """One row a claim: claim, criterion, measured, interval_low, interval_high, verdict."""
    return pd.DataFrame(
        {
            "claim": j.claim,
            "criterion": j.criterion,
            "measured": j.measured.mean,
            "interval_low": j.measured.low,
            "interval_high": j.measured.high,
            "verdict": j.verdict,
        }
        for j in judgements
    )


def accuracy(cells: Iterable[pd.DataFrame], definitions: Definitions) -> Interval:
    """The interquartile mean of held-out accuracy over as many seeds of each cell, with its interval."""
    return interquartile_mean(*balanced([_by_seed(cell) for cell in cells]), confidence=definitions.confidence)


def _by_seed(cell: pd.DataFrame) -> pd.Series:
    return cell.sort_values("seed")["accuracy"]


def significant(by_task: dict[str, Cells], definitions: Definitions) -> set[tuple[str, str]]:
    """The (task, plastic network) that differ from snn, p adjusted over all of them."""
    pairs = [(task, name) for task in by_task for name in PLASTIC]
    tests = [
        compare(by_task[task][name]["accuracy"], by_task[task]["snn"]["accuracy"], definitions.confidence)
        for task, name in pairs
    ]
    p_values = adjusted([test.p_value for test in tests])
    return {pair for pair, p in zip(pairs, p_values) if p < definitions.significant_at}


# ---------------------------------------------------------------- one function per way of judging

Decision = tuple[str, Interval, str, dict[str, tuple[str, str]]]


def _learned_together(by_task: dict[str, Cells], d: Definitions) -> Decision:
    found = {}
    for task, cells in by_task.items():
        solved = [name for name in PLASTIC if _solves(cells[name], d)]
        least = {name: _least_change(cells[name]) for name in solved}
        met = [name for name in solved if least[name][1] >= d.changed_at_least]
        kinds = {NETWORKS[name][1] for name in met}
        unmoved = [
            f"{name} solves it, but {least[name][0]} moved by {least[name][1]:.1%} in one seed"
            for name in solved
            if name not in met
        ]
        reason = "; ".join([f"met by {_names(met)}", *unmoved])
        found[task] = _verdict(len(met) == len(PLASTIC), len(kinds) == 2), reason
    return (*_weakest(by_task, d), _overall(found), found)


def _every_rule(by_task: dict[str, Cells], d: Definitions) -> Decision:
    found = {}
    for task, cells in by_task.items():
        met = [name for name in PLASTIC if _solves(cells[name], d)]
        found[task] = _verdict(len(met) == len(PLASTIC), len(met) >= 2), f"solved by {_names(met)}"
    return (*_weakest(by_task, d), _overall(found), found)


def _solves_where_snn_fails(by_task: dict[str, Cells], d: Definitions) -> Decision:
    differs, found = significant(by_task, d), {}
    for task, cells in by_task.items():
        met = [name for name in PLASTIC if _solves(cells[name], d) and (task, name) in differs]
        snn = accuracy([cells["snn"]], d)
        failed = snn.high <= d.failed_at_most
        reason = f"solved by {_names(met)}; snn {'fails' if failed else 'does not fail'} at {snn.mean:.3f}"
        found[task] = _verdict(failed and len(met) == len(PLASTIC), failed and len(met) >= 1), reason
    gains = {
        name: interquartile_difference(_accuracies(by_task, name), _accuracies(by_task, "snn"), d.confidence)
        for name in PLASTIC
    }
    return (*_lowest("smallest gain in accuracy over snn ({})", gains), _overall(found), found)


def _nothing_else_solves(by_task: dict[str, Cells], d: Definitions) -> Decision:
    best = {task: max(PLASTIC, key=lambda name: accuracy([cells[name]], d).mean) for task, cells in by_task.items()}
    tests = {
        (task, name): compare(cells[best[task]]["accuracy"], cells[name]["accuracy"], d.confidence)
        for task, cells in by_task.items()
        for name in CONTROLS
    }
    p_values = dict(zip(tests, adjusted([test.p_value for test in tests.values()])))
    found = {}
    for task, cells in by_task.items():
        solved = [name for name in CONTROLS if _solves(cells[name], d)]
        level = [
            name
            for name in CONTROLS
            if not (p_values[task, name] < d.significant_at and tests[task, name].difference.mean > 0)
        ]
        reason = f"solved by {', '.join(solved) or 'none of them'}; {best[task]} is significantly above " + (
            f"all but {', '.join(level)}" if level else "all of them"
        )
        found[task] = _verdict(not solved, not level), reason
    each = {name: accuracy([cells[name] for cells in by_task.values()], d) for name in CONTROLS}
    name = max(each, key=lambda name: each[name].high)
    return f"accuracy of the best of them ({name}) over the tasks", each[name], _overall(found), found


class Judge(NamedTuple):
    """How a claim on temporal tasks is judged, and by what."""

    decide: Callable[[dict[str, Cells], Definitions], Decision]
    networks: tuple[str, ...] = tuple(NETWORKS)
    parts: tuple[str, ...] = ("",)  # of each task's runs: what follows the task in their name


JUDGES: dict[str, Judge] = {
    "learned_together": Judge(_learned_together),
    "every_rule": Judge(_every_rule),
    "solves_where_snn_fails": Judge(_solves_where_snn_fails),
    "nothing_else_solves": Judge(_nothing_else_solves, (*NETWORKS, *CONTROLS), ("", "-controls")),
}
_NOT_YET_RUN: Decision = ("", Interval(math.nan, math.nan, math.nan), "not yet run", {})


def _solves(cell: pd.DataFrame, d: Definitions) -> bool:
    return accuracy([cell], d).low >= d.solved_at_least


def _least_change(cell: pd.DataFrame) -> tuple[str, float]:
    """Which of W, α, η and V, where there is one, training changed least, relatively, in any seed; and how far."""
    learned = {"weight": "W", "alpha": "α", "rule.raw_eta": "η", "modulator_weight": "V"}
    columns = [f"change_synapses.{name}" for name in learned if f"change_synapses.{name}" in cell]
    least = cell[columns].dropna(axis=1, how="all").min()
    return learned[least.idxmin().removeprefix("change_synapses.")], float(least.min())


def _accuracies(by_task: dict[str, Cells], name: str) -> list[pd.Series]:
    return balanced([_by_seed(cells[name]) for cells in by_task.values()])


def _weakest(by_task: dict[str, Cells], d: Definitions) -> tuple[str, Interval]:
    each = {name: accuracy([cells[name] for cells in by_task.values()], d) for name in PLASTIC}
    return _lowest("accuracy of the weakest plastic network ({}) over the tasks", each)


def _lowest(quantity: str, each: dict[str, Interval]) -> tuple[str, Interval]:
    """The value whose interval reaches lowest, which is what criteria ask about, and what it is: ``quantity`` with the network's name in it."""
    name = min(each, key=lambda name: each[name].mean if math.isnan(each[name].low) else each[name].low)
    return quantity.format(name), each[name]


def _verdict(all_of_it: bool, part_of_it: bool) -> str:
    return VERDICTS[0] if all_of_it else VERDICTS[1] if part_of_it else VERDICTS[2]


def _overall(found: dict[str, tuple[str, str]]) -> str:
    verdicts = [verdict for verdict, _ in found.values()]
    return _verdict(all(v == VERDICTS[0] for v in verdicts), any(v != VERDICTS[2] for v in verdicts))


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none of the plastic networks"


# ---------------------------------------------------------------- walking


class Fares(NamedTuple):
    """How one network's policies fare: a column a condition (moderate strengths), a row a seed."""

    trained: pd.Series  # return under the training condition
    shares: pd.DataFrame  # of it, kept under each novel condition


def _walking(walks: pd.DataFrame | None, d: Definitions) -> tuple[dict[str, Fares], bool]:
    if walks is None or walks.empty:
        return {}, False
    ant, fares = walks[walks["environment"] == "Ant-v5"], {}
    moderate = {TRAINING: math.nan} | {name: kind.moderate for name, kind in CONDITIONS.items()}
    for name in NETWORKS:
        of_it = ant[ant["network"] == name]
        judged = [
            of_it[(of_it["condition"] == c) & (of_it["strength"].eq(s) | of_it["strength"].isna())]
            for c, s in moderate.items()
        ]
        returns = (
            pd.concat(judged)
            .pivot(index="seed", columns="condition", values="return")
            .reindex(columns=list(moderate))
            .dropna()
        )
        fares[name] = Fares(returns[TRAINING], returns[list(CONDITIONS)].div(returns[TRAINING], axis=0))
    return fares, all(len(f.trained) >= d.walking_seeds_at_least for f in fares.values())


def share_kept(fares: Fares, d: Definitions) -> Interval:
    """The interquartile mean of the share kept, over seeds and conditions."""
    return interquartile_mean(*_strata(fares), confidence=d.confidence)


def _strata(fares: Fares) -> list[pd.Series]:
    return [fares.shares[condition] for condition in fares.shares]


def _walks(fares: dict[str, Fares], d: Definitions) -> Decision:
    each = {name: interquartile_mean(fares[name].trained, confidence=d.confidence) for name in PLASTIC}
    found = {name: (_verdict(i.low >= d.walks_at_least, False), f"return {i:.0f}") for name, i in each.items()}
    return (*_lowest("return of the weakest plastic network ({})", each), _overall(found), found)


def _keeps_walking(fares: dict[str, Fares], d: Definitions) -> Decision:
    each, found = {name: share_kept(fares[name], d) for name in PLASTIC}, {}
    for name, i in each.items():
        keeps = i.mean >= d.keeps_at_least and i.low >= d.keeps_low_at_least
        found[name] = _verdict(keeps, i.mean >= d.keeps_partly_at_least), f"keeps {i:.0%}"
    return (*_lowest("share kept by the weakest plastic network ({})", each), _overall(found), found)


def _keeps_more_than_snn(fares: dict[str, Fares], d: Definitions) -> Decision:
    each = {
        name: interquartile_difference(_strata(fares[name]), _strata(fares["snn"]), d.confidence) for name in PLASTIC
    }
    found = {name: (_verdict(i.low > 0, False), f"{i:+.0%}") for name, i in each.items()}
    return (*_lowest("smallest gain in the share kept over snn ({})", each), _overall(found), found)


WALKING_JUDGES: dict[str, Callable[[dict[str, Fares], Definitions], Decision]] = {
    "walks": _walks,
    "keeps_walking": _keeps_walking,
    "keeps_more_than_snn": _keeps_more_than_snn,
}

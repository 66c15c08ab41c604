"""Judges of claims on temporal tasks. A cell is one network's runs on one task at one noise level, a row a seed."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import pandas as pd

from ...experiments.temporal import TASKS
from ...records.statistics import Interval, adjusted, balanced, compare, interquartile_mean
from ...snn.controls import CONTROLS
from ...snn.networks import NETWORKS
from ...tasks.task import NOISE_HZ
from .judge import (
    Claim,
    Decision,
    Definitions,
    Finding,
    Judge,
    Measure,
    Records,
    Round,
    deciding,
    named,
    overall,
    verdict,
)

Cells = Mapping[str, pd.DataFrame]  # by network
KNOWN_TASKS = tuple(TASKS)
KNOWN_NETWORKS = (*NETWORKS, *CONTROLS)
# what training changes, by the name of its parameter in plastic synapses; η is the softplus of raw η
LEARNED = {"weight": "W", "alpha": "α", "rule.raw_eta": "raw η", "modulator_weight": "V"}


class Thresholds(NamedTuple):
    """Where a network solves a task, and where it fails it."""

    solved: float
    failed: float


def registered(d: Definitions) -> Thresholds:
    """The same for every task, as the round has registered them."""
    return Thresholds(d.solved_at_least, d.failed_at_most)


# the thresholds of a round, from its definitions
Limits = Callable[[Definitions], Thresholds]


def accuracy(cells: Iterable[pd.DataFrame], definitions: Definitions) -> Interval:
    """The interquartile mean of held-out accuracy over as many seeds of each cell, with its interval."""
    values = [cell.sort_values("seed")["accuracy"] for cell in cells]
    return interquartile_mean(*balanced(values), confidence=definitions.confidence)


def p_values(by_task: Mapping[str, Cells], round: Round) -> dict[tuple[str, str], float]:
    """Of each (task, plastic network) against the plain network, adjusted over all of them."""
    tests = {
        (task, name): compare(cells[name]["accuracy"], cells[round.plain]["accuracy"]).p_value
        for task, cells in by_task.items()
        for name in round.plastic
    }
    return dict(zip(tests, adjusted(list(tests.values()))))


# ---------------------------------------------------------------- evidence


def _gather(records: Records, claim: Claim, round: Round, roles: tuple[str, ...]) -> dict[str, Cells] | None:
    """The cells of each task, or None where one of them has too few seeds."""
    d, by_task = round.definitions, {}
    for task in round.tasks:
        cells = {}
        for role in roles:
            runs = records.get(f"{task}-controls" if role == "controls" else task, pd.DataFrame())
            needed = d.control_seeds_at_least if role == "controls" else d.seeds_at_least
            for name in round.networks[role]:
                if runs.empty:
                    return None
                at_noise = runs["task.noise"] == claim.options.get("noise")
                cells[name] = runs[at_noise & (runs["network.name"] == name)]
                if len(cells[name]) < needed:
                    return None
        by_task[task] = cells
    return by_task


def _rests_on(claim: Claim, round: Round, parts: tuple[str, ...] = ("",)) -> list[str]:
    return [task + part for task in round.tasks for part in parts]


# ---------------------------------------------------------------- one function per way of judging


def _learned_together(by_task: Mapping[str, Cells], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for task, cells in by_task.items():
        met, missed = [], []
        for name in round.plastic:
            measures += [solves(task, name, cells, d)]
            part, least = _least_change(name, cells[name])
            change = Measure(f"{name} on {task}, smallest relative change of {part} in a seed", Interval(least, *_NO_ENDS), "mean", d.changed_at_least)  # fmt: skip
            measures += [change]
            if measures[-2].holds and change.holds:
                met.append(name)
            elif measures[-2].holds:
                missed.append(f"{name} solves it, but {part} moved by {least:.1%} in one seed")
            else:
                missed.append(f"{name} does not solve it")
        both = {name in round.networks["modulated"] for name in met} == {True, False}
        reason = "; ".join([f"met by {named(met)}", *missed])
        found[task] = Finding(verdict(len(met) == len(round.plastic), both), reason, len(met), len(round.plastic))
    return Decision(overall(found), deciding(measures), found)


def every_rule(by_task: Mapping[str, Cells], round: Round, limits: Limits = registered) -> Decision:
    """Does every plastic network solve every task? Partly, where two of them solve one."""
    found, measures = {}, []
    for task, cells in by_task.items():
        each = {name: solves(task, name, cells, round.definitions, limits) for name in round.plastic}
        met, measures = [name for name, one in each.items() if one.holds], measures + [*each.values()]
        all_of_them = verdict(len(met) == len(each), len(met) >= 2)
        found[task] = Finding(all_of_them, f"solved by {named(met)}", len(met), len(each))
    return Decision(overall(found), deciding(measures), found)


def solves_where_plain_fails(by_task: Mapping[str, Cells], round: Round, limits: Limits = registered) -> Decision:
    """Does every plastic network solve every task that the plain network fails? Partly, where one of them solves one."""
    d, p, found, measures = round.definitions, p_values(by_task, round), {}, []
    for task, cells in by_task.items():
        each = {name: solves(task, name, cells, d, limits) for name in round.plastic}
        solved = [name for name, one in each.items() if one.holds]
        met = [name for name in solved if p[task, name] < d.significant_at]
        plain = accuracy([cells[round.plain]], d)
        fails = Measure(f"{round.plain} on {task}, accuracy", plain, "high", limits(d).failed, at_least=False)
        measures += [*each.values(), fails]
        measures += [_differs(task, name, p[task, name], round) for name in solved if fails.holds]
        reason = (
            f"solved by {named(met)}; {round.plain} {'fails' if fails.holds else 'does not fail'} at {plain.mean:.3f}"
        )
        holds = verdict(fails.holds and len(met) == len(each), fails.holds and len(met) >= 1)
        found[task] = Finding(holds, reason, len(met) if fails.holds else 0, len(each))
    return Decision(overall(found), deciding(measures), found)


def _nothing_else_solves(by_task: Mapping[str, Cells], round: Round) -> Decision:
    d, controls = round.definitions, round.networks["controls"]
    best = {
        task: max(round.plastic, key=lambda name: accuracy([cells[name]], d).mean) for task, cells in by_task.items()
    }
    tests = {
        (task, name): compare(cells[best[task]]["accuracy"], cells[name]["accuracy"], d.confidence)
        for task, cells in by_task.items()
        for name in controls
    }
    p = dict(zip(tests, adjusted([test.p_value for test in tests.values()])))
    found, measures = {}, []
    for task, cells in by_task.items():
        each = {name: solves(task, name, cells, d)._replace(at_least=False, strict=True) for name in controls}
        measures += each.values()
        solved = [name for name, one in each.items() if not one.holds]
        level = [
            name
            for name in controls
            if not (p[task, name] < d.significant_at and tests[task, name].difference.mean > 0)
        ]
        reason = f"solved by {named(solved, 'none of them')}; {best[task]} is significantly above " + (
            f"all but {named(level)}" if level else "all of them"
        )
        found[task] = Finding(verdict(not solved, not level), reason, len(controls) - len(solved), len(controls))
    return Decision(overall(found), deciding(measures), found)


_NO_ENDS = (float("nan"),) * 2


def solves(task: str, name: str, cells: Cells, d: Definitions, limits: Limits = registered) -> Measure:
    """The accuracy of the network ``name`` against where it solves ``task``."""
    return Measure(f"{name} on {task}, accuracy", accuracy([cells[name]], d), "low", limits(d).solved)


def _differs(task: str, name: str, p_value: float, round: Round) -> Measure:
    what = f"{name} on {task}, p of its difference from {round.plain}"
    return Measure(
        what, Interval(p_value, *_NO_ENDS), "mean", round.definitions.significant_at, at_least=False, strict=True
    )


def changes(name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """The relative change of each part that the plastic network ``name`` learns, a column each; NaN where it is not known."""
    _, modulated = NETWORKS[name]
    columns = {f"change_synapses.{part}": label for part, label in LEARNED.items() if modulated or label != "V"}
    return runs.reindex(columns=list(columns)).rename(columns=columns)


def _least_change(name: str, cell: pd.DataFrame) -> tuple[str, float]:
    """Which of W, α, η and V, where there is one, training changed least, relatively, in any seed; and how far."""
    least = changes(name, cell).min(skipna=False)
    part = least.isna().idxmax() if least.isna().any() else least.idxmin()
    return part, float(least[part])


_NOISE = {"noise": tuple(NOISE_HZ)}
_SOLVED = ("solved_at_least", "failed_at_most", "confidence", "seeds_at_least")
_BY_TASK = partial(_gather, roles=("plain", "plastic"))

JUDGES: dict[str, Judge] = {
    "learned_together": Judge(
        _BY_TASK,
        _learned_together,
        _rests_on,
        (*_SOLVED, "changed_at_least"),
        ("plain", "plastic", "modulated"),
        _NOISE,
    ),
    "every_rule": Judge(_BY_TASK, every_rule, _rests_on, _SOLVED, options=_NOISE),
    "solves_where_snn_fails": Judge(
        _BY_TASK, solves_where_plain_fails, _rests_on, (*_SOLVED, "significant_at"), options=_NOISE
    ),
    "nothing_else_solves": Judge(
        partial(_gather, roles=("plain", "plastic", "controls")),
        _nothing_else_solves,
        partial(_rests_on, parts=("", "-controls")),
        (*_SOLVED, "significant_at", "control_seeds_at_least"),
        ("plain", "plastic", "controls"),
        _NOISE,
    ),
}

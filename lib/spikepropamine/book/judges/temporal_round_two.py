"""Judges of round two on temporal tasks. A task here is a cell of that round, such as ``cue-reward-high``."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from ...experiments.temporal_round_two import CELLS, compared_as
from ...records.statistics import Interval, adjusted, compare, interquartile_difference, interquartile_mean
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
from .temporal import accuracy

KNOWN_TASKS = tuple(CELLS)
KNOWN_NETWORKS = ("lsnn", "lsnn-100", "rsnn-long", "stp")

Cells = Mapping[str, pd.DataFrame]  # by network, a row a seed
# what training changes, by the name of its parameter in plastic synapses
LEARNED = {"weight": "W", "alpha": "α", "rule.raw_eta": "η", "modulator_weight": "V"}


class Thresholds(NamedTuple):
    """Where a network solves a cell, and where it fails it."""

    solved: float
    failed: float


def thresholds(d: Definitions) -> Thresholds:
    """The round's, or 90 % and 20 % of the way from chance to the ideal observer where these are lower."""
    way = d.observer - 0.5
    return Thresholds(min(d.solved_at_least, 0.5 + 0.9 * way), min(d.failed_at_most, 0.5 + 0.2 * way))


def by_network(runs: pd.DataFrame) -> Cells:
    """The runs of one cell by the names that round two compares networks under."""
    names = [compared_as(*key) for key in zip(runs["network.name"], runs["network.n_hidden"])]
    return {name: part.sort_values("seed") for name, part in runs.groupby(pd.Series(names, runs.index))}


def _records(claim: Claim, round: Round) -> list[str]:
    return [f"{cell}-round-two" for cell in round.tasks]


def _gather(records: Records, claim: Claim, round: Round) -> dict[str, Cells] | None:
    """The cells, or None where one network of one of them has too few seeds."""
    found = {}
    wanted = {name for names in round.networks.values() for name in names}
    for cell in round.tasks:
        runs = records.get(f"{cell}-round-two", pd.DataFrame())
        if runs.empty:
            return None
        networks = by_network(runs)
        if any(len(networks.get(name, ())) < round.definitions.seeds_at_least for name in wanted):
            return None
        found[cell] = networks
    return found


def _solves(cell: str, name: str, networks: Cells, d: Definitions) -> Measure:
    return Measure(f"{name} on {cell}, accuracy", accuracy([networks[name]], d), "low", thresholds(d).solved)


def mean_changes(runs: pd.DataFrame, confidence: float) -> dict[str, Interval]:
    """By W, α, η and V, where there is one: the interquartile mean over seeds of its relative change by training."""
    columns = {label: f"change_synapses.{name}" for name, label in LEARNED.items()}
    return {
        label: interquartile_mean(runs[column], confidence=confidence)
        for label, column in columns.items()
        if column in runs and runs[column].notna().all()
    }


def _learned_on_average(evidence: Mapping[str, Cells], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for cell, networks in evidence.items():
        met = []
        for name in round.plastic:
            each = [_solves(cell, name, networks, d)]
            for part, change in mean_changes(networks[name], d.confidence).items():
                what = f"{name} on {cell}, mean relative change of {part}"
                each.append(Measure(what, change, "low", d.changed_at_least))
            measures += each
            if all(one.holds for one in each):
                met.append(name)
        both = {name in round.networks["modulated"] for name in met} == {True, False}
        all_of_them = verdict(len(met) == len(round.plastic), both)
        found[cell] = Finding(all_of_them, f"met by {named(met)}", len(met), len(round.plastic))
    return Decision(overall(found), deciding(measures), found)


def _every_rule(evidence: Mapping[str, Cells], round: Round) -> Decision:
    found, measures = {}, []
    for cell, networks in evidence.items():
        each = {name: _solves(cell, name, networks, round.definitions) for name in round.plastic}
        met, measures = [name for name, one in each.items() if one.holds], measures + [*each.values()]
        all_of_them = verdict(len(met) == len(each), len(met) >= 2)
        found[cell] = Finding(all_of_them, f"solved by {named(met)}", len(met), len(each))
    return Decision(overall(found), deciding(measures), found)


def _solves_where_memoryless_fails(evidence: Mapping[str, Cells], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    pairs = [(cell, name) for cell in evidence for name in round.plastic]
    values = [compare(*(evidence[cell][n]["accuracy"] for n in (name, round.plain))).p_value for cell, name in pairs]
    p = dict(zip(pairs, adjusted(values)))
    for cell, networks in evidence.items():
        plain = accuracy([networks[round.plain]], d)
        fails = Measure(f"{round.plain} on {cell}, accuracy", plain, "high", thresholds(d).failed, at_least=False)
        each = {name: _solves(cell, name, networks, d) for name in round.plastic}
        met = [name for name, one in each.items() if one.holds and p[cell, name] < d.significant_at]
        measures += [fails, *each.values()]
        reason = (
            f"solved by {named(met)}; {round.plain} {'fails' if fails.holds else 'does not fail'} at {plain.mean:.3f}"
        )
        holds = verdict(fails.holds and len(met) == len(each), fails.holds and len(met) >= 1)
        found[cell] = Finding(holds, reason, len(met) if fails.holds else 0, len(each))
    return Decision(overall(found), deciding(measures), found)


SIZES = {"equal_size": "of equal size", "more_parameters": "with at least as many parameters"}


def best(names: tuple[str, ...], networks: Cells, d: Definitions) -> str:
    """The network of ``names`` whose interquartile mean of accuracy is highest."""
    return max(names, key=lambda name: accuracy([networks[name]], d).mean)


def _beats_best_traditional(evidence: Mapping[str, Cells], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    against = {
        cell: {role: best(round.networks[role], networks, d) for role in SIZES} for cell, networks in evidence.items()
    }
    tests = {
        (cell, name, role): compare(networks[name]["accuracy"], networks[against[cell][role]]["accuracy"]).p_value
        for cell, networks in evidence.items()
        for name in round.plastic
        for role in SIZES
    }
    p = dict(zip(tests, adjusted(list(tests.values()))))
    for cell, networks in evidence.items():
        met = []
        for name in round.plastic:
            each = []
            for role, other in against[cell].items():
                pair = [networks[name]["accuracy"]], [networks[other]["accuracy"]]
                difference = interquartile_difference(*pair, d.confidence)
                what = f"{name} on {cell}, gain over {other}, the best {SIZES[role]}"
                each.append(Measure(what, difference, "low", d.gain_above, strict=True))
            measures += each
            if all(one.holds for one in each) and all(p[cell, name, role] < d.significant_at for role in SIZES):
                met.append(name)
        others = " and ".join(dict.fromkeys(f"{name} ({SIZES[role]})" for role, name in against[cell].items()))
        holds = verdict(len(met) == len(round.plastic), len(met) >= 1)
        found[cell] = Finding(holds, f"{others} beaten by {named(met)}", len(met), len(round.plastic))
    return Decision(overall(found), deciding(measures), found)


_SOLVED = ("solved_at_least", "failed_at_most", "observer", "confidence", "seeds_at_least")

JUDGES: dict[str, Judge] = {
    "learned_together_on_average": Judge(
        _gather, _learned_on_average, _records, (*_SOLVED, "changed_at_least"), ("plastic", "modulated")
    ),
    "every_rule_of_cells": Judge(_gather, _every_rule, _records, _SOLVED, ("plastic",)),
    "solves_where_memoryless_fails": Judge(
        _gather, _solves_where_memoryless_fails, _records, (*_SOLVED, "significant_at")
    ),
    "beats_best_traditional": Judge(
        _gather,
        _beats_best_traditional,
        _records,
        ("confidence", "seeds_at_least", "significant_at", "gain_above"),
        ("plastic", "equal_size", "more_parameters"),
    ),
}

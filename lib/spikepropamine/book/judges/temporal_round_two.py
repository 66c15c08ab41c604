"""Judges of round two on temporal tasks. A task here is a cell of that round, such as ``cue-reward-high``."""

from collections.abc import Mapping
from functools import partial

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
from .temporal import Cells, Thresholds, accuracy, changes, every_rule, registered, solves, solves_where_plain_fails

KNOWN_TASKS = tuple(CELLS)
KNOWN_NETWORKS = ("lsnn", "lsnn-100", "rsnn-long", "stp")


def thresholds(d: Definitions) -> Thresholds:
    """The round's, or 90 % and 20 % of the way from chance to the ideal observer where these are lower."""
    way = d.observer - 0.5
    return Thresholds(min(d.solved_at_least, 0.5 + 0.9 * way), min(d.failed_at_most, 0.5 + 0.2 * way))


def limits_of(d: Definitions) -> Thresholds:
    """The thresholds of a round of either kind: of one that names an ideal observer, what that observer allows."""
    return thresholds(d) if "observer" in d else registered(d)


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


def mean_changes(name: str, runs: pd.DataFrame, confidence: float) -> dict[str, Interval]:
    """By W, α, η and V, where there is one: the interquartile mean over seeds of its relative change by training.

    NaN where the change is not known in every seed, which meets no criterion.
    """
    return {
        part: interquartile_mean(of, confidence=confidence) if of.notna().all() else Interval(*(float("nan"),) * 3)
        for part, of in changes(name, runs).items()
    }


def _learned_on_average(evidence: Mapping[str, Cells], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for cell, networks in evidence.items():
        met, missed = [], []
        for name in round.plastic:
            each = [solves(cell, name, networks, d, thresholds)]
            for part, change in mean_changes(name, networks[name], d.confidence).items():
                what = f"{name} on {cell}, mean relative change of {part}"
                each.append(Measure(what, change, "low", d.changed_at_least))
            measures += each
            short = [one for one in each if not one.holds]
            if not short:
                met.append(name)
            elif short[0] is each[0]:
                missed.append(f"{name} does not solve it")
            else:
                missed.append(f"{name} solves it, but not every part that it learns moved")
        both = {name in round.networks["modulated"] for name in met} == {True, False}
        all_of_them = verdict(len(met) == len(round.plastic), both)
        found[cell] = Finding(all_of_them, "; ".join([f"met by {named(met)}", *missed]), len(met), len(round.plastic))
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
    "every_rule_of_cells": Judge(_gather, partial(every_rule, limits=thresholds), _records, _SOLVED, ("plastic",)),
    "solves_where_memoryless_fails": Judge(
        _gather, partial(solves_where_plain_fails, limits=thresholds), _records, (*_SOLVED, "significant_at")
    ),
    "beats_best_traditional": Judge(
        _gather,
        _beats_best_traditional,
        _records,
        ("confidence", "seeds_at_least", "significant_at", "gain_above"),
        ("plastic", "equal_size", "more_parameters"),
    ),
}

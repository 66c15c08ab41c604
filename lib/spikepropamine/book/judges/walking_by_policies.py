"""Judges of the second round on walking: both robots, progress in place of return, and policies as what is resampled.

A cell is one network on one robot; :func:`on_one_robot` judges the cells of one robot by themselves. What is kept is
:mod:`spikepropamine.experiments.kept`'s: progress without the bonus for staying up, each condition's share at most 1, the
mean over conditions of each policy.
"""

from typing import NamedTuple

import pandas as pd

from ...experiments import kept
from ...experiments.walking_round_two import MEASUREMENT as ROUND_TWO
from ...records.statistics import Interval, interquartile_mean
from ...walking.conditions import TRAINING
from ...walking.robots import ENVIRONMENTS
from .judge import Claim, Decision, Finding, Judge, Measure, Records, Round, deciding, overall, verdict

KNOWN_NETWORKS = ("mlp",)


class Evidence(NamedTuple):
    """How the policies of the round fare on the robots that are judged."""

    robots: tuple[str, ...]
    walks: pd.DataFrame  # a row for each robot, network, seed, condition and strength
    shares: pd.DataFrame  # a row for each robot, network, seed and condition


def _gather(records: Records, claim: Claim, round: Round) -> Evidence | None:
    return _evidence(records.get(ROUND_TWO, pd.DataFrame()), round, ENVIRONMENTS)


def _evidence(walks: pd.DataFrame, round: Round, robots: tuple[str, ...]) -> Evidence | None:
    """The policies that are measured under every condition, or None where a network on one of ``robots`` has too few of them."""
    if walks.empty:
        return None
    whole = whole_policies(walks, round)
    seeds = whole.groupby(["environment", "network"]).size()
    for robot in robots:
        for name in (round.plain, *round.plastic, *round.networks["ordinary"]):
            if seeds.get((robot, name), 0) < round.definitions.walking_seeds_at_least:
                return None
    walks = walks.merge(whole, on=kept.KEYS)
    return Evidence(robots, walks, kept.shares(walks, round.conditions, capped=True))


def whole_policies(walks: pd.DataFrame, round: Round) -> pd.DataFrame:
    """The policies, by kept.KEYS, that are measured in training and under every condition at the strength that is judged."""
    judged = walks["condition"].eq(TRAINING) | walks["strength"].eq(walks["condition"].map(round.conditions))
    measured = walks[judged].groupby(kept.KEYS, as_index=False)["condition"].nunique()
    return measured.loc[measured["condition"] == len(round.conditions) + 1, kept.KEYS]


def on_one_robot(judge: str, walks: pd.DataFrame, round: Round, robot: str) -> Decision | None:
    """What the judge would say if ``robot`` were the only one: no verdict of the round; None where there are too few seeds."""
    evidence = _evidence(walks, round, (robot,))
    return None if evidence is None else JUDGES[judge].decide(evidence, round)


def _robots_that_are_whole(records: Records, claim: Claim, round: Round) -> dict[str, Decision]:
    walks = records.get(ROUND_TWO, pd.DataFrame())
    found = {robot: on_one_robot(claim.judge, walks, round, robot) for robot in ENVIRONMENTS}
    return {robot: decision for robot, decision in found.items() if decision is not None}


def _return(evidence: Evidence, robot: str, name: str) -> Interval:
    walks = evidence.walks
    trained = walks[walks["condition"].eq(TRAINING) & walks["environment"].eq(robot) & walks["network"].eq(name)]
    return interquartile_mean(trained["return"].fillna(0.0))  # nothing where every episode diverged


def _by_cell(names: tuple[str, ...], robots: tuple[str, ...], judge_one, form: str) -> Decision:
    """One finding a network, over all robots: met where it is on each, in part where it is on one or in part on one."""
    found, measures = {}, []
    for name in names:
        parts = {robot: judge_one(robot, name) for robot in robots}
        measures += [measure for one, _ in parts.values() for measure in one]
        verdicts = {robot: Finding(of_it, "", int(of_it == "reproduced"), 1) for robot, (_, of_it) in parts.items()}
        reason = "; ".join(f"{robot} {one[0].interval:{form}}" for robot, (one, _) in parts.items())
        met, part = (sum(count) for count in zip(*((one.met, one.in_part) for one in verdicts.values())))
        found[name] = Finding(overall(verdicts), reason, met, len(robots), part)
    return Decision(overall(found), deciding(measures), found)


def _walks(evidence: Evidence, round: Round) -> Decision:
    def one(robot: str, name: str) -> tuple[list[Measure], str]:
        reached = _return(evidence, robot, name)
        measure = Measure(f"{name} on {robot}, return", reached, "low", round.definitions.walks_at_least)
        return [measure], verdict(measure.holds, False)

    return _by_cell(round.plastic, evidence.robots, one, ",.0f")


def _reaches_ordinary(evidence: Evidence, round: Round) -> Decision:
    (ordinary,) = round.networks["ordinary"]

    def one(robot: str, name: str) -> tuple[list[Measure], str]:
        whole = _return(evidence, robot, ordinary).mean
        reached = Interval(*(value / whole for value in _return(evidence, robot, name)))
        what = f"{name} on {robot}, return as a share of that of {ordinary}"
        measure = Measure(what, reached, "mean", round.definitions.reaches_at_least)
        return [measure], verdict(measure.holds, False)

    return _by_cell((round.plain, *round.plastic), evidence.robots, one, ".2f")


def _keeps_progress(evidence: Evidence, round: Round) -> Decision:
    d = round.definitions

    def one(robot: str, name: str) -> tuple[list[Measure], str]:
        share = kept.kept(evidence.shares, robot, name)
        what = f"{name} on {robot}, progress kept"
        both = [Measure(what, share, "mean", d.keeps_at_least), Measure(what, share, "low", d.keeps_low_at_least)]
        return both, verdict(all(one.holds for one in both), share.mean >= d.keeps_partly_at_least)

    return _by_cell(round.plastic, evidence.robots, one, ".2f")


def _loses_no_more(evidence: Evidence, round: Round, role: str, margin: str | None) -> Decision:
    (other,) = round.networks[role]
    threshold = -round.definitions[margin] if margin else 0.0

    def one(robot: str, name: str) -> tuple[list[Measure], str]:
        gain = kept.kept_more(evidence.shares, robot, name, other)
        what = f"{name} on {robot}, progress kept less that of {other}"
        measure = Measure(what, gain, "low", threshold, strict=True)
        return [measure], verdict(measure.holds, False)

    return _by_cell(round.plastic, evidence.robots, one, "+.2f")


def _no_more_than_ordinary(evidence: Evidence, round: Round) -> Decision:
    return _loses_no_more(evidence, round, "ordinary", "keeps_less_at_most")


def _more_than_plain(evidence: Evidence, round: Round) -> Decision:
    return _loses_no_more(evidence, round, "plain", None)


def _rests_on(claim: Claim, round: Round) -> list[str]:
    return [ROUND_TWO]


_ROLES = ("plain", "plastic", "ordinary")
_ENOUGH = ("walking_seeds_at_least",)
_KEEPS = ("keeps_at_least", "keeps_low_at_least", "keeps_partly_at_least")

JUDGES: dict[str, Judge] = {
    name: Judge(
        _gather, decide, _rests_on, (*_ENOUGH, *needs), _ROLES, about=("conditions",), parts=_robots_that_are_whole
    )
    for name, decide, needs in (
        ("walks_on_both", _walks, ("walks_at_least",)),
        ("reaches_ordinary", _reaches_ordinary, ("reaches_at_least",)),
        ("keeps_progress", _keeps_progress, _KEEPS),
        ("loses_no_more_than_ordinary", _no_more_than_ordinary, ("keeps_less_at_most",)),
        ("keeps_more_progress_than_plain", _more_than_plain, ()),
    )
}

"""Judges of claims on walking: what trained policies earn, and what they keep of it under novel conditions."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from ...walking.conditions import CONDITIONS, TRAINING
from ...walking.policies import POLICIES
from .judge import Claim, Decision, Definitions, Finding, Judge, Measure, Records, Round, deciding, overall, verdict

KNOWN_CONDITIONS = tuple(CONDITIONS)
KNOWN_NETWORKS = POLICIES
MEASUREMENTS = "novel-conditions"  # published: a row for each environment, network, seed, condition and strength
ROBOT = "Ant-v5"


class Fares(NamedTuple):
    """How one network's policies fare, a row a seed."""

    trained: pd.Series  # return under the training condition
    shares: pd.DataFrame  # of it, kept under each novel condition, a column each


def share_kept(fares: Fares, d: Definitions) -> Interval:
    """The interquartile mean of the share kept, over seeds and conditions."""
    return interquartile_mean(*_strata(fares), confidence=d.confidence)


def _gather(records: Records, claim: Claim, round: Round) -> dict[str, Fares] | None:
    """How each network fares at the judged strengths, or None where one of them has too few seeds."""
    walks = records.get(MEASUREMENTS, pd.DataFrame())
    if walks.empty:
        return None
    ant, fares = walks[walks["environment"] == ROBOT], {}
    judged = {TRAINING: math.nan} | dict(round.conditions)
    for name in (round.plain, *round.plastic):
        of_it = ant[ant["network"] == name]
        rows = [
            of_it[(of_it["condition"] == c) & (of_it["strength"].eq(s) | of_it["strength"].isna())]
            for c, s in judged.items()
        ]
        returns = pd.concat(rows).pivot(index="seed", columns="condition", values="return")
        returns = returns.reindex(columns=list(judged)).dropna()
        if len(returns) < round.definitions.walking_seeds_at_least:
            return None
        fares[name] = Fares(returns[TRAINING], returns[list(round.conditions)].div(returns[TRAINING], axis=0))
    return fares


def _walks(fares: Mapping[str, Fares], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for name in round.plastic:
        reached = interquartile_mean(fares[name].trained, confidence=d.confidence)
        measures.append(Measure(f"{name}, return", reached, "low", d.walks_at_least))
        found[name] = _finding(verdict(measures[-1].holds, False), f"return {reached:,.0f}")
    return Decision(overall(found), deciding(measures), found)


def _keeps_walking(fares: Mapping[str, Fares], round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for name in round.plastic:
        kept = share_kept(fares[name], d)
        both = [
            Measure(f"{name}, share kept", kept, "mean", d.keeps_at_least),
            Measure(f"{name}, share kept", kept, "low", d.keeps_low_at_least),
        ]
        measures += both
        keeps = verdict(all(one.holds for one in both), kept.mean >= d.keeps_partly_at_least)
        found[name] = _finding(keeps, f"keeps {kept:.0%}")
    return Decision(overall(found), deciding(measures), found)


def _keeps_more_than_plain(fares: Mapping[str, Fares], round: Round) -> Decision:
    d, found, measures, plain = round.definitions, {}, [], _strata(fares[round.plain])
    for name in round.plastic:
        gain = interquartile_difference(_strata(fares[name]), plain, d.confidence)
        measures.append(Measure(f"{name}, share kept more than {round.plain}", gain, "low", 0.0, strict=True))
        found[name] = _finding(verdict(measures[-1].holds, False), f"{gain:+.0%}")
    return Decision(overall(found), deciding(measures), found)


def _strata(fares: Fares) -> list[pd.Series]:
    return [fares.shares[condition] for condition in fares.shares]


def _finding(of_it: str, reason: str) -> Finding:
    return Finding(of_it, reason, int(of_it == "reproduced"), 1)


def _rests_on(claim: Claim, round: Round) -> list[str]:
    return [MEASUREMENTS]


_KEEPS = ("keeps_at_least", "keeps_low_at_least", "keeps_partly_at_least")

_ENOUGH = ("confidence", "walking_seeds_at_least")

JUDGES: dict[str, Judge] = {
    "walks": Judge(_gather, _walks, _rests_on, (*_ENOUGH, "walks_at_least"), about=()),
    "keeps_walking": Judge(_gather, _keeps_walking, _rests_on, (*_ENOUGH, *_KEEPS), about=("conditions",)),
    "keeps_more_than_snn": Judge(_gather, _keeps_more_than_plain, _rests_on, _ENOUGH, about=("conditions",)),
}

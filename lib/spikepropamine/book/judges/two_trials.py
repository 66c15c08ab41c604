"""Judges of our questions on the walk that must be learned within the episode. A cell is one policy's runs, a row a seed."""

from collections.abc import Mapping

import pandas as pd

from ...experiments.adaptation_task import FINDS_OUT, MAIN
from ...records.statistics import interquartile_difference, interquartile_mean
from ...walking.memory_policies import MEMORIES
from .judge import Claim, Decision, Finding, Judge, Measure, Records, Round, deciding, overall, verdict

KNOWN_NETWORKS = MEMORIES
_ROLES = ("plain", "plastic", "memories")
_RUNS = {"adaptation": MAIN, "finding out": MAIN + FINDS_OUT}  # by part of a round, what it is about
Cells = Mapping[str, pd.DataFrame]


def _gather(records: Records, claim: Claim, round: Round) -> Cells | None:
    """The runs of every policy of the round, or None where one has too few seeds."""
    runs, cells = records.get(_RUNS[round.part], pd.DataFrame()), {}
    for role in _ROLES:
        for name in round.networks[role]:
            cells[name] = runs[runs["network.name"] == name] if len(runs) else runs
            if len(cells[name]) < round.definitions.adaptation_seeds_at_least:
                return None
    return cells


def _right(name: str, cells: Cells, round: Round, column: str = "right") -> Measure:
    d = round.definitions
    found = interquartile_mean(cells[name][column], confidence=d.confidence)
    return Measure(f"{name}, share that went the right way", found, "low", d.remembers_at_least)


def _plasticity_remembers(cells: Cells, round: Round) -> Decision:
    d, found = round.definitions, {}
    plain = interquartile_mean(cells[round.plain]["right"], confidence=d.confidence)
    fails = Measure(f"{round.plain}, share that went the right way", plain, "high", d.forgets_at_most, at_least=False)
    measures = [fails]
    for name in round.plastic:
        measures.append(_right(name, cells, round))
        met = fails.holds and measures[-1].holds
        reason = f"{measures[-1].interval:.2f} went the right way"
        found[name] = Finding(verdict(met, False), reason, int(met), 1)
    return Decision(overall(found), deciding(measures), found)


def _efficacies_carry_it(cells: Cells, round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    for name in round.plastic:
        able = _right(name, cells, round)
        alone = _right(name, cells, round, "right.E alone kept")._replace(what=f"{name}, share right with E alone kept")
        swapped = interquartile_mean(cells[name]["right.E swapped"], confidence=d.confidence)
        astray = Measure(
            f"{name}, share right with E swapped",
            swapped,
            "high",
            1 - d.remembers_at_least,
            at_least=False,
        )
        measures += [able, alone, astray]
        met = able.holds and alone.holds and astray.holds
        reason = f"{alone.interval:.2f} with E alone kept, {swapped:.2f} with E swapped"
        found[name] = Finding(verdict(met, False), reason, int(met), 1)
    return Decision(overall(found), deciding(measures), found)


def _no_worse_than_memories(cells: Cells, round: Round) -> Decision:
    d, found, measures = round.definitions, {}, []
    best = max(round.networks["memories"], key=lambda name: interquartile_mean(cells[name]["score"]).mean)
    for name in round.plastic:
        gain = interquartile_difference([cells[name]["score"]], [cells[best]["score"]], d.confidence)
        measures.append(
            Measure(f"{name}, metres further than {best}", gain, "low", -d.metres_worse_at_most, strict=True)
        )
        found[name] = Finding(verdict(measures[-1].holds, False), f"{gain:+.2f} m", int(measures[-1].holds), 1)
    return Decision(overall(found), deciding(measures), found)


def _rests_on(claim: Claim, round: Round) -> list[str]:
    return [_RUNS[round.part]]


_NEEDS = ("confidence", "adaptation_seeds_at_least")

JUDGES: dict[str, Judge] = {
    "plasticity_remembers": Judge(
        _gather, _plasticity_remembers, _rests_on, (*_NEEDS, "remembers_at_least", "forgets_at_most"), _ROLES, about=()
    ),
    "efficacies_carry_it": Judge(
        _gather, _efficacies_carry_it, _rests_on, (*_NEEDS, "remembers_at_least"), _ROLES, about=()
    ),
    "no_worse_than_memories": Judge(
        _gather, _no_worse_than_memories, _rests_on, (*_NEEDS, "metres_worse_at_most"), _ROLES, about=()
    ),
}

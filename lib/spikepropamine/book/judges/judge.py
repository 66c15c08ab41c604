"""What a judge is: the function that decides one kind of claim, and what goes into and comes out of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from ...records.statistics import Interval

VERDICTS = ("reproduced", "partly reproduced", "not reproduced", "not yet run")
Records = Mapping[
    str, pd.DataFrame
]  # published results by name, a row a run or a measurement; what is not there is missing


class Definitions(dict):
    """The thresholds of a round by name, as keys and as attributes: ``definitions.confidence``."""

    def __getattr__(self, name: str) -> float:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"definition {name!r}: must be one of {', '.join(self)}") from None

    def stands(self, accuracy: Interval) -> str:
        """How a network stands with a task: "solved", "failed" or "neither", by the far end of its interval."""
        if accuracy.low >= self.solved_at_least:
            return "solved"
        return "failed" if accuracy.high <= self.failed_at_most else "neither"


@dataclass(frozen=True)
class Claim:
    """One claim of claims.yml."""

    id: str
    title: str  # the statement in a few words
    statement: str
    judge: str
    criterion: str
    chapter: str  # the page that shows it
    item: str  # the figure or table that shows it
    ours: bool  # a question of this project's, not a claim of the abstract
    options: Mapping[str, Any]  # what else its entry says, such as ``noise``: its judge takes them


@dataclass(frozen=True)
class Round:
    """Claims that were registered together, with everything that they are about, by name."""

    number: int
    part: str  # of the round, where its parts were registered apart; "" for the whole of it
    known: str  # what was known when it was registered
    exceptions: tuple[str, ...]  # to "registered before the runs"
    definitions: Definitions
    tasks: tuple[str, ...]
    networks: Mapping[str, tuple[str, ...]]  # by their role, such as plain, plastic, modulated, controls
    conditions: Mapping[str, float | None]  # novel conditions, each with the strength that is judged
    claims: tuple[Claim, ...]

    @property
    def plain(self) -> str:
        """The network without plasticity."""
        return self.networks["plain"][0]

    @property
    def plastic(self) -> tuple[str, ...]:
        """The plastic networks that the claims are about."""
        return self.networks["plastic"]


class Measure(NamedTuple):
    """A number against its threshold."""

    what: str  # such as "dp-oja on recall, accuracy"
    interval: Interval  # the mean and the ends of its interval; NaN where there are none
    decides: str  # which of them the criterion asks about: "mean", "low" or "high"
    threshold: float
    at_least: bool = True  # whether the number has to reach the threshold, or to stay at or below it
    strict: bool = False  # whether the threshold itself is not enough

    @property
    def number(self) -> float:
        """The number that decides."""
        return getattr(self.interval, self.decides)

    @property
    def holds(self) -> bool:
        """Whether the number is on the right side of its threshold."""
        if self.number == self.threshold:
            return not self.strict
        return (self.number > self.threshold) == self.at_least and not math.isnan(self.number)

    @property
    def margin(self) -> float:
        """How far the number is on the right side, relative to the threshold; negative on the wrong side."""
        if math.isnan(self.number):
            return -math.inf
        return (self.number - self.threshold) * (1 if self.at_least else -1) / (abs(self.threshold) or 1.0)


class Finding(NamedTuple):
    """What a judge found of one task, or of one network where walking is judged."""

    verdict: str
    reason: str
    met: int  # cells, such as networks on this task, that meet the criterion
    of: int
    part: int = 0  # cells that meet it in part, where there are several

    @property
    def in_part(self) -> int:
        """Cells that meet the criterion in part alone."""
        return self.part if self.of > 1 else int(self.verdict == VERDICTS[1])


class Decision(NamedTuple):
    """A claim's verdict."""

    verdict: str
    deciding: Measure  # where the claim is reproduced, the closest number; elsewhere the one that falls shortest
    found: dict[str, Finding]

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells, such as networks on tasks, meet the criterion, and of how many."""
        return sum(one.met for one in self.found.values()), sum(one.of for one in self.found.values())


@dataclass(frozen=True)
class Judge:
    """How one kind of claim is judged.

    Args:
        gather: the evidence for a claim, from the published records; None where there are too few runs.
        decide: the decision, from that evidence.
        rests_on: names of the published results that the claim rests on.
        needs: names of the definitions that it reads.
        roles: roles of the round's networks that it reads.
        options: of a claim's entry, the values that each may take.
        about: which of the round's tasks and conditions it goes through: there has to be one.
        parts: of a claim without all its evidence, what those parts come to that are whole, by name; no verdict.
    """

    gather: Callable[[Records, Claim, Round], Any]
    decide: Callable[[Any, Round], Decision]
    rests_on: Callable[[Claim, Round], Sequence[str]]
    needs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("plain", "plastic")
    options: Mapping[str, tuple[Any, ...]] | None = None
    about: tuple[str, ...] = ("tasks",)
    parts: Callable[[Records, Claim, Round], Mapping[str, Decision]] = lambda *_: {}


NOTHING = Interval(math.nan, math.nan, math.nan)
NOT_YET_RUN = Decision(VERDICTS[3], Measure("", NOTHING, "mean", math.nan), {})


def verdict(all_of_it: bool, part_of_it: bool) -> str:
    """The first, second or third of VERDICTS."""
    return VERDICTS[0] if all_of_it else VERDICTS[1] if part_of_it else VERDICTS[2]


def overall(found: Mapping[str, Finding]) -> str:
    """Reproduced where every finding is; partly where at least one is, or is in part."""
    verdicts = [finding.verdict for finding in found.values()]
    return verdict(all(v == VERDICTS[0] for v in verdicts), any(v != VERDICTS[2] for v in verdicts))


def deciding(measures: Sequence[Measure]) -> Measure:
    """The measure with the smallest margin: what kept a criterion from being met, or what came closest to that."""
    return min(measures, key=lambda measure: measure.margin)


def named(names: Sequence[str], none: str = "none of the plastic networks") -> str:
    """``names`` in a sentence."""
    return ", ".join(names) or none

"""What every temporal task has: a trial in ticks, background noise, and a readout that is asked at the end."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import require, require_not_negative, require_positive

# background firing on every input, in Hz
NOISE_HZ = {"low": 5.0, "high": 20.0}

# what a trained network is tested on beside its task's own values
TESTED_NOISE_HZ = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0)
TESTED_DELAY_FACTORS = (0.5, 1.0, 2.0, 4.0)

UNSEARCHED = (
    1e-2,
    0.2,
)  # learning rate and factor on η of a network that no search has chosen for: the middle of the grid


class Trials(NamedTuple):
    """A batch of trials."""

    spikes: Tensor  # (T, B, inputs), 0 or 1
    labels: Tensor  # what is asked: (B,) classes, or (B, bits) of 0 and 1
    asked: Tensor | None  # (B, bits), the bits that count; None where labels are classes
    shown: Tensor  # what was presented, as the task defines it


@dataclass(frozen=True)
class Task:
    """The part that tasks share. A task is a frozen dataclass that adds its timing and ``sample``.

    ``ideal(trials)`` gives the scores, (B, outputs), of an observer who sees the spikes and knows all but the answer.
    A network's answer is the mean readout from ``decision_start`` on. Chance is 0.5 in every task. All that experiments
    and pages need to know of a task stands in its class.

    Raises:
        ValueError: naming the field, its value and what is allowed. A field that ends in ``_ms`` lasts a whole number of ticks.
    """

    name: ClassVar[str]  # what commands and records call it
    label: ClassVar[str]  # what pages call it
    smallest: ClassVar[Mapping[str, Any]]  # fields of its smallest form, for tests of seconds
    beyond: ClassVar[tuple[str, tuple[int, ...]]]  # a field, and the values of it that trained networks are tested on
    # what its search found best, by network: (learning rate, factor on the rule's initial η); snn and controls have no η
    chosen: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({})

    noise: str | float = "low"  # of every input: a key of NOISE_HZ, or a rate in Hz
    delay_ms: float = 300.0
    decision_ms: float = 150.0
    cue_rate: float = 80.0  # Hz on top of the noise, of an input that is driven
    dt: float = 5.0  # tick in milliseconds

    def __post_init__(self):
        require_positive("dt", self.dt)
        for name in (field.name for field in dataclasses.fields(self) if field.name.endswith("_ms")):
            value = getattr(self, name)
            (require_not_negative if name in ("delay_ms", "gap_ms") else require_positive)(name, value)
            whole = abs(value / self.dt - round(value / self.dt)) < 1e-9
            require(whole, name, value, f"a whole number of ticks of dt = {self.dt} ms")
        if self.noise not in NOISE_HZ:
            require(not isinstance(self.noise, str), "noise", self.noise, "one of 'low', 'high', or a rate in Hz >= 0")
            require_not_negative("noise", self.noise)
        require_not_negative("cue_rate", self.cue_rate)
        limit = 1000 / self.dt
        total = self.cue_rate + self.noise_hz
        require(total <= limit, "cue_rate", self.cue_rate, f"at most {limit:g} Hz with the noise: one spike a tick")

    @classmethod
    def choice(cls, network: str) -> tuple[float, float]:
        """Learning rate and factor on the rule's initial η for ``network``; UNSEARCHED where no search has chosen."""
        return cls.chosen.get(network, UNSEARCHED)

    def variants(self) -> dict[str, "Task"]:
        """This task with one field changed at a time, by ``tested.<field>.<value>``; what its sizes do not allow is left out."""
        field, sizes = self.beyond
        changes = [("noise", hz) for hz in TESTED_NOISE_HZ]
        changes += [("delay_ms", factor * self.delay_ms) for factor in TESTED_DELAY_FACTORS]
        changes += [(field, size) for size in sizes if self.allows(field, size)]
        return {f"tested.{key}.{value:g}": dataclasses.replace(self, **{key: value}) for key, value in changes}

    def allows(self, field: str, value: Any) -> bool:
        """Whether this task may have ``value`` in ``field``."""
        try:
            dataclasses.replace(self, **{field: value})
        except ValueError:
            return False
        return True

    @property
    def ticks(self) -> int:
        """Ticks in a trial."""
        return self.decision_start + self.in_ticks(self.decision_ms)

    @property
    def noise_hz(self) -> float:
        """The background rate of every input in Hz."""
        return NOISE_HZ.get(self.noise, self.noise)

    def in_ticks(self, milliseconds: float) -> int:
        """A duration in ticks."""
        return round(milliseconds / self.dt)

    def spikes(self, periods: Iterable[tuple[int, int, Tensor]], batch_size: int, generator: torch.Generator) -> Tensor:
        """Spikes, (T, B, inputs), each independent with probability rate · dt.

        Args:
            periods: first tick, tick after the last, and how far each input is driven meanwhile, (B, inputs) from 0 to 1;
                in their order in time. What is not driven carries noise alone.
            batch_size: trials B.
            generator: of the random numbers.
        """
        draws, done = torch.rand(self.ticks, batch_size, self.n_inputs, generator=generator), 0
        for start, stop, driven in [*periods, (self.ticks, self.ticks, torch.zeros(1))]:
            draws[done:start].lt_(torch.tensor(self.noise_hz) * (self.dt / 1000))
            draws[start:stop].lt_((self.noise_hz + self.cue_rate * driven) * (self.dt / 1000))
            done = stop
        return draws

    def evidence(self, spikes: Tensor) -> Tensor:
        """log P(spikes | driven) − log P(spikes | background alone), each spike or silence by itself, (T, B, inputs)."""
        driven = torch.tensor((self.cue_rate + self.noise_hz) * self.dt / 1000, dtype=torch.float64)
        alone = torch.tensor(self.noise_hz * self.dt / 1000, dtype=torch.float64)
        # what cannot be has probability 0; a spike where none can be would be certain proof, held to a finite one
        log = lambda p: p.clamp(min=1e-300).log()  # noqa: E731
        return torch.where(spikes.bool(), log(driven) - log(alone), log(1 - driven) - log(1 - alone))

    def ideal_accuracy(self, trials: int, generator: torch.Generator) -> float:
        """What an ideal observer, who knows the task, its rates and its noise, gets right, over ``trials`` drawn trials."""
        batch = self.sample(trials, generator)
        return self.correct(self.ideal(batch), batch).mean().item()

    def objective(self, scores: Tensor, trials: Trials) -> Tensor:
        """The loss of scores, (B, outputs): cross-entropy of the class, or of every bit that is asked for."""
        labels = trials.labels.to(scores.device)
        if trials.asked is None:
            return F.cross_entropy(scores, labels)
        each = F.binary_cross_entropy_with_logits(scores, labels.to(scores.dtype), reduction="none")
        asked = trials.asked.to(scores)
        return (each * asked).sum() / asked.sum()

    def correct(self, scores: Tensor, trials: Trials) -> Tensor:
        """The share of each answer, (B,), that is right: chance is 0.5, perfect 1."""
        scores = scores.detach().cpu()
        if trials.asked is None:
            return (scores.argmax(1) == trials.labels).float()
        right = ((scores > 0) == trials.labels.bool()) & trials.asked
        return right.sum(1) / trials.asked.sum(1)


@dataclass(frozen=True)
class CueSequence(Task):
    """A task of ``n_cues`` cues of ``cue_ms``, each followed by ``gap_ms`` without one; then ``delay_ms``; then the decision."""

    n_cues: int = 4
    cue_ms: float = 100.0
    gap_ms: float = 50.0

    @property
    def cue_starts(self) -> list[int]:
        """The tick at which each cue starts."""
        period = self.in_ticks(self.cue_ms) + self.in_ticks(self.gap_ms)
        return [k * period for k in range(self.n_cues)]

    @property
    def cue_ticks(self) -> int:
        """Ticks of one cue."""
        return self.in_ticks(self.cue_ms)

    @property
    def delay_start(self) -> int:
        """The first tick after the last cue and its gap."""
        return self.n_cues * (self.cue_ticks + self.in_ticks(self.gap_ms))

    @property
    def decision_start(self) -> int:
        """The first tick of the decision period."""
        return self.delay_start + self.in_ticks(self.delay_ms)

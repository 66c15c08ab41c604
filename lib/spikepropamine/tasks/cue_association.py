"""Noisy cue association: which side showed more cues, asked after a silent delay.

After the evidence-accumulation task of Bellec et al. (2020), itself after a rodent T-maze
(Morcos and Harvey 2016). Timing, rates and noise are this project's choice.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import require, require_choice, require_count, require_not_negative, require_positive

# background firing on every input, in Hz
NOISE_HZ = {"low": 5.0, "high": 20.0}


class Trials(NamedTuple):
    """A batch of trials."""

    spikes: Tensor  # (T, B, inputs), 0 or 1
    labels: Tensor  # (B,), 0 where the left side had more cues, 1 where the right had
    cues: Tensor  # (B, n_cues), 0 left, 1 right


@dataclass(frozen=True)
class CueAssociation:
    """One trial: cues one after another, each left or right; a delay; a decision period.

    Of ``4 · group_size`` inputs the first group fires at ``cue_rate`` during left cues, the second
    during right cues, the third throughout the decision period, the fourth never: it carries
    background alone. Every input fires at the background rate of ``noise`` on top.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    noise: str = "low"  # a key of NOISE_HZ
    n_cues: int = 7  # odd: no ties
    cue_ms: float = 100.0
    gap_ms: float = 50.0  # silence after each cue
    delay_ms: float = 300.0
    decision_ms: float = 150.0
    group_size: int = 10
    cue_rate: float = 80.0  # Hz, of a neuron whose group is driven
    dt: float = 5.0  # tick in milliseconds

    def __post_init__(self):
        require_choice("noise", self.noise, NOISE_HZ)
        require_count("n_cues", self.n_cues)
        require(self.n_cues % 2 == 1, "n_cues", self.n_cues, "odd, so that one side has more")
        require_count("group_size", self.group_size)
        require_positive("dt", self.dt)
        for name in ("cue_ms", "decision_ms"):
            require_positive(name, getattr(self, name))
        for name in ("gap_ms", "delay_ms", "cue_rate"):
            require_not_negative(name, getattr(self, name))
        for name in ("cue_ms", "gap_ms", "delay_ms", "decision_ms"):
            value = getattr(self, name)
            whole = abs(value / self.dt - round(value / self.dt)) < 1e-9
            require(whole, name, value, f"a whole number of ticks of dt = {self.dt} ms")
        total = self.cue_rate + NOISE_HZ[self.noise]
        limit = 1000 / self.dt
        require(total <= limit, "cue_rate", self.cue_rate, f"at most {limit:g} Hz with the noise: one spike a tick")

    @property
    def n_inputs(self) -> int:
        return 4 * self.group_size

    @property
    def n_classes(self) -> int:
        return 2

    @property
    def ticks(self) -> int:
        """Ticks in a trial."""
        return self.decision_start + self._in_ticks(self.decision_ms)

    @property
    def cue_starts(self) -> list[int]:
        """The tick at which each cue starts."""
        period = self._in_ticks(self.cue_ms) + self._in_ticks(self.gap_ms)
        return [k * period for k in range(self.n_cues)]

    @property
    def cue_ticks(self) -> int:
        """Ticks of one cue."""
        return self._in_ticks(self.cue_ms)

    @property
    def delay_start(self) -> int:
        """The first tick after the last cue and its gap."""
        return self.n_cues * (self.cue_ticks + self._in_ticks(self.gap_ms))

    @property
    def decision_start(self) -> int:
        """The first tick of the decision period."""
        return self.delay_start + self._in_ticks(self.delay_ms)

    def group(self, name: str) -> slice:
        """The inputs of group ``left``, ``right``, ``decision`` or ``background``."""
        names = ("left", "right", "decision", "background")
        require_choice("group", name, names)
        k = names.index(name)
        return slice(k * self.group_size, (k + 1) * self.group_size)

    def sample(self, batch_size: int, generator: torch.Generator) -> Trials:
        """Draw ``batch_size`` trials; each cue is left or right with equal probability."""
        require_count("batch_size", batch_size)
        cues = torch.randint(0, 2, (batch_size, self.n_cues), generator=generator)
        probability = self._rates(cues).mul_(self.dt / 1000)
        spikes = torch.rand(probability.shape, generator=generator).lt_(probability)
        labels = (2 * cues.sum(1) > self.n_cues).long()
        return Trials(spikes, labels, cues)

    def _rates(self, cues: Tensor) -> Tensor:
        """Firing rates in Hz, (T, B, inputs)."""
        rates = torch.full((self.ticks, len(cues), self.n_inputs), NOISE_HZ[self.noise])
        for k, start in enumerate(self.cue_starts):
            during = rates[start : start + self.cue_ticks]
            right = cues[:, k, None].float()
            during[..., self.group("left")] += self.cue_rate * (1 - right)
            during[..., self.group("right")] += self.cue_rate * right
        rates[self.decision_start :, :, self.group("decision")] += self.cue_rate
        return rates

    def _in_ticks(self, milliseconds: float) -> int:
        return round(milliseconds / self.dt)

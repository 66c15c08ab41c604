"""Noisy cue association: which side showed more cues, asked after a silent delay.

After the evidence-accumulation task of Bellec et al. (2020), itself after a rodent T-maze
(Morcos and Harvey 2016). Timing, rates and noise are this project's choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..checks import require, require_choice, require_count
from .task import CueSequence, Trials


@dataclass(frozen=True)
class CueAssociation(CueSequence):
    """One trial: cues one after another, each left or right; a delay; a decision period.

    Of ``4 · group_size`` inputs the first group fires at ``cue_rate`` during left cues, the second
    during right cues, the third throughout the decision period, the fourth never: it carries
    background alone. Every input fires at the background rate of ``noise`` on top.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    name = "cue-association"
    label = "cue association"
    smallest = MappingProxyType(dict(n_cues=3, delay_ms=50.0, decision_ms=50.0))
    beyond = ("n_cues", (1, 3, 5, 7, 9, 13))
    chosen = MappingProxyType(
        {
            "snn": (3e-3, 1.0),
            "dp-oja": (1e-2, 0.04),
            "dp-bcm": (3e-3, 0.04),
            "ndp-oja": (1e-2, 0.04),
            "ndp-bcm": (1e-2, 0.2),
            "snn-long": (3e-2, 1.0),
            "snn-wide": (1e-2, 1.0),
            "rsnn": (1e-2, 1.0),
            "alif": (1e-2, 1.0),
            "synaptic": (1e-2, 1.0),
            "slstm": (3e-3, 1.0),
        }
    )

    n_cues: int = 7  # odd: no ties
    group_size: int = 10

    def __post_init__(self):
        super().__post_init__()
        require_count("n_cues", self.n_cues)
        require(self.n_cues % 2 == 1, "n_cues", self.n_cues, "odd, so that one side has more")
        require_count("group_size", self.group_size)

    @property
    def n_inputs(self) -> int:
        return 4 * self.group_size

    @property
    def n_outputs(self) -> int:
        return 2

    def group(self, name: str) -> slice:
        """The inputs of group ``left``, ``right``, ``decision`` or ``background``."""
        names = ("left", "right", "decision", "background")
        require_choice("group", name, names)
        k = names.index(name)
        return slice(k * self.group_size, (k + 1) * self.group_size)

    def sample(self, batch_size: int, generator: torch.Generator) -> Trials:
        """Draw ``batch_size`` trials; each cue is left or right with equal probability.

        ``labels`` are 0 where the left side had more cues, 1 where the right had; ``shown`` holds the cues,
        (B, n_cues), 0 left and 1 right.
        """
        require_count("batch_size", batch_size)
        cues = torch.randint(0, 2, (batch_size, self.n_cues), generator=generator)
        labels = (2 * cues.sum(1) > self.n_cues).long()
        return Trials(self.spikes(self._periods(cues), batch_size, generator), labels, None, cues)

    def ideal(self, trials: Trials) -> Tensor:
        """The ideal observer's scores, (B, 2): log P(left) and log P(right) that it had more cues."""
        evidence = self.evidence(trials.spikes)
        # how many cues were on the right: one cue after another, each right with its own probability
        count = torch.zeros(len(trials.labels), self.n_cues + 1, dtype=torch.float64)
        count[:, 0] = 1
        for start in self.cue_starts:
            during = evidence[start : start + self.cue_ticks]
            odds = (during[..., self.group("right")] - during[..., self.group("left")]).sum((0, 2))
            right = torch.sigmoid(odds)[:, None]
            count = count * (1 - right) + count.roll(1, 1) * right
        more = self.n_cues // 2 + 1
        return torch.stack([count[:, :more].sum(1), count[:, more:].sum(1)], 1).log()

    def _periods(self, cues: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        for k, start in enumerate(self.cue_starts):
            driven = torch.zeros(len(cues), self.n_inputs)
            right = cues[:, k, None].float()
            driven[:, self.group("left")] = 1 - right
            driven[:, self.group("right")] = right
            yield start, start + self.cue_ticks, driven
        driven = torch.zeros(len(cues), self.n_inputs)
        driven[:, self.group("decision")] = 1
        yield self.decision_start, self.ticks, driven

"""One-shot recall: a random pattern is shown once; after a delay a part of it must be completed.

After the pattern-memorisation task of Miconi et al. (2018), with spikes, one pattern, and a readout of the missing
bits; those changes, the timing, rates and noise are this project's choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..checks import require, require_count
from .task import Task, Trials


@dataclass(frozen=True)
class Recall(Task):
    """One trial: a pattern of ``n_bits`` random bits; a delay; ``bits_again`` of them again, the others asked for.

    A bit has two groups of ``group_size`` inputs: the first fires at ``cue_rate`` while a 1 is shown, the second
    while a 0 is; both are silent while the bit is not. Every input fires at the background rate of ``noise`` on top.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    name = "recall"
    label = "one-shot recall"
    smallest = MappingProxyType(dict(n_bits=4, bits_again=2, delay_ms=50.0, decision_ms=50.0))
    beyond = ("bits_again", (1, 3, 5, 7, 9))
    chosen = MappingProxyType(
        {
            "snn": (3e-3, 1.0),
            "dp-oja": (1e-2, 0.04),
            "dp-bcm": (1e-2, 0.04),
            "ndp-oja": (1e-2, 0.2),
            "ndp-bcm": (1e-2, 0.04),
            "snn-long": (3e-2, 1.0),
            "snn-wide": (1e-2, 1.0),
            "rsnn": (1e-2, 1.0),
            "alif": (1e-2, 1.0),
            "synaptic": (3e-2, 1.0),
            "slstm": (1e-2, 1.0),
        }
    )

    n_bits: int = 10
    bits_again: int = 5
    group_size: int = 2
    pattern_ms: float = 150.0

    def __post_init__(self):
        super().__post_init__()
        require_count("n_bits", self.n_bits, at_least=2)
        require_count("bits_again", self.bits_again, at_least=0)
        require(self.bits_again < self.n_bits, "bits_again", self.bits_again, f"less than n_bits = {self.n_bits}")
        require_count("group_size", self.group_size)

    @property
    def n_inputs(self) -> int:
        return 2 * self.n_bits * self.group_size

    @property
    def n_outputs(self) -> int:
        return self.n_bits

    @property
    def decision_start(self) -> int:
        """The first tick of the decision period, in which a part of the pattern comes again."""
        return self.in_ticks(self.pattern_ms) + self.in_ticks(self.delay_ms)

    def sample(self, batch_size: int, generator: torch.Generator) -> Trials:
        """Draw ``batch_size`` trials. ``labels`` and ``shown`` are the pattern, (B, n_bits)."""
        require_count("batch_size", batch_size)
        bits = torch.randint(0, 2, (batch_size, self.n_bits), generator=generator)
        order = torch.rand(batch_size, self.n_bits, generator=generator).argsort(-1)
        asked = order >= self.bits_again
        return Trials(self.spikes(self._periods(bits, asked), batch_size, generator), bits, asked, bits)

    def ideal(self, trials: Trials) -> Tensor:
        """The ideal observer's scores, (B, n_bits): the log odds of a 1, for bits that do not come again."""
        evidence = self.evidence(trials.spikes[: self.in_ticks(self.pattern_ms)]).sum(0)
        ones, zeros = evidence.unflatten(1, (self.n_bits, 2, self.group_size)).sum(3).unbind(2)
        return ones - zeros

    def _periods(self, bits: Tensor, asked: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        channels = torch.stack([bits, 1 - bits], -1).float()  # (B, bits, 2)
        yield 0, self.in_ticks(self.pattern_ms), self._inputs(channels)
        yield self.decision_start, self.ticks, self._inputs(channels * ~asked[..., None])

    def _inputs(self, channels: Tensor) -> Tensor:
        return channels.flatten(1).repeat_interleave(self.group_size, 1)

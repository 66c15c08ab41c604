"""Cue-reward association: find out which of several random cues is rewarded, and know it when it comes again.

After the cue-reward task of Miconi et al. (2019): cues are new random patterns in every trial, so nothing that
training stores can answer; the association must be made within the trial. There the agent acts and is rewarded;
here the reward is an input while the rewarded cue is shown, and the answer is a readout. That change, the timing,
rates and noise are this project's choice.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..checks import require, require_count
from .task import CueSequence, Trials


@dataclass(frozen=True)
class CueReward(CueSequence):
    """One trial: each cue once, one of them with reward; a delay; one of the cues again, rewarded or not?

    Of ``cue_inputs`` inputs a random ``active`` fire at ``cue_rate`` while a cue is shown. ``group_size`` more fire
    while reward is given, and another ``group_size`` during the decision period. Every input fires at the
    background rate of ``noise`` on top.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    name = "cue-reward"
    label = "cue-reward association"
    smallest = MappingProxyType(dict(n_cues=2, delay_ms=50.0, decision_ms=50.0))
    beyond = ("n_cues", (2, 3, 4, 6, 8))
    chosen = MappingProxyType(
        {
            "snn": (3e-3, 1.0),
            "dp-oja": (1e-2, 0.2),
            "dp-bcm": (1e-2, 0.2),
            "ndp-oja": (1e-2, 0.2),
            "ndp-bcm": (1e-2, 0.2),
            "snn-long": (3e-3, 1.0),
            "snn-wide": (1e-2, 1.0),
            "rsnn": (1e-2, 1.0),
            "alif": (3e-3, 1.0),
            "synaptic": (1e-2, 1.0),
            "slstm": (1e-2, 1.0),
        }
    )

    delay_ms: float = 200.0
    cue_inputs: int = 30
    active: int = 10
    group_size: int = 5

    def __post_init__(self):
        super().__post_init__()
        require_count("n_cues", self.n_cues, at_least=2)
        require_count("cue_inputs", self.cue_inputs, at_least=2)
        require_count("group_size", self.group_size)
        require_count("active", self.active)
        require(self.active < self.cue_inputs, "active", self.active, f"less than cue_inputs = {self.cue_inputs}")

    @property
    def n_inputs(self) -> int:
        return self.cue_inputs + 2 * self.group_size

    @property
    def n_outputs(self) -> int:
        return 2

    def sample(self, batch_size: int, generator: torch.Generator) -> Trials:
        """Draw ``batch_size`` trials; the cue that comes again is the rewarded one in half of them.

        ``labels`` are 1 where it is; ``shown`` holds the cues' patterns, (B, n_cues, cue_inputs).
        """
        require_count("batch_size", batch_size)
        order = torch.rand(batch_size, self.n_cues, self.cue_inputs, generator=generator).argsort(-1)
        patterns = (order < self.active).float()
        rewarded = torch.randint(0, self.n_cues, (batch_size,), generator=generator)
        labels = torch.randint(0, 2, (batch_size,), generator=generator)
        other = (rewarded + torch.randint(1, self.n_cues, (batch_size,), generator=generator)) % self.n_cues
        again = torch.where(labels == 1, rewarded, other)
        return Trials(
            self.spikes(self._periods(patterns, rewarded, again), batch_size, generator), labels, None, patterns
        )

    def ideal(self, trials: Trials) -> Tensor:
        """The ideal observer's scores, (B, 2): log P that the cue at the end is another than the rewarded one, or that one."""
        evidence = self.evidence(trials.spikes)
        windows = torch.stack([evidence[start : start + self.cue_ticks].sum(0) for start in self.cue_starts], 1)
        cues, reward = (
            windows[..., : self.cue_inputs],
            windows[..., self.cue_inputs : self.cue_inputs + self.group_size],
        )
        at_end = evidence[self.decision_start :, :, : self.cue_inputs].sum(0)
        # how well the end fits cue k: both drawn from one pattern, against each from its own
        fit = _log_patterns(cues + at_end[:, None], self.active) - _log_patterns(cues, self.active)
        rewarded = torch.log_softmax(reward.sum(2), 1)
        same = torch.logsumexp(rewarded + fit, 1)
        others = (1 - torch.eye(self.n_cues, dtype=torch.float64)).log()
        other = torch.logsumexp((rewarded[:, :, None] + fit[:, None] + others).flatten(1), 1) - math.log(
            self.n_cues - 1
        )
        return torch.stack([other, same], 1)

    def _periods(self, patterns: Tensor, rewarded: Tensor, again: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        def driven(pattern: Tensor, reward: Tensor, decision: Tensor) -> Tensor:
            return torch.cat(
                [pattern, *(group[:, None].expand(-1, self.group_size) for group in (reward, decision))], 1
            )

        never, always = torch.zeros(len(patterns)), torch.ones(len(patterns))
        for k, start in enumerate(self.cue_starts):
            yield start, start + self.cue_ticks, driven(patterns[:, k], (rewarded == k).float(), never)
        yield self.decision_start, self.ticks, driven(patterns[torch.arange(len(patterns)), again], never, always)


def _log_patterns(evidence: Tensor, active: int) -> Tensor:
    """log Σ over all patterns of ``active`` inputs of exp(evidence on its inputs), over the last axis.

    The elementary symmetric polynomial of the inputs' odds, one input after another.
    """
    total = torch.full((*evidence.shape[:-1], active + 1), -math.inf, dtype=evidence.dtype)
    total[..., 0] = 0
    for k in range(evidence.shape[-1]):
        total[..., 1:] = torch.logaddexp(total[..., 1:], total[..., :-1] + evidence[..., k, None])
    return total[..., active]

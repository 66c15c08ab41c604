"""Key-value pairs: random pairs of a key and a value are shown one after another, then a key: which value was with it?

A task of binding, after the associative retrieval of Ba et al. (2016) for networks with fast weights, with spikes, random
patterns as keys and binary values. Keys and values are new in every trial, so that nothing that training stores can answer.
Each bit is 1 in half of the pairs: what was shown, without what was shown together, tells nothing. Timing, rates and noise are
this project's choice.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..checks import require, require_count
from .cue_reward import _log_patterns
from .task import CueSequence, Trials


@dataclass(frozen=True)
class KeyValuePairs(CueSequence):
    """One trial: ``n_cues`` pairs, each shown once; a delay; one of the keys again, whose value is asked for.

    A key is a random ``active`` of ``key_inputs`` inputs, which fire at ``cue_rate`` while it is shown. Each of
    ``value_bits`` bits has two groups of ``bit_inputs`` inputs: the first fires while a 1 is shown, the second while a 0 is.
    ``group_size`` more inputs fire during the decision period. Every input fires at the background rate of ``noise`` on top.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    name = "key-value-pairs"
    label = "key–value pairs"
    smallest = MappingProxyType(dict(n_cues=2, delay_ms=50.0, decision_ms=50.0))
    beyond = ("n_cues", (1, 2, 4, 6, 8, 12))

    delay_ms: float = 200.0
    decision_ms: float = 100.0
    n_cues: int = 4  # pairs: one or an even number, so that each bit can be 1 in half of them
    key_inputs: int = 24
    active: int = 6
    value_bits: int = 4
    bit_inputs: int = 2
    group_size: int = 4

    def __post_init__(self):
        super().__post_init__()
        for name in ("n_cues", "active", "value_bits", "bit_inputs", "group_size"):
            require_count(name, getattr(self, name))
        require(self.n_cues == 1 or self.n_cues % 2 == 0, "n_cues", self.n_cues, "1 or even")
        require_count("key_inputs", self.key_inputs, at_least=2)
        require(self.active < self.key_inputs, "active", self.active, f"less than key_inputs = {self.key_inputs}")

    @property
    def n_inputs(self) -> int:
        return self.key_inputs + 2 * self.value_bits * self.bit_inputs + self.group_size

    @property
    def n_outputs(self) -> int:
        return self.value_bits

    def sample(self, batch_size: int, generator: torch.Generator) -> Trials:
        """Draw ``batch_size`` trials; each pair is asked for with equal probability.

        ``labels`` are the bits of the value asked for, (B, value_bits); ``shown`` holds the keys, (B, n_cues, key_inputs).
        """
        require_count("batch_size", batch_size)
        order = torch.rand(batch_size, self.n_cues, self.key_inputs, generator=generator).argsort(-1)
        keys = (order < self.active).float()
        order = torch.rand(batch_size, self.n_cues, self.value_bits, generator=generator)
        # half of the pairs have a 1; a single pair has any bits
        ones = order.argsort(1) < self.n_cues / 2 if self.n_cues > 1 else order < 0.5
        asked_for = torch.randint(0, self.n_cues, (batch_size,), generator=generator)
        labels = ones[torch.arange(batch_size), asked_for].long()
        spikes = self.spikes(self._periods(keys, ones, asked_for), batch_size, generator)
        return Trials(spikes, labels, torch.ones_like(labels, dtype=torch.bool), keys)

    def ideal(self, trials: Trials) -> Tensor:
        """The ideal observer's scores, (B, value_bits): the log odds of a 1."""
        evidence = self.evidence(trials.spikes)
        windows = torch.stack([evidence[start : start + self.cue_ticks].sum(0) for start in self.cue_starts], 1)
        keys = windows[..., : self.key_inputs]
        at_end = evidence[self.decision_start :, :, : self.key_inputs].sum(0)
        # log P that pair k is asked for: key k and the key at the end drawn from one pattern, against each from its own
        asked = _log_patterns(keys + at_end[:, None], self.active) - _log_patterns(keys, self.active)
        values = windows[..., self.key_inputs : -self.group_size].unflatten(2, (self.value_bits, 2, self.bit_inputs))
        one, zero = values.sum(4).unbind(3)  # each (B, pairs, bits)
        odds = one - zero
        if self.n_cues == 1:
            return odds[:, 0]
        # log P that bit k is 1, or 0, where half of all pairs have a 1
        half = self.n_cues // 2
        is_one, is_zero = [], []
        for k in range(self.n_cues):
            others = torch.cat([odds[:, :k], odds[:, k + 1 :]], 1).transpose(1, 2)
            is_one.append(odds[:, k] + _log_patterns(others, half - 1))
            is_zero.append(_log_patterns(others, half))
        weighed = (asked[:, :, None] + torch.stack(log, 1) for log in (is_one, is_zero))
        given_one, given_zero = (torch.logsumexp(log, 1) for log in weighed)
        return given_one - given_zero

    def _periods(self, keys: Tensor, ones: Tensor, asked_for: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        batch_size = len(keys)
        silent = keys.new_zeros(batch_size, 2 * self.value_bits * self.bit_inputs)
        never, always = (keys.new_full((batch_size, self.group_size), x) for x in (0.0, 1.0))
        for k, start in enumerate(self.cue_starts):
            channels = torch.stack([ones[:, k], ~ones[:, k]], -1).float()  # (B, bits, 2)
            values = channels.flatten(1).repeat_interleave(self.bit_inputs, 1)
            yield start, start + self.cue_ticks, torch.cat([keys[:, k], values, never], 1)
        key = keys[torch.arange(batch_size), asked_for]
        yield self.decision_start, self.ticks, torch.cat([key, silent, always], 1)

    def information(self, accuracy: float) -> float:
        """Bits about the value asked for that answers of this ``accuracy`` per bit carry, times the pairs: what is stored.

        The capacity of a binary symmetric channel, 1 − H(accuracy), for each of ``n_cues · value_bits`` bits; 0 at chance.
        """
        p = min(max(accuracy, 0.5), 1.0)
        entropy = 0.0 if p == 1.0 else -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
        return self.n_cues * self.value_bits * (1 - entropy)

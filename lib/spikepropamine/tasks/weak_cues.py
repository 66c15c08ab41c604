"""Weak cues: noisy cue association in which noise costs an ideal observer, too.

At the 80 Hz of :class:`~spikepropamine.tasks.cue_association.CueAssociation` the ideal observer makes no error up to 120 Hz of
background, so that "high noise" there hides nothing. Here a cue adds 14 Hz to a background of 20 Hz.
"""

from dataclasses import dataclass
from types import MappingProxyType

from .cue_association import CueAssociation


@dataclass(frozen=True)
class WeakCues(CueAssociation):
    """Cue association whose inputs fire at 34 Hz instead of 20 Hz while they are driven."""

    name = "weak-cues"
    label = "weak cues"
    chosen = MappingProxyType({})

    noise: str | float = "high"
    cue_rate: float = 14.0

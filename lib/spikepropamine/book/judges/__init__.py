"""The judges of claims, by the name that ``claims.yml`` calls them by, and what a claim can be about.

A new judge is a function in the file of its room and an entry of that file's ``JUDGES``.
"""

from . import temporal, temporal_round_two, two_trials, walking, walking_by_policies

_ROOMS = (temporal, temporal_round_two, walking, walking_by_policies, two_trials)

JUDGES = {name: judge for room in _ROOMS for name, judge in room.JUDGES.items()}
KNOWN_TASKS = tuple(name for room in _ROOMS for name in getattr(room, "KNOWN_TASKS", ()))
KNOWN_NETWORKS = tuple(dict.fromkeys(name for room in _ROOMS for name in getattr(room, "KNOWN_NETWORKS", ())))
KNOWN_CONDITIONS = tuple(name for room in _ROOMS for name in getattr(room, "KNOWN_CONDITIONS", ()))

"""Does the code do what it did? A rehearsal is what it does on next to nothing, a number by name."""

import math
from collections.abc import Mapping

# relative; another processor rounds differently, in float32 up to a spike; a changed rule does much more
TOLERANCE = 0.02


def difference(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """The first quantity that has changed, in words; empty where none has."""
    for name in dict.fromkeys([*before, *now]):
        a, b = before.get(name, math.nan), now.get(name, math.nan)
        if not math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-6):
            return f"{name} was {a:.6g}, is {b:.6g}"
    return ""

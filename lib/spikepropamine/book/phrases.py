"""Lists and ranges as they are read in a sentence."""

from collections.abc import Iterable, Sequence

import pandas as pd


def enumerated(names: Iterable[str]) -> str:
    """``names`` in a sentence: "a, b and c"; empty where there are none."""
    names = [*names]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def capital(text: str) -> str:
    """``text`` with its first letter a capital, as a sentence begins."""
    return text[:1].upper() + text[1:]


def between(values: Sequence[float], form: str = ".0%") -> str:
    """The least and the greatest of ``values``: "2 to 3%", or one number where they read alike."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low.removesuffix('%')} to {high}"


def networks_a_case(table: pd.DataFrame, case: Sequence[str]) -> str:
    """How many trained networks, one a seed, stand behind each ``case``, which are columns of ``table``."""
    seeds = table.groupby(list(case)).seed.nunique().max()
    return "one trained network a case" if seeds == 1 else f"{seeds} trained networks a case"

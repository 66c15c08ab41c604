"""A page's own result beside the published one, and beside the paper's own number where that is at hand."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from ..checks import require
from ..records.atomic import load_yaml
from ..records.statistics import Interval, interquartile_mean

# what tells the values of a table apart
KEYS = (
    "environment",
    "task",
    "workload",
    "noise",
    "condition",
    "strength",
    "network",
    "implementation",
    "held",
    "ablation",
)


@dataclass(frozen=True)
class PaperValue:
    """A number of the paper itself.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    item: str  # the id of the table it belongs in
    where: Mapping[str, str]  # which of the table's values: some of KEYS
    value: float
    source: str  # where the paper says it, such as "Table 1"

    def __post_init__(self):
        require(
            isinstance(self.item, str) and re.fullmatch(r"tab-[a-z0-9-]+", self.item) is not None,
            "item",
            self.item,
            "the id of a table, tab-…",
        )
        require(
            isinstance(self.where, Mapping)
            and len(self.where) > 0
            and set(self.where) <= set(KEYS)
            and all(isinstance(name, str) for name in self.where.values()),
            "where",
            self.where,
            "a mapping of texts with some of " + ", ".join(KEYS),
        )
        require(
            isinstance(self.value, (int, float)) and not isinstance(self.value, bool), "value", self.value, "a number"
        )
        require(
            isinstance(self.source, str) and self.source.strip() != "", "source", self.source, "where the paper says so"
        )


def load_paper_values(path: Path) -> tuple[PaperValue, ...]:
    """The entries of ``path``.

    Raises:
        ValueError: naming the file, the entry and the field that is wrong.
    """
    content = load_yaml(path)
    entries = content.get("values") if isinstance(content, dict) else None
    require(isinstance(entries, list), f"{path}: values", entries, "a list")
    known, found = {field.name for field in fields(PaperValue)}, []
    for number, entry in enumerate(entries, 1):
        require(
            isinstance(entry, dict) and set(entry) == known,
            f"{path}: entry {number} of values",
            entry,
            "a mapping of exactly " + ", ".join(sorted(known)),
        )
        try:
            found.append(PaperValue(**entry))
        except ValueError as error:
            raise ValueError(f"{path}: entry {number} of values: {error}") from error
    return tuple(found)


def beside(
    data: pd.DataFrame, value: str, published: pd.DataFrame | None, paper: Iterable[PaperValue]
) -> tuple[pd.DataFrame, str]:
    """The values of ``data`` beside those of ``published`` and of the paper, and a line on how they agree.

    Args:
        data: one observation a row: some of KEYS, ``value``, and a ``seed`` or the ends ``low`` and ``high`` of an interval.
        value: the column to compare.
        published: the same, as published; None where ``data`` is what is published.
        paper: entries for this table.
    """
    paper = list(paper)
    here = _intervals(data, value)
    rows, within, both = [], 0, 0
    before = {} if published is None else _intervals(published, value)
    for key, mine in here.items():
        row = dict(key) | {"here": _read(mine)}
        if published is not None:
            row["published"] = _read(before[key]) if key in before else "–"
            if key in before and before[key].low == before[key].low:
                both += 1
                agrees = before[key].low <= mine.mean <= before[key].high
                within += agrees
                row["agrees"] = "yes" if agrees else "no"
        told = [p for p in paper if set(p.where.items()) <= {(k, str(v)) for k, v in key}]
        row |= {"the paper": "; ".join(f"{p.value:g} ({p.source})" for p in told) or "not at hand"} if paper else {}
        rows.append(row)
    lines = []
    if published is not None:
        lines.append(
            f"Of the {both} values that the published table gives an interval for, {within} made here lie within it."
        )
    return pd.DataFrame(rows).fillna("–"), " ".join(lines)


def _intervals(data: pd.DataFrame, value: str) -> dict[tuple[tuple[str, object], ...], Interval]:
    keys = [key for key in KEYS if key in data]
    found = {}
    for key, group in data.astype({key: str for key in keys}).groupby(keys, sort=False, dropna=False):
        measured = group[value].dropna()
        if len(measured) and {"low", "high"} <= set(group):
            found[tuple(zip(keys, key))] = Interval(*group[[value, "low", "high"]].iloc[0])
        elif len(measured):
            found[tuple(zip(keys, key))] = interquartile_mean(measured)
    return found


def _read(i: Interval) -> str:
    shown = f"{i.mean:.4g}"
    return shown if i.low != i.low else f"{shown} ({i.low:.4g} to {i.high:.4g})"

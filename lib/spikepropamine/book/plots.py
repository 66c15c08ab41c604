"""The drawings and tables that several chapters share, each a function of a tidy table.

A tidy table has one observation a row. ``styles`` says which values of the column ``by`` are drawn, in which order and
how, as :func:`spikepropamine.book.network_styles.network_styles` makes it; what the table does not hold is skipped.
Intervals are interquartile means over the rows with percentile bootstrap intervals.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import require
from ..records.statistics import Interval, adjusted, compare, interquartile_mean
from .network_styles import Style

CONFIDENCE = 0.95


def intervals(frame: pd.DataFrame, value: str, by: str | Sequence[str], confidence: float = CONFIDENCE) -> pd.DataFrame:
    """The interquartile mean of ``value`` in each group of ``by``, in order of appearance.

    Returns:
        One row a group: the columns of ``by``, ``mean``, ``low``, ``high`` (NaN where there are fewer than two values)
        and ``n``, the number of values. Missing values are left out.
    """
    by = [by] if isinstance(by, str) else list(by)
    _require_columns(frame, value, *by)
    groups = frame.dropna(subset=[value]).groupby(by, sort=False, dropna=False, observed=True)[value]
    rows = [(*key, *interquartile_mean(values, confidence=confidence), len(values)) for key, values in groups]
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n"])


def band(axis: Axes, frame: pd.DataFrame, x: str, y: str, styles: Mapping[str, Style], by: str = "network") -> None:
    """The interquartile mean of ``y`` over the rows at each ``x`` as a line, its interval as a band; one for each style."""
    _require_columns(frame, x, y, by)
    for name, look in styles.items():
        part = frame[frame[by] == name]
        if part[y].notna().any():
            found = intervals(part, y, x).sort_values(x)
            axis.plot(found[x], found["mean"], lw=1.3, ms=3.5, markevery=max(1, len(found) // 5), **look)
            axis.fill_between(found[x], found.low, found.high, color=look["color"], alpha=0.2, lw=0)


def lines_by(axis: Axes, frame: pd.DataFrame, x: str, y: str, by: str, **look) -> None:
    """One thin line of ``y`` against ``x`` for each value of ``by``, such as each seed; all of them look the same."""
    _require_columns(frame, x, y, by)
    for _, part in frame.groupby(by, sort=False):
        axis.plot(part[x], part[y], **{"lw": 0.9, "alpha": 0.7} | look)


def error_interval(axis: Axes, at: float, interval: Interval, horizontal: bool = False, **look) -> None:
    """One mean with its interval as a bar, at ``at`` on the other axis; without a bar where the interval has no ends."""
    mean, low, high = interval[:3]
    ends = None if np.isnan(low) else [[mean - low], [high - mean]]
    look = {"ms": 4, "capsize": 2, "lw": 1, "linestyle": "none"} | look
    axis.errorbar(*((mean, at) if horizontal else (at, mean)), **{"xerr" if horizontal else "yerr": ends}, **look)


def seeds_and_interval(
    axis: Axes,
    frame: pd.DataFrame,
    value: str,
    styles: Mapping[str, Style],
    by: str = "network",
    at: str | None = None,
    horizontal: bool = False,
) -> None:
    """A dot plot: every row of ``frame`` (a seed) as a faint mark, and beside these their interquartile mean with its interval.

    Args:
        axis: where to draw.
        frame: one seed a row.
        value: the column of what was measured.
        styles: what is told apart by colour, in order.
        by: the column of their names.
        at: the column of the places on the axis of names, in order of appearance; None gives each style a place of its own.
        horizontal: values along x and places from top to bottom, which leaves room for long names.
    """
    _require_columns(frame, value, by, *([at] if at else []))
    names = [name for name in styles if (frame[by] == name).any()]
    places = list(dict.fromkeys(frame[at])) if at else names
    share = 0.8 / (len(names) if at else 1)  # of a place, for one name
    for k, name in enumerate(names):
        look = styles[name]
        for place in places if at else [name]:
            values = frame.loc[(frame[by] == name) & ((frame[at] == place) if at else True), value].dropna().to_numpy()
            if len(values) == 0:
                continue
            middle = places.index(place) + (share * (k + 0.5) - 0.4 if at else 0)
            spread = middle + share * np.linspace(-0.4, 0.1, len(values)) if len(values) > 1 else np.array([middle])
            xy = (values, spread) if horizontal else (spread, values)
            axis.scatter(*xy, s=9, color=look["color"], marker=look["marker"], alpha=0.45, lw=0)
            if len(values) > 1:
                error_interval(
                    axis, middle + 0.3 * share, interquartile_mean(values), horizontal, color=look["color"], marker=look["marker"]
                )  # fmt: skip
    name_places(axis, places, horizontal)


def limits(axis: Axes, values: Mapping[str, float], horizontal: bool = False) -> None:
    """Thresholds as thin lines across ``axis``, dashed, dotted and so on, each with its name at the line's end.

    ``horizontal`` is that of the dot plot: values along x, so that the lines stand upright; of several, the outer names lean outwards.
    """
    lean = dict.fromkeys(values, "center")
    if len(values) > 1:
        lean |= {min(values, key=values.__getitem__): "right", max(values, key=values.__getitem__): "left"}
    for (name, value), dash in zip(values.items(), ("--", ":", "-.", (0, (1, 3)))):
        draw = axis.axvline if horizontal else axis.axhline
        draw(value, color="0.4", lw=0.8, ls=dash, zorder=0)
        if horizontal:
            axis.text(value, 1.0, name, transform=axis.get_xaxis_transform(), fontsize=7, color="0.35", ha=lean[name], va="bottom")  # fmt: skip
        else:
            axis.text(1.0, value, f" {name}", transform=axis.get_yaxis_transform(), fontsize=7, color="0.35", va="center")  # fmt: skip


def legend_above(figure: Figure, styles: Mapping[str, Style], columns: int | None = None) -> None:
    """One legend for all panels, above them: a line with its marker for each style."""
    handles = [figure.axes[0].plot([], [], lw=1.3, ms=4, **look)[0] for look in styles.values()]
    figure.legend(handles, list(styles), loc="outside upper center", ncols=columns or min(len(handles), 6))


def interval_table(
    frame: pd.DataFrame,
    value: str,
    rows: str | Sequence[str],
    columns: str = "network",
    form: str = ".3f",
    mark: Callable[[Interval], str] = lambda interval: "",
) -> pd.DataFrame:
    """A table to read: a row for each group of ``rows``, a column for each value of ``columns``, in order of appearance.

    A cell is "0.98 (0.97 to 0.99)", followed by what ``mark`` says of the interval, such as " ✓"; "–" where nothing was measured.
    """
    rows = [rows] if isinstance(rows, str) else list(rows)
    found = intervals(frame, value, [*rows, columns])
    cells = [Interval(r.mean, r.low, r.high) for r in found[["mean", "low", "high"]].itertuples(index=False)]
    found["cell"] = [f"{cell:{form}}{mark(cell)}" for cell in cells]
    wide = found.pivot(index=rows, columns=columns, values="cell")
    in_order = list(dict.fromkeys(found[rows].itertuples(index=False, name=None)))
    wide = wide.reindex(in_order if len(rows) > 1 else [key for (key,) in in_order])
    return wide[list(dict.fromkeys(found[columns]))].fillna("–").rename_axis(columns=None).reset_index()


def comparisons(
    frame: pd.DataFrame, value: str, pairs: Sequence[tuple[str, str]], within: Sequence[str], by: str = "network"
) -> pd.DataFrame:
    """Each pair of networks compared within each group of ``within``: Mann-Whitney U, p adjusted over all rows.

    Returns:
        One row a comparison: the columns of ``within``, ``network``, ``against``, ``difference`` of the means with Welch's
        interval ``low`` to ``high``, ``p_value``, ``adjusted_p`` (Benjamini and Hochberg) and ``superiority``, the
        probability that a seed of the first is better. Pairs of which one has fewer than two values are left out.
    """
    rows = []
    for key, group in frame.groupby(list(within), sort=False):
        values = {name: part[value].dropna() for name, part in group.groupby(by)}
        for a, b in pairs:
            if min(len(values.get(a, [])), len(values.get(b, []))) >= 2:
                test = compare(values[a], values[b], CONFIDENCE)
                rows.append((*key, a, b, *test.difference, test.p_value, test.superiority))
    names = [*within, "network", "against", "difference", "low", "high", "p_value", "superiority"]
    found = pd.DataFrame(rows, columns=names)
    found.insert(len(names) - 1, "adjusted_p", adjusted(found.p_value))
    return found


def name_places(axis: Axes, places: Sequence[str], horizontal: bool) -> None:
    """Name the places 0, 1, … of a dot plot, from top to bottom where it is ``horizontal``, with thin lines for the values."""
    ticks, labels = range(len(places)), list(map(str, places))
    if horizontal:
        axis.set_yticks(ticks, labels)
        axis.set_ylim(len(places) - 0.4, -0.6)  # the first place on top
        axis.grid(axis="x", color="0.9", lw=0.6)
    else:
        slanted = max(map(len, labels), default=0) > 6 and len(labels) > 3
        axis.set_xticks(ticks, labels, **({"rotation": 45, "ha": "right"} if slanted else {}))
        axis.set_xlim(-0.6, len(places) - 0.4)
        axis.grid(axis="y", color="0.9", lw=0.6)
    axis.set_axisbelow(True)


def _require_columns(frame: pd.DataFrame, *names: str) -> None:
    for name in names:
        require(name in frame, "column", name, "one of " + ", ".join(map(str, frame.columns)))

"""A figure that answers to the hand: its values on hover, its networks shown or hidden by a click on their names.

The static figure stays what is cited, printed, and shown without JavaScript; the page's scripts draw the same data anew.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from ..checks import require, require_choice
from .figures import Item
from .network_styles import network_styles
from .plots import intervals

KINDS = ("dots", "lines")
# how the page's scripts name the markers of :mod:`.network_styles`, or what is nearest to them
SYMBOLS = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "wye", "P": "cross", "X": "times"}
SYMBOLS |= {
    "*": "star",
    "p": "diamond2",
    "h": "hexagon",
    "<": "asterisk",
    ">": "plus",
    "d": "square2",
    "8": "triangle2",
    "H": "hexagon",
}
MOST_ROWS = 6000  # about 150 kB in the page


def interactive(
    item: Item,
    data: pd.DataFrame,
    x: str,
    y: str,
    group: str = "network",
    *,
    panel: str | None = None,
    seed: str | None = "seed",
    kind: str = "dots",
    labels: Mapping[str, str] = MappingProxyType({}),
    limits: Mapping[str, float | Mapping[str, float]] = MappingProxyType({}),
    shared: bool = True,
    from_zero: bool = False,
) -> Item:
    """``item`` and its values to explore.

    Args:
        item: a figure, as :meth:`spikepropamine.book.figures.Shelf.figure` returns it.
        data: what it shows, one observation a row; rows without ``y`` are left out.
        x: a column: of names (kind "dots") or numbers (kind "lines").
        y: the column that was measured.
        group: the column whose values are told apart by colour and can be hidden, in order of appearance.
        panel: a column with a small plot for each of its values; None for one plot.
        seed: the column that tells the observations of one group and ``x`` apart; None if there is none.
        kind: "dots", each observation beside the interquartile mean and its interval; or "lines", one for each seed, and a
            thick one for the interquartile mean.
        labels: the words to show for columns.
        limits: values of ``y`` to mark, by the names to print beside them; of one that some panels alone have, its value by panel.
        shared: whether all panels have the same range of ``y``.
        from_zero: whether the range of ``y`` begins at zero, where no value is below.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    name = re.search(r"^:name: (fig-[a-z0-9-]+)$", item.markdown, re.MULTILINE)
    require(name is not None, "item", item.markdown[:60], "a figure")
    require_choice("kind", kind, KINDS)
    columns = {"x": x, "y": y, "group": group} | ({"panel": panel} if panel else {}) | ({"seed": seed} if seed else {})
    missing = [column for column in columns.values() if column not in data]
    require(not missing, "data", list(data), f"a table with the columns {', '.join(missing)}")
    shown = data.dropna(subset=[y]).sort_values([x], kind="stable") if kind == "lines" else data.dropna(subset=[y])
    require(0 < len(shown) <= MOST_ROWS, "data", len(shown), f"1 to {MOST_ROWS} rows with a value of {y}")
    require(kind == "dots" or pd.api.types.is_numeric_dtype(shown[x]), "x", x, "a column of numbers for kind 'lines'")
    places = list(dict.fromkeys(column for column in (panel, x, group) if column))
    means = intervals(shown, y, places)
    styles = network_styles(dict.fromkeys(shown[group]))
    content = {
        "figure": name[1],
        "kind": kind,
        "labels": {role: labels.get(column, column.replace("_", " ")) for role, column in columns.items()},
        "limits": {name: dict(at) if isinstance(at, Mapping) else at for name, at in limits.items()},
        "shared": shared,
        "from_zero": from_zero,
        "side_by_side": x != group,
        "colours": {one: look["color"] for one, look in styles.items()},
        "symbols": {one: SYMBOLS[look["marker"]] for one, look in styles.items()},
        "rows": {role: _listed(shown[column]) for role, column in columns.items()},
        "means": {role: _listed(means[column]) for role, column in columns.items() if column in places}
        | {end: _listed(means[end]) for end in ("mean", "low", "high")},
    }
    script = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    block = f'\n\n<div class="interactive" hidden>\n<script type="application/json">{script}</script>\n</div>\n'
    bundle = item._repr_mimebundle_()
    return Item(bundle["text/markdown"] + block, bundle["text/html"], bundle["text/plain"])


def _listed(column: pd.Series) -> list:
    """The values of ``column`` as JSON takes them, numbers to four digits."""
    if pd.api.types.is_float_dtype(column):
        return [None if value != value else float(f"{value:.4g}") for value in column]
    return column.tolist() if pd.api.types.is_integer_dtype(column) else [str(value) for value in column]

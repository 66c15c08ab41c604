"""The colour, marker and line of each network, the same in every figure of the book."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from ..checks import require, require_choice
from ..snn.controls import CONTROLS
from ..walking.policies import POLICIES

Style = dict[str, Any]  # what Axes.plot takes: color, marker, linestyle, label

# Okabe and Ito's palette, which the colour-blind can tell apart; the marker says the same again.
_FIXED = {
    "snn": ("#000000", "o"),
    "dp-oja": ("#E69F00", "s"),
    "dp-bcm": ("#56B4E9", "^"),
    "ndp-oja": ("#D55E00", "D"),
    "ndp-bcm": ("#0072B2", "v"),
    "mlp": ("#009E73", "P"),
    # other memories; chosen to differ from all of these, also in the dark theme (book/_static/book.css inverts figures)
    "lsnn": ("#D65CD6", "X"),
    "lsnn-100": ("#EE99AA", "p"),
    "rsnn-long": ("#22AA22", "*"),
    "stp": ("#667700", "h"),
}
COLOURS = {name: colour for name, (colour, _) in _FIXED.items()}
# Colours, markers and dashes of every further network. Their numbers share no factor, so that 504 networks differ.
_FURTHER = ("#EE0088", "#AA99FF", "#774411", "#BBBB00", "#888899", "#FF7766", "#BB9977", "#FF2222")
_MARKERS = ("<", ">", "d", "8", "H", "X", "p", "*", "h")
_DASHES = (
    (0, (4, 1.5)),
    (0, (1, 1)),
    (0, (4, 1, 1, 1)),
    (0, (6, 2)),
    (0, (2, 1)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
)


def network_styles(names: Iterable[str]) -> dict[str, Style]:
    """The style of each of ``names``, in their order, as many as there are.

    Networks with a fixed style always look the same, and so do the controls; whatever else is named (a network of
    another size, the ideal observer) takes the styles after theirs, in the order of ``names``.

    Raises:
        ValueError: a name twice.
    """
    names = list(names)
    require(len(set(names)) == len(names), "names", names, "each name once")
    known = [name for name in dict.fromkeys((*CONTROLS, *POLICIES)) if name not in _FIXED]
    number = {name: k for k, name in enumerate(known)}
    new = count(len(known))
    styles = {}
    for name in names:
        styles[name] = _fixed(name) if name in _FIXED else _further(name, number[name] if name in number else next(new))
    return styles


def network_style(name: str) -> Style:
    """The style of one network or policy that the package can build.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    require_choice("name", name, tuple(dict.fromkeys((*_FIXED, *POLICIES, *CONTROLS))))
    return network_styles([name])[name]


def _fixed(name: str) -> Style:
    colour, marker = _FIXED[name]
    return {"color": colour, "marker": marker, "linestyle": "-", "label": name}


def _further(name: str, k: int) -> Style:
    colour, marker, dash = (of[k % len(of)] for of in (_FURTHER, _MARKERS, _DASHES))
    return {"color": colour, "marker": marker, "linestyle": dash, "label": name}

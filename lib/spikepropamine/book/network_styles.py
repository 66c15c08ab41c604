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
}
COLOURS = {name: colour for name, (colour, _) in _FIXED.items()}
# Colours, markers and dashes of every further network. Their numbers share no factor, so that 504 networks differ.
_FURTHER = ("#CC79A7", "#332288", "#117733", "#882255", "#999933", "#AA4499", "#44AA99", "#CC6677")
_MARKERS = ("X", "p", "*", "h", "<", ">", "d", "8", "H")
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

    The five networks and the MLP always look the same, and so do the controls; whatever else is named (a network of
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

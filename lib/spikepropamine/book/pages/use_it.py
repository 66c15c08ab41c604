"""Use it elsewhere: scikit-learn's digits as a sequence of rows, and the figure of what was learned."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch import Tensor

from .. import figures, plots
from ..figures import Drawing

TICKS_PER_ROW = 4
CHANCE = 1 / 10  # ten digits
LAYER, STILL, NETWORK, MISTAKEN = "one plastic layer", "the same, α = 0", "ndp-oja", "ndp-oja, batch read as time"
LOOKS = {LAYER: ("#000000", "o"), STILL: ("#E69F00", "s"), NETWORK: ("#0072B2", "D"), MISTAKEN: ("#777777", "v")}


class Digits(NamedTuple):
    """Handwritten digits, read from top to bottom: a row of pixels is what the inputs hear for TICKS_PER_ROW ticks."""

    train: Tensor  # (T, B, 8) grey values, 0 to 1
    labels: Tensor  # (B,)
    held_out: Tensor
    held_out_labels: Tensor


def digits(seed: int = 0) -> Digits:
    """scikit-learn's digits, a quarter of them, drawn by ``seed``, held out."""
    from sklearn.datasets import load_digits  # of the extra "book"

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    rows = torch.tensor(images.reshape(-1, 8, 8)[order] / 16, dtype=torch.float32)
    rows = rows.transpose(0, 1).repeat_interleave(TICKS_PER_ROW, 0)
    classes, cut = torch.tensor(labels[order]), 3 * len(labels) // 4
    return Digits(rows[:, :cut].contiguous(), classes[:cut], rows[:, cut:].contiguous(), classes[cut:])


def learning(table: pd.DataFrame) -> Drawing:
    """Held-out accuracy after each epoch, a line for each network of LOOKS; columns network, epoch, accuracy."""
    last = table[table.epoch == table.epoch.max()].set_index("network").accuracy
    with figures.style():
        figure, axis = figures.grid(height=2.8)
        looks = {name: {"color": colour, "marker": marker, "label": name} for name, (colour, marker) in LOOKS.items()}
        plots.band(axis, table, "epoch", "accuracy", looks)
        plots.limits(axis, {"chance": CHANCE})
        axis.set(xlabel="epoch", ylabel="held-out accuracy", ylim=(0, 1))
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    caption = (
        f"One plastic layer names {last[LAYER]:.0%} of the held-out digits, {last[STILL]:.0%} without plasticity; the book's {NETWORK} network "
        f"names {last[NETWORK]:.0%}, and {last[MISTAKEN]:.0%} when the batch is read as time. Held-out accuracy after each epoch, one run each: an example, not evidence."
    )
    return Drawing(figure, table, caption, "Held-out accuracy against epoch, a line for each network. " + caption)


def mistaken(curves: Mapping[str, Sequence[float]]) -> Markdown:
    """What comes of reading the batch as time, in a sentence."""
    return Markdown(
        f"With the batch read as time it trains without an error but reaches only {curves[MISTAKEN][-1]:.0%} (chance is {CHANCE:.0%})."
    )


def found(curves: Mapping[str, Sequence[float]], seconds: float, recalled: float) -> Markdown:
    """What we found, in four sentences.

    Args:
        curves: held-out accuracy after each epoch, by network as the page names them.
        seconds: what the first of them took to train.
        recalled: the accuracy on one-shot recall of a network with published weights.
    """
    last = {name: f"{curve[-1]:.0%}" for name, curve in curves.items()}
    return Markdown(
        f"- A network with one plastic layer, trained in a loop of one's own, names **{last[LAYER]}** of the "
        f"held-out digits after {seconds:.0f} s on one core; guessing names {CHANCE:.0%}.\n"
        f"- With α held at zero, which leaves no plasticity, the same network names {last[STILL]}.\n"
        f'- `build("ndp-oja")`, a whole network of the book, names {last[NETWORK]} when time comes first, and '
        f"{last[MISTAKEN]} when the batch is read as time by mistake.\n"
        f"- A network with published weights, loaded in one line, answers {recalled:.1%} of one-shot recall right."
    )

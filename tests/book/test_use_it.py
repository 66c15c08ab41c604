import pandas as pd
import torch

from spikepropamine.book.pages import use_it


def test_digits_are_read_row_by_row_and_none_is_in_both_parts():
    data = use_it.digits()
    ticks, trained, pixels = data.train.shape
    assert (ticks, pixels) == (8 * use_it.TICKS_PER_ROW, 8) and 0 <= data.train.min() and data.train.max() == 1
    assert len(data.labels) == trained > 2 * len(data.held_out_labels) == 2 * data.held_out.shape[1] > 800
    assert torch.equal(data.train[0], data.train[use_it.TICKS_PER_ROW - 1])
    images = {tuple(x.flatten().tolist()) for x in data.train.transpose(0, 1)}
    again = sum(tuple(x.flatten().tolist()) in images for x in data.held_out.transpose(0, 1))
    assert again < 5  # two people may write the same digit to the pixel
    assert torch.equal(use_it.digits().train, data.train) and not torch.equal(use_it.digits(1).train, data.train)


def test_the_figure_says_what_the_network_learns_and_what_the_mistake_costs():
    ends = {use_it.LAYER: 0.8, use_it.STILL: 0.7, use_it.NETWORK: 0.75, use_it.MISTAKEN: 0.2}
    table = pd.DataFrame(
        {"network": name, "epoch": epoch, "accuracy": end * epoch / 2} for name, end in ends.items() for epoch in (1, 2)
    )
    drawn = use_it.learning(table)
    assert drawn.caption.startswith(
        "One plastic layer names 80% of the held-out digits, 70% without plasticity; the book's ndp-oja network names 75%, and 20% when"
    )
    assert drawn.data is table and set(ends) <= {line.get_label() for line in drawn.figure.axes[0].lines}


def test_what_we_found_holds_the_numbers_given():
    curves = {
        use_it.LAYER: [0.1, 0.82],
        use_it.STILL: [0.7],
        use_it.NETWORK: [0.87],
        use_it.MISTAKEN: [0.15],
    }
    said = use_it.found(curves, 12.4, 0.987).data
    assert all(part in said for part in ("**82%**", "after 12 s", "names 70%", "names 87%", "15% when", "98.7%"))
    assert "reaches only 15% (chance is 10%)" in use_it.mistaken(curves).data

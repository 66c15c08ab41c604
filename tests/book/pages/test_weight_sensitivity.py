import numpy as np
import pandas as pd
import pytest

from spikepropamine.book.pages import weight_sensitivity as page

MOVES = (1e-4, 1e-3, 1e-2)


def table_of(powers):
    """Policies whose actions move by 0.05 where weights move by 0.001, and else with the given power of it."""
    return pd.DataFrame(
        {
            "environment": "Ant-v5",
            "network": name,
            "seed": seed,
            "config_hash": name,
            "weights_moved": move,
            "action_moved": (0.001 if name == "mlp" else 0.05) * (move / 1e-3) ** power * (1 + (seed - 2) / 100),
        }
        for name, power in powers.items()
        for seed in range(5)
        for move in MOVES
    )


@pytest.fixture
def curves():
    names = ["snn", "mlp"]
    return pd.DataFrame(
        {"environment": "Ant-v5", "network": n, "seed": s, "step": t, "kl": 0.2, "clipped": 0.4, "std": 1 / t}
        for n in names
        for s in range(5)
        for t in (1, 2)
    )


def test_the_power_is_that_of_the_response():
    table = table_of({"snn": 0.5, "mlp": 1.0})
    powers = page.exponents(table).groupby("network").exponent.mean()
    assert powers.snn == pytest.approx(0.5) and powers.mlp == pytest.approx(1.0)


RUNS = pd.DataFrame({"config_hash": n, "seed": s, "return": 100.0 - s} for n in ("snn", "mlp") for s in range(5))


def test_the_words_say_how_much_farther_actions_move(curves):
    told = page.why_behind(table_of({"snn": 0.5, "mlp": 1.0}), curves, RUNS)
    assert "5.00% for spiking policies and 0.10% for the MLP" in told and "50 times as far" in told
    assert "a power of the weights' move: 0.50 for spiking policies and 1.00 for the MLP" in told
    assert "ends at 0.50 for spiking policies" in told
    assert "50 times as far as the MLP's" in page.in_a_sentence(table_of({"snn": 0.5, "mlp": 1.0}))
    assert "the return is −1.00 on Ant-v5 (p = " in told and "5 policies)" in told
    alone = table_of({"snn": 0.5})
    assert page.why_behind(alone, curves, RUNS) == page.in_a_sentence(alone) == page.in_a_sentence(pd.DataFrame()) == ""


def test_round_two_is_told_where_it_was_measured():
    told = page.in_round_two(table_of({"snn": 0.5, "mlp": 1.0}), RUNS)
    assert "round two's policies on Ant-v5" in told and "move 50 times as far as the MLP's. The rank" in told
    assert page.in_round_two(pd.DataFrame(), RUNS) == page.in_round_two(table_of({"snn": 0.5}), RUNS) == ""


def test_the_figure_shows_every_policy_at_every_move():
    drawing = page.draw_sensitivity(table_of({"snn": 0.5, "dp-oja": 0.5, "mlp": 1.0}), ["snn", "dp-oja", "mlp"])
    (axis,) = drawing.figure.axes
    assert [len(line.get_xdata()) for line in axis.lines if len(line.get_xdata())] == [len(MOVES)] * 3
    assert axis.get_xscale() == axis.get_yscale() == "log" and "mlp on Ant-v5 0.10%" in drawing.alt
    assert np.isfinite(drawing.data.action_moved).all()

import json
import re

import pandas as pd
import pytest

from spikepropamine.book import figures
from spikepropamine.book.figures import Provenance, Shelf
from spikepropamine.book.interactive import SYMBOLS, interactive
from spikepropamine.book.network_styles import COLOURS, network_styles
from spikepropamine.records.statistics import interquartile_mean

DATA = pd.DataFrame(
    [
        {"noise": noise, "network": network, "seed": seed, "accuracy": 0.5 + 0.1 * (network == "dp-oja") + 0.01 * seed}
        for noise in ("low", "high")
        for network in ("snn", "dp-oja")
        for seed in range(4)
    ]
)


@pytest.fixture
def item(tmp_path):
    with figures.style():
        figure, _ = figures.grid()
    return Shelf(tmp_path, "../figures", Provenance("demo", {}, (), (), (), {})).figure(
        "fig-demo", figure, DATA, "Accuracy.", "Two groups of dots."
    )


def content(item):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', item.markdown, re.DOTALL)[1])


def test_a_figure_keeps_what_it_was_and_brings_its_values(item):
    shown = interactive(item, DATA, "noise", "accuracy")
    assert shown.markdown.startswith(item.markdown)
    assert shown._repr_mimebundle_()["text/html"] == item._repr_mimebundle_()["text/html"]
    found = content(shown)
    assert found["figure"] == "fig-demo" and list(found["colours"]) == ["snn", "dp-oja"]
    assert found["symbols"] == {"snn": "circle", "dp-oja": "square"}
    assert found["rows"]["y"] == pytest.approx(DATA.accuracy.tolist())
    assert found["rows"]["seed"] == DATA.seed.tolist()


def test_the_means_are_the_package_s(item):
    found = content(interactive(item, DATA, "noise", "accuracy"))
    of_high_oja = [found["means"][end][3] for end in ("x", "group", "mean", "low", "high")]
    expected = interquartile_mean(DATA.accuracy[DATA.noise.eq("high") & DATA.network.eq("dp-oja")])
    assert of_high_oja[:2] == ["high", "dp-oja"]
    assert of_high_oja[2:] == pytest.approx([expected.mean, expected.low, expected.high], abs=1e-4)
    assert found["limits"] == {}


def test_limits_have_names_and_may_be_those_of_one_panel(item):
    limits = {"chance": 0.5, "solved": {"low": 0.95}}
    found = content(interactive(item, DATA, "network", "accuracy", panel="noise", limits=limits, from_zero=True))
    assert found["limits"] == limits and found["from_zero"]


def test_missing_values_are_left_out_and_nothing_breaks_the_page(item):
    data = pd.concat(
        [DATA, pd.DataFrame([{"noise": "</script>", "network": "snn", "seed": 1, "accuracy": float("nan")}])]
    )
    assert len(content(interactive(item, data, "noise", "accuracy"))["rows"]["y"]) == len(DATA)
    data = data.fillna(0.5)
    markdown = interactive(item, data, "noise", "accuracy").markdown
    assert markdown.count("</script>") == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "bars"}, "kind"),
        ({"kind": "lines"}, "x"),
        ({"panel": "task"}, "data"),
        ({"data": pd.concat([DATA] * 400)}, "rows"),
        ({"data": DATA.iloc[:0]}, "rows"),
    ],
)
def test_wrong_arguments_are_refused(item, changes, told):
    with pytest.raises(ValueError, match=told):
        interactive(item, **{"data": DATA, "x": "noise", "y": "accuracy"} | changes)


def test_every_marker_of_the_book_has_a_symbol():
    looks = network_styles([*COLOURS, *(f"network {k}" for k in range(60))])
    assert {look["marker"] for look in looks.values()} <= set(SYMBOLS)

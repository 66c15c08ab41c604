from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from spikepropamine.book import plots
from spikepropamine.book.network_styles import network_style, network_styles
from spikepropamine.records.statistics import Interval, interquartile_mean
from spikepropamine.snn.controls import CONTROLS
from spikepropamine.walking.policies import POLICIES


@pytest.fixture
def axis():
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def measured(networks=("snn", "dp-oja"), places=("low", "high"), seeds=6):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"network": name, "noise": place, "seed": seed, "accuracy": 0.5 + 0.2 * k + 0.1 * p + 0.02 * rng.random()}
            for k, name in enumerate(networks)
            for p, place in enumerate(places)
            for seed in range(seeds)
        ]
    )


def test_an_interval_is_that_of_the_statistics_and_missing_values_are_left_out():
    frame = measured()
    frame.loc[0, "accuracy"] = np.nan
    found = plots.intervals(frame, "accuracy", ["network", "noise"]).set_index(["network", "noise"])
    values = frame[(frame.network == "snn") & (frame.noise == "low")].accuracy.dropna()
    assert tuple(found.loc[("snn", "low"), ["mean", "low", "high"]]) == tuple(interquartile_mean(values))
    assert found.n.tolist() == [5, 6, 6, 6]
    single = plots.intervals(frame[frame.seed == 1], "accuracy", "network")
    assert single["mean"].notna().all()


def test_a_band_goes_through_the_means_and_skips_what_is_not_there(axis):
    frame = pd.concat([measured().assign(step=step) for step in (30, 10, 20)])
    plots.band(axis, frame, "step", "accuracy", network_styles(["dp-oja", "ndp-bcm", "snn"]))
    lines = axis.get_lines()
    assert [line.get_label() for line in lines] == ["dp-oja", "snn"] and len(axis.collections) == 2
    assert lines[0].get_xdata().tolist() == [10, 20, 30]
    expected = plots.intervals(frame[(frame.network == "snn") & (frame.step == 10)], "accuracy", "step")["mean"][0]
    assert lines[1].get_ydata()[0] == expected


def test_a_dot_plot_shows_every_seed_and_puts_each_network_in_its_place(axis):
    frame = measured()
    plots.seeds_and_interval(axis, frame, "accuracy", network_styles(["snn", "dp-oja"]), at="noise", horizontal=True)
    marks = np.concatenate([c.get_offsets() for c in axis.collections if len(c.get_offsets()) == 6])
    assert sorted(marks[:, 0]) == pytest.approx(sorted(frame.accuracy))
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["low", "high"]
    assert set(np.round(marks[:, 1])) == {0, 1} and axis.get_ylim()[0] > axis.get_ylim()[1]


def test_a_dot_plot_stands_upright_and_one_seed_has_no_bar(axis):
    frame = measured(seeds=1, places=("low",))
    plots.seeds_and_interval(axis, frame, "accuracy", network_styles(["snn", "dp-oja"]))
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["snn", "dp-oja"]
    assert len(axis.collections) == 2 and not axis.containers


def test_an_error_bar_ends_where_the_interval_does(axis):
    plots.error_interval(axis, 2, Interval(0.5, 0.4, 0.8), color="black")
    (bar,) = axis.containers[0].lines[2]
    assert bar.get_segments()[0].tolist() == [[2, 0.4], [2, 0.8]]
    plots.error_interval(axis, 2, Interval(0.5, 0.4, 0.8), horizontal=True)
    (bar,) = axis.containers[1].lines[2]
    assert bar.get_segments()[0].tolist() == [[0.4, 2], [0.8, 2]]
    plots.error_interval(axis, 2, Interval(0.5, np.nan, np.nan))
    assert not axis.containers[2].has_yerr


def test_each_seed_has_a_line(axis):
    frame = pd.concat([measured().assign(step=step) for step in (1, 2)])
    plots.lines_by(
        axis, frame[(frame.network == "snn") & (frame.noise == "low")], "step", "accuracy", "seed", color="red"
    )
    assert len(axis.get_lines()) == 6 and {line.get_color() for line in axis.get_lines()} == {"red"}


def test_a_table_keeps_the_order_and_says_where_nothing_was_measured():
    frame = measured()[lambda f: ~((f.network == "dp-oja") & (f.noise == "high"))]
    table = plots.interval_table(frame, "accuracy", "noise", mark=lambda i: " ✓" if i.low > 0.65 else "")
    assert list(table.columns) == ["noise", "snn", "dp-oja"] and table.noise.tolist() == ["low", "high"]
    assert table["dp-oja"][0].endswith("✓") and table["dp-oja"][1] == "–" and " to " in table.snn[0]
    two = plots.interval_table(frame.assign(task="recall"), "accuracy", ["task", "noise"])
    assert list(two.columns) == ["task", "noise", "snn", "dp-oja"] and two.task.tolist() == ["recall", "recall"]


def test_comparisons_are_within_groups_and_adjusted_over_all():
    found = plots.comparisons(measured(), "accuracy", [("dp-oja", "snn"), ("dp-bcm", "snn")], ["noise"])
    assert found.noise.tolist() == ["low", "high"] and set(found.network) == {"dp-oja"}
    assert (found.superiority == 1).all() and (found.adjusted_p >= found.p_value).all()
    assert ((found.low < found.difference) & (found.difference < found.high)).all()


def test_limits_and_legend_name_what_they_show(axis):
    plots.limits(axis, {"solved": 0.95, "failed": 0.6})
    assert [line.get_ydata()[0] for line in axis.get_lines()] == [0.95, 0.6]
    assert [text.get_text().strip() for text in axis.texts] == ["solved", "failed"]
    plots.legend_above(axis.figure, network_styles(["snn", "mlp"]))
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["snn", "mlp"]


def test_a_column_that_is_not_there_is_refused_by_name(axis):
    with pytest.raises(ValueError, match="column = 'step': must be one of network, noise, seed, accuracy"):
        plots.band(axis, measured(), "step", "accuracy", network_styles(["snn"]))


def test_networks_look_the_same_everywhere_and_unlike_each_other():
    names = (*POLICIES, *CONTROLS, *(f"new-{k}" for k in range(300)))
    styles = network_styles(names)
    assert len({(s["color"], s["marker"], str(s["linestyle"])) for s in styles.values()}) == len(names)
    for name in (*POLICIES, *CONTROLS):
        assert network_style(name) == styles[name] == network_styles([name, "another"])[name]
    with pytest.raises(ValueError, match="name = 'rnn': must be one of 'snn'"):
        network_style("rnn")
    with pytest.raises(ValueError, match="names = .*each name once"):
        network_styles(["snn", "snn"])


def test_networks_compared_together_keep_their_look_and_differ_in_the_dark_theme():
    memories = ["lsnn", "lsnn-100", "rsnn-long", "stp"]
    names = [*POLICIES, *memories]
    styles = network_styles(names)
    assert network_styles(memories[::-1])["lsnn-100"] == styles["lsnn-100"] == network_style("lsnn-100")
    assert len({style["marker"] for style in styles.values()}) == len(names)
    for shown in (names, [*POLICIES, *CONTROLS]):
        looks = network_styles(shown).values()
        for change in (np.asarray, in_the_dark):
            colours = [change(to_rgb(look["color"])) for look in looks]
            assert min(np.abs(a - b).max() for a, b in combinations(colours, 2)) > 0.15


def in_the_dark(colour):
    """What the dark theme's filter makes of a colour: invert, hue-rotate by half a turn, brightness 1.4."""
    grey = np.array([0.213, 0.715, 0.072])
    turned = np.clip(2 * grey @ (1 - np.asarray(colour)) - (1 - np.asarray(colour)), 0, 1)
    return np.clip(1.4 * turned, 0, 1)


def test_names_of_thresholds_close_to_one_another_do_not_overlap():
    figure, axis = plt.subplots(figsize=(3.2, 3))
    axis.set(xlim=(0, 1.03))
    plots.limits(axis, {"remembers": 0.75, "chance": 0.5, "forgets": 0.6}, horizontal=True)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axis.texts]
    plt.close(figure)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))

import pandas as pd
import pytest

from spikepropamine.book.pages import walking_round_two as page
from spikepropamine.book.pages.locomotion import together, with_enough
from spikepropamine.experiments import walking_round_two as two
from spikepropamine.experiments.locomotion import EXPERIMENTS

BASE = {"snn": 1000.0, "dp-oja": 1100.0, "dp-bcm": 900.0, "ndp-oja": 1200.0, "ndp-bcm": 800.0, "mlp": 2000.0}


def searched(robot, gains, networks=tuple(BASE)):
    """Runs of a search in which each change adds ``gains`` to every policy's return."""
    return pd.DataFrame(
        {"config_hash": h, "seed": 1000, "git_commit": "c", "return": BASE[network] + gains[change]}
        for h, (network, change) in two.gap_changes(robot).items()
        if network in networks and change in gains
    )


def test_every_change_is_found_again_by_its_hash():
    experiment, names = two.gap_search("ant"), two.gap_changes("ant")
    assert len(experiment.configs) == len(BASE) * len(two.GAP_CHANGES)
    assert len(names) == len(BASE) * (len(two.GAP_CHANGES) + len(two.FURTHER_CHANGES))
    assert names[experiment.configs[0].hash] == ("snn", two.UNCHANGED)
    later = two.further_search("ant")
    assert names[later.configs[-1].hash] == ("mlp", list(two.FURTHER_CHANGES)[-1])


def rows_of(told):
    """The cells of the table in ``told``, a list a row; its head without the first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line.startswith("|")]
    return [rows[0][1:], *rows[2:]] if rows else []


def test_what_was_tried_later_is_told_beside_the_registered_search():
    closer = page.tried_to_close({"half-cheetah": searched("half-cheetah", {two.UNCHANGED: 0.0})})
    first, second, *_ = two.FURTHER_CHANGES
    later = page.tried_to_close({"half-cheetah": searched("half-cheetah", {first: 300.0, second: 8000.0})})
    told = page.further(closer, later)
    planned = len(two.further_search("half-cheetah").configs)
    assert told.startswith(
        f"Later, and exploratory, a second list of {len(two.FURTHER_CHANGES)} changes was tried in the same way (12 of {planned} runs are done)."
    )
    third = "learned thresholds"
    neurons = page.further(closer, page.tried_to_close({"half-cheetah": searched("half-cheetah", {third: 1.0})}))
    assert "The MLP has nothing" not in told
    assert f" The MLP has nothing that *{third}* would change." in neurons
    assert rows_of(told) == [["HalfCheetah-v5"], [second, "+8,000"], [first, "+300"]]
    assert "same change is reached by snn with *updates that end at a KL of 0.03* (90%), dp-oja" in told
    assert "(92%), and of what it had before by 5 of 10 runs." in told
    assert (
        f"- **HalfCheetah-v5**: *{second}* adds most, and under it spiking policies reach 88 to 92% of what the MLP then"
        in told
    )
    assert "Over both" not in told
    alone = page.further(closer, later[(later.network == "snn") & (later.change == first)])
    assert f"(1 of {planned} runs are done)" in alone
    assert rows_of(alone) == [] and "**HalfCheetah-v5**: 90%" in alone
    assert "is reached by none, and of what it had before by none of 1 runs." in alone
    assert page.further(closer, pd.DataFrame()) == page.further(pd.DataFrame(), later) == ""


def test_what_was_tried_later_is_told_of_both_robots_and_over_them():
    first, second, *_ = two.FURTHER_CHANGES
    gains = {"ant": {first: 300.0, second: -100.0}, "half-cheetah": {first: -200.0, second: 50.0}}
    closer = page.tried_to_close({robot: searched(robot, {two.UNCHANGED: 0.0}) for robot in gains})
    told = page.further(closer, page.tried_to_close({robot: searched(robot, of) for robot, of in gains.items()}))
    assert f"(24 of {2 * len(two.further_search('ant').configs)} runs are done)" in told
    assert rows_of(told) == [["Ant-v5", "HalfCheetah-v5"], [first, "+300", "−200"], [second, "−100", "+50"]]
    assert told.endswith(f"\n- **Over both robots** *{first}* adds most, +50 on average and −200 where it adds least.")


def test_both_rounds_stand_side_by_side_where_both_were_run():
    runs = pd.DataFrame(
        {"environment": robot, "network": name, "seed": seed, "return": value, "training.steps": 300_000}
        for robot in ("Ant-v5", "HalfCheetah-v5")
        for name, value in (("mlp", 4000.0), ("snn", 2000.0), ("dp-oja", 2400.0))
        for seed in range(5)
    )
    second = runs[runs.environment == "HalfCheetah-v5"].assign(**{"training.steps": 1_000_000})
    told = page.beside_round_one(runs, second, ["snn", "dp-oja", "mlp"])
    assert told == (
        "On HalfCheetah-v5 spiking policies reached 50 to 60% of the MLP's return in round one, with 300,000 steps, and reach 50 to 60% "
        "with 1,000,000 and *128 neurons*."
    )
    assert page.beside_round_one(runs, second.iloc[:0], ["snn", "mlp"]) == ""


def test_a_share_is_of_the_mlp_under_the_same_change():
    runs = searched("half-cheetah", {two.UNCHANGED: 0.0, "128 neurons": 500.0}, ("mlp", "snn"))
    table = page.tried_to_close({"half-cheetah": runs}).set_index(["network", "change"]).share_of_ordinary
    assert table["snn", two.UNCHANGED] == 0.5 and table["snn", "128 neurons"] == pytest.approx(1500 / 2500)
    without = page.tried_to_close({"half-cheetah": runs[runs["return"] != 2500]})
    assert without.share_of_ordinary.isna().sum() == 1


def test_the_sentences_say_how_much_is_done_and_what_came_nearest():
    gains = {two.UNCHANGED: 0.0, "128 neurons": 500.0}
    table = page.tried_to_close({"half-cheetah": searched("half-cheetah", gains)})
    told = page.does_it_close(table, 96)
    assert told.startswith("**Not by what was tried so far.**") and "12 of 96 runs are done" in told
    assert "reach 40 to 60% of the MLP's return. With a change none of 5 runs reaches 90%" in told
    assert "this adds most to their mean return: *128 neurons* (+500)" in told
    assert "12 of 48 runs are done, and none is chosen" in told
    whole = page.tried_to_close(
        {"half-cheetah": searched("half-cheetah", {c: float(k) for k, c in enumerate(two.GAP_CHANGES)})}
    )
    assert "Round two takes the first, by the rule" in page.does_it_close(whole, 48)
    assert "Over both robots" not in page.does_it_close(whole, 48)
    near = table.assign(share_of_ordinary=table.share_of_ordinary.where(table.network != "snn", 0.95))
    told = page.does_it_close(near, 96)
    assert (
        told.startswith("**No: of 10 single runs none reaches 90% of the MLP as it was.**")
        and "1 of 5 runs reaches 90%" in told
    )
    assert "snn with *128 neurons* (95%)" in told
    later = near[near.network == "snn"].assign(**{"return": 1900.0})
    assert page.does_it_close(near, 96, later=later).startswith("**No: of 12 single runs 2 reach 90% of the MLP as it")
    again = page.does_it_close(near, 96, {"HalfCheetah-v5": [0.4, 0.5]})
    assert "in round two, spiking policies reach 40 to 50% on HalfCheetah-v5 of the MLP's return under" in again
    assert page.does_it_close(table.assign(share_of_ordinary=0.95), 96).startswith("**With some changes.**")
    assert page.does_it_close(page.tried_to_close({}), 96).startswith("*Not yet run*")
    shown = page.shown_tried(table).set_index("change")
    assert shown.loc[two.UNCHANGED, "mlp"] == "2,000" and shown.loc["128 neurons", "gain of the mean"] == "+500"


def test_over_both_robots_the_change_with_the_greatest_mean_gain_is_named():
    gains = {
        "ant": {"128 neurons": 500.0, "clip of 0.1": 300.0},
        "half-cheetah": {"128 neurons": -200.0, "clip of 0.1": 100.0},
    }
    table = page.tried_to_close({r: searched(r, {two.UNCHANGED: 0.0} | gains[r]) for r in EXPERIMENTS})
    told = page.does_it_close(table, 96)
    assert "**Over both robots** *clip of 0.1* adds most, +200 on average and +100 where it adds least" in told


def test_the_figure_has_the_changes_in_the_order_of_the_list_and_a_panel_a_robot():
    gains = dict(zip(reversed(two.GAP_CHANGES), range(0, 800, 100)))
    drawing = page.draw_tried(page.tried_to_close({r: searched(r, gains) for r in EXPERIMENTS}), list(BASE))
    assert [axis.get_title() for axis in drawing.figure.axes] == list(EXPERIMENTS.values())
    assert [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()] == list(two.GAP_CHANGES)
    assert "under the same change is 70% on Ant-v5 (ndp-oja, as in round one)" in drawing.caption


@pytest.fixture
def definitions(round_two):
    return round_two.definitions


def longer(returns, late):
    """Runs and curves of HalfCheetah, ten seeds of each policy; ``late`` multiplies the return of the last fifth of training."""
    configs = {config.network.name: config.hash for config in two.round_two("half-cheetah").configs}
    keys = [(name, seed) for name in returns for seed in range(10)]
    runs = pd.DataFrame(
        {
            "config_hash": configs[name],
            "seed": seed,
            "network.name": name,
            "task.environment": "HalfCheetah-v5",
            "return": returns[name],
        }
        for name, seed in keys
    )
    curves = pd.DataFrame(
        {
            "config_hash": configs[name],
            "seed": seed,
            "step": step,
            "return": returns[name] * (late.get(name, 1.0) if step > 800 else 1.0),
        }
        for name, seed in keys
        for step in range(100, 1001, 100)
    )
    return runs, curves


def test_round_two_says_who_walks_who_is_near_and_whose_curve_is_flat(definitions):
    found = longer(BASE | {"mlp": 2000.0, "snn": 1900.0, "dp-oja": 2100.0}, {"dp-bcm": 1.2, "snn": 1.02})
    planned = {robot: two.round_two(robot) for robot in EXPERIMENTS}
    told = page.in_words(planned, *together({"half-cheetah": found}), definitions, list(BASE))
    assert told.startswith("60 of 120 runs are done; its claims are judged when all are done and measured.")
    ant, cheetah = told.split("\n- ")[1:]
    assert "Ant-v5" in ant and "*not yet run*" in ant
    assert "1 of 4 plastic networks walk" in cheetah and "dp-oja 2,100" in cheetah
    assert "40 to 105% of the MLP's return; snn and dp-oja reach the 90%" in cheetah
    assert "by 0 to +20%: all but dp-bcm had levelled off, as far as" in cheetah
    assert "4 of 4 plastic networks differ significantly: dp-oja (+200, adjusted p" in cheetah
    (headline,) = page.headlines(planned, together({"half-cheetah": found})[0], definitions, list(BASE))
    assert headline.startswith("**Round two, HalfCheetah-v5: 1 of 4 plastic networks walk** (")
    assert "reach 40 to 105% of the MLP's return, and 4 of 4 plastic ones differ significantly" in headline
    assert together({"half-cheetah": (pd.DataFrame(), pd.DataFrame())})[0].empty
    few = [table[table.seed < 2] for table in found]
    runs, curves = together({"half-cheetah": few})
    told = page.in_words(planned, runs, curves, definitions, list(BASE))
    assert page.headlines(planned, runs, definitions, list(BASE)) == []
    assert page.headlines(planned, runs[:0], definitions, list(BASE)) == []
    assert "12 of 60 runs, seeds of each policy: 2, too few to judge." in told and "walk" not in told
    assert "So far they return snn 1,900, dp-oja 2,100" in told and "spiking policies 40 to 105% of the MLP's" in told
    snn = [table[(table.seed < 1) & (table.config_hash == found[0].config_hash[0])] for table in found]
    assert "1 of 60 runs, seeds of each policy: 0 to 1, too few" in page.in_words(
        planned, *together({"half-cheetah": snn}), definitions, list(BASE)
    )
    whole, _ = together({"half-cheetah": found})
    assert len(with_enough(whole)) == len(whole) and with_enough(runs).empty and with_enough(runs[:0]).empty
    ant = runs.assign(environment="Ant-v5")
    assert set(with_enough(pd.concat([whole, ant])).environment) == {"HalfCheetah-v5"}

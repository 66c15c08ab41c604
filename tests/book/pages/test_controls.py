import pandas as pd
import pytest

from spikepropamine.book.pages import controls as page
from spikepropamine.records import runs as records


@pytest.fixture
def mechanism(repository):
    return records.load_measurements(repository / "book" / "results" / "mechanism")[0]


@pytest.fixture
def ablated(repository):
    return records.load_measurements(repository / "book" / "results" / "controls")[0]


def test_the_answer_follows_e_as_measured(mechanism):
    found = page.followed(mechanism)
    assert set(found.exchanged) == {"E", "all but E"} and set(found.task) == {"cue-association", "recall"}
    assert page.draw_swap(found).caption.startswith("The answer goes with E")
    low = found[found.exchanged == "E"].follows.min()
    assert f"{low:.0%} to" in page.draw_swap(found).caption


def test_the_bound_names_who_never_reaches_it(mechanism):
    drawing = page.draw_bound(page.at_bound(mechanism))
    assert "never in dp-oja" in drawing.caption and len(drawing.data) == 24
    nobody = page.at_bound(mechanism).assign(share_at_bound=0.0)
    assert page.draw_bound(nobody).caption.startswith("No network drives E to its bound")


def test_what_is_lost_is_a_share_of_what_is_above_chance():
    rows = [
        {"task": "recall", "noise": "low", "network": "dp-oja", "seed": seed, "ablation": way, "accuracy": accuracy}
        for seed in range(3)
        for way, accuracy in (("intact", 0.9), ("E forgotten", 0.6), ("all but E forgotten", 0.9))
    ]
    table = pd.DataFrame(rows)
    assert page.losses(table, "E forgotten") == pytest.approx({("recall", "low", "dp-oja"): 0.75})
    assert "removes a median of 75%" in page.what_is_lost(table)
    cannot = table.assign(accuracy=0.5)
    assert page.losses(cannot, "E forgotten") == {}


def test_the_wrong_prediction_about_resetting_is_put_right(ablated):
    told = page.left_after_reset(ablated)
    assert "was wrong" in told and "of 24 cases only" in told


def test_what_we_found_leaves_out_what_was_not_measured(mechanism):
    told = page.what_we_found(page.followed(mechanism), page.at_bound(mechanism))
    assert "at their bound" in told and "goes with E" in told
    assert "goes with E" not in page.what_we_found(page.followed(mechanism)[:0], page.at_bound(mechanism))
    assert page.what_we_found(page.followed(mechanism)[:0], page.at_bound(mechanism)[:0]) == ""


def test_a_part_held_fixed_is_tested_against_nothing_held():
    rows = [
        {
            "task": "recall",
            "network": "dp-oja",
            "held": held,
            "seed": seed,
            "accuracy": base + seed / 1000,
            "firing_rate": 0.0,
        }
        for held, base in (("nothing", 0.97), ("α at 0", 0.5), ("W at 0", 0.5), ("η", 0.97), ("one α", 0.95))
        for seed in range(5)
    ]
    tests = page.restriction_tests(pd.DataFrame(rows)).set_index("held")
    assert tests.difference["α at 0"] == pytest.approx(-0.47) and tests.difference["η"] == pytest.approx(0.0)
    assert tests.network.unique().tolist() == ["dp-oja"] and tests.against.unique().tolist() == ["nothing"]
    assert page.draw_restricted(pd.DataFrame(rows)).caption.startswith(
        "How many networks get significantly worse depends on which part is held fixed (with α at 0, 1 of 1; with W at 0, "
    )


def test_questions_about_e_are_answered_by_what_was_measured(mechanism):
    swapped, bound = page.followed(mechanism), page.at_bound(mechanism)
    assert page.goes_with(swapped).startswith("The memory sits in E. Where two") and page.latch(bound).startswith(
        "Most networks drive efficacies to their bound: 2% to"
    )
    other = swapped.assign(exchanged=swapped.exchanged.map({"E": "all but E", "all but E": "E"}))
    assert page.goes_with(other).startswith("The memory does not sit in E alone")
    assert page.latch(bound.assign(share_at_bound=0.0)) == "No network drives E to its bound."
    assert page.goes_with(swapped[:0]) == page.latch(bound[:0]) == page.latch(pd.DataFrame()) == ""

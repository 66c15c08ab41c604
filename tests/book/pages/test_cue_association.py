import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from spikepropamine.book.pages import cue_association as page
from spikepropamine.book.pages.round_two import Found
from spikepropamine.experiments import temporal_round_two as two
from spikepropamine.records import runs as records
from spikepropamine.tasks.cue_association import CueAssociation


@pytest.fixture
def published(repository):
    found = records.load_published(repository / "book" / "results" / "cue-association")
    runs = page.tidy(found.runs)
    return runs, page.with_curves(found.curves, runs)


def test_errors_are_drawn_of_every_seed_and_the_caption_counts_what_is_solved(published, definitions):
    runs, _ = published
    drawing = page.draw_errors(runs, definitions)
    assert len(drawing.data) == len(runs) and set(drawing.data.columns) == {"network", "noise", "seed", "accuracy"}
    assert drawing.caption.startswith("8 of 10 cases are solved")
    worse = runs.assign(accuracy=0.5)
    assert page.draw_errors(worse, definitions).caption.startswith("0 of 10 cases are solved")


def test_a_seed_without_an_error_is_drawn_and_not_at_minus_infinity(published, definitions):
    runs, _ = published
    figure = page.draw_errors(runs.assign(accuracy=1.0), definitions).figure
    dots = [dots for axis in figure.axes for dots in axis.collections if isinstance(dots, PathCollection)]
    assert len(dots) == 10 and all(0 < x < 1e-3 for each in dots for x, _ in each.get_offsets())


def test_learning_shows_each_network_at_each_noise_level(published):
    _, curves = published
    drawing = page.draw_learning(curves, ["snn", "dp-oja"])
    assert [axis.get_title() for axis in drawing.figure.axes] == ["low noise", "high noise"]
    assert "dp-oja" in drawing.caption and "ndp-bcm" not in drawing.caption


def test_one_trial_a_noise_level_is_drawn_as_the_task_makes_it():
    drawing = page.draw_trials({noise: CueAssociation(noise=noise, n_cues=3) for noise in ("low", "high")})
    assert set(drawing.data.noise) == {"low", "high"}
    assert (drawing.data.noise == "high").sum() > (drawing.data.noise == "low").sum()


def mechanism(value):
    rows = [
        {"network": name, "noise": noise, "seed": 0, "quantity": f"probe.{hz:g}", "value": value(hz)}
        for name in ("dp-oja", "ndp-oja")
        for noise in ("low", "high")
        for hz in (0.0, 20.0)
    ]
    return page.probes(pd.DataFrame([*rows, rows[0] | {"quantity": "at bound", "value": 0.1}]))


def test_the_probe_is_told_as_it_was_measured():
    found = mechanism(lambda hz: 0.95 if hz else 0.5)
    assert len(found) == 8
    told = page.without_background(found)
    assert told.startswith("Perhaps because noise spikes read the memory out. ")
    assert "noise of training they raise accuracy to at least 0.6 in 2 of 2 cases (0.95 over all of them)" in told
    assert "at the best of the rates tried in 4 of 4 (0.95)" in told
    assert "raise it to at least 0.6 in 4 of 4 cases (up to 0.95)" in page.draw_probe(found).caption
    twice = pd.concat([found, found.assign(seed=1)], ignore_index=True)
    assert "(2 trained networks a case)" in page.without_background(twice)
    nothing = mechanism(lambda hz: 0.5)
    told = page.without_background(nothing)
    assert (
        told.startswith("That is not known")
        and "at the best of the rates tried in 0 of 4;" in told
        and "they do not (0.50)" in told
    )


def test_what_we_found_follows_the_records(published, definitions):
    runs, _ = published
    found = mechanism(lambda hz: 0.95 if hz else 0.5)
    told = page.what_we_found(runs, definitions, {"dp-oja": 0.29}, found)
    assert (
        "in 8 of 8 cases" in told
        and "at most 29%" in told
        and "which fits a read-out of E through noise spikes." in told
    )
    half = runs.assign(accuracy=runs.accuracy.where(runs.noise == "low", 0.6))
    assert "in 4 of 8 cases" in page.what_we_found(half, definitions, {}, found[:0])


def test_skipped_updates_are_told_where_there_are_any():
    assert (
        page.overflowed(pd.Series({"snn": 0, "dp-oja": 0}), 100) == "No update was skipped for an overflowing gradient."
    )
    assert "`dp-oja` 3; in other" in page.overflowed(pd.Series({"snn": 0, "dp-oja": 3}), 100)


def test_who_learns_is_counted_and_how_soon(published, definitions):
    runs, curves = published
    told = page.learned(curves, runs, definitions)
    assert told.startswith("8 of 10 cases") and "Failed by the criterion: `snn`." in told
    assert page.learned(curves, runs.assign(accuracy=0.5), definitions).startswith(
        "0 of 10 cases (networks × noise levels) are solved. Failed"
    )


def test_whether_it_takes_plasticity_follows_the_traditional_networks(repository):
    rows = [
        {"cell": "cue-association-low", "network": name, "seed": seed, "accuracy": accuracy}
        for name, accuracy in (("ndp-bcm", 0.99), ("lsnn", 1.0))
        for seed in range(5)
    ]
    both = Found(pd.DataFrame(rows), pd.DataFrame(), {})
    few = Found(both.runs[both.runs.seed < 2], pd.DataFrame(), {})
    told = page.other_memories(few, {"cue-association-low": 0.95})
    assert told.startswith("No, other memories do as well or better")
    assert "2 seeds: solved by `ndp-bcm` and `lsnn`. The best of each kind: `ndp-bcm` 0.990 and `lsnn` 1.000." in told
    worse = Found(
        both.runs.assign(accuracy=both.runs.accuracy.where(both.runs.network != "lsnn", 0.9)), pd.DataFrame(), {}
    )
    told = page.other_memories(worse, {"cue-association-low": 0.95})
    assert told.startswith("By these tasks it does") and "solved by `ndp-bcm`." in told
    told = page.other_memories(worse, {"cue-association-low": 1.1})
    assert told.startswith("These tasks do not tell") and "solved by no network" in told
    planned = Found(few.runs, pd.DataFrame(), {"cue-association-low": two.round_two("cue-association-low")})
    assert "2 seeds, 4 of 90 runs so far: solved" in page.other_memories(planned, {"cue-association-low": 0.95})
    assert page.other_memories(Found(pd.DataFrame(), pd.DataFrame(), {}), {}) == "Not yet run in round two."

import numpy as np
import pandas as pd
import pytest

from spikepropamine.book.claims import Published, judge, load_rounds
from spikepropamine.book.judges.judge import Definitions
from spikepropamine.book.pages import round_two as page
from spikepropamine.experiments import temporal_round_two as two

CELL = "key-value-pairs-low"
D = Definitions(confidence=0.95, solved_at_least=0.95, failed_at_most=0.6)


def found(accuracy, seeds=10, of=(CELL,), last_gain=0.0):
    """Runs with ``accuracy(name)`` in every cell of ``of``, and curves that gain ``last_gain`` in the last fifth."""
    rng, rows, curves = np.random.default_rng(0), [], []
    experiments = {cell: two.round_two(cell) for cell in of}
    for cell, experiment in experiments.items():
        for config in experiment.configs:
            name = two.compared_as(config.network.name, config.network.n_hidden)
            for seed in experiment.seeds[:seeds]:
                value = accuracy(name) + rng.normal(0, 0.002)
                row = {"cell": cell, "network": name, "seed": seed, "config_hash": config.hash, "accuracy": value}
                rows.append(
                    row
                    | {
                        "git_commit": "0" * 40,
                        "tested.n_cues.4": value,
                        "tested.n_cues.8": 0.5,
                        "tested.delay_ms.400": value,
                    }
                )
                for step in (600, 1200, 1800, 2400, 3000):
                    at = value - (last_gain if step < 3000 else 0)
                    curves.append(
                        {**row, "step": step, "accuracy": at, "firing_rate": 5.0, "gradient_norm": 0.1, "eta": 0.3}
                    )
    return page.Found(pd.DataFrame(rows), pd.DataFrame(curves), experiments)


def level(**others):
    return lambda name: others.get(name.replace("-", "_"), 0.98 if name in page.PLASTIC else 0.5)


def test_every_network_is_plastic_or_traditional_and_sizes_are_told_apart():
    assert set(page.PLASTIC) == {"dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm"}
    assert set(page.EQUAL_SIZE) == {"snn", "lsnn", "rsnn-long", "stp"} and page.LARGER == ("lsnn-100",)


def test_progress_counts_runs_against_the_plan_and_a_cell_is_whole_or_not():
    part, whole = found(level(), seeds=3), found(level())
    assert page.progress(part).endswith("27 are done.") and page.progress(whole).startswith("All 90 runs")
    assert part.cells == [CELL] and part.whole == [] and whole.whole == [CELL]


def test_gains_are_over_the_best_traditional_network_of_each_size():
    table = page.gains(found(level(lsnn=0.7, lsnn_100=0.9)), D)
    assert dict(zip(table.kind, table.against)) == {"with as many neurons": "lsnn", "with more parameters": "lsnn-100"}
    assert len(table) == 8 and (table.low > 0).all()
    assert page.draw_gains(table).caption.startswith(
        "Plastic networks are better than the best traditional network in 8 of 8"
    )
    worse = page.gains(found(level(lsnn_100=0.995)), D)
    assert (worse[worse.kind == "with more parameters"]["high"] < 0).all()
    assert "and worse in 4" in page.draw_gains(worse).caption


def test_accuracy_names_who_solves_each_cell():
    drawing = page.draw_accuracy(found(level(dp_oja=0.93)), {CELL: 0.95})
    assert drawing.caption.startswith("Solved by: key–value pairs, low noise: dp-bcm, ndp-oja, ndp-bcm.")
    lower = page.draw_accuracy(found(level(dp_oja=0.93)), {CELL: 0.91})
    assert "dp-oja, dp-bcm" in lower.caption


def test_a_panel_with_other_networks_names_its_own():
    both = found(level(), of=(CELL, "weak-cues-high"))
    part = both.runs[(both.runs.cell == CELL) | both.runs.network.isin(["lsnn", "ndp-bcm"])]
    axes = page.draw_accuracy(page.Found(part, both.curves, both.experiments), {}).figure.axes
    assert [label.get_text() for label in axes[1].get_yticklabels()] == ["ndp-bcm", "lsnn"]
    assert len(axes[0].get_yticklabels()) == len(two.COMPARED)
    assert axes[1].get_ylim() != axes[0].get_ylim()


def test_what_is_judged_is_counted_apart_from_what_is_shown_beside_it(repository):
    rounds = load_rounds(repository / "book" / "claims.yml")
    told = page.progress(found(level(), of=(CELL, "recall-low"), seeds=3), rounds)
    assert told.startswith("Of 90 runs that are judged, 27 are done.")
    assert told.endswith("Of 90 further runs, which are shown and not judged, 27 are done.")


def test_a_curve_that_still_gains_is_said_to():
    assert page.draw_learning(found(level())).caption.startswith("Every curve is flat")
    assert page.draw_learning(found(level(), last_gain=0.05)).caption.startswith(
        "9 of 9 curves are not flat at the end (snn on"
    )


def test_bits_stored_follow_accuracy_pairs_and_size():
    table = page.stored(found(level(snn=0.5, ndp_bcm=1.0)), CELL)
    at = table[(table.value == 4)].groupby("network")[["bits", "bits_per_neuron"]].mean()
    assert at.bits["ndp-bcm"] > 15 and at.bits["snn"] < 0.1
    assert at.bits_per_neuron["ndp-bcm"] == pytest.approx(at.bits["ndp-bcm"] / 48)
    sizes = {name: page.synapses(config.build(0)) for name, config in zip(two.COMPARED, two.round_two(CELL).configs)}
    assert sizes["ndp-bcm"] == 44 * 48 and sizes["lsnn-100"] == 44 * 100 + 100 * 100
    assert "by ndp-bcm" in page.draw_pairs(found(level(ndp_bcm=1.0)), CELL).caption


def test_nothing_at_hand_is_said_and_breaks_nothing():
    nothing = page.Found(pd.DataFrame({"cell": []}), pd.DataFrame({"cell": []}), {CELL: two.round_two(CELL)})
    assert "0 are done" in page.progress(nothing) and nothing.cells == nothing.whole == []
    assert page.what_we_found(nothing, D, {}) == page.looked_into(nothing) == ""


def test_who_stays_at_chance_is_looked_into_and_who_does_not_is_not():
    told = page.looked_into(found(level(lsnn=0.7, lsnn_100=0.9)))
    assert "norm of the gradient 0.1)" in told
    assert "`stp`" in told and "`rsnn-long`" in told and "`lsnn`" not in told and "`snn`" not in told


def test_what_we_found_says_who_is_ahead_and_how_much_is_stored():
    told = page.what_we_found(found(level(lsnn=0.7, lsnn_100=0.8, ndp_bcm=0.99)), D, {CELL: 0.95})
    assert "`ndp-bcm` at 0.99" in told and "is ahead of the best traditional one, `lsnn-100` at 0.80" in told
    assert "of the 16 bits of a trial" in told
    assert page.what_we_found(found(level(lsnn=0.99), seeds=3), D, {CELL: 0.95}) == ""


def test_headings_that_ask_are_answered_by_the_runs():
    assert page.who_binds(found(level(dp_oja=0.93)), {CELL: 0.95}).startswith("Most do: 3 of 4 cases")
    assert "(the nearest is `lsnn-100` on key–value pairs, low noise, 0.9" in page.who_binds(
        found(level(lsnn_100=0.94)), {CELL: 0.95}
    )
    assert page.who_binds(found(level(), seeds=3), {CELL: 0.95}) == ""


def test_whether_training_was_long_enough_is_said_of_networks_that_learn():
    flat, rising = page.long_enough(found(level())), page.long_enough(found(level(), last_gain=0.05))
    assert flat.startswith(
        "Yes, by what the curves show: none of 4 curves of networks that learn gains more than 0.005"
    )
    assert flat.endswith("The other 5 curves end below 0.6.")
    assert rising.startswith("No: 0 of 4 curves of networks that learn gain at most 0.005")
    assert "`dp-oja` on key–value pairs, low noise (+0.050)" in rising and "`snn`" not in rising
    assert page.long_enough(found(lambda name: 0.5)) == "No network learned, so the curves do not say."
    assert "other" not in page.long_enough(found(level(snn=0.9, lsnn=0.9, lsnn_100=0.9, rsnn_long=0.9, stp=0.9)))


def test_noise_that_costs_the_observer_is_answered_when_its_runs_are_whole():
    weak = "weak-cues-high"
    told = page.under_noise(
        found(level(dp_oja=0.8, dp_bcm=0.8, ndp_oja=0.83, ndp_bcm=0.8, lsnn=0.88), of=(weak,)), D, {weak: 0.914}
    )
    assert told.startswith("No: on weak cues 0 of 4") and "`ndp-oja`, has 0.8" in told and "`lsnn`, 0.8" in told
    split = found(level(rsnn_long=0.5), of=(weak,))
    lucky = split.runs.network.eq("rsnn-long") & split.runs.seed.isin(sorted(split.runs.seed.unique())[:2])
    split.runs.loc[lucky, "accuracy"] = 0.83
    assert "`rsnn-long` learns in only 2 of 10 seeds (0.830 and 0.830)." in page.under_noise(split, D, {weak: 0.914})
    assert page.under_noise(found(level(), of=(weak,)), D, {weak: 0.914}).startswith("Yes: on weak cues 4 of 4")
    assert page.under_noise(found(level(), seeds=3, of=(weak,)), D, {weak: 0.914}) == "Not yet run to the end."
    assert page.under_noise(found(level()), D, {weak: 0.914}) == ""


def test_whether_plasticity_beats_the_best_other_memory_is_answered_first():
    both, weak = found(level(lsnn=0.7), of=(CELL,)), found(level(lsnn_100=0.995), of=(CELL,))
    assert page.in_short(both, D).startswith("Yes. ")
    assert page.in_short(both, D).endswith("On key–value pairs, low noise 4 of 4 plastic networks beat both.")
    assert page.in_short(weak, D).startswith("No. ")
    assert "0 of 4 plastic networks beat both, 4 are worse" in page.in_short(weak, D)
    assert page.in_short(found(level(), seeds=3), D) == "Not yet run."


def test_a_task_on_which_every_plastic_network_is_worse_is_said_to_be_one():
    told = page.what_we_found(found(level(lsnn_100=0.999)), D, {CELL: 0.95})
    assert (
        "is behind the best traditional one, `lsnn-100`" in told
        and "Every plastic network is worse than `lsnn-100`." in told
    )
    assert "worse" not in page.what_we_found(found(level(lsnn=0.7)), D, {CELL: 0.95})


def test_tasks_that_plastic_networks_win_and_lose_are_told_apart():
    weak = "weak-cues-high"
    won, lost = found(level(lsnn=0.7, lsnn_100=0.8)), found(level(lsnn=0.999), of=(weak,))
    assert (
        page.beats(won, D)
        == "Plastic networks beat the best traditional networks on key–value pairs, low noise (4 of 4)."
    )
    assert page.beats(lost, D) == "Plastic networks lose to the best traditional networks on weak cues (4 of 4)."
    assert page.beats(found(level(), seeds=3), D) == ""
    assert page.marked(lost, {weak: 0.914}) == {"weak cues": 0.914}


def test_claims_are_counted_by_their_verdicts(repository):
    rounds = load_rounds(repository / "book" / "claims.yml")
    judged = judge(rounds, Published(repository / "book" / "results"))
    told = page.counted(judged, list(two.CELLS))
    assert told.startswith("Of 5 claims and questions") and "reproduced" in told
    assert page.counted(judged, []) == "Not yet judged."


def test_plastic_networks_that_miss_are_looked_into():
    told = page.who_missed(found(level(dp_oja=0.93), last_gain=0.02), {CELL: 0.95})
    assert told.startswith("Plastic networks miss 1 of 4 cases") and "`dp-oja`" in told and "still improves" in told
    assert "η went from 0.2 to 0.3" in told and "is flat" in page.who_missed(found(level(dp_oja=0.93)), {CELL: 0.95})
    assert page.who_missed(found(level()), {CELL: 0.95}) == "Plastic networks miss none of 4 cases."


def test_without_a_plastic_network_the_sentences_say_so():
    whole = found(level())
    plain = page.Found(
        whole.runs[~whole.runs.network.isin(page.PLASTIC)],
        whole.curves[~whole.curves.network.isin(page.PLASTIC)],
        {cell: two.round_two(cell, networks=page.TRADITIONAL) for cell in whole.experiments},
    )
    assert plain.whole == [CELL] and page.what_we_found(plain, D, {CELL: 0.95}) == page.beats(plain, D) == ""
    for told in (page.who_binds(plain, {CELL: 0.95}), page.who_missed(plain, {CELL: 0.95}), page.in_short(plain, D)):
        assert told == page.NONE_CHOSEN
    assert page.under_noise(plain, D, {CELL: 0.95}, CELL) == page.NONE_CHOSEN

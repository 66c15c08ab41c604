import numpy as np
import pandas as pd
import pytest

from spikepropamine.book.pages import closer_look as page
from spikepropamine.experiments import closer_look as look
from spikepropamine.experiments import temporal_round_two as two


def runs(configs, accuracy, seeds=(0, 1, 2), **more):
    """A row a configuration and seed, with ``accuracy(key)`` and a little more or less."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "config_hash": config.hash,
            "seed": seed,
            "git_commit": "0" * 40,
            "accuracy": accuracy(key) + rng.normal(0, 0.001),
        }
        | more
        for key, config in configs.items()
        for seed in seeds
    )


def changed(**accuracy):
    """Variants of all networks at 0.95, but for the changes named; a blank or sign of a change's name is an underscore."""
    named = lambda key: "".join(c if c.isalnum() else "_" for c in key[1])  # noqa: E731
    return page.named(runs(look.varied(), lambda key: accuracy.get(named(key), 0.95)), look.varied())


def test_runs_are_named_by_what_is_changed_in_them_and_none_is_lost():
    table = changed()
    assert len(table) == 3 * len(look.varied())
    assert set(zip(table.network, table.change)) == set(look.varied())
    assert page.named(pd.DataFrame(), look.varied()).empty


def test_a_part_that_costs_every_network_has_to_be_learned():
    told = page.parts_needed(changed(W_held=0.8, η_held=0.951))
    assert told.startswith(
        "Holding W where it starts costs every network accuracy; holding α or η does not cost every one"
    )
    assert "**W held**: worse in 4 of 4 networks" in told and "**η held**: worse in 0 of 4" in told


def test_the_bound_is_needed_only_where_its_absence_costs():
    smooth = page.named(runs(look.bounds(), lambda key: 0.9 if key == "smooth bound" else 0.99), look.bounds())
    hardly = page.bound_needed(changed(), smooth)
    assert (
        hardly.startswith("No: with another bound than the usual 3 accuracy changes by at most 0.00")
        and "reaches 0.90" in hardly
        and "−0.09" in hardly
    )
    assert page.bound_needed(changed(no_bound=0.92), smooth).startswith("A little")
    assert page.bound_needed(changed(no_bound=0.7), smooth).startswith("Yes")


def test_a_gate_is_counted_by_what_holding_it_costs():
    told = page.gate_needed(changed(V_held=0.9, M___1=0.94))
    assert "the gate costs accuracy in 2 of 2 networks" in told and "worse than none" in told
    assert told.startswith("Some simpler gates cost accuracy, by the interval")
    every = page.gate_needed(changed(V_held=0.9, M___1=0.9, M_constant=0.93))
    assert every.startswith("Every simpler gate costs accuracy")
    assert page.gate_needed(changed(V_held=0.97)).startswith("No simpler gate costs every network accuracy")
    assert "worse than none" not in page.gate_needed(changed(M___1=0.9))


def test_what_is_not_run_is_said_to_be():
    nothing = pd.DataFrame({"network": [], "change": [], "accuracy": []})
    for told in (page.parts_needed(nothing), page.bound_needed(nothing, nothing), page.gate_needed(nothing)):
        assert told == page.NOT_YET
    first = page.in_round_one(pd.DataFrame())
    assert page.why_hard(pd.DataFrame(), first) == page.how_much(pd.DataFrame()) == page.NOT_YET
    assert page.with_a_curriculum(pd.DataFrame(), pd.DataFrame()) == page.NOT_YET


def test_drawings_show_every_run_of_the_changes_asked_for():
    drawing = page.draw_changes(changed(), page.PARTS, "Nothing is lost", "Parts.")
    assert len(drawing.data) == 3 * 4 * 4 and "nothing changed" in set(drawing.data.change)
    assert drawing.caption.startswith("Nothing is lost: Parts. Every seed (faint, 3 each)")
    table = changed(W_held=0.8, α_held=0.7, V_held=0.9, M_constant=0.93, M___1=0.94, no_bound=0.94)
    parts = page.draw_parts(table).caption
    assert parts.startswith("Holding α costs most (0.25), holding W less (0.15), holding η least (at most 0.00): key")
    gates = page.draw_gates(table)
    assert gates.caption.startswith(
        "Every simpler gate costs accuracy; gate not learned (V, c held) costs most (up to 0.05)"
    )
    assert set(gates.data.network) == set(look.MODULATED) and "no gate (M = 1)" in set(gates.data.change)
    bounds = page.draw_bounds(table)
    assert bounds.caption.startswith(
        "Moving or removing the bound of E changes accuracy by at most 0.009: key"
    ) and "bound 1" in set(bounds.data.change)


def test_bits_stored_grow_with_the_pairs_that_are_remembered():
    configs = {config: config for config in look.trained_with_pairs().configs}
    known = lambda config: 0.99 if config.network.name == "ndp-bcm" else 0.6  # noqa: E731
    table = page.trained_with(runs(configs, known))
    bits = table[table.network == "ndp-bcm"].groupby(["value_bits", "pairs", "delay_ms"]).bits.mean()
    assert bits[4, 8, 200.0] == pytest.approx(8 * bits[4, 1, 200.0], rel=0.1)
    assert bits[8, 4, 200.0] == pytest.approx(2 * bits[4, 4, 200.0], rel=0.1)
    assert len(table) == 3 * len(configs)
    assert "ndp-bcm 44" in page.most_stored(table) and page.most_stored(table[:0]) == ""
    assert "ndp-bcm 44" in page.draw_trained_with(table).caption
    shown = page.shown_trained_with(table)
    assert list(shown.pairs)[:2] == [1, 2] and "delay (ms)" in shown and len(shown) == len(configs) / 5


def test_the_lead_of_plastic_networks_is_said_task_by_task():
    configs = {config: config for config in look.trained_with_pairs().configs}

    def reached(config):
        if config.task.delay_ms == 2000.0:
            return 0.7 if config.network.name == "lsnn" else 0.6
        return 0.9 if config.task.value_bits == 8 or "bcm" in config.network.name else 0.7

    told = page.how_much(page.trained_with(runs(configs, reached)))
    assert "in 7 of 9 tasks, and behind in 1." in told
    assert "No difference is found with 4 pairs of 8 bits." in told and "It is behind with 4 pairs after 2 s." in told
    assert "the lead is between 0.199 (4 pairs after 1 s) and 0.201" in told
    assert (
        page.how_much(page.trained_with(runs(configs, lambda config: 0.9))).count("in 0 of 9 tasks, and behind in 0")
        == 1
    )


def test_the_slope_is_the_reason_where_the_steep_one_costs_much():
    rows = [
        {"network": name, "slope": slope, "change": f"slope {slope:g}", "seed": seed, "gradient_norm": 1.0, "accuracy": accuracy + seed / 1000}
        for name in ("dp-oja", "ndp-oja")
        for slope, accuracy in ((5.0, 0.95), (25.0, 0.75 if name == "dp-oja" else 0.94))
        for seed in range(3)
    ]  # fmt: skip
    early = [
        {"network.name": name, "task.noise": noise, "accuracy": 0.7 + seed / 1000 if noise == "high" else 0.1}
        for name in ("dp-oja", "ndp-oja")
        for noise in ("low", "high")
        for seed in range(3)
    ]
    told = page.why_hard(pd.DataFrame(rows), page.in_round_one(pd.DataFrame(early)))
    assert "changes round one's accuracy by +0.050" in told and "in `dp-oja`, +0.240" in told
    assert "changes round one" not in page.why_hard(pd.DataFrame(rows), page.in_round_one(pd.DataFrame()))
    assert (
        told.startswith("Because the surrogate gradient was too steep for `dp-oja`. Trained")
        and "half within 0.02" in told
    )
    assert "`dp-oja` loses 0.200" in told and "`ndp-oja` loses 0.010" in told
    drawn = page.draw_slopes(pd.DataFrame(rows)).caption
    assert drawn.startswith(
        "With a steep surrogate (slope 25) accuracy falls by 0.200 in dp-oja, and by at most 0.010 in ndp-oja"
    )
    assert page.why_hard(pd.DataFrame(rows).assign(accuracy=0.9), page.in_round_one(pd.DataFrame())).startswith(
        "Not because"
    )


def test_a_curriculum_tells_items_from_bindings():
    configs = {(config, k): config for k, config in enumerate(look.curriculum().configs)}
    lessons = {
        f"taught.{cues}.{name}": 0.99 if cues == 1 else 0.5
        for cues in (1, 2, 3)
        for name in ("accuracy", "firing_rate")
    }
    table = page.taught(runs(configs, lambda key: 0.5, **lessons, firing_rate=9.0))
    straight = pd.DataFrame(
        {"cell": cell, "network": name, "accuracy": 0.5 if name != "lsnn-100" else 0.8}
        for cell in two.CELLS
        for name in two.COMPARED
    )
    told = page.with_a_curriculum(table, straight)
    assert (
        told.startswith("No: ")
        and "0 of 4 cases that stayed at chance in round two and 0 of 2 with another start end above 0.6" in told
        and "One pair is learned by `rsnn-long`, `stp` and `lsnn-100`, two pairs are not" in told
    )
    other = table.assign(accuracy=table.accuracy.where(table.start == page.AS_SEARCHED, 0.99))
    assert page.with_a_curriculum(other, straight).startswith("Some do: ")
    assert "2 of 2 with another start end above" in page.with_a_curriculum(other, straight[:0])
    assert told.count("without a curriculum.") == 5  # the other start was never run without one
    assert "without a curriculum." not in page.with_a_curriculum(table, straight[:0])
    assert len(page.shown_taught(table)) == 7 and set(table.cues) == {1, 2, 3, 4}


def test_the_findings_are_the_answers_and_leave_out_what_is_not_run():
    told = page.findings(changed(W_held=0.8, V_held=0.9, M_constant=0.93))
    assert told.startswith(
        "- Exploratory, on key–value pairs: holding W where it starts costs every network accuracy (at least 0.15); holding α costs 0 of 4 networks accuracy"
    )
    assert (
        "with another bound of E, or none, accuracy changes by" in told
        and "with a bound of 10" in told
        and "with no bound" in told
    )
    assert (
        "with a simpler gate the accuracy of `ndp-oja` and `ndp-bcm` changes by" in told
        and "−0.019 with a gate that is learned but constant" in told
    )
    better = page.findings(changed(α_held=0.99))
    assert "holding α costs 0 of 4 networks accuracy (holding it adds +0.0" in better
    assert told.count("\n- ") == 2
    assert page.findings(pd.DataFrame({"network": [], "change": [], "accuracy": []})) == ""

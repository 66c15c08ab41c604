import dataclasses

import pandas as pd
import pytest

from spikepropamine import records
from spikepropamine.experiments import walking_round_two as two
from spikepropamine.experiments.locomotion import EXPERIMENTS, locomotion


def tried(**returns):
    """Returns by change, the same for every policy."""
    return pd.DataFrame(
        {"network": name, "change": change.replace("_", " "), "return": value}
        for name in two.PUBLISHED_POLICIES
        for change, value in returns.items()
    )


def test_the_change_that_gains_most_is_taken_and_none_where_none_gains():
    table = tried(as_in_round_one=1000.0, small=1100.0, large=1300.0, bad=900.0)
    assert two.gain_of(table).to_dict() == {"as in round one": 0.0, "small": 100.0, "large": 300.0, "bad": -100.0}
    assert two.best_change(table) == "large"
    assert two.best_change(tried(as_in_round_one=1000.0, bad=900.0)) == two.UNCHANGED
    # a change that was not tried with every policy is not compared
    assert two.best_change(table.drop(table[(table.change == "large") & (table.network == "mlp")].index)) == "small"


@pytest.mark.parametrize("robot", EXPERIMENTS)
def test_every_policy_is_tried_with_the_same_changes_and_budget(robot):
    configs = two.gap_search(robot).configs
    of = {name: [c for c in configs if c.network.name == name] for name in two.PUBLISHED_POLICIES}
    for position in range(len(two.GAP_CHANGES)):
        alike = {dataclasses.replace(one[position].training, learning_rate=1.0) for one in of.values()}
        assert len(alike) == 1 and next(iter(alike)).steps == two.GAP_STEPS


@pytest.mark.parametrize("robot", EXPERIMENTS)
def test_round_two_has_the_change_that_the_published_search_found(repository, robot):
    folder = repository / "book" / "results" / f"{robot}-gap-search"
    names, found = two.gap_changes(robot), records.load_published(folder).runs
    found[["network", "change"]] = [names[h] for h in found.config_hash]
    assert len(found) == len(two.gap_search(robot).configs)
    assert two.TAKEN[robot] == two.best_change(found)


@pytest.mark.parametrize("robot", EXPERIMENTS)
def test_what_is_tried_later_is_tried_with_every_policy_and_the_same_number_of_steps_between_updates(robot):
    configs = two.further_search(robot).configs
    assert [c.network.name for c in configs] == [n for n in two.PUBLISHED_POLICIES for _ in two.FURTHER_CHANGES]
    assert {c.training.steps for c in configs} == {two.GAP_STEPS}
    assert {c.training.rollout * c.training.environments for c in configs} == {2048}


def test_longer_pieces_are_round_two_s_plastic_policies_on_one_robot_with_nothing_else_changed():
    experiment, second = two.longer_pieces(), two.round_two("half-cheetah", policies=two.PUBLISHED_PLASTIC)
    assert experiment.seeds == experiment.weights_of == tuple(range(5))
    assert len(experiment.configs) == len(second.configs) == 4
    for longer, before in zip(experiment.configs, second.configs):
        training = before.training
        assert longer.training.piece == 8 * training.piece
        assert longer.training.rollout * longer.training.environments == training.rollout * training.environments
        alike = {name: getattr(training, name) for name in ("piece", "rollout", "environments")}
        assert dataclasses.replace(longer, training=dataclasses.replace(longer.training, **alike)) == before
    assert not two.longer_pieces("ant").runs
    with pytest.raises(ValueError, match="seeds = 0: must be"):
        two.longer_pieces(seeds=0)


@pytest.mark.parametrize("change", [*two.GAP_CHANGES, *two.FURTHER_CHANGES])
def test_a_change_changes_what_it_names_and_nothing_else(change, monkeypatch):
    monkeypatch.setattr(two, "TAKEN", {"ant": change})
    network, training = (two.GAP_CHANGES | two.FURTHER_CHANGES)[change]
    asked = {**network, **network.get("options", {}), **training}
    asked.pop("options", None)
    for before, after in zip(locomotion("ant").configs, two.round_two("ant").configs):
        old, new = (flat(dataclasses.asdict(config)) for config in (before, after))
        assert {name for name in new if new[name] != old[name]} == set(asked)
        for name, value in asked.items():
            assert new[name] == pytest.approx(value * (old[name] if name in two._FACTORS else 1))


def flat(fields):
    """The innermost fields by name."""
    inner = {name: value for name, value in fields.items() if not isinstance(value, dict)}
    for value in fields.values():
        inner |= flat(value) if isinstance(value, dict) else {}
    return inner

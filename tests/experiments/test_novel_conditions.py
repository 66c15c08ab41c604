from functools import partial

import numpy as np
import pandas as pd
import pytest

from spikepropamine.experiments import novel_conditions
from spikepropamine.experiments.config import Experiment
from spikepropamine.experiments.locomotion import locomotion
from spikepropamine.experiments.sweeps import Store
from spikepropamine.walking.conditions import CONDITIONS, TRAINING
from spikepropamine.walking.evaluation import Episodes
from walkers import untrained


def test_every_condition_and_strength_is_measured_once(tmp_path, monkeypatch):
    config, weights = untrained()
    seen = []

    def note(
        policy, statistics, task, condition=TRAINING, strength=None, onset=0, episodes=0, steps=1000, from_onset=None
    ):
        seen.append((condition, strength, onset, from_onset is not None))
        return Episodes(np.ones((1, steps)), np.zeros(1, bool))

    monkeypatch.setattr(novel_conditions, "walk", note)
    store = type("Weights", (), {"weights": lambda self, *_: weights})()
    rows = novel_conditions.fare("half-cheetah", config, 0, store, novel_conditions.SIZES["paper"])
    assert len(rows) == len(seen) == len(set(seen)) == 1 + sum(len(kind.strengths) for kind in CONDITIONS.values())
    seen.clear()
    rows = novel_conditions.adapt("half-cheetah", config, 0, store, novel_conditions.SIZES["paper"])
    assert len(seen) == len(set(seen)) == 2 * (1 + len(CONDITIONS)) and len(rows) == 4 * len(seen)
    assert {row["reward"] for row in rows} == {1.0}


def test_what_is_measured_already_stays_and_only_the_rest_is_measured(monkeypatch):
    config = next(c for c in locomotion("half-cheetah").configs if c.network.name == "snn")
    asked = []

    def how(experiment, config, seed, store, size, conditions):
        asked.append((config.hash, seed, *conditions))
        return [{"config_hash": config.hash, "seed": seed, "condition": c, "return": 2.0} for c in conditions]

    store = type(
        "Weights",
        (),
        {"has_weights": lambda self, name, config, seed: name == "half-cheetah" and seed < 2, "published": None},
    )()
    earlier = pd.DataFrame([{"config_hash": config.hash, "seed": 0, "condition": TRAINING, "return": 1.0}])
    measure = partial(novel_conditions.measure, how, "paper", None, ["snn"], store)
    table, _ = measure(earlier=earlier, conditions=[TRAINING])
    assert asked == [(config.hash, 1, TRAINING)] and table["return"].tolist() == [1.0, 2.0]
    hours, unknown = novel_conditions.measuring_hours(table)
    assert unknown == 1 and hours == pytest.approx(table.policy_seconds[1] / 3600) and hours > 0
    again, _ = measure(earlier=table, conditions=[TRAINING])
    assert again.equals(table) and len(asked) == 1
    # a condition that is new since is measured alone, and adds rows
    more, _ = measure(earlier=table, conditions=[TRAINING, "slope"])
    assert asked[1:] == [(config.hash, 0, "slope"), (config.hash, 1, "slope")]
    assert more.iloc[:2].equals(table) and more.condition.tolist()[2:] == ["slope", "slope"]


def test_a_measurement_that_was_stopped_is_taken_up_after_the_last_policy_measured():
    store = type(
        "Weights", (), {"has_weights": lambda self, name, config, seed: name == "half-cheetah", "published": None}
    )()
    stopped_at, asked, kept = 3, [], []

    def how(experiment, config, seed, store, size, conditions):
        if seed == stopped_at:
            raise KeyboardInterrupt
        asked.append(seed)
        return [{"config_hash": config.hash, "seed": seed, "condition": c} for c in conditions]

    with pytest.raises(KeyboardInterrupt):
        novel_conditions.measure(how, "paper", None, ["snn"], store, keep=lambda table, facts: kept.append(table))
    assert asked == kept[-1]["seed"].unique().tolist() == [0, 1, 2]
    stopped_at = None
    table, _ = novel_conditions.measure(how, "paper", None, ["snn"], store, earlier=kept[-1])
    assert asked == table["seed"].unique().tolist() == [0, 1, 2, 3, 4]


def test_strengths_that_are_judged_are_measured_first_of_all_policies_and_what_was_stopped_is_taken_up(monkeypatch):
    config, weights = untrained()
    monkeypatch.setattr(novel_conditions, "revive", lambda *_: (None, None))
    monkeypatch.setattr(novel_conditions, "walk", lambda *_, **__: Episodes(np.ones((1, 4)), np.zeros(1, bool)))
    make = lambda robot, *_: Experiment(robot, "paper", (config,), (0, 1))  # noqa: E731
    monkeypatch.setattr(novel_conditions, "EXPERIMENTS", {"half-cheetah": "HalfCheetah-v5"})
    holds = {"has_weights": lambda *_: True, "weights": lambda *_: weights, "published": None}
    store, kept = type("Weights", (), holds)(), []
    measure = partial(novel_conditions.measure, novel_conditions.fare, "paper", None, ["snn"], store, make=make)
    table, _ = measure(keep=lambda table, _: kept.append(table))
    moderate, strengths = 1 + len(CONDITIONS), 1 + sum(len(kind.strengths) for kind in CONDITIONS.values())
    assert [len(one) for one in kept] == [moderate, 2 * moderate, moderate + strengths, 2 * strengths]
    assert not table.duplicated(["seed", "condition", "strength"]).any()
    first = kept[1]
    assert (first.strength.isna() | first.strength.eq(first.condition.map(novel_conditions.MODERATE))).all()
    assert novel_conditions.whole(first).empty and set(novel_conditions.whole(kept[2]).seed) == {0}
    columns = [name for name in table if name != "policy_seconds"]
    for stopped in kept:
        again, _ = measure(earlier=stopped)
        pd.testing.assert_frame_equal(again[columns], table[columns])
    assert measure(earlier=table)[0].equals(table)
    hours, unknown = novel_conditions.measuring_hours(table)
    assert hours == pytest.approx(table.policy_seconds.unique().sum() / 3600) and unknown == 0


def test_measuring_without_any_weights_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"policies = \['snn'\]: must be some whose trained weights are published in"):
        novel_conditions.measure(
            novel_conditions.fare, "smoke", None, ["snn"], Store(tmp_path / "runs", tmp_path / "results")
        )


def test_a_fall_after_the_onset_counts_as_no_reward_and_one_before_it_not_at_all(monkeypatch):
    config, weights = untrained()
    rewards = np.ones((3, 40))
    rewards[1, 20:] = np.nan  # falls in the second half
    rewards[2, 5:] = np.nan  # never meets the condition
    monkeypatch.setattr(novel_conditions, "walk", lambda *_: Episodes(rewards, np.zeros(3, bool)))
    store = type("Weights", (), {"weights": lambda self, *_: weights})()
    rows = novel_conditions.adapt("half-cheetah", config, 0, store, novel_conditions.SIZES["smoke"])
    assert [(row["quarter"], row["reward"], row["episodes"]) for row in rows[:4]] == [
        (1, 1.0, 2),
        (2, 1.0, 2),
        (3, 0.5, 2),
        (4, 0.5, 2),
    ]

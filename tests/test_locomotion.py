import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch

from spikepropamine import locomotion, records, sweeps
from spikepropamine.locomotion import Episodes, revive, summary, walk, without_plasticity
from spikepropamine.policies import POLICIES, Policy
from spikepropamine.sweeps import Store
from spikepropamine.tasks.conditions import CONDITIONS, TRAINING


def untrained(name="dp-oja", environment="half-cheetah"):
    config = locomotion.locomotion(environment, "smoke", policies=[name]).configs[0]
    n, _ = config.task.sizes()
    policy = config.build(0)
    weights = dict(policy.named_parameters()) | {"observation_mean": torch.zeros(n, dtype=torch.float64),
                                                 "observation_var": torch.ones(n, dtype=torch.float64)}
    return config, {name: p.detach() for name, p in weights.items()}


@pytest.mark.parametrize("name", ["dp-bcm", "mlp"])
def test_a_sweep_trains_tests_and_publishes_every_seed_s_weights(name, tmp_path):
    experiment = dataclasses.replace(locomotion.locomotion("half-cheetah", "smoke", 2, [name]))
    store = Store(tmp_path / "runs", tmp_path / "results")
    sweeps.sweep(experiment, store)
    sweeps.publish(experiment, store)
    published = Store(tmp_path / "empty", tmp_path / "results")
    runs, curves = published.results(experiment)
    assert len(runs) == 2 and np.isfinite(runs["return"]).all() and (curves.step.max() == 512) and (runs.diverged == 0).all()
    for seed in experiment.seeds:
        config = experiment.configs[0]
        policy, statistics = revive(config, published.weights(experiment.name, config, seed))
        again = summary(walk(policy, statistics, config.task, episodes=2))
        assert again["return"] == pytest.approx(runs.set_index("seed")["return"][seed], rel=1e-6)


def test_every_policy_has_the_same_budget_and_search():
    for name in locomotion.EXPERIMENTS:
        configs = locomotion.locomotion(name).configs
        assert [c.network.name for c in configs] == list(POLICIES)
        trainings = {dataclasses.replace(c.training, learning_rate=1.0) for c in configs}
        assert len(trainings) == 1
    for name in locomotion.EXPERIMENTS:
        searched = locomotion.search(name).configs
        grids = {one: [(c.training.learning_rate, round(c.network.options.eta_oja, 6)) for c in searched if c.network.name == one] for one in POLICIES}
        assert all(grid == grids["snn"] for grid in grids.values())
        assert len({dataclasses.replace(c.training, learning_rate=1.0) for c in searched}) == 1
        assert not set(locomotion.search(name).seeds) & set(locomotion.locomotion(name).seeds)


@pytest.mark.parametrize("name", locomotion.EXPERIMENTS)
def test_the_chosen_values_are_what_the_published_search_found(repository, name):
    folder = repository / "book" / "results" / f"{name}-search"
    if not folder.exists():
        pytest.skip(f"the search on {name} is not published yet")
    found = records.load_published(folder).runs
    found["factor"] = (found["network.options.eta_oja"] / Policy("snn").options.eta_oja).round(6)
    mean = found.groupby(["network.name", "training.learning_rate", "factor"])["return"].mean()
    assert {one: mean[one].idxmax() for one in POLICIES} == locomotion.CHOSEN[name]


def test_episodes_do_not_depend_on_those_beside_them():
    config, weights = untrained(environment="ant")
    policy, statistics = revive(config, weights)
    three, one = (walk(policy, statistics, config.task, episodes=n) for n in (3, 1))
    # a batch of another size rounds otherwise, and contacts amplify that in time
    np.testing.assert_allclose(three.rewards[0, :30], one.rewards[0, :30], rtol=1e-4)
    assert abs(three.rewards[1, :30] - one.rewards[0, :30]).max() > 0.01
    assert not three.diverged.any() and (three.lengths <= 1000).all()


def test_without_plasticity_efficacies_stay_where_they_are():
    config, weights = untrained()
    policy, _ = revive(config, weights)
    observations = torch.randn(40, 2, config.task.sizes()[0], generator=torch.Generator().manual_seed(0)) * 3
    _, state = policy.run(observations, policy.initial_state(2))
    E = state.network[0].plastic.E
    assert E.abs().sum() > 0
    _, frozen = without_plasticity(policy).run(observations, state)
    _, free = policy.run(observations, state)
    assert torch.equal(frozen.network[0].plastic.E, E) and not torch.equal(free.network[0].plastic.E, E)


def test_what_takes_over_at_the_onset_changes_nothing_before_it():
    config, weights = untrained()
    policy, statistics = revive(config, weights)
    other, _ = revive(config, {name: p + 1 if name == "network.readout.bias" else p for name, p in weights.items()})
    free, changed = (walk(policy, statistics, config.task, onset=30, episodes=1, from_onset=p).rewards[0] for p in (None, other))
    assert np.array_equal(free[:30], changed[:30]) and not np.array_equal(free[30:], changed[30:])


def test_diverged_episodes_are_counted_and_not_averaged():
    rewards = np.array([[1.0, 1.0, 1.0], [5.0, np.nan, np.nan], [2.0, 2.0, np.nan]])
    found = summary(Episodes(rewards, np.array([False, True, False])))
    assert found == {"return": 3.5, "length": 2.5, "diverged": 1}
    assert math.isnan(summary(Episodes(rewards, np.ones(3, bool)))["return"])


def test_every_condition_and_strength_is_measured_once(tmp_path, monkeypatch):
    config, weights = untrained()
    seen = []

    def note(policy, statistics, task, condition=TRAINING, strength=None, onset=0, episodes=0, steps=1000, from_onset=None):
        seen.append((condition, strength, onset, from_onset is not None))
        return Episodes(np.ones((1, steps)), np.zeros(1, bool))

    monkeypatch.setattr(locomotion, "walk", note)
    store = type("Weights", (), {"weights": lambda self, *_: weights})()
    rows = locomotion.fare("half-cheetah", config, 0, store, locomotion.SIZES["paper"])
    assert len(rows) == len(seen) == len(set(seen)) == 1 + sum(len(kind.strengths) for kind in CONDITIONS.values())
    seen.clear()
    rows = locomotion.adapt("half-cheetah", config, 0, store, locomotion.SIZES["paper"])
    assert len(seen) == len(set(seen)) == 2 * (1 + len(CONDITIONS)) and len(rows) == 4 * len(seen)
    assert {row["reward"] for row in rows} == {1.0}


def test_what_is_measured_already_stays_and_only_the_rest_is_measured(monkeypatch):
    asked = []

    def how(experiment, config, seed, store, size):
        asked.append((config.hash, seed))
        return [{"config_hash": config.hash, "seed": seed, "return": 2.0}]

    store = type("Weights", (), {"has_weights": lambda self, name, config, seed: name == "half-cheetah" and seed < 2, "published": None})()
    config = locomotion.locomotion("half-cheetah", policies=["snn"]).configs[0]
    earlier = pd.DataFrame([{"config_hash": config.hash, "seed": 0, "return": 1.0}])
    table, _ = locomotion.measure(how, "paper", None, ["snn"], store, earlier=earlier)
    assert asked == [(config.hash, 1)] and table["return"].tolist() == [1.0, 2.0]
    hours, unknown = locomotion.measuring_hours(table)
    assert unknown == 1 and hours == pytest.approx(table.policy_seconds[1] / 3600) and hours > 0
    again, _ = locomotion.measure(how, "paper", None, ["snn"], store, earlier=table)
    assert again.equals(table) and len(asked) == 1


def test_a_measurement_that_was_stopped_is_taken_up_after_the_last_policy_measured():
    config = locomotion.locomotion("half-cheetah", policies=["snn"]).configs[0]
    store = type("Weights", (), {"has_weights": lambda self, name, config, seed: name == "half-cheetah", "published": None})()
    stopped_at, asked, kept = 3, [], []

    def how(experiment, config, seed, store, size):
        if seed == stopped_at:
            raise KeyboardInterrupt
        asked.append(seed)
        return [{"config_hash": config.hash, "seed": seed}]

    with pytest.raises(KeyboardInterrupt):
        locomotion.measure(how, "paper", None, ["snn"], store, keep=lambda table, facts: kept.append(table))
    assert asked == kept[-1]["seed"].tolist() == [0, 1, 2]
    stopped_at = None
    table, _ = locomotion.measure(how, "paper", None, ["snn"], store, earlier=kept[-1])
    assert asked == table["seed"].tolist() == [0, 1, 2, 3, 4]


def test_measuring_without_any_weights_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"policies = \['snn'\]: must be some whose trained weights are published in"):
        locomotion.measure(locomotion.fare, "smoke", None, ["snn"], Store(tmp_path / "runs", tmp_path / "results"))


def test_a_fall_after_the_onset_counts_as_no_reward_and_one_before_it_not_at_all(monkeypatch):
    config, weights = untrained()
    rewards = np.ones((3, 40))
    rewards[1, 20:] = np.nan  # falls in the second half
    rewards[2, 5:] = np.nan  # never meets the condition
    monkeypatch.setattr(locomotion, "walk", lambda *_: Episodes(rewards, np.zeros(3, bool)))
    store = type("Weights", (), {"weights": lambda self, *_: weights})()
    rows = locomotion.adapt("half-cheetah", config, 0, store, locomotion.SIZES["smoke"])
    assert [(row["quarter"], row["reward"], row["episodes"]) for row in rows[:4]] == [(1, 1.0, 2), (2, 1.0, 2), (3, 0.5, 2), (4, 0.5, 2)]


def test_weights_of_another_policy_are_refused_by_name():
    config, weights = untrained("snn")
    other, _ = untrained("dp-oja")
    with pytest.raises(ValueError, match=r"weights = .*network.synapses.alpha.* must be those of dp-oja on HalfCheetah-v5"):
        revive(other, weights)
    ant, _ = untrained("snn", "ant")
    with pytest.raises(ValueError, match=r"encoder.weight \(64, 17\).*encoder.weight \(64, 105\)"):
        revive(ant, weights)


@pytest.mark.parametrize("arguments, named", [(("walker",), "name = 'walker': must be one of 'ant'"), (("ant", "long"), "profile = 'long'"),
                                              (("ant", "paper", 0), "seeds = 0"), (("ant", "paper", 1, ["gru"]), "policies = 'gru'")])
def test_bad_values_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        locomotion.locomotion(*arguments)

import dataclasses
import math

import numpy as np
import pytest
import torch

from spikepropamine import records
from spikepropamine.experiments import locomotion, sweeps
from spikepropamine.experiments.locomotion import revive
from spikepropamine.experiments.sweeps import Store
from spikepropamine.walking.evaluation import Episodes, summary, walk, without_plasticity
from spikepropamine.walking.policies import POLICIES, Policy
from walkers import untrained


@pytest.mark.parametrize("name", ["dp-bcm", "mlp"])
def test_a_sweep_trains_tests_and_publishes_every_seed_s_weights(name, tmp_path):
    experiment = dataclasses.replace(locomotion.locomotion("half-cheetah", "smoke", 2, [name]))
    store = Store(tmp_path / "runs", tmp_path / "results")
    sweeps.sweep(experiment, store)
    sweeps.publish(experiment, store)
    published = Store(tmp_path / "empty", tmp_path / "results")
    runs, curves = published.results(experiment)
    assert (
        len(runs) == 2
        and np.isfinite(runs["return"]).all()
        and (curves.step.max() == 512)
        and (runs.diverged == 0).all()
    )
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
        grids = {
            one: [
                (c.training.learning_rate, round(c.network.options.eta_oja, 6))
                for c in searched
                if c.network.name == one
            ]
            for one in POLICIES
        }
        assert all(grid == grids["snn"] for grid in grids.values())
        assert len({dataclasses.replace(c.training, learning_rate=1.0) for c in searched}) == 1
        assert not set(locomotion.search(name).seeds) & set(locomotion.locomotion(name).seeds)


@pytest.mark.parametrize("name", locomotion.EXPERIMENTS)
def test_the_chosen_values_are_what_the_published_search_found(repository, name):
    found = records.load_published(repository / "book" / "results" / f"{name}-search").runs
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
    free, changed = (
        walk(policy, statistics, config.task, onset=30, episodes=1, from_onset=p).rewards[0] for p in (None, other)
    )
    assert np.array_equal(free[:30], changed[:30]) and not np.array_equal(free[30:], changed[30:])


def test_diverged_episodes_are_counted_and_not_averaged():
    rewards = np.array([[1.0, 1.0, 1.0], [5.0, np.nan, np.nan], [2.0, 2.0, np.nan]])
    found = summary(Episodes(rewards, np.array([False, True, False])))
    assert found == {"return": 3.5, "length": 2.5, "diverged": 1}
    assert math.isnan(summary(Episodes(rewards, np.ones(3, bool)))["return"])


def test_weights_of_another_policy_are_refused_by_name():
    config, weights = untrained("snn")
    other, _ = untrained("dp-oja")
    with pytest.raises(
        ValueError, match=r"weights = .*network.synapses.alpha.* must be those of dp-oja on HalfCheetah-v5"
    ):
        revive(other, weights)
    ant, _ = untrained("snn", "ant")
    with pytest.raises(ValueError, match=r"encoder.weight \(64, 17\).*encoder.weight \(64, 105\)"):
        revive(ant, weights)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("walker",), "name = 'walker': must be one of 'ant'"),
        (("ant", "long"), "profile = 'long'"),
        (("ant", "paper", 0), "seeds = 0"),
        (("ant", "paper", 1, ["gru"]), "policies = 'gru'"),
    ],
)
def test_bad_values_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        locomotion.locomotion(*arguments)

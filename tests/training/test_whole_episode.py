"""PPO over whole episodes: gradients reach back to the first trial, and the pieces compute what they say."""

import dataclasses

import numpy as np
import pytest
import torch

from spikepropamine.training import ppo, whole_episode
from spikepropamine.training.supervised import generator
from spikepropamine.training.whole_episode import Learner, WholeEpisodes
from spikepropamine.walking.memory_policies import MemoryPolicy
from spikepropamine.walking.two_trials import TwoTrials

TASK = TwoTrials(shown=5, scored=6, gap_s=0.1)
LITTLE = WholeEpisodes(steps=88, episodes=4, epochs=1, minibatches=2)


def set_up(name="ndp-oja", training=LITTLE):
    policy = MemoryPolicy(name, n_hidden=12).build(*TASK.sizes(), seed=0)
    return whole_episode.set_up(policy, TASK, training, 0)


def test_the_gap_does_not_count():
    learner, _ = set_up()
    collected, _ = whole_episode.collect(learner, TASK, LITTLE, 0, 0)
    assert collected.counts.all(1).tolist() == [True] * 5 + [False] * 2 + [True] * 6


def test_advantages_are_discounted_sums_of_errors():
    rewards, values = torch.rand(5, 2), torch.rand(5, 2)
    training = WholeEpisodes(discount=0.9, gae=0.8)
    after = torch.cat([values[1:], torch.zeros(1, 2)])
    errors = rewards + 0.9 * after - values
    expected = torch.stack([sum((0.9 * 0.8) ** k * errors[t + k] for k in range(5 - t)) for t in range(5)])
    torch.testing.assert_close(whole_episode.advantage(rewards, values, training), expected)


def test_the_ratio_is_one_before_anything_is_learned():
    learner, _ = set_up()
    collected, _ = whole_episode.collect(learner, TASK, LITTLE, 0, 0)
    _, watched = whole_episode.objective(learner, collected, torch.arange(4), LITTLE)
    assert watched["kl"].abs() < 1e-6 and watched["clipped"] == 0


def test_gradients_reach_back_from_the_second_trial_to_what_the_first_one_read():
    learner, _ = set_up()
    collected, _ = whole_episode.collect(learner, TASK, LITTLE, 0, 0)
    inputs = collected.inputs.clone().requires_grad_()
    mean, _ = learner.policy.run(inputs, learner.policy.initial_state(4))
    mean[TASK.second].square().sum().backward()
    assert inputs.grad[: TASK.shown].abs().sum() > 0
    assert learner.policy.network.synapses.rule.raw_eta.grad.abs() > 0


@pytest.mark.parametrize("privileged", (True, False))
def test_the_privileged_critic_alone_tells_directions_apart(privileged):
    learner, _ = set_up(training=dataclasses.replace(LITTLE, privileged=privileged))
    inputs = torch.rand(3, 1, TASK.sizes()[0])
    one, other = (learner.values(inputs, torch.eye(2)[k : k + 1]) for k in (0, 1))
    assert torch.equal(one, other) != privileged


def test_statistics_are_those_of_all_that_was_seen():
    learner, _ = set_up()
    parts = [torch.randn(n, TASK.sizes()[0] - 2, dtype=torch.float64) * 3 + 1 for n in (7, 20)]
    for part in parts:
        learner.observe(part)
    whole = torch.cat(parts)
    torch.testing.assert_close(learner.body_mean.data, whole.mean(0))
    torch.testing.assert_close(learner.body_var.data, whole.var(0, correction=0))


@pytest.mark.parametrize("name", ("ndp-bcm", "gru", "mlp"))
def test_a_run_taken_up_at_a_checkpoint_ends_as_it_would_have(name, tmp_path):
    training = dataclasses.replace(LITTLE, steps=4 * 44, section=2)

    def train(stop=None, checkpoint=None):
        policy = MemoryPolicy(name, n_hidden=8).build(*TASK.sizes(), seed=0)

        def progress(step, latest):
            if stop is not None and step >= stop:
                raise KeyboardInterrupt

        return whole_episode.train(policy, TASK, training, 0, checkpoint, progress)

    whole = train()
    with pytest.raises(KeyboardInterrupt):
        train(stop=3 * 44, checkpoint=tmp_path / "x.safetensors")
    resumed = train(checkpoint=tmp_path / "x.safetensors")
    np.testing.assert_equal(whole.curves, resumed.curves)
    assert all(torch.equal(whole.weights[key], resumed.weights[key]) for key in whole.weights)


def test_a_policy_that_is_told_the_way_learns_to_go_it():
    """One hidden value alone, so that there is nothing to remember: the trainer learns to run."""
    task = TwoTrials(shown=1, scored=30)
    training = WholeEpisodes(steps=30_000, episodes=16, epochs=6, minibatches=4, learning_rate=2e-3)
    policy = MemoryPolicy("mlp").build(*task.sizes(), seed=0)
    learner, optimiser = whole_episode.set_up(policy, task, training, 0)
    scores = []
    real = np.random.default_rng

    class Forward:
        def __init__(self, seed):
            self.real = real(seed)

        def integers(self, high, size):
            return np.zeros(size, int)

        def __getattr__(self, name):
            return getattr(self.real, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "default_rng", Forward)
        for update in range(40):
            collected, watched = whole_episode.collect(learner, task, training, 0, update)
            ppo.learn(learner, optimiser, collected, whole_episode.objective, training, generator(1, 0, update))
            scores.append(watched["score"])
    assert np.mean(scores[-5:]) > np.mean(scores[:5]) + 0.2


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"learning_rate": -1.0}, {"discount": 1.5}, {"privileged": "yes"}, {"episodes": 2.5}]
)
def test_wrong_fields_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        WholeEpisodes(**wrong)


def test_the_critic_reads_more_than_the_policy():
    learner = Learner(MemoryPolicy("mlp").build(*TASK.sizes(), 0), TASK, LITTLE, 0)
    assert learner.critic[0].in_features == TASK.sizes()[0] + 3

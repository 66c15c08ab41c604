import dataclasses
import math

import numpy as np
import pytest
import torch

from spikepropamine import records
from spikepropamine.records.atomic import DamagedRecord
from spikepropamine.training import ppo
from spikepropamine.training.ppo import PPO, advantage, collect, objective
from spikepropamine.training.supervised import generator
from spikepropamine.walking.policies import POLICIES, Policy, each, forget
from spikepropamine.walking.robots import Locomotion

SMALL = PPO(steps=3000, environments=4, rollout=48, piece=8, epochs=2, minibatches=3, section=4)


def started(name, task, training, seed=0):
    agent, _ = ppo.set_up(Policy(name, n_hidden=16).build(*task.sizes(), seed), task, training, seed)
    envs = task.make_many(training.environments, training.discount)
    return agent, envs, ppo.set_out(agent, envs, seed)


@pytest.mark.parametrize("name", POLICIES)
def test_replaying_the_pieces_gives_the_log_probabilities_of_the_rollout(name):
    # long enough for ants that flail to fall, so that some pieces end early and some start an episode
    task, training = Locomotion("Ant-v5"), dataclasses.replace(SMALL, rollout=120, initial_std=2.0)
    agent, envs, walk = started(name, task, training)
    for k in range(2):
        rollout, walk, _ = collect(agent, envs, walk, training, generator(0, 0, k))
    assert not rollout.valid.all()
    at = (rollout.time, rollout.environment)
    mean, _ = agent.policy.run(rollout.observations[at], rollout.states)
    again = agent.log_probability(mean, rollout.actions[at])
    torch.testing.assert_close(
        again[rollout.counts], rollout.log_probabilities[at][rollout.counts], rtol=1e-5, atol=1e-5
    )


def test_the_pieces_hold_every_valid_step_once():
    task, training = Locomotion("Ant-v5"), dataclasses.replace(SMALL, rollout=120, initial_std=2.0)
    agent, envs, walk = started("dp-oja", task, training)
    rollout, _, ended = collect(agent, envs, walk, training, generator(0, 0))
    times = torch.zeros_like(rollout.valid, dtype=torch.long)
    environment = rollout.environment.expand_as(rollout.time)
    times.index_put_((rollout.time[rollout.counts], environment[rollout.counts]), torch.tensor(1), accumulate=True)
    assert torch.equal(times, rollout.valid.long())
    assert len(ended["return"]) > 0


def test_an_episode_starts_with_nothing_in_mind():
    task, training = Locomotion("Ant-v5"), dataclasses.replace(SMALL, rollout=120, initial_std=2.0)
    agent, envs, walk = started("dp-oja", task, training)
    rollout, _, _ = collect(agent, envs, walk, training, generator(0, 0))
    first = [
        k
        for k in range(len(rollout.environment))
        if rollout.time[0, k] > 0 and not rollout.valid[rollout.time[0, k] - 1, rollout.environment[k]]
    ]
    later = [k for k in range(len(rollout.environment)) if k not in first and rollout.time[0, k] > 0]
    E = rollout.states.network[0].plastic.E
    assert len(first) > 0 and not E[first].any() and E[later].any()


def test_forgetting_is_of_the_episodes_named():
    state = Policy("ndp-bcm", n_hidden=4).build(3, 2, 0).initial_state(3)
    state = each(lambda x: x + 1, state)
    after = forget(state, np.array([True, False, True]))
    kept = []
    each(lambda x: kept.append(x.flatten(1).sum(1) != 0) or x, after)
    assert len(kept) == 7 and all(k.tolist() == [False, True, False] for k in kept)


def test_advantages_are_those_of_the_definition():
    rng, T = np.random.default_rng(0), 12
    reward, value = rng.normal(size=(T, 1)), rng.normal(size=(T + 1, 1))
    terminated, done = np.zeros((T, 1), bool), np.zeros((T, 1), bool)
    terminated[3] = done[3] = True  # for good
    done[8] = True  # cut off: the value of what would have followed counts
    training = PPO(discount=0.9, gae=0.8)
    found = advantage(*(torch.as_tensor(x) for x in (reward, value, terminated, done)), training)
    for t in range(T):
        # A_t = Σ_k (γλ)^k δ_{t+k}, up to the end of the episode
        expected, weight = 0.0, 1.0
        for k in range(t, T):
            expected += weight * (reward[k, 0] + 0.9 * (0 if terminated[k, 0] else value[k + 1, 0]) - value[k, 0])
            weight *= 0.9 * 0.8
            if done[k, 0]:
                break
        assert found[t].item() == pytest.approx(expected, abs=1e-12)


def test_the_first_step_of_learning_follows_the_policy_gradient():
    task = Locomotion("HalfCheetah-v5")
    agent, envs, walk = started("snn", task, SMALL)
    rollout, _, _ = collect(agent, envs, walk, SMALL, generator(0, 0))
    everything = torch.arange(len(rollout.environment))
    loss, watched = objective(agent, rollout, everything, dataclasses.replace(SMALL, value_weight=0.0))
    gradient = torch.autograd.grad(loss, agent.log_std)[0]
    # at ratio 1 the gradient of the loss is −E[A ∇ log π]
    A = rollout.advantages[rollout.valid]
    A = (A - A.mean()) / (A.std() + 1e-8)
    mean, _ = agent.policy.run(rollout.observations[(rollout.time, rollout.environment)], rollout.states)
    z = (rollout.actions[(rollout.time, rollout.environment)] - mean.detach())[rollout.counts] / agent.log_std.exp()
    order = rollout.advantages[(rollout.time, rollout.environment)][rollout.counts]
    order = (order - order.mean()) / (order.std() + 1e-8)
    expected = -(order.unsqueeze(-1) * (z.square() - 1)).mean(0)
    torch.testing.assert_close(gradient, expected.detach(), rtol=1e-3, atol=1e-5)
    assert watched["clipped"] == 0 and abs(watched["kl"]) < 1e-6


def test_the_bonus_is_for_the_entropy_of_actions():
    task = Locomotion("HalfCheetah-v5")
    agent, envs, walk = started("snn", task, SMALL)
    rollout, _, _ = collect(agent, envs, walk, SMALL, generator(0, 0))
    everything = torch.arange(len(rollout.environment))
    with_bonus, _ = objective(agent, rollout, everything, dataclasses.replace(SMALL, entropy_weight=0.5))
    without, _ = objective(agent, rollout, everything, SMALL)
    std, given = agent.log_std.exp().detach().requires_grad_(), agent.log_std
    entropy = torch.distributions.Normal(torch.zeros_like(std), std).entropy().sum()
    expected = -0.5 * torch.autograd.grad(entropy, std)[0] * std  # by ln σ
    found = torch.autograd.grad(with_bonus, given, retain_graph=True)[0] - torch.autograd.grad(without, given)[0]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-6)


def test_an_update_ends_with_the_minibatch_that_goes_too_far():
    task = Locomotion("HalfCheetah-v5")
    training, steps = dataclasses.replace(SMALL, epochs=3, minibatches=2, learning_rate=0.05), {}
    for most in (math.inf, 1e-6):
        agent, envs, walk = started("snn", task, training)
        rollout, _, _ = collect(agent, envs, walk, training, generator(0, 0))
        optimiser = torch.optim.Adam([p for p in agent.parameters() if p.requires_grad], lr=training.learning_rate)
        found = ppo.learn(agent, optimiser, rollout, objective, training, generator(0, 1), most)
        steps[most] = optimiser.state[agent.log_std]["step"].item()
        assert math.isfinite(found["kl"])
    # the first minibatch is that of the policy that collected
    assert steps == {math.inf: 6, 1e-6: 2}


class Reach(Locomotion):
    """Not a robot: the reward is how near the action is to what the observation asks for."""

    def make(self):
        import gymnasium

        class Env(gymnasium.Env):
            observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float64)
            action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

            def reset(self, seed=None, options=None):
                super().reset(seed=seed)
                self.left = 20
                self.asked = self.np_random.choice([-1.0, 1.0], 2)
                return self.asked, {}

            def step(self, action):
                reward, self.left = -abs(float(action[0]) - 0.5 * self.asked[0]), self.left - 1
                self.asked = self.np_random.choice([-1.0, 1.0], 2)
                return self.asked, reward, False, self.left == 0, {"diverged": False}

        return Env()


@pytest.mark.parametrize(
    "name", ["mlp", *(pytest.param(n, marks=pytest.mark.slow) for n in ("snn", "dp-oja")), "ndp-bcm"]
)
def test_it_learns_a_small_task_within_seconds(name):
    training = dataclasses.replace(
        SMALL, steps=12_000, rollout=60, environments=8, epochs=8, learning_rate=3e-3, section=5
    )
    trained = ppo.train(Policy(name, n_hidden=16).build(2, 1, 0), Reach(), training, seed=0)
    first, last = trained.curves["return"][0], trained.curves["return"][-1]
    assert last > first / 2 and first < -5


def test_diverged_episodes_are_counted_and_not_averaged():
    assert ppo._scores({"return": [1.0, 99.0, 3.0], "length": [10.0, 2.0, 20.0], "diverged": [0.0, 1.0, 0.0]}) == {
        "return": 2.0,
        "length": 15.0,
    }
    assert all(math.isnan(v) for v in ppo._scores({"return": [9.0], "length": [2.0], "diverged": [1.0]}).values())


def test_one_seed_gives_the_same_bits_and_another_gives_others():
    task, training = Locomotion("HalfCheetah-v5"), dataclasses.replace(SMALL, steps=384)
    first, again, other = (
        ppo.train(Policy("ndp-bcm", n_hidden=8).build(*task.sizes(), 0), task, training, seed) for seed in (0, 0, 1)
    )
    np.testing.assert_equal(first.curves, again.curves)
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    assert first.curves["value_loss"] != other.curves["value_loss"]


def test_a_run_taken_up_ends_as_one_that_was_not_interrupted(tmp_path):
    task = Locomotion("HalfCheetah-v5")

    def policy():
        return Policy("ndp-oja", n_hidden=8).build(*task.sizes(), 0)

    whole = ppo.train(policy(), task, SMALL, seed=1)

    class Stop(Exception):
        pass

    def stop(step, latest):
        if step >= 6 * 4 * 48:  # in the middle of the second section
            raise Stop

    with pytest.raises(Stop):
        ppo.train(policy(), task, SMALL, 1, tmp_path / "c.safetensors", stop)
    taken_up = ppo.train(policy(), task, SMALL, 1, tmp_path / "c.safetensors")
    assert all(torch.equal(whole.weights[name], taken_up.weights[name]) for name in whole.weights)
    for name, values in whole.curves.items():
        np.testing.assert_array_equal(values, taken_up.curves[name])


def test_a_checkpoint_of_another_policy_is_refused_by_name(tmp_path):
    task, path = Locomotion("HalfCheetah-v5"), tmp_path / "c.safetensors"
    ppo.train(Policy("snn", n_hidden=8).build(*task.sizes(), 0), task, dataclasses.replace(SMALL, steps=300), 1, path)
    with pytest.raises(DamagedRecord, match="c.safetensors: not a checkpoint of this run"):
        ppo.train(Policy("snn", n_hidden=9).build(*task.sizes(), 0), task, SMALL, 1, path)
    with pytest.raises(DamagedRecord, match="parameters of another network: policy.network.synapses.alpha"):
        ppo.train(Policy("dp-oja", n_hidden=8).build(*task.sizes(), 0), task, SMALL, 1, path)


def test_a_checkpoint_of_another_version_is_refused_by_name(tmp_path, monkeypatch):
    task, path = Locomotion("HalfCheetah-v5"), tmp_path / "c.safetensors"
    monkeypatch.setattr(records.runs, "SCHEMA", records.SCHEMA + 1)
    ppo.train(Policy("snn", n_hidden=8).build(*task.sizes(), 0), task, dataclasses.replace(SMALL, steps=300), 1, path)
    monkeypatch.undo()
    with pytest.raises(DamagedRecord, match=r"c.safetensors: not a checkpoint of this run \(schema = 2: must be 1\)"):
        ppo.train(Policy("snn", n_hidden=8).build(*task.sizes(), 0), task, SMALL, 1, path)


@pytest.mark.parametrize(
    "fields, named",
    [
        (dict(steps=0), "steps = 0"),
        (dict(discount=1.0), "discount = 1.0"),
        (dict(gae=1.5), "gae = 1.5"),
        (dict(clip=-0.2), "clip = -0.2"),
        (dict(learning_rate=math.nan), "learning_rate = nan"),
        (dict(entropy_weight=-1.0), "entropy_weight = -1.0"),
        (dict(target_kl=0.0), "target_kl = 0.0"),
    ],
)
def test_bad_values_are_refused_by_name(fields, named):
    with pytest.raises(ValueError, match=named):
        PPO(**fields)


def test_an_observation_that_is_not_finite_is_refused_by_name():
    policy = Policy("dp-oja", n_hidden=4).build(3, 2, 0)
    with pytest.raises(ValueError, match="observations = '1 of 6 entries NaN or infinite'"):
        policy.run(torch.tensor([[[0.0, math.nan, 0.0], [0.0, 0.0, 0.0]]]), policy.initial_state(2))
    with pytest.raises(ValueError, match="name = 'gru'"):
        Policy("gru")

"""Efficacies that are not read, held, swapped or another policy's: each does what it says and nothing else."""

import dataclasses
import math

import pandas as pd
import pytest
import torch

from spikepropamine.experiments import plasticity_in_walking as measured
from spikepropamine.experiments.locomotion import locomotion, revive
from spikepropamine.experiments.novel_conditions import SIZES
from spikepropamine.experiments.sweeps import Store, sweep
from spikepropamine.snn.networks import NetworkState
from spikepropamine.walking.evaluation import walk, with_fixed, without_reading
from walkers import untrained


@pytest.fixture(scope="module")
def walker():
    config, weights = untrained("ndp-bcm")
    weights["network.synapses.alpha"] = 3 * weights["network.synapses.alpha"]  # so that E is heard
    return config, weights


def test_a_policy_that_does_not_read_its_efficacies_is_one_whose_efficacies_are_zero(walker):
    policy, statistics = revive(*walker)
    ways = without_reading(policy), with_fixed(policy, torch.zeros_like(policy.network.synapses.weight))
    rewards = [walk(one, statistics, walker[0].task, episodes=2, steps=30).rewards for one in (*ways, policy)]
    assert (rewards[0] == rewards[1]).all() and (rewards[0] != rewards[2]).any()


def test_fixed_efficacies_are_in_the_current(walker):
    policy, _ = revive(*walker)
    synapses, E = policy.network.synapses, torch.rand_like(policy.network.synapses.weight)
    spikes = torch.ones(1, synapses.in_features)
    state = synapses.initial_state(1)._replace(E=E[None])
    fixed = with_fixed(policy, E).network.synapses
    torch.testing.assert_close(fixed.current(spikes, fixed.initial_state(1)), synapses.current(spikes, state))


def test_swapping_gives_each_episode_the_efficacies_of_the_next(walker):
    policy, _ = revive(*walker)
    state = policy.initial_state(3)
    hidden, readout = state.network
    E = torch.arange(3.0).view(3, 1, 1).expand_as(hidden.plastic.E)
    state = state._replace(network=NetworkState(hidden._replace(plastic=hidden.plastic._replace(E=E)), readout))
    swap = measured.swap_each(10)
    assert swap(0, state) is state and swap(5, state) is state
    assert swap(10, state).network[0].plastic.E[:, 0, 0].tolist() == [2, 0, 1]


def test_efficacies_fade_with_their_time_constant_and_nothing_else_does(walker):
    policy, _ = revive(*walker)
    state = policy.initial_state(2)
    hidden, readout = state.network
    E = torch.rand_like(hidden.plastic.E)
    state = state._replace(network=NetworkState(hidden._replace(plastic=hidden.plastic._replace(E=E)), readout))
    faded, fade = state, measured.fading(0.5, 0.05)
    for step in range(10):  # half a second
        faded = fade(step, faded)
    torch.testing.assert_close(faded.network[0].plastic.E, E / math.e)
    assert faded.network[0]._replace(plastic=hidden.plastic) == hidden and faded.network[1] is readout


def test_another_bound_holds_from_the_first_step_and_leaves_the_policy_alone(walker):
    policy, statistics = revive(*walker)
    largest = {}
    for bound in (0.01, 10.0):
        other, seen = measured.bounded(policy, bound), []

        def watch(step, state, seen=seen):
            seen.append(state.network[0].plastic.E.abs().max().item())
            return state

        walk(other, statistics, walker[0].task, episodes=1, steps=20, each_step=watch)
        largest[bound] = max(seen)
    assert largest[0.01] == pytest.approx(0.01) and 0.01 < largest[10.0] <= 10
    assert policy.network.synapses.e_max == 3.0


def test_every_way_is_measured_and_the_bound_counted(walker):
    rows, mean = measured.ways(*walker, other=torch.zeros(64, 64), episodes=2, steps=40)
    assert [row["way"] for row in rows] == list(measured.WAYS)
    assert 0 <= rows[0]["at_bound"] <= 1 and rows[0]["alpha_E_over_W"] > 0
    assert mean.shape == (64, 64) and mean.abs().sum() > 0
    # another policy's mean of zero is the same as not reading
    assert rows[4]["return"] == rows[1]["return"]


def test_only_robots_whose_policies_are_all_trained_are_measured_and_a_stopped_measurement_goes_on(tmp_path):
    store = Store(tmp_path)
    planned = {name: locomotion(name, "smoke", 2, ["dp-oja"]) for name in ("ant", "half-cheetah")}
    sweep(planned["half-cheetah"], store)
    sweep(dataclasses.replace(planned["ant"], seeds=(0,)), store)

    def measure(earlier=None):
        kept = []
        table, _ = measured.measure(
            store,
            SIZES["smoke"],
            1,
            keep=lambda rows, _: kept.append(rows),
            make=lambda name, *_: planned[name],
            earlier=earlier,
        )
        return table, kept

    whole, kept = measure()
    assert set(whole.environment) == {"HalfCheetah-v5"}
    assert whole.groupby("seed").way.agg(list).to_dict() == {0: list(measured.WAYS), 1: list(measured.WAYS)}
    assert len(kept) == 2
    again, kept = measure(earlier=kept[0])
    assert len(kept) == 1
    pd.testing.assert_frame_equal(again, whole)

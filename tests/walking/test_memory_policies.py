"""The policies with another kind of memory run over time as they run step by step, and start as they should."""

import pytest
import torch

from spikepropamine.walking.inference import acting
from spikepropamine.walking.memory_policies import MEMORIES, MemoryPolicy


@pytest.mark.parametrize("name", MEMORIES)
def test_a_whole_run_and_single_steps_agree(name):
    policy = MemoryPolicy(name, n_hidden=12).build(7, 3, seed=1)
    observations = 2 * torch.randn(5, 4, 7)
    whole, _ = policy.run(observations, policy.initial_state(4))
    act, state, steps = acting(policy), policy.initial_state(4), []
    for one in observations:
        mean, state = act(one, state)
        steps.append(mean)
    assert whole.shape == (5, 4, 3)
    torch.testing.assert_close(torch.stack(steps), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ("rsnn", "gru"))
def test_what_was_seen_before_changes_what_is_done_now(name):
    policy = MemoryPolicy(name, n_hidden=24).build(7, 3, seed=1)
    observations = 3 * torch.randn(6, 1, 7)
    other = observations.clone()
    other[0] = -3
    means = [policy.run(x, policy.initial_state(1))[0][-1] for x in (observations, other)]
    assert not torch.equal(*means)


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(ValueError, match="lstm.*gru"):
        MemoryPolicy("lstm")

import pytest
import torch

from spikepropamine.snn.plasticity import Oja
from spikepropamine.walking.inference import acting
from spikepropamine.walking.policies import POLICIES, Policy, each


def tensors(state):
    found = []
    each(lambda x: found.append(x.clone()) or x, state)
    return found


@torch.no_grad()
def assert_acts_as_it_runs(policy, batch, steps=40):
    act, state = acting(policy), policy.initial_state(batch)
    observations = 3 * torch.randn(steps, batch, 7, generator=torch.Generator().manual_seed(batch))
    acted, ran = state, state
    for one in observations:
        means, acted = act(one, acted)
        expected, ran = policy.run(one.unsqueeze(0), ran)
        assert torch.equal(means, expected[0])
        assert all(map(torch.equal, tensors(acted), tensors(ran)))
    # it was not silence that agreed
    moved = tensors(acted)
    assert not moved or all(x.any() for x in moved[:-2])


@pytest.mark.parametrize("batch, n_hidden", [(1, 5), (3, 64), (20, 17)])
@pytest.mark.parametrize("name", POLICIES)
def test_it_acts_as_the_policy_runs_to_the_last_bit(name, batch, n_hidden):
    assert_acts_as_it_runs(Policy(name, n_hidden=n_hidden, ticks=3).build(7, 2, 0), batch)


def test_of_a_rule_of_one_s_own_too():
    class Halved(Oja):
        def update(self, *arguments):
            return 0.5 * super().update(*arguments)

    policy = Policy("dp-oja", n_hidden=5).build(7, 2, 0)
    policy.network.synapses.rule = Halved(eta=5.0)
    assert_acts_as_it_runs(policy, 2)


@pytest.mark.parametrize("name", ["snn", "ndp-bcm", "mlp"])
def test_the_state_that_it_is_given_stays(name):
    policy = Policy(name, n_hidden=5).build(7, 2, 0)
    act = acting(policy)
    _, state = act(torch.ones(2, 7), policy.initial_state(2))
    before = tensors(state)
    act(torch.ones(2, 7), state)
    assert all(map(torch.equal, before, tensors(state)))


@pytest.mark.parametrize("name", ["ndp-oja", "snn"])
def test_it_goes_on_from_part_of_the_batch(name):
    policy = Policy(name, n_hidden=5).build(7, 2, 0)
    act, observations = acting(policy), 3 * torch.randn(10, 4, 7, generator=torch.Generator().manual_seed(0))
    every, some = policy.initial_state(4), policy.initial_state(4)
    for one in observations[:5]:
        _, every = act(one, every)
    some = each(lambda x: x[[0, 2]], every)
    for one in observations[5:]:
        means, every = act(one, every)
        few, some = act(one[[0, 2]], some)
    torch.testing.assert_close(few, means[[0, 2]])


@pytest.mark.parametrize("name", ["dp-oja", "snn", "mlp"])
@pytest.mark.parametrize(
    "observations, error, named",
    [
        (torch.full((2, 7), torch.nan), ValueError, "observations"),
        (torch.zeros(2, 6), ValueError, "observations"),
        (torch.zeros(2, 7, dtype=torch.float64), TypeError, "observations"),
    ],
)
def test_observations_that_make_no_sense_are_refused_by_name(name, observations, error, named):
    policy = Policy(name, n_hidden=5).build(7, 2, 0)
    with pytest.raises(error, match=named):
        acting(policy)(observations, policy.initial_state(2))


@pytest.mark.parametrize("name", ["dp-oja", "snn", "mlp"])
def test_weights_that_are_not_finite_are_refused_by_name(name):
    policy = Policy(name, n_hidden=5).build(7, 2, 0)
    part, weight = next(iter(policy.named_parameters()))
    with torch.no_grad():
        weight.view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match=f"{part} = '1 of .* must be finite everywhere"):
        acting(policy)


@pytest.mark.parametrize("name", ["dp-oja", "snn"])
def test_a_state_that_does_not_fit_is_refused_by_name(name):
    policy = Policy(name, n_hidden=5).build(7, 2, 0)
    act = acting(policy)
    with pytest.raises(ValueError, match=r"state.v.shape = \(3, 5\): must be \(2, 5\)"):
        act(torch.ones(2, 7), policy.initial_state(3))
    with pytest.raises(TypeError, match="state is a NoneType: must be a PolicyState"):
        act(torch.ones(2, 7), None)
    # also after a state of its own
    _, state = act(torch.ones(2, 7), policy.initial_state(2))
    with pytest.raises(ValueError, match="state.v.shape"):
        act(torch.ones(4, 7), state)
    hidden, y = state.network
    broken = state._replace(network=(hidden._replace(v=hidden.v * torch.nan), y))
    with pytest.raises(ValueError, match="network.state.v = '10 of 10 entries NaN"):
        act(torch.ones(2, 7), broken)


def test_a_policy_is_built_of_sizes_that_make_sense():
    with pytest.raises(ValueError, match="n_inputs = 0"):
        Policy("snn").build(0, 2, 0)
    with pytest.raises(ValueError, match="n_outputs = 0"):
        Policy("mlp").build(7, 0, 0)
    with pytest.raises(ValueError, match=r"seed = 18446744073709551616: must be less than 2\*\*64"):
        Policy("snn").build(7, 2, 2**64)

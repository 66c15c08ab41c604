import numpy as np
import pytest
import snntorch
import torch

from reference import simulate
from spikepropamine.snn.layers import PlasticLinear, Spike, leaky
from spikepropamine.snn.plasticity import BCM, Oja
from spikepropamine.snn.scan import scan

ARRAY = lambda x: x.detach().numpy()  # noqa: E731


def layer_of(rule, modulated, P=4, Q=3, e_max=3.0, seed=0):
    torch.manual_seed(seed)
    layer = PlasticLinear(P, Q, {"oja": Oja, "bcm": BCM}[rule](), modulated, e_max).double()
    with torch.no_grad():
        layer.weight.mul_(4)
        layer.alpha.mul_(5)
        layer.bias.uniform_(-0.1, 0.1)
    return layer


@pytest.mark.parametrize("path", ["reference", "fused"])
@pytest.mark.parametrize("e_max", [3.0, 0.05])
@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("rule", ["oja", "bcm"])
def test_every_equation_against_numpy(rule, modulated, e_max, path):
    layer, neuron = layer_of(rule, modulated, e_max=e_max), leaky(20.0).double()
    spikes = (torch.rand(80, 2, 4) < 0.3).double()
    out, state = scan(layer, neuron, spikes, path=path)
    V, c = (ARRAY(layer.modulator_weight), ARRAY(layer.modulator_bias)) if modulated else (None, None)
    for b in range(2):
        expected = simulate(
            ARRAY(spikes)[:, b],
            ARRAY(layer.weight),
            ARRAY(layer.bias),
            ARRAY(layer.alpha),
            layer.rule.eta.item(),
            rule,
            V,
            c,
            beta=float(neuron.beta),
            decay=np.exp(-5 / 100),
            theta_step=5 / 500,
            e_max=e_max,
        )
        assert expected["s"].sum() > 10
        np.testing.assert_array_equal(ARRAY(out)[:, b], expected["s"])
        np.testing.assert_allclose(ARRAY(state.v)[b], expected["v"][-1], atol=1e-10)
        np.testing.assert_allclose(ARRAY(state.plastic.E)[b], expected["E"][-1], atol=1e-10)
        np.testing.assert_allclose(ARRAY(state.plastic.theta)[b], expected["theta"][-1], atol=1e-12)
        if e_max < 1:
            assert (np.abs(expected["E"]) == e_max).any(), "the clip was to be active"


class Loop(torch.nn.Module):
    """The layer over time with a smooth spike and no reset, so that derivatives exist."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.neuron = snntorch.Leaky(
            beta=0.8, spike_grad=lambda u: torch.sigmoid(4 * u), reset_mechanism="none"
        ).double()

    def forward(self, spikes):
        state, v, total = self.layer.initial_state(2), torch.zeros(2, 2, dtype=torch.float64), 0
        for s in spikes:
            out, v = self.neuron(self.layer.current(s, state), v)
            state = self.layer.step(s, out, state)
            total = total + out.sum() + state.E.square().sum() + state.theta.sum()
        return total


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("rule", ["oja", "bcm"])
def test_gradcheck_through_time_with_a_smooth_spike(rule, modulated):
    loop = Loop(layer_of(rule, modulated, P=2, Q=2))
    names, values = zip(*loop.named_parameters())
    spikes = torch.rand(5, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(spikes, *values):
        return torch.func.functional_call(loop, dict(zip(names, values)), (spikes,))

    assert torch.autograd.gradcheck(run, (spikes, *values))


def test_efficacies_start_at_zero_and_stay_with_their_batch_member():
    layer, neuron = layer_of("oja", True), leaky(20.0).double()
    assert layer.initial_state(3).E.abs().max() == 0
    spikes = (torch.rand(60, 3, 4) < 0.3).double()
    together, state = scan(layer, neuron, spikes)
    changed = spikes.clone()
    changed[:, 1] = 1 - changed[:, 1]
    others, other_state = scan(layer, neuron, changed)
    for b in (0, 2):
        torch.testing.assert_close(others[:, b], together[:, b], rtol=0, atol=0)
        torch.testing.assert_close(other_state.plastic.E[b], state.plastic.E[b], rtol=0, atol=0)
    assert not torch.equal(other_state.plastic.E[1], state.plastic.E[1])
    again, _ = scan(layer, neuron, spikes)
    torch.testing.assert_close(again, together, rtol=0, atol=0)


def test_spike_is_a_step_forward_and_the_surrogate_backward():
    u = torch.tensor([-0.5, 0.0, 0.2], dtype=torch.float64, requires_grad=True)
    out = Spike(10.0)(u)
    assert out.tolist() == [0, 0, 1] and out.dtype == torch.float64
    (slope,) = torch.autograd.grad(out.sum(), u)
    torch.testing.assert_close(slope, 1 / (1 + 10 * u.detach().abs()) ** 2)


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(in_features=0), "in_features = 0"),
        (dict(out_features=-2), "out_features = -2"),
        (dict(e_max=0.0), "e_max = 0.0"),
        (dict(dt=0.0), "dt = 0.0"),
        (dict(tau_trace=float("inf")), "tau_trace = inf"),
        (dict(rule="oja"), "rule = 'oja'"),
    ],
)
def test_bad_values_are_refused_by_name(change, named):
    good = dict(in_features=2, out_features=2, rule=Oja())
    with pytest.raises(ValueError, match=named):
        PlasticLinear(**good | change)
    with pytest.raises(ValueError, match="batch_size = 0"):
        PlasticLinear(**good).initial_state(0)

"""β and thresholds that are learned: on the fused path as on the reference path, and by finite differences where nothing jumps."""

import copy
import dataclasses
import logging

import pytest
import snntorch
import torch
from torch import nn
from torch.autograd import forward_ad

from spikepropamine.snn import scan as scan_module
from spikepropamine.snn.controls import CELLS, build_control
from spikepropamine.snn.layers import PlasticLinear, Spike, integrator, leaky
from spikepropamine.snn.networks import NETWORKS, build
from spikepropamine.snn.plasticity import BCM, Oja
from spikepropamine.snn.scan import fire, initial_state, integrate, scan
from spikepropamine.walking.inference import acting
from spikepropamine.walking.memory_policies import MemoryPolicy
from spikepropamine.walking.policies import Policy

LEARNED = {"learn_beta": True, "learn_threshold": True}


def neuron_of(beta=0.8, threshold=0.9, dtype=torch.float64, **options):
    learned = {name: True for name in LEARNED} | options
    return snntorch.Leaky(beta=beta, threshold=threshold, spike_grad=Spike(), **learned).to(dtype)


def spikes_of(ticks=20, batch=3, dtype=torch.float64):
    return (torch.rand(ticks, batch, 6, generator=torch.Generator().manual_seed(1)) < 0.4).to(dtype)


def layer_of(kind, dtype=torch.float64):
    torch.manual_seed(3)
    if kind == "linear":
        return nn.Linear(6, 5, dtype=dtype)
    layer = PlasticLinear(6, 5, *(Oja(), False) if kind == "dp-oja" else (BCM(), True), dtype=dtype)
    with torch.no_grad():
        layer.alpha.mul_(4)
    return layer


def loss_of(layer, neuron, path, ticks=20):
    spikes = spikes_of(ticks, dtype=layer.weight.dtype)
    start = initial_state(layer, 3)
    start = start._replace(v=torch.linspace(-1, 2, 15, dtype=spikes.dtype).view(3, 5))
    out, last = scan(layer, neuron, spikes, start, path)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return (
        (out * weights).sum() + last.v.square().sum() + (0 if last.plastic is None else last.plastic.E.square().sum())
    )


def gradients(layer, neuron, path, **options):
    wanted = [p for p in (*layer.parameters(), *neuron.parameters()) if p.requires_grad]
    return torch.autograd.grad(loss_of(layer, neuron, path, **options), wanted)


@pytest.mark.parametrize("kind", ["linear", "dp-oja", "ndp-bcm"])
@pytest.mark.parametrize("learned", [{"learn_beta": False}, {"learn_threshold": False}, {}])
def test_gradients_are_those_of_the_reference(kind, learned):
    layer, neuron = layer_of(kind), neuron_of(**learned)
    expected, found = (gradients(layer, neuron, path) for path in ("reference", "fused"))
    assert all(g.any() for g in expected)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "dp-oja", "ndp-bcm"])
def test_gradients_in_float32_are_near_those_in_float64(kind):
    found = gradients(layer_of(kind, torch.float32), neuron_of(dtype=torch.float32), "fused")
    single, neuron = layer_of(kind, torch.float32).double(), neuron_of(dtype=torch.float32).double()
    expected = gradients(single, neuron, "reference")
    for g, e in zip(found, expected):
        assert g.dtype == torch.float32
        torch.testing.assert_close(g.double(), e, rtol=1e-3, atol=1e-3 * e.abs().max().item())


def test_the_gradient_by_beta_of_a_readout_is_that_of_finite_differences():
    neuron = neuron_of(reset_mechanism="none", learn_threshold=False)
    current, start = torch.rand(7, 2, 3, dtype=torch.float64, requires_grad=True), torch.rand(2, 3, dtype=torch.float64)

    def of(beta, current):
        own = copy.deepcopy(neuron)
        own._parameters.clear()
        own._buffers["beta"] = beta
        return integrate(current, start, own, "fused")

    beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of, (beta, current))
    assert torch.autograd.gradgradcheck(of, (beta, current))


def test_the_gradient_by_beta_of_neurons_below_their_threshold_is_that_of_finite_differences():
    # where no potential comes near the threshold, the surrogate of a flat step and the step itself go together
    start = torch.rand(2, 3, dtype=torch.float64)
    current = 0.1 * torch.rand(7, 2, 3, dtype=torch.float64)

    def of(beta):
        neuron = snntorch.Leaky(beta=0.5, threshold=100.0, spike_grad=Spike(1e6)).double()
        neuron._buffers["beta"] = beta
        return fire(current, start, neuron, "fused")[1]

    assert torch.autograd.gradcheck(of, (torch.tensor(0.7, dtype=torch.float64, requires_grad=True),))


def test_the_height_of_a_reset_is_the_threshold():
    # one neuron that starts above its threshold and hears nothing: v[1] = β v[0] − ϑ
    neuron = neuron_of(beta=0.5, threshold=0.9)
    spikes, v = fire(
        torch.zeros(1, 1, 1, dtype=torch.float64), torch.full((1, 1), 1.4, dtype=torch.float64), neuron, "fused"
    )
    assert v.item() == pytest.approx(0.5 * 1.4 - 0.9) and not spikes.any()
    by_beta, by_threshold = torch.autograd.grad(v.sum(), [neuron.beta, neuron.threshold])
    assert by_beta.item() == pytest.approx(1.4) and by_threshold.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("kind", ["linear", "dp-oja", "ndp-bcm"])
def test_second_derivatives_are_those_of_the_reference(kind):
    found = []
    for path in ("reference", "fused"):
        layer, neuron = layer_of(kind), neuron_of()
        first = torch.autograd.grad(
            loss_of(layer, neuron, path), [layer.weight, *neuron.parameters()], create_graph=True
        )
        found.append(torch.autograd.grad(sum(g.square().sum() for g in first), [layer.weight, *neuron.parameters()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("beta", [-0.3, 1.4])
def test_a_beta_outside_of_0_and_1_is_held_there_and_gets_no_gradient_as_in_snntorch(beta):
    layer, neuron = layer_of("dp-oja"), neuron_of(beta=beta)
    expected, found = (gradients(layer, neuron, path) for path in ("reference", "fused"))
    assert expected[-1].item() != 0 == expected[-2].item() or expected[-2].item() != 0 == expected[-1].item()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("path", ["reference", "fused"])
def test_a_learned_beta_that_changed_between_forward_and_backward_is_refused(path):
    layer, neuron = layer_of("dp-oja"), neuron_of()
    loss = loss_of(layer, neuron, path)
    with torch.no_grad():
        neuron.beta.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("kind", ["linear", "dp-oja"])
def test_constants_that_are_not_learned_may_be_written_to_before_the_backward(kind):
    found = []
    for path in ("reference", "fused"):
        layer, neuron = layer_of(kind), neuron_of(learn_beta=False, learn_threshold=False)
        loss = loss_of(layer, neuron, path)
        neuron.threshold.fill_(3.0)
        neuron.beta.fill_(0.1)
        loss.backward()
        found.append(layer.weight.grad)
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-10)


def test_neurons_that_were_made_in_inference_mode_can_be_run_with_gradients():
    with torch.inference_mode():
        neuron = neuron_of(learn_beta=False, learn_threshold=False)
    current = torch.rand(5, 2, 3, dtype=torch.float64, requires_grad=True)
    fire(current, torch.zeros(2, 3, dtype=torch.float64), neuron, "fused")[1].sum().backward()
    assert current.grad.all()


@pytest.mark.parametrize("learned", [{}, LEARNED])
def test_what_a_readout_returns_may_be_written_to(learned):
    network, spikes, found = build("dp-oja", 6, 8, 2, seed=2, **learned).double(), spikes_of(), []
    for path in ("reference", "fused"):
        network.zero_grad()
        y = network.run(spikes, path=path).readout
        y *= 2
        y.sum().backward()
        found.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "dp-oja"])
def test_no_ticks_leave_no_gradient(kind):
    layer, neuron = layer_of(kind), neuron_of()
    loss_of(layer, neuron, "fused", ticks=0).backward()
    assert not any(p.grad is not None and p.grad.any() for p in neuron.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_learns_its_constants_starts_as_one_that_does_not_and_runs_compiled(name, caplog):
    plain, learning = (build(name, 6, 8, 2, seed=2, weight_scale=4.0, **options) for options in ({}, LEARNED))
    own = {name for name, _ in learning.named_parameters()} - {name for name, _ in plain.named_parameters()}
    assert own == {"neuron.beta", "neuron.threshold", "integrator.beta"}
    spikes = spikes_of(dtype=torch.float32)
    scan_module.tell_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        out = learning.run(spikes, path="fused").readout
    assert torch.equal(out, plain.run(spikes).readout) and not caplog.records
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (learning.get_parameter(name) for name in own))


def test_a_policy_that_learns_its_constants_acts_as_it_runs():
    options = dataclasses.replace(Policy("dp-oja").options, **LEARNED)
    policy = Policy("dp-oja", 16, options=options).build(5, 2, seed=0)
    assert {"neuron.beta", "neuron.threshold", "network.neuron.beta"} <= dict(policy.named_parameters()).keys()
    with torch.no_grad():
        for p in (policy.neuron.beta, policy.network.integrator.beta, policy.network.neuron.threshold):
            p.mul_(0.9)
    observations, state = torch.randn(4, 3, 5), policy.initial_state(3)
    means, last = policy.run(observations, state)
    act = acting(policy)
    for expected, x in zip(means, observations):
        found, state = act(x, state)
        assert torch.equal(found, expected)
    assert torch.equal(state.network.hidden.plastic.E, last.network.hidden.plastic.E)


def test_a_policy_that_acts_keeps_the_constants_it_had_on_either_path():
    policy = Policy("dp-oja", 16, options=dataclasses.replace(Policy("dp-oja").options, **LEARNED)).build(5, 2, seed=0)
    observations, start = torch.randn(3, 5), policy.initial_state(3)
    act = acting(policy)
    expected, _ = act(observations, start)
    with torch.no_grad():
        for neuron in (policy.neuron, policy.network.neuron, policy.network.integrator):
            neuron.beta.mul_(0.5)
            neuron.threshold.mul_(0.1)
    assert torch.equal(act(observations, start)[0], expected)
    with forward_ad.dual_level():  # where the compiled code does not apply
        torch.testing.assert_close(act(observations, start)[0], expected)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("what", CELLS)
def test_controls_with_fixed_constants_refuse_learned_ones(what, name):
    with pytest.raises(
        ValueError, match=f"{name} = True: must be False for {what}, whose neurons have fixed constants"
    ):
        build_control(what, 2, 3, 2, **{name: True})
    if what == "rsnn":
        options = dataclasses.replace(Policy("snn").options, **{name: True})
        with pytest.raises(ValueError, match=f"{name} = True: must be False for rsnn"):
            MemoryPolicy("rsnn", options=options)


@pytest.mark.parametrize("what", ["snn-long", "snn-wide"])
def test_controls_that_are_plain_networks_learn_them(what):
    assert "neuron.threshold" in dict(build_control(what, 2, 3, 2, **LEARNED).named_parameters())


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("value", [1, "yes", None])
def test_whether_a_constant_is_learned_is_true_or_false(name, value):
    allowed = f"{name} = {value!r}: must be True or False"
    with pytest.raises(ValueError, match=allowed):
        leaky(20.0, **{name: value})
    with pytest.raises(ValueError, match=allowed):
        build("snn", 2, 2, 2, **{name: value})
    if name == "learn_beta":
        with pytest.raises(ValueError, match=allowed):
            integrator(20.0, 5.0, value)

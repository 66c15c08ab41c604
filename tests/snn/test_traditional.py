import math
import re

import pytest
import snntorch
import torch

from spikepropamine.snn.layers import Spike
from spikepropamine.snn.traditional import (
    TRADITIONAL,
    TraditionalOptions,
    Triangle,
    build_traditional,
    decay,
    release,
)


def spikes_of(ticks=60, batch=3, inputs=6, rate=0.4):
    return (torch.rand(ticks, batch, inputs, generator=torch.Generator().manual_seed(0)) < rate).double()


def built(name, n_inputs=6, n_hidden=12, **options):
    return build_traditional(name, n_inputs, n_hidden, 2, 1, TraditionalOptions(weight_scale=5.0, **options)).double()


@pytest.mark.parametrize("name", TRADITIONAL)
def test_compiled_is_the_readable_form_forward_and_backward(name):
    network = built(name)
    weights = torch.randn(60, 3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = []
    for run in (network.cell.run, network.cell.each):
        network.zero_grad()
        out = run(spikes_of())
        (out * weights).sum().backward()
        found.append((out, {key: p.grad.clone() for key, p in network.cell.named_parameters()}))
    (out, gradients), (expected, reference) = found
    assert 0.05 < out.mean() < 0.6
    assert torch.equal(out, expected)
    for key, gradient in reference.items():
        assert gradient.abs().sum() > 0, key
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-9, atol=1e-12 * gradient.abs().max().item())


@pytest.mark.parametrize("name", TRADITIONAL)
def test_it_follows_its_seed_and_learns_every_parameter(name):
    network, again = built(name), built(name)
    run = network.run(spikes_of())
    assert torch.equal(run.readout, again.run(spikes_of()).readout)
    run.readout.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_lsnn_is_bellecs_equations_written_out():
    network = built("lsnn")
    cell, s = network.cell, spikes_of()
    W, b, R = cell.synapses.weight, cell.synapses.bias, cell.recurrent
    alpha = math.exp(-5 / 20)
    expected = torch.zeros(60, 3, 12, dtype=torch.float64)
    with torch.no_grad():
        v, a, z = (torch.zeros(3, 12, dtype=torch.float64) for _ in range(3))
        rho = torch.cat([torch.exp(-5 / cell.log_tau.exp()), torch.zeros(6, dtype=torch.float64)])
        kappa = torch.cat([cell.log_strength.exp(), torch.zeros(6, dtype=torch.float64)])
        for t in range(60):
            a = rho * a + z
            v = alpha * v + s[t] @ W.t() + b + z @ R.t() - z
            z = (v > 1 + kappa * a).double()
            expected[t] = z
        assert torch.equal(network.run(s).spikes, expected)


def test_an_adapted_threshold_falls_back_with_its_time_constant():
    cell = built("lsnn", 1, 2).cell
    state = cell.rest(1)._replace(a=torch.ones(1, 2, dtype=torch.float64))
    for _ in range(100):
        _, state = cell.tick(torch.zeros(1, 1, dtype=torch.float64), state)
    assert state.a[0, 0].item() == pytest.approx(math.exp(-100 * 5 / 2000), rel=1e-6)


def test_long_membranes_are_rleaky():
    network = built("rsnn-long")
    cell, s = network.cell, spikes_of()
    beta = decay(cell.log_tau.detach(), 5.0)
    assert beta[0].item() == pytest.approx(math.exp(-5 / 20), rel=1e-6)
    assert beta[-1].item() == pytest.approx(math.exp(-5 / 1000), rel=1e-6)
    neuron = snntorch.RLeaky(beta=beta, linear_features=12, all_to_all=True, spike_grad=Spike(25.0)).double()
    out, z, v = [], torch.zeros(3, 12).double(), torch.zeros(3, 12).double()
    with torch.no_grad():
        neuron.recurrent.weight.copy_(cell.recurrent)
        neuron.recurrent.bias.zero_()
        for current in cell.synapses(s):
            z, v = neuron(current, z, v)
            out.append(z)
    assert torch.equal(network.run(s).spikes, torch.stack(out))


def test_short_term_plasticity_solves_tsodyks_and_markrams_equations():
    """Against du/dt = (U − u)/τ_F + U (1 − u) δ, dx/dt = (1 − x)/τ_D − u x δ, integrated in small steps between spikes."""
    use, tau_f, tau_d, dt, small = 0.3, 400.0, 150.0, 5.0, 2000
    train = (torch.rand(40, generator=torch.Generator().manual_seed(3)) < 0.3).tolist()
    constants = tuple(
        torch.tensor([x], dtype=torch.float64) for x in (use, math.exp(-dt / tau_f), math.exp(-dt / tau_d))
    )
    u, x = use, 1.0
    state = torch.tensor([[use]], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    for spike in train:
        for _ in range(small):
            u += (use - u) / tau_f * dt / small
            x += (1 - x) / tau_d * dt / small
        expected = 0.0
        if spike:
            u += use * (1 - u)
            expected = u * x
            x -= expected
        *state, r = release(torch.tensor([[float(spike)]], dtype=torch.float64), *state, constants)
        assert r.item() == pytest.approx(expected, abs=5e-6)
        assert (state[0].item(), state[1].item()) == pytest.approx((u, x), abs=5e-6)


def test_facilitating_synapses_release_more_and_depressing_ones_less():
    cell = built("stp", 2, 4).cell
    with torch.no_grad():
        constants = cell.of_inputs.constants()
        state, amounts = (constants.use[None], torch.ones(1, 2, dtype=torch.float64)), []
        for t in range(20):
            *state, r = release(torch.full((1, 2), float(t % 4 == 0), dtype=torch.float64), *state, constants)
            amounts.append(r[0])
    first, second = amounts[0], amounts[4]
    assert second[0] > first[0] and second[1] < first[1]


def test_surrogates_are_the_published_shapes():
    u = torch.tensor([-2.0, -0.5, 0.0, 0.25, 1.5])
    assert Triangle(0.3).derivative(u).tolist() == pytest.approx([0.0, 0.15, 0.3, 0.225, 0.0])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("gru", 6, 12, 2), "name = 'gru': must be one of 'lsnn', 'rsnn-long', 'stp'"),
        (("lsnn", 6, 0, 2), "n_hidden = 0"),
        (("stp", 6, 12, 2, -1), "seed = -1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_traditional(*arguments)


@pytest.mark.parametrize("options, message", [(dict(damping=0.0), "damping"), (dict(tau_longest=10.0), "tau_longest")])
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TraditionalOptions(**options)


@pytest.mark.parametrize("name", TRADITIONAL)
def test_a_cell_with_methods_of_its_own_computes_by_them(name):
    kind = TRADITIONAL[name]
    spikes = (torch.rand(12, 3, 5) < 0.5).float()
    own = {
        "tick": lambda cell, s, state: kind.tick(cell, 1 - s, state),
        "run": lambda cell, s: kind.run(cell, s).flip(0),
    }
    for method, function in own.items():
        network = build_traditional(name, 5, 6, 2)
        usual = network.run(spikes).spikes
        expected = {"tick": build_traditional(name, 5, 6, 2).run(1 - spikes).spikes, "run": usual.flip(0)}[method]
        network.cell.__class__ = type("Own", (kind,), {method: function})
        torch.testing.assert_close(network.run(spikes).spikes, expected)
        network = build_traditional(name, 5, 6, 2)
        setattr(network.cell, method, lambda *given, cell=network.cell, function=function: function(cell, *given))
        torch.testing.assert_close(network.run(spikes).spikes, expected)
    assert usual.sum() > 0 and not torch.equal(usual, expected)


@pytest.mark.parametrize(
    "name, part, named",
    [
        ("rsnn-long", "log_tau", "log_tau.shape = (1,): must be (6)"),
        ("lsnn", "recurrent", "recurrent.shape = (1,): must be (6, 6)"),
        ("lsnn", "log_strength", "log_strength.shape = (1,): must be (3)"),
        ("stp", "of_inputs.logit_use", "of_inputs.logit_use.shape = (1,): must be (5)"),
        ("stp", "of_neurons.log_tau_f", "of_neurons.log_tau_f.shape = (1,): must be (6)"),
    ],
)
def test_constants_of_another_size_are_refused_by_name(name, part, named):
    network = build_traditional(name, 5, 6, 2)
    *owner, last = part.split(".")
    setattr(network.cell.get_submodule(".".join(owner)), last, torch.nn.Parameter(torch.zeros(1)))
    with pytest.raises((ValueError, TypeError), match=re.escape(named)):
        network(torch.ones(4, 3, 5))


def test_constants_of_another_dtype_are_refused_by_name():
    network = build_traditional("lsnn", 5, 6, 2)
    network.cell.recurrent = torch.nn.Parameter(network.cell.recurrent.double())
    with pytest.raises(TypeError, match="recurrent has dtype torch.float64: must be torch.float32"):
        network(torch.ones(4, 3, 5))


def test_a_use_too_small_for_float32_gives_finite_gradients():
    network = build_traditional("stp", 5, 6, 2)
    network.cell.of_inputs.logit_use = torch.nn.Parameter(torch.full((5,), -120.0))
    network(torch.ones(6, 3, 5)).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())

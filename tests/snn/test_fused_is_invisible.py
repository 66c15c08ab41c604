"""Whatever PyTorch lets one do to a network, both paths give the same, or one is refused by name."""

import copy
import io
import logging
import math
import os
import pickle
import re
import threading
import types

import pytest
import snntorch
import torch
from snntorch import surrogate
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

from spikepropamine.snn import reference
from spikepropamine.snn import scan as scan_module
from spikepropamine.snn.controls import build_control
from spikepropamine.snn.layers import PlasticLinear, Spike
from spikepropamine.snn.networks import build
from spikepropamine.snn.plastic_leaky import PlasticLeaky
from spikepropamine.snn.plasticity import BCM, STDP, Hebb, Oja, Rule
from spikepropamine.snn.scan import fire, initial_state, integrate, scan
from spikepropamine.snn.surrogates import fast_sigmoid_slope

NAMES = ["snn", "dp-oja", "ndp-bcm"]
every_network = pytest.mark.parametrize("name", NAMES)


def network_of(name, dtype=torch.float64, hidden=6):
    network = build(name, 5, hidden, 2, seed=3, weight_scale=4.0).to(dtype)
    if name != "snn":
        with torch.no_grad():
            network.synapses.alpha.mul_(4)
    return network


def spikes_of(ticks=14, batch=3, dtype=torch.float64):
    return (torch.rand(ticks, batch, 5, generator=torch.Generator().manual_seed(1)) < 0.4).to(dtype)


def gradients_of(network, loss):
    network.zero_grad()
    loss.backward()
    return {name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}


def assert_alike(network, use=lambda network, path: network.run(spikes_of(), path=path).readout, fused="fused"):
    """``use(network, path)``, a tensor, and its gradients by every parameter, are the same on both paths; the tensor."""
    found = []
    for path in ("reference", fused):
        out = use(network, path)
        gradients = gradients_of(network, out.square().sum()) if out.requires_grad else {}
        found.append((out.detach(), gradients))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-8, atol=1e-10)
    for name, gradient in found[0][1].items():
        if gradient is None:
            assert found[1][1][name] is None, name
        else:
            torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-7, atol=1e-9, msg=name)
    assert found[0][0].abs().sum() > 0
    return found[0][0]


def reason(network, spikes=None):
    """Why ``network`` does not take the fused path."""
    return scan_module.obstacle(network.synapses, network.neuron, spikes_of() if spikes is None else spikes)


# ---------------------------------------------------------------- modules


@every_network
def test_hooks_are_called_at_every_tick_on_the_reference_path(name):
    network = network_of(name)
    calls = []
    handle = network.neuron.register_forward_hook(lambda module, arguments, result: calls.append(arguments[0].shape))
    assert "forward hooks" in reason(network)
    assert_alike(network, fused="auto")
    assert calls == [(3, 6)] * 28
    handle.remove()
    assert reason(network) is None
    handle = network.neuron.register_full_backward_hook(lambda module, grad_in, grad_out: (2 * grad_in[0], None))
    assert "backward hooks" in reason(network)
    assert_alike(network, fused="auto")
    handle.remove()
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert "all modules" in reason(network)
    handle.remove()


def test_a_hook_of_a_linear_layer_may_change_its_current():
    network = network_of("snn")
    network.synapses.register_forward_hook(lambda module, arguments, result: 0.5 * result.round())
    assert_alike(network, fused="auto")
    network.synapses._forward_hooks.clear()
    network.synapses.register_forward_pre_hook(lambda module, arguments: (2 * arguments[0],))
    assert_alike(network, fused="auto")


@every_network
def test_parametrizations_and_weight_norm(name):
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x.tanh()

    network = network_of(name)
    parametrize.register_parametrization(network.synapses, "weight", Doubled())
    if name != "snn":
        parametrize.register_parametrization(network.synapses, "alpha", Doubled())
        parametrize.register_parametrization(network.synapses.rule, "raw_eta", Doubled())
    assert_alike(network)
    network = network_of(name)
    parametrizations.weight_norm(network.synapses)
    assert_alike(network)


def test_a_parametrization_is_computed_once_a_run_on_both_paths():
    class Counted(nn.Module):
        calls = 0

        def forward(self, x):
            Counted.calls += 1
            return x

    network = network_of("dp-oja")
    parametrize.register_parametrization(network.synapses, "weight", Counted())
    for path in ("reference", "fused"):
        Counted.calls = 0
        network.run(spikes_of(), path=path)
        assert Counted.calls < 14  # ticks; the checks look too


@every_network
@pytest.mark.parametrize("how", ["pruning", "weight_norm"])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_hooks_that_make_the_weights_are_called_before_each_run(name, how):
    network = network_of(name)
    if how == "pruning":
        prune.random_unstructured(network.synapses, "weight", 0.5)
    else:
        nn.utils.weight_norm(network.synapses)
    before = assert_alike(network, fused="auto")
    optimiser = torch.optim.SGD(network.parameters(), lr=0.3)
    gradients_of(network, network(spikes_of()).square().sum())
    optimiser.step()
    after = assert_alike(network, fused="auto")
    assert not torch.equal(before, after)
    if how == "pruning":
        assert (network.synapses.weight[network.synapses.weight_mask == 0] == 0).all()


@every_network
def test_parts_that_are_not_trained_get_no_gradient(name):
    network = network_of(name)
    network.synapses.weight.requires_grad_(False)
    network.readout.bias.requires_grad_(False)
    assert_alike(network)
    network.requires_grad_(False)
    assert not assert_alike(network).requires_grad
    assert not network.run(spikes_of()).state[0].v.requires_grad


def test_parameters_that_are_shared_add_their_gradients():
    network = network_of("ndp-bcm")
    network.synapses.alpha = network.synapses.weight
    network.synapses.modulator_bias = network.synapses.bias
    assert_alike(network)
    first, second = network_of("dp-oja"), network_of("dp-oja")
    second.synapses = first.synapses
    assert_alike(
        first, lambda n, path: n.run(spikes_of(), path=path).readout + second.run(1 - spikes_of(), path=path).readout
    )


def test_methods_of_one_s_own_are_used():
    network = network_of("dp-oja")
    usual = network(spikes_of())
    layer = network.synapses
    for method in ("current", "modulator"):
        kept = getattr(layer, method)
        setattr(layer, method, lambda *arguments, kept=kept: 0.5 * kept(*arguments))
        assert "methods of its own" in reason(network)
        assert not torch.allclose(assert_alike(network, fused="auto"), usual)
        delattr(layer, method)
    layer.rule.update = lambda E, *rest: 0.9 * E
    assert "update of its own" in reason(network)
    assert_alike(network, fused="auto")
    del layer.rule.update
    network.neuron.fire = lambda mem: (mem > 0.5).to(mem.dtype)
    assert "methods of its own" in reason(network)
    assert_alike(network, fused="auto")


def test_subclasses_of_layers_and_rules():
    class Louder(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    class Open(PlasticLinear):
        def modulator(self, x_post):
            return 0.5 + x_post

    class Named(PlasticLinear):
        """The same in everything."""

    class Squared(BCM):
        @staticmethod
        def coefficients(x_post, theta):
            return x_post * x_post, 0 * x_post

    plain, taken = network_of("snn"), network_of("dp-bcm")
    plain.synapses = Louder(5, 6).double()
    assert "Louder" in reason(plain)
    assert_alike(plain, fused="auto")
    for kind, fits in ((Open, False), (Named, True)):
        taken.synapses = kind(5, 6, Oja()).double()
        assert (reason(taken) is None) is fits
        assert_alike(taken, fused="auto")
    taken.synapses = PlasticLinear(5, 6, Squared()).double()
    assert "inherits their slopes" in reason(taken)
    assert_alike(taken, fused="auto")


@every_network
def test_copies_pickles_and_files(name, tmp_path):
    network = network_of(name)
    # what snnTorch's neuron keeps of a run would be in its way
    network.run(spikes_of().requires_grad_(), path="reference")
    expected = network(spikes_of())
    torch.save(network, tmp_path / "x.pt")
    copies = [
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        torch.load(tmp_path / "x.pt", weights_only=False),
    ]
    for other in copies:
        assert torch.equal(other(spikes_of()), expected)
        with torch.no_grad():
            other.readout.weight.zero_()
    assert torch.equal(network(spikes_of()), expected)
    fresh = build(name, 5, 6, 2, seed=9, weight_scale=4.0).double()
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    buffer.seek(0)
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(spikes_of()), expected)
    assert torch.equal(pickle.loads(pickle.dumps(network.run(spikes_of()).state))[1], network.run(spikes_of()).state[1])


def test_a_shallow_copy_as_data_parallel_makes_them():
    network = network_of("dp-oja")
    layer = network.synapses._replicate_for_data_parallel()
    for name, p in network.synapses.named_parameters(recurse=False):
        setattr(layer, name, p.detach().clone())
    out, _ = scan(layer, network.neuron, spikes_of())
    assert torch.equal(out, network.run(spikes_of()).spikes)


# ---------------------------------------------------------------- rules and constants of one's own


def ruled(rule):
    """A network whose synapses follow ``rule``."""
    network = network_of("dp-oja")
    network.synapses.rule = rule.double()
    with torch.no_grad():
        network.synapses.weight.abs_()
    return network


def scaled(k):
    class Scaled(Rule):
        decays = True
        coefficients = staticmethod(lambda x, theta: (k * x, -k * x * x))
        slopes = staticmethod(lambda x, theta: (k + 0 * x, -2 * k * x, 0 * x, 0 * x))

    return Scaled


def test_rules_that_differ_in_what_their_functions_close_over_differ():
    one, other = (assert_alike(ruled(scaled(k)(2.0)), fused="auto") for k in (1.0, -3.0))
    assert not torch.allclose(one, other)
    assert "use more than x_post, theta and numbers: k" in reason(ruled(scaled(1.0)(2.0)))


FACTOR, WAYS = 1.0, ("module", "helper", "nested", "default", "method")


def helped(x):
    return FACTOR * x


@pytest.mark.parametrize("way", WAYS)
def test_what_a_rule_s_function_uses_from_elsewhere_may_change(way, monkeypatch):
    def written(x, theta, k=1.0):
        return k * x, 0 * x

    growing = {
        "module": lambda x, theta: (FACTOR * x, 0 * x),
        "helper": lambda x, theta: (helped(x), 0 * x),
        "nested": lambda x, theta: ((lambda y: FACTOR * y)(x), 0 * x),
        "default": written,
        "method": classmethod(lambda rule, x, theta: (FACTOR * x, 0 * x)),
    }[way]

    class Growing(Rule):
        decays = False
        coefficients = growing if way == "method" else staticmethod(growing)
        slopes = staticmethod(lambda x, theta: (1 + 0 * x, 0 * x, 0 * x, 0 * x))

    network = ruled(Growing(2.0))
    first = assert_alike(network, fused="auto")
    written.__defaults__ = (-2.0,)
    monkeypatch.setitem(globals(), "FACTOR", -2.0)
    assert not torch.equal(assert_alike(network, fused="auto"), first)


def test_a_rule_s_functions_may_be_exchanged():
    class Exchanged(Oja):
        pass

    def copied(function):
        return staticmethod(types.FunctionType(function.__code__, {}))

    network = ruled(Exchanged())
    first = assert_alike(network)
    Exchanged.coefficients, Exchanged.slopes, Exchanged.decays = copied(Hebb.coefficients), copied(Hebb.slopes), True
    second = assert_alike(network)
    Exchanged.coefficients.__code__, Exchanged.slopes.__code__ = BCM.coefficients.__code__, BCM.slopes.__code__
    Exchanged.decays = False
    third = assert_alike(network)
    assert not torch.equal(first, second) and not torch.equal(second, third)


WRITTEN = """
class Written(Rule):
    decays = True
    coefficients = staticmethod(lambda x, theta: (x / (2 + theta), -x))
    slopes = staticmethod(lambda x, theta: (1 / (2 + theta), 0 * x - 1, -x / ((2 + theta) * (2 + theta)), 0 * x))
"""


@pytest.mark.parametrize("name", [None, "a/b", ""])
def test_a_rule_needs_neither_a_name_nor_a_file_to_be_fused(name):
    known = {"Rule": Rule}
    exec(WRITTEN, known)
    if name is not None:
        known["Written"].name = name
    assert_alike(ruled(known["Written"](2.0)))


@pytest.mark.parametrize(
    "coefficients",
    [
        lambda *both: (both[0], -1),
        lambda x, theta: ([x, 2 * x][0], {"decay": -1}["decay"]),
        lambda x, theta: [x, -(7 // 4), "more"][:2],
    ],
)
def test_a_rule_s_functions_may_be_written_in_any_python_that_comes_to_a_formula(coefficients):
    class Leaving(Rule):
        decays = True
        slopes = staticmethod(lambda x, theta: (1, 0, 0, 0))

    Leaving.coefficients = staticmethod(coefficients)
    assert_alike(ruled(Leaving(0.1)))


@pytest.mark.parametrize("modulated", [0, 1, "yes"])
def test_whether_a_layer_is_modulated_goes_by_its_truth(modulated):
    network = network_of("ndp-bcm")
    network.synapses.modulated = modulated
    assert_alike(network)


def written_over(x, theta):
    x *= 2
    return x, 0 * x


@pytest.mark.parametrize(
    "coefficients, slopes, decays, why",
    [
        (lambda x, th: (torch.tanh(x), 0 * x), lambda x, th: (0 * x, 0 * x, 0 * x, 0 * x), False, "tanh, torch"),
        (lambda x, th: (x.clamp(0, 1), 0 * x), lambda x, th: (1 + 0 * x, 0 * x, 0 * x, 0 * x), False, "numbers: clamp"),
        (lambda x, th: (x**2, 0 * x), lambda x, th: (2 * x, 0 * x, 0 * x, 0 * x), False, r"more than \+ - \* /"),
        (lambda x, th: (x * (x > 0.1), 0 * x), lambda x, th: (1, 0, 0, 0), False, r"more than \+ - \* /"),
        (lambda x, th: (x if 2 > 1.5 * 1 else x, 0), lambda x, th: (1, 0, 0, 0), False, "branch"),
        (written_over, lambda x, th: (2 + 0 * x, 0 * x, 0 * x, 0 * x), False, r"more than \+ - \* /"),
        (lambda x, th: (x, -x * x), lambda x, th: (1 + 0 * x, -2 * x, 0 * x, 0 * x), False, "does not decay"),
        (lambda x, th: (x, -x * x), lambda x, th: (1 + 0 * x, -x, 0 * x, 0 * x), True, "not the derivatives"),
        (lambda x, th: (x - th, 0 * x), lambda x, th: (1 + 0 * x, 0 * x, 0 * x, 0 * x), False, "not the derivatives"),
    ],
)
def test_a_rule_that_cannot_be_compiled_takes_the_reference_path(coefficients, slopes, decays, why):
    class Free(Rule):
        tau_theta = 300.0

    Free.coefficients, Free.slopes, Free.decays = staticmethod(coefficients), staticmethod(slopes), decays
    network = ruled(Free(2.0))
    assert_alike(network, fused="auto")
    with pytest.raises(ValueError, match=f"'auto' or 'reference' where the rule.*{why}"):
        network.run(spikes_of(), path="fused")


@every_network
def test_decays_that_leave_nothing(name):
    network = build(name, 5, 6, 2, seed=3, weight_scale=4.0, tau_membrane=0.05, tau_readout=0.05, tau_trace=0.05)
    found = []
    for path in ("reference", "fused"):
        readout = network.run(spikes_of(dtype=torch.float32), path=path).readout
        found.append(gradients_of(network, readout.square().sum()))
    for key, gradient in found[0].items():
        torch.testing.assert_close(found[1][key], gradient, rtol=1e-3, atol=1e-4, msg=key)


def learned(x):
    return nn.Parameter(torch.tensor(x, dtype=torch.float64))


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda n: setattr(n.synapses, "trace_decay", learned(0.95)), "trace_decay of the layer is no plain number"),
        (lambda n: setattr(n.synapses, "trace_decay", torch.tensor([0.95]).double()), "trace_decay"),
        (lambda n: setattr(n.synapses, "e_max", learned(0.5)), "e_max"),
        (lambda n: setattr(n.synapses, "e_max", torch.rand(6, 1).double()), "e_max"),
        (lambda n: setattr(n.synapses, "e_max", math.inf), "e_max"),
        (lambda n: setattr(n.synapses, "e_max", -1.0), "e_max .* >= 0"),
        (lambda n: setattr(n.synapses.rule, "tau_theta", learned(300.0).data.requires_grad_()), "theta_step"),
        (lambda n: setattr(n.synapses.rule, "raw_eta", nn.Parameter(torch.rand(6).double())), "η"),
        (lambda n: setattr(n.synapses.rule, "raw_eta", nn.Parameter(torch.rand(1).double())), "η"),
        (lambda n: setattr(n.neuron.spike_grad, "slope", torch.tensor(3.0).double()), "spike function is Spike"),
        (lambda n: setattr(n.neuron, "threshold", torch.tensor(math.inf).double()), "threshold is not finite"),
    ],
)
def test_what_is_no_constant_takes_the_reference_path(change, why):
    network = network_of("dp-bcm")
    change(network)
    assert re.search(why, reason(network))
    if not math.isinf(network.neuron.threshold):
        assert_alike(network, fused="auto")


def test_a_bound_that_is_no_number_gives_the_same_on_both_paths():
    network = network_of("dp-oja")
    network.synapses.e_max = math.nan
    found = [scan(network.synapses, network.neuron, spikes_of(), path=path)[1] for path in ("reference", "auto")]
    torch.testing.assert_close(found[1].plastic.E, found[0].plastic.E, equal_nan=True)


@every_network
@pytest.mark.parametrize("slope", [0.0, 1e-46, 1e-30, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_surrogate_of_any_slope(name, slope, dtype):
    network, found = network_of(name, dtype), []
    network.neuron.spike_grad.slope = slope
    for path in ("reference", "fused"):
        readout = network.run(spikes_of(dtype=dtype), path=path).readout
        found.append(gradients_of(network, readout.square().sum()))
    for key, gradient in found[0].items():
        assert torch.isfinite(gradient).all()
        torch.testing.assert_close(found[1][key], gradient, rtol=1e-3, atol=1e-3, msg=key)


@pytest.mark.parametrize("e_max", [0.0, 1e-30, 1e30])
def test_a_bound_of_any_size(e_max):
    network = network_of("ndp-bcm")
    network.synapses.e_max = e_max
    assert_alike(network)


# ---------------------------------------------------------------- autograd


@every_network
def test_second_derivatives_are_those_of_the_reference_path(name):
    def penalty(network, path):
        spikes = spikes_of().requires_grad_()
        readout = network.run(spikes, path=path).readout
        (by_spikes,) = torch.autograd.grad(readout.square().sum(), spikes, create_graph=True)
        return by_spikes

    assert_alike(network_of(name), penalty)


@pytest.mark.parametrize("name", ["e_max", "trace_decay", "beta"])
def test_a_second_derivative_with_other_constants_than_forward_is_refused(name):
    network = network_of("dp-oja")
    spikes = spikes_of().requires_grad_()
    y = network.run(spikes).readout.square().sum()
    (first,) = torch.autograd.grad(y, spikes, retain_graph=True)
    if name == "beta":
        network.neuron.beta.fill_(0.1)
    else:
        setattr(network.synapses, name, 0.1)
    assert torch.equal(torch.autograd.grad(y, spikes, retain_graph=True)[0], first)
    with pytest.raises(RuntimeError, match=f"{'keep_trace' if name == 'trace_decay' else name} = 0.1: must be"):
        torch.autograd.grad(y, spikes, create_graph=True)


def test_gradgradcheck_of_the_readout():
    neuron = network_of("snn").integrator
    current, v = torch.rand(5, 2, 3).double().requires_grad_(), torch.rand(2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda c, v: integrate(c, v, neuron), (current, v), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda c, v: integrate(c, v, neuron), (current, v))


@pytest.mark.parametrize("name", ["alif", "rsnn"])
def test_a_second_derivative_that_is_not_there_is_refused(name):
    network = build_control(name, 5, 6, 2)
    spikes = spikes_of(dtype=torch.float32).requires_grad_()
    with pytest.raises(RuntimeError, match="create_graph = True: must be False"):
        torch.autograd.grad(network.run(spikes).readout.sum(), spikes, create_graph=True)


@every_network
def test_many_gradients_at_once(name):
    def jacobian(network, path):
        readout = network.run(spikes_of(), path=path).readout[-1].flatten()
        eye = torch.eye(len(readout), dtype=readout.dtype)
        (found,) = torch.autograd.grad(readout, network.synapses.weight, eye, is_grads_batched=True)
        return found

    assert_alike(network_of(name), jacobian)


@every_network
def test_a_graph_that_is_kept_gives_the_same_gradient_again(name):
    network = network_of(name)
    loss = network(spikes_of()).square().sum()
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    loss.backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(once, network.parameters()))
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@every_network
def test_weights_that_changed_before_the_backward_are_refused(name):
    for path in ("reference", "fused"):
        network = network_of(name)
        spikes = spikes_of().requires_grad_()
        loss = network.run(spikes, path=path).readout.square().sum()
        with torch.no_grad():
            (network.synapses.weight if name == "snn" else network.synapses.alpha).mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


@every_network
def test_saved_tensors_that_have_become_others_are_refused(name):
    network = network_of(name)
    start = initial_state(network.synapses, 3)
    loss = scan(network.synapses, network.neuron, spikes_of().requires_grad_(), start, "fused")[0].sum()
    start.v.data = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(RuntimeError, match=r"saved for the backward pass = \(1,\) .*: must be \(3, 6\)"):
        loss.backward()
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.half(), lambda x: x):
        loss = scan(network.synapses, network.neuron, spikes_of().requires_grad_(), path="fused")[0].sum()
    with pytest.raises(RuntimeError, match="torch.float16"):
        loss.backward()


@every_network
def test_what_a_run_returns_may_be_written_to(name):
    def scaled(network, path):
        run = network.run(spikes_of(), path=path)
        hidden, y = run.state
        hidden.v.mul_(0.5)
        y.add_(1)
        if hidden.plastic:
            hidden.plastic.E.mul_(0.5)
            hidden.plastic.theta.zero_()
        again = network.run(spikes_of(), run.state, path).readout
        return again.mul_(0.5)

    def dropped(network, path):
        return network.readout(network.run(spikes_of(), path=path).spikes.mul_(0.5))

    # with neurons that fill whole Lanes, and with some left over
    for hidden in (6, 8, 16):
        assert_alike(network_of(name, hidden=hidden), scaled)
        assert_alike(network_of(name, hidden=hidden), dropped)


@pytest.mark.parametrize("name", ["alif", "rsnn", "synaptic"])
@pytest.mark.parametrize("hidden", [6, 16])
def test_the_spikes_of_a_control_may_be_written_to(name, hidden):
    network = build_control(name, 5, hidden, 2)
    spikes = spikes_of(dtype=torch.float32)
    found = []
    for change in (lambda s: s * 0.5, lambda s: s.mul_(0.5)):
        network.readout(change(network.run(spikes).spikes)).square().sum().backward()
        found.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
        network.zero_grad()
    for one, other in zip(*found):
        torch.testing.assert_close(one, other)


@every_network
def test_anomaly_mode_saved_tensor_hooks_and_checkpointing(name):
    network = network_of(name)
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        expected = assert_alike(network)
    halves = lambda x: x  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.clone().cpu(), halves):
        assert torch.equal(assert_alike(network), expected)
    with torch.autograd.graph.save_on_cpu():
        assert torch.equal(assert_alike(network), expected)

    def recomputed(network, path):
        spikes = spikes_of().requires_grad_()
        return checkpoint(lambda s: network.run(s, path=path).readout, spikes, use_reentrant=False)

    assert torch.equal(assert_alike(network, recomputed), expected)


@every_network
def test_without_gradients(name):
    network = network_of(name)
    expected = network(spikes_of()).detach()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            run = network.run(spikes_of())
            again = network.run(spikes_of(), run.state)
        assert torch.equal(run.readout, expected) and not again.readout.requires_grad
        assert run.readout.is_inference() is (mode is torch.inference_mode)


@every_network
def test_gradients_by_spikes_and_by_the_initial_state(name):
    network = network_of(name)
    _, start = scan(network.synapses, network.neuron, spikes_of().flip(0))

    def by_start(network, path):
        spikes = spikes_of().requires_grad_()
        values = [x.detach().clone().requires_grad_() for x in (start.v, *(start.plastic or ()))]
        plastic = type(start.plastic)(*values[1:]) if start.plastic else None
        out, _ = scan(network.synapses, network.neuron, spikes, type(start)(values[0], plastic), path)
        found = torch.autograd.grad(
            network.readout(out).square().sum(), [spikes, *values], materialize_grads=True, allow_unused=True
        )
        return torch.cat([x.flatten() for x in found])

    assert_alike(network, by_start)


# ---------------------------------------------------------------- transforms and compilers


@every_network
def test_torch_func(name):
    network, spikes = network_of(name), spikes_of()
    parameters = {name: p.detach().clone() for name, p in network.named_parameters()}

    def loss(parameters, spikes):
        return torch.func.functional_call(network, parameters, (spikes,)).square().sum()

    expected = gradients_of(network, network.run(spikes, path="reference").readout.square().sum())
    found = torch.func.grad(loss)(parameters, spikes)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value)
    other = {name: p + 0.1 for name, p in parameters.items()}
    assert not torch.equal(torch.func.functional_call(network, other, (spikes,)), network(spikes))
    many = torch.stack([spikes, 1 - spikes, spikes.flip(0)])
    found = torch.func.vmap(network)(many)
    torch.testing.assert_close(found, torch.stack([network.run(s, path="reference").readout for s in many]))
    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, many)
    torch.testing.assert_close(each["readout.weight"][0], expected["readout.weight"])


@every_network
def test_forward_mode(name):
    network, spikes = network_of(name), spikes_of()
    tangent = torch.rand_like(spikes)
    value, along = torch.func.jvp(network, (spikes,), (tangent,))
    (by_spikes,) = torch.autograd.grad(
        (network.run(spikes.requires_grad_(), path="reference").readout * torch.linspace(-1, 1, 2)).sum(), spikes
    )
    assert torch.allclose((along * torch.linspace(-1, 1, 2)).sum(), (by_spikes * tangent).sum())
    with forward_ad.dual_level():
        dual = network(forward_ad.make_dual(spikes.detach(), tangent))
        assert torch.allclose(forward_ad.unpack_dual(dual).tangent, along)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make", [lambda: network_of("dp-oja"), lambda: network_of("snn"), lambda: build_control("rsnn", 5, 6, 2).double()]
)
def test_torch_compile_around_it(make):
    network = make()
    expected = network.run(spikes_of()).readout
    compiled = torch.compile(lambda s: network.run(s).readout * 2, backend="eager")
    found = compiled(spikes_of())
    assert torch.equal(found, 2 * expected)
    once = gradients_of(network, found.sum())
    again = gradients_of(network, 2 * network.run(spikes_of()).readout.sum())
    assert all(torch.equal(once[key], again[key]) for key in again)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@every_network
def test_tracing_and_export_see_every_operation(name):
    network, spikes = network_of(name), spikes_of()
    expected, other = network(spikes), network(1 - spikes)
    assert not torch.equal(expected, other)
    traced = torch.jit.trace(network, (spikes,), check_trace=False)
    exported = torch.export.export(network, (spikes,), strict=False).module()
    for found in (traced, exported):
        torch.testing.assert_close(found(spikes), expected)
        torch.testing.assert_close(found(1 - spikes), other)


# ---------------------------------------------------------------- kinds of tensors


@every_network
def test_layouts_in_memory(name):
    network, spikes = network_of(name), spikes_of()
    expected = network.run(spikes, path="reference").readout
    strided = spikes.transpose(0, 2).contiguous().transpose(0, 2)
    spread = torch.zeros(28, 3, 10, dtype=spikes.dtype)[::2, :, ::2].copy_(spikes)
    torch.testing.assert_close(network(torch._neg_view(-spikes)), expected)
    for other in (strided, spread):
        torch.testing.assert_close(network.run(other, path="fused").readout, expected)
    wide = torch.ones(14, 1, 5, dtype=spikes.dtype).expand(14, 3, 5)
    torch.testing.assert_close(network.run(wide, path="fused").readout, network.run(wide, path="reference").readout)
    hidden, y = network.run(spikes).state
    moved = type(hidden)(
        hidden.v.t().contiguous().t(),
        hidden.plastic and type(hidden.plastic)(*(x.mT.contiguous().mT for x in hidden.plastic)),
    )
    found = network.run(spikes, (moved, y), "fused").readout
    torch.testing.assert_close(found, network.run(spikes, (hidden, y), "reference").readout)


@every_network
def test_other_precisions(name):
    for dtype, tolerance in ((torch.bfloat16, 0.1), (torch.float16, 0.02)):
        network = network_of(name).to(dtype)
        spikes = spikes_of(dtype=dtype)
        run = network.run(spikes)
        assert run.readout.dtype == run.state[0].v.dtype == dtype
        assert torch.equal(run.readout, network.run(spikes, path="reference").readout)
        with pytest.raises(ValueError, match=f"path = 'fused': must be .* dtype is {dtype}"):
            network.run(spikes, path="fused")
    network, spikes = network_of(name, torch.float32), spikes_of(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        run = network.run(spikes)
        assert torch.equal(run.readout, network.run(spikes, path="reference").readout)
    torch.testing.assert_close(run.spikes.mean(), network.run(spikes).spikes.mean(), rtol=0.2, atol=0)
    assert torch.isfinite(run.readout).all()


@every_network
def test_there_and_back_to_another_precision(name):
    network = build(name, 5, 6, 2, seed=3)
    expected = network(spikes_of(dtype=torch.float32))
    assert torch.equal(network.double().float()(spikes_of(dtype=torch.float32)), expected)


@every_network
def test_tensors_without_values_and_tensors_of_another_class(name):
    class Marked(torch.Tensor):
        pass

    network = network_of(name)
    marked = network(spikes_of().as_subclass(Marked))
    assert isinstance(marked, Marked) and torch.equal(
        marked.as_subclass(torch.Tensor), network.run(spikes_of(), path="reference").readout
    )
    assert network.to("meta")(spikes_of().to("meta")).shape == (14, 3, 2)


@every_network
@pytest.mark.parametrize(
    "change, error, named",
    [
        (lambda s: s.to_sparse(), TypeError, "spikes has layout torch.sparse_coo: must be dense"),
        (lambda s: s.to(torch.complex64), TypeError, "spikes has dtype torch.complex64: must be torch.float64"),
        (lambda s: s.bool(), TypeError, "spikes has dtype torch.bool"),
        (lambda s: s.int(), TypeError, "spikes has dtype torch.int32"),
        (lambda s: s.to("meta"), ValueError, "spikes.device = 'meta': must be 'cpu'"),
        (lambda s: s[:, :0], ValueError, r"spikes.shape = \(14, 0, 5\): must be \(T, B, 5\) with B >= 1"),
    ],
)
def test_spikes_that_are_refused(name, change, error, named):
    network = network_of(name)
    for path in ("auto", "reference"):
        with pytest.raises(error, match=named):
            scan(network.synapses, network.neuron, change(spikes_of()), path=path)


@every_network
def test_a_network_takes_bool_and_integer_spikes(name):
    network, expected = network_of(name), network_of(name)(spikes_of())
    for dtype in (torch.bool, torch.uint8, torch.int64):
        assert torch.equal(network(spikes_of(dtype=dtype)), expected)


# ---------------------------------------------------------------- neurons


@pytest.mark.parametrize("beta", [-0.5, 0.0, 1.0, 1.3])
@pytest.mark.parametrize("layer", [nn.Linear(5, 6), PlasticLinear(5, 6, Oja())])
def test_beta_is_held_within_0_and_1(layer, beta):
    neuron = snntorch.Leaky(beta=beta, spike_grad=Spike()).double()
    found = [scan(layer.double(), neuron, spikes_of(), path=path)[1].v for path in ("reference", "fused")]
    torch.testing.assert_close(*found)
    readout = snntorch.Leaky(beta=beta, reset_mechanism="none").double()
    found = [integrate(spikes_of(), torch.ones(3, 5).double(), readout, path)[0] for path in ("reference", "fused")]
    torch.testing.assert_close(*found)


def test_a_readout_with_a_beta_for_each_class_or_a_learned_one():
    network = network_of("dp-oja")
    network.integrator.beta = torch.tensor([0.5, 0.9], dtype=torch.float64)
    assert_alike(network, fused="auto")
    network.integrator.beta = torch.tensor([0.5, 0.9, 0.7], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"neuron.beta.shape = \(3,\): must be \(\), \(1,\) or \(2,\)"):
        network(spikes_of())
    del network.integrator.beta
    network.integrator.beta = nn.Parameter(torch.tensor(0.8, dtype=torch.float64))
    assert_alike(network, fused="auto")


def test_a_beta_with_a_gradient_is_no_constant():
    network = network_of("dp-oja")
    network.neuron.beta = network.neuron.beta.detach().clone().requires_grad_()
    assert reason(network) is None
    network(spikes_of()).sum().backward()
    assert network.neuron.beta.grad.abs() > 0


@pytest.mark.parametrize("slope", [1, 10.0, 25, 100.0])
def test_snntorch_s_own_fast_sigmoid_is_fused(slope):
    assert fast_sigmoid_slope(surrogate.fast_sigmoid(slope)) == pytest.approx(slope, rel=1e-4)
    layer = PlasticLinear(5, 6, Oja(), modulated=True)
    neuron = snntorch.Leaky(beta=0.8, spike_grad=surrogate.fast_sigmoid(slope))
    spikes, found = spikes_of(dtype=torch.float32), []
    for path in ("reference", "fused"):
        layer.zero_grad()
        out, _ = scan(layer, neuron, spikes, path=path)
        (out * torch.linspace(-1, 1, 6)).sum().backward()
        found.append([out.detach(), *(p.grad.clone() for p in layer.parameters())])
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="fast_sigmoid makes float32 of float64"):
        scan(layer.double(), neuron.double(), spikes.double(), path="fused")


@pytest.mark.parametrize(
    "make",
    [surrogate.atan, surrogate.sigmoid, surrogate.triangular, surrogate.straight_through_estimator],
)
def test_no_other_surrogate_is_taken_for_it_and_the_log_says_what_to_change(make, caplog):
    assert fast_sigmoid_slope(make()) is None
    scan_module.tell_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            scan(nn.Linear(5, 6), snntorch.Leaky(beta=0.8, spike_grad=make()), spikes_of(dtype=torch.float32))
    (record,) = caplog.records
    assert make.__name__ in record.getMessage() and "spikepropamine.leaky" in record.getMessage()


def test_the_surrogate_is_snntorch_s():
    u = torch.linspace(-3, 3, 41).requires_grad_()
    (theirs,) = torch.autograd.grad(surrogate.fast_sigmoid(7)(u).sum(), u)
    (ours,) = torch.autograd.grad(Spike(7)(u).sum(), u)
    torch.testing.assert_close(ours, theirs)
    assert torch.equal(Spike(7)(u), surrogate.fast_sigmoid(7)(u))


@pytest.mark.parametrize(
    "neuron, named",
    [
        (snntorch.Synaptic(alpha=0.9, beta=0.8), "neuron = Synaptic: must be snntorch.Leaky"),
        (snntorch.RLeaky(beta=0.8, all_to_all=False, V=0.1), "neuron = RLeaky: must be snntorch.Leaky"),
        (snntorch.Alpha(alpha=0.9, beta=0.8), "neuron = Alpha: must be"),
        (nn.ReLU(), None),
        ("leaky", "neuron = str: must be"),
    ],
)
def test_neurons_that_are_called_otherwise_are_refused(neuron, named):
    with pytest.raises(TypeError, match=named):
        scan(nn.Linear(5, 6), neuron, spikes_of(dtype=torch.float32))


def test_a_neuron_that_returns_three_values_is_refused():
    class Three(nn.Module):
        def forward(self, current, v):
            return current, v, v

    with pytest.raises(TypeError, match=r"neuron = Three: must return \(spikes, v\) .* it returned 3 values"):
        scan(nn.Linear(5, 6), Three(), spikes_of(dtype=torch.float32))
    with pytest.raises(ValueError, match="neuron.init_hidden = True: must be False"):
        scan(nn.Linear(5, 6), snntorch.Leaky(beta=0.8, init_hidden=True), spikes_of(dtype=torch.float32))


def test_learned_spikes_and_lapicque_take_the_reference_path():
    for neuron in (
        snntorch.Leaky(beta=0.8, learn_graded_spikes_factor=True, spike_grad=Spike()),
        snntorch.Lapicque(beta=0.8, spike_grad=Spike()),
    ):
        layer = PlasticLinear(5, 6, Oja())
        out, state = scan(layer, neuron, spikes_of(dtype=torch.float32))
        (out.sum() + state.v.sum()).backward()
        assert layer.weight.grad.abs().sum() > 0
        assert all(p.grad is not None for p in neuron.parameters())


def test_neurons_that_do_not_reset_fire_as_snntorch_s_do():
    neuron = snntorch.Leaky(beta=0.8, reset_mechanism="none", spike_grad=Spike())
    current = torch.rand(9, 2, 3)
    spikes, v = fire(current, torch.zeros(2, 3), neuron)
    assert spikes.sum() > 0
    torch.testing.assert_close(v, integrate(current, torch.zeros(2, 3), neuron)[1])


# ---------------------------------------------------------------- processes and threads


def test_threads_of_one_s_own():
    network, spikes, found = network_of("ndp-bcm"), spikes_of(60), {}
    expected = network.run(spikes, path="fused").readout.detach()

    def work(k):
        with torch.set_grad_enabled(k % 2 == 0):
            found[k] = [network.run(spikes, path="fused").readout.detach() for _ in range(20)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(x, expected) for results in found.values() for x in results)


@pytest.mark.parametrize("rule", [Oja, STDP])
def test_threads_that_share_a_layer_on_the_reference_path(rule):
    layer = PlasticLeaky(5, 6, rule(), neuron=snntorch.Leaky(beta=0.9, learn_beta=True), dtype=torch.float32)
    sequences, found = [spikes_of(batch=batch, dtype=torch.float32) for batch in (2, 5)], {}

    def made(spikes):
        layer.zero_grad()
        out, _ = layer(spikes)
        return out.detach(), torch.autograd.grad(out.sum(), layer.neuron.beta)[0]

    expected = [made(spikes) for spikes in sequences]
    assert all(out.sum() > 0 for out, _ in expected)

    def work(k):
        found[k] = [made(sequences[k]) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for k in (0, 1):
        assert all(torch.equal(x, y) for one in found[k] for x, y in zip(one, expected[k]))


def test_threads_that_share_parametrized_weights_keep_their_gradients():
    network = network_of("ndp-oja")
    parametrizations.weight_norm(network.synapses, "modulator_weight")
    weight, spikes, found = network.synapses.parametrizations.modulator_weight.original1, spikes_of(20), {}

    def work(k):
        for _ in range(15):
            with torch.set_grad_enabled(k == 0):
                out = network.run(spikes, path="reference" if k == 0 else "auto").readout
            if k == 0:
                found.setdefault("gradients", []).append(torch.autograd.grad(out.sum(), weight, allow_unused=True)[0])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = torch.autograd.grad(network.run(spikes, path="reference").readout.sum(), weight)[0]
    assert len(found["gradients"]) == 15 and all(g is not None and torch.equal(g, expected) for g in found["gradients"])


def test_a_neuron_of_one_s_own_keeps_what_is_its_own():
    class Own(nn.Module):
        mem, reset = "mine", property(lambda self: "never set")

        def forward(self, current, v):
            self.mem = "set on purpose"
            v = 0.9 * v + current
            return (v > 1).to(v.dtype), v

    own = Own()
    scan(PlasticLinear(5, 6, Oja()), own, spikes_of(dtype=torch.float32), path="reference")
    assert own.mem == "set on purpose" and own.reset == "never set"


def in_a_fork(work):
    """Whether ``work`` comes out true in a forked process, which must not wait for threads that it has not."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        threading.Event().wait(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the forked process waits for threads that it has not")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_process_forked_amid_a_call_has_its_own_turn():
    network, spikes = network_of("dp-oja"), spikes_of()
    inside, leave = threading.Event(), threading.Event()

    def wait():
        with reference.tidy(network.neuron):
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=wait)
    thread.start()
    assert inside.wait(20)
    try:
        assert in_a_fork(lambda: len(scan(network.synapses, network.neuron, spikes, path="reference")) == 2)
    finally:
        leave.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_process_has_threads_of_its_own():
    network, spikes = network_of("dp-oja"), spikes_of(batch=9)
    torch.set_num_threads(2)
    expected, _ = scan(network.synapses, network.neuron, spikes, path="fused")
    assert in_a_fork(lambda: torch.equal(scan(network.synapses, network.neuron, spikes, path="fused")[0], expected))


def test_states_are_made_for_the_layer():
    with pytest.raises(ValueError, match="batch_size = 0"):
        initial_state(PlasticLinear(5, 6, Oja()), 0)

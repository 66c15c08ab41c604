"""The kernels against the reference path: on a GPU where there is one, by Triton's interpreter elsewhere."""

import importlib.util
import logging
import re
import sys

import pytest
import snntorch
import torch

from spikepropamine.snn import gpu
from spikepropamine.snn import scan as scan_module
from spikepropamine.snn.layers import PlasticLinear, PlasticState, leaky
from spikepropamine.snn.networks import NETWORKS, build
from spikepropamine.snn.plasticity import RULES, Rule
from spikepropamine.snn.scan import HiddenState, initial_state, scan

pytest.importorskip("triton", reason="Triton is not installed: pip install --no-deps triton")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PLASTIC = [name for name, (rule, _) in NETWORKS.items() if rule is not None]


class Leaving(Rule):
    """Grows with the presynaptic trace alone and forgets: coefficients that are not zero where nothing spikes."""

    name = "leaving"
    decays = True

    @staticmethod
    def coefficients(x_post, theta):
        return (1 + x_post) / (2 + theta), -0.5 - theta

    @staticmethod
    def slopes(x_post, theta):
        return 1 / (2 + theta), 0 * x_post, -(1 + x_post) / ((2 + theta) * (2 + theta)), -1 + 0 * theta


def layer_of(name, P, Q, dtype=torch.float64, scale=3.0, **options):
    network = build(name, P, Q, 2, seed=3, weight_scale=scale, **options).to(dtype)
    with torch.no_grad():
        network.synapses.alpha.mul_(4)
    return network.synapses.to(DEVICE), network.neuron.to(DEVICE)


def spikes_of(T, B, P, rate=0.3, dtype=torch.float64):
    return (torch.rand(T, B, P, generator=torch.Generator().manual_seed(5)) < rate).to(DEVICE, dtype)


def state_of(B, P, Q):
    """A state in the middle of things, with efficacies of both signs."""
    generator = torch.Generator().manual_seed(2)
    v, E, x_pre, x_post, theta = (
        torch.rand(*shape, generator=generator, dtype=torch.float64).to(DEVICE)
        for shape in ((B, Q), (B, Q, P), (B, P), (B, Q), (B, Q))
    )
    return [v, E - 0.5, x_pre, x_post, 0.1 * theta]


def result(run, layer, neuron, spikes, state):
    """Spikes, final state and every gradient."""
    layer.zero_grad()
    s, *state = (x.detach().clone().requires_grad_() for x in (spikes, *state))
    out, last = run(layer, neuron, s, HiddenState(state[0], PlasticState(*state[1:])))
    last = [last.v, *last.plastic]
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=out.device).view_as(out)
    ((out * weights).sum() + sum((x * x).sum() for x in last)).backward()
    gradients = {name: p.grad.clone() for name, p in layer.named_parameters() if p.grad is not None}
    gradients |= {name: x.grad for name, x in zip(("spikes", "v", *PlasticState._fields), (s, *state))}
    return out.detach(), [x.detach() for x in last], gradients


def reference(layer, neuron, spikes, state):
    return scan(layer, neuron, spikes, state, path="reference")


def distance(a, b):
    return ((a - b).abs().max() / a.abs().max().clamp(min=1e-30)).item()


def assert_same(layer, neuron, spikes, state, state_within=1e-9, gradients_within=1e-8):
    assert gpu.obstacle(layer, neuron, spikes) is None
    out, last, gradients = result(reference, layer, neuron, spikes, state)
    out_2, last_2, gradients_2 = result(gpu.run, layer, neuron, spikes, state)
    assert torch.equal(out, out_2)
    assert max(map(distance, last, last_2)) < state_within
    far = {name: distance(g, gradients_2[name]) for name, g in gradients.items()}
    assert max(far.values()) < gradients_within, far
    return out, last


@pytest.mark.parametrize("e_max", [3.0, 0.05])
@pytest.mark.parametrize("name", PLASTIC)
def test_everything_agrees_in_float64(name, e_max):
    layer, neuron = layer_of(name, 6, 5, e_max=e_max)
    out, last = assert_same(layer, neuron, spikes_of(11, 2, 6), state_of(2, 6, 5))
    assert out.any() and not out.all()
    assert (last[1].abs() == e_max).any() or e_max == 3.0


@pytest.mark.parametrize("name, B, P, Q", [("dp-oja", 1, 1, 1), ("ndp-bcm", 1, 7, 3), ("dp-bcm", 2, 9, 33)])
def test_everything_agrees_at_odd_sizes(name, B, P, Q):
    layer, neuron = layer_of(name, P, Q)
    assert_same(layer, neuron, spikes_of(5, B, P), state_of(B, P, Q))


@pytest.mark.parametrize("name", PLASTIC)
def test_everything_agrees_in_float32(name):
    # small weights keep potentials off the threshold, where rounding decides a spike
    layer, neuron = layer_of(name, 16, 16, torch.float32, scale=1.0)
    state = [x.float() for x in state_of(2, 16, 16)]
    assert_same(layer, neuron, spikes_of(12, 2, 16, 0.1, torch.float32), state, 1e-4, 1e-3)


def test_every_rule_of_the_form_has_its_kernels():
    for rule in RULES.values():
        torch.manual_seed(0)
        layer, neuron = PlasticLinear(4, 3, rule()).double().to(DEVICE), leaky(20.0).to(DEVICE)
        spikes = spikes_of(4, 1, 4, 0.6)
        if rule.advance is Rule.advance and rule.update is Rule.update:
            assert_same(layer, neuron, spikes, state_of(1, 4, 3))
        else:
            assert gpu.obstacle(layer, neuron, spikes) == "the rule has an update of its own"


def test_the_surrogate_of_snntorch_keeps_its_slope():
    layer, _ = layer_of("dp-oja", 8, 6, torch.float32, scale=1.0)
    gradient = snntorch.surrogate.fast_sigmoid(slope=7)
    neuron = snntorch.Leaky(beta=0.8, reset_mechanism="subtract", spike_grad=gradient).to(DEVICE)
    state = [x.float() for x in state_of(2, 8, 6)]
    assert_same(layer, neuron, spikes_of(6, 2, 8, dtype=torch.float32), state, 1e-4, 1e-3)


@pytest.mark.parametrize("modulated", [False, True])
def test_a_rule_runs_by_its_two_functions_alone(modulated):
    torch.manual_seed(0)
    layer = PlasticLinear(5, 3, Leaving(0.3), modulated, e_max=0.6).double().to(DEVICE)
    _, last = assert_same(layer, leaky(20.0).to(DEVICE), spikes_of(9, 2, 5), state_of(2, 5, 3))
    assert (last[1].abs() == 0.6).any()


@pytest.mark.slow
@pytest.mark.parametrize("modulated", [False, True])
def test_the_rule_of_the_recipe_runs_on_all_three_paths(modulated, repository, tmp_path):
    recipe = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## A plasticity rule")[1]
    code = re.findall(r"```python\n(.*?)```", recipe.split("\n## ")[0], re.DOTALL)
    source = tmp_path / "recipe.py"
    source.write_text("\n\n".join(["from spikepropamine.snn.plasticity import Rule", *code]), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("recipe", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    layer, neuron = PlasticLinear(5, 3, module.Instar(), modulated).double(), leaky(20.0)
    spikes, state = spikes_of(9, 2, 5).cpu(), [x.cpu() for x in state_of(2, 5, 3)]
    out, _, gradients = result(reference, layer, neuron, spikes, state)
    assert out.any() and gradients["rule.raw_eta"] != 0
    out_2, _, gradients_2 = result(lambda *given: scan(*given, path="fused"), layer, neuron, spikes, state)
    assert torch.equal(out, out_2)
    assert max(distance(g, gradients_2[name]) for name, g in gradients.items()) < 1e-8
    assert_same(layer.to(DEVICE), neuron.to(DEVICE), spikes.to(DEVICE), [x.to(DEVICE) for x in state])


def test_more_programs_than_one_share_the_batch_and_the_neurons(monkeypatch):
    from spikepropamine.snn.gpu import autograd

    monkeypatch.setattr(autograd, "PROGRAMS", 4)
    monkeypatch.setattr(autograd, "tiles", lambda *sizes: gpu.tiles(*sizes)._replace(block_q=2))
    layer, neuron = layer_of("dp-oja", 3, 5)
    assert_same(layer, neuron, spikes_of(3, 3, 3, 0.6), state_of(3, 3, 5))


@pytest.mark.parametrize("name, e_max", [("ndp-oja", 0.05), ("ndp-bcm", 3.0)])
def test_a_modulated_layer_too_large_for_registers_goes_through_memory(name, e_max, monkeypatch):
    from spikepropamine.snn.gpu import autograd

    monkeypatch.setattr(autograd, "PROGRAMS", 2)
    monkeypatch.setattr(autograd, "tiles", lambda *sizes: gpu.tiles(*sizes)._replace(block_q=4, in_memory=True))
    layer, neuron = layer_of(name, 3, 5, e_max=e_max)
    assert_same(layer, neuron, spikes_of(3, 3, 3, 0.6), state_of(3, 3, 5))


def test_empty_time_changes_nothing():
    layer, neuron = layer_of("ndp-oja", 6, 5)
    start = state_of(2, 6, 5)
    out, last, gradients = result(gpu.run, layer, neuron, spikes_of(0, 2, 6), start)
    assert out.shape == (0, 2, 5)
    assert all(torch.equal(a, b) for a, b in zip(start, last))
    assert torch.equal(gradients["E"], 2 * start[1])


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm"])
def test_two_scans_in_a_row_are_one_and_carry_gradients_across(name):
    layer, neuron = layer_of(name, 6, 5)

    def halves(layer, neuron, spikes, state):
        first, state = gpu.run(layer, neuron, spikes[:4], state)
        second, state = gpu.run(layer, neuron, spikes[4:], state)
        return torch.cat([first, second]), state

    arguments = layer, neuron, spikes_of(9, 1, 6), state_of(1, 6, 5)
    whole, end, gradients = result(gpu.run, *arguments)
    out, last, gradients_2 = result(halves, *arguments)
    assert torch.equal(whole, out) and max(map(distance, end, last)) < 1e-12
    assert max(distance(g, gradients_2[name]) for name, g in gradients.items()) < 1e-10


def test_without_gradients_nothing_is_kept_and_the_caller_s_state_is_left_alone():
    layer, neuron = layer_of("ndp-oja", 6, 5)
    spikes, start = spikes_of(6, 2, 6), state_of(2, 6, 5)
    state = HiddenState(start[0].clone(), PlasticState(*(x.clone() for x in start[1:])))
    with torch.no_grad():
        out, last = gpu.run(layer, neuron, spikes, state)
    expected, end = reference(layer, neuron, spikes, state)
    assert torch.equal(out, expected) and not out.requires_grad
    torch.testing.assert_close(last.plastic.E, end.plastic.E)
    assert all(torch.equal(a, b) for a, b in zip(start, (state.v, *state.plastic)))


def test_what_comes_out_may_be_written_to():
    layer, neuron = layer_of("ndp-oja", 6, 4)
    found = []
    for scale in (lambda x: 0.5 * x, lambda x: x.mul_(0.5)):
        layer.zero_grad()
        spikes, state = spikes_of(7, 2, 6), state_of(2, 6, 4)
        out, _ = gpu.run(layer, neuron, spikes, HiddenState(state[0], PlasticState(*state[1:])))
        readout = snntorch.Leaky(beta=0.9, reset_mechanism="none").double().to(DEVICE)
        _, potential, _ = gpu.integrate(scale(out), torch.zeros(2, 4, dtype=out.dtype, device=DEVICE), readout)
        scale(potential).square().sum().backward()
        found.append({name: p.grad.clone() for name, p in layer.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and found[0]["alpha"].any()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_the_same_bits_every_time():
    layer, neuron = layer_of("ndp-oja", 6, 5, torch.float32)
    arguments = layer, neuron, spikes_of(6, 3, 6, dtype=torch.float32), [x.float() for x in state_of(3, 6, 5)]
    _, _, first = result(gpu.run, *arguments)
    _, _, second = result(gpu.run, *arguments)
    assert all(torch.equal(g, second[name]) for name, g in first.items())


@pytest.mark.parametrize("reset", ["subtract", "none"])
def test_neurons_alone_are_snntorch_s(reset):
    neuron = snntorch.Leaky(beta=0.75, reset_mechanism=reset, spike_grad=leaky(20.0).spike_grad).double().to(DEVICE)
    generator = torch.Generator().manual_seed(1)
    current = torch.rand(9, 2, 3, generator=generator, dtype=torch.float64).to(DEVICE)
    start = torch.rand(2, 3, generator=generator, dtype=torch.float64).to(DEVICE)

    def loop(current, v, neuron):
        out, potential = [], []
        for I in current:
            s, v = neuron(I, v)
            out.append(s)
            potential.append(v)
        return torch.stack(out), torch.stack(potential), v

    results = []
    for run in (loop, gpu.integrate):
        I, v = current.clone().requires_grad_(), start.clone().requires_grad_()
        out, potential, last = run(I, v, neuron)
        loss = (potential * potential).sum() + (last * last).sum()
        if reset != "none":
            assert out.any()
            loss = loss + (out * torch.arange(out.numel()).view_as(out).to(out)).sum()
        loss.backward()
        results.append((out if reset != "none" else out[:0], potential, last, I.grad, v.grad))
    for a, b in zip(*results):
        torch.testing.assert_close(a, b)


def test_a_plain_linear_layer_runs_too():
    layer, neuron = torch.nn.Linear(4, 3).double().to(DEVICE), leaky(20.0).double().to(DEVICE)
    spikes = spikes_of(8, 2, 4)
    start = initial_state(layer, 2)
    out, last = gpu.run(layer, neuron, spikes, start)
    expected, end = reference(layer, neuron, spikes, start)
    assert torch.equal(out, expected)
    torch.testing.assert_close(last.v, end.v)


# ---------------------------------------------------------------- as scan reaches it


@pytest.fixture
def reached(monkeypatch):
    """``scan`` with these kernels for tensors of DEVICE, and a fresh memory of what it has said."""
    monkeypatch.setitem(scan_module.BACKENDS, DEVICE, "gpu")
    scan_module.tell_once.cache_clear()


def test_scan_takes_the_kernels_where_they_apply(reached, caplog):
    layer, neuron = layer_of("dp-oja", 6, 5)
    spikes = spikes_of(6, 2, 6)
    expected, _ = scan(layer, neuron, spikes, path="reference")
    with caplog.at_level(logging.WARNING):
        out, _ = scan(layer, neuron, spikes)
    assert torch.equal(out, expected) and not caplog.records
    out.sum().backward()
    assert "PlasticScan" in type(out.grad_fn).__name__ and layer.alpha.grad.any()


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm", "snn"])
def test_gradients_by_what_neurons_learn_are_those_of_the_reference(reached, name):
    network = build(name, 6, 5, 2, seed=3, weight_scale=4.0, learn_beta=True, learn_threshold=True)
    layer, neuron = network.synapses.to(DEVICE, torch.float64), network.neuron.to(DEVICE, torch.float64)
    spikes, gradients = spikes_of(12, 2, 6), []
    start = initial_state(layer, 2)._replace(v=torch.rand(2, 5, dtype=torch.float64, device=DEVICE))
    for path in ("reference", "fused"):
        neuron.zero_grad()
        out, last = scan(layer, neuron, spikes, start, path)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=DEVICE).view_as(out)
        ((out * weights).sum() + (last.v**2).sum()).backward()
        gradients.append(torch.stack([p.grad.clone() for p in neuron.parameters()]))
    assert len(gradients[0]) == 2 and gradients[0].all()
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-9, atol=0)


def taught(network, spikes):
    """A training step without its update: the gradients of all parameters, by name."""
    network.zero_grad(set_to_none=True)
    network(spikes).square().mean().backward()
    return {name: p.grad for name, p in network.named_parameters()}


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm", "snn"])
def test_a_step_is_recorded_as_a_cuda_graph_and_replayed_with_other_spikes(name, caplog):
    network = build(name, 6, 5, 2, seed=3, weight_scale=4.0).to(DEVICE, torch.float64)
    spikes, others = spikes_of(12, 2, 6), 1 - spikes_of(12, 2, 6)
    expected = {name: g.clone() for name, g in taught(network, others).items()}
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        taught(network, spikes)
    torch.cuda.current_stream().wait_stream(beside)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded), caplog.at_level(logging.WARNING):
        gradients = taught(network, spikes)
    spikes.copy_(others)
    recorded.replay()
    assert not caplog.records and all(g.any() for g in expected.values())
    torch.testing.assert_close(gradients, expected)


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_neurons_that_have_not_run_are_not_fused_while_a_cuda_graph_is_recorded():
    layer, neuron = layer_of("dp-oja", 6, 5)
    spikes = spikes_of(3, 2, 6)
    scan(layer, neuron, spikes)
    for graded in (1.0, 0.5):
        new = leaky(20.0).double().to(DEVICE)
        new.graded_spikes_factor.fill_(graded)
        reasons = []
        for runs_before in (False, True):
            if runs_before:
                scan(layer, new, spikes)
            with torch.cuda.graph(torch.cuda.CUDAGraph()):
                reasons.append(scan_module.obstacle(layer, new, spikes))
        assert reasons == [
            "a CUDA graph is recorded with neurons that have not run before",
            None if graded == 1 else "the neuron's spikes are graded",
        ]


def falls_back(layer, neuron, spikes, reason, caplog):
    with caplog.at_level(logging.WARNING):
        outs = [scan(layer, neuron, spikes)[0] for _ in range(2)]
    assert torch.equal(outs[0], scan(layer, neuron, spikes, path="reference")[0])
    (record,) = caplog.records
    assert reason in record.getMessage() and "taking the reference path" in record.getMessage()
    with pytest.raises(ValueError, match="path = 'fused'") as refused:
        scan(layer, neuron, spikes, path="fused")
    assert reason in str(refused.value)


def test_what_is_too_large_takes_the_reference_path_and_says_so_once(reached, caplog):
    layer, neuron = layer_of("dp-oja", 5000, 2)
    falls_back(layer, neuron, spikes_of(2, 1, 5000), "E of a neuron of a layer 5000 → 2 does not fit", caplog)


def test_a_dtype_without_kernels_takes_the_reference_path_and_says_so_once(reached, caplog):
    layer, neuron = layer_of("dp-oja", 3, 2, torch.bfloat16)
    falls_back(layer, neuron, spikes_of(2, 1, 3, dtype=torch.bfloat16), "the dtype is torch.bfloat16", caplog)


def test_without_triton_the_reference_path_runs_and_says_so_once(reached, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    layer, neuron = layer_of("dp-oja", 3, 2)
    falls_back(layer, neuron, spikes_of(2, 1, 3), "Triton is not installed", caplog)


def test_a_tensor_on_another_device_than_the_layer_is_refused_by_name(reached):
    layer, neuron = layer_of("dp-oja", 3, 2)
    spikes, state = spikes_of(2, 1, 3), initial_state(layer, 1)
    elsewhere = state._replace(plastic=state.plastic._replace(E=state.plastic.E.to("meta")))
    with pytest.raises(ValueError, match=f"state.E.device = 'meta': must be '{layer.weight.device}', the device of"):
        scan(layer, neuron, spikes, elsewhere)
    if DEVICE == "cuda":
        with pytest.raises(ValueError, match="spikes.device = 'cpu': must be 'cuda:0'"):
            scan(layer, neuron, spikes.cpu())

import logging
import math
import sys

import pytest
import snntorch
import torch
from torch import nn

from spikepropamine.snn import scan as scan_module
from spikepropamine.snn.layers import PlasticLinear, leaky
from spikepropamine.snn.networks import NETWORKS, build
from spikepropamine.snn.plasticity import BCM, Oja
from spikepropamine.snn.scan import HiddenState, integrate, scan


def network_of(name, P=6, Q=5, dtype=torch.float64, **options):
    network = build(name, P, Q, 2, seed=3, weight_scale=3.0, **options).to(dtype)
    if name != "snn":
        with torch.no_grad():
            network.synapses.alpha.mul_(4)
    return network


def both_paths(network, spikes, state=None):
    """Outputs, final state and every gradient, of each path."""
    results = []
    for path in ("reference", "fused"):
        network.zero_grad()
        s = spikes.clone().requires_grad_()
        out, last = scan(network.synapses, network.neuron, s, state, path)
        final = [last.v, *(last.plastic or ())]
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
        (out * weights).sum().add(sum((x * x).sum() for x in final)).backward()
        gradients = [p.grad.clone() for p in network.synapses.parameters()] + [s.grad]
        results.append((out.detach(), [x.detach() for x in final], gradients))
    return results


def worst(a, b):
    return max(((x - y).abs().max() / x.abs().max().clamp(min=1e-30)).item() for x, y in zip(a, b) if x.numel())


@pytest.mark.parametrize("ticks", [1, 2, 200, 1000])
@pytest.mark.parametrize("e_max", [3.0, 0.05])
@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "snn"])
def test_paths_agree_on_everything_in_float64(name, e_max, ticks):
    network = network_of(name, e_max=e_max)
    spikes = (torch.rand(ticks, 3, 6) < 0.2).double()
    (out, state, grads), (out2, state2, grads2) = both_paths(network, spikes)
    assert torch.equal(out, out2)
    assert worst(state, state2) < 1e-9
    assert worst(grads, grads2) < 1e-8
    if ticks >= 200:
        assert out.sum() > 0
        assert ((state[1].abs() == e_max).any()) or e_max > 1


@pytest.mark.parametrize("B, P, Q", [(1, 1, 1), (1, 7, 3), (9, 17, 33), (64, 8, 16)])
@pytest.mark.parametrize("name", NETWORKS)
def test_paths_agree_at_every_size(name, B, P, Q):
    network = network_of(name, P, Q)
    spikes = (torch.rand(30, B, P) < 0.3).double()
    (out, state, grads), (out2, state2, grads2) = both_paths(network, spikes)
    assert torch.equal(out, out2) and worst(state, state2) < 1e-9 and worst(grads, grads2) < 1e-8


@pytest.mark.parametrize("name", NETWORKS)
def test_paths_agree_in_float32(name):
    # small weights keep potentials off the threshold, where rounding decides a spike
    network = network_of(name, 16, 16, torch.float32)
    spikes = (torch.rand(200, 4, 16, generator=torch.Generator().manual_seed(5)) < 0.1).float()
    (out, state, grads), (out2, state2, grads2) = both_paths(network, spikes)
    assert torch.equal(out, out2)
    assert worst(grads, grads2) < 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_empty_time_changes_nothing(name):
    network = network_of(name)
    for path in ("reference", "fused"):
        out, state = scan(network.synapses, network.neuron, torch.zeros(0, 2, 6, dtype=torch.float64), path=path)
        assert out.shape == (0, 2, 5) and state.v.abs().max() == 0


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm", "snn"])
def test_two_scans_in_a_row_are_one_and_carry_gradients_across(name):
    network = network_of(name)
    spikes = (torch.rand(40, 2, 6) < 0.3).double()
    whole, end = scan(network.synapses, network.neuron, spikes, path="fused")
    (whole.sum() + end.v.square().sum()).backward()
    expected = [p.grad.clone() for p in network.synapses.parameters()]
    network.zero_grad()
    first, state = scan(network.synapses, network.neuron, spikes[:17], path="fused")
    second, end = scan(network.synapses, network.neuron, spikes[17:], state, path="fused")
    (first.sum() + second.sum() + end.v.square().sum()).backward()
    assert torch.equal(torch.cat([first, second]), whole)
    assert worst(expected, [p.grad for p in network.synapses.parameters()]) < 1e-10


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm"])
def test_single_ticks_without_gradients_follow_the_whole_run(name):
    network = network_of(name)
    spikes = (torch.rand(25, 2, 6) < 0.3).double()
    whole, end = scan(network.synapses, network.neuron, spikes, path="reference")
    state, outs = None, []
    with torch.no_grad():
        for s in spikes:
            out, state = scan(network.synapses, network.neuron, s.unsqueeze(0), state, path="fused")
            outs.append(out)
    assert torch.equal(torch.cat(outs), whole)
    torch.testing.assert_close(state.plastic.E, end.plastic.E)


def test_what_has_faded_below_the_smallest_normal_number_is_zero_and_the_thread_s_setting_stays():
    assert torch.set_flush_denormal(False) or pytest.skip("this processor cannot")
    network = network_of("dp-oja", dtype=torch.float32)
    state = scan_module.initial_state(network.synapses, 1)
    state = state._replace(plastic=state.plastic._replace(x_pre=torch.full((1, 6), 0.5)))
    silence = torch.zeros(1800, 1, 6)  # 0.5 exp(−1800 · 5/100), about 4e-40
    _, reference = scan(network.synapses, network.neuron, silence, state, "reference")
    assert 0 < reference.plastic.x_pre.max() < torch.finfo(torch.float32).tiny
    for before in (False, True):
        torch.set_flush_denormal(before)
        _, fused = scan(network.synapses, network.neuron, silence, state, "fused")
        flushes = sys.float_info.min / 2 == 0
        torch.set_flush_denormal(False)
        assert fused.plastic.x_pre.max() == 0 and flushes is before


def test_the_caller_s_state_is_left_alone():
    network = network_of("dp-oja")
    _, state = scan(network.synapses, network.neuron, (torch.rand(9, 2, 6) < 0.3).double())
    kept = [x.detach().clone() for x in (state.v, *state.plastic)]
    with torch.no_grad():
        scan(network.synapses, network.neuron, torch.ones(9, 2, 6, dtype=torch.float64), state)
    assert all(torch.equal(a, b) for a, b in zip(kept, (state.v, *state.plastic)))


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm"])
def test_threads_do_not_change_a_bit(name):
    network = network_of(name, 12, 20, torch.float32)
    spikes = (torch.rand(60, 21, 12) < 0.2).float()
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        network.zero_grad()
        out, _ = scan(network.synapses, network.neuron, spikes, path="fused")
        out.sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in network.synapses.parameters())])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other))


def test_the_readout_is_a_leaky_integral():
    neuron = snntorch.Leaky(beta=0.75, reset_mechanism="none").double()
    current = torch.rand(30, 2, 3, dtype=torch.float64, requires_grad=True)
    start = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    potential, last = integrate(current, start, neuron)
    v = start
    for I, y in zip(current, potential):
        _, v = neuron(I, v)
        torch.testing.assert_close(v, y)
    torch.testing.assert_close(last, v)
    assert torch.autograd.gradcheck(lambda c, s: integrate(c, s, neuron), (current, start))
    with pytest.raises(ValueError, match="reset_mechanism = 'subtract': must be 'none'"):
        integrate(current, start, leaky(20.0).double())


@pytest.mark.parametrize(
    "neuron, reason",
    [
        (snntorch.Leaky(beta=0.8), "spike function"),
        (leaky(20.0).requires_grad_(False), None),
        (leaky(20.0, learn_beta=True, learn_threshold=True), None),
        (snntorch.Leaky(beta=0.8, learn_graded_spikes_factor=True, spike_grad=leaky(20.0).spike_grad), "learned"),
        (snntorch.Leaky(beta=0.8, reset_mechanism="zero", spike_grad=leaky(20.0).spike_grad), "zero"),
        (snntorch.Leaky(beta=0.8, reset_delay=False, spike_grad=leaky(20.0).spike_grad), "without delay"),
        (snntorch.Leaky(beta=torch.full((5,), 0.8), spike_grad=leaky(20.0).spike_grad), "differ"),
    ],
)
def test_where_the_fused_path_does_not_apply_the_reference_runs_and_says_so_once(neuron, reason, caplog):
    layer = PlasticLinear(6, 5, Oja())
    scan_module.tell_once.cache_clear()
    spikes = (torch.rand(4, 2, 6) < 0.5).float()
    with caplog.at_level(logging.WARNING):
        scan(layer, neuron, spikes)
        scan(layer, neuron, spikes)
    lines = [record.getMessage() for record in caplog.records]
    if reason is None:
        assert lines == []
    else:
        assert len(lines) == 1 and reason in lines[0]
        with pytest.raises(ValueError, match="path = 'fused'"):
            scan(layer, neuron, spikes, path="fused")


def test_a_readout_of_a_dtype_without_kernels_takes_the_reference_path_and_says_so_once(caplog):
    neuron = snntorch.Leaky(beta=0.75, reset_mechanism="none").bfloat16()
    current, start = torch.ones(3, 2, 4, dtype=torch.bfloat16), torch.zeros(2, 4, dtype=torch.bfloat16)
    scan_module.tell_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            integrate(current, start, neuron)
    (record,) = caplog.records
    assert "taking the reference path: the dtype is torch.bfloat16" in record.getMessage()
    with pytest.raises(ValueError, match="path = 'fused': must be 'auto' or 'reference' where the dtype is"):
        integrate(current, start, neuron, "fused")


def test_a_rule_with_an_update_of_its_own_takes_the_reference_path():
    class Hebb(Oja):
        def update(self, E, x_pre, x_post, theta, rate):
            return E + rate.unsqueeze(-1) * x_post.unsqueeze(-1) * x_pre.unsqueeze(-2) ** 2

    layer = PlasticLinear(3, 2, Hebb())
    spikes = torch.ones(5, 1, 3)
    with pytest.raises(ValueError, match="update of its own"):
        scan(layer, leaky(20.0), spikes, path="fused")
    out, _ = scan(layer, leaky(20.0), spikes)
    assert out.shape == (5, 1, 2)


def test_bad_spikes_are_refused_by_name():
    layer, neuron = PlasticLinear(3, 2, BCM()), leaky(20.0)
    good = torch.zeros(4, 2, 3)
    nan = good.clone()
    nan[1, 0, 2] = math.nan
    with pytest.raises(ValueError, match="spikes = '1 of 24 entries NaN or infinite': must be finite"):
        scan(layer, neuron, nan)
    with pytest.raises(TypeError, match="spikes has dtype torch.float64: must be torch.float32"):
        scan(layer, neuron, good.double())
    with pytest.raises(ValueError, match=r"spikes.shape = \(4, 2, 2\): must be \(T, B, 3\)"):
        scan(layer, neuron, good[..., :2])
    with pytest.raises(TypeError, match="spikes is a list"):
        scan(layer, neuron, [[0.0]])
    with pytest.raises(ValueError, match="path = 'quick': must be one of 'auto'"):
        scan(layer, neuron, good, path="quick")


def test_the_linear_layer_runs_as_snntorch_does():
    layer, neuron = nn.Linear(4, 3), leaky(20.0)
    with torch.no_grad():
        layer.weight.mul_(3)
    spikes = (torch.rand(50, 2, 4) < 0.4).float()
    out, state = scan(layer, neuron, spikes, HiddenState(torch.zeros(2, 3), None))
    v = torch.zeros(2, 3)
    for s, o in zip(spikes, out):
        expected, v = neuron(layer(s), v)
        torch.testing.assert_close(expected, o)
    torch.testing.assert_close(v, state.v)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_reference_path_gives_the_same_on_a_gpu(name):
    network = network_of(name)
    spikes = (torch.rand(30, 3, 6) < 0.3).double()
    here = network(spikes)
    there = network.to("cuda")(spikes.to("cuda"))
    torch.testing.assert_close(there.cpu(), here)

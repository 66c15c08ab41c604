import re

import pytest
import torch

from spikepropamine.snn import networks
from spikepropamine.snn.networks import NETWORKS, NetworkOptions, build, rule_of, scaled
from spikepropamine.snn.scan import fire


def spikes(T=60, B=4, P=6):
    return (torch.rand(T, B, P, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def test_one_seed_gives_every_network_the_same_fixed_weights():
    networks = {name: build(name, 6, 5, 2, seed=7) for name in NETWORKS}
    for network in networks.values():
        for parameter in ("synapses.weight", "synapses.bias", "readout.weight", "readout.bias"):
            assert torch.equal(network.get_parameter(parameter), networks["snn"].get_parameter(parameter))
    plastic = [n for name, n in networks.items() if name != "snn"]
    assert all(torch.equal(n.synapses.alpha, plastic[0].synapses.alpha) for n in plastic)
    assert torch.equal(networks["ndp-oja"].synapses.modulator_weight, networks["ndp-bcm"].synapses.modulator_weight)
    assert not torch.equal(build("snn", 6, 5, 2, seed=8).synapses.weight, networks["snn"].synapses.weight)


def test_networks_have_the_parameters_their_names_say():
    fixed = {"synapses.weight", "synapses.bias", "readout.weight", "readout.bias"}
    plastic, modulated = (
        {"synapses.alpha", "synapses.rule.raw_eta"},
        {"synapses.modulator_weight", "synapses.modulator_bias"},
    )
    expected = {
        "snn": fixed,
        "dp-oja": fixed | plastic,
        "dp-bcm": fixed | plastic,
        "ndp-oja": fixed | plastic | modulated,
        "ndp-bcm": fixed | plastic | modulated,
    }
    for name in NETWORKS:
        assert {n for n, _ in build(name, 6, 5, 2).named_parameters()} == expected[name]


@pytest.mark.parametrize("path", ["reference", "fused"])
@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "snn"])
def test_the_plain_network_is_a_plastic_one_with_alpha_zero(name, path):
    plastic, plain = build(name, 6, 5, 2, seed=2).double(), build("snn", 6, 5, 2, seed=2).double()
    with torch.no_grad():
        plastic.synapses.alpha.zero_()
    ours, theirs = plastic.run(spikes().double(), path=path), plain.run(spikes().double(), path=path)
    assert torch.equal(ours.spikes, theirs.spikes) and ours.spikes.sum() > 0
    torch.testing.assert_close(ours.readout, theirs.readout)
    assert plastic.run(spikes().double()).state[0].plastic.E.abs().max() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recording_is_what_the_network_did(name):
    network = build(name, 6, 5, 2)
    readout, recording = network(spikes(), record=True)
    run = network.run(spikes())
    torch.testing.assert_close(readout, run.readout)
    torch.testing.assert_close(recording.spikes, run.spikes)
    if name == "snn":
        assert recording.E is None
    else:
        assert recording.E.shape == (60, 4, 5, 6) and recording.E[0].abs().max() == 0
        held = network.run(spikes()[:-1]).state[0].plastic.E
        torch.testing.assert_close(recording.E[-1], held)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (dict(name="dp-hebb"), "name = 'dp-hebb': must be one of 'snn'"),
        (dict(n_inputs=0), "n_inputs = 0"),
        (dict(n_hidden=2.5), "n_hidden = 2.5"),
        (dict(n_outputs=True), "n_outputs = True"),
        (dict(seed=-1), "seed = -1"),
        (dict(dt=0.0), "dt = 0.0: must be a finite number > 0"),
        (dict(tau=3.0), "option = 'tau': must be one of 'dt'"),
    ],
)
def test_bad_values_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        build(**dict(name="snn", n_inputs=2, n_hidden=2, n_outputs=2) | arguments)


def test_options_of_a_rule_start_it_and_are_scaled_with_its_rates(monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "dp-stdp", ("stdp", False))
    rule = build("dp-stdp", 6, 5, 2, rule=dict(eta_minus=0.5)).synapses.rule
    assert rule.eta.item() == pytest.approx(1.0) and rule.eta_minus.item() == pytest.approx(0.5)
    options = scaled(NetworkOptions(rule=dict(eta_minus=0.5)), "dp-stdp", 0.2)
    assert options.rule == pytest.approx(dict(eta_plus=0.2, eta_minus=0.1))
    assert scaled(NetworkOptions(), "dp-stdp", 1.0) == NetworkOptions()
    published = scaled(NetworkOptions(), "dp-oja", 0.2)
    assert published.rule == {} and (published.eta_oja, published.eta_bcm) == (1.0, 4.0)
    assert build("dp-oja", 6, 5, 2, rule=dict(eta=0.3)).synapses.rule.eta.item() == pytest.approx(0.3)
    assert rule_of("snn") is None and rule_of("ndp-bcm").tau_theta == 500.0
    with pytest.raises(ValueError, match="rule = .*must be empty for snn, which has no rule"):
        build("snn", 6, 5, 2, rule=dict(eta=0.3))
    with pytest.raises(ValueError, match="name = 'dp-gru': must be one of 'snn'"):
        rule_of("dp-gru")


@pytest.mark.parametrize("name", ["snn", "ndp-bcm"])
def test_a_recording_takes_the_spikes_that_the_network_takes(name):
    network = build(name, 6, 5, 2)
    counted = spikes() > 0
    torch.testing.assert_close(network(counted, record=True)[0], network(counted))
    readout, recording = network(spikes()[:0], record=True)
    assert readout.shape == (0, 4, 2) and recording.spikes.shape == recording.v.shape == (0, 4, 5)
    assert recording.E is None if name == "snn" else recording.E.shape == (0, 4, 5, 6)


@pytest.mark.parametrize("name", ["snn", "ndp-bcm"])
def test_a_state_goes_on_without_its_history_and_in_another_dtype(name):
    network, spikes = build(name, 6, 5, 2, seed=1), (torch.rand(20, 3, 6) < 0.5).float()
    first = network.run(spikes[:12])
    rest = network.run(spikes[12:], first.state.detach())
    whole = network.run(spikes).readout
    torch.testing.assert_close(torch.cat([first.readout, rest.readout]), whole)
    cut, other = first.state.detach(), first.state.to(torch.float64)
    for state, kept in ((first.state, None), (cut, torch.float32), (other, torch.float64)):
        parts = (state.readout, state.hidden.v, *(state.hidden.plastic or ()))
        assert kept is None or all(x.dtype == kept for x in parts)
        assert any(x.requires_grad for x in parts) == (state is not cut)


def test_a_state_that_is_none_is_named_in_one_line():
    network, spikes = build("dp-oja", 6, 5, 2), torch.ones(4, 3, 6)
    run = network.run(spikes)
    for wrong, kind in ((run, "Run"), (run.state.hidden, "HiddenState"), (1, "int")):
        with pytest.raises(TypeError, match=f"state is a {kind}: must be None or a NetworkState, the state of a run"):
            network.run(spikes, wrong)
    with pytest.raises(TypeError, match="record is a NetworkState: must be True or False"):
        network(spikes, run.state)
    with pytest.raises(ValueError, match=re.escape("state.readout.shape = (2, 2): must be (3, 2)")):
        network.run(spikes, (run.state.hidden, torch.zeros(2, 2)))
    with pytest.raises(TypeError, match="state.readout has dtype torch.float64: must be torch.float32"):
        network.run(spikes, run.state._replace(readout=run.state.readout.double()))
    with pytest.raises(TypeError, match="current has dtype torch.bool: must be one of torch.float32"):
        fire(spikes.bool(), torch.zeros(3, 6), network.neuron)

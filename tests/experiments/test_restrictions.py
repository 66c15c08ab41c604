import dataclasses

import pytest
import torch

from spikepropamine.experiments import temporal
from spikepropamine.experiments.config import RestrictedNetwork
from spikepropamine.experiments.restrictions import RESTRICTIONS, restrict
from spikepropamine.records.runs import config_hash
from spikepropamine.snn.networks import NETWORKS, build
from spikepropamine.tasks.recall import Recall
from spikepropamine.training.supervised import Training, train

PLASTIC = [name for name in NETWORKS if name != "snn"]
TASK = Recall(n_bits=4, bits_again=2, group_size=1, delay_ms=50.0, decision_ms=50.0)
SHORT = Training(steps=3, batch_size=8, learning_rate=1e-2, evaluate_every=3, evaluation_trials=16)


def trained(name, held):
    network = build(name, TASK.n_inputs, 12, TASK.n_outputs, seed=1, weight_scale=4.0)
    if held:
        restrict(network, held)
    before = {k: p.detach().clone() for k, p in network.named_parameters()}
    result = train(network, TASK, SHORT, 0)
    return network, {k for k, p in network.named_parameters() if not torch.equal(p, before[k])}, result


@pytest.mark.parametrize("name", PLASTIC)
def test_what_is_held_stays_and_the_rest_is_trained(name):
    free = trained(name, None)[1]
    held = {
        **{"α at 0": "synapses.alpha", "W at 0": "synapses.weight", "η": "synapses.rule.raw_eta"},
        **{"α": "synapses.alpha", "W": "synapses.weight"},
    }
    assert set(held.values()) <= free
    for restriction, parameter in held.items():
        network, changed, _ = trained(name, restriction)
        assert (
            parameter not in changed and {"readout.bias", "synapses.bias"} <= changed
        )  # with W at 0 no neuron spikes at first
        if restriction.endswith("at 0"):
            assert dict(network.named_parameters())[parameter].abs().max() == 0


def test_one_alpha_is_one_number_that_is_learned():
    start = build("dp-oja", TASK.n_inputs, 12, TASK.n_outputs, seed=1).synapses.alpha.abs().mean()
    network, changed, result = trained("dp-oja", "one α")
    name = "synapses.parametrizations.alpha.original"
    assert name in changed and network.synapses.alpha.shape == (12, TASK.n_inputs)
    assert network.synapses.alpha.unique().numel() == 1 and network.synapses.alpha[0, 0] != start
    assert result.weights[name].shape == (1, 1)


@pytest.mark.parametrize("name", PLASTIC)
def test_without_plasticity_a_plastic_network_is_the_plain_one(name):
    spikes = TASK.sample(4, torch.Generator().manual_seed(0)).spikes.float()
    plain = build("snn", TASK.n_inputs, 12, TASK.n_outputs, seed=1, weight_scale=4.0).run(spikes)
    restricted = restrict(build(name, TASK.n_inputs, 12, TASK.n_outputs, seed=1, weight_scale=4.0), "α at 0").run(
        spikes
    )
    assert plain.spikes.sum() > 0 and torch.equal(plain.spikes, restricted.spikes)


def test_the_experiment_differs_from_the_free_one_in_nothing_else():
    free = {config.network.name: config for config in temporal.temporal("recall").configs if config.task.noise == "low"}
    configs = temporal.restricted("recall").configs
    assert {(c.network.name, c.network.held) for c in configs} == {
        (name, held) for name in PLASTIC for held in RESTRICTIONS
    }
    for config in configs:
        plain = dataclasses.asdict(config.network)
        plain.pop("held")
        assert plain == dataclasses.asdict(free[config.network.name].network)
        assert (config.task, config.training) == (free[config.network.name].task, free[config.network.name].training)
        assert config.hash == config_hash(config) != free[config.network.name].hash


def test_bad_values_are_refused_by_name():
    with pytest.raises(ValueError, match="held = 'U': must be one of"):
        restrict(build("dp-oja", 4, 4, 2), "U")
    with pytest.raises(ValueError, match="network = 'not modulated': must be modulated for held = 'V at 0'"):
        restrict(build("dp-oja", 4, 4, 2), "V at 0")
    with pytest.raises(ValueError, match="network = 'Linear': must be one with plastic synapses"):
        restrict(build("snn", 4, 4, 2), "η")
    with pytest.raises(ValueError, match="held = 'beta'"):
        RestrictedNetwork("dp-oja", held="beta")


@pytest.mark.parametrize("name", PLASTIC)
@pytest.mark.parametrize("held", RESTRICTIONS)
def test_restricted_networks_take_the_fused_path_and_it_agrees_with_the_reference(name, held):
    network = restrict(build(name, 7, 5, 2, seed=3, weight_scale=4.0), held).double()
    spikes = (torch.rand(30, 4, 7, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    found = {}
    for path in ("reference", "fused"):
        network.zero_grad()
        run = network.run(spikes, path=path)
        run.readout.square().sum().backward()
        found[path] = [run.readout.detach(), *(p.grad for p in network.parameters() if p.grad is not None)]
    assert len(found["fused"]) == len(found["reference"]) > 4
    for fused, reference in zip(found["fused"], found["reference"]):
        torch.testing.assert_close(fused, reference, rtol=1e-9, atol=1e-10)

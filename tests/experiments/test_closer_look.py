import dataclasses

import pytest
import torch

from spikepropamine.experiments import closer_look
from spikepropamine.experiments import temporal_round_two as two
from spikepropamine.experiments.restrictions import restrict
from spikepropamine.snn.networks import build


def test_no_seed_of_a_verdict_is_used_but_where_a_run_is_compared_with_it():
    for name, make in closer_look.CLOSER_LOOK.items():
        experiment = make()
        assert experiment.name == name
        assert set(experiment.seeds).isdisjoint(two.SEEDS) or name == "cue-reward-high-steep"


def test_what_is_compared_is_trained_alike():
    for name, make in closer_look.CLOSER_LOOK.items():
        configs = make().configs
        trainings = {(c.task.name, dataclasses.replace(c.training, learning_rate=1.0)) for c in configs}
        assert len(trainings) == len({config.task.name for config in configs}), name


def test_a_variant_of_a_network_differs_from_it_in_one_thing():
    configs = closer_look.variants().configs
    assert len(configs) == 4 * (1 + len(closer_look.PARTS)) + 2 * (len(closer_look.E_MAX) + len(closer_look.GATES) + 1)
    assert tuple(closer_look.varied().values()) == configs
    ours = [two.network(name, two.CHOSEN[name]) for name in closer_look.PUBLISHED_PLASTIC]
    free = [config.network for config in configs if config.network in ours]
    assert free == ours
    for config in configs:
        one = vars(config.network) | {"held": getattr(config.network, "held", None)}
        differences = []
        for network in ours:
            other = vars(network) | {"held": None}
            options = {k for k, v in vars(network.options).items() if v != getattr(config.network.options, k)}
            differences.append(len({k for k in ("name", "held") if one[k] != other[k]} | options))
        assert min(differences) == (0 if config.network in ours else 1)


def test_the_steep_surrogate_is_all_that_differs_from_round_two():
    gentle = {config.network.name: config for config in two.round_two("cue-reward-high").configs}
    for config in closer_look.steep().configs:
        one = gentle[config.network.name]
        assert config.network.options.slope == closer_look.STEEP > one.network.options.slope
        options = dataclasses.replace(config.network.options, slope=one.network.options.slope)
        assert dataclasses.replace(config, network=dataclasses.replace(config.network, options=options)) == one


@pytest.mark.parametrize("name", ["dp-oja", "ndp-bcm"])
def test_a_smooth_bound_is_the_clip_where_e_is_small_and_saturates_where_it_is_not(name):
    spikes = (torch.rand(40, 3, 7, generator=torch.Generator().manual_seed(0)) < 0.5).double()

    def efficacies(e_max, held):
        network = build(name, 7, 5, 2, seed=3, weight_scale=4.0, e_max=e_max).double()
        if held:
            restrict(network, held)
        run = network.run(spikes)
        run.readout.square().sum().backward()
        return run.readout.detach(), run.state[0].plastic.E.detach(), network.synapses.alpha.grad

    far, wide = efficacies(1e6, None), efficacies(1e6, "smooth bound")
    assert far[1].abs().max() > 0.1
    torch.testing.assert_close(far, wide, rtol=1e-6, atol=1e-9)
    tight, clipped = efficacies(0.01, "smooth bound"), efficacies(0.01, None)
    assert tight[1].abs().max() > 0.1 >= 0.01 >= clipped[1].abs().max()  # it is E in the current that is bounded
    assert not torch.allclose(tight[2], clipped[2])


def test_a_held_gate_stays_random_or_constant():
    spikes = (torch.rand(40, 3, 7, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    for held in closer_look.GATES.values():
        network = restrict(build("ndp-bcm", 7, 5, 2, seed=3, weight_scale=4.0), held)
        with torch.no_grad():
            _, recording = network(spikes, record=True)
        gate = recording.modulator
        if held == "V at 0":
            assert torch.equal(gate, gate[0, 0, 0].expand_as(gate)) and 0.7 < gate[0, 0, 0] < 0.8
        else:
            assert gate.std() > 0
        trained = {name for name, p in network.named_parameters() if p.requires_grad and "modulator" in name}
        assert trained == ({"synapses.modulator_bias"} if held == "V at 0" else set())


def test_a_curriculum_is_the_task_after_easier_ones_and_as_long_in_all():
    for config in closer_look.curriculum().configs:
        (cell,) = [cell for cell in two.CELLS.values() if cell.task == config.task]
        assert (len(config.training.earlier) + 1) * config.training.steps == cell.steps
        assert config.training.earlier == tuple(sorted(config.training.earlier))
        assert max(config.training.earlier) < config.task.n_cues
    task = dataclasses.replace(config.task, **config.task.smallest, cue_inputs=12, active=3)
    little = dict(steps=2, batch_size=4, evaluate_every=2, evaluation_trials=8)
    task = dataclasses.replace(task, n_cues=3)
    taught = closer_look.TaughtConfig(task, config.network, closer_look.Curriculum(**little, earlier=(2,)))
    network = taught.build(0)
    found = taught.train(network, 0, None, lambda step, latest: None)
    alone = dataclasses.replace(taught, training=closer_look.Curriculum(**little))
    other = alone.build(0)
    closer_look.train(other, dataclasses.replace(task, n_cues=2), alone.training, 0)
    again = alone.train(other, 0, None, lambda step, latest: None)
    assert {"taught.2.accuracy", "taught.2.firing_rate"} == found.metrics.keys() - again.metrics.keys()
    assert all(torch.equal(weight, again.weights[name]) for name, weight in found.weights.items())

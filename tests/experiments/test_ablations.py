import pandas as pd
import pytest
import torch

from spikepropamine.experiments import ablations
from spikepropamine.experiments.ablations import (
    AtDecision,
    forget_all_else,
    forget_efficacies,
    run_with_shuffled_modulator,
)
from spikepropamine.experiments.sweeps import Store, sweep
from spikepropamine.experiments.temporal import TASKS, temporal
from spikepropamine.snn.networks import NETWORKS, SpikingNetwork, build
from spikepropamine.tasks.recall import Recall

PLASTIC = [name for name in NETWORKS if name != "snn"]


def network_of(name, seed=1):
    network = build(name, 40, 16, 10, seed=seed, weight_scale=4.0, eta_oja=0.5, eta_bcm=2.0).double()
    with torch.no_grad():
        network.synapses.alpha.mul_(10)
    return network


@pytest.fixture
def spikes():
    return Recall(noise="high").sample(6, torch.Generator().manual_seed(0)).spikes.double()


@pytest.mark.parametrize("name", PLASTIC)
@torch.no_grad()
def test_a_run_in_two_parts_with_nothing_changed_is_the_run(name, spikes):
    network = network_of(name)
    whole, parts = network.run(spikes), AtDecision(90, lambda state: state)(network, spikes)
    assert torch.equal(whole.spikes, parts.spikes)
    torch.testing.assert_close(whole.readout, parts.readout)


@pytest.mark.parametrize("name", PLASTIC)
@torch.no_grad()
def test_each_ablation_takes_what_it_says_and_nothing_before_the_decision(name, spikes):
    network = network_of(name)
    whole = network.run(spikes)
    hidden, y = state = network.run(spikes[:90]).state
    assert all(x.abs().sum() > 0 for x in (hidden.v, y, *hidden.plastic[:3]))
    forgot, y_kept = forget_efficacies(state)
    assert forgot.plastic.E.abs().max() == 0 and torch.equal(forgot.v, hidden.v) and torch.equal(y_kept, y)
    assert all(torch.equal(a, b) for a, b in zip(forgot.plastic[1:], hidden.plastic[1:]))
    kept, y_forgot = forget_all_else(state)
    assert torch.equal(kept.plastic.E, hidden.plastic.E)
    assert max(x.abs().max() for x in (kept.v, y_forgot, *kept.plastic[1:])) == 0
    for change in (forget_efficacies, forget_all_else):
        run = AtDecision(90, change)(network, spikes)
        assert torch.equal(run.spikes[:90], whole.spikes[:90])
        assert not torch.equal(run.readout[90:], whole.readout[90:])


@torch.no_grad()
def test_the_shuffled_modulator_is_the_same_values_at_other_times(spikes):
    network = network_of("ndp-oja")
    gates, shuffled = network(spikes, record=True)[1].modulator, []
    original = network.synapses.modulator
    run = run_with_shuffled_modulator(network, spikes)
    assert network.synapses.modulator == original
    undisturbed = network.run(spikes).readout
    assert not torch.equal(run.readout, undisturbed)
    # replayed in order, the modulator gives the undisturbed run
    ticks = iter(gates)
    network.synapses.modulator = lambda x_post: shuffled.append(x_post) or next(ticks)
    torch.testing.assert_close(network.run(spikes, path="reference").readout, undisturbed)
    assert len(shuffled) == len(spikes)


def test_only_modulated_networks_have_a_modulator_to_shuffle():
    assert "modulator shuffled" in ablations.ablations(
        "ndp-bcm", Recall()
    ) and "modulator shuffled" not in ablations.ablations("dp-bcm", Recall())
    assert ablations.ablations("dp-oja", Recall())["intact"] is SpikingNetwork.run


def test_measuring_covers_every_task_network_and_ablation_once(tmp_path):
    store = Store(tmp_path)
    for task in TASKS:
        sweep(temporal(task, "smoke", 1, ["dp-oja", "ndp-oja"]), store)
    table, facts = ablations.measure("smoke", 1, ["snn", "dp-oja", "ndp-oja"], store)
    assert facts["trials"] == 16 and not table.duplicated(["task", "network", "noise", "seed", "ablation"]).any()
    assert len(table) == len(TASKS) * 2 * (3 + 4) and set(table.task) == set(TASKS)
    runs = pd.concat(
        [store.results(temporal(task, "smoke", 1, ["dp-oja", "ndp-oja"]))[0].assign(task=task) for task in TASKS]
    )
    assert set(table.config_hash) == set(runs.config_hash)
    assert ablations.measure("smoke", 1, ["snn"], store)[0].empty


def test_what_is_measured_already_stays_and_only_the_rest_is_measured(tmp_path):
    store = Store(tmp_path)
    sweep(temporal("recall", "smoke", 1, ["dp-oja"], ["low"]), store)
    gone = pd.DataFrame(
        [
            {
                "task": "recall",
                "network": "dp-oja",
                "noise": "low",
                "seed": 7,
                "config_hash": "gone",
                "ablation": "intact",
                "accuracy": 1.0,
            }
        ]
    )
    first, _ = ablations.measure("smoke", 1, ["dp-oja"], store, earlier=gone)
    assert first.seed.tolist() == [7, 0, 0, 0]
    first["accuracy"] = 2.0
    again, _ = ablations.measure("smoke", 1, ["dp-oja"], store, earlier=first)
    pd.testing.assert_frame_equal(again, first)

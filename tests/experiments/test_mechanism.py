import dataclasses

import pytest
import torch

from spikepropamine.experiments import mechanism
from spikepropamine.snn.networks import build
from spikepropamine.tasks.cue_association import CueAssociation
from spikepropamine.tasks.recall import Recall
from spikepropamine.training.supervised import evaluate, held_out

TASK = CueAssociation(n_cues=3, delay_ms=50.0, decision_ms=50.0)


def network(task=TASK, **options):
    return build("ndp-bcm", task.n_inputs, 12, task.n_outputs, seed=1, weight_scale=5.0, **options)


def test_a_swap_moves_efficacies_alone_and_by_one_trial():
    one = network()
    own = mechanism.state_at_decision(one, TASK, held_out(TASK, 6, 0).spikes)
    other = mechanism.rolled(own)
    mixed = mechanism.with_efficacies(own, other)
    assert torch.equal(other[0].plastic.E[1], own[0].plastic.E[0]) and torch.equal(other[1][0], own[1][-1])
    assert torch.equal(mixed[0].plastic.E, other[0].plastic.E) and not torch.equal(other[0].plastic.E, own[0].plastic.E)
    assert torch.equal(mixed[0].v, own[0].v) and torch.equal(mixed[0].plastic.x_post, own[0].plastic.x_post)


@pytest.mark.parametrize("task", [TASK, Recall(n_bits=4, bits_again=2, delay_ms=50.0)])
def test_answers_follow_e_where_nothing_else_is_heard_and_do_not_where_e_has_no_part(task):
    """A network that reads E alone follows its donor in all that it gets right: with α at zero the donor's E is nothing."""
    one = network(task)
    with torch.no_grad():
        one.synapses.alpha.zero_()
    found = mechanism.swap(one, task, 64)
    batch = held_out(task, 64, 0)
    own = mechanism.state_at_decision(one, task, batch.spikes)
    with torch.no_grad():
        said = mechanism.answers(mechanism.decide(one, task, batch.spikes, own), task)
    labels = batch.labels.reshape(64, -1)
    conflict = labels != labels.roll(1, 0)
    if batch.asked is not None:
        conflict &= batch.asked
    # without α, E of another changes no answer: it follows the donor as often as it is wrong on its own
    assert found["follows.E"] == pytest.approx((said != labels)[conflict].double().mean().item())


def test_the_probe_without_spikes_is_the_silent_task():
    one = network()
    silent = evaluate(one, dataclasses.replace(TASK, noise=0.0), 64)["accuracy"]
    found = mechanism.probe(one, TASK, 64)
    assert found["probe.0"] == pytest.approx(silent) and set(found) == {f"probe.{hz:g}" for hz in mechanism.PROBE_HZ}


def test_what_stands_at_its_bound_is_counted():
    narrow, wide = mechanism.bound(network(e_max=1e-6), TASK, 8), mechanism.bound(network(e_max=1e6), TASK, 8)
    assert narrow["at bound"] > 0.1 and narrow["carried"] > 0.5
    assert wide == {"at bound": 0.0, "carried": 0.0}

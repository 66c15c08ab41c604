import math

import pytest
import torch

from spikepropamine.records.atomic import DamagedRecord
from spikepropamine.snn.networks import build
from spikepropamine.tasks.cue_association import CueAssociation
from spikepropamine.training.supervised import Training, evaluate, held_out, train

TASK = CueAssociation(n_cues=1, cue_ms=50.0, gap_ms=0.0, delay_ms=50.0, decision_ms=50.0)
SHORT = Training(steps=6, batch_size=8, evaluate_every=2, evaluation_trials=64)


def network(name="ndp-bcm", seed=0, n_inputs=40):
    return build(name, n_inputs, 16, 2, seed=seed)


def without_time(metrics):
    return {name: value for name, value in metrics.items() if not name.endswith("seconds")}


@pytest.mark.parametrize("name", ["snn", "ndp-bcm"])
def test_one_seed_gives_identical_metrics_and_another_gives_others(name):
    first, second, other = (train(network(name), TASK, SHORT, seed) for seed in (0, 0, 1))
    assert without_time(first.metrics) == without_time(second.metrics)
    assert all(torch.equal(first.weights[k], second.weights[k]) for k in first.weights)
    assert first.metrics["loss"] != other.metrics["loss"]


def test_evaluating_leaves_the_held_out_trials_as_they_were_drawn():
    evaluate(network(), TASK, 64)
    kept, drawn = held_out(TASK, 64, 0), held_out.__wrapped__(TASK, 64, 0)
    assert held_out.cache_info().hits > 0
    assert torch.equal(kept.spikes, drawn.spikes) and torch.equal(kept.labels, drawn.labels)


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path):
    whole = train(network(), TASK, SHORT, 0)

    class Stopped(Exception):
        pass

    def stop(step, latest):
        if step == 5:
            raise Stopped

    path = tmp_path / "run.safetensors"
    with pytest.raises(Stopped):
        train(network(), TASK, SHORT, 0, path, stop)
    steps = []
    resumed = train(network(), TASK, SHORT, 0, path, lambda step, latest: steps.append(step))
    assert steps == [5, 6]
    assert all(torch.equal(whole.weights[k], resumed.weights[k]) for k in whole.weights)
    torch.testing.assert_close(resumed.curves, whole.curves, rtol=0, atol=0, equal_nan=True)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / "run.safetensors"
    train(network(), TASK, SHORT, 0, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedRecord, match="run.safetensors: not a checkpoint of this run"):
        train(network(), TASK, SHORT, 0, path)


def test_training_learns_a_task_without_a_delay():
    easy = CueAssociation(n_cues=1, cue_ms=100.0, gap_ms=0.0, delay_ms=0.0, decision_ms=50.0)
    trained = train(
        network("snn"), easy, Training(steps=60, batch_size=32, learning_rate=1e-2, evaluation_trials=512), 0
    )
    assert trained.metrics["accuracy"] > 0.9


def test_a_fresh_network_is_at_chance():
    assert evaluate(network("snn"), CueAssociation(), 512)["accuracy"] == pytest.approx(0.5, abs=0.08)


def test_every_learned_parameter_moves():
    metrics = train(network("ndp-oja"), TASK, SHORT, 0).metrics
    changes = {name: value for name, value in metrics.items() if name.startswith("change_")}
    assert len(changes) == 8 and all(value > 0 for value in changes.values())


@pytest.mark.parametrize("part", ["readout.weight", "synapses.weight"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_weight_that_is_not_finite_stops_the_run_and_is_named_with_the_step(part, value):
    broken = network()
    with torch.no_grad():
        broken.get_parameter(part)[0, 0] = value
    with pytest.raises(FloatingPointError, match=f"{part} = .*, at step 0, seed 3"):
        train(broken, TASK, SHORT, 3)
    with pytest.raises(ValueError, match="must be finite"):
        evaluate(broken, TASK, 8)


@pytest.mark.parametrize(
    "fields",
    [
        dict(steps=0),
        dict(batch_size=0),
        dict(batch_size=-1),
        dict(learning_rate=0.0),
        dict(clip_norm=math.nan),
        dict(rate_penalty=-1.0),
        dict(evaluation_trials=0),
        dict(evaluate_every=0),
    ],
)
def test_bad_values_are_refused_by_name(fields):
    ((name, value),) = fields.items()
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        Training(**fields)


def test_a_network_that_does_not_fit_the_task_is_refused():
    with pytest.raises(ValueError, match="n_inputs = 7: must be 40"):
        train(network(n_inputs=7), TASK, SHORT, 0)


@pytest.mark.parametrize(
    "wrong, named",
    [
        (dict(n_outputs=1), "n_outputs = 1: must be 2, that of the task CueAssociation"),
        (dict(n_outputs=3), "n_outputs = 3: must be 2"),
        (dict(dt=1.0), "dt = 1.0: must be 5.0"),
    ],
)
def test_a_network_that_does_not_fit_the_task_is_neither_trained_nor_evaluated(wrong, named):
    options = dict(n_outputs=2, seed=0) | wrong
    other = build("dp-oja", 40, 16, **options)
    for use in (lambda: train(other, TASK, SHORT, 0), lambda: evaluate(other, TASK, 16)):
        with pytest.raises(ValueError, match=named):
            use()


def test_trials_come_in_chunks_of_one_or_more():
    with pytest.raises(ValueError, match="chunk = 0"):
        evaluate(network(), TASK, 16, chunk=0)

import pytest
import torch

from spikepropamine.tasks.key_value_pairs import KeyValuePairs
from spikepropamine.tasks.weak_cues import WeakCues


def drawn(task, trials=256, seed=0):
    return task.sample(trials, torch.Generator().manual_seed(seed))


def test_every_bit_is_one_in_half_of_the_pairs_so_that_what_was_shown_tells_nothing():
    task = KeyValuePairs(noise=0.0)
    trials = drawn(task, 512)
    values = slice(task.key_inputs, task.key_inputs + 2 * task.value_bits * task.bit_inputs)
    counts = (
        trials.spikes[: task.delay_start, :, values].sum(0).unflatten(1, (task.value_bits, 2, task.bit_inputs)).sum(3)
    )
    ones, zeros = counts.unbind(2)
    # as many spikes for 1 as for 0 on average, whatever the answer is
    assert ((ones - zeros).mean() / ones.mean()).abs() < 0.02
    given_one = (ones - zeros)[trials.labels == 1].mean()
    given_zero = (ones - zeros)[trials.labels == 0].mean()
    assert abs(given_one - given_zero) < 0.05 * ones.mean()
    assert trials.labels.float().mean() == pytest.approx(0.5, abs=0.05)


def test_the_key_at_the_end_is_one_that_was_shown_and_its_value_is_the_answer():
    task = KeyValuePairs(noise=0.0, cue_rate=199.0)
    trials = drawn(task, 64)
    at_end = trials.spikes[task.decision_start :, :, : task.key_inputs].mean(0) > 0.5
    same = (at_end[:, None] == trials.shown.bool()).all(2)
    assert same.any(1).all()
    # the observer of nearly certain spikes is always right, and silence of values at the end tells nothing
    assert task.correct(task.ideal(trials), trials).min() == 1
    assert trials.spikes[task.decision_start :, :, task.key_inputs : -task.group_size].sum() == 0


def test_the_ideal_observer_is_calibrated_where_spikes_are_few():
    """Of answers held for sure to a probability, that share is right: the observer knows no more and no less."""
    task = KeyValuePairs(noise=20.0, cue_rate=8.0, bit_inputs=1)
    trials = drawn(task, 20000)
    probability = torch.sigmoid(task.ideal(trials))
    sure = torch.maximum(probability, 1 - probability)
    right = ((probability > 0.5) == trials.labels.bool()).double()
    assert 0.52 < right.mean() < 0.9
    assert sure.mean().item() == pytest.approx(right.mean().item(), abs=0.01)


@pytest.mark.parametrize("pairs", [1, 2, 4, 12])
def test_at_the_published_rates_noise_does_not_limit_the_observer(pairs):
    task = KeyValuePairs(noise="low", n_cues=pairs)
    assert task.ideal_accuracy(200, torch.Generator().manual_seed(1)) > 0.99


def test_information_counts_what_answers_carry():
    task = KeyValuePairs()
    assert task.information(1.0) == 16
    assert task.information(0.5) == task.information(0.4) == 0
    assert task.information(0.89) == pytest.approx(8.0, abs=0.02)  # 1 − H(0.89) = 0.500


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(n_cues=3), "n_cues = 3: must be 1 or even"),
        (dict(active=24), "active = 24: must be less than key_inputs = 24"),
        (dict(noise="loud"), "noise = 'loud'"),
        (dict(delay_ms=7.0), "delay_ms = 7.0: must be a whole number of ticks"),
    ],
)
def test_wrong_fields_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        KeyValuePairs(**wrong)


def test_weak_cues_cost_the_ideal_observer():
    accuracy = WeakCues().ideal_accuracy(4000, torch.Generator().manual_seed(0))
    assert 0.94 < accuracy < 0.97
    with pytest.raises(ValueError, match="cue_rate = 300"):
        WeakCues(cue_rate=300.0)

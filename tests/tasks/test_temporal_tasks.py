"""Cue-reward association and recall, and the ideal observer of every task."""

import itertools
import math

import pytest
import torch

from spikepropamine.experiments import temporal
from spikepropamine.tasks.cue_association import CueAssociation
from spikepropamine.tasks.cue_reward import CueReward, _log_patterns
from spikepropamine.tasks.recall import Recall


def sample(task, n=2000, seed=0):
    return task, task.sample(n, torch.Generator().manual_seed(seed))


def rate(spikes, task):
    return spikes.float().mean().item() * 1000 / task.dt


def test_cue_reward_shows_its_patterns_rewards_one_and_asks_with_one():
    task, trials = sample(CueReward(noise="high"))
    assert (trials.shown.sum(-1) == task.active).all()
    reward = slice(task.cue_inputs, task.cue_inputs + task.group_size)
    rewarded = torch.zeros(len(trials.labels), task.n_cues)
    for k, start in enumerate(task.cue_starts):
        during = trials.spikes[start : start + task.in_ticks(task.cue_ms)]
        on = trials.shown[:, k].bool().expand(len(during), -1, -1)
        assert rate(during[..., : task.cue_inputs][on], task) == pytest.approx(100, rel=0.03)
        assert rate(during[..., : task.cue_inputs][~on], task) == pytest.approx(20, rel=0.05)
        rewarded[:, k] = during[..., reward].float().mean((0, 2)) * 1000 / task.dt
    assert ((rewarded > 60).sum(1) == 1).all()
    again = trials.spikes[task.decision_start :, :, : task.cue_inputs].float().mean(0)
    overlap = torch.einsum("bi,bki->bk", again, trials.shown)
    same = overlap.argmax(1) == rewarded.argmax(1)
    assert (same.long() == trials.labels).float().mean() > 0.97
    assert trials.labels.float().mean() == pytest.approx(0.5, abs=0.04)
    delay = trials.spikes[task.decision_start - task.in_ticks(task.delay_ms) : task.decision_start]
    assert rate(delay, task) == pytest.approx(20, rel=0.03)


def test_recall_shows_a_pattern_and_asks_for_what_does_not_come_again():
    task, trials = sample(Recall(noise="high"))
    assert (trials.asked.sum(1) == task.n_bits - task.bits_again).all()
    channels = (
        torch.stack([trials.labels, 1 - trials.labels], -1).flatten(1).repeat_interleave(task.group_size, 1).bool()
    )
    asked = trials.asked.repeat_interleave(2 * task.group_size, 1)
    shown, again = trials.spikes[: task.in_ticks(task.pattern_ms)], trials.spikes[task.decision_start :]
    assert rate(shown[:, channels], task) == pytest.approx(100, rel=0.03)
    assert rate(shown[:, ~channels], task) == pytest.approx(20, rel=0.03)
    assert rate(again[:, channels & ~asked], task) == pytest.approx(100, rel=0.03)
    assert rate(again[:, ~channels | asked], task) == pytest.approx(20, rel=0.03)
    assert rate(trials.spikes[len(shown) : task.decision_start], task) == pytest.approx(20, rel=0.03)


def test_recall_counts_the_bits_that_are_asked_for_alone():
    task, trials = sample(Recall(), 50)
    right = trials.labels.float() - 0.5
    assert task.correct(right, trials).tolist() == [1.0] * 50
    assert task.correct(torch.where(trials.asked, -right, right), trials).tolist() == [0.0] * 50
    easy, hard = (task.objective(torch.where(trials.asked, sign * 9 * right, 0), trials) for sign in (1, -1))
    assert easy < 0.02 and hard > 4
    assert task.objective(torch.zeros(50, task.n_bits), trials).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("task", temporal.TASKS.values(), ids=temporal.TASKS)
def test_the_ideal_observer_is_perfect_on_clean_spikes_and_guesses_where_cues_say_nothing(task):
    generator = torch.Generator().manual_seed(2)
    assert task(noise=0.0).ideal_accuracy(300, generator) == 1
    assert task(noise=20.0, cue_rate=0.0).ideal_accuracy(3000, generator) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "task, fields",
    [
        (CueAssociation, dict(cue_rate=10.0, noise=100.0)),
        (CueReward, dict(cue_rate=30.0, noise=80.0)),
        (Recall, dict(cue_rate=10.0, noise=100.0)),
    ],
)
def test_the_ideal_observer_is_right_as_often_as_it_believes(task, fields):
    # an observer who computes the true posterior is calibrated; one who leaves something out is not
    task, trials = sample(task(**fields), 3000)
    scores = task.ideal(trials)
    if trials.asked is None:
        believed = torch.softmax(scores, 1).max(1).values
    else:
        sure = torch.sigmoid(scores.abs())
        believed = (sure * trials.asked).sum(1) / trials.asked.sum(1)
    right = task.correct(scores, trials)
    assert 0.6 < right.mean() < 0.99
    assert right.mean().item() == pytest.approx(believed.mean().item(), abs=0.02)


def test_the_sum_over_patterns_is_the_sum_over_patterns():
    evidence = torch.randn(3, 7, dtype=torch.float64)
    by_hand = torch.stack([evidence[:, list(p)].sum(1) for p in itertools.combinations(range(7), 3)]).logsumexp(0)
    torch.testing.assert_close(_log_patterns(evidence, 3), by_hand)


@pytest.mark.parametrize("task", temporal.TASKS.values(), ids=temporal.TASKS)
def test_variants_change_one_field_each_and_can_be_sampled(task):
    trained = task(noise="high")
    for name, variant in trained.variants().items():
        field = name.split(".")[1]
        assert {k for k, v in vars(variant).items() if vars(trained)[k] != v} <= {field}
        assert variant.n_inputs == trained.n_inputs and variant.n_outputs == trained.n_outputs
        assert variant.sample(2, torch.Generator()).spikes.shape == (variant.ticks, 2, variant.n_inputs)
    delays = [v.delay_ms for k, v in trained.variants().items() if "delay" in k]
    assert max(delays) == 4 * trained.delay_ms
    assert len([k for k in trained.variants() if "noise" in k]) >= 6


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: CueReward(noise="loud"), "noise = 'loud': must be one of 'low', 'high', or a rate in Hz"),
        (lambda: CueReward(noise=-1.0), "noise = -1.0"),
        (lambda: CueReward(noise=150.0), "cue_rate = 80.0: must be at most 200 Hz"),
        (lambda: CueReward(n_cues=1), "n_cues = 1"),
        (lambda: CueReward(active=30), "active = 30: must be less than cue_inputs = 30"),
        (lambda: CueReward(cue_ms=7.0), "cue_ms = 7.0: must be a whole number of ticks"),
        (lambda: CueReward(delay_ms=-5.0), "delay_ms = -5.0"),
        (lambda: Recall(bits_again=10), "bits_again = 10: must be less than n_bits = 10"),
        (lambda: Recall(n_bits=1), "n_bits = 1"),
        (lambda: Recall(pattern_ms=0.0), "pattern_ms = 0.0"),
        (lambda: Recall(group_size=0), "group_size = 0"),
        (lambda: Recall(dt=-1.0), "dt = -1.0"),
        (lambda: Recall().sample(0, torch.Generator()), "batch_size = 0"),
        (lambda: CueReward().sample(-2, torch.Generator()), "batch_size = -2"),
    ],
)
def test_bad_values_are_refused_by_name(make, named):
    with pytest.raises(ValueError, match=named):
        make()

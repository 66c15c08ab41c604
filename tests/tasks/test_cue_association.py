import pytest
import torch

from spikepropamine.tasks.cue_association import CueAssociation
from spikepropamine.tasks.task import NOISE_HZ
from spikepropamine.training.supervised import generator


def sample(noise="low", n=2000, **fields):
    task = CueAssociation(noise=noise, **fields)
    return task, task.sample(n, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("noise", NOISE_HZ)
def test_rates_are_those_asked_for(noise):
    task, trials = sample(noise)
    hz = 1000 / task.dt
    background, driven = NOISE_HZ[noise], NOISE_HZ[noise] + task.cue_rate
    for k, start in enumerate(task.cue_starts):
        during = trials.spikes[start : start + task.cue_ticks].float()
        left = trials.shown[:, k] == 0
        assert during[:, left, task.group("left")].mean() * hz == pytest.approx(driven, rel=0.03)
        assert during[:, ~left, task.group("right")].mean() * hz == pytest.approx(driven, rel=0.03)
        assert during[:, ~left, task.group("left")].mean() * hz == pytest.approx(background, rel=0.1)
    decision = trials.spikes[task.decision_start :].float()
    assert decision[..., task.group("decision")].mean() * hz == pytest.approx(driven, rel=0.03)
    assert trials.spikes[..., task.group("background")].float().mean() * hz == pytest.approx(background, rel=0.03)


@pytest.mark.parametrize("noise", NOISE_HZ)
def test_the_delay_is_silent_but_for_noise_and_says_nothing_of_the_label(noise):
    task, trials = sample(noise)
    delay = trials.spikes[task.delay_start : task.decision_start].float()
    assert len(delay) * task.dt == task.delay_ms >= 300
    assert delay.mean() * 1000 / task.dt == pytest.approx(NOISE_HZ[noise], rel=0.03)
    after = trials.spikes[task.delay_start :].float().sum(0)
    difference = after[trials.labels == 0].mean(0) - after[trials.labels == 1].mean(0)
    spread = after.std(0) * (4 / len(trials.labels)) ** 0.5
    assert (difference.abs() < 4.5 * spread).all()


def test_labels_are_the_majority_and_balanced():
    task, trials = sample(n=20000, cue_rate=1.0, n_cues=3, delay_ms=5.0, decision_ms=5.0)
    assert torch.equal(trials.labels, (trials.shown.float().mean(1) > 0.5).long())
    assert trials.labels.float().mean() == pytest.approx(0.5, abs=0.015)
    assert trials.shown.float().mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.015)


def test_held_out_trials_are_fixed_and_not_those_of_training():
    task = CueAssociation(n_cues=3)
    draw = lambda stream, seed, step: task.sample(8, generator(stream, seed, step)).spikes  # noqa: E731
    assert torch.equal(draw(1, 0, 0), draw(1, 0, 0))
    assert not any(torch.equal(draw(1, 0, 0), draw(0, seed, step)) for seed in range(3) for step in range(3))
    assert not torch.equal(draw(0, 0, 1), draw(0, 1, 0))


@pytest.mark.parametrize(
    "fields, named",
    [
        (dict(noise="medium"), "noise = 'medium': must be one of 'low', 'high'"),
        (dict(n_cues=4), "n_cues = 4: must be odd"),
        (dict(n_cues=0), "n_cues = 0"),
        (dict(dt=0.0), "dt = 0.0"),
        (dict(delay_ms=-5.0), "delay_ms = -5.0"),
        (dict(cue_ms=12.0), "cue_ms = 12.0: must be a whole number of ticks"),
        (dict(cue_rate=500.0), "cue_rate = 500.0: must be at most 200 Hz"),
        (dict(group_size=0), "group_size = 0"),
    ],
)
def test_bad_values_are_refused_by_name(fields, named):
    with pytest.raises(ValueError, match=named):
        CueAssociation(**fields)
    with pytest.raises(ValueError, match="batch_size = 0"):
        CueAssociation().sample(0, torch.Generator())

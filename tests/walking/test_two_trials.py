"""The walk that must be learned within the episode: what is shown, what is hidden, and what a policy can know of it."""

import numpy as np
import pytest

from spikepropamine.walking.two_trials import GAIN, HIDDEN, REWARD_GAIN, STEP_S, TwoTrials, live

SMALL = TwoTrials(shown=6, scored=8)


def still(record=None):
    def act(t, body, shown, state):
        if record is not None:
            record.append((body.copy(), shown.copy()))
        return np.zeros((len(body), 6), np.float32), state

    return act


def lived(task=SMALL, hidden=(0, 1), act=None, seed=0, **more):
    return live(task, np.array(hidden), act or still(), None, np.random.default_rng(seed), **more)


def test_the_reward_is_the_speed_in_the_hidden_direction():
    seen = []
    forward, backward = (lived(hidden=(k,), act=still(seen)) for k in (0, 1))
    assert np.allclose(forward.rewards, -backward.rewards) and np.abs(forward.rewards).max() > 0.01
    speed = forward.bodies[:6, 0, 8]  # along x, at the start of each step; the reward is that of the step's mean speed
    assert np.corrcoef(forward.rewards[:5, 0], (speed[:-1] + speed[1:]) / 2)[0, 1] > 0.8


def test_the_first_trial_shows_the_direction_and_the_second_shows_nothing():
    seen = []
    lived(hidden=(0, 1, 1), act=still(seen))
    shown = np.stack([s for _, s in seen])
    assert shown.shape == (SMALL.steps, 3, SMALL.n_cues)
    assert (np.sign(shown[:6, :, 0]) == [1, -1, -1]).all() and shown[:6, :, 1].all()
    assert not shown[6:].any()


def test_the_second_trial_starts_anew_and_tells_the_directions_apart_by_nothing_but_the_policy_state():
    found = lived(hidden=(0,), seed=3), lived(hidden=(1,), seed=3)
    assert np.array_equal(found[0].bodies, found[1].bodies)
    start = found[0].bodies[SMALL.second.start, 0]
    assert np.abs(start[:8]).max() < 0.2  # put back


def test_a_gap_is_blank_and_moves_nothing():
    task = TwoTrials(shown=6, scored=8, gap_s=0.2)
    seen = []
    found = lived(task, act=still(seen))
    assert task.steps == 18 and task.simulated.sum() == 14
    assert not any(body.any() or shown.any() for body, shown in seen[6:10])
    assert not found.rewards[6:10].any()


def test_between_acts_on_the_state_once_before_the_second_trial():
    states = []

    def act(t, body, shown, state):
        states.append(state)
        return np.zeros((len(body), 6), np.float32), state + 1

    live(SMALL, np.array([0]), act, 0, np.random.default_rng(0), between=lambda state: 100)
    assert states == [*range(6), *range(100, 108)]


def test_the_score_is_metres_in_the_direction_asked_for():
    found = lived()
    assert np.allclose(found.score(SMALL), STEP_S * found.rewards[6:].sum(0))


def test_a_lame_limb_does_not_answer():
    def act(t, body, shown, state):
        return np.ones((len(body), 6), np.float32), state

    task = TwoTrials(hidden="limb", shown=6, scored=8)
    front, back = (lived(task, (k,), act, seed=1) for k in (0, 1))
    # qpos[1:] holds height, pitch, three joints of the back leg, three of the front leg; the joints move that can
    moved = [np.abs(one.bodies[3, 0, 2:8] - one.bodies[0, 0, 2:8]) for one in (front, back)]
    assert moved[0][:3].max() > 2 * moved[1][:3].max() and moved[1][3:].max() > 2 * moved[0][3:].max()


def test_each_of_six_motors_may_be_dead_and_its_joint_alone_answers_less():
    def act(t, body, shown, state):
        return np.full((len(body), 6), 0.3, np.float32), state

    def moved(task, k):
        found = lived(task, (k,), act, seed=1)
        # qvel of the six joints, back leg first, gained in one control step
        return found.bodies[1, 0, 11:17] - found.bodies[0, 0, 11:17]

    whole = moved(SMALL, 0)
    for k, name in enumerate(HIDDEN["motor"]):
        less = whole - moved(TwoTrials(hidden="motor", shown=6, scored=8), k)
        assert np.argmax(less) == k and less[k] > 1, name


def test_of_more_than_two_values_each_has_an_input_of_its_own():
    task = TwoTrials(hidden="motor")
    cues = task.cues(np.arange(6), np.ones(6))
    assert cues.shape == (6, task.n_cues) and np.array_equal(cues[:, :6], GAIN * np.eye(6)) and (cues[:, 6] == 1).all()
    assert task.sizes() == (17 + 7, 6) and TwoTrials().sizes() == (17 + 2, 6)


def test_where_the_reward_is_shown_it_is_that_of_the_step_before_and_of_the_first_trial_alone():
    seen = []
    found = lived(TwoTrials(shown=6, scored=8, cue="reward"), hidden=(0, 1), act=still(seen))
    shown = np.stack([s for _, s in seen])
    assert np.array_equal(shown[1:6, :, 0], REWARD_GAIN * found.rewards[:5]) and not shown[0, :, 0].any()
    assert np.abs(shown[1:6, :, 0]).max() > 0.01 and shown[:6, :, 1].all() and not shown[6:].any()


@pytest.mark.parametrize("gap_s", (0.0, 0.2))
def test_who_is_reminded_is_shown_it_in_both_trials_and_in_no_gap(gap_s):
    task, seen = TwoTrials(shown=6, scored=8, gap_s=gap_s, reminded=True), []
    lived(task, hidden=(0, 1), act=still(seen))
    shown = np.stack([s for _, s in seen])
    assert (shown[task.simulated] == shown[0]).all() and not shown[~task.simulated].any()


def test_values_come_in_halves_so_that_states_can_be_swapped():
    assert all(len(values) % 2 == 0 for values in HIDDEN.values())


def test_a_simulation_that_goes_wrong_is_counted_and_its_episode_earns_nothing_more(monkeypatch):
    from spikepropamine.walking import two_trials

    step = two_trials._step

    def break_second(models, data, actions):
        if data[1].time > 0.2:
            data[1].qvel[:] = np.nan
        return step(models, data, actions)

    monkeypatch.setattr(two_trials, "_step", break_second)
    found = lived()
    assert found.diverged.tolist() == [False, True]
    assert np.isfinite(found.rewards).all() and np.isfinite(found.bodies).all() and not found.rewards[-1, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": "colour"},
        {"shown": 0},
        {"scored": 1.5},
        {"gap_s": -1.0},
        {"gap_s": 0.03},
        {"cue": "price"},
        {"reminded": 1},
    ],
)
def test_wrong_fields_are_named(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} = "):
        TwoTrials(**wrong)

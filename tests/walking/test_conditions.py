import math

import gymnasium
import numpy as np
import pytest

from spikepropamine.experiments.novel_conditions import suited
from spikepropamine.walking.conditions import (
    CONDITIONS,
    TRAINING,
    Kind,
    ModelChange,
    conditions_of,
    impose,
    motors,
)
from spikepropamine.walking.robots import ENVIRONMENTS, Locomotion, Normalised

MODEL_FIELDS = ("geom_friction", "body_mass", "body_inertia", "actuator_gear", "jnt_range", "dof_damping", "geom_size")


def fields(env) -> dict[str, np.ndarray]:
    model = env.unwrapped.model
    return {name: getattr(model, name).copy() for name in MODEL_FIELDS} | {"gravity": model.opt.gravity.copy()}


def changed(before, after) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


def actions_of(env, n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n, *env.action_space.shape)).astype(np.float32)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_with_nothing_different_it_is_gymnasium_s_step_for_step(id):
    ours, theirs = impose(Locomotion(id).make(), TRAINING), gymnasium.make(id)
    assert np.array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    touching = set()
    for action in 2 * actions_of(theirs, 1000):
        a, b = ours.step(action), theirs.step(action)
        assert np.array_equal(a[0], b[0]) and a[1:4] == b[1:4]
        touching.add(theirs.unwrapped.data.ncon)
        if a[2]:
            assert np.array_equal(ours.reset()[0], theirs.reset()[0])
    # in the air and on several feet
    assert min(touching) == 0 and max(touching) > 2


@pytest.mark.parametrize("id", ENVIRONMENTS)
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_sets_in_at_its_onset_and_is_gone_in_the_next_episode(id, name):
    plain, env = Locomotion(id).make(), impose(Locomotion(id).make(), name, CONDITIONS[name].strengths[-1], onset=5)
    before = fields(env)
    for episode in (1, 2):
        assert np.array_equal(plain.reset(seed=episode)[0], env.reset(seed=episode)[0])
        assert not changed(before, fields(env))
        differs = []
        for action in actions_of(env, 30, episode):
            a, b = plain.step(action), env.step(action)
            differs.append(not np.array_equal(a[0], b[0]))
        # what is observed may differ from the observation on that step 5 acts on, which step 4 returns
        assert not any(differs[:4]) and any(differs[4:])


CHANGES = {
    "low friction": {"geom_friction"},
    "high friction": {"geom_friction"},
    "heavy": {"body_mass", "body_inertia"},
    "gravity": {"gravity"},
    "slope": {"gravity"},
    "lame leg": {"actuator_gear"},
    "weak motors": {"actuator_gear"},
    "stiff joint": {"jnt_range"},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_changes_what_it_says_and_nothing_else_of_the_model(name):
    env = Locomotion("Ant-v5").make()
    before = fields(env)
    impose(env, name).reset(seed=0)
    # a condition that the table leaves out changes the fields it declares, each of them
    declared = {field.rpartition(".")[2] for field in getattr(CONDITIONS[name].make, "fields", ())}
    assert changed(before, fields(env)) == CHANGES.get(name, declared)


def test_the_model_s_derived_quantities_follow_its_masses():
    plain, heavy = Locomotion("Ant-v5").make(), impose(Locomotion("Ant-v5").make(), "heavy", 1.5)
    heavy.reset(seed=0)
    a, b = plain.unwrapped.model, heavy.unwrapped.model
    np.testing.assert_allclose(b.body_subtreemass, 1.5 * a.body_subtreemass)
    # the inertia that a joint moves: of the masses, and of its motor, which stays
    np.testing.assert_allclose(b.dof_M0 - b.dof_armature, 1.5 * (a.dof_M0 - a.dof_armature), rtol=1e-6)
    assert (b.dof_invweight0 < a.dof_invweight0).all()


def test_deriving_them_leaves_the_simulation_where_it_was():
    env = impose(Locomotion("Ant-v5").make(), "heavy", 1.5, onset=3)
    env.reset(seed=0)
    for action in actions_of(env, 3):
        env.step(action)
    positions = env.unwrapped.data.qpos.copy()
    env.begin()
    assert np.array_equal(env.unwrapped.data.qpos, positions)


def test_a_slope_keeps_the_size_of_gravity():
    env = impose(Locomotion("Ant-v5").make(), "slope", 10.0)
    env.reset(seed=0)
    g = env.unwrapped.model.opt.gravity
    assert np.linalg.norm(g) == pytest.approx(9.81) and math.degrees(math.atan2(g[0], g[2])) == pytest.approx(-170)


@pytest.mark.parametrize("id, n", [("Ant-v5", 2), ("HalfCheetah-v5", 3)])
def test_a_dead_leg_is_one_leg(id, n):
    env = impose(Locomotion(id).make(), "lame leg", 0.0)
    env.reset(seed=0)
    assert (env.unwrapped.model.actuator_gear[:, 0] == 0).sum() == n
    assert (
        motors(env.unwrapped.model, ["hip_1", "ankle_1"] if n == 2 else ["fthigh", "fshin", "ffoot"])
        == np.flatnonzero(env.unwrapped.model.actuator_gear[:, 0] == 0).tolist()
    )


def test_a_locked_joint_hardly_moves():
    def reach(strength):
        env = Locomotion("Ant-v5").make()
        env = impose(env, "stiff joint", strength) if strength is not None else env
        env.reset(seed=0)
        joint, angles = env.unwrapped.data.joint("ankle_1"), []
        for _ in range(60):
            env.step(np.array([0, 0, 0, 1.0, 0, 0, 0, 0], dtype=np.float32))
            angles.append(joint.qpos[0])
        return np.ptp(angles[10:]) + abs(np.mean(angles[10:]) - math.radians(30))

    assert reach(0.0) < 0.25 * reach(None)


def test_late_actions_are_the_same_actions_late():
    class Seen(gymnasium.Wrapper):
        seen = ()

        def step(self, action):
            self.seen = (*self.seen, action.tolist())
            return self.env.step(action)

    inner = Seen(Locomotion("HalfCheetah-v5").make())
    env = impose(inner, "action delay", 2)
    env.reset(seed=0)
    actions = actions_of(env, 6)
    for action in actions:
        env.step(action)
    assert inner.seen == tuple(a.tolist() for a in [np.zeros(6), np.zeros(6), *actions[:4]])


def test_noise_and_dropout_have_the_strength_they_say():
    mean, variance = np.zeros(105), np.ones(105)
    plain = Normalised(Locomotion("Ant-v5").make(), mean, variance)
    noisy = impose(Normalised(Locomotion("Ant-v5").make(), mean, variance), "sensor noise", 0.4)
    lossy = impose(Normalised(Locomotion("Ant-v5").make(), mean, variance), "sensor dropout", 0.2)
    seen = {name: [] for name in ("plain", "noisy", "lossy")}
    for seed in range(60):
        for name, env in (("plain", plain), ("noisy", noisy), ("lossy", lossy)):
            seen[name].append(env.reset(seed=seed)[0])
    plain, noisy, lossy = (np.array(x) for x in seen.values())
    assert np.std(noisy - plain) == pytest.approx(0.4, rel=0.05) and noisy.dtype == plain.dtype
    alive = plain != 0
    assert (lossy[alive] == 0).mean() == pytest.approx(0.2, abs=0.03) and np.array_equal(
        lossy[lossy != 0], plain[lossy != 0]
    )


@pytest.mark.parametrize("id, free", [("Ant-v5", True), ("HalfCheetah-v5", False)])
def test_pushes_come_once_a_second_and_change_the_speed_by_what_they_say(id, free):
    env = impose(Locomotion(id).make(), "pushes", 1.0)
    env.reset(seed=0)
    pushed = []
    for step in range(40):
        before = env.unwrapped.data.qvel.copy()
        env.steps = step
        env.act(np.zeros(env.action_space.shape))
        moved = env.unwrapped.data.qvel - before
        if moved.any():
            pushed.append(step)
            assert np.linalg.norm(moved) == pytest.approx(1.0) and not moved[2 if free else 1 :].any()
    assert pushed == [19, 39]


def test_a_diverged_simulation_ends_its_episode_and_says_so():
    env = Locomotion("Ant-v5").make()
    env.reset(seed=0)
    env.unwrapped.data.qvel[:] = 1e12
    observation, reward, terminated, _, info = env.step(np.zeros(8, dtype=np.float32))
    assert terminated and info["diverged"] and reward == 0 and np.isfinite(observation).all()
    env.reset(seed=0)
    assert not env.step(np.zeros(8, dtype=np.float32))[4]["diverged"]


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("ice",), "condition = 'ice': must be one of 'training', 'low friction'"),
        (("gravity", 7.0), "strength of gravity = 7.0: must be one of 1.1, 1.25, 1.5"),
        (("gravity", None, -1), "onset = -1"),
        ((TRAINING, 1.0), "strength = 1.0"),
    ],
)
def test_bad_conditions_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        impose(Locomotion("Ant-v5").make(), *arguments)


def test_an_unknown_environment_is_refused_by_name():
    with pytest.raises(ValueError, match="environment = 'Walker': must be one of 'Ant-v5'"):
        Locomotion("Walker")


def test_the_moderate_strength_is_one_of_those_tested():
    with pytest.raises(ValueError, match="moderate = 3"):
        Kind(ModelChange, (1.0, 2.0), 3.0, "")


@pytest.mark.parametrize("name", ["action delay", "gravity"])
def test_a_step_before_the_first_reset_is_refused(name):
    env = impose(Locomotion("HalfCheetah-v5").make(), name, CONDITIONS[name].moderate)
    with pytest.raises(gymnasium.error.ResetNeeded, match="step: must come after reset"):
        env.step(env.action_space.sample())
    env.close()


def test_a_condition_that_a_robot_does_not_have_is_refused_by_name_before_anything_runs(monkeypatch):
    class ThirdLeg(ModelChange):
        """The third leg at ``strength`` of its torque."""

        fields = ("actuator_gear",)

        def change(self, model):
            model.actuator_gear[motors(model, ("hip_3", "ankle_3"))] *= self.strength

    monkeypatch.setitem(CONDITIONS, "third leg", Kind(ThirdLeg, (0.5, 0.0), 0.5, "× torque", robots=("Ant-v5",)))
    assert impose(Locomotion("Ant-v5").make(), "third leg").strength == 0.5
    with pytest.raises(
        ValueError, match="condition on HalfCheetah-v5 = 'third leg': must be one of 'training', 'low friction'"
    ):
        impose(Locomotion("HalfCheetah-v5").make(), "third leg")
    assert "third leg" in conditions_of("Ant-v5") and "third leg" not in conditions_of("HalfCheetah-v5")
    assert suited((TRAINING, *list(CONDITIONS)[:-1]), "HalfCheetah-v5")[-1] == "slope"
    with pytest.raises(ValueError, match="third leg"):
        suited(["third leg"], "HalfCheetah-v5")
    with pytest.raises(ValueError, match="robots = 'Hopper'"):
        Kind(ThirdLeg, (0.5,), 0.5, "× torque", robots=("Hopper",))


def test_motors_of_a_leg_that_a_robot_does_not_have_are_refused_with_its_own_joints():
    with pytest.raises(ValueError, match="joint = 'hip_1': must be one of .*'fthigh'"):
        motors(Locomotion("HalfCheetah-v5").make().unwrapped.model, ("hip_1",))

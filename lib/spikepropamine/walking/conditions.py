"""Novel conditions: what may be different on the day, none of it seen in training.

Each is one class, a change of the MuJoCo model or of what passes between robot and policy, with one number that
says how strong it is. Each sets in at a control step of every episode and is gone when the next one starts. What
is random in it is drawn from the environment's own generator, so a seed fixes it.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import gymnasium
import mujoco
import numpy as np

from ..checks import require, require_choice, require_count
from .robots import ENVIRONMENTS


class Condition(gymnasium.Wrapper):
    """An environment in which something is different from control step ``onset`` of an episode on."""

    def __init__(self, env: gymnasium.Env, strength: float, onset: int = 0):
        super().__init__(env)
        self.strength, self.onset, self.steps, self._in_episode = strength, onset, 0, False

    def reset(self, **options):
        self.end()
        self.steps = 0
        observation, info = self.env.reset(**options)
        self._in_episode = True
        if self.active:
            self.begin()
        return self.sense(observation) if self.active else observation, info

    def step(self, action):
        if not self._in_episode:
            raise gymnasium.error.ResetNeeded(f"{type(self).__name__}.step: must come after reset")
        if self.steps == self.onset > 0:
            self.begin()
        if self.active:
            action = self.act(action)
        self.steps += 1
        observation, *rest = self.env.step(action)
        return self.sense(observation) if self.active else observation, *rest

    @property
    def active(self) -> bool:
        """Whether the condition holds at this control step."""
        return self.steps >= self.onset

    def begin(self) -> None:
        """What happens when the condition sets in."""

    def end(self) -> None:
        """What puts everything back, before an episode starts."""

    def act(self, action: np.ndarray) -> np.ndarray:
        """The action that reaches the motors."""
        return action

    def sense(self, observation: np.ndarray) -> np.ndarray:
        """The observation that reaches the policy; normalised, so 1 is a standard deviation of training."""
        return observation


class ModelChange(Condition):
    """A condition that lies in the robot or its world: fields of the MuJoCo model."""

    fields: Sequence[str]  # what may change

    def __init__(self, env: gymnasium.Env, strength: float, onset: int = 0):
        super().__init__(env, strength, onset)
        self.model = self.unwrapped.model
        self._original = {field: np.copy(self._array(field)) for field in self.fields}

    def _array(self, field: str) -> np.ndarray:
        part, _, name = field.rpartition(".")
        return getattr(getattr(self.model, part) if part else self.model, name)

    def begin(self) -> None:
        self.change(self.model)
        self._derive()

    def end(self) -> None:
        for field, values in self._original.items():
            self._array(field)[...] = values
        self._derive()

    def _derive(self) -> None:
        # what MuJoCo computes from masses; in data of its own, so that the simulation's stay
        mujoco.mj_setConst(self.model, mujoco.MjData(self.model))

    def change(self, model: mujoco.MjModel) -> None:
        """Change ``fields`` of ``model`` in place."""
        raise NotImplementedError


# ---------------------------------------------------------------- the world


class Friction(ModelChange):
    """Friction of all contacts; strength: factor."""

    fields = ("geom_friction",)

    def change(self, model):
        # MuJoCo takes the greater friction of the two that touch, so the floor's alone would not do
        model.geom_friction *= self.strength


class Gravity(ModelChange):
    """Gravity; strength: factor."""

    fields = ("opt.gravity",)

    def change(self, model):
        model.opt.gravity[:] *= self.strength


class Slope(ModelChange):
    """Uphill, by leaning gravity back; strength: degrees along x."""

    fields = ("opt.gravity",)

    def change(self, model):
        angle, g = math.radians(self.strength), np.linalg.norm(model.opt.gravity)
        model.opt.gravity[:] = -g * math.sin(angle), 0.0, -g * math.cos(angle)


class Push(Condition):
    """Once a second the torso is pushed, in a random direction of the plane it moves in; strength: change of velocity in m/s."""

    period = 20  # control steps of 50 ms

    def act(self, action):
        if (self.steps - self.onset) % self.period == self.period - 1:
            body = self.unwrapped
            # a free root moves along x and y; a planar one along x alone, its second velocity being that of height
            free = body.model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
            angle = body.np_random.uniform(0, 2 * math.pi)
            if free:
                body.data.qvel[:2] += self.strength * np.array([math.cos(angle), math.sin(angle)])
            else:
                body.data.qvel[0] += self.strength * np.sign(math.cos(angle))
        return action


# ---------------------------------------------------------------- the body


class Mass(ModelChange):
    """Mass and inertia of every part; strength: factor."""

    fields = ("body_mass", "body_inertia", "body_subtreemass", "body_invweight0", "dof_invweight0", "dof_M0")

    def change(self, model):
        model.body_mass *= self.strength
        model.body_inertia *= self.strength


class WeakMotors(ModelChange):
    """Torque of all motors; strength: factor."""

    fields = ("actuator_gear",)

    def change(self, model):
        model.actuator_gear *= self.strength


class LameLeg(ModelChange):
    """Weak motors of one leg, the front (left) one; strength: share of their torque, 0 is dead."""

    fields = ("actuator_gear",)

    def change(self, model):
        model.actuator_gear[motors(model, LAME[self.unwrapped.spec.id])] *= self.strength


class StiffJoint(ModelChange):
    """One joint, a knee or ankle, moves less around where it starts; strength: share of its range, 0 is locked."""

    fields = ("jnt_range",)

    def change(self, model):
        joint = model.joint(STIFF[self.unwrapped.spec.id]).id
        start = model.qpos0[model.jnt_qposadr[joint]]
        start = np.clip(start, *model.jnt_range[joint])
        model.jnt_range[joint] = start + self.strength * (model.jnt_range[joint] - start)


# by robot
LAME = {"Ant-v5": ("hip_1", "ankle_1"), "HalfCheetah-v5": ("fthigh", "fshin", "ffoot")}
STIFF = {"Ant-v5": "ankle_1", "HalfCheetah-v5": "fshin"}


def motors(model: mujoco.MjModel, joints: Sequence[str]) -> list[int]:
    """The motors that drive ``joints``.

    Raises:
        ValueError: a joint that the robot does not have, with those that it has.
    """
    known = [model.joint(k).name for k in range(model.njnt)]
    for name in joints:
        require_choice("joint", name, known)
    wanted = {model.joint(name).id for name in joints}
    return [motor for motor in range(model.nu) if model.actuator_trnid[motor, 0] in wanted]


# ---------------------------------------------------------------- sensors and control


class SensorNoise(Condition):
    """Gaussian noise on every observation; strength: its standard deviation, in those of training."""

    def sense(self, observation):
        noise = self.unwrapped.np_random.normal(0, self.strength, observation.shape)
        return (observation + noise).astype(observation.dtype)


class SensorDropout(Condition):
    """Observations read their mean; strength: the probability, for each observation and control step."""

    def sense(self, observation):
        lost = self.unwrapped.np_random.random(observation.shape) < self.strength
        return np.where(lost, np.zeros_like(observation), observation)


class ActionDelay(Condition):
    """Actions arrive late; strength: the delay in control steps, until then no torque."""

    def begin(self):
        self._waiting = deque([np.zeros(self.action_space.shape, self.action_space.dtype)] * int(self.strength))

    def act(self, action):
        self._waiting.append(action)
        return self._waiting.popleft()


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Kind:
    """A condition with the strengths it is tested at."""

    make: type[Condition]
    strengths: tuple[float, ...]  # from weak to strong
    moderate: float  # the one that the claim is judged at, named before the runs
    unit: str
    robots: tuple[str, ...] = ENVIRONMENTS  # that have what it changes

    def __post_init__(self):
        require_choice("moderate", self.moderate, self.strengths)
        for robot in self.robots:
            require_choice("robots", robot, ENVIRONMENTS)


CONDITIONS: dict[str, Kind] = {
    "low friction": Kind(Friction, (0.7, 0.5, 0.3), 0.5, "× friction"),
    "high friction": Kind(Friction, (1.5, 2.0, 3.0), 2.0, "× friction"),
    "heavy": Kind(Mass, (1.1, 1.25, 1.5), 1.25, "× mass"),
    "gravity": Kind(Gravity, (1.1, 1.25, 1.5), 1.25, "× gravity"),
    "lame leg": Kind(LameLeg, (0.75, 0.5, 0.0), 0.5, "× torque of one leg", tuple(LAME)),
    "stiff joint": Kind(StiffJoint, (0.75, 0.5, 0.0), 0.5, "× range of one joint", tuple(STIFF)),
    "weak motors": Kind(WeakMotors, (0.9, 0.8, 0.6), 0.8, "× torque"),
    "sensor noise": Kind(SensorNoise, (0.1, 0.2, 0.4), 0.2, "standard deviations"),
    "sensor dropout": Kind(SensorDropout, (0.05, 0.1, 0.2), 0.1, "of the readings"),
    "action delay": Kind(ActionDelay, (1, 2, 3), 1, "control step"),
    "pushes": Kind(Push, (0.5, 1.0, 2.0), 1.0, "m/s"),
    "slope": Kind(Slope, (2.5, 5.0, 10.0), 5.0, "degrees"),
}
TRAINING = "training"  # the condition in which nothing is different


def conditions_of(environment: str) -> list[str]:
    """The conditions that a robot has what it takes for."""
    require_choice("environment", environment, ENVIRONMENTS)
    return [name for name, kind in CONDITIONS.items() if environment in kind.robots]


def impose(env: gymnasium.Env, condition: str, strength: float | None = None, onset: int = 0) -> gymnasium.Env:
    """``env``, of Ant or HalfCheetah and with normalised observations, under a condition from step ``onset`` on.

    Args:
        env: changed in place where the condition lies in its model.
        condition: TRAINING, which leaves ``env`` as it is, or a name of CONDITIONS.
        strength: one of the condition's strengths; None takes the moderate one.
        onset: control step of each episode at which it sets in.

    Raises:
        ValueError: naming the parameter, its value and what is allowed; a condition that this robot cannot have
            raises it before anything runs.
    """
    require_choice("condition", condition, (TRAINING, *CONDITIONS))
    robot = env.unwrapped.spec.id
    require_choice(f"condition on {robot}", condition, (TRAINING, *conditions_of(robot)))
    require_count("onset", onset, at_least=0)
    if condition == TRAINING:
        require(strength is None, "strength", strength, "None under the training condition")
        return env
    kind = CONDITIONS[condition]
    strength = kind.moderate if strength is None else strength
    require_choice(f"strength of {condition}", strength, kind.strengths)
    return kind.make(env, strength, onset)

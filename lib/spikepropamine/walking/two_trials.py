"""A walk that must be learned within the episode: a first trial shows which way is rewarded, a second trial is scored.

HalfCheetah has to run forward or backward, which is drawn for each episode. During the first trial the policy reads what
a metre forward earns, +1 or −1. Then the body is put back to its start and that is hidden, so that nothing but the
policy's own state tells the second trial what the first one showed. Between the trials the observations may be blank for
a while. In other versions one of two legs, or one of six motors, is dead, and the first trial shows which.

In the harder version the first trial shows what the step before earned, not the direction. A policy has to find out: to put
the reward together with its own speed, an exclusive-or that has to be learned before anything else can be.

Many episodes run side by side, each in its own ``mujoco.MjData``: a control step of all of them costs little more than
the physics.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import mujoco
import numpy as np

from ..checks import require, require_bool, require_choice, require_count, require_not_negative
from ..fields import added
from .conditions import motors
from .robots import WENT_WRONG, Locomotion

STEP_S = 0.05  # one control step
_FRAMES = 5  # of physics in a control step, as gymnasium's HalfCheetah has it
_START_NOISE = 0.1  # of positions (uniform) and velocities (normal) at a start, likewise

GAIN = 5.0  # of what is shown: body observations have a standard deviation of 1
REWARD_GAIN = 3.0  # of a reward that is shown, in m/s
CUES = ("value", "reward")

DIRECTIONS = {"forward": 1.0, "backward": -1.0}
LIMBS = {"front leg": ("fthigh", "fshin", "ffoot"), "back leg": ("bthigh", "bshin", "bfoot")}
MOTORS = {
    "back thigh": ("bthigh",),
    "back shin": ("bshin",),
    "back foot": ("bfoot",),
    "front thigh": ("fthigh",),
    "front shin": ("fshin",),
    "front foot": ("ffoot",),
}
_LAME = {"limb": LIMBS, "motor": MOTORS}  # by what is hidden: the joints of what may be dead
# what may be hidden, and its values: an even number, the second half of which are the counterparts of the first
HIDDEN = {"direction": tuple(DIRECTIONS)} | {hidden: tuple(parts) for hidden, parts in _LAME.items()}


@dataclass(frozen=True)
class TwoTrials:
    """Run in the direction that the first trial shows or rewards, or forward with the dead limb or motor that it shows.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    hidden: str = "direction"  # what is drawn for each episode: the direction to run in, or which limb or motor is dead
    shown: int = 20  # control steps of the first trial, which shows what is hidden after it
    gap_s: float = 0.0  # seconds between the trials, in which every observation is zero and the body is not simulated
    scored: int = 60  # control steps of the second trial, which is scored
    cue: str = added("value")  # what the first trial shows: the hidden value, or the reward of the step before
    reminded: bool = added(False)  # whether the second trial shows it too, so that nothing has to be remembered

    def __post_init__(self):
        require_choice("hidden", self.hidden, HIDDEN)
        require_count("shown", self.shown)
        require_count("scored", self.scored)
        require_not_negative("gap_s", self.gap_s)
        whole = abs(self.gap_s / STEP_S - self.gap) < 1e-6
        require(whole, "gap_s", self.gap_s, f"a whole number of control steps of {STEP_S} s")
        require_choice("cue", self.cue, CUES)
        require_bool("reminded", self.reminded)

    @property
    def gap(self) -> int:
        """Control steps between the trials."""
        return round(self.gap_s / STEP_S)

    @property
    def steps(self) -> int:
        """Control steps of an episode that the policy lives through, the gap among them."""
        return self.shown + self.gap + self.scored

    @property
    def simulated(self) -> np.ndarray:
        """(steps,) of bool: whether the body moves."""
        return np.repeat([True, False, True], [self.shown, self.gap, self.scored])

    @property
    def second(self) -> slice:
        """The control steps of the second trial."""
        return slice(self.shown + self.gap, self.steps)

    def cues(self, hidden: np.ndarray, earned: np.ndarray) -> np.ndarray:
        """What the first trial shows, and a mark of that trial, (N, inputs).

        Args:
            hidden: (N,) indices into HIDDEN.
            earned: (N,) rewards of the step before, in m/s.
        """
        K = len(HIDDEN[self.hidden])
        if self.cue == "reward":
            values = REWARD_GAIN * earned[:, None]
        elif K == 2:  # the sign of one input
            values = GAIN * np.where(hidden == 0, 1.0, -1.0)[:, None]
        else:  # an input each
            values = GAIN * np.eye(K)[hidden]
        return np.concatenate([values, np.ones((len(hidden), 1))], 1)

    @property
    def n_cues(self) -> int:
        """How many inputs a policy has beside the body's."""
        return self.cues(np.zeros(1, int), np.zeros(1)).shape[1]

    def sizes(self) -> tuple[int, int]:
        """How many inputs a policy has, the cues among them, and how many actions."""
        model = _models(self.hidden)[0]
        return model.nq - 1 + model.nv + self.n_cues, model.nu


@cache
def _models(hidden: str) -> list[mujoco.MjModel]:
    """The robot's model for each value of what is hidden."""
    env = Locomotion("HalfCheetah-v5").make()
    model = copy.copy(env.unwrapped.model)
    env.close()
    models = [copy.copy(model) for _ in HIDDEN[hidden]]
    for lamed, joints in zip(models, _LAME.get(hidden, {}).values()):
        lamed.actuator_gear[motors(lamed, joints)] = 0.0
    return models


class Episodes(NamedTuple):
    """What became of N episodes of T control steps."""

    bodies: np.ndarray  # (T, N, body) observations of the body, not normalised; zero in the gap
    rewards: np.ndarray  # (T, N) speed in the direction asked for, in m/s; zero in the gap
    actions: np.ndarray  # (T, N, actions) as the policy gave them
    diverged: np.ndarray  # (N,) of bool: the simulation went wrong, and nothing after that counts

    def score(self, task: TwoTrials) -> np.ndarray:
        """(N,) metres in the direction asked for, during the second trial."""
        return STEP_S * self.rewards[task.second].sum(0)


Act = Callable[[int, np.ndarray, np.ndarray, Any], tuple[np.ndarray, Any]]


def live(
    task: TwoTrials,
    hidden: np.ndarray,
    act: Act,
    state: Any,
    rng: np.random.Generator,
    between: Callable[[Any], Any] = lambda state: state,
) -> Episodes:
    """Run episodes side by side.

    Args:
        task: the task.
        hidden: (N,) which value of what is hidden each episode has, an index into HIDDEN.
        act: of the control step, the body's observations (N, body), the cues (N, cues) and the policy's state: the
            actions (N, actions) and the state after it.
        state: the policy's at the start.
        rng: draws where the bodies start.
        between: what happens to the policy's state between the trials.
    """
    models = [_models(task.hidden)[k] for k in hidden]
    directions = np.array(list(DIRECTIONS.values()))
    sign = directions[hidden] if task.hidden == "direction" else np.ones(len(hidden))
    data = [mujoco.MjData(model) for model in models]
    N, n_actions = len(data), models[0].nu
    n_body = models[0].nq - 1 + models[0].nv
    bodies, actions = np.zeros((task.steps, N, n_body)), np.zeros((task.steps, N, n_actions), np.float32)
    rewards = np.zeros((task.steps, N))
    diverged = np.zeros(N, bool)
    for t, simulated in enumerate(task.simulated):
        if t in (0, task.second.start):
            _put_at_start(models, data, rng)
            earned = np.zeros(N)
        if t == task.second.start:
            state = between(state)
        if simulated:
            bodies[t] = [np.concatenate([d.qpos[1:], d.qvel]) for d in data]
            bodies[t, diverged] = 0.0
        shown = (t < task.shown or (task.reminded and simulated)) * task.cues(hidden, earned)
        actions[t], state = act(t, bodies[t], shown, state)
        if simulated:
            moved = _step(models, data, np.clip(actions[t], -1, 1))
            diverged |= ~np.isfinite(moved)
            rewards[t] = earned = np.where(diverged, 0.0, sign * moved / STEP_S)
    return Episodes(bodies, rewards, actions, diverged)


def _put_at_start(models: list[mujoco.MjModel], data: list[mujoco.MjData], rng: np.random.Generator) -> None:
    for model, d in zip(models, data):
        mujoco.mj_resetData(model, d)
        d.qpos[:] = model.qpos0 + rng.uniform(-_START_NOISE, _START_NOISE, model.nq)
        d.qvel[:] = _START_NOISE * rng.standard_normal(model.nv)
        mujoco.mj_forward(model, d)


def _step(models: list[mujoco.MjModel], data: list[mujoco.MjData], actions: np.ndarray) -> np.ndarray:
    """Metres along x in one control step; NaN where the simulation went wrong."""
    moved = np.empty(len(data))
    for k, (model, d) in enumerate(zip(models, data)):
        before = d.qpos[0]
        d.ctrl[:] = actions[k]
        mujoco.mj_step(model, d, _FRAMES)
        wrong = any(d.warning[kind].number for kind in WENT_WRONG)
        moved[k] = np.nan if wrong else d.qpos[0] - before
    return moved

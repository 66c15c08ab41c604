"""Robots that learn to walk: gymnasium's MuJoCo environments, one at a time or many in step."""

import logging
import math
from dataclasses import dataclass
from functools import partial

import gymnasium
import mujoco
import numpy as np
from gymnasium import wrappers
from gymnasium.wrappers import vector

from ..checks import require_choice

log = logging.getLogger(__name__)
# MuJoCo would write its warnings to a file in the working folder
mujoco.set_mju_user_warning(log.debug)

ENVIRONMENTS = ("Ant-v5", "HalfCheetah-v5")
CLIP = 10.0  # of normalised observations and rewards


# warnings of MuJoCo's that a simulation has diverged
WENT_WRONG = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


class EndDiverged(gymnasium.Wrapper):
    """Ends an episode whose simulation diverged, with ``info["diverged"]``: its last step counts for nothing.

    MuJoCo puts a simulation that went wrong back to its start and only counts a warning; here that is an end.
    """

    def __init__(self, env: gymnasium.Env):
        super().__init__(env)
        self._warnings = [env.unwrapped.data.warning[kind] for kind in WENT_WRONG]

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        # a sum is finite only if its terms are
        if any([warning.number for warning in self._warnings]) or not math.isfinite(
            np.add.reduce(observation) + reward
        ):
            return np.zeros_like(observation), 0.0, True, False, info | {"diverged": True}
        return observation, reward, terminated, truncated, info | {"diverged": False}


class Terse(gymnasium.Wrapper):
    """Keeps of ``info`` what training needs: collecting the rest from many environments takes longer than a policy does."""

    def reset(self, **options):
        return self.env.reset(**options)[0], {}

    def step(self, action):
        *rest, info = self.env.step(action)
        return *rest, {"diverged": True} if info["diverged"] else {}


@dataclass(frozen=True)
class Locomotion:
    """One of ENVIRONMENTS: walk along x as fast as you can."""

    environment: str = ENVIRONMENTS[0]

    def __post_init__(self):
        require_choice("environment", self.environment, ENVIRONMENTS)

    def make(self) -> gymnasium.Env:
        """One environment, as gymnasium has it but for :class:`EndDiverged`."""
        env = gymnasium.make(self.environment, disable_env_checker=True)
        # bodies that nothing holds together are islands, solved apart: looking for more than one robot takes time and finds none
        env.unwrapped.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
        return EndDiverged(env)

    def make_many(self, n: int, discount: float) -> gymnasium.vector.VectorEnv:
        """``n`` of them in step, with episode statistics and normalised, clipped observations and rewards."""
        envs = gymnasium.vector.SyncVectorEnv([lambda: Terse(self.make())] * n)
        envs = vector.ClipAction(vector.RecordEpisodeStatistics(envs))
        envs = vector.TransformObservation(vector.NormalizeObservation(envs), partial(np.clip, a_min=-CLIP, a_max=CLIP))
        return vector.TransformReward(
            vector.NormalizeReward(envs, gamma=discount), partial(np.clip, a_min=-CLIP, a_max=CLIP)
        )

    def sizes(self) -> tuple[int, int]:
        """How many observations and actions."""
        env = self.make()
        (n_observations,), (n_actions,) = env.observation_space.shape, env.action_space.shape
        env.close()
        return n_observations, n_actions


class Normalised(wrappers.TransformObservation):
    """Observations as a trained policy knows them: by the statistics of its training, which no longer change."""

    def __init__(self, env: gymnasium.Env, mean: np.ndarray, variance: np.ndarray):
        deviation = np.sqrt(variance + 1e-8)

        def normalise(observation):
            return np.clip((observation - mean) / deviation, -CLIP, CLIP).astype(np.float32)

        space = gymnasium.spaces.Box(-CLIP, CLIP, env.observation_space.shape, np.float32)
        super().__init__(env, normalise, space)

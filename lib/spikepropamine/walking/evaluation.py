"""How a trained policy walks, where nothing is different and where something is."""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import require_count
from .conditions import TRAINING, impose
from .inference import acting
from .policies import each
from .robots import Locomotion, Normalised

EPISODES = 20  # of an evaluation
_NO_RATE = -1e4  # whose softplus is zero, to the last bit
_EVALUATION_SEED = 1_000_000  # episode k starts from this seed + k, whatever the policy and the condition


class Episodes(NamedTuple):
    """What became of some episodes."""

    rewards: np.ndarray  # (episodes, control steps), NaN after an episode's end
    diverged: np.ndarray  # (episodes,) of bool

    @property
    def returns(self) -> np.ndarray:
        """The sum of rewards of each episode whose simulation did not diverge."""
        return np.nansum(self.rewards, axis=1)[~self.diverged]

    @property
    def lengths(self) -> np.ndarray:
        """Control steps of each episode whose simulation did not diverge."""
        return np.isfinite(self.rewards).sum(axis=1)[~self.diverged]


@torch.no_grad()
def walk(
    policy: nn.Module,
    statistics: tuple[Tensor, Tensor],
    task: Locomotion,
    condition: str = TRAINING,
    strength: float | None = None,
    onset: int = 0,
    episodes: int = EPISODES,
    steps: int = 1000,
    from_onset: nn.Module | None = None,
    each_step: Callable[[int, Any], Any] = lambda step, state: state,
) -> Episodes:
    """Let ``policy`` act, without noise, for some episodes side by side.

    Args:
        policy: what acts.
        statistics: mean and variance of the observations of its training.
        task: where.
        condition, strength, onset: as in :func:`spikepropamine.walking.conditions.impose`.
        episodes: how many, each from a seed of its own that no training uses.
        steps: control steps of an episode, at most the environment's own 1000.
        from_onset: what acts from step ``onset`` on, in the state that ``policy`` left; None leaves ``policy`` to it.
        each_step: of the control step and the policy's state before it, over the episodes that go on: the state to act with.
    """
    require_count("episodes", episodes)
    require_count("steps", steps)
    mean, variance = (x.numpy() for x in statistics)
    envs = [impose(Normalised(task.make(), mean, variance), condition, strength, onset) for _ in range(episodes)]
    observations = [env.reset(seed=_EVALUATION_SEED + k)[0] for k, env in enumerate(envs)]
    before = acting(policy)
    after = before if from_onset is None else acting(from_onset)
    state, going = policy.initial_state(episodes), list(range(episodes))
    rewards, diverged = [], np.zeros(episodes, dtype=bool)
    while going and len(rewards) < steps:
        act = before if len(rewards) < onset else after
        actions, state = act(torch.from_numpy(np.stack(observations)), each_step(len(rewards), state))
        earned, observations, stay = np.full(episodes, np.nan), [], []
        for row, (k, action) in enumerate(zip(going, actions.clamp(-1, 1).numpy())):
            observation, earned[k], terminated, truncated, info = envs[k].step(action)
            diverged[k] = info["diverged"]
            if not (terminated or truncated):
                observations.append(observation)
                stay.append(row)
        rewards.append(earned)
        if len(stay) < len(going):
            going = [going[row] for row in stay]
            state = each(lambda x: x[stay], state)
    for env in envs:
        env.close()
    return Episodes(np.stack(rewards, axis=1), diverged)


def summary(episodes: Episodes) -> dict[str, float]:
    """Mean return and length over the episodes that did not diverge, NaN if all did; and how many did."""
    counted = len(episodes.returns)
    return {
        "return": float(episodes.returns.mean()) if counted else math.nan,
        "length": float(episodes.lengths.mean()) if counted else math.nan,
        "diverged": int(episodes.diverged.sum()),
    }


def without_plasticity(policy: nn.Module) -> nn.Module:
    """A copy of ``policy`` whose efficacies stay as they are: every rate of its rule at zero."""
    frozen = copy.deepcopy(policy)
    with torch.no_grad():
        for raw in frozen.network.synapses.rule.parameters():
            raw.fill_(_NO_RATE)
    return frozen


def without_reading(policy: nn.Module) -> nn.Module:
    """A copy of ``policy`` that does not read its efficacies: α at zero."""
    return with_fixed(policy, None)


def with_fixed(policy: nn.Module, efficacies: Tensor | None) -> nn.Module:
    """A copy of ``policy`` whose synapses are W + α E with the same E, (Q, P), at all times; None is E = 0."""
    fixed = copy.deepcopy(policy)
    synapses = fixed.network.synapses
    with torch.no_grad():
        if efficacies is not None:
            synapses.weight.add_(synapses.alpha * efficacies)
        synapses.alpha.zero_()
    return fixed

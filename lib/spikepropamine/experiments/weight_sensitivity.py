"""How far a trained policy's actions move when its weights move a little.

Proximal policy optimisation takes small steps in the weights and counts on small steps in the actions. Where a spike comes
or goes, an action jumps, however small the step.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..training.supervised import generator
from ..walking.inference import acting
from ..walking.policies import each
from ..walking.robots import Normalised
from .choices import PUBLISHED_POLICIES
from .config import Experiment
from .locomotion import LocomotionConfig, locomotion, revive, untrained_weights
from .novel_conditions import SIZES, Size, jobs
from .sweeps import Store

MEASUREMENT, ROUND_TWO = "weight-sensitivity", "weight-sensitivity-round-two"
MOVES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # of every weight, as a share of the root mean square of its tensor
DRAWS = 5  # of each size of move
STEPS = 320  # control steps of the walk whose observations are replayed
_MOVE = 40  # the random stream of the moves


@torch.no_grad()
def moved(policy: nn.Module, move: float, draw: int) -> nn.Module:
    """A copy of ``policy`` whose every parameter has moved at random: W ← W + move · rms(W) · ξ, ξ ~ N(0, 1)."""
    other, noise = copy.deepcopy(policy), generator(_MOVE, draw)
    for W in other.parameters():
        W.add_(move * W.square().mean().sqrt() * torch.randn(W.shape, generator=noise))
    return other


@torch.no_grad()
def pieces(
    policy: nn.Module, statistics: tuple[Tensor, Tensor], config: LocomotionConfig, steps: int
) -> tuple[Tensor, Any]:
    """A walk of ``policy`` as PPO replays it: pieces of observations, (L, K, inputs), and the states in which they began, batch K."""
    length = config.training.piece
    env, act = Normalised(config.task.make(), *(x.numpy() for x in statistics)), acting(policy)
    observation, _ = env.reset(seed=0)
    state, observations, states = policy.initial_state(1), [], []
    for step in range(steps):
        if step % length == 0:
            states.append(state)
        observations.append(observation)
        action, state = act(torch.from_numpy(observation[None]), state)
        observation, _, terminated, *_ = env.step(action[0].clamp(-1, 1).numpy())
        if terminated:
            break
    env.close()
    whole = len(observations) // length
    walked = torch.from_numpy(np.stack(observations[: whole * length]))
    return walked.view(whole, length, -1).transpose(0, 1), each(lambda *parts: torch.cat(parts), *states[:whole])


@torch.no_grad()
def sensitivity(
    config: LocomotionConfig, weights: dict[str, Tensor], moves: Sequence[float], draws: int, steps: int
) -> list[dict]:
    """How far the mean actions of one trained policy move, a row a size of move: ``action_moved``, mean over ``draws``.

    It is the root mean square of the change, over steps and actions, as a share of the actions' own deviation over the walk.
    """
    policy, statistics = revive(config, weights)
    observations, states = pieces(policy, statistics, config, steps)
    actions, _ = policy.run(observations, states)
    deviation = actions.flatten(0, 1).std(0).square().mean().sqrt()
    rows = []
    for move in moves:
        others = (moved(policy, move, draw).run(observations, states)[0] for draw in range(draws))
        found = [((other - actions).square().mean().sqrt() / deviation).item() for other in others]
        rows.append({"weights_moved": move, "action_moved": float(np.mean(found))})
    return rows


def measure(
    store: Store,
    size: Size = SIZES["paper"],
    draws: int = DRAWS,
    keep: Callable[..., None] = lambda *_: None,
    make: Callable[..., Experiment] = locomotion,
    earlier: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict]:
    """:func:`sensitivity` of every policy of ``make`` that is trained, all of MOVES; and how many draws each rests on.

    Policies that ``earlier``, rows of the same kind, tells of are not measured again.
    """
    torch.set_num_threads(1)
    rows, facts = [] if earlier is None else earlier.to_dict("records"), {"draws": draws, "rehearsal": rehearse()}
    held = {(row["config_hash"], row["seed"]) for row in rows}
    for name, config, seed in jobs(size, list(PUBLISHED_POLICIES), store, make=make, whole=True):
        if (config.hash, seed) in held:
            continue
        found = sensitivity(config, store.weights(name, config, seed), MOVES, draws, min(STEPS, size.steps))
        rows += [config.walker(seed) | row for row in found]
        keep(pd.DataFrame(rows), facts)
    return pd.DataFrame(rows), facts


def rehearse() -> dict[str, float]:
    """What is done to a policy, in a few numbers: how far the actions of untrained ones move."""
    found = {}
    for config in locomotion("half-cheetah", "smoke", policies=["snn", "mlp"]).configs:
        (row,) = sensitivity(config, untrained_weights(config), [0.1], draws=1, steps=32)
        found[config.network.name] = row["action_moved"]
    return found


def policies(store: Store, make: Callable[..., Experiment] = locomotion) -> Iterator[tuple[LocomotionConfig, int]]:
    """The runs that are measured."""
    for _, config, seed in jobs(SIZES["paper"], list(PUBLISHED_POLICIES), store, make=make, whole=True):
        yield config, seed

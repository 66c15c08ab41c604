"""What plasticity does in a walk where nothing is different: the same policies with their efficacies E changed.

If a policy walks as well without reading E, with one fixed E in place of the one that its rule writes, or with the E of
another episode, with E bounded elsewhere or fading, then what the rule writes within an episode is of little use to it.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from ..walking.evaluation import summary, walk, with_fixed, without_reading
from ..walking.policies import PolicyState
from .choices import PUBLISHED_PLASTIC
from .config import Experiment
from .locomotion import LocomotionConfig, locomotion, revive, untrained_weights
from .mechanism import AT_BOUND
from .novel_conditions import SIZES, Size, jobs
from .sweeps import Store

MEASUREMENT, ROUND_TWO = "plasticity-in-walking", "plasticity-in-walking-round-two"
LONGER = "plasticity-in-walking-longer-pieces"
EPISODES = 5  # of each policy and way
# by way: a bound of E in place of the E_max that policies are trained with, and the time constant, in seconds, of an E that
# fades besides what its rule does
BOUNDS = {f"E bounded at {bound:g}": bound for bound in (1.0, 10.0)}
FADES_S = {f"E fades in {tau:g} s": tau for tau in (5.0, 0.5)}
WAYS = (
    "as trained",
    "α = 0",
    "E held at its mean",
    "E swapped between episodes",
    "E of another policy",
    *BOUNDS,
    *FADES_S,
)


class Watch:
    """What E is like in the course of some episodes: its mean, how much of it is at its bound, and α E against W."""

    def __init__(self, policy: nn.Module):
        self.synapses, self.steps = policy.network.synapses, 0
        self.total, self.bound, self.ratio = torch.zeros_like(self.synapses.weight), 0.0, 0.0
        self.weight = self.synapses.weight.abs().mean().item()

    def __call__(self, step: int, state: PolicyState) -> PolicyState:
        E = state.network[0].plastic.E
        self.steps += 1
        self.total += E.mean(0)
        self.bound += (E.abs() >= AT_BOUND * self.synapses.e_max).float().mean().item()
        self.ratio += (self.synapses.alpha * E).abs().mean().item() / self.weight
        return state

    @property
    def mean(self) -> Tensor:
        """The mean E, (Q, P), over time and episodes."""
        return self.total / self.steps


def fading(tau_s: float, step_s: float) -> Callable[[int, Any], Any]:
    """At each control step, of ``step_s`` seconds, E fades towards zero with the time constant ``tau_s``."""
    kept = math.exp(-step_s / tau_s)  # E ← E exp(−Δt / τ)
    return lambda step, state: state.with_efficacies(kept * state.network[0].plastic.E)


def bounded(policy: nn.Module, e_max: float) -> nn.Module:
    """A copy of ``policy`` whose E is clipped at another ``e_max``."""
    other = copy.deepcopy(policy)
    other.network.synapses.e_max = e_max
    return other


def swap_each(period: int) -> Callable[[int, Any], Any]:
    """Every ``period`` control steps each episode gets the E of the next one, and all else stays."""

    def swap(step: int, state: PolicyState) -> PolicyState:
        if step == 0 or step % period:
            return state
        return state.with_efficacies(torch.roll(state.network[0].plastic.E, 1, 0))

    return swap


@torch.no_grad()
def ways(
    config: LocomotionConfig, weights: dict[str, Tensor], other: Tensor | None, episodes: int, steps: int
) -> tuple[list[dict], Tensor]:
    """How one trained policy walks in each of WAYS, a row each; and its mean E, (Q, P).

    Args:
        config: of the policy.
        weights: of its run.
        other: the mean E of another policy of the same configuration; None leaves that way out.
        episodes: of each way, from the same starts.
        steps: control steps of an episode.
    """
    policy, statistics = revive(config, weights)
    watch = Watch(policy)
    step_s = config.network.ticks * config.network.options.dt / 1000

    def fares(way: str, walker: nn.Module, **more) -> dict:
        return {"way": way} | summary(walk(walker, statistics, config.task, episodes=episodes, steps=steps, **more))

    rows = [fares(WAYS[0], policy, each_step=watch)]
    rows[0] |= {"at_bound": watch.bound / watch.steps, "alpha_E_over_W": watch.ratio / watch.steps}
    rows.append(fares(WAYS[1], without_reading(policy)))
    rows.append(fares(WAYS[2], with_fixed(policy, watch.mean)))
    rows.append(fares(WAYS[3], policy, each_step=swap_each(max(1, steps // 4))))
    if other is not None:
        rows.append(fares(WAYS[4], with_fixed(policy, other)))
    rows += [fares(way, bounded(policy, bound)) for way, bound in BOUNDS.items()]
    rows += [fares(way, policy, each_step=fading(tau, step_s)) for way, tau in FADES_S.items()]
    return rows, watch.mean


def measure(
    store: Store,
    size: Size = SIZES["paper"],
    episodes: int = EPISODES,
    keep: Callable[..., None] = lambda *_: None,
    make: Callable[..., Experiment] = locomotion,
    earlier: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Every plastic policy in each of WAYS, on robots all of whose policies are trained.

    "Another" policy is the one with the seed before, of the same network; the first one's is the last.

    Args:
        store: where the weights are.
        size: how many control steps an episode has, and whose seeds.
        episodes: of each policy and way.
        keep: called after each policy with all there is so far.
        make: whose runs, as :func:`spikepropamine.experiments.novel_conditions.jobs` takes it.
        earlier: rows of the same kind; they stay, and no policy is measured again that is there.

    Returns:
        Rows of environment, network, seed, way, return, length, diverged and, of the policy as trained, ``at_bound`` (share
        of efficacies) and ``alpha_E_over_W`` (mean size of α E in that of W); and how many episodes each rests on.
    """
    torch.set_num_threads(1)
    rows, facts = [] if earlier is None else earlier.to_dict("records"), {"episodes": episodes, "rehearsal": rehearse()}
    held = {(row["config_hash"], row["seed"]) for row in rows}
    groups: dict[tuple[str, LocomotionConfig], list[int]] = {}
    for name, config, seed in jobs(size, list(PUBLISHED_PLASTIC), store, make=make, whole=True):
        groups.setdefault((name, config), []).append(seed)
    for (name, config), seeds in groups.items():
        means: dict[int, Tensor] = {}
        for before, seed in zip([seeds[-1], *seeds], seeds):
            if (config.hash, seed) in held:
                continue
            if before != seed and before not in means:
                means[before] = _mean_E(config, store.weights(name, config, before), episodes, size.steps)
            weights = store.weights(name, config, seed)
            found, means[seed] = ways(config, weights, means.get(before), episodes, size.steps)
            rows += [config.walker(seed) | row for row in found]
            keep(pd.DataFrame(rows), facts)
    return pd.DataFrame(rows), facts


@torch.no_grad()
def _mean_E(config: LocomotionConfig, weights: dict[str, Tensor], episodes: int, steps: int) -> Tensor:
    policy, statistics = revive(config, weights)
    watch = Watch(policy)
    walk(policy, statistics, config.task, episodes=episodes, steps=steps, each_step=watch)
    return watch.mean


def rehearse() -> dict[str, float]:
    """What is done to a policy, in a few numbers: the rewards of an untrained one in each way."""
    config = locomotion("half-cheetah", "smoke", policies=["ndp-bcm"]).configs[0]
    weights = untrained_weights(config)
    rows, mean = ways(config, weights, weights["network.synapses.weight"], episodes=2, steps=20)
    return {row["way"]: row["return"] for row in rows} | {"mean E": mean.norm().item()}


def policies(store: Store, make: Callable[..., Experiment] = locomotion) -> Iterator[tuple[LocomotionConfig, int]]:
    """The runs that are measured."""
    for _, config, seed in jobs(SIZES["paper"], list(PUBLISHED_PLASTIC), store, make=make, whole=True):
        yield config, seed

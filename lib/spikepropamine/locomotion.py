"""Walking: the named experiments, and how a trained policy fares where nothing is different and where something is.

Run like the temporal ones, by :func:`spikepropamine.sweeps.sweep`.
"""

import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import records
from .checks import require, require_choice, require_count
from .experiments import Config, Experiment, finite
from .parameters import PROFILES, ChapterParameters, check_workers
from .policies import POLICIES, Policy, each
from .sweeps import Store
from .tasks.conditions import CONDITIONS, TRAINING, impose
from .tasks.locomotion import Locomotion, Normalised
from .training import ppo
from .training.ppo import PPO
from .training.supervised import REHEARSE, Progress, Trained, generator, gradient_sizes

EXPERIMENTS = {"ant": "Ant-v5", "half-cheetah": "HalfCheetah-v5"}
EPISODES = 20  # of an evaluation
_EVALUATION_SEED = 1_000_000  # episode k starts from this seed + k, whatever the policy and the condition


# ---------------------------------------------------------------- how a policy fares


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
) -> Episodes:
    """Let ``policy`` act, without noise, for some episodes side by side.

    Args:
        policy: what acts.
        statistics: mean and variance of the observations of its training.
        task: where.
        condition, strength, onset: as in :func:`spikepropamine.tasks.conditions.impose`.
        episodes: how many, each from a seed of its own that no training uses.
        steps: control steps of an episode, at most the environment's own 1000.
        from_onset: what acts from step ``onset`` on, in the state that ``policy`` left; None leaves ``policy`` to it.
    """
    require_count("episodes", episodes)
    require_count("steps", steps)
    mean, variance = (x.numpy() for x in statistics)
    envs = [impose(Normalised(task.make(), mean, variance), condition, strength, onset) for _ in range(episodes)]
    observations = [env.reset(seed=_EVALUATION_SEED + k)[0] for k, env in enumerate(envs)]
    state, going = policy.initial_state(episodes), list(range(episodes))
    rewards, diverged = [], np.zeros(episodes, dtype=bool)
    while going and len(rewards) < steps:
        acting = policy if from_onset is None or len(rewards) < onset else from_onset
        actions, state = acting.run(torch.as_tensor(np.stack(observations)).unsqueeze(0), state)
        earned, observations, stay = np.full(episodes, np.nan), [], []
        for row, (k, action) in enumerate(zip(going, actions[0].clamp(-1, 1).numpy())):
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
    """A copy of ``policy`` whose efficacies stay as they are: η at zero."""
    frozen = copy.deepcopy(policy)
    with torch.no_grad():
        frozen.network.synapses.rule.raw_eta.fill_(-math.inf)
    return frozen


def revive(config: "LocomotionConfig", weights: dict[str, Tensor]) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A trained policy and the statistics of its observations, from the weights of its run.

    Raises:
        ValueError: weights of another policy, by the names or shapes that do not fit.
    """
    weights = dict(weights)
    statistics = tuple(weights.pop(f"observation_{part}", torch.empty(0)) for part in ("mean", "var"))
    policy = config.build(0)
    expected = {name: tuple(p.shape) for name, p in policy.named_parameters()} | {"observation_mean": config.task.sizes()[:1]}
    found = {name: tuple(p.shape) for name, p in weights.items()} | {"observation_mean": tuple(statistics[0].shape)}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise ValueError(
            f"weights = {', '.join(f'{name} {found.get(name)}' for name in wrong)}: must be those of {config.network.name} on "
            f"{config.task.environment}: {', '.join(f'{name} {expected.get(name)}' for name in wrong)}"
        )
    policy.load_state_dict(weights, strict=False)
    return policy, statistics


# ---------------------------------------------------------------- experiments


@dataclass(frozen=True)
class LocomotionConfig(Config):
    """Everything that shapes the result of a walking run beside its seed."""

    task: Locomotion
    network: Policy
    training: PPO
    metric: ClassVar[str] = "return"

    @property
    def label(self) -> str:
        return f"{self.network.name} {self.task.environment}"

    def build(self, seed: int) -> nn.Module:
        """The untrained policy."""
        return self.network.build(*self.task.sizes(), seed)

    def train(self, network: nn.Module, seed: int, checkpoint: Path | None, progress: Progress) -> Trained:
        """Train by PPO, in place; then let it walk under the training condition."""
        trained = ppo.train(network, self.task, self.training, seed, checkpoint, progress)
        episodes = 2 if self.training.steps < 10_000 else EPISODES
        found = walk(network, (trained.weights["observation_mean"], trained.weights["observation_var"]), self.task, episodes=episodes)
        return trained._replace(metrics=trained.metrics | summary(found))

    def rehearse(self) -> dict[str, float]:
        """What the code does with this configuration: a little is collected, and learned from once."""
        little = dataclasses.replace(self.training, steps=64, environments=2, rollout=32, epochs=1, minibatches=1)
        agent, optimiser = ppo.set_up(self.build(0), self.task, little, 0)
        envs = self.task.make_many(little.environments, little.discount)
        rollout, *_ = ppo.collect(agent, envs, ppo.set_out(agent, envs, 0), little, generator(REHEARSE, 0))
        watched = ppo.learn(agent, optimiser, rollout, little, generator(REHEARSE, 1))
        envs.close()
        watched = {name: watched[name] for name in ("value_loss", "gradient_norm")}
        return finite(watched | gradient_sizes(agent) | {"advantages": rollout.advantages.norm().item(), "actions": rollout.actions.norm().item()})

    def test(self, network: nn.Module) -> dict[str, float]:
        """Nothing more: novel conditions are measured apart, from the published weights."""
        return {}


# What the searches below found best for each policy: (learning rate, factor on the rules' initial η).
# snn and mlp have no η; a test holds these to the published searches.
CHOSEN: dict[str, dict[str, tuple[float, float]]] = {
    "half-cheetah": {
        "snn": (2e-3, 0.008), "dp-oja": (2e-3, 0.04), "dp-bcm": (2e-3, 0.008), "ndp-oja": (2e-3, 0.04), "ndp-bcm": (1e-3, 0.008), "mlp": (2e-3, 0.008),
    },
    "ant": {
        "snn": (1e-3, 0.008), "dp-oja": (1e-3, 0.04), "dp-bcm": (5e-4, 0.04), "ndp-oja": (1e-3, 0.008), "ndp-bcm": (5e-4, 0.04), "mlp": (1e-3, 0.008),
    },
}

# What differs between the robots beside their size. A spread of 0.6 costs an ant more for its actions, 0.5 a² each, than
# it earns by not falling: it would learn to fall. With 4 epochs in place of 8 (one seed each of snn and dp-oja, 300,000
# steps) it walked as far, and took half the time to learn.
_ROBOT: dict[str, dict[str, Any]] = {
    "ant": dict(steps=2_000_000, initial_std=0.25, epochs=4),
    "half-cheetah": dict(steps=300_000),
}
_TRAINING: dict[str, dict[str, Any]] = {
    "smoke": dict(steps=512, environments=2, rollout=64, epochs=1, minibatches=2, section=2),
    "quick": dict(steps=100_000),
    "paper": {},
}
_SEEDS = {"smoke": 1, "quick": 1, "paper": 5}


@dataclass(frozen=True)
class WalkingParameters(ChapterParameters):
    """The parameters of a chapter about walking, where the ordinary policy is a choice too."""

    known: ClassVar[tuple[str, ...]] = POLICIES


def policy(name: str, eta_factor: float) -> Policy:
    """A policy of the default size with the rules' initial η multiplied by ``eta_factor``."""
    default = Policy(name)
    o = default.options
    options = dataclasses.replace(o, eta_oja=eta_factor * o.eta_oja, eta_bcm=eta_factor * o.eta_bcm)
    return dataclasses.replace(default, options=options)


def locomotion(name: str, profile: str = "paper", seeds: int | None = None, policies: Iterable[str] = POLICIES) -> Experiment:
    """Every policy in one of EXPERIMENTS, with the values the search found."""
    require_choice("name", name, EXPERIMENTS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    configs = []
    for one in policies:
        require_choice("policies", one, POLICIES)
        rate, factor = CHOSEN[name][one]
        training = PPO(**_ROBOT[name] | _TRAINING[profile] | {"learning_rate": rate})
        configs.append(LocomotionConfig(Locomotion(EXPERIMENTS[name]), policy(one, factor), training))
    seeds = tuple(range(seeds or _SEEDS[profile]))
    return Experiment(name, profile, tuple(configs), seeds, weights_of=seeds)


# The grid and its budget: steps, learning rates, factors on the initial η. An ant falls where a cheetah can only stumble, and
# takes smaller steps to learn.
SEARCHED = {"half-cheetah": (200_000, (1e-3, 2e-3), (0.008, 0.04)), "ant": (300_000, (5e-4, 1e-3), (0.008, 0.04))}


def search(name: str) -> Experiment:
    """The search for each policy's learning rate and initial η in one of EXPERIMENTS: one grid and budget for all.

    ``snn`` and ``mlp`` have no η, so their configurations are the two learning rates twice over: their budget is the same.
    """
    require_choice("name", name, EXPERIMENTS)
    steps, rates, factors = SEARCHED[name]
    configs = tuple(
        LocomotionConfig(Locomotion(EXPERIMENTS[name]), policy(one, factor), PPO(**_ROBOT[name] | {"steps": steps, "learning_rate": rate}))
        for one, rate, factor in itertools.product(POLICIES, rates, factors)
    )
    return Experiment(f"{name}-search", "paper", configs, (1000,))


# ---------------------------------------------------------------- novel conditions

@dataclass(frozen=True)
class Size:
    """How much is measured."""

    episodes: int
    steps: int  # control steps of an episode
    every_strength: bool  # or the moderate ones alone
    seeds: int | None  # whose policies; None takes all

    @property
    def quarter(self) -> int:
        """Control steps of a quarter of an episode; a condition to adapt to sets in after the first."""
        return self.steps // 4


SIZES = {"smoke": Size(2, 40, False, 1), "quick": Size(4, 1000, False, 1), "paper": Size(EPISODES, 1000, True, None)}


def fare(experiment: str, config: LocomotionConfig, seed: int, store: Store, size: Size) -> list[dict]:
    """How one trained run fares under every condition and strength, a row each."""
    torch.set_num_threads(1)
    policy, statistics = revive(config, store.weights(experiment, config, seed))
    tested = [(TRAINING, None)]
    for condition, kind in CONDITIONS.items():
        tested += [(condition, strength) for strength in (kind.strengths if size.every_strength else (kind.moderate,))]
    said, rows = _said(config, seed), []
    for condition, strength in tested:
        found = walk(policy, statistics, config.task, condition, strength, episodes=size.episodes, steps=size.steps)
        rows.append(said | {"condition": condition, "strength": math.nan if strength is None else float(strength)} | summary(found))
    return rows


def adapt(experiment: str, config: LocomotionConfig, seed: int, store: Store, size: Size) -> list[dict]:
    """How one trained run copes with each condition that sets in after a quarter, with E free and with E frozen from there on.

    A row for each condition (TRAINING too, in which nothing sets in), way and quarter: the mean reward of a control step,
    over the episodes that got as far as the onset; steps after a fall count as zero.
    """
    torch.set_num_threads(1)
    policy, statistics = revive(config, store.weights(experiment, config, seed))
    onset, said, rows = size.quarter, _said(config, seed), []
    for condition in (TRAINING, *CONDITIONS):
        for way, later in (("E free", None), ("E frozen", without_plasticity(policy))):
            found = walk(policy, statistics, config.task, condition, None, onset, size.episodes, size.steps, later)
            counted = ~found.diverged & np.isfinite(found.rewards[:, : onset + 1]).all(1)
            for quarter, rewards in enumerate(np.split(np.nan_to_num(found.rewards[counted]), range(onset, 4 * onset, onset), axis=1), 1):
                reward = float(rewards.sum(1).mean() / onset) if counted.any() else math.nan
                rows.append(said | {"condition": condition, "way": way, "quarter": quarter, "reward": reward, "episodes": int(counted.sum())})
    return rows


REHEARSED_STEPS = 25  # control steps: the first push comes after 20


def rehearse_conditions() -> dict[str, float]:
    """What each condition does, in a number: how far what is sensed in a fixed walk is from what is sensed without it."""
    found = {}
    for name, environment in EXPERIMENTS.items():
        sensed = {condition: _fixed_walk(Locomotion(environment), condition) for condition in (TRAINING, *CONDITIONS)}
        for condition, observations in sensed.items():
            other = 0 if condition == TRAINING else sensed[TRAINING]
            found[f"{name}, {condition}"] = float(np.abs(observations - other).sum())
    return found


def _fixed_walk(task: Locomotion, condition: str) -> np.ndarray:
    """The observations, (steps, inputs), of a walk by rote."""
    inputs, actions = task.sizes()
    env = impose(Normalised(task.make(), np.zeros(inputs), np.ones(inputs)), condition)
    observations = [env.reset(seed=0)[0]]
    for step in range(REHEARSED_STEPS):
        observations.append(env.step(np.full(actions, 0.5 * (-1) ** step, np.float32))[0])
    env.close()
    return np.stack(observations)


def _said(config: LocomotionConfig, seed: int) -> dict:
    return {"environment": config.task.environment, "network": config.network.name, "seed": seed, "config_hash": config.hash,
            "git_commit": records.provenance()["git_commit"]}


def _timed(how: Callable[..., list[dict]], *arguments) -> list[dict]:
    """The rows of ``how``, each with what all of them took, in seconds."""
    started = time.perf_counter()
    rows = how(*arguments)
    took = time.perf_counter() - started
    return [row | {"policy_seconds": took} for row in rows]


def measuring_hours(table: pd.DataFrame) -> tuple[float, int]:
    """Core hours that the policies of a table of :func:`measure` took, and how many of them are older than this record."""
    each = table.reindex(columns=["config_hash", "seed", "policy_seconds"]).drop_duplicates(["config_hash", "seed"]).policy_seconds
    return float(each.sum() / 3600), int(each.isna().sum())


def measure(
    how: Callable[..., list[dict]],
    profile: str,
    seeds: int | None,
    policies: list[str],
    store: Store,
    workers: int | str = 1,
    earlier: pd.DataFrame | None = None,
    keep: Callable[[pd.DataFrame, dict], None] = lambda table, facts: None,
) -> tuple[pd.DataFrame, dict]:
    """:func:`fare` or :func:`adapt`, at the size of ``profile``, of every run of the paper profile whose weights ``store`` holds.

    Args:
        how: what is measured of a run.
        profile: one of PROFILES.
        seeds: whose policies, from seed 0 up; None takes the size's own.
        policies: names; :func:`adapt` is for those with plasticity.
        store: where the weights are.
        workers: policies at a time.
        earlier: rows of the same kind and size; they stay, and their runs are not measured again.
        keep: called after each policy with all there is so far, so that a measurement that was stopped can be taken up.

    Returns:
        The rows, with the seconds that all of a policy's took; how many episodes each rests on, and what the conditions do.

    Raises:
        ValueError: no weights.
    """
    check_workers(workers)
    size = SIZES[profile]
    jobs = [
        (name, config, seed)
        for name in EXPERIMENTS
        for config, seed in locomotion(name, "paper", seeds or size.seeds, policies).runs
        if store.has_weights(name, config, seed)
    ]
    held = records.run_keys(earlier)
    require(len(jobs) > 0, "policies", policies, f"some whose trained weights are published in {store.published}")
    jobs = [(name, config, seed) for name, config, seed in jobs if (config.hash, seed) not in held]
    done = joblib.Parallel(n_jobs=workers, return_as="generator")(joblib.delayed(_timed)(how, *job, store, size) for job in jobs)
    table, facts = earlier, {"episodes": size.episodes, "rehearsal": rehearse_conditions()}
    for rows in tqdm(done, total=len(jobs), desc=how.__name__, unit="policy"):
        table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
        keep(table, facts)
    return table, facts

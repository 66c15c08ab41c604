"""Walking: the named experiments, run like the temporal ones, by :func:`spikepropamine.experiments.sweeps.sweep`."""

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .. import records
from ..checks import require_choice, require_count
from ..snn.networks import scaled
from ..training import ppo
from ..training.course import Progress, Trained
from ..training.ppo import PPO
from ..training.supervised import REHEARSE, generator, gradient_sizes
from ..walking.evaluation import EPISODES, summary, walk
from ..walking.policies import POLICIES, Policy
from ..walking.robots import Locomotion
from .choices import PROFILES, PUBLISHED_POLICIES
from .config import Config, Experiment, finite, named

EXPERIMENTS = {"ant": "Ant-v5", "half-cheetah": "HalfCheetah-v5"}


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
        found = walk(
            network,
            (trained.weights["observation_mean"], trained.weights["observation_var"]),
            self.task,
            episodes=episodes,
        )
        return trained._replace(metrics=trained.metrics | summary(found))

    def rehearse(self) -> dict[str, float]:
        """What the code does with this configuration: a little is collected, and learned from once."""
        little = dataclasses.replace(self.training, steps=64, environments=2, rollout=32, epochs=1, minibatches=1)
        agent, optimiser = ppo.set_up(self.build(0), self.task, little, 0)
        envs = self.task.make_many(little.environments, little.discount)
        rollout, *_ = ppo.collect(agent, envs, ppo.set_out(agent, envs, 0), little, generator(REHEARSE, 0))
        watched = ppo.learn(agent, optimiser, rollout, ppo.objective, little, generator(REHEARSE, 1))
        envs.close()
        watched = {name: watched[name] for name in ("value_loss", "gradient_norm")}
        return finite(
            watched
            | gradient_sizes(agent)
            | {"advantages": rollout.advantages.norm().item(), "actions": rollout.actions.norm().item()}
        )

    def walker(self, seed: int) -> dict[str, Any]:
        """What a row of a measurement says of the policy that walked, and the commit that measured it."""
        return {
            "environment": self.task.environment,
            "network": self.network.name,
            "seed": seed,
            "config_hash": self.hash,
            "git_commit": records.provenance()["git_commit"],
        }

    def test(self, network: nn.Module) -> dict[str, float]:
        """Nothing more: novel conditions are measured apart, from the published weights."""
        return {}


def revive(config: LocomotionConfig, weights: dict[str, Tensor]) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A trained policy and the statistics of its observations, from the weights of its run.

    Raises:
        ValueError: weights of another policy, by the names or shapes that do not fit.
    """
    weights = dict(weights)
    statistics = tuple(weights.pop(f"observation_{part}", torch.empty(0)) for part in ("mean", "var"))
    policy = config.build(0)
    expected = {name: tuple(p.shape) for name, p in policy.named_parameters()} | {
        "observation_mean": config.task.sizes()[:1]
    }
    found = {name: tuple(p.shape) for name, p in weights.items()} | {"observation_mean": tuple(statistics[0].shape)}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise ValueError(
            f"weights = {', '.join(f'{name} {found.get(name)}' for name in wrong)}: must be those of {config.network.name} on "
            f"{config.task.environment}: {', '.join(f'{name} {expected.get(name)}' for name in wrong)}"
        )
    policy.load_state_dict(weights, strict=False)
    return policy, statistics


def untrained_weights(config: LocomotionConfig) -> dict[str, Tensor]:
    """What a run of ``config`` would leave if it learned nothing, seed 0: its policy's weights and observations of mean 0 and variance 1."""
    n_observations, _ = config.task.sizes()
    return {name: p.detach() for name, p in config.build(0).named_parameters()} | {
        "observation_mean": torch.zeros(n_observations, dtype=torch.float64),
        "observation_var": torch.ones(n_observations, dtype=torch.float64),
    }


# What the searches below found best for each policy: (learning rate, factor on the rules' initial η).
# snn and mlp have no η; a test holds these to the published searches.
CHOSEN: dict[str, dict[str, tuple[float, float]]] = {
    "half-cheetah": {
        "snn": (2e-3, 0.008),
        "dp-oja": (2e-3, 0.04),
        "dp-bcm": (2e-3, 0.008),
        "ndp-oja": (2e-3, 0.04),
        "ndp-bcm": (1e-3, 0.008),
        "mlp": (2e-3, 0.008),
    },
    "ant": {
        "snn": (1e-3, 0.008),
        "dp-oja": (1e-3, 0.04),
        "dp-bcm": (5e-4, 0.04),
        "ndp-oja": (1e-3, 0.008),
        "ndp-bcm": (5e-4, 0.04),
        "mlp": (1e-3, 0.008),
    },
}

UNSEARCHED = (1e-3, 0.04)  # of a policy that no search has chosen for: in the grid of both robots

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


def policy(name: str, eta_factor: float) -> Policy:
    """A policy of the default size with the rules' initial η multiplied by ``eta_factor``."""
    default = Policy(name)
    return dataclasses.replace(default, options=scaled(default.options, name, eta_factor))


def locomotion(
    name: str, profile: str = "paper", seeds: int | None = None, policies: Iterable[str] = PUBLISHED_POLICIES
) -> Experiment:
    """Policies in one of EXPERIMENTS, each with the values that the search found."""
    require_choice("name", name, EXPERIMENTS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    configs = []
    for one in policies:
        require_choice("policies", one, POLICIES)
        rate, factor = CHOSEN[name].get(one, UNSEARCHED)
        training = PPO(**_ROBOT[name] | _TRAINING[profile] | {"learning_rate": rate})
        configs.append(LocomotionConfig(Locomotion(EXPERIMENTS[name]), policy(one, factor), training))
    seeds = tuple(range(seeds or _SEEDS[profile]))
    return Experiment(named(name, profile), profile, tuple(configs), seeds, weights_of=seeds)


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
        LocomotionConfig(
            Locomotion(EXPERIMENTS[name]),
            policy(one, factor),
            PPO(**_ROBOT[name] | {"steps": steps, "learning_rate": rate}),
        )
        for one, rate, factor in itertools.product(PUBLISHED_POLICIES, rates, factors)
    )
    return Experiment(f"{name}-search", "paper", configs, (1000,))

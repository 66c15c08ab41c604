"""Walking, round two: more steps and seeds on both robots, and the search that has to come before them.

The criteria stand in ``book/claims.yml``. What is kept is measured as in round one, from the trained policies
(:mod:`spikepropamine.experiments.novel_conditions`), and published as ``MEASUREMENT``.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from ..checks import require_choice, require_count
from ..walking.policies import POLICIES, Policy
from .choices import PROFILES, PUBLISHED_POLICIES
from .config import Experiment, named
from .locomotion import EXPERIMENTS, LocomotionConfig, locomotion

MEASUREMENT = "novel-conditions-round-two"
STEPS = {"ant": 2_000_000, "half-cheetah": 1_000_000}
SEEDS = 10


def _with(config: LocomotionConfig, network: dict[str, Any], training: dict[str, Any]) -> LocomotionConfig:
    """``config`` with other fields of its network, options among them, and of its training."""
    options = network.get("options", {})
    policy: Policy = dataclasses.replace(
        config.network,
        **{key: value for key, value in network.items() if key != "options"},
        options=dataclasses.replace(config.network.options, **options),
    )
    return dataclasses.replace(config, network=policy, training=dataclasses.replace(config.training, **training))


def round_two(
    robot: str, profile: str = "paper", seeds: int | None = None, policies: Iterable[str] = PUBLISHED_POLICIES
) -> Experiment:
    """The policies of round one on one of EXPERIMENTS, with STEPS and SEEDS; Ant's first five seeds are those of round one.

    Args:
        robot: a name of EXPERIMENTS.
        profile: one of PROFILES.
        seeds: how many, from 0 up; None takes SEEDS.
        policies: names of POLICIES.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("robot", robot, STEPS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    before = locomotion(robot, profile, seeds, policies)
    steps = {"steps": STEPS[robot]} if profile == "paper" else {}
    configs = tuple(_with(config, {}, steps) for config in before.configs)
    seeds = tuple(range(seeds or (SEEDS if profile == "paper" else len(before.seeds))))
    return Experiment(named(f"{robot}-round-two", profile), profile, configs, seeds, weights_of=seeds)


# What may close the distance between the spiking policies and the MLP: changes of a policy's network and training, each
# tried for every policy by itself. A third of the learning rate goes with the greatest width, where more does not learn.
GAP_STEPS = 1_000_000
GAP_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as in round one": ({}, {}),
    "128 neurons": ({"n_hidden": 128}, {}),
    "256 neurons, a third of the learning rate": ({"n_hidden": 256}, {"learning_rate": 1 / 3}),
    "a third of the learning rate": ({}, {"learning_rate": 1 / 3}),
    "clip of 0.1": ({}, {"clip": 0.1}),
    "pieces of 64 steps": ({}, {"piece": 64}),
    "four ticks of 12.5 ms": ({"ticks": 4, "options": {"dt": 12.5}}, {}),
    "membrane and readout of 60 ms": ({"options": {"tau_membrane": 60.0, "tau_readout": 60.0}}, {}),
}


def gap_changes(robot: str) -> dict[str, tuple[str, str]]:
    """By configuration's hash the policy and the name of the change in :func:`gap_search`."""
    names = [(policy, change) for policy in PUBLISHED_POLICIES for change in GAP_CHANGES]
    return {config.hash: name for config, name in zip(gap_search(robot).configs, names)}


def gap_search(robot: str, policies: Iterable[str] = PUBLISHED_POLICIES) -> Experiment:
    """GAP_CHANGES of every policy on one of EXPERIMENTS: one list and one budget for all, seed 1000.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("robot", robot, EXPERIMENTS)
    configs = []
    for name in policies:
        require_choice("policies", name, POLICIES)
        (config,) = locomotion(robot, policies=[name]).configs
        for network, training in GAP_CHANGES.values():
            rate = config.training.learning_rate * training.get("learning_rate", 1.0)
            configs.append(_with(config, network, training | {"learning_rate": rate, "steps": GAP_STEPS}))
    return Experiment(f"{robot}-gap-search", "paper", tuple(configs), (1000,))

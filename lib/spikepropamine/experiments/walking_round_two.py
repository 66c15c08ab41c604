"""Walking, round two: ten seeds on both robots, more steps on HalfCheetah, and the search that comes before them.

The criteria stand in ``book/claims.yml``. What is kept is measured as in round one, from the trained policies
(:mod:`spikepropamine.experiments.novel_conditions`), and published as ``MEASUREMENT``.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pandas as pd

from ..checks import require_choice, require_count
from ..walking.policies import POLICIES
from .choices import PROFILES, PUBLISHED_PLASTIC, PUBLISHED_POLICIES
from .config import Experiment, named
from .locomotion import EXPERIMENTS, LocomotionConfig, locomotion

MEASUREMENT = "novel-conditions-round-two"
STEPS = {"ant": 2_000_000, "half-cheetah": 1_000_000}
SEEDS = 10


# What may close the distance between the spiking policies and the MLP: changes of a policy's network and training, each
# tried for every policy by itself; those of _FACTORS are factors. A third of the learning rate goes with the greatest width,
# where more does not learn.
_FACTORS = ("learning_rate", "initial_std")
GAP_STEPS = 1_000_000
UNCHANGED = "as in round one"
GAP_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    UNCHANGED: ({}, {}),
    "128 neurons": ({"n_hidden": 128}, {}),
    "256 neurons, a third of the learning rate": ({"n_hidden": 256}, {"learning_rate": 1 / 3}),
    "a third of the learning rate": ({}, {"learning_rate": 1 / 3}),
    "clip of 0.1": ({}, {"clip": 0.1}),
    "pieces of 64 steps": ({}, {"piece": 64}),
    "four ticks of 12.5 ms": ({"ticks": 4, "options": {"dt": 12.5}}, {}),
    "membrane and readout of 60 ms": ({"options": {"tau_membrane": 60.0, "tau_readout": 60.0}}, {}),
}

# Tried later, and exploratory: nothing is chosen or judged by these.
FURTHER_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pieces of 128 steps": ({}, {"piece": 128, "rollout": 128, "environments": 16}),  # as many steps between updates
    "updates that end at a KL of 0.03": ({}, {"target_kl": 0.03}),
    "entropy bonus of 0.01": ({}, {"entropy_weight": 0.01}),
    "half the first spread of actions": ({}, {"initial_std": 1 / 2}),
    "learned membrane time constants": ({"options": {"learn_beta": True}}, {}),  # and the readout's
    "learned thresholds": ({"options": {"learn_threshold": True}}, {}),
    # what reads the traces of spikes reads spikes through a readout of their time constant, both being linear
    "readout from traces, of 100 ms": ({"options": {"tau_readout": 100.0}}, {}),
    "five ticks of 10 ms": ({"ticks": 5, "options": {"dt": 10.0}}, {}),
    "128 neurons, a third of the learning rate": ({"n_hidden": 128}, {"learning_rate": 1 / 3}),
}
LONGER_ROBOT = "half-cheetah"
LONGER = f"{LONGER_ROBOT}-longer-pieces"
LONGER_SEEDS = 5
_LONGER_CHANGE = "pieces of 128 steps"

# By robot the change that its search found best (:func:`best_change`); a test holds it to the published search.
TAKEN = {"ant": "four ticks of 12.5 ms", "half-cheetah": "128 neurons"}


def _under(config: LocomotionConfig, change: str, steps: int) -> LocomotionConfig:
    """``config`` under one of GAP_CHANGES, trained for ``steps``."""
    network, training = (GAP_CHANGES | FURTHER_CHANGES)[change]
    now = vars(config.training)
    training = {name: value * now[name] if name in _FACTORS else value for name, value in training.items()}
    options = dataclasses.replace(config.network.options, **network.get("options", {}))
    return dataclasses.replace(
        config,
        network=dataclasses.replace(config.network, **network | {"options": options}),
        training=dataclasses.replace(config.training, **training | {"steps": steps}),
    )


def round_two(
    robot: str, profile: str = "paper", seeds: int | None = None, policies: Iterable[str] = PUBLISHED_POLICIES
) -> Experiment:
    """The policies of round one on one of EXPERIMENTS, with STEPS, SEEDS and the change that is TAKEN.

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
    change = TAKEN[robot]
    configs = tuple(
        _under(config, change, STEPS[robot] if profile == "paper" else config.training.steps)
        for config in before.configs
    )
    seeds = tuple(range(seeds or (SEEDS if profile == "paper" else len(before.seeds))))
    return Experiment(named(f"{robot}-round-two", profile), profile, configs, seeds, weights_of=seeds)


def gap_changes(robot: str) -> dict[str, tuple[str, str]]:
    """By configuration's hash the policy and the name of the change in :func:`gap_search` and :func:`further_search`."""
    found = {}
    for search, changes in ((gap_search(robot), GAP_CHANGES), (further_search(robot), FURTHER_CHANGES)):
        names = [(policy, change) for policy in PUBLISHED_POLICIES for change in changes]
        found |= {config.hash: name for config, name in zip(search.configs, names)}
    return found


def gap_search(robot: str, policies: Iterable[str] = PUBLISHED_POLICIES) -> Experiment:
    """GAP_CHANGES of every policy on one of EXPERIMENTS: one list and one budget for all, seed 1000.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    return _search("gap-search", robot, policies, GAP_CHANGES)


def further_search(robot: str, policies: Iterable[str] = PUBLISHED_POLICIES) -> Experiment:
    """FURTHER_CHANGES of every policy on one of EXPERIMENTS, with the budget and the seed of :func:`gap_search`; exploratory.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    return _search("gap-search-further", robot, policies, FURTHER_CHANGES)


def longer_pieces(
    robot: str = LONGER_ROBOT,
    profile: str = "paper",
    seeds: int | None = None,
    policies: Iterable[str] = PUBLISHED_PLASTIC,
) -> Experiment:
    """Round two's plastic policies on LONGER_ROBOT with gradients that reach back 128 control steps; on another robot none.

    Exploratory: whether credit for what E was written with brings plasticity to use in a walk. Arguments and errors as in :func:`round_two`.
    """
    second = round_two(robot, profile, LONGER_SEEDS if seeds is None and profile == "paper" else seeds, policies)
    of = [one for one in second.configs if one.network.name in PUBLISHED_PLASTIC and robot == LONGER_ROBOT]
    configs = tuple(_under(one, _LONGER_CHANGE, one.training.steps) for one in of)
    return Experiment(named(LONGER, profile), profile, configs, second.seeds, weights_of=second.seeds)


def _search(kind: str, robot: str, policies: Iterable[str], changes: Iterable[str]) -> Experiment:
    require_choice("robot", robot, EXPERIMENTS)
    configs = []
    for name in policies:
        require_choice("policies", name, POLICIES)
        (config,) = locomotion(robot, policies=[name]).configs
        configs += [_under(config, change, GAP_STEPS) for change in changes]
    return Experiment(f"{robot}-{kind}", "paper", tuple(configs), (1000,))


def gain_of(tried: pd.DataFrame) -> pd.Series:
    """By change what it adds to the mean return of all policies over that with the settings of round one.

    Args:
        tried: a row a run of one robot, with the columns network, change and return.

    Returns:
        In order of appearance the changes that were tried with every policy, UNCHANGED among them.
    """
    wide = tried.pivot_table("return", "change", "network", sort=False).reindex(columns=list(PUBLISHED_POLICIES))
    mean = wide.dropna().mean(axis=1)
    return mean - mean.get(UNCHANGED, float("nan"))


def best_change(tried: pd.DataFrame) -> str:
    """The change that gains most, as registered in ``book/claims.yml``; UNCHANGED where none gains."""
    return str(gain_of(tried).idxmax())

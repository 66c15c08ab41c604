"""The experiments on the temporal tasks: which configurations and which seeds each is made of."""

import dataclasses
import itertools
from collections.abc import Iterable

from ..checks import require_choice, require_count
from ..snn.controls import CONTROLS
from ..snn.networks import NetworkOptions, rule_of, scaled
from ..tasks import TASKS
from ..tasks.task import NOISE_HZ
from ..training.supervised import Training
from .choices import PROFILES, PUBLISHED_CONTROLS, PUBLISHED_NETWORKS, check_networks
from .config import Config, Experiment, Network, RestrictedNetwork, named
from .restrictions import RESTRICTIONS

_TRAINING = {
    "smoke": dict(steps=4, batch_size=8, evaluate_every=2, evaluation_trials=32),
    "quick": dict(steps=200, evaluate_every=25, evaluation_trials=1024),
    "paper": dict(steps=1000),
}
_SEEDS = {"smoke": 2, "quick": 2, "paper": 20}
_CONTROL_SEEDS = {"smoke": 1, "quick": 1, "paper": 5}


def _configuration(task: str, noise: str, name: str, profile: str) -> Config:
    """A network, or a control, on a task with the values that its search found."""
    kind = TASKS[task]
    rate, factor = kind.choice(name)
    sizes = kind.smallest if profile == "smoke" else {}
    return Config(kind(noise=noise, **sizes), network(name, factor), Training(learning_rate=rate, **_TRAINING[profile]))


def temporal(
    task: str,
    profile: str = "paper",
    seeds: int | None = None,
    networks: Iterable[str] = PUBLISHED_NETWORKS,
    noises: Iterable[str] = tuple(NOISE_HZ),
) -> Experiment:
    """Networks at every noise level on one of TASKS, each with the values that its search found.

    Args:
        task: a name of TASKS, which is also the experiment's, as :func:`~spikepropamine.experiments.config.named` at other profiles.
        profile: one of PROFILES.
        seeds: how many, from seed 0 up; None takes the profile's own number.
        networks: names of networks.
        noises: noise levels.
    """
    require_choice("task", task, TASKS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    chosen = itertools.product(noises, check_networks(networks))
    configs = tuple(_configuration(task, noise, name, profile) for noise, name in chosen)
    return Experiment(named(task, profile), profile, configs, tuple(range(seeds or _SEEDS[profile])))


SEARCHED_LEARNING_RATES = (3e-3, 1e-2, 3e-2)
SEARCHED_ETA_FACTORS = (0.04, 0.2, 1.0)


def search(task: str, networks: Iterable[str] = PUBLISHED_NETWORKS) -> Experiment:
    """The search for each network's learning rate and initial η on one of TASKS: one grid and budget for all.

    At high noise, with seeds that :func:`temporal` does not use. ``snn`` has no η, so its nine configurations
    are three learning rates three times over: its budget is the same.
    """
    require_choice("task", task, TASKS)
    configs = tuple(
        Config(
            TASKS[task](noise="high"),
            network(name, factor),
            Training(steps=300, learning_rate=rate, evaluate_every=100),
        )
        for name, rate, factor in itertools.product(
            check_networks(networks), SEARCHED_LEARNING_RATES, SEARCHED_ETA_FACTORS
        )
    )
    return Experiment(f"{task}-search", "paper", configs, (1000, 1001))


def controls(
    task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = PUBLISHED_CONTROLS
) -> Experiment:
    """Controls at low noise on one of TASKS, trained as the networks of :func:`temporal` are."""
    require_choice("task", task, TASKS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    configs = tuple(_configuration(task, "low", name, profile) for name in check_networks(networks, tuple(CONTROLS)))
    return Experiment(
        named(f"{task}-controls", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile]))
    )


def controls_search(task: str, networks: Iterable[str] = PUBLISHED_CONTROLS) -> Experiment:
    """The search for each control's learning rate: the rates of :func:`search`, each trained as :func:`controls` trains.

    That is longer than the networks' search and at low noise: few controls learn anything in 300 steps at high noise, so
    that such a search could not choose. With a seed that nothing is judged by.
    """
    require_choice("task", task, TASKS)
    configs = tuple(
        Config(TASKS[task](noise="low"), Network(name), Training(learning_rate=rate, evaluate_every=100))
        for name, rate in itertools.product(check_networks(networks, tuple(CONTROLS)), SEARCHED_LEARNING_RATES)
    )
    return Experiment(f"{task}-controls-search", "paper", configs, (1000,))


# Trained on by :func:`longer`: the control that solves the other tasks, and the one that cue-reward left above chance.
TRAINED_LONGER = ("alif", "slstm")
LONGER = 5  # times the steps


def longer(task: str, profile: str = "paper", seeds: int | None = None) -> Experiment:
    """TRAINED_LONGER as :func:`controls` trains them, but for LONGER times the steps, at the lowest rate searched: was it the budget?"""
    usual = controls(task, profile, seeds)
    configs = []
    for config in usual.configs:
        if config.network.name in TRAINED_LONGER:
            t = config.training
            more = dict(
                steps=LONGER * t.steps,
                evaluate_every=LONGER * t.evaluate_every,
                learning_rate=min(SEARCHED_LEARNING_RATES),
            )
            configs.append(dataclasses.replace(config, training=dataclasses.replace(t, **more)))
    return Experiment(named(f"{task}-controls-longer", profile), profile, tuple(configs), usual.seeds)


def restricted(
    task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = PUBLISHED_NETWORKS
) -> Experiment:
    """Every plastic network under every restriction at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    free = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=RestrictedNetwork(**vars(config.network), held=held))
        for config in free.configs
        if rule_of(config.network.name) is not None
        for held in RESTRICTIONS
    )
    return Experiment(
        named(f"{task}-restricted", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile]))
    )


# Hidden neurons that :func:`sizes` tries; 48 is what every other experiment has.
HIDDEN = (6, 12, 24)


def sizes(
    task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = PUBLISHED_NETWORKS
) -> Experiment:
    """Every network with fewer hidden neurons, HIDDEN, at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    usual = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=dataclasses.replace(config.network, n_hidden=hidden))
        for config in usual.configs
        for hidden in HIDDEN
    )
    return Experiment(named(f"{task}-sizes", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile])))


def network(name: str, eta_factor: float) -> Network:
    """A network of the default size with its rule's initial η multiplied by ``eta_factor``."""
    return Network(name, options=scaled(NetworkOptions(), name, eta_factor))

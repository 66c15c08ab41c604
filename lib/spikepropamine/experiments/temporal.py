"""Named experiments: which configurations, which seeds, at which size.

An experiment is a list of configurations. A profile says at what size: ``smoke`` (seconds, for
tests), ``quick`` (minutes, real learning) or ``paper`` (what is published).
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import nn

from .. import records
from ..checks import require_choice, require_count
from ..snn.controls import CONTROLS, build_control
from ..snn.networks import NETWORKS, NetworkOptions, build
from ..tasks.cue_association import CueAssociation
from ..tasks.cue_reward import CueReward
from ..tasks.recall import Recall
from ..tasks.task import NOISE_HZ, Task
from ..training.supervised import (
    REHEARSE,
    Progress,
    Trained,
    Training,
    evaluate,
    generator,
    gradient_sizes,
    loss,
    train,
)
from .choices import PROFILES, check_networks
from .restrictions import RESTRICTIONS, restrict


@dataclass(frozen=True)
class Network:
    """The network of a configuration: a name, a hidden size and the options that all networks share."""

    name: str
    n_hidden: int = 48
    options: NetworkOptions = field(default_factory=NetworkOptions)

    def __post_init__(self):
        require_choice("name", self.name, [*NETWORKS, *CONTROLS])
        require_count("n_hidden", self.n_hidden)

    def build(self, n_inputs: int, n_outputs: int, seed: int) -> nn.Module:
        """The untrained network."""
        make = build if self.name in NETWORKS else build_control
        return make(self.name, n_inputs, self.n_hidden, n_outputs, seed=seed, **dataclasses.asdict(self.options))


@dataclass(frozen=True)
class RestrictedNetwork(Network):
    """A plastic network with one part held fixed while it is trained."""

    held: str = RESTRICTIONS[0]  # one of RESTRICTIONS

    def __post_init__(self):
        super().__post_init__()
        require_choice("held", self.held, RESTRICTIONS)

    def build(self, n_inputs: int, n_outputs: int, seed: int) -> nn.Module:
        """The untrained network, restricted."""
        return restrict(super().build(n_inputs, n_outputs, seed), self.held)


@dataclass(frozen=True)
class Config:
    """Everything that shapes the result of a run beside its seed."""

    task: Task
    network: Network
    training: Training
    metric: ClassVar[str] = "accuracy"  # the one to watch

    @property
    def label(self) -> str:
        """What to call a run of this configuration."""
        return f"{self.network.name} {self.task.noise}"

    def build(self, seed: int) -> nn.Module:
        """The untrained network of this configuration."""
        return self.network.build(self.task.n_inputs, self.task.n_outputs, seed)

    def train(self, network: nn.Module, seed: int, checkpoint: Path | None, progress: Progress) -> Trained:
        """Train ``network`` in place, as :func:`spikepropamine.training.supervised.train`."""
        return train(network, self.task, self.training, seed, checkpoint, progress)

    def test(self, network: nn.Module) -> dict[str, float]:
        """Accuracy of the trained network on every variant of its task."""
        trials = min(TESTED_TRIALS, self.training.evaluation_trials)
        return {name: evaluate(network, task, trials)["accuracy"] for name, task in variants(self.task).items()}

    def rehearse(self) -> dict[str, float]:
        """What the code does with this configuration, in a few numbers: two steps of training on next to nothing.

        The sizes of gradients tell of every part of the network, the rule's among them. In float64 where the network takes
        it: there no processor's way of rounding makes or unmakes a spike.
        """
        little = dataclasses.replace(self.training, steps=2, batch_size=4, evaluate_every=2, evaluation_trials=8)
        network = self.build(0).double()
        objective, _ = loss(network, self.task, self.task.sample(4, generator(REHEARSE, 0)), little)
        objective.backward()
        found = {"first loss": objective.item()} | gradient_sizes(network)
        trained = train(network, self.task, little, 0)
        return finite(
            found | {name: trained.curves[name][-1] for name in ("loss", "gradient_norm", "eta", "firing_rate")}
        )

    @property
    def hash(self) -> str:
        return records.config_hash(self)


def finite(values: dict[str, float]) -> dict[str, float]:
    """Those of ``values`` that are numbers."""
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


@dataclass(frozen=True)
class Experiment:
    """A sweep: every configuration with every seed."""

    name: str
    profile: str
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]
    weights_of: tuple[int, ...] = (0,)  # seeds whose weights are published

    @property
    def runs(self) -> list[tuple[Config, int]]:
        """Every run, seeds outermost: a sweep cut short has whole seeds."""
        return [(config, seed) for seed in self.seeds for config in self.configs]


def named(name: str, profile: str) -> str:
    """What an experiment is called at a profile; the published one goes by its ``name``."""
    return name if profile == "paper" else f"{name}-{profile}"


TASKS: dict[str, type[Task]] = {"cue-association": CueAssociation, "cue-reward": CueReward, "recall": Recall}

# What the searches below found best for each network: (learning rate, factor on the rules' initial η).
# snn has no η; a test holds these to the published searches.
CHOSEN: dict[str, dict[str, tuple[float, float]]] = {
    "cue-association": {
        "snn": (3e-3, 1.0),
        "dp-oja": (1e-2, 0.04),
        "dp-bcm": (3e-3, 0.04),
        "ndp-oja": (1e-2, 0.04),
        "ndp-bcm": (1e-2, 0.2),
    },
    "cue-reward": {
        "snn": (3e-3, 1.0),
        "dp-oja": (1e-2, 0.2),
        "dp-bcm": (1e-2, 0.2),
        "ndp-oja": (1e-2, 0.2),
        "ndp-bcm": (1e-2, 0.2),
    },
    "recall": {
        "snn": (3e-3, 1.0),
        "dp-oja": (1e-2, 0.04),
        "dp-bcm": (1e-2, 0.04),
        "ndp-oja": (1e-2, 0.2),
        "ndp-bcm": (1e-2, 0.04),
    },
}

_TRAINING = {
    "smoke": dict(steps=4, batch_size=8, evaluate_every=2, evaluation_trials=32),
    "quick": dict(steps=200, evaluate_every=25, evaluation_trials=1024),
    "paper": dict(steps=1000),
}
_SEEDS = {"smoke": 2, "quick": 2, "paper": 20}
_CONTROL_SEEDS = {"smoke": 1, "quick": 1, "paper": 5}
_SMOKE_TASK = {
    "cue-association": dict(n_cues=3, delay_ms=50.0, decision_ms=50.0),
    "cue-reward": dict(n_cues=2, delay_ms=50.0, decision_ms=50.0),
    "recall": dict(n_bits=4, bits_again=2, delay_ms=50.0, decision_ms=50.0),
}


def temporal(
    task: str,
    profile: str = "paper",
    seeds: int | None = None,
    networks: Iterable[str] = tuple(NETWORKS),
    noises: Iterable[str] = tuple(NOISE_HZ),
) -> Experiment:
    """Every network at every noise level on one of TASKS, with the values its search found.

    Args:
        task: a name of TASKS, which is also the experiment's, as :func:`named` at other profiles.
        profile: one of PROFILES.
        seeds: how many, from seed 0 up; None takes the profile's own number.
        networks: names of networks.
        noises: noise levels.
    """
    require_choice("task", task, TASKS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    networks = check_networks(networks)
    sizes = _SMOKE_TASK[task] if profile == "smoke" else {}
    configs = tuple(
        Config(
            TASKS[task](noise=noise, **sizes),
            network(name, CHOSEN[task][name][1]),
            Training(learning_rate=CHOSEN[task][name][0], **_TRAINING[profile]),
        )
        for noise, name in itertools.product(noises, networks)
    )
    return Experiment(named(task, profile), profile, configs, tuple(range(seeds or _SEEDS[profile])))


SEARCHED_LEARNING_RATES = (3e-3, 1e-2, 3e-2)
SEARCHED_ETA_FACTORS = (0.04, 0.2, 1.0)


def search(task: str) -> Experiment:
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
        for name, rate, factor in itertools.product(NETWORKS, SEARCHED_LEARNING_RATES, SEARCHED_ETA_FACTORS)
    )
    return Experiment(f"{task}-search", "paper", configs, (1000, 1001))


# The learning rate that the searches below found best for each control.
CHOSEN_CONTROLS: dict[str, dict[str, float]] = {
    "cue-association": {
        "snn-long": 3e-2,
        "snn-wide": 1e-2,
        "rsnn": 1e-2,
        "alif": 1e-2,
        "synaptic": 1e-2,
        "slstm": 3e-3,
    },
    "cue-reward": {"snn-long": 3e-3, "snn-wide": 1e-2, "rsnn": 1e-2, "alif": 3e-3, "synaptic": 1e-2, "slstm": 1e-2},
    "recall": {"snn-long": 3e-2, "snn-wide": 1e-2, "rsnn": 1e-2, "alif": 1e-2, "synaptic": 3e-2, "slstm": 1e-2},
}


def controls(task: str, profile: str = "paper", seeds: int | None = None) -> Experiment:
    """Every control at low noise on one of TASKS, trained as the networks of :func:`temporal` are."""
    require_choice("task", task, TASKS)
    require_choice("profile", profile, PROFILES)
    sizes = _SMOKE_TASK[task] if profile == "smoke" else {}
    configs = tuple(
        Config(
            TASKS[task](noise="low", **sizes),
            Network(name),
            Training(learning_rate=CHOSEN_CONTROLS[task][name], **_TRAINING[profile]),
        )
        for name in CONTROLS
    )
    return Experiment(
        named(f"{task}-controls", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile]))
    )


def controls_search(task: str) -> Experiment:
    """The search for each control's learning rate: the rates of :func:`search`, each trained as :func:`controls` trains.

    That is longer than the networks' search and at low noise: few controls learn anything in 300 steps at high noise, so
    that such a search could not choose. With a seed that nothing is judged by.
    """
    require_choice("task", task, TASKS)
    configs = tuple(
        Config(TASKS[task](noise="low"), Network(name), Training(learning_rate=rate, evaluate_every=100))
        for name, rate in itertools.product(CONTROLS, SEARCHED_LEARNING_RATES)
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
    task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = tuple(NETWORKS)
) -> Experiment:
    """Every plastic network under every restriction at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    free = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=RestrictedNetwork(**vars(config.network), held=held))
        for config in free.configs
        if config.network.name != "snn"
        for held in RESTRICTIONS
    )
    return Experiment(
        named(f"{task}-restricted", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile]))
    )


# Hidden neurons that :func:`sizes` tries; 48 is what every other experiment has.
HIDDEN = (6, 12, 24)


def sizes(
    task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = tuple(NETWORKS)
) -> Experiment:
    """Every network with fewer hidden neurons, HIDDEN, at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    usual = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=dataclasses.replace(config.network, n_hidden=hidden))
        for config in usual.configs
        for hidden in HIDDEN
    )
    return Experiment(named(f"{task}-sizes", profile), profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile])))


# What a trained network is tested on beside the task it was trained on: field → values.
TESTED_NOISE_HZ = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0)
TESTED_DELAY_FACTORS = (0.5, 1.0, 2.0, 4.0)
TESTED_SIZES = {
    "cue-association": ("n_cues", (1, 3, 5, 7, 9, 13)),
    "cue-reward": ("n_cues", (2, 3, 4, 6, 8)),
    "recall": ("bits_again", (1, 3, 5, 7, 9)),
}


TESTED_TRIALS = 512


def variants(task: Task) -> dict[str, Task]:
    """``task`` with one field changed at a time, by ``tested.<field>.<value>``."""
    name = next(name for name, kind in TASKS.items() if type(task) is kind)
    field, sizes = TESTED_SIZES[name]
    changes = [("noise", hz) for hz in TESTED_NOISE_HZ] + [
        ("delay_ms", f * task.delay_ms) for f in TESTED_DELAY_FACTORS
    ]
    if field != "bits_again" or task.n_bits > max(sizes):
        changes += [(field, size) for size in sizes]
    return {f"tested.{key}.{value:g}": dataclasses.replace(task, **{key: value}) for key, value in changes}


def network(name: str, eta_factor: float) -> Network:
    """A network of the default size with the rules' initial η multiplied by ``eta_factor``."""
    default = NetworkOptions()
    options = dataclasses.replace(default, eta_oja=eta_factor * default.eta_oja, eta_bcm=eta_factor * default.eta_bcm)
    return Network(name, options=options)

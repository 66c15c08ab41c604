"""What a run is: its task, its network and its training, as one configuration with a hash; and experiments made of them.

An experiment is a list of configurations and seeds. A profile says at what size: ``smoke`` (seconds, for tests),
``quick`` (minutes, real learning) or ``paper`` (what is published). A field that is added to any of these dataclasses
after records were published is made by :func:`spikepropamine.fields.added`.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import nn

from .. import records
from ..checks import require_choice, require_count
from ..snn.controls import CONTROLS, build_control
from ..snn.networks import NETWORKS, NetworkOptions, build
from ..tasks.task import Task
from ..training.course import Progress, Trained
from ..training.supervised import (
    REHEARSE,
    Training,
    evaluate,
    generator,
    gradient_sizes,
    loss,
    train,
)
from .restrictions import HELD, RESTRICTIONS, restrict

TESTED_TRIALS = 512  # of each variant of its task that a trained network is tested on


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

    held: str = RESTRICTIONS[0]  # one of HELD

    def __post_init__(self):
        super().__post_init__()
        require_choice("held", self.held, HELD)

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
        return {name: evaluate(network, task, trials)["accuracy"] for name, task in self.task.variants().items()}

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

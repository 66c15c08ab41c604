"""Named experiments: which configurations, which seeds, at which size; and running them.

An experiment is a list of configurations. A profile says at what size: ``smoke`` (seconds, for
tests), ``quick`` (minutes, real learning) or ``paper`` (what is published).
"""

import dataclasses
import itertools
import math
import re
import resource
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import joblib
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from . import records
from .checks import require, require_choice, require_count
from .controls import CONTROLS, build_control
from .networks import NETWORKS, NetworkOptions, build
from .restrictions import RESTRICTIONS, restrict
from .tasks.cue_association import CueAssociation
from .tasks.cue_reward import CueReward
from .tasks.recall import Recall
from .tasks.task import NOISE_HZ, Task
from .training.supervised import REHEARSE, Progress, Trained, Training, evaluate, generator, gradient_sizes, loss, train

PROFILES = ("smoke", "quick", "paper")


def chosen_devices() -> tuple[str, ...]:
    """The devices a run may take on this machine."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _parameter(default: object, meaning: str, allowed: str):
    return field(default=default, metadata={"meaning": meaning, "allowed": allowed})


@dataclass(frozen=True)
class ChapterParameters:
    """The parameters that every experiment chapter takes, checked.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """

    profile: str = _parameter("paper", "how much: seconds, minutes, or what is published", "`smoke`, `quick`, `paper`")
    recompute: bool = _parameter(False, "train or measure here and now, whatever is published", "`true`, `false`")
    seeds: int | None = _parameter(None, "how many seeds, from 0 up; left out, the profile's own number", "whole numbers from 1")
    networks: str | tuple[str, ...] = _parameter("all", "which networks", "`all`, or names separated by commas: {known}")
    workers: int | str = _parameter(1, "runs at a time, or where a Dask scheduler listens", "whole numbers from 1, or an address such as `tcp://10.0.0.1:8786`")
    device: str = _parameter("cpu", "where networks are trained", "`cpu`, or `cuda` where there is one")
    known: ClassVar[tuple[str, ...]] = tuple(NETWORKS)  # the networks to choose from

    def __post_init__(self):
        require_choice("profile", self.profile, PROFILES)
        require(isinstance(self.recompute, bool), "recompute", self.recompute, "true or false")
        if self.seeds is not None:
            require_count("seeds", self.seeds)
        self.network_names()
        check_workers(self.workers)
        require_choice("device", self.device, chosen_devices())

    def network_names(self) -> list[str]:
        """The names in the order of the book."""
        if self.networks == "all":
            return list(self.known)
        given = [name.strip() for name in self.networks.split(",")] if isinstance(self.networks, str) else self.networks
        require(isinstance(given, (list, tuple)), "networks", given, "'all', or names separated by commas")
        return check_networks(given, self.known)

    @classmethod
    def described(cls) -> list[tuple[str, object, str, str]]:
        """Name, default, meaning and what is allowed of each parameter."""
        known = ", ".join(f"`{name}`" for name in cls.known)
        return [(f.name, f.default, f.metadata["meaning"], f.metadata["allowed"].format(known=known)) for f in dataclasses.fields(cls)]

    @property
    def as_published(self) -> bool:
        """Whether these are the parameters of the published book."""
        return self == type(self)(workers=self.workers)


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
        return finite(found | {name: trained.curves[name][-1] for name in ("loss", "gradient_norm", "eta", "firing_rate")})

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


TASKS: dict[str, type[Task]] = {"cue-association": CueAssociation, "cue-reward": CueReward, "recall": Recall}

# What the searches below found best for each network: (learning rate, factor on the rules' initial η).
# snn has no η; a test holds these to the published searches.
CHOSEN: dict[str, dict[str, tuple[float, float]]] = {
    "cue-association": {
        "snn": (3e-3, 1.0), "dp-oja": (1e-2, 0.04), "dp-bcm": (3e-3, 0.04), "ndp-oja": (1e-2, 0.04), "ndp-bcm": (1e-2, 0.2),
    },
    "cue-reward": {
        "snn": (3e-3, 1.0), "dp-oja": (1e-2, 0.2), "dp-bcm": (1e-2, 0.2), "ndp-oja": (1e-2, 0.2), "ndp-bcm": (1e-2, 0.2),
    },
    "recall": {
        "snn": (3e-3, 1.0), "dp-oja": (1e-2, 0.04), "dp-bcm": (1e-2, 0.04), "ndp-oja": (1e-2, 0.2), "ndp-bcm": (1e-2, 0.04),
    },
}

_TRAINING = {
    "smoke": dict(steps=4, batch_size=8, evaluate_every=2, evaluation_trials=32),
    "quick": dict(steps=200, evaluate_every=25, evaluation_trials=1024),
    "paper": dict(steps=1000),
}
_SEEDS = {"smoke": 2, "quick": 2, "paper": 20}
_CONTROL_SEEDS = {"smoke": 1, "quick": 2, "paper": 5}
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
        task: a name of TASKS, which is also the experiment's.
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
    return Experiment(task, profile, configs, tuple(range(seeds or _SEEDS[profile])))


SEARCHED_LEARNING_RATES = (3e-3, 1e-2, 3e-2)
SEARCHED_ETA_FACTORS = (0.04, 0.2, 1.0)


def search(task: str) -> Experiment:
    """The search for each network's learning rate and initial η on one of TASKS: one grid and budget for all.

    At high noise, with seeds that :func:`temporal` does not use. ``snn`` has no η, so its nine configurations
    are three learning rates three times over: its budget is the same.
    """
    require_choice("task", task, TASKS)
    configs = tuple(
        Config(TASKS[task](noise="high"), network(name, factor), Training(steps=300, learning_rate=rate, evaluate_every=100))
        for name, rate, factor in itertools.product(NETWORKS, SEARCHED_LEARNING_RATES, SEARCHED_ETA_FACTORS)
    )
    return Experiment(f"{task}-search", "paper", configs, (1000, 1001))


# The learning rate that the searches below found best for each control.
CHOSEN_CONTROLS: dict[str, dict[str, float]] = {
    "cue-association": {"snn-long": 3e-2, "snn-wide": 1e-2, "rsnn": 1e-2, "alif": 1e-2, "synaptic": 1e-2, "slstm": 3e-3},
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
    return Experiment(f"{task}-controls", profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile])))


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


def restricted(task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = tuple(NETWORKS)) -> Experiment:
    """Every plastic network under every restriction at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    free = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=RestrictedNetwork(**vars(config.network), held=held))
        for config in free.configs
        if config.network.name != "snn"
        for held in RESTRICTIONS
    )
    return Experiment(f"{task}-restricted", profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile])))


# Hidden neurons that :func:`sizes` tries; 48 is what every other experiment has.
HIDDEN = (6, 12, 24)


def sizes(task: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = tuple(NETWORKS)) -> Experiment:
    """Every network with fewer hidden neurons, HIDDEN, at low noise on one of TASKS, otherwise as :func:`temporal` trains it."""
    usual = temporal(task, profile, seeds, networks, ["low"])
    configs = tuple(
        dataclasses.replace(config, network=dataclasses.replace(config.network, n_hidden=hidden)) for config in usual.configs for hidden in HIDDEN
    )
    return Experiment(f"{task}-sizes", profile, configs, tuple(range(seeds or _CONTROL_SEEDS[profile])))


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
    changes = [("noise", hz) for hz in TESTED_NOISE_HZ] + [("delay_ms", f * task.delay_ms) for f in TESTED_DELAY_FACTORS]
    if field != "bits_again" or task.n_bits > max(sizes):
        changes += [(field, size) for size in sizes]
    return {f"tested.{key}.{value:g}": dataclasses.replace(task, **{key: value}) for key, value in changes}


def network(name: str, eta_factor: float) -> Network:
    """A network of the default size with the rules' initial η multiplied by ``eta_factor``."""
    default = NetworkOptions()
    options = dataclasses.replace(
        default, eta_oja=eta_factor * default.eta_oja, eta_bcm=eta_factor * default.eta_bcm
    )
    return Network(name, options=options)


def check_networks(networks: Iterable[str], known: Sequence[str] = tuple(NETWORKS)) -> list[str]:
    """The names as a list, in the order of the book; refuses an empty one and unknown names."""
    names = [networks] if isinstance(networks, str) else list(networks)
    require(len(names) > 0, "networks", names, "one or more of " + ", ".join(map(repr, known)))
    for name in names:
        require_choice("networks", name, known)
    return [name for name in known if name in names]


# ---------------------------------------------------------------- running


class Store:
    """The working store of runs and, where given, the published one, which comes first."""

    def __init__(self, working: Path, published: Path | None = None):
        self.working, self.published = working.resolve(), published

    def folder(self, experiment: str, config: Config, seed: int) -> Path:
        """Where a run lives in the working store."""
        return self.working / experiment / config.hash / f"seed-{seed}"

    def results(self, experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The finished runs of ``experiment`` and their curves, working and published together."""
        runs, curves = [], []
        wanted = {(config.hash, seed) for config, seed in experiment.runs}
        published = self.published_runs(experiment.name)
        if published is not None:
            runs.append(_only(published.runs, wanted))
            curves.append(_only(published.curves, wanted))
            wanted -= set(zip(runs[0]["config_hash"], runs[0]["seed"]))
        for config, seed in experiment.runs:
            folder = self.folder(experiment.name, config, seed)
            if (config.hash, seed) in wanted and folder.exists():
                run = records.load_run(folder)
                runs.append(pd.DataFrame([records.row(run.record)]))
                curves.append(run.curves.assign(config_hash=config.hash, seed=seed))
        if not runs:
            nothing = pd.DataFrame({"config_hash": [], "seed": []})
            return nothing, nothing
        return pd.concat(runs, ignore_index=True), pd.concat(curves, ignore_index=True)

    def has_weights(self, experiment: str, config: Config, seed: int) -> bool:
        """Whether the weights of a run are published or in the working store."""
        published = self.published_runs(experiment)
        return (published is not None and published.has_weights(config.hash, seed)) or self.folder(experiment, config, seed).exists()

    def weights(self, experiment: str, config: Config, seed: int) -> dict[str, torch.Tensor]:
        """The trained weights of a run, from the published store or the working one."""
        published = self.published_runs(experiment)
        if published is not None and published.has_weights(config.hash, seed):
            return published.weights(config.hash, seed)
        return records.load_run(self.folder(experiment, config, seed)).weights

    def published_runs(self, experiment: str) -> records.Published | None:
        """What is published of ``experiment``, or None."""
        if self.published is None or not (self.published / experiment).exists():
            return None
        return records.load_published(self.published / experiment)


def sweep(experiment: Experiment, store: Store, workers: int | str = 1, device: str = "cpu") -> None:
    """Make every run of ``experiment`` that ``store`` does not hold yet.

    A sweep that was stopped goes on where it stopped, within a run too.

    Args:
        experiment: what to run.
        store: where finished runs are looked for and put.
        workers: runs at a time, in processes of this machine; or the address of a Dask scheduler, such as
            "tcp://10.0.0.1:8786", whose workers have this package and see the working store under the same path.
        device: where each run trains.
    """
    check_workers(workers)
    runs, _ = store.results(experiment)
    held = set(zip(runs["config_hash"], runs["seed"]))
    missing = [(config, seed) for config, seed in experiment.runs if (config.hash, seed) not in held]
    jobs = (
        joblib.delayed(run)(
            experiment.name, experiment.profile, config, seed, store.folder(experiment.name, config, seed), device
        )
        for config, seed in missing
    )
    with _workers(workers) as parallel, tqdm(total=len(missing), desc=f"{experiment.name} ({experiment.profile})", unit="run") as bar:
        for label in parallel(jobs):
            bar.set_postfix_str(label)
            bar.update()


def check_workers(workers: int | str) -> None:
    """Refuse what is neither a number of processes nor the address of a scheduler."""
    if isinstance(workers, str):
        require(re.fullmatch(r"(tcp|tls)://\S+:\d+", workers) is not None, "workers", workers,
                "a whole number >= 1 or the address of a Dask scheduler, such as 'tcp://10.0.0.1:8786'")
    else:
        require_count("workers", workers)


@contextmanager
def _workers(workers: int | str) -> Iterator[joblib.Parallel]:
    """joblib on processes here, or on the Dask scheduler at an address."""
    if isinstance(workers, str):
        from distributed import Client  # only those who have a cluster need it

        with Client(workers, timeout="10s"), joblib.parallel_config("dask"):
            yield joblib.Parallel()
    else:
        yield joblib.Parallel(n_jobs=workers, return_as="generator_unordered")


def run(experiment: str, profile: str, config: Config, seed: int, folder: Path, device: str = "cpu") -> str:
    """Train one configuration with one seed on one thread and write its record to ``folder``."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    provenance = records.provenance()
    checkpoint = folder.with_name(f"{folder.name}.checkpoint.safetensors")
    label = f"{experiment} {config.label} seed {seed}"
    bar = tqdm(total=config.training.steps, desc=label, unit="step", leave=False, mininterval=1.0)

    def progress(step: int, latest: dict[str, float]) -> None:
        bar.update(min(step, bar.total) - bar.n)
        if config.metric in latest:
            bar.set_postfix({config.metric: f"{latest[config.metric]:.3f}"}, refresh=False)

    network = config.build(seed).to(device)
    trained = config.train(network, seed, checkpoint, progress)
    bar.close()
    tested = config.test(network)
    record = {
        "experiment": experiment,
        "config": dataclasses.asdict(config),
        "config_hash": config.hash,
        "seed": seed,
        "profile": profile,
        "device": device,
        "metrics": trained.metrics | tested,
        "wall_seconds": trained.seconds_before + time.perf_counter() - started,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **provenance,
    }
    records.save_run(folder, record, pd.DataFrame(trained.curves), trained.weights)
    checkpoint.unlink(missing_ok=True)
    return f"{label}: {trained.metrics[config.metric]:.3f}"


def publish(experiment: Experiment, store: Store, replaced: Collection[str] = ()) -> None:
    """Gather the finished runs of ``experiment`` in the working store into the published one.

    What is published already stays, whether the working store holds it or not, but for the configurations ``replaced``,
    hashes. Each configuration that is new there is rehearsed, for :mod:`spikepropamine.staleness` to compare with.
    """
    require(store.published is not None, "published", None, "the folder of the published store")
    folders = {(config.hash, seed): store.folder(experiment.name, config, seed) for config, seed in experiment.runs}
    done = {key: folder for key, folder in folders.items() if folder.exists()}
    before = store.published_runs(experiment.name)
    kept = None if before is None else before.without(replaced)
    known = {} if kept is None else kept.rehearsals
    wanted = {key for key, _ in done}.union(() if kept is None else kept.manifest["configurations"]) - set(known)
    rehearsed = {
        config.hash: config.rehearse()
        for config in tqdm(experiment.configs, desc=f"rehearse {experiment.name}", leave=False)
        if config.hash in wanted
    }
    records.publish(done.values(), len(folders), store.published / experiment.name, experiment.weights_of, rehearsed, replaced)


def core_hours(runs: pd.DataFrame) -> float:
    """What ``runs``, a row each, took on one core.

    Early records of runs that were taken up from a checkpoint give the seconds since then alone; their training's are whole.
    """
    return float(runs[["wall_seconds", "training_seconds"]].max(axis=1).sum() / 3600)


def _only(table: pd.DataFrame, wanted: set[tuple[str, int]]) -> pd.DataFrame:
    return table[[key in wanted for key in zip(table["config_hash"], table["seed"])]]

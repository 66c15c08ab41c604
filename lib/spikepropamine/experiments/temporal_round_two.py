"""Round two on the temporal tasks: stronger baselines, one search for all, and tasks that tell kinds of memory apart.

A cell is a task at a noise level. Every network is trained on every cell with the same number of steps and trials, at the
values that one search found for it, on a task that is not judged. What is judged, and what was known before:
``book/claims.yml``.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..checks import require_choice, require_count
from ..snn.networks import NETWORKS, NetworkOptions
from ..snn.traditional import TRADITIONAL, TraditionalNetwork, TraditionalOptions, build_traditional
from ..tasks.cue_association import CueAssociation
from ..tasks.cue_reward import CueReward
from ..tasks.key_value_pairs import KeyValuePairs
from ..tasks.recall import Recall
from ..tasks.task import Task
from ..tasks.weak_cues import WeakCues
from ..training.supervised import Training
from .choices import PROFILES
from .temporal import Config, Experiment, Network, named


@dataclass(frozen=True)
class Traditional:
    """The network of a configuration that is one of TRADITIONAL; counterpart of :class:`Network`."""

    name: str
    n_hidden: int = 48
    options: TraditionalOptions = field(default_factory=TraditionalOptions)

    def __post_init__(self):
        require_choice("name", self.name, TRADITIONAL)
        require_count("n_hidden", self.n_hidden)

    def build(self, n_inputs: int, n_outputs: int, seed: int) -> TraditionalNetwork:
        """The untrained network."""
        return build_traditional(self.name, n_inputs, self.n_hidden, n_outputs, seed, self.options)


# What round two compares, by the name that its pages use: (network, hidden neurons).
COMPARED: dict[str, tuple[str, int]] = {
    name: (name, 48) for name in ("snn", "dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm")
} | {
    "lsnn": ("lsnn", 48),
    "lsnn-100": ("lsnn", 100),
    "rsnn-long": ("rsnn-long", 48),
    "stp": ("stp", 48),
}

# One search space for all: learning rate × surrogate × what each kind of memory starts with.
SEARCHED_RATES = (3e-3, 1e-2)
SEARCHED_SURROGATES = {"lsnn": ("damping", (0.3, 1.0))}  # all others: the slope
SEARCHED_SLOPES = ("slope", (5.0, 25.0))
SEARCHED_STARTS: dict[str, tuple[str, tuple[float, ...]]] = {
    "lsnn": ("strength", (0.03, 0.3)),
    "rsnn-long": ("tau_longest", (300.0, 1000.0)),
    "stp": ("recovery", (0.3, 1.0)),
    "dp-oja": ("eta_oja", (0.2, 1.0)),
    "ndp-oja": ("eta_oja", (0.2, 1.0)),
    "dp-bcm": ("eta_bcm", (0.8, 4.0)),
    "ndp-bcm": ("eta_bcm", (0.8, 4.0)),
    "snn": ("tau_membrane", (20.0, 20.0)),  # it has nothing of the kind: half of its points are the same
}


@dataclass(frozen=True)
class Values:
    """One point of the search: learning rate, surrogate and start."""

    learning_rate: float
    surrogate: float
    start: float


def space(compared: str) -> list[Values]:
    """Every point that is searched for one of COMPARED."""
    name, _ = COMPARED[compared]
    _, surrogates = SEARCHED_SURROGATES.get(name, SEARCHED_SLOPES)
    return [Values(*point) for point in itertools.product(SEARCHED_RATES, surrogates, SEARCHED_STARTS[name][1])]


def network(compared: str, values: Values, options: Mapping[str, str] = MappingProxyType({})) -> Network | Traditional:
    """One of COMPARED with ``values``, and with further ``options``."""
    require_choice("network", compared, COMPARED)
    name, n_hidden = COMPARED[compared]
    surrogate, _ = SEARCHED_SURROGATES.get(name, SEARCHED_SLOPES)
    changed = {surrogate: values.surrogate, SEARCHED_STARTS[name][0]: values.start, **options}
    if name in NETWORKS:
        return Network(name, n_hidden, dataclasses.replace(NetworkOptions(), **changed))
    return Traditional(name, n_hidden, TraditionalOptions(**changed))


SEARCH_TASK = KeyValuePairs(n_cues=2)
SEARCH_TRAINING = Training(steps=800, batch_size=32, evaluate_every=400, evaluation_trials=1024)
SEARCH_SEED = 1000

# Tried beyond the edges of the registered search, for traditional networks alone; shown on the page, and nothing is trained so.
EXTENDED: dict[str, tuple[tuple[Values, dict[str, str]], ...]] = {
    **{
        name: tuple((Values(rate, 0.3, strength), {}) for rate in (1e-2, 3e-2) for strength in (1.0, 3.0))
        for name in ("lsnn", "lsnn-100")
    },
    **{
        name: tuple(
            (Values(rate, 5.0, start), {"surrogate": "triangle"})
            for rate in SEARCHED_RATES
            for start in SEARCHED_STARTS[name][1]
        )
        for name in ("rsnn-long", "stp")
    },
}


def searched_as(compared: str, values: Values, options: Mapping[str, str] = MappingProxyType({})) -> Config:
    """One point of the search; ``options`` are further ones of the network."""
    training = dataclasses.replace(SEARCH_TRAINING, learning_rate=values.learning_rate)
    return Config(SEARCH_TASK, network(compared, values, options), training)


def search() -> Experiment:
    """The search: two key-value pairs instead of four, at low noise, every point of every network once."""
    points = (searched_as(compared, values) for compared in COMPARED for values in space(compared))
    return Experiment("round-two-search", "paper", tuple(dict.fromkeys(points)), (SEARCH_SEED,))


def extended_search() -> Experiment:
    """EXTENDED, searched as :func:`search` does."""
    points = (searched_as(compared, *point) for compared, more in EXTENDED.items() for point in more)
    return Experiment("round-two-search-extended", "paper", tuple(points), (SEARCH_SEED,))


# What the registered search found best; a test holds this to the published search.
CHOSEN: dict[str, Values] = {
    "snn": Values(1e-2, 5.0, 20.0),
    "dp-oja": Values(1e-2, 5.0, 0.2),
    "dp-bcm": Values(1e-2, 5.0, 4.0),
    "ndp-oja": Values(1e-2, 5.0, 1.0),
    "ndp-bcm": Values(1e-2, 5.0, 0.8),
    "lsnn": Values(1e-2, 0.3, 0.3),
    "lsnn-100": Values(1e-2, 0.3, 0.3),
    "rsnn-long": Values(1e-2, 25.0, 1000.0),
    "stp": Values(1e-2, 25.0, 0.3),
}


@dataclass(frozen=True)
class Cell:
    """A task at a noise level, and how long networks are trained on it."""

    task: Task
    steps: int
    label: str


CELLS: dict[str, Cell] = {
    "key-value-pairs-low": Cell(KeyValuePairs(noise="low"), 3000, "key–value pairs, low noise"),
    "cue-reward-high": Cell(CueReward(noise="high"), 3000, "cue-reward, high noise"),
    "weak-cues-high": Cell(WeakCues(), 1500, "weak cues"),
    "key-value-pairs-high": Cell(KeyValuePairs(noise="high"), 3000, "key–value pairs, high noise"),
    "cue-reward-low": Cell(CueReward(noise="low"), 3000, "cue-reward, low noise"),
    "cue-association-low": Cell(CueAssociation(noise="low"), 1500, "cue association, low noise"),
    "cue-association-high": Cell(CueAssociation(noise="high"), 1500, "cue association, high noise"),
    "recall-low": Cell(Recall(noise="low"), 1500, "recall, low noise"),
    "recall-high": Cell(Recall(noise="high"), 1500, "recall, high noise"),
}
SEEDS = tuple(range(3000, 3010))  # none of them used before
_PROFILES = {
    "smoke": dict(steps=4, batch_size=8, evaluate_every=2, evaluation_trials=32),
    "quick": dict(steps=200, batch_size=32, evaluate_every=25, evaluation_trials=1024),
}


def _training(cell: Cell, profile: str, learning_rate: float) -> Training:
    sizes = _PROFILES.get(profile) or dict(
        steps=cell.steps, batch_size=32, evaluate_every=cell.steps // 10, evaluation_trials=2048
    )
    return Training(learning_rate=learning_rate, **sizes)


def round_two(
    cell: str, profile: str = "paper", seeds: int | None = None, networks: Iterable[str] = tuple(COMPARED)
) -> Experiment:
    """Every network of COMPARED on one of CELLS.

    Args:
        cell: a name of CELLS; the experiment is called ``<cell>-round-two``, as :func:`~spikepropamine.experiments.config.named` at other profiles.
        profile: one of PROFILES.
        seeds: how many of SEEDS; None takes all, two at other profiles.
        networks: names of COMPARED.
    """
    require_choice("cell", cell, CELLS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    where = CELLS[cell]
    task = dataclasses.replace(where.task, **where.task.smallest) if profile == "smoke" else where.task
    configs = tuple(
        Config(task, network(name, CHOSEN[name]), _training(where, profile, CHOSEN[name].learning_rate))
        for name in networks
    )
    first = SEEDS[: seeds or (len(SEEDS) if profile == "paper" else 2)]
    return Experiment(named(f"{cell}-round-two", profile), profile, configs, first, (SEEDS[0],))


def compared_as(name: str, n_hidden: int) -> str:
    """The name in COMPARED of a network of this kind and size; ValueError names the known ones."""
    require_choice("network", (name, n_hidden), COMPARED.values())
    return next(key for key, value in COMPARED.items() if value == (name, n_hidden))

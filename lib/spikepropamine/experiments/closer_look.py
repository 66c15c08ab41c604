"""A closer look at round two: exploratory experiments on what its networks need. They judge no claim.

On key-value pairs: how the bound of E, the modulator and each learned part matter (:func:`variants`, :func:`smooth_bound`), and
how much is stored where networks are trained with other pairs, bits or delays (:func:`trained_with_pairs`). On cue-reward at high noise:
what the slope of the surrogate did (:func:`steep`). On both: whether traditional networks that stayed at chance learn with a
curriculum (:func:`curriculum`). All networks of one experiment are trained alike, for less long than in round two where a budget is
named here.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..snn.networks import NetworkOptions
from ..tasks.key_value_pairs import KeyValuePairs
from ..training.supervised import Progress, Trained, Training, train
from .choices import PUBLISHED_PLASTIC
from .config import Config, Experiment, Network, RestrictedNetwork
from .temporal_round_two import (
    CELLS,
    CHOSEN,
    SEARCH_TASK,
    SEARCH_TRAINING,
    SEEDS,
    Values,
    network,
    round_two,
)

SHORTER = Training(steps=1000, batch_size=32, evaluate_every=100, evaluation_trials=1024)
PAIRS_TRAINING = dataclasses.replace(SHORTER, steps=1500, evaluate_every=150)
LOOKED_AT = tuple(range(4000, 4005))  # seeds that nothing else uses
UNCHANGED_BOUND = NetworkOptions().e_max
UNBOUNDED = 1e6  # an E_max that no efficacy comes near
E_MAX = {"E_max 1": 1.0, "E_max 10": 10.0, "no bound": UNBOUNDED}  # beside UNCHANGED_BOUND
MODULATED = ("ndp-oja", "ndp-bcm")
PARTS = ("W", "α", "η")  # held where they start
GATES = {"V held": "V", "M constant": "V at 0"}
PAIRS = (1, 2, 4, 8, 12)
VALUE_BITS, DELAYS = (2, 8), (1000.0, 2000.0)  # beside the 4 bits and 200 ms of every other experiment; ms
# The best plastic network without and with a gate, the best others with as many neurons and with more parameters, and
# short-term plasticity. The first three seeds of ndp-bcm and LSNN up to 8 pairs were known when the rest was added.
STORES_PLASTIC, STORES_OTHER = ("dp-bcm", "ndp-bcm"), ("lsnn", "lsnn-100", "stp")


def _trained(task: KeyValuePairs, one: Network, compared: str, training: Training) -> Config:
    return Config(task, one, dataclasses.replace(training, learning_rate=CHOSEN[compared].learning_rate))


def _held(one: Network, held: str) -> RestrictedNetwork:
    return RestrictedNetwork(**vars(one), held=held)


def _with(one: Network, **options: float) -> Network:
    return dataclasses.replace(one, options=dataclasses.replace(one.options, **options))


def varied() -> dict[tuple[str, str], Config]:
    """By network and what is changed in it, the configurations of :func:`variants`."""
    task, configs = CELLS["key-value-pairs-low"].task, {}
    for name in PUBLISHED_PLASTIC:
        one = network(name, CHOSEN[name])
        changed = {"nothing": one} | {f"{part} held": _held(one, part) for part in PARTS}
        if name in MODULATED:
            changed |= {said: _with(one, e_max=bound) for said, bound in E_MAX.items()}
            changed |= {said: _held(one, gate) for said, gate in GATES.items()}
            changed["M = 1"] = dataclasses.replace(one, name=name.removeprefix("n"))
        configs |= {(name, change): _trained(task, other, name, SHORTER) for change, other in changed.items()}
    return configs


def variants() -> Experiment:
    """Plastic networks on four key-value pairs as they are, and with one thing changed.

    A part of PARTS held where it starts; of the modulated ones, E bounded at E_MAX, the gate held (GATES), and the gate at one:
    the unmodulated network with the values of the modulated one.
    """
    return Experiment("key-value-pairs-variants", "paper", tuple(varied().values()), LOOKED_AT, ())


def bounds() -> dict[str, Config]:
    """By what bounds E, the configurations of :func:`smooth_bound`."""
    one = network("ndp-bcm", CHOSEN["ndp-bcm"])
    kinds = {"clip": one, "no bound": _with(one, e_max=UNBOUNDED), "smooth bound": _held(one, "smooth bound")}
    return {said: _trained(SEARCH_TASK, kind, "ndp-bcm", SEARCH_TRAINING) for said, kind in kinds.items()}


def smooth_bound() -> Experiment:
    """ndp-bcm on two key-value pairs: E clipped, without a bound, and with a smooth one in place of the clip."""
    return Experiment("key-value-pairs-smooth-bound", "paper", tuple(bounds().values()), LOOKED_AT, ())


def trained_with_pairs() -> Experiment:
    """STORES_PLASTIC and STORES_OTHER trained with each of PAIRS pairs, and with four pairs of VALUE_BITS, and after DELAYS."""
    shapes: list[dict[str, Any]] = [{"n_cues": k} for k in PAIRS] + [{"value_bits": bits} for bits in VALUE_BITS]
    shapes += [{"delay_ms": delay} for delay in DELAYS]
    configs = tuple(
        _trained(KeyValuePairs(noise="low", **shape), network(name, CHOSEN[name]), name, PAIRS_TRAINING)
        for shape in shapes
        for name in STORES_PLASTIC + STORES_OTHER
    )
    return Experiment("key-value-pairs-trained-with", "paper", configs, LOOKED_AT, ())


STEEP = 25.0


def steep(networks: Iterable[str] = PUBLISHED_PLASTIC) -> Experiment:
    """The plastic networks of round two on cue-reward at high noise with the steep surrogate of round one: its first seeds."""
    gentle = round_two("cue-reward-high", networks=networks)
    configs = tuple(dataclasses.replace(c, network=_with(c.network, slope=STEEP)) for c in gentle.configs)
    return Experiment("cue-reward-high-steep", "paper", configs, SEEDS[: len(LOOKED_AT)], ())


@dataclass(frozen=True)
class Curriculum(Training):
    """Training on fewer cues first: the whole of it for each number in ``earlier``, then on the task itself."""

    earlier: tuple[int, ...] = ()


@dataclass(frozen=True)
class TaughtConfig(Config):
    """A configuration whose training is a :class:`Curriculum`."""

    training: Curriculum

    def train(self, network: nn.Module, seed: int, checkpoint: Path | None, progress: Progress) -> Trained:
        """As :meth:`Config.train`, never from a checkpoint; what was reached before is in the metrics ``taught.<cues>.<metric>``."""
        reached = {}
        for cues in self.training.earlier:
            metrics = train(network, dataclasses.replace(self.task, n_cues=cues), self.training, seed).metrics
            reached |= {f"taught.{cues}.{name}": metrics[name] for name in ("accuracy", "firing_rate")}
        last = train(network, self.task, self.training, seed, None, progress)
        return last._replace(metrics=last.metrics | reached)


# What starts out otherwise than the search chose, which found short-term plasticity at chance everywhere and so chose nothing.
OTHER_START = Values(1e-2, 5.0, 1.0)


def curriculum() -> Experiment:
    """Traditional networks with fewer cues first, on two cells of round two, as many steps in all as there."""
    lessons = (
        ("key-value-pairs-low", (1, 2), ("rsnn-long", "stp", "lsnn-100")),
        ("cue-reward-high", (2, 3), ("rsnn-long", "stp")),
    )
    configs = []
    for cell, earlier, names in lessons:
        kinds: list[tuple[str, Values]] = [(name, CHOSEN[name]) for name in names] + [("stp", OTHER_START)]
        for name, values in kinds:
            training = Curriculum(**vars(SHORTER) | {"learning_rate": values.learning_rate}, earlier=earlier)
            configs.append(TaughtConfig(CELLS[cell].task, network(name, values), training))
    return Experiment("traditional-curriculum", "paper", tuple(configs), LOOKED_AT, ())


CLOSER_LOOK = {
    "traditional-curriculum": curriculum,
    "key-value-pairs-variants": variants,
    "key-value-pairs-smooth-bound": smooth_bound,
    "key-value-pairs-trained-with": trained_with_pairs,
    "cue-reward-high-steep": steep,
}

"""Making what is published, in the order in which one thing rests on another, and only what is not there."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..checks import require_choice
from ..experiments import sweeps
from ..experiments.catalogue import BOOK, EXPERIMENTS, MEASUREMENTS, ROUND_TWO, TEMPORAL, WALKING, Make
from ..experiments.sweeps import Store
from ..records import run_keys
from ..timing.catalogue import TIMINGS

ALL_MEASUREMENTS = MEASUREMENTS | TIMINGS
GROUPS = {
    "temporal": tuple(TEMPORAL),
    "round-two": tuple(ROUND_TWO),
    "walking": tuple(WALKING),
    "measurements": tuple(MEASUREMENTS),
    "timings": tuple(TIMINGS),
}
EVERYTHING = (*EXPERIMENTS, *ALL_MEASUREMENTS)
IN_THE_BOOK = (*BOOK, *ALL_MEASUREMENTS)


class Step(NamedTuple):
    """One thing to make."""

    name: str
    why: str  # what is missing of it, or that it is published or cannot be made here
    make: Callable[[Store, int | str], None] | None  # None where there is nothing to do


def plan(what: Iterable[str], store: Store) -> Iterator[Step]:
    """What to do so that each of ``what`` is published, and before it what it is made of.

    Timings that are asked for by name or as a group are measured again: they are to be of one commit, side by side.

    Args:
        what: names of experiments, measurements and GROUPS; none at all for all that the book shows.
        store: whose published part counts.

    Raises:
        ValueError: an unknown name, listing the known ones.
    """
    asked = [name for word in what for name in _names(word)]
    for name in _with_needs(asked or IN_THE_BOOK):
        yield _step(name, store, again=name in TIMINGS and name in asked)


def _names(word: str) -> tuple[str, ...]:
    require_choice("what", word, [*GROUPS, *EVERYTHING])
    return GROUPS.get(word, (word,))


def _with_needs(names: Iterable[str]) -> list[str]:
    """``names`` and what they are measured of, in the order of EVERYTHING."""
    wanted, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += ALL_MEASUREMENTS[name].needs if name in ALL_MEASUREMENTS else ()
    return [name for name in EVERYTHING if name in wanted]


def _step(name: str, store: Store, again: bool) -> Step:
    if name in EXPERIMENTS:
        experiment = EXPERIMENTS[name]()
        published = store.published_runs(name)
        held = run_keys(None if published is None else published.runs)
        missing = sum((config.hash, seed) not in held for config, seed in experiment.runs)
        if missing:
            return Step(name, f"{missing} of {len(experiment.runs)} runs", lambda *how: train(EXPERIMENTS[name], *how))
        return Step(name, "published", None)
    measurement = ALL_MEASUREMENTS[name]
    if not again and not measurement.left(name, store):
        return Step(name, "published", None)
    if measurement.lacks():
        return Step(name, f"left out: needs {measurement.lacks()}", None)
    return Step(name, "to be measured", lambda *how: measurement.run(name, *how))


def train(make: Make, store: Store, workers: int | str) -> None:
    """Make the missing runs of an experiment and publish them."""
    experiment = make()
    sweeps.sweep(experiment, store, workers)
    sweeps.publish(experiment, store)

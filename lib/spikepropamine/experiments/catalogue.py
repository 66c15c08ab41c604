"""Everything that can be trained or measured, by name: what the command line, ``stale`` and the tests go through."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import pandas as pd

from .. import records
from ..checks import require
from ..records.rehearsals import difference
from ..walking.evaluation import EPISODES
from . import (
    ablations,
    adaptation_task,
    closer_look,
    gait,
    locomotion,
    mechanism,
    novel_conditions,
    plasticity_in_walking,
    temporal,
    temporal_round_two,
    walking_round_two,
    weight_sensitivity,
)
from .choices import PUBLISHED_PLASTIC, PUBLISHED_POLICIES
from .config import Experiment
from .sweeps import Store

PUBLISHED_TASKS = ("cue-association", "cue-reward", "recall")  # of round one
Make = Callable[[], Experiment]
Keep = Callable[..., None]  # publishes a table, facts about it and files: records.save_measurements


def _with_quick(experiments: Mapping[str, Make]) -> dict[str, Make]:
    """``experiments`` and their quick forms: published, so that a reader sees what the commands on the pages make."""
    quick = {
        temporal.named(name, "quick"): partial(make, profile="quick")
        for name, make in experiments.items()
        if not name.endswith("-search")
    }
    return {**experiments, **quick}


def _of_task(task: str) -> dict[str, Make]:
    """Everything that is trained on one task, in the order it is to be made in."""
    kinds = {
        "-search": temporal.search,
        "": temporal.temporal,
        "-controls-search": temporal.controls_search,
        "-controls": temporal.controls,
        "-restricted": temporal.restricted,
        "-sizes": temporal.sizes,
    }
    return {f"{task}{kind}": partial(make, task) for kind, make in kinds.items()}


# name → what makes the experiment at the paper profile; what the book is about, and what can be made beside
ROUND_ONE = {name: make for task in PUBLISHED_TASKS for name, make in _of_task(task).items()}
ROUND_ONE |= {"cue-reward-controls-longer": partial(temporal.longer, "cue-reward")}
TEMPORAL = _with_quick(ROUND_ONE)
ROUND_TWO: dict[str, Make] = {
    "round-two-search": temporal_round_two.search,
    "round-two-search-extended": temporal_round_two.extended_search,
}
if temporal_round_two.CHOSEN:  # by that search
    ROUND_TWO |= {f"{cell}-round-two": partial(temporal_round_two.round_two, cell) for cell in temporal_round_two.CELLS}
ROUND_TWO |= closer_look.CLOSER_LOOK
ROUND_TWO |= {f"{adaptation_task.MAIN}-search": adaptation_task.search}
if adaptation_task.CHOSEN:  # by that search
    ROUND_TWO |= {
        adaptation_task.MAIN + variant: partial(adaptation_task.two_trials, variant)
        for variant in adaptation_task.VARIANTS
    }
    ROUND_TWO |= {
        f"{adaptation_task.MAIN}-reminded": adaptation_task.reminded,
        f"{adaptation_task.MAIN}-rates": partial(adaptation_task.other_rates, ""),
        f"{adaptation_task.MAIN}{adaptation_task.FINDS_OUT}-rates": adaptation_task.other_rates,
    }
ROUND_TWO |= {
    f"{robot}-{kind}": partial(make, robot)
    for robot in walking_round_two.STEPS
    for kind, make in (
        ("gap-search", walking_round_two.gap_search),
        ("gap-search-further", walking_round_two.further_search),
        ("round-two", walking_round_two.round_two),
    )
}
ROUND_TWO |= {walking_round_two.LONGER: walking_round_two.longer_pieces}
WALKING = _with_quick(
    {
        f"{name}{kind}": partial(make, name)
        for name in locomotion.EXPERIMENTS
        for kind, make in (("-search", locomotion.search), ("", locomotion.locomotion))
    }
)
BOOK: dict[str, Make] = TEMPORAL | ROUND_TWO | WALKING
BESIDE = {name: make for task in temporal.TASKS if task not in PUBLISHED_TASKS for name, make in _of_task(task).items()}
EXPERIMENTS: dict[str, Make] = BOOK | _with_quick(BESIDE)


@dataclass(frozen=True)
class Measurement:
    """Something that is measured and published as one table, of trained networks mostly."""

    measure: Callable[[Store, int | str, Keep], None]  # makes what is not published yet, and publishes it
    needs: tuple[str, ...] = ()  # what it is measured of: experiments and measurements, one of them published at least
    rehearse: Callable[[], dict[str, float]] | None = None  # what its code does, in a few numbers
    of: Callable[[Store], Iterable[tuple[Any, int]]] | None = (
        None  # the runs it measures one by one, configuration and seed
    )
    # the rows of those runs of which nothing is left to measure
    whole: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    timed: tuple[str, ...] = ()  # of a timing: the files and folders of the package whose speed it tells
    lacks: Callable[[], str] = str  # what this machine lacks for it, in words; empty where nothing

    def run(self, name: str, store: Store, workers: int | str) -> None:
        """Measure, and publish as ``name``.

        Raises:
            ValueError: what it needs is not there.
        """
        require(store.published is not None, "published", None, "the folder of the published store")
        there = [need for need in self.needs if (store.published / need).exists()]
        if self.needs and not there:
            raise ValueError(f"{name} is measured of {', '.join(self.needs)}: none of these is published")
        if self.lacks():
            raise ValueError(f"{name} needs {self.lacks()}")
        self.measure(store, workers, partial(records.save_measurements, store.published / name, name))

    def left(self, name: str, store: Store) -> int:
        """How much of it is not published: runs where it goes by runs, else one or nothing."""
        folder = store.published / name
        if self.of is None or not folder.exists():
            return 0 if folder.exists() else 1
        held = records.run_keys(self.whole(records.load_measurements(folder)[0]))
        return sum((config.hash, seed) not in held for config, seed in self.of(store))


def earlier(
    store: Store, name: str, size: dict[str, int], rehearse: Callable[[], dict[str, float]]
) -> pd.DataFrame | None:
    """What is measured already, if at today's ``size`` and if what was done to networks does what it does today."""
    if not (store.published / name).exists():
        return None
    table, manifest = records.load_measurements(store.published / name)
    facts = manifest["facts"]
    same, now = all(facts[key] == value for key, value in size.items()), rehearse()
    rehearsed = {key: now[key] for key in facts["rehearsal"] if key in now}
    return table if same and not difference(facts["rehearsal"], rehearsed) else None


def _controls(store: Store, workers: int | str, keep: Keep) -> None:
    known = earlier(store, "controls", {"trials": ablations.TRIALS["paper"]}, ablations.rehearse)
    keep(*ablations.measure("paper", None, list(PUBLISHED_PLASTIC), store, workers, known))


def _ablated(store: Store) -> Iterator[tuple[Any, int]]:
    for task in PUBLISHED_TASKS:
        published = store.published_runs(task)
        for config, seed in temporal.temporal(task, networks=PUBLISHED_PLASTIC).runs:
            if published is not None and published.has_weights(config.hash, seed):
                yield config, seed


def _walks(
    name: str,
    how: Callable[..., list[dict]],
    policies: list[str],
    make: Callable[..., Experiment],
    needs: tuple[str, ...],
) -> Measurement:
    """What ``how`` measures of the walks that ``make`` trains."""

    def measure(store: Store, workers: int | str, keep: Keep) -> None:
        known = earlier(store, name, {"episodes": EPISODES}, novel_conditions.rehearse)
        keep(*novel_conditions.measure(how, "paper", None, policies, store, workers, known, keep, make=make))

    def of(store: Store) -> Iterator[tuple[Any, int]]:
        for _, config, seed in novel_conditions.jobs(novel_conditions.SIZES["paper"], policies, store, make=make):
            yield config, seed

    return Measurement(measure, needs, novel_conditions.rehearse, of, whole=novel_conditions.whole)


def _at_once(measure: Callable[[Store], tuple]) -> Callable[[Store, int | str, Keep], None]:
    """What makes and publishes a measurement that is made as a whole, by ``measure``."""
    return lambda store, workers, keep: keep(*measure(store))


def _exploratory(
    module: ModuleType, size: dict[str, int], more: Mapping[str, tuple[Callable[..., Experiment], str]] = {}
) -> dict[str, Measurement]:
    """What ``module`` measures, at ``size``, of the policies of both rounds on walking.

    Args:
        module: it has ``measure``, ``policies`` and ``rehearse``.
        size: facts that an earlier measurement must share to be taken up.
        more: measurements of other policies, by name: what makes their experiment, and what that is called.
    """

    def measurement(name: str, make: Callable[..., Experiment], needs: tuple[str, ...]) -> Measurement:
        def measure(store: Store, workers: int | str, keep: Keep) -> None:
            known = earlier(store, name, size, module.rehearse)
            keep(*module.measure(store, keep=keep, make=make, earlier=known))

        return Measurement(measure, needs, module.rehearse, partial(module.policies, make=make))

    return {
        module.MEASUREMENT: measurement(module.MEASUREMENT, locomotion.locomotion, tuple(locomotion.EXPERIMENTS)),
        module.ROUND_TWO: measurement(module.ROUND_TWO, walking_round_two.round_two, ROUND_TWO_WALKS),
        **{name: measurement(name, make, (of,)) for name, (make, of) in more.items()},
    }


def no_renderer() -> str:
    """What a film of a walk lacks here: MuJoCo draws into a window, or off screen if told how."""
    display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    off_screen = os.environ.get("MUJOCO_GL", "").lower() in ("egl", "osmesa")
    return "" if display or off_screen else "a display, or MUJOCO_GL=egl or MUJOCO_GL=osmesa and that library"


ROUND_TWO_WALKS = tuple(f"{robot}-round-two" for robot in walking_round_two.STEPS)
# of trained policies: how, and of which
WALKS = {
    "novel-conditions": (novel_conditions.fare, list(PUBLISHED_POLICIES)),
    "adaptation": (novel_conditions.adapt, list(PUBLISHED_PLASTIC)),
}
MEASUREMENTS: dict[str, Measurement] = {
    "controls": Measurement(_controls, PUBLISHED_TASKS, ablations.rehearse, _ablated),
    **{
        name: _walks(name, how, policies, locomotion.locomotion, tuple(locomotion.EXPERIMENTS))
        for name, (how, policies) in WALKS.items()
    },
    walking_round_two.MEASUREMENT: _walks(
        walking_round_two.MEASUREMENT,
        novel_conditions.fare,
        list(PUBLISHED_POLICIES),
        walking_round_two.round_two,
        ROUND_TWO_WALKS,
    ),
    **_exploratory(
        plasticity_in_walking,
        {"episodes": plasticity_in_walking.EPISODES},
        {plasticity_in_walking.LONGER: (walking_round_two.longer_pieces, walking_round_two.LONGER)},
    ),
    **_exploratory(weight_sensitivity, {"draws": weight_sensitivity.DRAWS}),
    "mechanism": Measurement(_at_once(mechanism.measure), mechanism.MEASURED),
    "gait": Measurement(_at_once(gait.measure), ROUND_TWO_WALKS, lacks=no_renderer),
}

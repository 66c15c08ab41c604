"""``python -m spikepropamine sweep EXPERIMENT``, ``publish EXPERIMENT``, ``verify`` and ``stale``, from the repository's root."""

import argparse
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from . import records
from .audit.staleness import (
    code_mark,
    difference,
    remake,
    stale_items,
    stale_measurements,
    stale_records,
    stale_timings,
)
from .audit.verification import verify
from .experiments import ablations, gait, locomotion, novel_conditions, sweeps, temporal
from .experiments.choices import PUBLISHED_NETWORKS, PUBLISHED_PLASTIC, PUBLISHED_POLICIES
from .snn import controls, fused, layers, networks, plasticity, scan
from .snn.fused import autograd, kernels, memory, neurons, simd
from .tasks import cue_association, cue_reward, recall, task
from .timing import benchmark, gpu, page_times, retraining, walking_speed
from .training import ppo, supervised
from .walking import conditions, evaluation, inference, policies
from .walking import robots as environments
from .walking.evaluation import EPISODES

EXPERIMENTS = (
    {name: partial(temporal.temporal, name) for name in temporal.TASKS}
    | {
        f"{name}-{kind}": partial(make, name)
        for name in temporal.TASKS
        for kind, make in (
            ("search", temporal.search),
            ("controls", temporal.controls),
            ("controls-search", temporal.controls_search),
            ("restricted", temporal.restricted),
            ("sizes", temporal.sizes),
        )
    }
    | {"cue-reward-controls-longer": partial(temporal.longer, "cue-reward")}
    | {
        f"{name}{kind}": partial(make, name)
        for name in locomotion.EXPERIMENTS
        for kind, make in (("", locomotion.locomotion), ("-search", locomotion.search))
    }
)
TEMPORAL = {name: make for name, make in EXPERIMENTS.items() if name.startswith(tuple(temporal.TASKS))}
WALKING = {name: make for name, make in EXPERIMENTS.items() if name not in TEMPORAL}
# what the commands on the pages make: published so that a reader sees what to expect, and a test that it still comes out
EXPERIMENTS |= {
    temporal.named(name, "quick"): partial(make, profile="quick")
    for name, make in EXPERIMENTS.items()
    if not name.endswith("-search")
}

REHEARSALS = {
    "novel-conditions": novel_conditions.rehearse,
    "adaptation": novel_conditions.rehearse,
    "controls": ablations.rehearse,
}
NETWORK_CODE = (autograd, fused, kernels, layers, memory, networks, plasticity, scan, simd)
TIMED = {
    "performance": (benchmark, *NETWORK_CODE),
    "gpu": (gpu, layers, networks, plasticity),  # what runs on the GPU
    "retraining": (neurons, controls, cue_association, cue_reward, recall, supervised, task, *NETWORK_CODE),
    "walking-speed": (inference, walking_speed, policies, ppo, environments, *NETWORK_CODE),
    "walking-again": (inference, conditions, environments, novel_conditions, policies, ppo, evaluation, *NETWORK_CODE),
    "page-times": (
        inference,
        benchmark,
        conditions,
        environments,
        novel_conditions,
        policies,
        evaluation,
        *NETWORK_CODE,
    ),
}
TIMINGS = {
    "performance": lambda store, workers: benchmark.run_plan("paper", list(PUBLISHED_NETWORKS)),
    "gpu": lambda store, workers: gpu.measure(list(PUBLISHED_PLASTIC)),
    "retraining": lambda store, workers: retraining.measure([make() for make in TEMPORAL.values()], store, workers),
    "walking-speed": lambda store, workers: walking_speed.measure("paper", list(PUBLISHED_POLICIES)),
    "walking-again": lambda store, workers: walk_again(store, workers),
    "page-times": lambda store, workers: page_times.measure(Path().resolve()),
}
# of trained policies: how, and of which
WALKS = {
    "novel-conditions": (novel_conditions.fare, list(PUBLISHED_POLICIES)),
    "adaptation": (novel_conditions.adapt, list(PUBLISHED_PLASTIC)),
}
MEASUREMENTS = tuple(sorted(("controls", "gait", *WALKS, *TIMINGS)))


def main() -> None:
    """Run or publish a named experiment at the paper profile, verify all that is published, or say what of it is stale."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does: an end that takes the workers along
    parser = argparse.ArgumentParser(prog="python -m spikepropamine", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, names in (("sweep", sorted(EXPERIMENTS)), ("publish", [*sorted(EXPERIMENTS), *MEASUREMENTS])):
        one = actions.add_parser(action)
        one.add_argument(
            "experiment",
            choices=names,
            help="measurements, "
            + ", ".join(MEASUREMENTS)
            + ", are made by publish, most of them from trained weights",
        )
        one.add_argument(
            "--workers",
            type=lambda word: int(word) if word.isdigit() else word,
            default=1,
            help="runs at a time (default 1), or the address of a Dask scheduler",
        )
    actions.add_parser(
        "verify", help="check every published record, figure and table to the byte, and prose for typed numbers"
    )
    stale = actions.add_parser("stale", help="name what is no longer what today's code and records would make, and why")
    stale.add_argument("--remake", action="store_true", help="train what is stale again, that alone, and publish it")
    stale.add_argument("--workers", type=int, default=1, help="runs at a time (default 1)")
    arguments = parser.parse_args()
    if arguments.action == "verify":
        sys.exit(report(*verify(Path())))
    published = Path("book/results")
    store = sweeps.Store(Path(".runs"), published)
    if arguments.action == "stale":
        sys.exit(refresh(store, arguments.workers) if arguments.remake else say_what_is_stale(store))
    if arguments.experiment in MEASUREMENTS:
        measure(arguments.experiment, store, arguments.workers)
    elif arguments.action == "sweep":
        sweeps.sweep(EXPERIMENTS[arguments.experiment](), store, arguments.workers)
    else:
        sweeps.publish(EXPERIMENTS[arguments.experiment](), store)


def report(checked: int, problems: list[str]) -> int:
    """Say what is wrong, or that nothing is; the exit status."""
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{checked} folders checked, {len(problems)} not as they were made.")
    return 1 if problems else 0


def say_what_is_stale(store: sweeps.Store) -> int:
    """Name what is stale, a line each; the exit status."""
    lines = [f"{one.experiment} {one.config_hash}: {one.why}" for one in stale_records(EXPERIMENTS, store)]
    lines += [
        *stale_measurements(REHEARSALS, store.published),
        *stale_timings(TIMED, store.published),
        *gait.stale(store),
        *stale_items(Path()),
    ]
    print("\n".join(lines) if lines else "Nothing is stale.")
    return 1 if lines else 0


def refresh(store: sweeps.Store, workers: int) -> int:
    """Make the stale records again; the exit status."""
    remake(list(stale_records(EXPERIMENTS, store)), EXPERIMENTS, store, workers)
    print("The records are fresh; make figures remakes the figures.")
    return 0


def measure(name: str, store: sweeps.Store, workers: int | str) -> None:
    """Make and publish the measurements of one of MEASUREMENTS."""
    keep = partial(records.save_measurements, store.published / name, name)
    if name in TIMED:
        table, facts = TIMINGS[name](store, workers)
        keep(table, facts | {"code": code_mark(TIMED[name])})
    elif name == "controls":
        known = earlier(store.published / name, {"trials": ablations.TRIALS["paper"]}, ablations.rehearse)
        keep(*ablations.measure("paper", None, list(PUBLISHED_NETWORKS), store, workers, known))
    elif name == "gait":
        keep(*gait.measure(store))
    else:
        how, of = WALKS[name]
        known = earlier(store.published / name, {"episodes": EPISODES}, novel_conditions.rehearse)
        keep(*novel_conditions.measure(how, "paper", None, of, store, workers, known, keep))


def walk_again(store: sweeps.Store, workers: int) -> tuple[pd.DataFrame, dict]:
    """A part of the walking runs and of the measurements of their policies, made again; as :func:`spikepropamine.timing.retraining.measure`."""
    parts = [retraining.measure([make() for make in WALKING.values()], store, workers)]
    parts += [retraining.measure_walks(name, how, of, store, workers) for name, (how, of) in WALKS.items()]
    runs = {name: n for _, facts in parts for name, n in facts["runs"].items()}
    return pd.concat([table for table, _ in parts], ignore_index=True), {"runs": runs, "workers": workers}


def earlier(folder: Path, size: dict[str, int], rehearse: Callable[[], dict[str, float]]) -> pd.DataFrame | None:
    """What is measured already, if at today's ``size`` and if what was done to networks does what it does today."""
    if not folder.exists():
        return None
    table, manifest = records.load_measurements(folder)
    facts = manifest["facts"]
    same, now = all(facts[name] == value for name, value in size.items()), rehearse()
    rehearsed = {name: now[name] for name in facts["rehearsal"] if name in now}
    return table if same and not difference(facts["rehearsal"], rehearsed) else None


if __name__ == "__main__":
    main()

"""``python -m spikepropamine sweep EXPERIMENT`` and ``publish EXPERIMENT``, from the repository's root."""

import argparse
from functools import partial
from pathlib import Path

from . import ablations, benchmark, experiments, gait, locomotion, records, walking_speed
from .claims import PLASTIC
from .networks import NETWORKS
from .policies import POLICIES

EXPERIMENTS = {name: partial(experiments.temporal, name) for name in experiments.TASKS} | {
    f"{name}-{kind}": partial(make, name)
    for name in experiments.TASKS
    for kind, make in (
        ("search", experiments.search),
        ("controls", experiments.controls),
        ("controls-search", experiments.controls_search),
        ("restricted", experiments.restricted),
    )
} | {name: partial(locomotion.locomotion, name) for name in locomotion.EXPERIMENTS} | {"locomotion-search": locomotion.search}


MEASUREMENTS = ("adaptation", "controls", "gait", "novel-conditions", "performance", "walking-speed")


def main() -> None:
    """Run or publish a named experiment at the paper profile."""
    parser = argparse.ArgumentParser(prog="python -m spikepropamine", description=__doc__)
    parser.add_argument("action", choices=["sweep", "publish"])
    parser.add_argument("experiment", choices=[*sorted(EXPERIMENTS), *MEASUREMENTS],
                        help="measurements, " + ", ".join(MEASUREMENTS) + ", are made by publish, most of them from trained weights")
    parser.add_argument("--workers", type=lambda word: int(word) if word.isdigit() else word, default=1,
                        help="runs at a time (default 1), or the address of a Dask scheduler")
    arguments = parser.parse_args()
    published = Path("book/results")
    store = experiments.Store(Path(".runs"), published)
    if arguments.experiment in MEASUREMENTS:
        if arguments.action == "publish":
            measure(arguments.experiment, store, arguments.workers)
        return
    experiment = EXPERIMENTS[arguments.experiment]()
    if arguments.action == "sweep":
        experiments.sweep(experiment, store, arguments.workers)
    else:
        experiments.publish(experiment, store)


def measure(name: str, store: experiments.Store, workers: int | str) -> None:
    """Make and publish the measurements of one of MEASUREMENTS."""
    attached: dict[str, bytes] = {}
    if name == "performance":
        table, facts = benchmark.run_plan("paper", list(NETWORKS))
    elif name == "walking-speed":
        table, facts = walking_speed.measure("paper", list(POLICIES))
    elif name == "controls":
        table, facts = ablations.measure("paper", None, list(NETWORKS), store, workers)
    elif name == "novel-conditions":
        table, facts = locomotion.measure(locomotion.fare, "paper", None, list(POLICIES), store, workers)
    elif name == "adaptation":
        table, facts = locomotion.measure(locomotion.adapt, "paper", None, list(PLASTIC), store, workers)
    else:
        table, facts, attached = gait.measure(store)
    records.save_measurements(store.published / name, name, table, facts, attached)


if __name__ == "__main__":
    main()

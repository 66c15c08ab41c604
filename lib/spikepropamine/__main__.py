"""``python -m spikepropamine sweep EXPERIMENT`` and ``publish EXPERIMENT``, from the repository's root."""

import argparse
from functools import partial
from pathlib import Path

from . import benchmark, experiments, records
from .networks import NETWORKS

EXPERIMENTS = {name: partial(experiments.temporal, name) for name in experiments.TASKS} | {
    f"{name}-search": partial(experiments.search, name) for name in experiments.TASKS
}


def main() -> None:
    """Run or publish a named experiment at the paper profile."""
    parser = argparse.ArgumentParser(prog="python -m spikepropamine", description=__doc__)
    parser.add_argument("action", choices=["sweep", "publish"])
    parser.add_argument("experiment", choices=[*sorted(EXPERIMENTS), "performance"], help="performance is measured by publish")
    parser.add_argument("--workers", type=lambda word: int(word) if word.isdigit() else word, default=1,
                        help="runs at a time (default 1), or the address of a Dask scheduler")
    arguments = parser.parse_args()
    published = Path("book/results")
    if arguments.experiment == "performance":
        if arguments.action == "publish":
            table, facts = benchmark.run_plan("paper", list(NETWORKS))
            records.save_measurements(published / "performance", "performance", table, facts)
        return
    experiment = EXPERIMENTS[arguments.experiment]()
    store = experiments.Store(Path(".runs"), published)
    if arguments.action == "sweep":
        experiments.sweep(experiment, store, arguments.workers)
    else:
        experiments.publish(experiment, store)


if __name__ == "__main__":
    main()

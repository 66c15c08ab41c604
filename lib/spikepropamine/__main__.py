"""``python -m spikepropamine sweep EXPERIMENT`` and ``publish EXPERIMENT``, from the repository's root."""

import argparse
from pathlib import Path

from . import experiments

EXPERIMENTS = {
    "cue-association": experiments.cue_association,
    "cue-association-search": experiments.cue_association_search,
}


def main() -> None:
    """Run or publish a named experiment at the paper profile."""
    parser = argparse.ArgumentParser(prog="python -m spikepropamine", description=__doc__)
    parser.add_argument("action", choices=["sweep", "publish"])
    parser.add_argument("experiment", choices=sorted(EXPERIMENTS))
    parser.add_argument("--workers", type=int, default=1, help="runs at a time (default 1)")
    arguments = parser.parse_args()
    experiment = EXPERIMENTS[arguments.experiment]()
    store = experiments.Store(Path(".runs"), Path("book/results"))
    if arguments.action == "sweep":
        experiments.sweep(experiment, store, arguments.workers)
    else:
        experiments.publish(experiment, store)


if __name__ == "__main__":
    main()

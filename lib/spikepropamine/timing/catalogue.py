"""Every timing that is published, by name, with the code whose speed it tells."""

from importlib.util import find_spec

import pandas as pd
import torch

from ..experiments.catalogue import TEMPORAL, WALKING, WALKS, Keep, Measurement
from ..experiments.choices import PUBLISHED_NETWORKS, PUBLISHED_PLASTIC, PUBLISHED_POLICIES
from ..experiments.sweeps import Store
from ..records.origin import git_commit
from . import benchmark, gpu, retraining, walking_speed


def _performance(store: Store, workers: int | str, keep: Keep) -> None:
    keep(*benchmark.run_plan("paper", list(PUBLISHED_NETWORKS)))


def _gpu(store: Store, workers: int | str, keep: Keep) -> None:
    for workload, names in gpu.publish(PUBLISHED_PLASTIC, store.published.parents[1], keep):
        print(f"no time was left for {workload}: {', '.join(names)}")


def _walking_speed(store: Store, workers: int | str, keep: Keep) -> None:
    keep(*walking_speed.measure("paper", list(PUBLISHED_POLICIES)))


def _begun_at_this_commit(store: Store) -> Store:
    """``store`` with a working part of its own, so that what was made again at another commit is made anew."""
    return Store(store.working / f"commit-{git_commit()[:12]}", store.published)


def _retraining(store: Store, workers: int | str, keep: Keep) -> None:
    keep(*retraining.measure([make() for make in TEMPORAL.values()], _begun_at_this_commit(store), workers))


def _walking_again(store: Store, workers: int | str, keep: Keep) -> None:
    parts = [retraining.measure([make() for make in WALKING.values()], _begun_at_this_commit(store), workers)]
    parts += [retraining.measure_walks(name, how, of, store, workers) for name, (how, of) in WALKS.items()]
    runs = {name: n for _, facts in parts for name, n in facts["runs"].items()}
    keep(pd.concat([table for table, _ in parts], ignore_index=True), {"runs": runs, "workers": workers})


def no_gpu() -> str:
    """What the timings on a GPU lack here."""
    if not torch.cuda.is_available():
        return "a GPU that PyTorch knows"
    return "" if find_spec("pytest") else "pytest, for it tests the kernels first"


_LIBRARY = ("snn", "checks.py")
_LEARNING = (*_LIBRARY, "tasks", "training")
_WALKING = (*_LEARNING, "walking", "experiments/novel_conditions.py")
TIMINGS: dict[str, Measurement] = {
    "performance": Measurement(_performance, timed=(*_LIBRARY, "timing/benchmark.py")),
    "gpu": Measurement(_gpu, timed=(*_LIBRARY, "timing/gpu.py"), lacks=no_gpu),
    "walking-speed": Measurement(_walking_speed, timed=(*_WALKING, "timing/walking_speed.py")),
    "retraining": Measurement(_retraining, tuple(TEMPORAL), timed=_LEARNING),
    "walking-again": Measurement(_walking_again, (*WALKING, *WALKS), timed=_WALKING),
}

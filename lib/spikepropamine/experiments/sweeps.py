"""Running experiments: the stores of runs, the sweep that makes what is missing, and publishing."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import torch
from tqdm.auto import tqdm

from .. import records
from ..checks import require
from ..fields import plain
from ..records.origin import peak_megabytes
from .choices import check_workers
from .config import Config, Experiment

Job = tuple[Callable, tuple, dict]  # what ``joblib.delayed`` makes


class Store:
    """The working store of runs and, where given, the published one, which comes first."""

    def __init__(self, working: Path | str, published: Path | str | None = None):
        self.working = Path(working).resolve()
        self.published = None if published is None else Path(published).resolve()

    def folder(self, experiment: str, config: Config, seed: int) -> Path:
        """Where a run lives in the working store."""
        return self.working / experiment / config.hash / f"seed-{seed}"

    def results(self, experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The finished runs of ``experiment`` and their curves, working and published together."""
        runs, curves = [], []
        wanted = {(config.hash, seed) for config, seed in experiment.runs}
        published = self.published_runs(experiment.name)
        if published is not None:
            runs.append(only(published.runs, wanted))
            curves.append(only(published.curves, wanted))
            wanted -= records.run_keys(runs[0])
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
        return (published is not None and published.has_weights(config.hash, seed)) or self.folder(
            experiment, config, seed
        ).exists()

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

    Interrupted sweeps resume, within a run too.

    Args:
        experiment: what to run.
        store: where finished runs are looked for and put.
        workers: runs at a time, in processes of this machine; or the address of a Dask scheduler, such as
            "tcp://10.0.0.1:8786", whose workers have this package and see the working store under the same path.
        device: where each run trains.
    """
    check_workers(workers)
    runs, _ = store.results(experiment)
    held = records.run_keys(runs)
    make(
        [(experiment, config, seed) for config, seed in experiment.runs if (config.hash, seed) not in held],
        store,
        workers,
        device,
        experiment.name,
    )


def make(
    runs: Sequence[tuple[Experiment, Config, int]], store: Store, workers: int | str, device: str, called: str
) -> None:
    """Make ``runs``, of whatever experiments, into the working store; ``called`` on the progress bar. The rest is as in :func:`sweep`."""
    jobs = (
        joblib.delayed(run)(
            experiment.name, experiment.profile, config, seed, store.folder(experiment.name, config, seed), device
        )
        for experiment, config, seed in runs
    )
    with tqdm(total=len(runs), desc=called, unit="run") as bar:
        for label in in_parallel(jobs, workers, ordered=False):
            bar.set_postfix_str(label)
            bar.update()


def in_parallel(jobs: Iterable[Job], workers: int | str, ordered: bool = True) -> Iterator[Any]:
    """What each of ``jobs``, made by ``joblib.delayed``, returns, as soon as it is done.

    Args:
        jobs: what to do.
        workers: as for :func:`sweep`. Where it is the address of a scheduler, all of them are done before the first
            result comes.
        ordered: in the order of the jobs, or as they end.
    """
    check_workers(workers)
    if isinstance(workers, str):
        from distributed import Client  # only those who have a cluster need it

        with Client(workers, timeout="10s"), joblib.parallel_config("dask"):
            yield from joblib.Parallel()(jobs)
    else:
        watched = ((_end_with_parent, (function, arguments, named), {}) for function, arguments, named in jobs)
        kind = "generator" if ordered else "generator_unordered"
        yield from joblib.Parallel(n_jobs=workers, return_as=kind)(watched)


def _end_with_parent(function: Callable, arguments: tuple, named: dict) -> Any:
    """Call ``function`` in a worker that ends within a second when the process that asked for it is gone."""
    if multiprocessing.current_process().name != "MainProcess":
        end_with_parent()
    return function(*arguments, **named)


@cache
def end_with_parent() -> None:
    """From now on, end this process when its parent has ended. Where parents are not told of (Windows), do nothing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end with parent").start()


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
        "config": plain(config),
        "config_hash": config.hash,
        "seed": seed,
        "profile": profile,
        "device": device,
        "metrics": trained.metrics | tested,
        "wall_seconds": trained.seconds_before + time.perf_counter() - started,
        "peak_megabytes": peak_megabytes(),
        **provenance,
    }
    records.save_run(folder, record, pd.DataFrame(trained.curves), trained.weights)
    checkpoint.unlink(missing_ok=True)
    return f"{label}: {trained.metrics[config.metric]:.3f}"


def publish(experiment: Experiment, store: Store, replaced: Collection[str] = ()) -> None:
    """Gather the finished runs of ``experiment`` in the working store into the published one.

    What is published already stays, whether the working store holds it or not, but for the configurations ``replaced``,
    hashes. Each configuration that is new there is rehearsed, for ``spikepropamine.audit.staleness`` to compare with.
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
    records.publish(
        done.values(), len(folders), store.published / experiment.name, experiment.weights_of, rehearsed, replaced
    )


def core_hours(runs: pd.DataFrame) -> float:
    """What ``runs``, a row each, took on one core.

    Early records of runs that were taken up from a checkpoint give the seconds since then alone; their training's are whole.
    """
    return float(runs[["wall_seconds", "training_seconds"]].max(axis=1).sum() / 3600)


def expected_hours(experiment: Experiment, runs: pd.DataFrame) -> float:
    """What ``experiment`` would take on one core at the speed, in training steps, of ``runs`` of the same kind."""
    return (
        core_hours(runs)
        / float(runs["training.steps"].sum())
        * sum(config.training.steps for config, _ in experiment.runs)
    )


def only(table: pd.DataFrame, wanted: Collection[tuple[str, int]]) -> pd.DataFrame:
    """The rows of ``table`` that are of the runs ``wanted``, (config_hash, seed)."""
    return table[[key in wanted for key in zip(table["config_hash"], table["seed"])]]

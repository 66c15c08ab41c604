"""Running experiments: the stores of runs, the sweep that makes what is missing, and publishing."""

import resource
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd
import torch
from tqdm.auto import tqdm

from .. import records
from ..checks import require
from ..fields import plain
from .choices import check_workers
from .config import Config, Experiment


class Store:
    """The working store of runs and, where given, the published one, which comes first."""

    def __init__(self, working: Path, published: Path | None = None):
        self.working, self.published = working.resolve(), published

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

    A sweep that was stopped goes on where it stopped, within a run too.

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
    with _workers(workers) as parallel, tqdm(total=len(runs), desc=called, unit="run") as bar:
        for label in parallel(jobs):
            bar.set_postfix_str(label)
            bar.update()


@contextmanager
def _workers(workers: int | str) -> Iterator[joblib.Parallel]:
    """joblib on processes here, or on the Dask scheduler at an address."""
    if isinstance(workers, str):
        from distributed import Client  # only those who have a cluster need it

        with Client(workers, timeout="10s"), joblib.parallel_config("dask"):
            yield joblib.Parallel()
    else:
        yield joblib.Parallel(n_jobs=workers, return_as="generator_unordered")


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
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **provenance,
    }
    records.save_run(folder, record, pd.DataFrame(trained.curves), trained.weights)
    checkpoint.unlink(missing_ok=True)
    return f"{label}: {trained.metrics[config.metric]:.3f}"


def publish(experiment: Experiment, store: Store, replaced: Collection[str] = ()) -> None:
    """Gather the finished runs of ``experiment`` in the working store into the published one.

    What is published already stays, whether the working store holds it or not, but for the configurations ``replaced``,
    hashes. Each configuration that is new there is rehearsed, for :mod:`spikepropamine.audit.staleness` to compare with.
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

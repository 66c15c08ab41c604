"""A part of the published runs trained again with today's code: do they end as they did, and what would all of them take?

A record tells how long its run took with the code and on the machine of its day, and a sweep is made over weeks. Of each
experiment a few runs, spread evenly over configurations and seeds, are trained from nothing, in random order, and kept
beside the published ones.
"""

from collections.abc import Sequence

import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from . import records
from .checks import require
from .experiments import Config, Experiment
from .files import digest
from .parameters import check_workers
from .statistics import Interval, stratified_total
from .sweeps import Store, only, run

EVERY = 8  # one run in so many, two of an experiment at the least
_TIMES = ("training_seconds",)


def chosen(experiment: Experiment) -> list[tuple[Config, int]]:
    """One in EVERY of the runs of ``experiment``, the first of them given by its name."""
    runs = [(config, seed) for config in experiment.configs for seed in experiment.seeds]
    every = max(1, min(EVERY, len(runs) // 2))
    return runs[int(digest(experiment.name), 16) % every :: every]


def measure(experiments: Sequence[Experiment], store: Store, workers: int = 1) -> tuple[pd.DataFrame, dict]:
    """Train what is :func:`chosen` of ``experiments`` again and compare it with what is published.

    A measurement that was stopped goes on where it stopped.

    Args:
        experiments: published whole.
        store: whose working part keeps the new runs, apart from others.
        workers: runs at a time, in processes of this machine.

    Returns:
        A row a run: experiment, config_hash, network, noise, seed, what its process held at the most (``peak_megabytes``),
        ``seconds`` and ``accuracy`` now, ``published_seconds`` and ``published_accuracy``, and ``same``, whether every
        metric and every value of its curves is as published to the last bit. Facts: how many runs each experiment has, how
        many were trained at a time.

    Raises:
        ValueError: naming an experiment of which a chosen run is not published.
    """
    check_workers(workers)
    again = Store(store.working / "again")
    jobs = [(experiment, config, seed) for experiment in experiments for config, seed in chosen(experiment)]
    published = {experiment.name: store.published_runs(experiment.name) for experiment in experiments}
    for experiment in experiments:
        there = published[experiment.name]
        held = records.run_keys(None if there is None else there.runs)
        missing = [(config.hash, seed) for config, seed in chosen(experiment) if (config.hash, seed) not in held]
        require(not missing, experiment.name, missing, "runs that are published")
    order = np.random.default_rng(0).permutation(len(jobs))
    left = [jobs[k] for k in order if not again.folder(jobs[k][0].name, *jobs[k][1:]).exists()]
    done = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(
        joblib.delayed(run)(experiment.name, experiment.profile, config, seed, again.folder(experiment.name, config, seed))
        for experiment, config, seed in left
    )
    for _ in tqdm(done, total=len(left), desc="training again", unit="run"):
        pass
    rows = [_compared(experiment, config, seed, published[experiment.name], again) for experiment, config, seed in jobs]
    return pd.DataFrame(rows), {"runs": {e.name: len(e.runs) for e in experiments}, "workers": workers}


def _compared(experiment: Experiment, config: Config, seed: int, published: records.Published, again: Store) -> dict:
    now = records.load_run(again.folder(experiment.name, config, seed))
    runs, curves = (only(table, {(config.hash, seed)}) for table in (published.runs, published.curves))
    (then,) = runs.to_dict("records")
    metrics = {name: value for name, value in now.record["metrics"].items() if name not in _TIMES}
    same = all(_equal(value, then[name]) for name, value in metrics.items())
    same = same and all(_equal(now.curves[name], curves[name]) for name in now.curves)
    return {
        "experiment": experiment.name, "config_hash": config.hash, "network": config.network.name, "noise": config.task.noise, "seed": seed,
        "peak_megabytes": now.record["peak_megabytes"], "seconds": now.record["wall_seconds"], "published_seconds": max(then["wall_seconds"], then["training_seconds"]),
        config.metric: metrics[config.metric], f"published_{config.metric}": then[config.metric], "same": same,
    }


def _equal(a, b) -> bool:
    return np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True)


def hours(table: pd.DataFrame, runs: dict[str, int], names: Sequence[str] | None = None) -> Interval:
    """What all ``runs`` of experiments ``names`` (all of them) would take on one core, in hours, by the ``seconds`` of ``table``."""
    names = list(runs) if names is None else names
    groups = [table[table.experiment == name].seconds.to_numpy() / 3600 for name in names]
    return stratified_total(groups, [runs[name] for name in names])

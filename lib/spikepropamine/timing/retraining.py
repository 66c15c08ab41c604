"""A part of the published runs trained again with today's code: do they end as they did, and what would all of them take?

A record tells how long its run took with the code and on the machine of its day, and a sweep is made over weeks. Of each
experiment a few runs, spread evenly over configurations and seeds, are trained from nothing, in random order, and kept
beside the published ones. Of each measurement of trained policies, a few policies walk again.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import records
from ..checks import require
from ..experiments import novel_conditions
from ..experiments.choices import check_workers
from ..experiments.config import Config, Experiment
from ..experiments.sweeps import Store, make, only
from ..records.atomic import digest
from ..records.statistics import Interval, stratified_total

EVERY = 8  # one run in so many, two of an experiment at the least
_TIMES = ("training_seconds", "steps_per_second")


def chosen(experiment: Experiment) -> list[tuple[Config, int]]:
    """One in EVERY of the runs of ``experiment``."""
    return _some(experiment.name, [(config, seed) for config in experiment.configs for seed in experiment.seeds])


def _some(name: str, of: Sequence[Any]) -> Sequence[Any]:
    # the first is given by the name, so that not every experiment's is its first
    every = max(1, min(EVERY, len(of) // 2))
    return of[int(digest(name), 16) % every :: every]


def measure(experiments: Sequence[Experiment], store: Store, workers: int = 1) -> tuple[pd.DataFrame, dict]:
    """Train what is :func:`chosen` of ``experiments`` again and compare it with what is published.

    Interrupted measurements resume.

    Args:
        experiments: published whole.
        store: whose working part keeps the new runs, apart from others.
        workers: runs at a time, in processes of this machine.

    Returns:
        A table with a row for each run, and facts. A row has experiment, config_hash, network, seed, what its process held
        at the most (``peak_megabytes``), ``seconds`` and its metric, such as ``accuracy``, now, both again as published
        (``published_seconds``, ``published_accuracy``), and ``same``, whether every metric and every value of its curves
        is as published to the last bit. The facts are how many runs each experiment has and how many were made at a time.

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
    make(left, again, workers, "cpu", "training again")
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
        "experiment": experiment.name,
        "config_hash": config.hash,
        "network": config.network.name,
        "seed": seed,
        "peak_megabytes": now.record["peak_megabytes"],
        "seconds": now.record["wall_seconds"],
        "published_seconds": max(then["wall_seconds"], then["training_seconds"]),
        config.metric: metrics[config.metric],
        f"published_{config.metric}": then[config.metric],
        "same": same,
    }


def _equal(a, b) -> bool:
    return np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True)


def measure_walks(
    name: str, how: Callable[..., list[dict]], policies: list[str], store: Store, workers: int = 1
) -> tuple[pd.DataFrame, dict]:
    """Let one in EVERY of the policies of a published measurement walk again, and compare.

    Args:
        name: what the measurement is published as.
        how: what is measured of a policy, such as :func:`spikepropamine.experiments.novel_conditions.fare`.
        policies: names of those it has.
        store: where the weights are.
        workers: policies at a time, in processes of this machine.

    Returns:
        As :func:`measure`, a row for each policy, ``experiment`` being ``name`` with the robot's, such as
        "adaptation, ant", and the metric the mean of its rows.
    """
    check_workers(workers)
    published, _ = records.load_measurements(store.published / name)
    size, conditions = novel_conditions.SIZES["paper"], tuple(dict.fromkeys(published.condition))
    # by robot, and by policy before seed, as in `chosen`
    robots = {
        f"{name}, {robot}": sorted(of, key=lambda job: job[1].hash)
        for robot, of in itertools.groupby(novel_conditions.jobs(size, policies, store), key=lambda job: job[0])
    }
    walking = [(called, *job) for called, of in robots.items() for job in _some(called, of)]
    done = novel_conditions.each_measured(
        how, [(*job, conditions) for _, *job in walking], store, size, workers, f"{name} again"
    )
    rows = []
    for (called, _, config, seed), found in zip(walking, done):
        rows_of = pd.DataFrame(found), only(published, {(config.hash, seed)})
        # what was measured first may stand first
        order = [key for key in ("condition", "strength", "way", "quarter") if key in rows_of[0]]
        now, then = (table.sort_values(order, ignore_index=True) for table in rows_of)
        metric = "return" if "return" in now else "reward"
        same = all(_equal(now[one], then[one]) for one in now.select_dtypes("number") if one != "policy_seconds")
        rows.append(
            {
                "experiment": called,
                "config_hash": config.hash,
                "network": config.network.name,
                "seed": seed,
                "seconds": now.policy_seconds[0],
                "published_seconds": then.policy_seconds.unique().sum() if "policy_seconds" in then else math.nan,
                metric: now[metric].mean(),
                f"published_{metric}": then[metric].mean(),
                "same": same,
            }
        )
    return pd.DataFrame(rows), {"runs": {called: len(of) for called, of in robots.items()}, "workers": workers}


def hours(table: pd.DataFrame, runs: dict[str, int], names: Sequence[str] | None = None) -> Interval:
    """What all ``runs`` of experiments ``names`` (all of them) would take on one core, in hours, by the ``seconds`` of ``table``."""
    names = list(runs) if names is None else names
    groups = [table[table.experiment == name].seconds.to_numpy() / 3600 for name in names]
    return stratified_total(groups, [runs[name] for name in names])

"""Stale records: those whose configuration or code has changed, and items older than their data.

Code has changed where it does something else, not where its text differs. Every published configuration was rehearsed
(:meth:`spikepropamine.experiments.config.Config.rehearse`) when it was published, and what came out lies beside its runs; here it
is rehearsed again and compared. So a changed rule marks the records that go through it, and a changed docstring, page or
faster kernel marks none. Engines such as Snakemake, DVC, pytask and joblib's Memory compare files or source text: any edit
of a file would mark every record made through it, which is days of training. Timings carry their commit, and are as old
as that. What is cheap to make again, pages and figures, is left to :mod:`spikepropamine.book.build`, which compares times
of files.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .. import records
from ..book.provenance import chapter_code
from ..experiments import gait, sweeps
from ..experiments.catalogue import EXPERIMENTS, MEASUREMENTS, Measurement
from ..experiments.config import Experiment
from ..experiments.sweeps import Store
from ..records.atomic import read_json
from ..records.origin import changes_since
from ..records.rehearsals import difference
from ..timing.catalogue import TIMINGS


class Stale(NamedTuple):
    """A configuration whose published runs are not what the code would make today."""

    experiment: str
    config_hash: str
    why: str


def stale_records(known: Mapping[str, Callable[[], Experiment]], store: Store) -> Iterator[Stale]:
    """The stale configurations of each published experiment of ``known``, by name."""
    for name, make in known.items():
        published = store.published_runs(name)
        if published is None:
            continue
        configs = {config.hash: config for config in make().configs}
        for config_hash in published.manifest["configurations"]:
            if config_hash not in configs:
                yield Stale(name, config_hash, "no configuration of today's code is this one")
            elif config_hash not in published.rehearsals:
                yield Stale(name, config_hash, "was never rehearsed: publish it again")
            else:
                change = difference(published.rehearsals[config_hash], configs[config_hash].rehearse())
                if change:
                    yield Stale(
                        name, config_hash, f"the code does something else with {configs[config_hash].label}: {change}"
                    )


def everything_stale(root: Path, store: Store) -> Iterator[str]:
    """All that is stale below ``root``, a line each."""
    for one in stale_records(EXPERIMENTS, store):
        yield f"{one.experiment} {one.config_hash}: {one.why}"
    yield from stale_measurements(store.published)
    yield from gait.stale(store)
    yield from stale_items(root)


def stale_measurements(published: Path, measurements: Mapping[str, Measurement] = MEASUREMENTS) -> Iterator[str]:
    """The published measurements whose code does something else now, a line each."""
    for name, measurement in measurements.items():
        if measurement.rehearse is not None and (published / name).exists():
            _, manifest = records.load_measurements(published / name)
            # what was rehearsed then: a condition that is new since changes nothing that was measured
            before, now = manifest["facts"].get("rehearsal", {}), measurement.rehearse()
            change = difference(before, {name: now[name] for name in before if name in now})
            if change:
                yield f"{published / name}: the code does something else: {change}"


def age_of_timings(published: Path, timings: Mapping[str, Measurement] = TIMINGS) -> Iterator[str]:
    """Where each published timing was measured, and how many changes of the timed code have come since: a line each.

    A timing is as old as its commit, and not wrong for that: this informs.
    """
    for name, timing in timings.items():
        if (published / name).exists():
            _, manifest = records.load_measurements(published / name)
            commit = manifest["git_commit"]
            changes = changes_since(commit, [f"lib/spikepropamine/{path}" for path in timing.timed])
            since = "no history here tells how many changes of the timed code came since"
            if changes is not None:
                since = f"{changes} change{'' if changes == 1 else 's'} of the timed code since"
            yield f"{name} was timed at commit {commit[:12]} on {manifest['cpu']}: {since}."


def stale_items(root: Path) -> Iterator[str]:
    """Figures, tables and measurements that are older than what they are made of, a line each.

    An item that shows one single run shows an example: that there are more runs does not age it. Nor does an experiment of
    which it shows no seed, though it has a configuration of the item's.
    """
    seeds: dict[str, list[set[int]]] = {}  # by configuration, those of each experiment
    for folder in sorted(path.parent for path in (root / "book" / "results").glob("*/runs.parquet")):
        for config_hash, cell in records.load_published(folder).runs.groupby("config_hash"):
            seeds.setdefault(config_hash, []).append(set(cell["seed"]))
    for folder in sorted(path.parent for path in (root / "book" / "results").glob("*/measurements.parquet")):
        table, _ = records.load_measurements(folder)
        if "config_hash" in table:
            gone = sorted(set(table["config_hash"]) - set(seeds))
            if gone:
                yield f"{folder}: measures runs of {gone[0]}, which are not published any more"
    for path in sorted((root / "figures").glob("*/provenance.json")):
        facts = read_json(path)
        shown, cells = set(facts["seeds"]), [cell for key in facts["records"] for cell in seeds.get(key, ())]
        there = {seed for cell in cells if cell & shown for seed in cell}
        if len(facts["records"]) * len(shown) != 1 and there - shown:
            yield f"{path.parent}: does not show seeds {', '.join(map(str, sorted(there - shown)))}, published since"
        if facts["chapter_code"] != chapter_code(root / "book" / f"{facts['chapter']}.ipynb"):
            yield f"{path.parent}: the code of book/{facts['chapter']}.ipynb has changed since"


def remake(
    stale: Collection[Stale], known: Mapping[str, Callable[[], Experiment]], store: Store, workers: int | str
) -> None:
    """Make the runs of ``stale`` again, and those alone, and publish them in place of the old ones.

    Where a configuration is none of today's, those of today that are not published are made in its place.
    """
    for name in dict.fromkeys(one.experiment for one in stale):
        replaced = {one.config_hash for one in stale if one.experiment == name}
        experiment, published = known[name](), store.published_runs(name)
        today = {config.hash for config in experiment.configs}
        wanted = replaced & today
        if replaced - today:
            wanted |= today - set(published.manifest["configurations"])
        again = Experiment(
            name,
            experiment.profile,
            tuple(c for c in experiment.configs if c.hash in wanted),
            tuple(published.manifest["seeds"]),
            experiment.weights_of,
        )
        fresh = Store(store.working)
        for config, seed in again.runs:
            shutil.rmtree(fresh.folder(name, config, seed), ignore_errors=True)
        sweeps.sweep(again, fresh, workers)
        sweeps.publish(experiment, store, replaced)

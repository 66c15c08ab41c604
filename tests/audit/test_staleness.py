"""What is stale, found on a small published store under copies of the package with one thing changed."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from spikepropamine import records
from spikepropamine.audit import staleness
from spikepropamine.experiments.catalogue import EXPERIMENTS, Measurement
from spikepropamine.experiments.locomotion import LocomotionConfig, policy
from spikepropamine.experiments.sweeps import Store, publish, sweep
from spikepropamine.experiments.temporal import temporal
from spikepropamine.records.atomic import read_json, write_json
from spikepropamine.training.ppo import PPO
from spikepropamine.walking.robots import Locomotion

SMALL = """
from pathlib import Path
from spikepropamine.audit import staleness
from spikepropamine.experiments.catalogue import EXPERIMENTS, Measurement
from spikepropamine.experiments.temporal import temporal
from spikepropamine.experiments.sweeps import Store
known = {"recall-smoke": lambda: temporal("recall", "smoke", seeds=1, noises=["low"])}
for one in staleness.stale_records(known, Store(Path(".runs"), Path("published"))):
    print(one.config_hash, one.why)
"""
EXPERIMENT = temporal("recall", "smoke", seeds=1, noises=["low"])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with one small experiment published in it."""
    place = tmp_path_factory.mktemp("place")
    store = Store(place / ".runs", place / "published")
    sweep(EXPERIMENT, store)
    publish(EXPERIMENT, store)
    return place


def stale(place, repository, tmp_path, file, old, new):
    """The names of the networks whose records are stale once ``old`` in the package's ``file`` is ``new``."""
    shutil.copytree(
        repository / "lib" / "spikepropamine", tmp_path / "spikepropamine", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = tmp_path / "spikepropamine" / file
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SMALL],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    names = {config.hash: config.network.name for config in EXPERIMENT.configs}
    return {names[line.split()[0]] for line in done.stdout.splitlines()}


@pytest.mark.slow  # the copy is compiled anew
def test_a_changed_rule_marks_the_records_that_go_through_it_and_no_other(place, repository, tmp_path):
    assert stale(
        place,
        repository,
        tmp_path,
        "snn/plasticity.py",
        "return x_post * (x_post - theta),",
        "return 2 * x_post * (x_post - theta),",
    ) == {"dp-bcm", "ndp-bcm"}


@pytest.mark.slow
def test_a_changed_wording_marks_nothing(place, repository, tmp_path):
    assert (
        stale(
            place,
            repository,
            tmp_path,
            "snn/plasticity.py",
            "The BCM threshold one tick later",
            "Where the threshold of BCM goes",
        )
        == set()
    )


def test_a_record_never_rehearsed_or_of_no_configuration_is_named(place):
    store = Store(place / ".runs", place / "published")
    other = {"recall-smoke": lambda: temporal("recall", "smoke", seeds=1, networks=["snn"], noises=["low"])}
    found = list(staleness.stale_records(other, store))
    assert len(found) == 4 and all("no configuration of today's code" in one.why for one in found)


def test_what_is_stale_is_made_again_and_nothing_else(place, tmp_path):
    shutil.copytree(place, tmp_path / "place")
    store = Store(tmp_path / "place" / ".runs", tmp_path / "place" / "published")
    before = store.published_runs("recall-smoke")
    changed, kept = EXPERIMENT.configs[0].hash, EXPERIMENT.configs[1].hash
    manifest = read_json(store.published / "recall-smoke" / "manifest.json")
    manifest["rehearsals"][changed]["loss"] += 1
    write_json(store.published / "recall-smoke" / "manifest.json", manifest)
    known = {"recall-smoke": lambda: EXPERIMENT}
    found = list(staleness.stale_records(known, store))
    assert [one.config_hash for one in found] == [changed] and "loss was" in found[0].why
    staleness.remake(found, known, store, workers=1)
    after = store.published_runs("recall-smoke")
    assert list(staleness.stale_records(known, store)) == []

    def row(published, key):
        return published.runs[published.runs.config_hash == key].reset_index(drop=True)

    assert row(after, kept).equals(row(before, kept))
    assert row(after, changed).wall_seconds[0] != row(before, changed).wall_seconds[0]
    assert row(after, changed).accuracy[0] == row(before, changed).accuracy[0]
    assert len(after.runs) == len(before.runs) and set(after.manifest["files"]) == set(before.manifest["files"])


def test_a_walking_configuration_is_rehearsed_too():
    config = LocomotionConfig(Locomotion("HalfCheetah-v5"), policy("ndp-oja", 0.04), PPO(steps=512))
    first, again = config.rehearse(), config.rehearse()
    assert first == again and first["gradient.policy.network.synapses.rule.raw_eta"] > 0
    assert staleness.difference(first, again | {"value_loss": first["value_loss"] + 1}).startswith("value_loss was")


def test_an_item_ages_with_its_data_and_its_chapter(repository, tmp_path):
    for name in ("_toc.yml", "figures", "book"):
        (shutil.copytree if (repository / name).is_dir() else shutil.copy)(repository / name, tmp_path / name)
    assert list(staleness.stale_items(tmp_path)) == []
    path = tmp_path / "book" / "cue_association.ipynb"
    notebook = nbformat.read(path, 4)
    next(cell for cell in notebook.cells if cell.cell_type == "markdown").source += "\n\nAnother word."
    nbformat.write(notebook, path)
    assert list(staleness.stale_items(tmp_path)) == []
    notebook.cells[-1].source += "\n1 + 1"
    nbformat.write(notebook, path)
    facts = tmp_path / "figures" / "tab-claims" / "provenance.json"
    content = read_json(facts) | {"seeds": [0, 1]}
    write_json(facts, content)
    found = list(staleness.stale_items(tmp_path))
    assert any("tab-claims: does not show seeds 2, 3" in line for line in found)
    assert any("tab-cue-association: the code of book/cue_association.ipynb has changed" in line for line in found)
    assert all("cue-association" in line or "tab-claims" in line for line in found)


@pytest.mark.slow
def test_the_published_records_are_not_stale(repository):
    """One configuration of each published experiment, by rehearsing it."""
    for name, make in EXPERIMENTS.items():
        folder = repository / "book" / "results" / name
        if folder.exists():
            published = records.load_published(folder)
            config = [config for config in make().configs if config.hash in published.rehearsals][-1]
            assert staleness.difference(published.rehearsals[config.hash], config.rehearse()) == ""


def test_the_published_measurements_are_not_stale_and_one_that_is_is_named(repository, tmp_path):
    published = repository / "book" / "results"
    assert list(staleness.stale_measurements(published)) == []
    shutil.copytree(published / "controls", tmp_path / "controls")
    manifest = read_json(tmp_path / "controls" / "manifest.json")
    manifest["facts"]["rehearsal"]["dp-oja, intact"] *= 1.1
    write_json(tmp_path / "controls" / "manifest.json", manifest)
    (line,) = staleness.stale_measurements(tmp_path)
    assert "controls: the code does something else: dp-oja, intact was" in line


def test_a_timing_says_where_it_was_made_and_how_much_has_changed_since(repository, tmp_path):
    published = repository / "book" / "results"
    lines = list(staleness.age_of_timings(published))
    assert len(lines) >= 4 and all(re.search(r"at commit [0-9a-f]{12} on .+: .+ since", line) for line in lines)
    shutil.copytree(published / "performance", tmp_path / "performance")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, encoding="utf-8"
    ).stdout.strip()
    of = {"performance": Measurement(None, timed=("snn",))}
    for commit, told in (
        (head, ": 0 changes of the timed code since."),
        ("0" * 40, ": no history here tells how many changes of the timed code came since."),
    ):
        manifest = read_json(tmp_path / "performance" / "manifest.json") | {"git_commit": commit}
        write_json(tmp_path / "performance" / "manifest.json", manifest)
        (line,) = staleness.age_of_timings(tmp_path, of)
        assert line.endswith(told) or not head

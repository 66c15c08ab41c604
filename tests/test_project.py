"""The project as a whole: pins agree, notebooks are clean and run, published items are what they say."""

import json
import os
import re
import shutil
import tomllib

import nbformat
import pandas as pd
import papermill
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from spikepropamine import records
from spikepropamine.audit.remaking import ALL_MEASUREMENTS
from spikepropamine.book.chapters import find_root, open_chapter
from spikepropamine.experiments.catalogue import EXPERIMENTS, PUBLISHED_TASKS

CHAPTERS = sorted(p.name for p in find_root().joinpath("book").glob("*.ipynb"))
RESULTS = find_root() / "book" / "results"


def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement):
    return re.sub("[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_the_environment_and_the_lock_pin_what_the_project_asks_for(repository):
    extras = project(repository)["optional-dependencies"]
    direct = [*project(repository)["dependencies"], *extras["walk"], *extras["book"]]
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    pinned = {name_of(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE)}
    (torch,) = re.findall(r"TORCH := torch==([\d.]+)", (repository / "Makefile").read_text(encoding="utf-8"))
    pinned |= {"torch": torch, "spikepropamine": ""}
    every = [*direct, *extras["test"], *extras["cluster"]]
    assert [one for one in every if name_of(one) not in pinned] == []
    for one in map(Requirement, every):
        assert one.name == "spikepropamine" or one.specifier.contains(pinned[name_of(one.name)]), one
    environment = yaml.safe_load((repository / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    conda = dict(one.split("==") for one in pip if not one.startswith("-"))
    assert {name_of(name): version for name, version in conda.items()} == {
        name_of(one): pinned[name_of(one)] for one in direct if not one.startswith("spikepropamine")
    }
    entries = re.split(r"\n(?=[\w.-]+==)", lock)[1:]
    assert len(entries) > 100 and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_the_lock_answers_for_each_python_and_system(repository, version, system):
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    surroundings = {"python_version": version, "python_full_version": f"{version}.1", "sys_platform": system}
    there = {
        name_of(name)
        for name, marker in re.findall(r"^([\w.-]+)==[\w.]+(?: ; ([^\\\n]+))?", lock, re.MULTILINE)
        if not marker or Marker(marker.strip()).evaluate(surroundings)
    }
    assert ("colorama" in there) == (system == "win32") and ("appnope" in there) == (system == "darwin")
    assert {"numpy", "numba", "papermill", "mujoco", "setuptools"} <= there


def test_the_version_is_said_once_and_cited_alike(repository):
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project(repository)["version"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebooks_are_committed_without_outputs_and_take_the_same_parameters(repository, chapter):
    notebook = nbformat.read(repository / "book" / chapter, 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    parameters = papermill.inspect_notebook(str(repository / "book" / chapter))
    # what trains takes a question of the reader's own too
    assert set(parameters) - {"change"} == {"profile", "recompute", "seeds", "networks", "workers", "device"}


@pytest.fixture
def workshop(repository, tmp_path):
    """A folder like the repository, with room to write."""
    for name in ("_toc.yml", "CITATION.cff", "book"):
        os.symlink(repository / name, tmp_path / name)
    return tmp_path


def run(workshop, chapter, **parameters):
    return papermill.execute_notebook(
        str(workshop / "book" / chapter),
        str(workshop / "out.ipynb"),
        parameters=parameters,
        cwd=str(workshop),
        progress_bar=False,
        log_output=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_notebook_runs_under_smoke_and_writes_beside_the_published(workshop, chapter):
    run(workshop, chapter, profile="smoke", recompute="true")
    assert not (workshop / "figures").exists()
    made = [p.name for p in workshop.glob("_build/rerun/*/*")]
    notebook = nbformat.read(workshop / "book" / chapter, 4)
    promised = {name for cell in notebook.cells for name in re.findall(r'"((?:fig|tab)-[a-z-]+)", ', cell.source)}
    # of searches and measurements that a small profile does not make, of tests between seeds, of episodes longer than its
    # training
    at_paper_alone = """tab-cue-association-search fig-cue-association-probe fig-cue-association-round-two
        fig-controls-swap fig-controls-bound fig-locomotion-learning fig-locomotion-plasticity
        tab-locomotion-tests
        fig-locomotion-weight-sensitivity fig-locomotion-learning-round-two fig-locomotion-round-two
        fig-novel-conditions-round-two tab-novel-conditions-round-two tab-novel-conditions-by-condition
        fig-adaptation-variants fig-adaptation-limbs fig-adaptation-reward fig-adaptation-reward-learning
        fig-adaptation-reward-lesions tab-adaptation-lesions tab-adaptation-rates fig-performance-growth""".split()
    assert promised <= {*made, *at_paper_alone}


def test_a_chapter_runs_with_a_reader_s_own_choice(workshop):
    run(workshop, "cue_association.ipynb", profile="smoke", recompute=True, seeds=1, networks="snn")
    (table,) = workshop.glob("_build/rerun/*/tab-cue-association/data.csv")
    data = pd.read_csv(table)
    assert set(data.network) == {"snn"} and set(data.noise) == {"low", "high"} and set(data.seed) == {0}


@pytest.mark.slow
def test_the_published_quick_runs_are_shown_without_training(workshop):
    run(workshop, "cue_association.ipynb", profile="quick")
    (table,) = workshop.glob("_build/rerun/*/tab-cue-association/data.csv")
    assert len(pd.read_csv(table)) == len(EXPERIMENTS["cue-association-quick"]().runs)
    assert not (workshop / ".runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_runs_where_nothing_is_published_and_says_what_it_lacks(repository, tmp_path, chapter):
    shutil.copytree(repository / "book", tmp_path / "book", ignore=shutil.ignore_patterns("results"))
    (tmp_path / "book" / "results").mkdir()
    for name in ("_toc.yml", "CITATION.cff"):
        shutil.copy(repository / name, tmp_path)
    ran = run(tmp_path, chapter)
    shown = [
        output.get("data", {}).get("text/markdown", "")
        for cell in ran.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    needs_none = {"plasticity_rules.ipynb", "how_this_book_is_made.ipynb", "reproduced_figures.ipynb"}
    assert any("ot yet run" in told for told in shown) == (chapter not in needs_none)


POLICIES = "'snn', 'dp-oja', 'dp-bcm', 'ndp-oja', 'ndp-bcm', 'mlp'"
UNPUBLISHED = "recompute = False: must be True where nothing is published, as for"


@pytest.mark.parametrize(
    "chapter, parameters, named",
    [
        pytest.param("cue_association", dict(profile="fast"), "profile = 'fast'", marks=pytest.mark.slow),
        pytest.param("cue_association", dict(seeds=0), "seeds = 0", marks=pytest.mark.slow),
        pytest.param("cue_association", dict(networks="rnn"), "networks = 'rnn'", marks=pytest.mark.slow),
        ("cue_association", dict(profile="smoke"), f"{UNPUBLISHED} cue-association-smoke"),
        ("locomotion", dict(networks="gru"), f"networks = 'gru': must be one of {POLICIES}"),
        pytest.param("locomotion", dict(profile="smoke"), f"{UNPUBLISHED} half-cheetah-smoke", marks=pytest.mark.slow),
    ],
)
def test_a_bad_parameter_stops_a_chapter_before_it_trains(workshop, chapter, parameters, named):
    with pytest.raises(papermill.PapermillExecutionError, match=re.escape(named)):
        run(workshop, f"{chapter}.ipynb", **parameters)
    assert not (workshop / ".runs").exists()


def test_a_choice_of_networks_leaves_baselines_among_the_measurements(workshop, monkeypatch):
    monkeypatch.chdir(workshop)
    chapter = open_chapter("performance", profile="paper", recompute=False, networks="snn,dp-oja")
    table, *_ = chapter.measurements(None, "walking-speed")
    assert set(table.network) == {"MuJoCo alone", "snn", "dp-oja", "mlp"}


def test_published_records_are_whole(repository):
    folders = {p.name: p for p in (repository / "book" / "results").iterdir()}
    for name, measurement in ALL_MEASUREMENTS.items():
        if measurement.needs and not any((RESULTS / need).exists() for need in measurement.needs):
            assert name not in folders  # what it is measured of is not run yet
            continue
        table, manifest = records.load_measurements(folders.pop(name))
        assert re.fullmatch("[0-9a-f]{40}", manifest["git_commit"]) and not table.empty
    assert {name for task in PUBLISHED_TASKS for name in (task, f"{task}-search")} <= set(folders) <= set(EXPERIMENTS)
    for folder in folders.values():
        published = records.load_published(folder)
        assert all(records.config_hash(c) == h for h, c in published.manifest["configurations"].items())
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in published.manifest["git_commits"])


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if (RESULTS / name).exists()])
def test_what_is_published_is_what_the_code_names(name):
    published = records.load_published(RESULTS / name)
    held = records.run_keys(published.runs)
    wanted = {(config.hash, seed) for config, seed in EXPERIMENTS[name]().runs}
    assert (
        held <= wanted
        and len(held) == published.manifest["runs"]
        and len(wanted) == published.manifest["expected_runs"]
    )


def test_no_chapter_shows_a_warning_or_an_empty_box(repository):
    chapters = sorted((repository / "_build" / "stage" / "book").glob("*.ipynb"))
    if not chapters:
        pytest.skip("the book is not built here")
    for path in chapters:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "stream", (path.name, output.text)
                assert output.get("data", {}).get("text/markdown", "something").strip(), (path.name, cell.source)


@pytest.mark.parametrize(
    "item, tasks", [("tab-cue-association", ["cue-association"]), ("tab-temporal-tasks", list(PUBLISHED_TASKS))]
)
def test_figures_are_made_of_the_published_records(repository, item, tasks):
    runs = pd.concat(
        [records.load_published(repository / "book" / "results" / task).runs.assign(task=task) for task in tasks]
    )
    runs = runs.rename(columns={"network.name": "network", "task.noise": "noise"})
    shown = pd.read_csv(repository / "figures" / item / "data.csv")
    key = [name for name in ("task", "network", "noise", "seed") if name in shown]
    columns = [*key, "accuracy"]
    merged = shown.merge(runs[columns], on=key, suffixes=("", "_record"))
    assert len(merged) == len(runs) == len(shown)
    assert (merged.accuracy - merged.accuracy_record).abs().max() < 1e-6
    facts = json.loads((repository / "figures" / item / "provenance.json").read_text(encoding="utf-8"))
    assert set(facts["records"]) == set(runs.config_hash)

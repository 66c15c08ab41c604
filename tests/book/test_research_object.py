"""The description of all that is published, its checksums, and the citation file, by the tools of their own formats."""

import io
import json
import shutil
import subprocess
import sys
from importlib.resources import files

import pytest
import requests
import urllib3
import yaml
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate

from spikepropamine.book.research_object import NAME, SUMS, seal

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


@pytest.fixture
def offline(monkeypatch):
    """The one document that the validator asks the network for, from the rocrate package, whose newer version has all its terms."""

    def send(self, request, **_):
        assert request.url.rstrip("/") == CONTEXT
        body = io.BytesIO(files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes())
        answer = requests.Response()
        answer.request, answer.url, answer.status_code = request, request.url, 200
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = urllib3.HTTPResponse(body=body, headers=answer.headers, status=200, preload_content=False)
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)


def problems(folder):
    settings = ValidationSettings(rocrate_uri=str(folder), no_cache=True, profile_identifier="process-run-crate-0.5")
    return [issue.message for issue in validate(settings).get_issues()]


@pytest.fixture
def copy(repository, tmp_path):
    """A result and an item that rests on it, sealed."""
    for name in ("book/results/cue-association", "figures/tab-cue-association"):
        shutil.copytree(repository / name, tmp_path / name)
    shutil.copy(repository / "CITATION.cff", tmp_path)
    seal(tmp_path)
    return tmp_path


def graph(root):
    return {entity["@id"]: entity for entity in json.loads((root / NAME).read_text(encoding="utf-8"))["@graph"]}


def published(root):
    return {
        path.relative_to(root).as_posix()
        for place in ("book/results", "figures")
        for path in (root / place).rglob("*")
        if path.is_file()
    }


def test_the_published_crate_is_valid_and_describes_every_file(repository, offline):
    assert problems(repository) == []
    assert published(repository) <= set(graph(repository))


def test_a_run_is_an_action_that_names_what_it_used_and_what_came_out(copy):
    entities = graph(copy)
    made, drawn = entities["#made-cue-association"], entities["#drawn-tab-cue-association"]
    assert made["result"] == {"@id": "book/results/cue-association/"} in drawn["object"]
    assert drawn["result"] == {"@id": "figures/tab-cue-association/"} and drawn["name"].startswith("papermill book/")
    assert made["instrument"]["@id"] in entities and "commit" in made["description"]


def test_a_crate_is_not_valid_when_a_file_is_gone_or_an_action_has_no_instrument(copy, offline):
    assert problems(copy) == []
    whole = (copy / NAME).read_text(encoding="utf-8")
    (copy / NAME).write_text(whole.replace('"instrument"', '"instruments"'), encoding="utf-8")
    assert any("instrument" in message for message in problems(copy))
    (copy / NAME).write_text(whole, encoding="utf-8")
    (copy / "figures" / "tab-cue-association" / "table.tex").unlink()
    assert problems(copy) != []


def check_sums(root):
    return subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", SUMS],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_a_stranger_verifies_everything_published_without_this_package(repository, copy):
    done = check_sums(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    named = {line.split("  ", 1)[1] for line in (repository / SUMS).read_text(encoding="utf-8").splitlines()}
    assert named == published(repository) | {NAME}
    assert check_sums(copy).returncode == 0
    path = copy / "book" / "results" / "cue-association" / "runs.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = check_sums(copy)
    assert done.returncode == 1 and "runs.parquet: FAILED" in done.stdout


def test_the_archive_is_told_what_the_citation_file_says(repository):
    """Zenodo and codemeta by their own files, since Zenodo takes no CITATION.cff of two licences and knows no references."""
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    zenodo = json.loads((repository / ".zenodo.json").read_text(encoding="utf-8"))
    codemeta = json.loads((repository / "codemeta.json").read_text(encoding="utf-8"))
    assert citation["title"] == zenodo["title"] == codemeta["name"]
    assert citation["version"] == zenodo["version"] == codemeta["version"]
    assert citation["date-released"] == zenodo["publication_date"] == codemeta["datePublished"]
    names = [author["name"] for author in citation["authors"]]
    assert names == [one["name"] for one in zenodo["creators"]] == [one["name"] for one in codemeta["author"]]
    assert isinstance(citation["license"], str) and zenodo["license"] == citation["license"]
    assert codemeta["license"] == f"https://spdx.org/licenses/{citation['license']}"
    (paper,) = citation["references"]
    assert zenodo["related_identifiers"][0]["identifier"] == paper["doi"]
    assert codemeta["referencePublication"]["@id"] == f"https://doi.org/{paper['doi']}"


def test_the_citation_file_is_valid(repository, tmp_path):
    def check(path):
        return subprocess.run(
            [sys.executable, "-c", "from cffconvert.cli.cli import cli; cli()", "--validate", "-i", str(path)],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    assert check(repository / "CITATION.cff").returncode == 0
    (tmp_path / "CITATION.cff").write_text(
        (repository / "CITATION.cff").read_text(encoding="utf-8").replace("cff-version: 1.2.0", "cff-version: one"),
        encoding="utf-8",
    )
    assert check(tmp_path / "CITATION.cff").returncode != 0

"""The description of ``figures/`` and the citation file, by the validators of their own formats."""

import io
import json
import shutil
import subprocess
import sys
from importlib.resources import files

import pytest
import requests
import urllib3
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate

from spikepropamine.book.research_object import NAME, write_crate

CONTEXT = "https://w3id.org/ro/crate/1.3/context"


@pytest.fixture
def offline(monkeypatch):
    """The one document that the validator asks the network for, from the rocrate package; nothing else."""

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
    found = validate(ValidationSettings(rocrate_uri=str(folder), no_cache=True, profile_identifier="ro-crate-1.3"))
    return [issue.message for issue in found.get_issues()]


def test_the_published_crate_is_valid_and_describes_every_file(repository, offline):
    figures = repository / "figures"
    assert problems(figures) == []
    described = {entity["@id"] for entity in json.loads((figures / NAME).read_text())["@graph"]}
    there = {str(path.relative_to(figures)) for path in figures.glob("*/*")} | {
        f"{path.name}/" for path in figures.iterdir() if path.is_dir()
    }
    assert there <= described


def test_a_crate_that_names_a_file_that_is_gone_is_not_valid(repository, tmp_path, offline):
    shutil.copytree(repository / "figures" / "tab-claims", tmp_path / "tab-claims")
    write_crate(tmp_path, "2026-11-25")
    assert problems(tmp_path) == []
    (tmp_path / "tab-claims" / "table.tex").unlink()
    assert problems(tmp_path) != []


def test_the_citation_file_is_valid(repository, tmp_path):
    def check(path):
        return subprocess.run(
            [sys.executable, "-c", "from cffconvert.cli.cli import cli; cli()", "--validate", "-i", str(path)],
            capture_output=True,
            text=True,
        )

    assert check(repository / "CITATION.cff").returncode == 0
    (tmp_path / "CITATION.cff").write_text(
        (repository / "CITATION.cff").read_text().replace("cff-version: 1.2.0", "cff-version: one")
    )
    assert check(tmp_path / "CITATION.cff").returncode != 0

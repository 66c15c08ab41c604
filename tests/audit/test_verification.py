import json
import shutil

import pandas as pd
import pytest

from spikepropamine.__main__ import main
from spikepropamine.audit.verification import verify
from spikepropamine.book.research_object import NAME, SUMS, seal


def test_all_that_is_published_is_as_it_was_made(repository):
    checked, problems = verify(repository)
    assert problems == [] and checked == sum(
        path.is_dir() for place in ("book/results", "figures") for path in (repository / place).iterdir()
    )


@pytest.fixture
def copy(repository, tmp_path):
    """A result and an item that rests on it."""
    for name in ("book/results/cue-association", "figures/tab-cue-association"):
        shutil.copytree(repository / name, tmp_path / name)
    shutil.copy(repository / "CITATION.cff", tmp_path)
    (tmp_path / "_toc.yml").touch()
    seal(tmp_path)
    assert verify(tmp_path) == (2, [])
    return tmp_path


@pytest.mark.parametrize("place", ["book/results/cue-association", "figures/tab-cue-association"])
def test_a_change_of_any_one_byte_is_found_and_named(copy, place):
    for path in sorted((copy / place).iterdir()):
        before = path.read_bytes()
        for at in (0, len(before) // 2, len(before) - 1):
            path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
            _, problems = verify(copy)
            assert any(path.name in problem for problem in problems), (path, at)
        path.write_bytes(before)
    assert verify(copy) == (2, [])


def test_what_is_missing_or_was_added_is_found_and_named(copy):
    (copy / "figures" / "tab-cue-association" / "data.csv").rename(copy / "figures" / "tab-cue-association" / "old.csv")
    assert "data.csv: missing" in verify(copy)[1][0]
    shutil.rmtree(copy / "figures" / "tab-cue-association")
    (copy / "book" / "results" / "cue-association" / "note.txt").write_text("", encoding="utf-8")
    assert "note.txt: nothing accounts for it" in verify(copy)[1][0]


@pytest.mark.parametrize("name", [NAME, SUMS])
def test_what_describes_all_of_it_is_held_to_it(copy, name):
    path = copy / name
    before = path.read_bytes()
    wrong = f"{path}: not what is published gives; `make figures` writes it"
    for changed in (before.replace(b"c", b"C", 1), before + b"\n", b"", before[:-40], b"\xff" + before[1:]):
        path.write_bytes(changed)
        assert verify(copy) == (2, [wrong])
    path.unlink()
    (copy / "book" / "results" / "note.txt").write_text("", encoding="utf-8")
    assert f"{copy / 'book' / 'results' / 'note.txt'}: nothing accounts for it" in verify(copy)[1]
    assert any(problem.startswith(str(path)) or name == SUMS for problem in verify(copy)[1])


def test_an_item_without_its_records_is_found(copy):
    shutil.rmtree(copy / "book" / "results" / "cue-association")
    assert "which is not published" in verify(copy)[1][0]


def test_the_command_says_what_is_wrong_and_fails(copy, monkeypatch, capsys):
    monkeypatch.chdir(copy)
    assert main(["verify"]) == 0 and "2 folders" in capsys.readouterr().out
    data = copy / "figures" / "tab-cue-association" / "data.csv"
    data.write_text(data.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert main(["verify"]) == 1 and "data.csv: its bytes do not match its checksum" in capsys.readouterr().err


def test_figures_are_those_that_the_chapters_make_of_the_records(repository):
    stage = repository / "_build" / "stage" / "figures"
    if not stage.exists():
        pytest.skip("the book is not built here")
    made = {path.name for path in stage.iterdir() if path.is_dir()}
    assert made == {path.name for path in (repository / "figures").iterdir() if path.is_dir()}
    for name in made:
        pd.testing.assert_frame_equal(
            pd.read_csv(stage / name / "data.csv"), pd.read_csv(repository / "figures" / name / "data.csv"), rtol=1e-4
        )
        facts = [
            json.loads((place / name / "provenance.json").read_text(encoding="utf-8"))
            for place in (stage, repository / "figures")
        ]
        assert facts[0]["caption"] == facts[1]["caption"] and facts[0]["records"] == facts[1]["records"]

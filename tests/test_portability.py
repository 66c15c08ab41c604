"""What stands in for other systems: text has one encoding everywhere, and what another system does otherwise is met."""

import ast
import os
import sys
import types
from pathlib import Path

import nbformat
import psutil
import pytest

from spikepropamine.records import atomic, origin

ROOT = Path(__file__).parent.parent


def sources():
    """The code of the package, its tests and the notebooks, by where it stands."""
    for folder in ("lib", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, 4).cells):
            if cell.cell_type == "code":
                yield f"book/{path.name}, cell {number}", cell.source


def bare(code):
    """The lines of calls that read or write text in the encoding that the system happens to have."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        words = [arg.value for arg in [*node.args, *given.values()] if isinstance(arg, ast.Constant)]
        is_text = not any(isinstance(word, str) and "b" in word and set(word) <= set("rwxab+") for word in words)
        is_method = isinstance(node.func, ast.Attribute)  # not our own function write_text, which names it
        texts = is_method and name in ("read_text", "write_text") or not is_method and name == "open" and is_text
        processes = is_method and name in ("run", "Popen", "check_output") and "text" in given
        if (texts or processes) and "encoding" not in given and None not in given:
            yield node.lineno


def test_every_reading_and_writing_of_text_names_its_encoding():
    found = [f"{where}:{line}" for where, code in sources() for line in bare(code)]
    assert found == []


@pytest.mark.parametrize(
    "code, is_bare",
    [
        ("path.read_text()", True),
        ("path.write_text('x')", True),
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("path.read_text(encoding='utf-8')", False),
        ("write_text(path, 'x')", False),
        ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, text=True, encoding='utf-8')", False),
    ],
)
def test_a_bare_call_is_found(code, is_bare):
    assert list(bare(code)) == ([1] if is_bare else [])


def test_what_is_written_has_the_same_bytes_on_a_system_with_other_line_ends_and_locale(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "linesep", "\r\n")
    atomic.write_json(tmp_path / "record.json", {"η": "α at 0"})
    written = (tmp_path / "record.json").read_bytes()
    assert b"\r" not in written and atomic.read_json(tmp_path / "record.json") == {"η": "α at 0"}


def test_a_system_that_opens_no_folders_still_keeps_a_whole_folder(tmp_path, monkeypatch):
    open_file = os.open

    def like_windows(path, flags, *rest, **named):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        assert flags & os.O_RDWR, "Windows refuses to flush what was opened for reading"
        return open_file(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", like_windows)
    with atomic.whole_folder(tmp_path / "run") as draft:
        (draft / "part").mkdir()
        (draft / "part" / "file").write_bytes(b"1")
    assert (tmp_path / "run" / "part" / "file").read_bytes() == b"1"
    with atomic.whole_file(tmp_path / "one") as draft:
        draft.write_bytes(b"2")
    assert (tmp_path / "one").read_bytes() == b"2"


@pytest.mark.parametrize("system, megabytes", [("linux", 2048.0), ("darwin", 2.0)])
def test_peak_memory_is_told_in_the_units_of_the_system(monkeypatch, system, megabytes):
    told = types.SimpleNamespace(ru_maxrss=2 * 2**20)
    monkeypatch.setitem(sys.modules, "resource", types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: told))
    monkeypatch.setattr(sys, "platform", system)
    assert origin.peak_megabytes() == megabytes


def test_peak_memory_is_told_where_there_is_no_module_resource(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    process = types.SimpleNamespace(memory_info=lambda: types.SimpleNamespace(peak_wset=3 * 2**20))
    monkeypatch.setattr(psutil, "Process", lambda: process)
    assert origin.peak_megabytes() == 3.0

"""Whether ``make`` sets up ``.venv``, and with which Python: by what it says it would do."""

import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def clone(repository, tmp_path):
    """A clone whose environment is as ``make`` left it, told by its mark alone."""
    for name in ("pyproject.toml", "requirements.lock", "Makefile"):
        shutil.copy(repository / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    version = sys.version.split()[0]
    mark = f"{tmp_path} {sys._base_executable} {version}\n"
    (tmp_path / ".venv" / "ready").write_text(mark, encoding="utf-8")
    return tmp_path


def make(folder, *words, python=None):
    asked = ["make", "-C", str(folder), ".venv/ready", f"PYTHON={python or sys._base_executable}", *words]
    return subprocess.run(asked, capture_output=True, text=True, encoding="utf-8")


def test_an_environment_that_is_ready_stays(clone):
    assert "--clear" not in make(clone, "-n").stdout and "up to date" in make(clone, "-n").stdout


def test_an_environment_of_a_clone_that_was_moved_or_copied_is_set_up_again(clone, tmp_path_factory):
    moved = tmp_path_factory.mktemp("else where") / "clone"
    shutil.copytree(clone, moved)
    done = make(moved, "-n")
    assert done.returncode == 0 and "-m venv --clear" in done.stdout and "requirements.lock" in done.stdout


def test_an_environment_of_another_python_is_set_up_again(clone):
    mark = clone / ".venv" / "ready"
    other = mark.read_text(encoding="utf-8").replace(sys.version.split()[0], "3.99.0")
    mark.write_text(other, encoding="utf-8")
    assert "-m venv --clear" in make(clone, "-n").stdout


def test_a_python_that_cannot_serve_is_named_and_nothing_is_made(clone):
    before = (clone / ".venv" / "ready").read_bytes()
    done = make(clone, python="nowhere")
    assert done.returncode != 0 and 'PYTHON="nowhere" is none' in done.stderr + done.stdout
    assert (clone / ".venv" / "ready").read_bytes() == before
    assert [path.name for path in (clone / ".venv").iterdir()] == ["ready"]

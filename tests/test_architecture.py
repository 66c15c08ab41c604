"""The package's rooms: who may import whom, and what the small library needs."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

SMALL = {"torch", "snntorch", "numba", "numpy"}
# numba's own compiler, and what a CUDA build of torch brings along
BROUGHT = {"llvmlite", "triton"}


def lint(root):
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_imports_go_down_the_staircase(repository):
    done = lint(repository)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file, line, broken",
    [
        ("tasks/upward.py", "from ..experiments import choices", "tasks is not allowed to import"),
        ("snn/storing.py", "import pandas", "is not allowed to import pandas"),
    ],
)
def test_an_import_up_the_staircase_is_refused(repository, tmp_path, file, line, broken, monkeypatch):
    package = tmp_path / "lib" / "spikepropamine"
    for source in (repository / "lib" / "spikepropamine").rglob("*.py"):
        copy = package / source.relative_to(repository / "lib" / "spikepropamine")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    (package / file).write_text(line + "\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((repository / "pyproject.toml").read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    done = lint(tmp_path)
    assert done.returncode == 1 and broken in " ".join(done.stdout.split())


def test_the_small_library_imports_nothing_beside_its_four_packages():
    graph = grimp.build_graph("spikepropamine", include_external_packages=True, cache_dir=None)
    small = {
        module
        for module in graph.modules
        if f"{module}.".startswith(("spikepropamine.snn.", "spikepropamine.checks.", "spikepropamine.fields."))
    }
    imported = {found for module in small for found in graph.find_modules_directly_imported_by(module)}
    outside = {name.partition(".")[0] for name in imported - small} - set(sys.stdlib_module_names)
    assert SMALL <= outside <= SMALL | BROUGHT


def test_importing_the_package_loads_the_small_library_alone():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, spikepropamine as s; print(*sorted(m for m in sys.modules if m.startswith(s.__name__ + '.')))",
        ],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout.split()
    short = {"spikepropamine." + name for name in ("layers", "networks", "plasticity", "scan")}
    assert {name.split(".")[1] for name in loaded if name not in short} == {"snn", "checks", "fields"}

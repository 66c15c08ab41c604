"""Where a result was made: versions, commit, processor, and how much memory it took."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..checks import require

PACKAGES = ("torch", "snntorch", "numpy", "numba", "scipy", "pandas", "gymnasium", "mujoco", "spikepropamine")
ROOT = Path(__file__).resolve().parents[3]  # of the repository, where the package is not installed apart from it
COMMIT = "SPIKEPROPAMINE_COMMIT"  # tells the commit where git does not


def find_root(start: Path | None = None) -> Path:
    """The nearest folder, from ``start`` (here) up, that holds ``_toc.yml`` and ``book/results``."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "book" / "results").is_dir():
            return folder
    raise FileNotFoundError(
        f"{start}: must be the repository or a folder in it: nothing from here up holds _toc.yml and book/results"
    )


def provenance() -> dict[str, Any]:
    """Versions, commit and processor."""
    return {"versions": _versions(), "git_commit": git_commit(), "cpu": cpu()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    """The version of an installed package; what a run does not need may be missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def git_commit(root: Path = ROOT) -> str:
    """The commit of this code, "+changes" at its end where the package differs from it.

    From git, if the repository is that of ``root`` and not one around it; else the one that the environment variable
    COMMIT names; else from ``.commit``, which ``git archive`` fills in; else "unknown".

    Raises:
        ValueError: a COMMIT that is not 40 hexadecimal digits.
    """
    told = os.environ.get(COMMIT)
    require(told is None or re.fullmatch("[0-9a-f]{40}", told) is not None, COMMIT, told, "40 hexadecimal digits")
    if is_repository(root):
        changed = _git(root, "status", "--porcelain", "--", "lib")
        return _git(root, "rev-parse", "HEAD") + ("+changes" if changed else "")
    archived = root / ".commit"
    kept = archived.read_text(encoding="utf-8").strip() if archived.is_file() else ""
    return told or (kept if re.fullmatch("[0-9a-f]{40}", kept) else "unknown")


def changes_since(commit: str, paths: Iterable[str], root: Path = ROOT) -> int | None:
    """How many commits after ``commit`` changed one of ``paths``; None where the history does not tell."""
    commit = commit.removesuffix("+changes")
    if not is_repository(root) or not _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"):
        return None
    return int(_git(root, "rev-list", "--count", f"{commit}..HEAD", "--", *paths) or 0)


def is_repository(root: Path) -> bool:
    """Whether git knows ``root`` as the top of a repository with a commit."""
    top = _git(root, "rev-parse", "--show-toplevel")
    return bool(top) and Path(top).resolve() == root.resolve() and bool(_git(root, "rev-parse", "HEAD"))


def _git(root: Path, *arguments: str) -> str:
    """What git answers, empty where it fails or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, encoding="utf-8")
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
        if models:
            return models[0]
    return platform.processor() or platform.machine()


def peak_megabytes() -> float:
    """The most memory this process has held."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, kilobytes elsewhere

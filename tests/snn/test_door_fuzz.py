"""Sizes, strides, dtypes, devices and values that do not fit, at every entry to compiled code."""

import os
import subprocess
import sys
from pathlib import Path


def run(tmp_path, examples):
    """The fuzz in a process of its own, and what it tried last."""
    last, script = tmp_path / "last", Path(__file__).with_name("door_fuzz.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", script, last, str(examples)],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return child, last.read_text(encoding="utf-8") if last.exists() else "nothing"


def test_whatever_does_not_fit_is_refused_by_name_and_the_rest_is_right(tmp_path):
    child, last = run(tmp_path, 60)
    assert child.returncode == 0, f"exit status {child.returncode} at {last}\n{child.stderr[-4000:]}"
    assert "every example was answered" in child.stdout

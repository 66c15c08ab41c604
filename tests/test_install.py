"""The small library, installed from its wheel into an environment that has nothing else, trains a plastic layer there."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TEN_LINES = """
import sys
import torch
from torch import nn
import spikepropamine
from spikepropamine import build
from spikepropamine.snn.controls import build_control
from spikepropamine.snn.traditional import build_traditional

assert "site-packages" in spikepropamine.__file__, spikepropamine.__file__
extras = {"pandas", "scipy", "mujoco", "jupyter_book", "papermill", "yaml", "matplotlib"}
assert not extras & set(sys.modules), extras & set(sys.modules)

torch.manual_seed(0)
spikes = (torch.rand(20, 64, 10) < 0.2).float()
wanted = (spikes[:, :, :5].sum((0, 2)) > spikes[:, :, 5:].sum((0, 2))).long()
network = build("ndp-bcm", n_inputs=10, n_hidden=24, n_outputs=2, seed=0)
before = network.synapses.alpha.detach().clone()
optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
losses = []
for step in range(40):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(network(spikes).mean(0), wanted)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
assert losses[-1] < 0.7 * losses[0], losses
for name in ("rsnn", "alif", "slstm"):
    build_control(name, 10, 24, 2)(spikes).sum().backward()
for name in ("lsnn", "stp"):
    build_traditional(name, 10, 24, 2)(spikes).sum().backward()
assert (network.synapses.alpha != before).any()
print("trained", losses[0], losses[-1])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    root, place = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(Path(__file__).parent.parent / name, root)
    without = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(Path(__file__).parent.parent / "lib", root / "lib", ignore=without)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", place, root], check=True)
    (found,) = place.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "spikepropamine/py.typed" in names and any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"spikepropamine"}


def interpreters():
    """Every Python from 3.11 to 3.14 that is on this machine, by its minor version."""
    found = {sys.version_info.minor: sys.executable}
    places = [*os.environ.get("PATH", "").split(os.pathsep), *Path.home().glob(".pyenv/versions/3.*/bin")]
    for minor in range(11, 15):
        for place in places:
            python = shutil.which(f"python3.{minor}", path=str(place))
            ask = "import sys, venv, ensurepip; print(sys.version_info.minor)"
            if python and minor not in found and said([python, "-c", ask]).stdout.strip() == str(minor):
                found[minor] = python
    return dict(sorted(found.items()))


def said(words, **options):
    """What a process with none of this one's paths says."""
    alone = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(words, capture_output=True, text=True, env=alone, encoding="utf-8", **options)


@pytest.mark.slow
@pytest.mark.parametrize("minor", range(11, 15))
def test_the_small_library_alone_trains_a_plastic_layer(wheel, tmp_path, minor):
    """The environment is empty; its packages are the machine's own files, or come from the index that pip is set up for."""
    python = interpreters().get(minor)
    if python is None:
        pytest.skip(f"no Python 3.{minor} with venv and ensurepip on this machine")
    # of this Python pip finds a small build of torch; of another, one for CUDA would bring gigabytes along
    own, fetch = minor == sys.version_info.minor, "SPIKEPROPAMINE_EVERY_PYTHON" in os.environ
    if not own and not fetch and said([python, "-c", "import torch"]).returncode:
        pytest.skip(f"no torch for Python 3.{minor} on this machine; SPIKEPROPAMINE_EVERY_PYTHON=1 has pip fetch one")
    theirs = [] if own or fetch else ["--system-site-packages"]
    subprocess.run([python, "-m", "venv", *theirs, tmp_path / "empty"], check=True)
    python = tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin") / "python"
    import torch

    exact = f"torch=={torch.__version__.partition('+')[0]}"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = said([*pip, exact, wheel])
    if done.returncode and "No matching distribution" not in done.stderr and "onnection" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    listed = said([python, "-m", "pip", "list", "--format=freeze"]).stdout
    assert theirs or not {"pandas", "mujoco", "scipy"} & {line.partition("==")[0] for line in listed.splitlines()}
    done = said([python, "-c", TEN_LINES], cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("trained"), done.stderr

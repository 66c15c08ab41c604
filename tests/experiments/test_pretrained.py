import subprocess
import sys

import pytest
import torch

import spikepropamine
from spikepropamine import load_pretrained
from spikepropamine.experiments.temporal_round_two import COMPARED, SEEDS
from spikepropamine.records import load_published
from spikepropamine.tasks import TASKS
from spikepropamine.training.supervised import evaluate


@pytest.mark.parametrize("task, network", [("recall", "ndp-bcm"), ("cue-association", "alif")])
def test_a_pretrained_network_does_as_its_record_says(repository, monkeypatch, task, network):
    monkeypatch.chdir(repository / "book")
    runs = load_published(repository / "book" / "results" / (task if network != "alif" else f"{task}-controls")).runs
    said = runs[(runs["network.name"] == network) & (runs["task.noise"] == "low") & (runs.seed == 0)]
    found = evaluate(load_pretrained(task, network), TASKS[task](), 512)["accuracy"]
    assert found == pytest.approx(said.accuracy.item(), abs=0.03) and found > 0.7


def test_the_package_imports_without_it_and_names_what_it_lacks():
    code = "import sys, spikepropamine; assert 'pandas' not in sys.modules and 'spikepropamine.experiments' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import spikepropamine\n"
        "try: spikepropamine.load_pretrained\n"
        "except ImportError as error: assert 'needs pandas: pip install' in str(error), error\n"
        "else: raise AssertionError"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'load_trained'"):
        _ = spikepropamine.load_trained


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("maze", "snn"), "task = 'maze': must be one of 'cue-association', 'cue-reward', 'recall'"),
        (("recall", "gru"), "network = 'gru': must be one of 'snn', 'dp-oja'"),
        (("recall", "snn", 0, "loud"), "noise = 'loud': must be one of 'low', 'high'"),
        (("recall", "snn", -1), "seed = -1"),
        (("recall", "snn", 7), "seed = 7: must be a seed whose weights of snn on recall at low noise are published: 0"),
        (("recall", "alif", 0, "high"), "weights of alif on recall at high noise are published: none"),
        (("recall", "snn", 0, "low", "nowhere"), "results = 'nowhere': must be a folder"),
        (dict(task="recall", network="snn", round=3), "round = 3: must be one of 1, 2"),
        (dict(task="weak-cues", network="snn", round=2), "noise = 'low': must be one of 'high'"),
        (
            dict(task="weak-cues", network="alif", noise="high", round=2),
            "network = 'alif': must be one of .*'lsnn-100'",
        ),
        (dict(task="recall", network="snn", round=2), "seed = 3000: must be a seed whose weights .* published: none"),
    ],
)
def test_what_is_not_there_is_refused_by_name(repository, monkeypatch, arguments, named):
    monkeypatch.chdir(repository)
    arguments, options = ((), arguments) if isinstance(arguments, dict) else (arguments, {})
    with pytest.raises(ValueError, match=named):
        load_pretrained(*arguments, **options)


@pytest.mark.parametrize("cell, network", [("key-value-pairs-low", "ndp-bcm"), ("weak-cues-high", "lsnn-100")])
def test_networks_of_round_two_are_there_too(repository, monkeypatch, cell, network):
    monkeypatch.chdir(repository)
    runs = load_published(repository / "book" / "results" / f"{cell}-round-two").runs
    name, n_hidden = COMPARED[network]
    said = runs[(runs["network.name"] == name) & (runs["network.n_hidden"] == n_hidden) & (runs.seed == SEEDS[0])]
    task, _, noise = cell.rpartition("-")
    found = evaluate(load_pretrained(task, network, noise=noise, round=2), TASKS[task](noise=noise), 512)["accuracy"]
    assert found == pytest.approx(said.accuracy.item(), abs=0.03) and found > 0.7


def test_a_readout_comes_out(repository, monkeypatch):
    monkeypatch.chdir(repository)
    network = load_pretrained("recall", "dp-oja", 0, "high")
    trials = TASKS["recall"](noise="high").sample(8, torch.Generator().manual_seed(0))
    assert network(trials.spikes).shape == (trials.spikes.shape[0], 8, 10) and not network.training

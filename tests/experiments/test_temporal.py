import contextlib
import dataclasses
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
import torch

from spikepropamine import records
from spikepropamine.book.parameters import ChapterParameters
from spikepropamine.experiments import sweeps, temporal
from spikepropamine.experiments.catalogue import PUBLISHED_TASKS
from spikepropamine.experiments.choices import PUBLISHED_CONTROLS, PUBLISHED_NETWORKS
from spikepropamine.experiments.sweeps import Store, sweep
from spikepropamine.experiments.temporal import TASKS
from spikepropamine.records.atomic import DamagedRecord
from spikepropamine.snn.networks import NETWORKS
from spikepropamine.training.supervised import Training


def tiny():
    return temporal.temporal("cue-association", "smoke", seeds=1, networks=("snn", "dp-oja"), noises=("low",))


@pytest.mark.parametrize("task", TASKS)
def test_a_comparison_differs_in_nothing_but_name_noise_and_searched_values(task):
    searched = {"learning_rate", "eta_oja", "eta_bcm"}
    configs = temporal.temporal(task).configs
    assert len(configs) == len(NETWORKS) * 2
    first = configs[0]
    for config in configs:
        assert dataclasses.replace(config.task, noise="low") == dataclasses.replace(first.task, noise="low")
        assert config.network.n_hidden == first.network.n_hidden
        for ours, theirs in ((config.training, first.training), (config.network.options, first.network.options)):
            different = {k for k, v in vars(ours).items() if vars(theirs)[k] != v}
            assert different <= searched


@pytest.mark.parametrize("task", TASKS)
def test_every_network_is_searched_alike_and_with_other_seeds(task):
    search = temporal.search(task)
    grids = {}
    for config in search.configs:
        options = config.network.options
        grids.setdefault(config.network.name, []).append((config.training, options))
    assert set(grids) == set(NETWORKS)
    assert all(grid == grids["snn"] for grid in grids.values())
    assert not set(search.seeds) & set(temporal.temporal(task).seeds)


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.chosen])
def test_the_chosen_values_are_the_best_of_the_published_search(repository, task):
    published = records.load_published(repository / "book" / "results" / f"{task}-search")
    assert published.manifest["runs"] == published.manifest["expected_runs"]
    default = temporal.NetworkOptions().eta_oja
    factors = (published.runs["network.options.eta_oja"] / default).round(9)
    mean = (
        published.runs.assign(factor=factors)
        .groupby(["network.name", "training.learning_rate", "factor"])
        .accuracy.mean()
    )
    for name in PUBLISHED_NETWORKS:
        chosen = TASKS[task].choice(name)
        assert mean[(name, *chosen)] == mean[name].max()


def test_a_sweep_makes_what_is_missing_and_nothing_twice(tmp_path):
    store = Store(tmp_path / "runs")
    sweep(tiny(), store)
    runs, curves = store.results(tiny())
    assert sorted(runs["network.name"]) == ["dp-oja", "snn"] and len(curves) == 4
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("record.json")}
    sweep(tiny(), store)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("record.json")} == kept


def test_a_run_taken_up_from_a_checkpoint_counts_what_came_before(tmp_path):
    config = dataclasses.replace(
        temporal.temporal("recall", "smoke").configs[0],
        training=Training(steps=2, batch_size=4, evaluate_every=1, evaluation_trials=8),
    )
    folder, network = tmp_path / "seed-0", config.build(0)
    checkpoint = tmp_path / "seed-0.checkpoint.safetensors"
    config.train(network, 0, checkpoint, lambda step, latest: None)
    other, optimiser = config.build(0), torch.optim.Adam(network.parameters())
    *_, curves = records.load_checkpoint(checkpoint, other, optimiser)
    records.save_checkpoint(checkpoint, other, optimiser, 2, 3600.0, curves)  # as if it had taken an hour
    sweeps.run("recall", "smoke", config, 0, folder)
    row = records.row(records.load_run(folder).record)
    assert row["wall_seconds"] >= row["training_seconds"] >= 3600
    early = pd.DataFrame([row | {"wall_seconds": 1.0}, row])
    assert 2 <= sweeps.core_hours(early) < 2.1


def test_what_a_sweep_would_take_goes_by_the_time_a_step_took():
    made = pd.DataFrame(
        {"training.steps": [1000, 1000], "wall_seconds": [30.0, 50.0], "training_seconds": [20.0, 40.0]}
    )
    quick = temporal.temporal("recall", "quick", 3, ["snn"], ["low"])  # three runs of 200 steps
    assert sweeps.expected_hours(quick, made) == pytest.approx(3 * 200 * 0.04 / 3600)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_sweep_that_is_told_to_end_takes_its_workers_along(tmp_path, sent):
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "book" / "results").mkdir(parents=True)
    command = [sys.executable, "-m", "spikepropamine", "sweep", "cue-association", "--workers", "2"]
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731, a shell has its background jobs ignore it
    parent, workers = (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=heard),
        [],
    )
    try:
        eventually(lambda: list((tmp_path / ".runs").rglob("*.checkpoint.safetensors")))
        workers = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(sent)
        assert parent.wait(30) != 0
        eventually(
            lambda: not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers), 15
        )
    finally:
        parent.kill()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()


def eventually(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_two_workers_give_what_one_gives(tmp_path):
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    sweep(tiny(), one)
    sweep(tiny(), two, workers=2)
    metrics = [
        store.results(tiny())[0].sort_values("network.name")[["config_hash", "accuracy", "loss"]].reset_index(drop=True)
        for store in (one, two)
    ]
    assert metrics[0].equals(metrics[1])


def test_a_published_run_is_not_made_again(tmp_path):
    store = Store(tmp_path / "runs", tmp_path / "published")
    sweep(tiny(), store)
    sweeps.publish(tiny(), store)
    elsewhere = Store(tmp_path / "empty", tmp_path / "published")
    sweep(tiny(), elsewhere)
    assert not (tmp_path / "empty").exists()
    config = tiny().configs[1]
    assert set(elsewhere.weights("cue-association-smoke", config, 0)) == set(dict(config.build(0).named_parameters()))


def test_publishing_adds_to_what_is_published_and_drops_nothing(tmp_path):
    store = Store(tmp_path / "runs", tmp_path / "published")
    sweep(tiny(), store)
    sweeps.publish(tiny(), store)
    first = store.published_runs("cue-association-smoke")
    more = temporal.temporal("cue-association", "smoke", seeds=2, networks=("snn", "ndp-bcm"), noises=("low",))
    elsewhere = Store(tmp_path / "elsewhere", tmp_path / "published")
    sweep(more, elsewhere)  # snn with seed 0 is published and not made again
    sweeps.publish(more, elsewhere)
    both = store.published_runs("cue-association-smoke")
    assert sorted(zip(both.runs["network.name"], both.runs.seed)) == [
        ("dp-oja", 0),
        ("ndp-bcm", 0),
        ("ndp-bcm", 1),
        ("snn", 0),
        ("snn", 1),
    ]
    assert both.runs.iloc[:2][first.runs.columns].equals(first.runs) and len(both.curves) == 10
    assert set(first.manifest["files"]) < set(both.manifest["files"]) and len(both.manifest["configurations"]) == 3
    assert all(both.has_weights(config.hash, 0) for config in (*tiny().configs, *more.configs))
    sweeps.publish(tiny(), Store(tmp_path / "nothing", tmp_path / "published"))
    assert store.published_runs("cue-association-smoke").runs.equals(both.runs)


def test_a_run_is_tested_beyond_what_it_was_trained_on(tmp_path):
    store = Store(tmp_path)
    sweep(tiny(), store)
    runs, _ = store.results(tiny())
    names = set(tiny().configs[0].task.variants())
    assert names <= set(runs.columns) and runs[sorted(names)].notna().all().all()


def test_a_damaged_run_is_named_not_skipped(tmp_path):
    store = Store(tmp_path / "runs")
    sweep(tiny(), store)
    path = next((tmp_path / "runs").rglob("curves.parquet"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DamagedRecord, match="curves.parquet"):
        sweep(tiny(), store)


@pytest.mark.parametrize(
    "parameters, named",
    [
        (dict(profile="fast"), "profile = 'fast': must be one of 'smoke', 'quick', 'paper'"),
        (dict(seeds=0), "seeds = 0: must be a whole number >= 1"),
        (dict(seeds=-3), "seeds = -3"),
        (dict(seeds=2.5), "seeds = 2.5"),
        (dict(networks="snn,dp-hebb"), "networks = 'dp-hebb': must be one of 'snn'"),
        (dict(networks=""), "networks = ''"),
        (dict(networks=()), r"networks = \[\]"),
        (dict(workers=0), "workers = 0"),
        (dict(recompute="yes"), "recompute = 'yes': must be true or false"),
        (dict(device="tpu"), "device = 'tpu': must be one of 'cpu'"),
    ],
)
def test_bad_chapter_parameters_are_refused_by_name(parameters, named):
    with pytest.raises(ValueError, match=named):
        ChapterParameters(**parameters)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (dict(task="maze"), "task = 'maze'"),
        (dict(profile="x"), "profile = 'x'"),
        (dict(seeds=0), "seeds = 0"),
        (dict(networks=["rnn"]), "networks = 'rnn'"),
        (dict(noises=["loud"]), "noise = 'loud'"),
    ],
)
def test_bad_experiments_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        temporal.temporal(**{"task": "cue-association"} | arguments)


def test_names_may_come_in_any_order_and_as_one_word():
    assert ChapterParameters(networks="ndp-bcm, snn").network_names() == ["snn", "ndp-bcm"]
    assert ChapterParameters().network_names() == list(NETWORKS)


@pytest.mark.parametrize("task", PUBLISHED_TASKS)
def test_the_chosen_rates_of_the_controls_are_the_best_of_the_published_search(repository, task):
    published = records.load_published(repository / "book" / "results" / f"{task}-controls-search")
    assert published.manifest["runs"] == published.manifest["expected_runs"]
    mean = published.runs.groupby(["network.name", "training.learning_rate"]).accuracy.mean()
    for name in PUBLISHED_CONTROLS:
        rate, _ = TASKS[task].choice(name)
        assert mean[name, rate] == mean[name].max()


@pytest.mark.parametrize("task", TASKS)
def test_controls_are_searched_among_the_same_rates_and_trained_as_the_plain_network_is(task):
    snn = {c.training for c in temporal.search(task).configs if c.network.name == "snn"}
    for name in temporal.CONTROLS:
        mine = {c.training for c in temporal.controls_search(task).configs if c.network.name == name}
        assert {t.learning_rate for t in mine} == {t.learning_rate for t in snn}
        assert min(t.steps for t in mine) > max(t.steps for t in snn)
    assert not set(temporal.controls_search(task).seeds) & set(temporal.controls(task).seeds)
    trained = {c.network.name: c for c in temporal.controls(task).configs}
    plain = next(c for c in temporal.temporal(task).configs if c.network.name == "snn" and c.task.noise == "low")
    assert set(trained) == set(temporal.CONTROLS)
    for config in trained.values():
        assert dataclasses.replace(config.training, learning_rate=plain.training.learning_rate) == plain.training
        assert config.task == plain.task and config.network.n_hidden == plain.network.n_hidden


def test_what_trains_longer_differs_from_the_usual_controls_in_steps_and_rate_alone():
    usual = {c.network.name: c for c in temporal.controls("cue-reward").configs}
    made = temporal.longer("cue-reward").configs
    assert [c.network.name for c in made] == list(temporal.TRAINED_LONGER)
    for config in made:
        own = usual[config.network.name]
        assert config.training.steps == temporal.LONGER * own.training.steps
        back = dict(
            steps=own.training.steps,
            evaluate_every=own.training.evaluate_every,
            learning_rate=own.training.learning_rate,
        )
        assert dataclasses.replace(config, training=dataclasses.replace(config.training, **back)) == own


def test_smaller_networks_differ_from_the_usual_ones_in_nothing_but_their_size():
    usual = {c.network.name: c for c in temporal.temporal("recall", noises=["low"]).configs}
    made = temporal.sizes("recall").configs
    assert len(made) == len(usual) * len(temporal.HIDDEN) and {c.network.n_hidden for c in made} == set(temporal.HIDDEN)
    for config in made:
        same = dataclasses.replace(config, network=dataclasses.replace(config.network, n_hidden=48))
        assert (
            same == usual[config.network.name]
            and config.build(0).n_inputs == usual[config.network.name].build(0).n_inputs
        )

"""A sweep on a real Dask scheduler with two workers, one of which is killed half way."""

import json
import operator
import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import pytest
from distributed import LocalCluster

from spikepropamine.book.parameters import ChapterParameters
from spikepropamine.experiments.sweeps import Store, in_parallel, sweep
from spikepropamine.experiments.temporal import temporal

EXPERIMENT = temporal("recall", "smoke", seeds=4, networks=("snn", "dp-oja"))


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler on this machine, and its two workers."""
    environment = os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "30s"}
    started = []

    def start(module, *arguments):
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return started[-1]

    file = tmp_path / "scheduler.json"
    start(
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    )
    wait_for(file.exists)
    address = json.loads(file.read_text(encoding="utf-8"))["address"]
    workers = [
        start("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        for _ in range(2)
    ]
    yield address, workers
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_sweep_on_a_cluster_loses_nothing_when_a_worker_dies(tmp_path, cluster):
    address, workers = cluster
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")

    def finished():
        return len(list(there.working.rglob("seed-*/record.json")))

    thread = threading.Thread(target=sweep, args=(EXPERIMENT, there, address))
    thread.start()
    wait_for(lambda: finished() >= 3)
    workers[0].send_signal(signal.SIGKILL)
    before = finished()
    thread.join(timeout=120)
    assert not thread.is_alive() and before < len(EXPERIMENT.runs)
    runs, _ = there.results(EXPERIMENT)
    assert len(runs) == len(EXPERIMENT.runs) == finished()
    assert not runs.duplicated(["config_hash", "seed"]).any()
    sweep(EXPERIMENT, here)
    key = ["config_hash", "seed", "accuracy", "loss"]
    assert (
        runs[key]
        .sort_values(key)
        .reset_index(drop=True)
        .equals(here.results(EXPERIMENT)[0][key].sort_values(key).reset_index(drop=True))
    )


def test_results_come_in_the_order_of_the_jobs_from_a_scheduler_as_from_processes():
    jobs = [joblib.delayed(operator.add)(k, 10) for k in range(6)]
    here = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=":0")
    with here as cluster:
        assert list(in_parallel(jobs, cluster.scheduler_address)) == list(range(10, 16))
    for workers in (1, 2):
        assert list(in_parallel(jobs, workers)) == list(range(10, 16))
    assert sorted(in_parallel(jobs, 2, ordered=False)) == list(range(10, 16))


@pytest.mark.parametrize("workers", ["two", "tcp://nowhere", "http://127.0.0.1:8786", ""])
def test_what_is_no_address_of_a_scheduler_is_refused_by_name(tmp_path, workers):
    for refuse in (lambda: sweep(EXPERIMENT, Store(tmp_path), workers), lambda: ChapterParameters(workers=workers)):
        with pytest.raises(ValueError, match=f"workers = '{workers}': must be a whole number >= 1 or the address"):
            refuse()


def test_a_scheduler_that_does_not_answer_is_an_error_and_not_a_wait_for_ever(tmp_path):
    with pytest.raises(OSError, match="127.0.0.1:9"):
        sweep(EXPERIMENT, Store(tmp_path), "tcp://127.0.0.1:9")

import re
import time
from dataclasses import asdict

import pandas as pd
import pytest
import torch

from spikepropamine.experiments.choices import PUBLISHED_PLASTIC as PLASTIC
from spikepropamine.timing import gpu
from spikepropamine.timing.benchmark import Workload, reference

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SMALL = dict(batch=3, inputs=6, hidden=5, ticks=30, rate=0.3)


@pytest.mark.parametrize("name", PLASTIC)
def test_the_loop_is_the_reference_path_without_its_checks(name):
    network, spikes = gpu.made(Workload(name, **SMALL), "cpu")
    with torch.no_grad():
        network.synapses.weight.mul_(3)
    out = gpu.loop(network, spikes)
    assert out.any() and torch.equal(out, reference(network, spikes))


@needs_gpu
@pytest.mark.parametrize("name", PLASTIC)
def test_what_is_measured_on_a_gpu_computes_the_same_gradients(name, monkeypatch):
    networks = []

    def remembered(*arguments, made=gpu.made):
        network, spikes = made(*arguments)
        networks.append(network.double())
        return network, spikes.double()

    monkeypatch.setattr(gpu, "made", remembered)
    compared = [one for one in gpu.IMPLEMENTATIONS if not one.startswith("JAX")]
    for one in compared:
        gpu.IMPLEMENTATIONS[one](Workload(name, **SMALL))()
    torch.cuda.synchronize()
    gradients = {one: [p.grad.cpu() for p in network.parameters()] for one, network in zip(compared, networks)}
    for one in compared:
        torch.testing.assert_close(gradients[one], gradients[gpu.CPU])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="device = 'cpu': must be a machine with a GPU"):
        gpu.publish(["dp-oja"], tmp_path, kept := [].append)
    assert kept.__self__ == []


@needs_gpu
def test_a_network_without_plasticity_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="networks = 'snn': must be plastic ones"):
        gpu.publish(["snn"], tmp_path, [].append)


# ---------------------------------------------------------------- within its time


def test_what_is_missing_of_the_plan_is_told_and_what_failed_is_there():
    planned = gpu.plan(PLASTIC)
    sizes = {(one.batch, one.inputs, one.ticks) for one, _ in planned}
    assert sizes >= {(b, p, 200) for b in (64, 512, 4096) for p in (64, 256)} | {(64, 64, 1000)}
    rows = [
        asdict(one) | {"implementation": name, "failure": "no such library"} for one, names in planned for name in names
    ]
    table = pd.DataFrame(rows)
    assert gpu.missing(table, PLASTIC) == []
    first, names = planned[0]
    assert gpu.missing(table.iloc[1:], PLASTIC) == [(first, names[:1])]
    assert gpu.missing(table.iloc[:0], PLASTIC) == planned


def test_past_the_deadline_nothing_is_begun_and_what_was_measured_is_kept(monkeypatch):
    ran = []

    def slow(workload):
        ran.append(workload.batch)
        return lambda: time.sleep(0.2)

    monkeypatch.setitem(gpu.IMPLEMENTATIONS, "slow", slow)
    planned = [(Workload(name, **SMALL), ("slow", gpu.CPU)) for name in ("dp-oja", "dp-bcm")]
    ((row,),) = gpu.measured(planned, 1, time.monotonic() + 0.1)
    assert row["network"] == "dp-oja" and row["implementation"] == "slow" and not row["failure"]
    assert row["milliseconds_per_step"] > 190 and len(ran) == 1
    assert list(gpu.measured(planned, 1, time.monotonic() - 1)) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_cannot_run_is_named_and_the_rest_goes_on():
    planned = [(Workload("dp-oja", **SMALL), ("reference path", gpu.CPU))]
    ((failed, own),) = gpu.measured(planned, 1, time.monotonic() + 100)
    assert failed["failure"] and "milliseconds_per_step" not in failed
    assert own["milliseconds_per_step"] > 0


@pytest.mark.slow
def test_the_tests_come_first_and_one_that_fails_ends_it(tmp_path):
    (tmp_path / "test_good.py").write_text("def test_good(): pass\n", encoding="utf-8")
    assert gpu.tested(tmp_path, ["test_good.py"], 60).startswith("1 passed")
    (tmp_path / "test_bad.py").write_text("def test_bad(): assert 1 == 2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="(?s)the tests of the kernels must pass.*assert 1 == 2"):
        gpu.tested(tmp_path, ["test_good.py", "test_bad.py"], 60)
    slow = "import time\ndef test_quick(): pass\ndef test_slow(): time.sleep(60)\n"
    (tmp_path / "test_slow.py").write_text(slow, encoding="utf-8")
    # one has passed where pytest has started by then
    said = gpu.tested(tmp_path, ["test_slow.py"], 10)
    assert re.fullmatch("stopped after 10 s, [01] passed until then and none failed", said)

import pytest
import torch

from spikepropamine.snn.networks import build
from spikepropamine.timing import benchmark
from spikepropamine.timing.benchmark import FIXED, PLASTIC, Workload


@pytest.mark.parametrize("name", ["dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm"])
def test_what_is_compared_computes_the_same(name):
    network = build(name, 8, 6, 2, seed=1, weight_scale=3.0).double()
    spikes = (torch.rand(50, 3, 8, generator=torch.Generator().manual_seed(0)) < 0.3).double()
    results = []
    for implementation in ("straightforward loop", "gradient checkpointing", "reference path", "fused path"):
        network.zero_grad()
        out = PLASTIC[implementation](network, spikes)
        out.cumsum(0).sin().sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in network.synapses.parameters())])
    assert results[0][0].sum() > 0
    for other in results[1:]:
        for a, b in zip(results[0], other):
            torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_the_plain_layer_is_the_same_in_snntorch_and_here():
    network = build("snn", 8, 6, 2).double()
    spikes = (torch.rand(50, 3, 8) < 0.3).double()
    assert torch.equal(FIXED["snnTorch"](network, spikes), FIXED["fused path"](network, spikes))


def test_a_measurement_is_a_time_and_what_cannot_run_is_named():
    small = Workload("snn", 2, 4, 4, 10)
    table = benchmark.compare([(small, ())], 2).set_index("implementation")
    assert table.milliseconds_per_step["fused path"] > 0 and table.failure["fused path"] == ""
    assert table.ratio_to_reference["snnTorch"] == 1
    try:
        import norse  # noqa: F401
    except ImportError:
        assert "norse" in table.failure["Norse"]


def test_the_fused_path_needs_a_small_part_of_the_loop_s_memory():
    table = benchmark.compare([(Workload("dp-oja", 16, 64, 64, 400), ("straightforward loop", "fused path"))], 1)
    peak = table.set_index("implementation").peak_megabytes
    assert peak["fused path"] < peak["straightforward loop"] / 10


@pytest.mark.parametrize(
    "fields, named",
    [
        (dict(network="gru"), "network = 'gru'"),
        (dict(network="snn", batch=0), "batch = 0"),
        (dict(network="snn", ticks=-1), "ticks = -1"),
    ],
)
def test_bad_values_are_refused_by_name(fields, named):
    with pytest.raises(ValueError, match=named):
        Workload(**fields)

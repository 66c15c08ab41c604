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
    for prepare in (one for name, one in gpu.IMPLEMENTATIONS.items() if not name.startswith("JAX")):
        prepare(Workload(name, **SMALL))()
    torch.cuda.synchronize()
    *others, on_cpu = ([p.grad.cpu() for p in network.parameters()] for network in networks)
    for gradients in others:
        torch.testing.assert_close(gradients, on_cpu)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_refused_by_name():
    with pytest.raises(ValueError, match="device = 'cpu': must be a machine with a GPU"):
        gpu.measure(["dp-oja"])


@needs_gpu
def test_a_network_without_plasticity_is_refused_by_name():
    with pytest.raises(ValueError, match="networks = 'snn': must be plastic ones"):
        gpu.measure(["snn"])

import pytest
import torch

from spikepropamine.experiments.choices import PUBLISHED_PLASTIC
from spikepropamine.timing import jax_peer
from spikepropamine.timing.benchmark import Workload, fused
from spikepropamine.timing.gpu import made, step

pytest.importorskip("jax", reason="JAX is not installed: .ci/run installs it")


@pytest.mark.parametrize("name, checkpointing", [*((name, False) for name in PUBLISHED_PLASTIC), ("ndp-bcm", True)])
def test_jax_computes_the_gradients_of_the_fused_path(name, checkpointing):
    network, spikes = made(Workload(name, batch=3, inputs=6, hidden=5, ticks=30, rate=0.3), "cpu")
    network, spikes = network.double(), spikes.double()
    with torch.no_grad():
        network.synapses.weight.mul_(3)
    step(fused, network, spikes)
    run, given = jax_peer.training_step(network, spikes, checkpointing)
    loss, gradients = run(*given)
    assert loss > 0
    for parameter, expected in network.named_parameters():
        assert expected.grad.abs().max() > 0
        torch.testing.assert_close(torch.tensor(gradients[parameter].__array__()), expected.grad, rtol=1e-8, atol=1e-12)

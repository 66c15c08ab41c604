"""What once ended the process, or gave a wrong number, is refused by name."""

import pytest
import torch

from spikepropamine.snn.controls import CONTROLS, build_control
from spikepropamine.snn.networks import NETWORKS, build
from spikepropamine.snn.traditional import TRADITIONAL, build_traditional

OTHERS = [*CONTROLS, *TRADITIONAL]


def other(name):
    return (build_control if name in CONTROLS else build_traditional)(name, 5, 6, 2)


@pytest.mark.parametrize("batch", [1, 8, 300])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_state_of_another_batch_is_refused(name, batch):
    network = build(name, 5, 6, 2)
    state = network.run(torch.ones(7, 3, 5)).state
    for path in ("auto", "reference"):
        with pytest.raises(ValueError, match=rf"state.v.shape = \(3, 6\): must be \({batch}, 6\)"):
            network.run(torch.ones(7, batch, 5), state, path)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_state_of_another_network_is_refused(name):
    network = build(name, 5, 6, 2)
    hidden, y = build("dp-oja" if name == "snn" else "snn", 5, 6, 2).run(torch.ones(7, 3, 5)).state
    with pytest.raises(TypeError, match="state.plastic is a .*: must be"):
        network.run(torch.ones(7, 3, 5), (hidden, y))
    with pytest.raises(TypeError, match="state is a Tensor: must be a HiddenState"):
        network.run(torch.ones(7, 3, 5), (y, y))
    with pytest.raises(ValueError, match="state = "):
        network.run(torch.ones(7, 3, 5), y)


@pytest.mark.parametrize("shape", [(200, 5), (3, 4, 2, 5), (7, 3, 6), (5,), (7, 0, 5)])
@pytest.mark.parametrize("name", OTHERS)
def test_spikes_of_another_shape_are_refused(name, shape):
    with pytest.raises(ValueError, match="spikes.shape = .*: must be"):
        other(name).run(torch.ones(shape))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", [*OTHERS, *NETWORKS])
def test_numbers_that_are_not_finite_are_refused(name, value):
    network = build(name, 5, 6, 2) if name in NETWORKS else other(name)
    spikes = torch.ones(7, 3, 5)
    spikes[2, 1, 0] = value
    with pytest.raises(ValueError, match="spikes = '1 of 105 entries NaN or infinite'"):
        network.run(spikes)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = value
    with pytest.raises(ValueError, match="entries NaN or infinite'"):
        network.run(torch.ones(7, 3, 5))


@pytest.mark.parametrize("name", [n for n in OTHERS if n in ("rsnn", "alif", "lsnn")])
def test_hooks_within_a_cell_are_called_at_every_tick(name):
    network, calls = other(name), []
    expected = network.run(torch.ones(7, 3, 5)).readout
    module = network.cell.synapses if name == "lsnn" else network.cell
    module.register_forward_hook(lambda *_: calls.append(1))
    torch.testing.assert_close(network.run(torch.ones(7, 3, 5)).readout, expected)
    assert len(calls) == 7


def test_a_seed_fits_pytorch_s_generator():
    with pytest.raises(ValueError, match=r"seed = 18446744073709551616: must be less than 2\*\*64"):
        build("snn", 5, 6, 2, seed=2**64)
    with pytest.raises(ValueError, match=r"eta(_bcm)? = 1e\+300"):
        build("dp-bcm", 5, 6, 2, eta_bcm=1e300)

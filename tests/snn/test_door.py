"""What once ended the process, or gave a wrong number, is refused by name."""

import copy
import os
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from spikepropamine.snn.controls import CONTROLS, build_control
from spikepropamine.snn.fused import recurrent_memory
from spikepropamine.snn.layers import PlasticLinear, leaky
from spikepropamine.snn.networks import NETWORKS, NetworkOptions, build
from spikepropamine.snn.plastic_leaky import PlasticLeaky
from spikepropamine.snn.plasticity import Oja
from spikepropamine.snn.scan import fire, initial_state, scan
from spikepropamine.snn.traditional import TRADITIONAL, TraditionalOptions, build_traditional

SEARCH = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # of another process
OTHERS = [*CONTROLS, *TRADITIONAL]


def other(name):
    return (build_control if name in CONTROLS else build_traditional)(name, 5, 6, 2)


def any_network(name, *sizes, **named):
    return next(
        make
        for known, make in ((NETWORKS, build), (CONTROLS, build_control), (TRADITIONAL, build_traditional))
        if name in known
    )(name, *sizes, **named)


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
    with pytest.raises(TypeError, match="state is a Tensor: must be None or a NetworkState"):
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


EACH_KIND = pytest.mark.parametrize("name", ["snn", "dp-oja", "rsnn", "alif", "synaptic", "slstm", "lsnn", "stp"])


@EACH_KIND
def test_a_size_or_a_seed_is_a_whole_number_of_python_s_or_numpy_s_or_refused_by_name(name):
    size, seed = np.int64(6), np.int32(3)
    found, expected = any_network(name, 5, size, 2, seed=seed), any_network(name, 5, 6, 2, seed=3)
    assert torch.equal(found(torch.ones(7, 3, 5)), expected(torch.ones(7, 3, 5)))
    for wrong in (-1, 0, 2.0, np.float64(6), True, np.True_, "6", None, torch.tensor(6)):
        with pytest.raises(ValueError, match="n_hidden = .*: must be a whole number >= 1"):
            any_network(name, 5, wrong, 2)
    for most in (2**70, 10**12):
        with pytest.raises(ValueError, match=r"n_hidden = \d+: must be 2\*\*31 at most"):
            any_network(name, 5, most, 2)
    for wrong in (-1, 1.0, False, "0", None, 2**64, 2**100):
        with pytest.raises(ValueError, match="seed = .*: must be"):
            any_network(name, 5, 6, 2, seed=wrong)


@EACH_KIND
def test_no_ticks_leave_everything_as_it_was(name):
    network = any_network(name, 5, 6, 2)
    run = network.run(torch.ones(0, 3, 5))
    assert run.readout.shape == (0, 3, 2) and run.spikes.shape == (0, 3, 6)
    assert not run.state[1].any()


@EACH_KIND
def test_a_call_gives_the_readout_and_copies_and_pickles_do_too(name):
    network, spikes = any_network(name, 5, 6, 2), torch.ones(7, 3, 5)
    expected = network.run(spikes).readout
    for one in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(one(spikes), expected)


@EACH_KIND
def test_torch_func_maps_over_networks_and_differentiates_them(name):
    network, spikes = any_network(name, 5, 6, 2), torch.rand(2, 7, 3, 5).round()
    found = torch.func.vmap(network)(spikes)
    torch.testing.assert_close(found, torch.stack([network(s) for s in spikes]), rtol=1e-4, atol=1e-5)
    own = spikes[0].clone().requires_grad_()
    network(own).sum().backward()
    by_spikes = torch.func.grad(lambda s: network(s).sum())(spikes[0])
    torch.testing.assert_close(by_spikes, own.grad, rtol=1e-3, atol=1e-5)


@EACH_KIND
def test_tensors_of_inference_mode_are_refused_where_gradients_are_tracked(name):
    network = any_network(name, 5, 6, 2)
    with torch.inference_mode():
        spikes = torch.ones(7, 3, 5)
        made = any_network(name, 5, 6, 2)
        made(spikes)
    with pytest.raises(ValueError, match="spikes = 'a tensor made in inference mode': must be one that .* clone"):
        network(spikes)
    with pytest.raises(ValueError, match="'a tensor made in inference mode': must be"):
        made(torch.ones(7, 3, 5))
    with torch.no_grad():
        assert torch.equal(network(spikes), network(torch.ones(7, 3, 5)))


@EACH_KIND
@pytest.mark.parametrize(
    "readout, named",
    [
        (nn.Sequential(nn.Linear(6, 2)), "readout = Sequential: must be an nn.Linear"),
        (nn.LazyLinear(2), "readout.weight is not initialised yet: must"),
        (nn.Linear(7, 2), "readout.in_features = 7: must be 6"),
        (nn.Linear(6, 2, dtype=torch.complex64), "readout.weight has dtype torch.complex64: must be one of"),
    ],
)
def test_a_readout_that_does_not_fit_is_refused_by_name(name, readout, named):
    network = any_network(name, 5, 6, 2)
    network.readout = readout
    with pytest.raises((TypeError, ValueError), match=named):
        network(torch.ones(7, 3, 5))


@EACH_KIND
def test_a_network_is_made_where_values_cannot_be_read(name):
    with torch.device("meta"):
        network = any_network(name, 5, 6, 2)
        assert network(torch.ones(7, 3, 5)).shape == (7, 3, 2)


@pytest.mark.parametrize(
    "make", [lambda **o: build("dp-oja", 5, 6, 2, **o), lambda **o: PlasticLeaky(5, 6, Oja(), **o)]
)
def test_a_device_or_a_dtype_that_cannot_be_is_refused_by_name(make):
    for dtype in ("float32", torch.int64, torch.complex64, torch.float8_e4m3fn, np.float32):
        with pytest.raises(ValueError, match="dtype = .*: must be one of None, torch.float32"):
            make(dtype=dtype)
    for device in ("tpu", "cuda:99", 1.5):
        with pytest.raises(ValueError, match="device = .*: must be None or a device that is here"):
            make(device=device)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, "3", None, 10**12])
@pytest.mark.parametrize("layer", [nn.Linear(5, 6), PlasticLinear(5, 6, Oja())])
def test_a_batch_that_cannot_be_is_refused_by_name(layer, batch_size):
    with pytest.raises(ValueError, match="batch_size.* = .*: must be"):
        initial_state(layer, batch_size)


@pytest.mark.parametrize(
    "name, value",
    [
        (name, value)
        for name in ("e_max", "dt", "tau_trace", "tau", "slope")
        for value in (0, -1.0, float("nan"), float("inf"), True, "5", None, 10**400, torch.tensor(5.0))
        if value is not None or name not in ("tau", "slope")  # None is their default there
    ],
)
def test_a_constant_that_is_no_positive_number_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} = .*: must be a finite number > 0"):
        PlasticLeaky(5, 6, Oja(), **{name: value})


@pytest.mark.parametrize("value", [1e-46, 1e39, Fraction(10**40), 2**130])
@pytest.mark.parametrize("name", ["e_max", "slope"])
def test_a_constant_that_float32_does_not_hold_is_refused_by_name(name, value):
    for make in (
        lambda **options: PlasticLeaky(5, 6, Oja(), **options),
        lambda **options: build("snn", 5, 6, 2, **options),
        lambda **options: build_control("alif", 5, 6, 2, **options),
        lambda **options: NetworkOptions(**options),
    ):
        with pytest.raises(ValueError, match=f"{name} = .*: must be within 1.2e-38 and 3.4e\\+38, as float32 holds it"):
            make(**{name: value})


@pytest.mark.parametrize("value", [Fraction(3), 2**70, np.float32(3), np.int64(3), 1e-37, 3e38])
@pytest.mark.parametrize("name", ["e_max", "slope"])
def test_a_constant_of_any_kind_of_number_gives_the_same_on_both_paths(name, value):
    layer, found = PlasticLeaky(5, 6, Oja(), **{name: value}), []
    for path in ("reference", "fused"):
        layer.zero_grad()
        out, state = scan(layer.synapses, layer.neuron, torch.ones(7, 3, 5), path=path)
        (out.sum() + state.plastic.x_post.sum()).backward()
        found.append([out.detach(), state.plastic.E.detach(), *(p.grad for p in layer.parameters())])
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def of_shape(*shape, dtype=torch.float32):
    return torch.full(shape, 0.75, dtype=dtype)


@pytest.mark.parametrize("name", ["beta", "threshold", "graded_spikes_factor"])
@pytest.mark.parametrize("shape", [(6, 1), (1, 6), (1, 1, 1), (7,), (3, 1), (0,)])
def test_neurons_constants_of_another_shape_are_refused_by_name(name, shape):
    neuron = leaky(20.0)
    setattr(neuron, name, of_shape(*shape))
    for run in (
        lambda path: fire(torch.ones(4, 3, 6), torch.zeros(3, 6), neuron, path),
        lambda path: scan(nn.Linear(5, 6), neuron, torch.ones(4, 3, 5), path=path),
        lambda path: scan(PlasticLinear(5, 6, Oja()), neuron, torch.ones(4, 3, 5), path=path),
    ):
        for path in ("auto", "reference"):
            with pytest.raises(ValueError, match=rf"neuron.{name}.shape = .*: must be \(\), \(1,\) or \(6,\)"):
                run(path)


@pytest.mark.parametrize("name", ["beta", "threshold"])
def test_neurons_constants_of_another_dtype_are_refused_by_name_or_give_the_same(name):
    layer, neuron = PlasticLinear(5, 6, Oja()), leaky(20.0)
    for shape in ((1,), (6,)):
        setattr(neuron, name, of_shape(*shape, dtype=torch.float64))
        for path in ("auto", "reference"):
            with pytest.raises(TypeError, match=f"neuron.{name} has dtype torch.float64: must be torch.float32"):
                scan(layer, neuron, torch.ones(4, 3, 5), path=path)
            with pytest.raises(TypeError, match=f"neuron.{name} has dtype torch.float64: must be torch.float32"):
                fire(torch.ones(4, 3, 6), torch.zeros(3, 6), neuron, path)
    for value in (of_shape(dtype=torch.float64), of_shape(1), of_shape(6)):
        setattr(neuron, name, value)
        found = [scan(layer, neuron, torch.ones(4, 3, 5), path=path)[0] for path in ("auto", "reference")]
        torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    "part, value, named",
    [
        ("bias", None, "layer.bias is a NoneType: must be a torch.Tensor"),
        ("alpha", None, "layer.alpha is a NoneType: must be a torch.Tensor"),
        ("rule", None, "layer.rule = NoneType: must be a plasticity.Rule"),
        ("rule", nn.Identity(), "layer.rule = Identity: must be a plasticity.Rule"),
    ],
)
def test_a_plastic_layer_without_a_part_is_refused_by_name(part, value, named):
    layer = PlasticLinear(5, 6, Oja())
    setattr(layer, part, value)
    for path in ("auto", "reference", "fused"):
        with pytest.raises(TypeError, match=named):
            scan(layer, leaky(20.0), torch.ones(4, 3, 5), path=path)


UNDER_META = """
import torch
torch.set_default_device("meta")
from spikepropamine import Oja, PlasticLeaky, PlasticLinear, build
import snntorch
made = build("ndp-oja", 5, 6, 2, device="cpu")
with torch.device("cpu"):
    drawn, spikes, rule = build("ndp-oja", 5, 6, 2), torch.ones(7, 3, 5), Oja()
    own = PlasticLinear(5, 6, Oja()), snntorch.Leaky(beta=0.8, spike_grad=snntorch.surrogate.fast_sigmoid(10))
from spikepropamine.snn.scan import scan
with torch.no_grad():
    assert torch.equal(made(spikes), drawn(spikes)) and made(spikes).device.type == "cpu"
    scan(*own, spikes, path="fused")
assert {p.device.type for p in PlasticLeaky(5, 6, rule, device="cpu").state_dict().values()} == {"cpu"}
assert PlasticLinear(5, 6, Oja()).weight.is_meta and build("snn", 5, 6, 2).readout.weight.is_meta
"""


def test_networks_are_made_and_run_on_the_cpu_where_the_default_device_holds_no_values():
    run = subprocess.run(
        [sys.executable, "-c", UNDER_META], env=SEARCH, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: PlasticLinear(5, 6, Oja(), modulated="no"), "modulated = 'no': must be True or False"),
        (lambda: build_traditional("lsnn", 5, 6, 2, options={"dt": 5.0}), "options = .*: must be a TraditionalOptions"),
        (lambda: build_traditional("stp", 5, 6, 2, options=TraditionalOptions(dt=2**70)), None),
        (lambda: build("dp-oja", 5, 6, 2, alpha_scale=2**40), None),
    ],
)
def test_other_arguments_are_right_or_refused_by_name(call, named):
    if named is None:
        assert call()(torch.ones(2, 3, 5)).shape == (2, 3, 2)
    else:
        with pytest.raises(ValueError, match=named):
            call()


@pytest.mark.parametrize(
    "change, error, named",
    [
        (lambda s: torch.nested.nested_tensor([*s]), TypeError, "spikes has layout nested: must be dense"),
        (
            lambda s: torch.quantize_per_tensor(s, 0.1, 0, torch.quint8),
            TypeError,
            "spikes has dtype torch.quint8: must",
        ),
        (lambda s: s.to(torch.float8_e4m3fn), TypeError, "spikes has dtype torch.float8_e4m3fn: must"),
        (lambda s: s.tolist(), TypeError, "spikes is a list: must be a torch.Tensor"),
    ],
)
@EACH_KIND
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_another_make_are_refused_by_name(name, change, error, named):
    with pytest.raises(error, match=named):
        any_network(name, 5, 6, 2)(change(torch.ones(7, 3, 5)))


@pytest.mark.parametrize("name", TRADITIONAL)
def test_without_scipy_recurrent_cells_take_the_readable_path(name, monkeypatch, caplog):
    network = other(name)
    expected = network(torch.ones(7, 3, 5))
    monkeypatch.setattr(recurrent_memory, "find_spec", lambda _: None)
    torch.testing.assert_close(network(torch.ones(7, 3, 5)), expected)
    assert "SciPy" in recurrent_memory.missing()


LAYER = PlasticLinear(5, 6, Oja(), modulated=True)
START = LAYER.initial_state(3)


@pytest.mark.parametrize(
    "state, named",
    [
        (None, "state is a NoneType: must be a PlasticState"),
        (tuple(START), "state is a tuple: must be a PlasticState"),
        (initial_state(LAYER, 3), "state is a HiddenState: must be a PlasticState"),
        (START._replace(E=[1]), "state.E is a list: must be a torch.Tensor"),
        (START.to(torch.float64), "state.E has dtype torch.float64: must be torch.float32"),
        (START.to("meta"), "state.E.device = 'meta': must be 'cpu'"),
        (START._replace(theta=torch.zeros(3, 7)), r"state.theta.shape = \(3, 7\): must be \(3, 6\)"),
        (START._replace(x_pre=torch.zeros(2, 5)), r"state.x_pre.shape = \(2, 5\): must be \(3, 5\)"),
        (LAYER.initial_state(4), r"spikes.shape = \(3, 5\): must be \(4, 5\)"),
    ],
)
def test_one_tick_refuses_a_state_that_is_not_the_layer_s(state, named):
    for tick in (
        lambda: LAYER.current(torch.ones(3, 5), state),
        lambda: LAYER.step(torch.ones(3, 5), torch.ones(3, 6), state),
    ):
        with pytest.raises((TypeError, ValueError), match=named):
            tick()


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda s: s.to_sparse(), "spikes has layout torch.sparse_coo: must be dense"),
        (lambda s: s.to("meta"), "spikes.device = 'meta': must be 'cpu'"),
        (lambda s: s.double(), "spikes has dtype torch.float64: must be torch.float32"),
    ],
)
def test_one_tick_refuses_spikes_that_are_not_the_layer_s(change, named):
    for tick in (
        lambda: LAYER.current(change(torch.ones(3, 5)), START),
        lambda: LAYER.step(change(torch.ones(3, 5)), torch.ones(3, 6), START),
    ):
        with pytest.raises((TypeError, ValueError), match=named):
            tick()

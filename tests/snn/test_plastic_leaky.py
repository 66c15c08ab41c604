import copy
import pickle
import re

import pytest
import snntorch
import torch
from snntorch import surrogate

from spikepropamine import BCM, STDP, Oja, PlasticLeaky, PlasticLinear, build
from spikepropamine.snn import scan as scan_module
from spikepropamine.snn.layers import leaky
from spikepropamine.snn.plasticity import Rule
from spikepropamine.snn.scan import scan


def sequence(T=20, B=3, P=6):
    return (torch.rand(T, B, P, generator=torch.Generator().manual_seed(1)) < 0.4).float()


@pytest.mark.parametrize("rule", [Oja, BCM, STDP])
def test_a_sequence_is_its_ticks_one_after_another_and_what_scan_makes(rule):
    torch.manual_seed(0)
    layer, spikes, state, out = PlasticLeaky(6, 5, rule(), modulated=True), sequence(), None, []
    whole, after = layer(spikes)
    for tick in spikes:
        one, state = layer(tick, state)
        out.append(one)
    assert whole.shape == (20, 3, 5) and whole.sum() > 0
    torch.testing.assert_close(torch.stack(out), whole)
    torch.testing.assert_close(state.plastic.E, after.plastic.E)
    scanned, _ = scan(layer.synapses, leaky(20.0), spikes)
    assert torch.equal(scanned, whole)


def test_batch_first_is_the_same_with_axes_exchanged():
    layer = PlasticLeaky(6, 5, Oja(), batch_first=True)
    out, state = layer(sequence().transpose(0, 1))
    layer.batch_first = False
    same, other = layer(sequence())
    assert torch.equal(out, same.transpose(0, 1)) and torch.equal(state.plastic.E, other.plastic.E)
    assert torch.equal(layer(sequence()[0])[0], same[0])


def test_bool_and_integer_spikes_are_converted_and_other_floats_refused():
    layer, network, spikes = PlasticLeaky(6, 5, Oja()), build("dp-oja", 6, 5, 2), sequence()
    for dtype in (torch.bool, torch.int64, torch.uint8):
        assert torch.equal(layer(spikes.to(dtype))[0], layer(spikes)[0])
        assert torch.equal(network(spikes.to(dtype)), network(spikes))
    for wrong in (torch.float64, torch.float16):
        with pytest.raises(TypeError, match=f"spikes has dtype {wrong}: must be torch.float32"):
            layer(spikes.to(wrong))
        with pytest.raises(TypeError, match=f"spikes has dtype {wrong}: must be torch.float32"):
            network(spikes.to(wrong))
    with pytest.raises(TypeError, match="spikes is a ndarray: must be a torch.Tensor"):
        layer(spikes.numpy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(6,), (2, 3, 4, 6), (3, 5), (20, 3, 7), (0, 6)])
def test_wrong_shapes_are_refused_by_name(shape, batch_first):
    axes = "(B, T, 6)" if batch_first else "(T, B, 6)"
    said = re.escape(f"spikes.shape = {shape}: must be (B, 6) for one tick, or {axes}, with B >= 1")
    with pytest.raises(ValueError, match=said):
        PlasticLeaky(6, 5, Oja(), batch_first=batch_first)(torch.zeros(shape))


def test_a_state_can_be_moved_and_cut_off_from_its_history():
    layer = PlasticLeaky(6, 5, Oja(), modulated=True)
    _, state = layer(sequence())
    assert state.plastic.E.requires_grad and not state.detach().plastic.E.requires_grad
    assert torch.equal(state.detach().v, state.v)
    double = state.to(torch.float64)
    assert {part.dtype for part in (double.v, *double.plastic)} == {torch.float64}
    out, _ = layer.double()(sequence().double(), double)
    assert out.dtype == torch.float64


def test_dtype_is_that_of_every_parameter_and_the_default_dtype_stays():
    for module in (
        PlasticLeaky(6, 5, BCM(), modulated=True, dtype=torch.float64),
        PlasticLinear(6, 5, Oja(), dtype=torch.float64, device="cpu"),
        build("ndp-bcm", 6, 5, 2, dtype=torch.float64, device="cpu"),
    ):
        assert {p.dtype for p in module.parameters()} == {torch.float64}
    assert torch.get_default_dtype() == torch.float32
    same = build("ndp-bcm", 6, 5, 2).double()
    assert torch.equal(build("ndp-bcm", 6, 5, 2, dtype=torch.float64).synapses.weight, same.synapses.weight)


def test_neurons_of_ones_own_and_weights_saved_and_loaded(tmp_path):
    neuron = snntorch.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25))
    layer = PlasticLeaky(6, 5, Oja(), neuron=neuron)
    torch.save(layer.state_dict(), tmp_path / "layer.pt")
    other = PlasticLeaky(6, 5, Oja(), neuron=snntorch.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25)))
    assert not torch.equal(other(sequence())[0], layer(sequence())[0])
    other.load_state_dict(torch.load(tmp_path / "layer.pt", weights_only=True))
    assert torch.equal(other(sequence())[0], layer(sequence())[0])


@pytest.mark.parametrize(
    "change, named",
    [
        (dict(neuron=snntorch.Synaptic(alpha=0.9, beta=0.9)), "neuron = 'Synaptic': must be a snntorch.Leaky"),
        (dict(neuron=snntorch.Leaky(beta=0.9, init_hidden=True)), "init_hidden of neuron = True"),
        (dict(batch_first=1), "batch_first = 1"),
        (dict(tau=0.0), "tau = 0.0"),
        (dict(rule="oja"), "rule = 'oja': must be an instance of a plasticity.Rule: Oja"),
    ],
)
def test_bad_values_are_refused_by_name(change, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        PlasticLeaky(**dict(in_features=2, out_features=2, rule=Oja()) | change)


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda l, s: l.current(torch.zeros(3, 5), s), "spikes.shape = (3, 5): must be (3, 6)"),
        (lambda l, s: l.current(torch.zeros(6), s), "spikes.shape = (6,): must be (3, 6)"),
        (lambda l, s: l.current(torch.zeros(2, 6), s), "spikes.shape = (2, 6): must be (3, 6)"),
        (lambda l, s: l.step(torch.zeros(3, 6), torch.zeros(3, 6), s), "post_spikes.shape = (3, 6): must be (3, 5)"),
        (lambda l, s: l.step(torch.zeros(1, 6), torch.zeros(3, 5), s), "pre_spikes.shape = (1, 6): must be (3, 6)"),
        (
            lambda l, s: l.current(torch.zeros(3, 6), s._replace(E=s.E.transpose(1, 2))),
            "state.E.shape = (3, 6, 5): must be (B, 5, 6)",
        ),
    ],
)
def test_wrong_shapes_of_one_tick_are_refused_by_name(call, named):
    layer = PlasticLinear(6, 5, Oja())
    with pytest.raises(ValueError, match=re.escape(named)):
        call(layer, layer.initial_state(3))


def test_bool_spikes_of_one_tick_are_converted():
    layer, pre, post = PlasticLinear(6, 5, Oja()), sequence()[0], torch.ones(3, 5)
    state = layer.initial_state(3)
    assert torch.equal(layer.current(pre.bool(), state), layer.current(pre, state))
    assert torch.equal(layer.step(pre.bool(), post.long(), state).E, layer.step(pre, post, state).E)
    with pytest.raises(TypeError, match="pre_spikes has dtype torch.float64"):
        layer.step(pre.double(), post, state)


@pytest.mark.parametrize("both", [{"tau": 10.0}, {"slope": 5.0}])
def test_neurons_of_ones_own_have_their_own_constants(both):
    with pytest.raises(ValueError, match=f"{next(iter(both))} = .*: must be None where neuron is given"):
        PlasticLeaky(6, 5, Oja(), neuron=leaky(20.0), **both)


def test_a_threshold_that_moves_faster_than_the_tick_is_refused():
    with pytest.raises(ValueError, match="tau_theta of rule = 4.0: must be at least dt, 5 ms"):
        PlasticLeaky(6, 5, BCM(tau_theta=4.0))
    with pytest.raises(ValueError, match="tau_theta of rule = 1.0"):
        build("dp-bcm", 6, 5, 2, tau_theta=1.0)
    layer = PlasticLeaky(6, 5, BCM(tau_theta=5.0))
    state = layer(torch.ones(400, 2, 6))[1].plastic
    assert 0 <= state.theta.min() and state.theta.max() <= 1


def test_hooks_of_the_synapses_are_not_called_and_that_is_said(caplog):
    layer, calls = PlasticLeaky(6, 5, Oja()), []
    before = layer(sequence())[0]
    for register in ("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"):
        scan_module.tell_once.cache_clear()
        handle = getattr(layer.synapses, register)(lambda *_: calls.append(1))
        with caplog.at_level("WARNING"):
            assert torch.equal(layer(sequence())[0], before)
        assert "hooks of a PlasticLinear are not called" in caplog.text and "reference path" not in caplog.text
        assert calls == []
        caplog.clear()
        handle.remove()
    with pytest.raises(NotImplementedError, match="PlasticLinear is not called: must be run by"):
        layer.synapses(sequence()[0])


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (5,), (2, 4, 5)])
def test_traces_of_another_shape_have_no_modulator(modulated, shape):
    layer = PlasticLinear(6, 5, Oja(), modulated)
    with pytest.raises(ValueError, match=re.escape(f"x_post.shape = {shape}: must be (B, 5)")):
        layer.modulator(torch.ones(shape))


class Shaped(Rule):
    """A rule whose update returns what ``made`` makes of E."""

    def __init__(self, made):
        super().__init__(0.5)
        self.made = made

    def update(self, E, x_pre, x_post, theta, rate):
        return self.made(E)


@pytest.mark.parametrize(
    "made, error, told",
    [
        (
            lambda E: E.mean(2, keepdim=True),
            ValueError,
            r"Shaped.advance\(E\).shape = \(3, 5, 1\): must be \(3, 5, 6\)",
        ),
        (lambda E: E.double(), TypeError, r"Shaped.advance\(E\) has dtype torch.float64: must be torch.float32"),
        (lambda E: None, TypeError, r"Shaped.advance\(E\) is a NoneType"),
    ],
)
def test_what_a_rule_of_ones_own_returns_is_checked_and_the_rule_named(made, error, told):
    with pytest.raises(error, match=told):
        PlasticLeaky(6, 5, Shaped(made))(sequence())
    PlasticLeaky(6, 5, Shaped(lambda E: 0.9 * E))(sequence())


def test_a_rule_that_says_nothing_of_e_is_refused_when_it_is_given():
    with pytest.raises(ValueError, match="rule = Rule.*by its coefficients, or by an update or advance of its own"):
        PlasticLeaky(6, 5, Rule(1.0))
    worded = Oja()
    worded.tau_theta = "500"
    with pytest.raises((TypeError, ValueError), match="tau_theta of rule"):
        PlasticLeaky(6, 5, worded)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_neurons_with_a_surrogate_of_snntorchs_run_in_every_dtype(dtype):
    for spike_grad in (None, surrogate.fast_sigmoid()):
        layer = PlasticLeaky(6, 5, Oja(), neuron=snntorch.Leaky(beta=0.9, spike_grad=spike_grad), dtype=dtype)
        out, state = layer(sequence().to(dtype))
        assert out.dtype == state.v.dtype == state.plastic.E.dtype == dtype and out.sum() > 0
        out.sum().backward()
        assert layer.synapses.weight.grad.dtype == dtype and layer.synapses.weight.grad.abs().sum() > 0


def test_a_layer_says_what_it_is_made_with():
    told = repr(PlasticLeaky(6, 5, Oja(), e_max=2.0, dt=1.0, tau_trace=50.0))
    assert all(part in told for part in ("in_features=6", "e_max=2", "dt=1", "tau_trace=50"))


def test_a_layer_can_be_copied_and_saved_after_every_kind_of_call():
    layer, spikes = PlasticLeaky(6, 5, Oja()), sequence()
    torch.func.vmap(lambda s: layer(s)[0], in_dims=1)(spikes[:, :, None])
    weights = dict(layer.named_parameters())
    torch.func.grad(lambda w: torch.func.functional_call(layer, w, (spikes,))[0].sum())(weights)
    expected, _ = layer(spikes)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(spikes)[0], expected)


def test_a_state_is_saved_and_loaded_as_weights_are(tmp_path):
    network = build("ndp-bcm", 6, 5, 2)
    for k, state in enumerate((PlasticLeaky(6, 5, BCM())(sequence())[1], network.run(sequence()).state)):
        torch.save(state, tmp_path / f"{k}.pt")
        loaded = torch.load(tmp_path / f"{k}.pt")
        assert type(loaded) is type(state)
        torch.testing.assert_close(loaded, state)


@pytest.mark.parametrize("name", ["snn", "dp-oja", "ndp-bcm"])
def test_a_layer_takes_what_another_gives_under_autocast(name):
    torch.manual_seed(0)
    before, layer, network = torch.nn.Linear(6, 6), PlasticLeaky(6, 5, Oja()), build(name, 6, 5, 2)
    with torch.autocast("cpu", torch.bfloat16):
        current = before(sequence())
        assert current.dtype == torch.bfloat16
        for run in (layer, network):
            out = run(current)[0] if run is layer else run(current)
            again = run(current.float())[0] if run is layer else run(current.float())
            assert torch.equal(out, again) and torch.isfinite(out).all()
        layer.synapses.step(current[0].bool(), torch.zeros(3, 5, dtype=torch.bfloat16), layer.synapses.initial_state(3))
    with pytest.raises(TypeError, match="spikes has dtype torch.bfloat16: must be torch.float32"):
        layer(current)


def test_what_a_layer_was_made_with_stays():
    layer = PlasticLeaky(6, 5, BCM())
    for name in ("dt", "tau_trace"):
        with pytest.raises(AttributeError, match="no setter"):
            setattr(layer.synapses, name, 1.0)
    layer.synapses.rule.tau_theta = 1.0
    with pytest.raises(ValueError, match=re.escape("layer.rule.tau_theta = 1.0: must be at least dt, 5 ms")):
        layer(sequence())


@pytest.mark.parametrize("constant", ["beta", "threshold"])
def test_constants_of_neurons_that_are_no_numbers_are_refused(constant):
    layer = PlasticLeaky(6, 5, Oja(), neuron=snntorch.Leaky(beta=0.9, learn_beta=True, learn_threshold=True))
    with torch.no_grad():
        getattr(layer.neuron, constant).fill_(float("nan"))
    with pytest.raises(ValueError, match=f"neuron.{constant} = '1 of 1 entries NaN"):
        layer(sequence())
    network = build("dp-oja", 6, 5, 2)
    getattr(network.integrator, constant).fill_(float("nan"))
    with pytest.raises(ValueError, match=f"neuron.{constant} = "):
        network(sequence())


def test_a_threshold_that_is_never_reached_is_one():
    layer = PlasticLeaky(6, 5, Oja(), neuron=snntorch.Leaky(beta=0.9, threshold=float("inf")))
    assert layer(sequence())[0].sum() == 0

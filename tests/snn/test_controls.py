import math

import pytest
import snntorch
import torch

from spikepropamine.snn import controls
from spikepropamine.snn.controls import CONTROLS, build_control
from spikepropamine.snn.layers import Spike
from spikepropamine.snn.networks import NetworkOptions, SpikingNetwork, build
from spikepropamine.tasks.recall import Recall
from spikepropamine.training.supervised import Training, train


def spikes_of(ticks=60, batch=3, inputs=6, rate=0.4):
    return (torch.rand(ticks, batch, inputs, generator=torch.Generator().manual_seed(0)) < rate).float()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_runs_spikes_learns_and_follows_its_seed(name):
    network, again, other = (build_control(name, 6, 12, 2, seed=seed, weight_scale=5.0) for seed in (1, 1, 2))
    run = network.run(spikes_of())
    assert (
        run.readout.shape == (60, 3, 2)
        and 0 < run.spikes.mean() < 1
        and set(run.spikes.unique().tolist()) == {0.0, 1.0}
    )
    assert torch.equal(run.readout, again.run(spikes_of()).readout) and not torch.equal(
        run.readout, other.run(spikes_of()).readout
    )
    run.readout.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert sum(p.grad.abs().sum() > 0 for p in network.parameters()) >= 3


def test_what_they_share_with_the_plain_network_is_the_same_to_the_last_bit():
    plain = build("snn", 6, 12, 2, seed=4)
    for name in ("rsnn", "alif", "synaptic", "snn-long"):
        control = build_control(name, 6, 12, 2, seed=4)
        synapses = control.synapses if isinstance(control, SpikingNetwork) else control.cell.synapses
        assert torch.equal(synapses.weight, plain.synapses.weight) and torch.equal(
            control.readout.weight, plain.readout.weight
        )


def test_without_what_makes_them_different_they_are_the_plain_network(monkeypatch):
    monkeypatch.setattr(controls, "SPIKE_ADAPTATION", 0.0)
    monkeypatch.setattr(controls, "TAU_LONG", 1e-3)  # a current that ends with its tick
    expected = build("snn", 6, 12, 2, seed=4, weight_scale=5.0).run(spikes_of()).spikes
    assert expected.sum() > 0
    for name in ("alif", "synaptic"):
        assert torch.equal(build_control(name, 6, 12, 2, seed=4, weight_scale=5.0).run(spikes_of()).spikes, expected)
    recurrent = build_control("rsnn", 6, 12, 2, seed=4, weight_scale=5.0)
    assert not torch.equal(recurrent.run(spikes_of()).spikes, expected)
    with torch.no_grad():
        recurrent.cell.neuron.recurrent.weight.zero_()
    assert torch.equal(recurrent.run(spikes_of()).spikes, expected)


def test_a_threshold_that_adapts_slows_a_neuron_down_and_recovers():
    network = build_control("alif", 1, 1, 2)
    with torch.no_grad():
        network.cell.synapses.weight.zero_()
        network.cell.synapses.bias.fill_(0.9)
    spikes = network.run(torch.zeros(600, 1, 1)).spikes[:, 0, 0]
    at = torch.nonzero(spikes)[:, 0]
    gaps = at[1:] - at[:-1]
    assert gaps[-3:].float().mean() > gaps[:3].float().mean()
    # a[t] = ρ a[t−1]
    state = (torch.zeros(1, 1), torch.ones(1, 1), torch.zeros(1, 1))
    with torch.no_grad():
        network.cell.synapses.bias.zero_()
    for _ in range(140):
        _, state = network.cell(torch.zeros(1, 1), state)
    assert state[1].item() == pytest.approx(math.exp(-140 * 5 / controls.TAU_ADAPTATION), rel=1e-4)


def test_a_spike_raises_the_threshold_by_the_published_share():
    # β / threshold · (1 − ρ) in the code of Bellec et al., at a tick of 1 ms, z = 1/ms and τ = 700 ms
    assert controls.SPIKE_ADAPTATION == pytest.approx(1.7 / 0.01 * (1 - math.exp(-1 / 700)), rel=0.02)
    cell = build_control("alif", 1, 1, 2).cell
    _, (_, a, _) = cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1)))
    assert a.item() == pytest.approx(controls.SPIKE_ADAPTATION)


@pytest.mark.parametrize("inputs, neurons", [(6, 12), (12, 12), (12, 6)])
@pytest.mark.parametrize("name", ["snn-long", "alif", "synaptic", "slstm"])
def test_what_has_a_memory_still_knows_the_first_ticks_after_the_membrane_forgot_them(name, inputs, neurons):
    network = build_control(name, inputs, neurons, 2, seed=1, weight_scale=8.0)
    silent = torch.zeros(120, 1, inputs)  # 600 ms, 30 membrane time constants
    shown = silent.clone()
    shown[:20] = 1.0
    (_, _, (before, _)), (_, _, (after, _)) = network.run(silent), network.run(shown)
    differs = max((a - b).abs().max().item() for a, b in zip(before, after) if isinstance(a, torch.Tensor))
    assert differs > 0.02


def test_the_spiking_lstm_is_snntorchs_where_that_keeps_its_state():
    network = build_control("slstm", 8, 8, 2, seed=3)
    neuron = snntorch.SLSTM(8, 8, threshold=controls.LSTM_THRESHOLD)
    neuron.lstm_cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in network.cell.lstm.state_dict().items()}
    )
    spikes, expected, state = spikes_of(inputs=8), [], (torch.zeros(3, 8), torch.zeros(3, 8))
    for s in spikes:
        out, *state = neuron(s, *state)
        expected.append(out)
    run = network.run(spikes)
    assert torch.equal(run.spikes, torch.stack(expected)) and 0 < run.spikes.mean() < 1
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(run.state[0], state[::-1]))
    _, forget, _, _ = network.cell.lstm.bias_ih_l0.chunk(4)
    assert torch.sigmoid(forget).allclose(torch.tensor(math.exp(-5 / controls.TAU_LONG)))


def everything(run, state, parameters):
    """Spikes, last state and every gradient of ``run(state)``."""
    state = [x.clone().requires_grad_() for x in state]
    out, last = run(tuple(state))
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    loss = (out * weights).sum() + sum(x.square().sum() for x in last)
    return [out, *last, *torch.autograd.grad(loss, [*state, *parameters])]


@pytest.mark.parametrize("ticks, batch, neurons", [(60, 3, 12), (1, 1, 1), (200, 5, 7)])
@pytest.mark.parametrize("name", ["rsnn", "alif", "synaptic"])
def test_compiled_they_do_what_their_definition_does(name, ticks, batch, neurons):
    cell = build_control(name, 6, neurons, 2, seed=1, weight_scale=5.0).double().cell
    # another start than rest, with spikes where there are spikes in the state
    state = {"rsnn": lambda s, x, y: (s, x), "alif": lambda s, x, y: (x, y, s), "synaptic": lambda s, x, y: (y, x)}[
        name
    ](
        (torch.rand(batch, neurons) < 0.4).double(),
        1.2 * torch.rand(batch, neurons).double(),
        0.3 * torch.rand(batch, neurons).double(),
    )
    spikes = (torch.rand(ticks, batch, 6) < 0.3).double()
    if name == "synaptic":
        theirs = snntorch.Synaptic(
            alpha=math.exp(-5 / controls.TAU_LONG), beta=math.exp(-5 / 20), spike_grad=cell.neuron.spike_grad
        ).double()

        def definition(state):
            out = []
            for I in cell.synapses(spikes):
                s, *state = theirs(I, *state)
                out.append(s)
            return torch.stack(out), state
    else:
        definition = lambda state: cell.each(cell.synapses(spikes), state)  # noqa: E731
    expected, found = (
        everything(run, state, list(cell.parameters())) for run in (definition, lambda state: cell.run(spikes, state))
    )
    assert ticks < 60 or 0.02 < expected[0].mean() < 0.9
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9)


def test_the_wide_network_has_as_many_parameters_as_the_largest_plastic_one_and_hardly_more():
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    wide, plastic = count(build_control("snn-wide", 40, 48, 2)), count(build("ndp-bcm", 40, 48, 2))
    assert plastic <= wide < plastic + 50


def test_the_long_membrane_is_long():
    assert float(build_control("snn-long", 4, 4, 2).neuron.beta) == pytest.approx(math.exp(-5 / controls.TAU_LONG))


def test_a_control_trains_as_every_network_does():
    task = Recall(n_bits=4, bits_again=2, pattern_ms=50.0, delay_ms=5.0, decision_ms=50.0, group_size=1)
    trained = train(
        build_control("rsnn", task.n_inputs, 12, task.n_outputs),
        task,
        Training(steps=4, batch_size=8, evaluate_every=2, evaluation_trials=32),
        0,
    )
    assert len(trained.curves["accuracy"]) == 2 and math.isnan(trained.curves["eta"][0])


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("gru", 4, 4, 2), "name = 'gru': must be one of 'snn-long'"),
        (("rsnn", 0, 4, 2), "n_inputs = 0"),
        (("rsnn", 4, 4, 2, -1), "seed = -1"),
    ],
)
def test_bad_values_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        build_control(*arguments)
    with pytest.raises(ValueError, match="option = 'tau'"):
        build_control("alif", 4, 4, 2, tau=1.0)
    with pytest.raises(ValueError, match="dt = -1"):
        build_control("alif", 4, 4, 2, dt=-1)
    assert NetworkOptions().dt == 5.0


class Reflected(snntorch.RLeaky):
    def forward(self, current, s, v):
        return super().forward(-current, s, v)


class Doubled(torch.nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Delayed(controls.Recurrent):
    def forward(self, current, state):
        return super().forward(0.5 * current, state)


class Steeper(Spike):
    def derivative(self, u):
        return 2 * super().derivative(u)


def rleaky(kind=snntorch.RLeaky, **options):
    options = {"spike_grad": Spike()} | ({} if "V" in options else {"linear_features": 6}) | options
    return lambda network: setattr(network.cell, "neuron", kind(0.9, **options))


CHANGED = {
    "another reset": rleaky(reset_mechanism="zero"),
    "no reset": rleaky(reset_mechanism="none"),
    "a reset at once": rleaky(reset_delay=False),
    "inhibition": rleaky(inhibition=True),
    "a neuron's own forward": rleaky(Reflected),
    "a learned β": rleaky(learn_beta=True),
    "a β each": lambda network: setattr(network.cell.neuron, "beta", torch.linspace(0.1, 0.9, 6)),
    "one neuron each": rleaky(all_to_all=False, V=torch.linspace(-1, 1, 6)),
    "snnTorch's surrogate": rleaky(spike_grad=snntorch.surrogate.fast_sigmoid()),
    "another surrogate": rleaky(spike_grad=snntorch.surrogate.atan()),
    "a surrogate's own derivative": rleaky(spike_grad=Steeper()),
    "firing at other potentials": lambda network: setattr(
        network.cell.neuron, "fire", lambda mem: network.cell.neuron.spike_grad(mem - 0.5)
    ),
    "recurrent synapses of their own": lambda network: setattr(network.cell.neuron.recurrent, "__class__", Doubled),
    "a cell's own forward": lambda network: setattr(network.cell, "__class__", Delayed),
}


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
@pytest.mark.parametrize("changed", CHANGED)
def test_a_changed_neuron_computes_what_its_own_tick_says(changed):
    def run(by_tick):
        network = build_control("rsnn", 5, 6, 2, weight_scale=4.0)
        torch.manual_seed(3)
        CHANGED[changed](network)
        if by_tick:
            network.cell.register_forward_hook(lambda *_: None)  # which no compiled code would call
        out = network((torch.rand(12, 3, 5, generator=torch.Generator().manual_seed(1)) < 0.5).float())
        out.square().sum().backward()
        return [out.detach(), *(p.grad for p in network.parameters() if p.grad is not None)]

    ours, theirs = run(False), run(True)
    assert len(ours) == len(theirs) and ours[0].abs().sum() > 0
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_an_adaptive_neuron_with_another_surrogate_or_constant_leaves_the_compiled_path():
    for change in (
        lambda cell: setattr(cell.neuron, "spike_grad", Steeper()),
        lambda cell: setattr(cell.neuron, "beta", torch.linspace(0.1, 0.9, 6)),
        lambda cell: setattr(cell, "decay", torch.nn.Parameter(torch.tensor(0.9))),
    ):
        cell = build_control("alif", 5, 6, 2).cell
        state = (torch.zeros(3, 6),) * 3
        current = torch.ones(4, 3, 6)
        assert cell._compiled(current, state)
        change(cell)
        assert not cell._compiled(current, state)


@pytest.mark.parametrize("name", ["rsnn", "alif"])
def test_a_decay_too_small_for_float32_forgets_at_once_on_both_paths(name):
    found = []
    for by_tick in (False, True):
        network = build_control(name, 5, 6, 2, weight_scale=4.0, tau_membrane=0.05)
        if by_tick:
            network.cell.register_forward_hook(lambda *_: None)
        out = network(torch.ones(9, 1, 5))
        out.sum().backward()
        found.append((out.detach(), network.cell.synapses.weight.grad))
    assert found[0][0].abs().sum() > 0 and found[0][1].isfinite().all()
    for a, b in zip(*found):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", ["rsnn", "alif"])
def test_many_gradients_at_once_are_refused_by_name(name):
    network = build_control(name, 5, 6, 2)
    out = network(torch.ones(4, 3, 5))
    with pytest.raises(RuntimeError, match="is_grads_batched = True: must be False"):
        torch.autograd.grad(out, network.cell.synapses.weight, torch.ones(2, *out.shape), is_grads_batched=True)


@pytest.mark.parametrize("name", ["rsnn", "alif"])
def test_a_saved_tensor_that_has_become_another_is_refused(name):
    network = build_control(name, 5, 6, 2)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x[..., :1] if x.ndim == 3 else x, lambda x: x):
        current = torch.ones(4, 3, 6, requires_grad=True)
        out, _ = network.cell.over(current, (torch.zeros(3, 6),) * network.cell.tensors)
    with pytest.raises(RuntimeError, match="a tensor saved for the backward pass = .*: must be"):
        out.sum().backward()

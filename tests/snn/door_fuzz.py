"""Run by test_door_fuzz in a process of its own, since what gets past a door may end the process."""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikepropamine.snn.controls import CONTROLS, build_control
from spikepropamine.snn.fused.neurons import adaptive, recurrent
from spikepropamine.snn.networks import NETWORKS, SpikingNetwork, build
from spikepropamine.snn.scan import HiddenState, fire, initial_state, integrate, scan
from spikepropamine.snn.traditional import TRADITIONAL, build_traditional
from spikepropamine.walking.inference import acting
from spikepropamine.walking.policies import Policy, PolicyState

LAST = Path(sys.argv[1]) if len(sys.argv) > 1 else None
EXAMPLES = int(sys.argv[2]) if len(sys.argv) > 2 else 300
T, B, P, Q, C = 4, 3, 5, 6, 2

KINDS = (
    "longer",
    "shorter",
    "empty",
    "fewer axes",
    "more axes",
    "dtype",
    "not finite",
    "elsewhere",
    "sparse",
    "no tensor",
)
KINDS += ("transposed", "strided", "expanded", "tracked", "negative")


@st.composite
def tensors(draw, *shape, spikes=False):
    """A tensor of ``shape`` that a caller might have made, seven in eight of them fit."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    x = torch.rand(shape, generator=generator)
    x = (x < 0.5).float() if spikes else x
    if draw(st.integers(0, 7)):
        return x
    kind, axis = draw(st.sampled_from(KINDS)), draw(st.integers(0, len(shape) - 1))
    if kind == "longer":
        return torch.cat([x, x.narrow(axis, 0, draw(st.integers(1, x.shape[axis])))], axis)
    if kind in ("shorter", "empty"):
        return x.narrow(axis, 0, 0 if kind == "empty" else x.shape[axis] - 1)
    if kind == "fewer axes":
        return x.select(axis, 0)
    if kind == "more axes":
        return x.unsqueeze(axis)
    if kind == "dtype":
        kinds = (torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.bool, torch.uint8)
        return x.to(draw(st.sampled_from(kinds)))
    if kind == "not finite":
        x.view(-1)[draw(st.integers(0, x.numel() - 1))] = draw(
            st.sampled_from([float("nan"), float("inf"), -float("inf")])
        )
        return x
    if kind == "elsewhere":
        return x.to("meta")
    if kind == "sparse":
        return x.to_sparse()
    if kind == "no tensor":
        return draw(st.sampled_from([None, 1.0, "spikes", x.numpy(), x.tolist()]))
    if kind == "transposed":
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if kind == "strided":
        return torch.stack([x, x + 1], -1)[..., 0]
    if kind == "expanded":
        return x.select(axis, 0).unsqueeze(axis).expand(shape)
    return torch._neg_view(-x) if kind == "negative" else x.requires_grad_()


@st.composite
def hidden_states(draw, network, batch=B):
    start = initial_state(network.synapses, batch)
    v = draw(tensors(*start.v.shape))
    if start.plastic is None:
        return HiddenState(v, draw(st.sampled_from([None, None, None, ()])))
    plastic = type(start.plastic)(*(draw(tensors(*x.shape)) for x in start.plastic))
    return draw(st.sampled_from([HiddenState(v, plastic)] * 6 + [HiddenState(v, None), (v, plastic), v]))


def alike(tried, expected):
    """``tried()`` is what ``expected()`` is, or is refused in the project's way."""
    try:
        found = tried()
    except (TypeError, ValueError) as error:
        assert ": must " in str(error), f"an error without a name: {error!r}"
        return
    for a, b in zip(found, expected(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def entry(function):
    """A fuzz test of one entry, that leaves behind what it last tried."""

    def noted(data):
        if LAST:
            LAST.write_text(f"{function.__name__} {data!r}", encoding="utf-8")
        function(data)

    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=quiet)(
        given(st.data())(noted)
    )


PLAIN = {name: build(name, P, Q, C, weight_scale=5.0) for name in NETWORKS}
OTHERS = {name: build_control(name, P, Q, C, weight_scale=5.0) for name in CONTROLS}
OTHERS |= {name: build_traditional(name, P, Q, C) for name in TRADITIONAL}
POLICIES = {name: Policy(name, n_hidden=Q).build(P, C, 0) for name in NETWORKS}


@entry
def networks(data):
    network = PLAIN[data.draw(st.sampled_from(sorted(PLAIN)))]
    spikes = data.draw(tensors(T, B, P, spikes=True))
    state = data.draw(st.none() | st.tuples(hidden_states(network), tensors(B, C)) | tensors(B, C))

    def run(path):
        r = network.run(spikes, state, path)
        return r.readout, r.spikes, r.state[0].v, r.state[1], *(r.state[0].plastic or ())

    alike(lambda: run("auto"), lambda: run("reference"))


@entry
def scans(data):
    network = PLAIN[data.draw(st.sampled_from(sorted(PLAIN)))]
    spikes, state = data.draw(tensors(T, B, P, spikes=True)), data.draw(hidden_states(network))

    def run(path):
        out, last = scan(network.synapses, network.neuron, spikes, state, path)
        return out, last.v, *(last.plastic or ())

    alike(lambda: run("auto"), lambda: run("reference"))


@entry
def neurons(data):
    network = PLAIN["snn"]
    current, v = data.draw(tensors(T, B, Q)), data.draw(tensors(B, Q))
    for function, neuron in ((fire, network.neuron), (integrate, network.integrator)):
        alike(lambda: function(current, v, neuron), lambda: function(current, v, neuron, "reference"))


@entry
def other_networks(data):
    network = OTHERS[data.draw(st.sampled_from(sorted(OTHERS)))]
    spikes = data.draw(tensors(T, B, P, spikes=True))

    def tick_by_tick():
        # float64, which rounds a potential elsewhere than at the threshold
        if isinstance(network, SpikingNetwork):
            return network.run(spikes, path="reference")[:2]
        cell, given = network.cell, spikes.to(network.readout.weight.dtype)
        if not len(given):
            return given.new_zeros(0, given.shape[1], C), given.new_zeros(0, given.shape[1], Q)
        if name in TRADITIONAL:
            out = cell.each(given)
        elif hasattr(cell, "each"):
            heard = cell.synapses(given) if hasattr(cell, "synapses") else given
            out, _ = cell.each(heard, (given.new_zeros(given.shape[1], Q),) * cell.tensors)
        else:
            out, _ = cell.run(given, (given.new_zeros(given.shape[1], Q),) * cell.tensors)
        readout, _ = integrate(
            network.readout(out), given.new_zeros(given.shape[1], C), network.integrator, "reference"
        )
        return readout, out

    name = next(key for key, value in OTHERS.items() if value is network)
    alike(lambda: network.run(spikes)[:2], tick_by_tick)


@entry
def compiled_neurons(data):
    cell = OTHERS["alif"].cell
    current, state = data.draw(tensors(T, B, Q)), tuple(data.draw(tensors(B, Q)) for _ in range(3))
    slope = cell.neuron.spike_grad.slope

    def run(over):
        out, last = over()
        return out, *last

    compiled = lambda: adaptive(current, state, cell.neuron.beta.item(), cell.decay, 0.24, slope)  # noqa: E731
    alike(lambda: run(compiled), lambda: run(lambda: cell.each(current, state)))
    cell = OTHERS["rsnn"].cell
    weight, bias, n = data.draw(tensors(Q, Q)), data.draw(tensors(Q)), cell.neuron

    def by_snntorch():
        with torch.no_grad():
            n.recurrent.weight.copy_(weight)
            n.recurrent.bias.copy_(bias)
        return cell.each(current, state[:2])

    compiled = lambda: recurrent(current, state[:2], weight, bias, n.beta.item(), 1.0, slope)  # noqa: E731
    alike(lambda: run(compiled), lambda: run(by_snntorch))


@entry
def policies(data):
    policy = POLICIES[data.draw(st.sampled_from(sorted(POLICIES)))]
    encoder = HiddenState(data.draw(tensors(B, Q)), None)
    state = PolicyState(encoder, (data.draw(hidden_states(policy.network)), data.draw(tensors(B, C))))
    state = data.draw(st.sampled_from([state] * 5 + [None, encoder]))
    observations = data.draw(tensors(B, P))

    def flat(means, last):
        return means, last.encoder.v, last.network[0].v, last.network[1], *(last.network[0].plastic or ())

    def by_run():
        with torch.no_grad():
            means, last = policy.run(observations.unsqueeze(0), state)
        return flat(means[0], last)

    alike(lambda: flat(*acting(policy)(observations, state)), by_run)
    several = data.draw(tensors(2, B, P))
    try:
        policy.run(several, state)
    except (TypeError, ValueError) as error:
        assert ": must " in str(error), f"an error without a name: {error!r}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    for test in (networks, scans, neurons, other_networks, compiled_neurons, policies):
        test()
    print("every example was answered")

"""Running synapses and their neurons over time: one meaning, two paths.

:func:`scan` takes a layer (plastic or ``nn.Linear``), its neurons and spikes over T ticks.

``reference``
    a loop over ticks that calls the layer and ``snntorch.Leaky``: any rule, neuron and device,
    full autograd. This is the definition.
``fused``
    compiled code that computes the same numbers, with the backward pass derived by hand: a backend for
    each device (:mod:`spikepropamine.snn.fused` for the CPU, :mod:`spikepropamine.snn.gpu` for CUDA). Chosen
    whenever it applies.
"""

import logging
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from ..checks import require, require_choice, require_tensor
from .layers import PlasticLinear, PlasticState, Spike

log = logging.getLogger(__name__)

PATHS = ("auto", "reference", "fused")
BACKENDS = {"cpu": "fused", "cuda": "gpu"}  # device → the package beside this file that runs the fused path there


class HiddenState(NamedTuple):
    """What a layer and its neurons carry from tick to tick."""

    v: Tensor  # (B, Q) membrane potentials
    plastic: PlasticState | None  # None where the synapses are a plain nn.Linear

    def to(self, *arguments, **options) -> "HiddenState":
        """As ``Tensor.to``, of every part."""
        return HiddenState(self.v.to(*arguments, **options), self.plastic and self.plastic.to(*arguments, **options))

    def detach(self) -> "HiddenState":
        """The same values without their history."""
        return HiddenState(self.v.detach(), self.plastic and self.plastic.detach())


def initial_state(layer: PlasticLinear | nn.Linear, batch_size: int) -> HiddenState:
    """The state before the first tick: everything zero."""
    plastic = layer.initial_state(batch_size) if isinstance(layer, PlasticLinear) else None
    return HiddenState(layer.weight.new_zeros(batch_size, layer.out_features), plastic)


def scan(
    layer: PlasticLinear | nn.Linear,
    neuron: snntorch.Leaky,
    spikes: Tensor,
    state: HiddenState | None = None,
    path: str = "auto",
) -> tuple[Tensor, HiddenState]:
    """Run ``layer`` and ``neuron`` over the ticks of ``spikes``.

    Args:
        layer: the synapses, P inputs to Q neurons.
        neuron: the neurons.
        spikes: (T, B, P), of the weights' dtype, finite; T may be 0.
        state: where to start; zero where not given.
        path: "auto" takes the fused path where it applies; "reference" and "fused" insist.

    Returns:
        The spikes of the neurons, (T, B, Q), and the state after the last tick. Both carry
        gradients to every parameter, the input spikes and the initial state.

    Raises:
        TypeError: spikes that are no tensor or not of the weights' dtype.
        ValueError: spikes of the wrong shape or not finite; spikes or a state on another device than the
            weights; an unknown path; "fused" where it does not apply.
    """
    require_choice("path", path, PATHS)
    require_tensor("spikes", spikes, ("T", "B", layer.in_features), layer.weight.dtype)
    _require_device("spikes", spikes, layer)
    if state is None:
        state = initial_state(layer, spikes.shape[1])
    for name, x in (("v", state.v), *(state.plastic._asdict().items() if state.plastic else ())):
        _require_device(f"state's {name}", x, layer)
    if path == "reference":
        return _reference(layer, neuron, spikes, state)
    reason = obstacle(layer, neuron, spikes)
    if reason is None:
        return _backend(spikes).run(layer, neuron, spikes, state)
    if path == "fused":
        raise ValueError(f"path = 'fused': must be 'auto' or 'reference' where {reason}")
    _tell_once(reason)
    return _reference(layer, neuron, spikes, state)


def _require_device(name: str, x: Tensor, layer: nn.Module) -> None:
    where = layer.weight.device
    require(x.device == where, f"{name}.device", str(x.device), f"{str(where)!r}, the device of the weights")


@cache
def _tell_once(reason: str) -> None:
    log.warning("the fused path does not apply, taking the reference path: %s", reason)


def _backend(spikes: Tensor) -> ModuleType | None:
    """The package that runs what lies on the device of ``spikes``; None without one.

    It has ``missing``, ``obstacle``, ``run`` and ``integrate``.
    """
    name = BACKENDS.get(spikes.device.type)
    return name and import_module(f".{name}", __package__)


def obstacle(layer: nn.Module, neuron: nn.Module, spikes: Tensor) -> str | None:
    """Why the fused path cannot compute this, or None where it can."""
    backend = _backend(spikes)
    if backend is None:
        return f"the spikes are on {spikes.device}"
    return backend.missing() or _differs(layer, neuron) or backend.obstacle(layer, neuron, spikes)


def _differs(layer: nn.Module, neuron: nn.Module) -> str | None:
    """What of these is not as :mod:`spikepropamine.snn.layers` and snnTorch define it, or None."""
    obstacles = {
        f"the layer is a {type(layer).__name__}": not _computes_as(layer, PlasticLinear, "current", "step")
        and not _computes_as(layer, nn.Linear, "forward"),
        f"the neuron is a {type(neuron).__name__}": type(neuron) is not snntorch.Leaky,
    }
    if type(neuron) is snntorch.Leaky:
        obstacles |= {
            "the neuron's spike function is not layers.Spike": not isinstance(neuron.spike_grad, Spike),
            f"the neuron's reset is {neuron.reset_mechanism!r}": neuron.reset_mechanism != "subtract",
            "the neuron resets without delay": not neuron.reset_delay,
            "the neuron's β or threshold is learned": any(True for _ in neuron.parameters()),
            "the neurons differ in β or threshold": neuron.beta.numel() > 1 or neuron.threshold.numel() > 1,
            "the neuron has an option of snnTorch's that is not fused": bool(
                neuron.inhibition or neuron.state_quant or neuron.init_hidden
            )
            or bool((neuron.graded_spikes_factor != 1).any()),
        }
    return next((reason for reason, holds in obstacles.items() if holds), None)


def _computes_as(layer, kind: type, *methods: str) -> bool:
    """Whether ``layer`` is of ``kind`` and goes by its methods; parametrizations of its tensors do not matter."""
    return isinstance(layer, kind) and all(getattr(type(layer), name) is getattr(kind, name) for name in methods)


def _reference(layer, neuron, spikes: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
    v, plastic = state
    out = []
    for s_pre in spikes:
        current = layer(s_pre) if plastic is None else layer.current(s_pre, plastic)
        s_post, v = neuron(current, v)
        out.append(s_post)
        if plastic is not None:
            plastic = layer.step(s_pre, s_post, plastic)
    empty = spikes.new_zeros(0, spikes.shape[1], layer.out_features)
    return torch.stack(out) if out else empty, HiddenState(v, plastic)


def fire(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """The neurons alone, as :func:`spikepropamine.snn.layers.leaky` makes them.

    Returns:
        Spikes, (T, B, Q), of currents (T, B, Q), and the last potentials (B, Q).
    """
    spikes, _, v = _neurons(current, v, neuron)
    return spikes, v


def integrate(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """The leaky, non-spiking readout: potentials (T, B, C) and the last one (B, C).

    ``y[t] = β y[t−1] + I[t]`` with the β of ``neuron``.

    Raises:
        ValueError: a neuron whose reset is not "none".
    """
    require(neuron.reset_mechanism == "none", "reset_mechanism", neuron.reset_mechanism, "'none'")
    _, potentials, v = _neurons(current, v, neuron)
    return potentials, v


def _neurons(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes and potentials, (T, B, Q), and the last potentials."""
    backend = _backend(current)
    if backend is not None and backend.missing() is None and not neuron.beta.requires_grad:
        return backend.integrate(current, v, neuron)
    spikes, potentials = [], []
    for I in current:
        s, v = neuron(I, v)
        spikes.append(s)
        potentials.append(v)
    return (torch.stack(spikes), torch.stack(potentials), v) if spikes else (current, current, v)

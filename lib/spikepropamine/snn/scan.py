"""Running synapses and their neurons over time: one meaning, two paths.

:func:`scan` takes a layer (plastic or ``nn.Linear``), its neurons and spikes over T ticks.

``reference``
    a loop over ticks (:mod:`spikepropamine.snn.reference`): any rule, neuron and device, full autograd.
    This is the definition.
``fused``
    compiled code that computes the same numbers, with the backward pass derived by hand: a backend for
    each device (:mod:`spikepropamine.snn.fused` for the CPU, :mod:`spikepropamine.snn.gpu` for CUDA). Chosen
    whenever it applies.
"""

import logging
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from ..checks import (
    FLOATS,
    autocast,
    require,
    require_choice,
    require_count,
    require_finite,
    require_matrix,
    require_tensor,
    require_trackable,
)
from . import obstacles, reference
from .arguments import put_weights_in_place, require_constants, require_layer, require_neuron, require_state
from .compiling import left_alone
from .layers import PlasticLinear, PlasticState

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


torch.serialization.add_safe_globals([HiddenState, PlasticState])  # torch.load takes a state that was saved


def initial_state(layer: PlasticLinear | nn.Linear, batch_size: int) -> HiddenState:
    """The state before the first tick: everything zero."""
    require_count("batch_size", batch_size)
    require_matrix(("batch_size", batch_size), ("out_features", layer.out_features))
    plastic = layer.initial_state(batch_size) if isinstance(layer, PlasticLinear) else None
    return HiddenState(layer.weight.new_zeros(batch_size, layer.out_features), plastic)


@left_alone
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
        neuron: the neurons: ``snntorch.Leaky``, whose β and threshold may be learned, or ``snntorch.Lapicque``, or a module of
            your own that returns (spikes, v) of (current, v). Of snnTorch's one thread at a time makes a tick where the reference path runs.
        spikes: (T, B, P), of the weights' dtype and on their device, finite; T may be 0.
        state: where to start; zero where not given.
        path: "auto" takes the fused path where it applies; "reference" and "fused" insist. On a GPU the fused path has first
            derivatives alone. It can be recorded as a CUDA graph; values cannot be looked at meanwhile, so that what is not
            finite is found by the steps alone that PyTorch asks for before the recording.

    Returns:
        The spikes of the neurons, (T, B, Q), and the state after the last tick. Both carry
        gradients to every parameter of the layer and the neurons, the input spikes and the initial state.

    Raises:
        TypeError: spikes or a state that are no tensors or not of the weights' dtype; a layer or a neuron of another kind.
        ValueError: spikes or a state of the wrong shape, on another device or not finite; weights or constants of the neurons
            that are not finite; an unknown path; "fused" where it does not apply.
    """
    require_choice("path", path, PATHS)
    with reference.turn(layer if isinstance(layer, nn.Module) else None):
        return _scan(layer, neuron, spikes, state, path)


def _scan(
    layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky, spikes: Tensor, state: HiddenState | None, path: str
) -> tuple[Tensor, HiddenState]:
    if put_weights_in_place(layer):
        tell_once(
            "hooks of a PlasticLinear are not called, since it runs tick by tick: hook a PlasticLeaky, the neurons or the network"
        )
    parameters = require_layer(layer)
    require_neuron(neuron)
    weight = layer.weight
    constants = require_constants(neuron, layer.out_features, weight.dtype)
    require_tensor("spikes", spikes, ("T", "B", layer.in_features), weight.dtype, weight.device, finite=False)
    require(spikes.shape[1] > 0, "spikes.shape", tuple(spikes.shape), f"(T, B, {layer.in_features}) with B >= 1")
    values = {"spikes": spikes}
    if state is None:
        state = initial_state(layer, int(spikes.shape[1]))
    else:
        values |= require_state(layer, state, spikes.shape[1])
    require_trackable(values | parameters)
    require_finite(values | parameters | constants)
    if path == "reference":
        return reference.run(layer, neuron, spikes, state)
    reason = obstacle(layer, neuron, *values.values())
    if reason is None:
        return _backend(spikes).run(layer, neuron, spikes, state)
    if path == "fused":
        raise ValueError(f"path = 'fused': must be 'auto' or 'reference' where {reason}")
    tell_not_fused(reason)
    return reference.run(layer, neuron, spikes, state)


def fire(current: Tensor, v: Tensor, neuron: snntorch.Leaky, path: str = "auto") -> tuple[Tensor, Tensor]:
    """The neurons alone, such as :func:`spikepropamine.snn.layers.leaky` makes them.

    Args:
        current: (T, B, Q), of a floating-point dtype, finite.
        v: the potentials before the first tick, (B, Q), of the same dtype.
        neuron: as in :func:`scan`.
        path: as in :func:`scan`.

    Returns:
        Spikes, (T, B, Q), and the last potentials (B, Q).

    Raises:
        TypeError, ValueError: as :func:`scan` raises them.
    """
    spikes, _, v = _neurons(current, v, neuron, path, "subtract")
    return spikes, v


def integrate(current: Tensor, v: Tensor, neuron: snntorch.Leaky, path: str = "auto") -> tuple[Tensor, Tensor]:
    """The leaky, non-spiking readout: potentials (T, B, C) and the last one (B, C).

    ``y[t] = β y[t−1] + I[t]`` with the β of ``neuron``; arguments as in :func:`fire`.

    Raises:
        ValueError: a neuron whose reset is not "none".
    """
    require_neuron(neuron)
    reset = getattr(neuron, "reset_mechanism", None)
    require(reset == "none", "reset_mechanism", reset, "'none'")
    _, potentials, v = _neurons(current, v, neuron, path, "none")
    return potentials, v


@left_alone
def _neurons(
    current: Tensor, v: Tensor, neuron: snntorch.Leaky, path: str, reset: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes and potentials, (T, B, Q), and the last potentials."""
    require_choice("path", path, PATHS)
    require_neuron(neuron)
    require_tensor("current", current, ("T", "B", "Q"), getattr(current, "dtype", None), finite=False)
    if current.dtype not in FLOATS:
        raise TypeError(f"current has dtype {current.dtype}: must be one of {', '.join(map(str, FLOATS))}")
    require(current.shape[1] > 0, "current.shape", tuple(current.shape), "(T, B, Q) with B >= 1")
    # under autocast a layer gives a lower precision than the state's
    mixed = autocast(current) and isinstance(v, Tensor)
    require_tensor("v", v, tuple(current.shape[1:]), v.dtype if mixed else current.dtype, current.device, finite=False)
    constants = require_constants(neuron, current.shape[2], v.dtype)
    require_trackable({"current": current, "v": v})
    require_finite({"current": current, "v": v} | constants)
    if path == "reference":
        return reference.integrate(current, v, neuron)
    backend = _backend(current)
    if backend is None:
        reason: str | None = f"the current is on {current.device}"
    elif current.dtype not in (torch.float32, torch.float64):
        reason = f"the dtype is {current.dtype}"
    else:
        reason = backend.missing() or obstacles.of_setting(current, v) or obstacles.of_neuron(neuron, reset)
    if reason is None:
        return backend.integrate(current, v, neuron)
    require(path == "auto", "path", path, f"'auto' or 'reference' where {reason}")
    tell_not_fused(reason)
    return reference.integrate(current, v, neuron)


@cache
def tell_once(warning: str) -> None:
    """Log ``warning``, each once."""
    log.warning(warning)


def tell_not_fused(reason: str) -> None:
    """Log why the fused path is not taken, each reason once."""
    tell_once(f"the fused path does not apply, taking the reference path: {reason}")


def _backend(spikes: Tensor) -> Any:
    """The package that runs what lies on the device of ``spikes``; None without one.

    It has ``missing``, ``obstacle``, ``run`` and ``integrate``.
    """
    name = BACKENDS.get(spikes.device.type)
    return _package(name) if name else None


@cache
def _package(name: str) -> Any:
    return import_module(f".{name}", __package__)


def obstacle(layer: PlasticLinear | nn.Linear, neuron: nn.Module, spikes: Tensor, *others: Tensor) -> str | None:
    """Why the fused path cannot compute this, or None where it can; ``others`` are the tensors of the state."""
    backend = _backend(spikes)
    if backend is None:
        return f"the spikes are on {spikes.device}"
    return (
        backend.missing()
        or obstacles.of_setting(spikes, *others, layer.weight, *layer.parameters())
        or obstacles.of_layer(layer)
        or obstacles.of_neuron(neuron)
        or backend.obstacle(layer, neuron, spikes)
    )

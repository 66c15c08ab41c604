"""What ``scan``, ``fire`` and ``integrate`` are given: refused by name before any of it reaches compiled code."""

from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..checks import FLOATS, require, require_finite, require_tensor, require_trackable
from .layers import PlasticLinear, PlasticState, as_spikes
from .plasticity import Rule

# of snnTorch's neurons, those that are called as neuron(current, v) and return (spikes, v)
_NEURONS = (snntorch.Leaky, snntorch.Lapicque)


def require_neuron(neuron: Any) -> None:
    """Refuse neurons that are not called as ``neuron(current, v)``."""
    name = type(neuron).__name__
    theirs = isinstance(neuron, snntorch._neurons.SpikingNeuron)
    if not isinstance(neuron, nn.Module) or theirs and not isinstance(neuron, _NEURONS):
        raise TypeError(
            f"neuron = {name}: must be snntorch.Leaky, as spikepropamine.leaky makes it, snntorch.Lapicque, or an nn.Module of your own "
            "that returns (spikes, v) of (current, v)"
        )
    if theirs and neuron.init_hidden:
        raise ValueError(f"neuron.init_hidden = {neuron.init_hidden!r}: must be False, since state is passed")


def require_constants(neuron: nn.Module, neurons: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Refuse constants of snnTorch's neurons that would change the shape or the dtype of what they compute.

    Returns:
        Those that have to be finite, by name: all but a threshold, which infinity keeps from being reached.
    """
    if not isinstance(neuron, snntorch._neurons.SpikingNeuron):
        return {}
    values = {}
    for name in ("beta", "threshold", "graded_spikes_factor"):
        value = getattr(neuron, name, None)
        if isinstance(value, Tensor) and value.ndim:
            allowed = f"(), (1,) or ({neurons},), the neurons"
            require(value.shape in ((1,), (neurons,)), f"neuron.{name}.shape", tuple(value.shape), allowed)
            if torch.promote_types(value.dtype, dtype) != dtype:
                raise TypeError(f"neuron.{name} has dtype {value.dtype}: must be {dtype}, the dtype of the potentials")
        if isinstance(value, Tensor):
            # a threshold that is no number makes the clamped one no number either
            values[f"neuron.{name}"] = value.clamp(-1, 1) if name == "threshold" else value
    return values


def put_weights_in_place(layer: Any) -> bool:
    """Call the hooks by which pruning and the old weight_norm make a plastic layer's weights before each forward.

    Returns:
        Whether the layer has others, which nothing calls, since it is run tick by tick and never as a module.
    """
    if not isinstance(layer, PlasticLinear):
        return False
    others = [*layer._forward_hooks.values(), *layer._backward_hooks.values(), *layer._backward_pre_hooks.values()]
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, (BasePruningMethod, WeightNorm, SpectralNorm)):
            hook(layer, None)
        else:
            others.append(hook)
    return bool(others)


def require_layer(layer: Any, called: str = "layer") -> dict[str, Tensor]:
    """Refuse what is not a layer of synapses with one weight for each input and neuron; its parameters by name."""
    if not isinstance(layer, (nn.Linear, PlasticLinear)):
        raise TypeError(f"{called} = {type(layer).__name__}: must be an nn.Linear or a PlasticLinear")
    if layer.weight.dtype not in FLOATS:
        raise TypeError(f"{called}.weight has dtype {layer.weight.dtype}: must be one of {', '.join(map(str, FLOATS))}")
    weight, P, Q = layer.weight, layer.in_features, layer.out_features
    shapes: dict[str, tuple[int, ...]] = {"weight": (Q, P), "bias": (Q,)}
    plastic = isinstance(layer, PlasticLinear)
    if isinstance(layer, PlasticLinear):
        if not isinstance(layer.rule, Rule):
            raise TypeError(f"{called}.rule = {type(layer.rule).__name__}: must be a plasticity.Rule")
        tau = layer.rule.tau_theta
        slides = not isinstance(tau, (int, float)) or tau >= layer.dt
        require(slides, f"{called}.rule.tau_theta", tau, f"at least dt, {layer.dt:g} ms")
        shapes["alpha"] = (Q, P)
        if layer.modulated:
            shapes |= {"modulator_weight": (Q, Q), "modulator_bias": (Q,)}
    for name, shape in shapes.items():
        x = getattr(layer, name)
        if x is not None or plastic or name != "bias":
            require_tensor(f"{called}.{name}", x, shape, weight.dtype, weight.device, finite=False)
    parameters: dict[str, Tensor] = {f"{called}.{name}": x for name, x in layer.named_parameters()}
    for name, x in parameters.items():
        if x.dtype != weight.dtype or x.device != weight.device:
            require_tensor(name, x, tuple(x.shape), weight.dtype, weight.device, finite=False)
    return parameters


def require_state(layer: PlasticLinear | nn.Linear, state: Any, batch: int) -> dict[str, Tensor]:
    """Refuse a state that is not one of ``layer`` and ``batch``; its tensors by name, their values not looked at."""
    if getattr(state, "_fields", None) != ("v", "plastic"):
        raise TypeError(
            f"state is a {type(state).__name__}: must be a HiddenState, as scan returns and initial_state makes it"
        )
    weight, P, Q = layer.weight, layer.in_features, layer.out_features
    shapes: dict[str, tuple[int, ...]] = {"v": (batch, Q)}
    tensors = {"v": state.v}
    plastic = isinstance(layer, PlasticLinear)
    fits = getattr(state.plastic, "_fields", ()) == PlasticState._fields if plastic else state.plastic is None
    if not fits:
        allowed = "a PlasticState, since the layer is plastic" if plastic else "None, since the layer is not plastic"
        raise TypeError(f"state.plastic is a {type(state.plastic).__name__}: must be {allowed}")
    if plastic:
        shapes |= {"E": (batch, Q, P), "x_pre": (batch, P), "x_post": (batch, Q), "theta": (batch, Q)}
        tensors |= state.plastic._asdict()
    for name, x in tensors.items():
        require_tensor(f"state.{name}", x, shapes[name], weight.dtype, weight.device, finite=False)
    return {f"state.{name}": x for name, x in tensors.items()}


def require_readout(readout: Any, hidden: int) -> None:
    """Refuse a readout that is no ``nn.Linear`` of ``hidden`` neurons."""
    if not isinstance(readout, nn.Linear):
        raise TypeError(f"readout = {type(readout).__name__}: must be an nn.Linear")
    require_layer(readout, "readout")
    require(readout.in_features == hidden, "readout.in_features", readout.in_features, f"{hidden}, the hidden neurons")


def require_spikes(network: nn.Module, spikes: Any, inputs: int, hidden: int) -> Tensor:
    """``spikes`` in the dtype of the weights, once they and all that ``network`` has learned can be run over ticks."""
    readout: Any = network.readout
    require_readout(readout, hidden)
    weight = readout.weight
    spikes = as_spikes("spikes", spikes, weight.dtype)
    require_tensor("spikes", spikes, ("T", "B", inputs), weight.dtype, weight.device, finite=False)
    require(spikes.shape[1] > 0, "spikes.shape", tuple(spikes.shape), f"(T, B, {inputs}) with B >= 1")
    values = {"spikes": spikes, **dict(network.named_parameters())}
    require_trackable(values)
    require_finite(values)
    return spikes

"""Where the fused paths step aside: what they would not compute as the reference path does, each with its reason."""

import math
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import snntorch
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from ..checks import autocast, recording
from . import formulas
from .fused.compiler import missing
from .layers import PlasticLinear
from .plasticity import Rule
from .surrogates import fast_sigmoid_slope

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL_HOOKS = tuple(f"_global{name}" for name in _HOOKS)


def of_setting(*tensors: Tensor) -> str | None:
    """What PyTorch does meanwhile that compiled code would take no part in, or None."""
    if autocast(tensors[0]):
        return "autocast is on"
    if torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack():
        return "PyTorch traces or watches every operation"
    transformed = transform()
    if transformed is not None:
        return transformed
    of_all = vars(nn.modules.module)
    if any([of_all[name] for name in _GLOBAL_HOOKS]):
        return "a hook is registered for all modules"
    for x in tensors:
        if type(x) not in (Tensor, nn.Parameter):
            return f"a tensor is a {type(x).__name__}"
        if x.is_neg():
            return "a tensor is a negated view, which resolve_neg makes plain"
    return None


def transform() -> str | None:
    """What PyTorch does to whole functions meanwhile, or None."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "torch.func transforms the call"
    return "forward-mode differentiation is on" if forward_ad._current_level >= 0 else None


def to_compiled(tensors: Sequence[Tensor], modules: Iterable[nn.Module]) -> str | None:
    """Why compiled code on the CPU cannot stand in for operations on ``tensors`` that call ``modules``, or None."""
    other = next((x for x in tensors if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64)), None)
    if other is not None:
        return f"a tensor is {other.dtype} on {other.device}"
    return missing() or of_setting(*tensors) or of_hooks(*modules)


def of_layer(layer: nn.Module) -> str | None:
    """What of ``layer`` is not as its class defines it, or None; parametrizations of its tensors do not matter."""
    if isinstance(layer, PlasticLinear):
        if not computes_as(layer, PlasticLinear, "current", "modulator", "step"):
            return f"the layer is a {type(layer).__name__} with methods of its own"
        return _of_rule(layer.rule) or _of_constants(layer)
    if not isinstance(layer, nn.Linear) or not computes_as(layer, nn.Linear, "forward", "__call__"):
        return f"the layer is a {type(layer).__name__}"
    return of_hooks(layer)


def _of_rule(rule: Rule) -> str | None:
    if not computes_as(rule, Rule, "update", "advance"):
        return "the rule has an update of its own"
    names = ("coefficients", "slopes", "decays")
    if any(name in vars(rule) for name in names):
        return "the rule has coefficients of its own, not its class's"
    missing = next((name for name in names if not hasattr(type(rule), name)), None)
    if missing:
        return f"the rule has no {missing}"
    owners = [next(k for k, kind in enumerate(type(rule).__mro__) if name in vars(kind)) for name in names]
    if owners[0] < max(owners[1:]):
        return "the rule has coefficients of its own but inherits their slopes or whether they decay"
    return formulas.obstacle(type(rule))


def _of_constants(layer: PlasticLinear) -> str | None:
    rule, dtype = layer.rule, layer.bias.dtype
    eta, most = rule.eta, torch.finfo(dtype).max
    if not isinstance(eta, Tensor) or eta.ndim or eta.dtype != dtype:
        return "the rule's η is no single number of the weights' dtype"
    constants = {"e_max": layer.e_max, "trace_decay": layer.trace_decay, "theta_step": rule.theta_step(layer.dt)}
    for name, value in constants.items():
        if not isinstance(value, (int, float)) or not abs(value) <= most or name == "e_max" and value < 0:
            return f"{name} of the layer is no plain number that {dtype} holds" + (", >= 0" if name == "e_max" else "")
    return None


def of_neuron(neuron: Any, reset: str = "subtract", kind: Any = snntorch.Leaky) -> str | None:
    """What of ``neuron``, of snnTorch's ``kind``, compiled code does not compute, or None; ``reset`` is "none" for the readout."""
    if type(neuron) is not kind:
        return f"the neuron is a {type(neuron).__name__}"
    state_function = getattr(kind, "_base_int" if reset == "none" else "_base_sub")
    if neuron.reset_mechanism != reset or getattr(neuron.state_function, "__func__", None) is not state_function:
        return f"the neuron's reset is {neuron.reset_mechanism!r}"
    if not neuron.reset_delay:
        return "the neuron resets without delay"
    beta, threshold, factor = neuron.beta, neuron.threshold, neuron.graded_spikes_factor
    if factor.requires_grad or isinstance(factor, nn.Parameter):
        return "the factor of the neuron's spikes is learned"
    if any(x.numel() != 1 or x.ndim > 1 for x in (beta, threshold, factor)):
        return "the neurons differ in β or threshold"
    if neuron.inhibition or neuron.state_quant or neuron.init_hidden:
        return "the neuron has an option of snnTorch's that is not fused"
    if not computes_as(neuron, kind, "forward", "__call__", "fire", "mem_reset", "_base_state_function"):
        return "the neuron has methods of its own"
    return _of_values(neuron) or of_hooks(neuron) or (of_surrogate(neuron) if reset != "none" else None)


# of neurons on a GPU, what their values said when they were last read
_READ: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


def _of_values(neuron: Any) -> str | None:
    """What the values of a neuron's constants say, or None; while a CUDA graph is recorded, what they said before it."""
    if recording():
        return _READ.get(neuron, "a CUDA graph is recorded with neurons that have not run before")
    reason = None
    if neuron.reset_mechanism != "none" and not math.isfinite(neuron.threshold.item()):
        reason = "the neuron's threshold is not finite"
    elif neuron.graded_spikes_factor.item() != 1:
        reason = "the neuron's spikes are graded"
    if neuron.threshold.is_cuda:
        _READ[neuron] = reason
    return reason


def of_surrogate(neuron: Any) -> str | None:
    """Why compiled code does not know the surrogate gradient of ``neuron``, or None."""
    function = neuron.spike_grad
    if fast_sigmoid_slope(function) is None:
        name = getattr(function, "__qualname__", type(function).__name__).split(".")[0]
        return (
            f"the neuron's spike function is {name} (spikepropamine.leaky makes neurons that are fused, and so does"
            " snntorch.Leaky with spike_grad=snntorch.surrogate.fast_sigmoid())"
        )
    if neuron.beta.dtype == torch.float64 and getattr(function, "__module__", None) == "snntorch.surrogate":
        return "snnTorch's fast_sigmoid makes float32 of float64 (spikepropamine.snn.layers.Spike keeps it)"
    return None


def of_methods(module: nn.Module, kinds: Iterable[type[nn.Module]], *methods: str) -> str | None:
    """Whether ``module`` goes by other ``methods`` than the nearest of ``kinds`` that it is of; None where it does not."""
    known = tuple(kinds)
    kind = next((kind for kind in type(module).__mro__ if kind in known), None)
    alike = kind is not None and computes_as(module, kind, *methods)
    return None if alike else f"the {type(module).__name__} has methods of its own"


def computes_as(module: nn.Module, kind: type, *methods: str) -> bool:
    """Whether ``module`` is of ``kind`` and goes by its methods."""
    its, own = type(module), vars(module)
    if not isinstance(module, kind) or not own.keys().isdisjoint(methods):
        return False
    return its is kind or all(getattr(its, name, None) is getattr(kind, name, None) for name in methods)


def of_hooks(*modules: nn.Module) -> str | None:
    """Which hooks these have, that would be called with all ticks at once or not at all; None where there are none."""
    for module in modules:
        for name in _HOOKS:
            if getattr(module, name):
                return f"the {type(module).__name__} has {name.strip('_').replace('_', ' ')}"
    return None

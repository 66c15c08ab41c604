"""The fused path on the CPU: compiled kernels with hand-derived backward passes.

:func:`obstacle` and :func:`run` are what :func:`spikepropamine.snn.scan.scan` asks of a backend; both trust that the
layer and the neurons compute by their class's own methods and that every size fits, which ``scan`` has checked.
"""

from collections.abc import Callable
from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import PlasticLinear, PlasticState
from ..leak_gradients import constants
from .autograd import LeakyScan, Learned, PlasticScan, Prepared, leak, run_leaky
from .compiler import missing
from .structures import State

__all__ = ["integrate", "missing", "obstacle", "prepare", "run"]


def obstacle(layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky, spikes: Tensor) -> str | None:
    """Why this backend cannot compute what ``scan`` asks for, or None where it can."""
    if spikes.dtype not in (torch.float32, torch.float64):
        return f"the dtype is {spikes.dtype}"
    return None


def run(layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky, spikes: Tensor, state: Any) -> tuple[Tensor, Any]:
    """The spikes of ``neuron``, (T, B, Q), and the last state, of the make of ``state``, a ``scan.HiddenState``."""
    if isinstance(layer, nn.Linear):
        out, _, v = integrate(layer(spikes), state.v, neuron)
        return out, state._replace(v=v)
    learned, E, *traces = Learned.of(layer, neuron), *state.plastic
    start = State(E, state.v, *traces)
    inputs = (spikes, *learned, *start)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs):
        out, *last = PlasticScan.apply(layer, neuron, *inputs)
    else:
        out, last, *_ = Prepared(layer, neuron, learned).run(spikes, start)
    return out, _hidden(state, State(*last))


def integrate(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor, Tensor]:
    """The neurons alone: spikes and potentials, (T, B, Q), of currents (T, B, Q), and the last potentials, (B, Q)."""
    return LeakyScan.apply(neuron, current, v, *constants(neuron))


def prepare(layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """:func:`run` of spikes and state alone, without gradients, with the weights that ``layer`` has now laid out once."""
    if isinstance(layer, nn.Linear):
        leaking, weight = leak(neuron, layer.weight), layer.weight.detach()
        bias = None if layer.bias is None else layer.bias.detach()

        def run(spikes: Tensor, state: Any) -> tuple[Tensor, Any]:
            out, _, v = run_leaky(F.linear(spikes, weight, bias), state.v, leaking)
            return out, state._replace(v=v)

    else:
        prepared = Prepared(layer, neuron)

        def run(spikes: Tensor, state: Any) -> tuple[Tensor, Any]:
            E, *traces = state.plastic
            out, last, *_ = prepared.run(spikes, State(E, state.v, *traces))
            return out, _hidden(state, last)

    return run


def _hidden(state: Any, last: State) -> Any:
    return state._replace(v=last.v, plastic=PlasticState(last.E, last.x_pre, last.x_post, last.theta))

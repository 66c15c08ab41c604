"""The fused path on a GPU: Triton kernels with hand-derived backward passes.

:func:`obstacle` and :func:`run` are what :func:`spikepropamine.snn.scan.scan` asks of a backend; both trust that the
layer and the neurons compute by their class's own methods, which ``scan`` has checked. Triton comes with PyTorch's
builds for CUDA and is imported where it is needed, not before. First derivatives alone: PyTorch refuses a second one here
(``path="reference"`` has them, and so has the CPU).
"""

from importlib.util import find_spec
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from ..layers import PlasticLinear
from ..plasticity import Rule
from .sizes import tiles

__all__ = ["integrate", "missing", "obstacle", "run"]


def missing() -> str | None:
    """What this backend lacks on this machine, or None."""
    return None if find_spec("triton") else "Triton is not installed (pip install --no-deps triton)"


def obstacle(layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky, spikes: Tensor) -> str | None:
    """Why this backend cannot compute what ``scan`` asks for, or None where it can."""
    if spikes.dtype not in (torch.float32, torch.float64):
        return f"the dtype is {spikes.dtype}"
    if isinstance(layer, nn.Linear):
        return None
    rule = type(layer.rule)
    if rule.update is not Rule.update or rule.advance is not Rule.advance:
        return "the rule has an update of its own"
    if tiles(layer.in_features, layer.out_features, spikes.shape[1], layer.modulated, spikes.itemsize) is None:
        whose = "all modulated neurons" if layer.modulated else "a neuron"
        return f"E of {whose} of a layer {layer.in_features} → {layer.out_features} does not fit on the chip"
    return None


def run(layer: PlasticLinear | nn.Linear, neuron: snntorch.Leaky, spikes: Tensor, state: Any) -> tuple[Tensor, Any]:
    """The spikes of ``neuron``, (T, B, Q), and the last state, of the make of ``state``, a ``scan.HiddenState``."""
    if isinstance(layer, nn.Linear):
        out, _, v = integrate(layer(spikes), state.v, neuron)
        return out, state._replace(v=v)
    from . import autograd

    out, v, plastic = autograd.plastic_scan(layer, neuron, spikes, state.v, state.plastic)
    return out, state._replace(v=v, plastic=plastic)


def integrate(current: Tensor, v: Tensor, neuron: snntorch.Leaky) -> tuple[Tensor, Tensor, Tensor]:
    """The neurons alone: spikes and potentials, (T, B, Q), of currents (T, B, Q), and the last potentials, (B, Q).

    Neurons whose reset is "none" are the leaky readout, which does not spike.
    """
    from . import autograd

    return autograd.leaky_scan(current, v, neuron)

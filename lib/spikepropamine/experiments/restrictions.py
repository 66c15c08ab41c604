"""What a plastic network need not learn: the same network, trained with one part of it held fixed from the start.

What a network that did learn relies on while it runs: :mod:`spikepropamine.experiments.ablations`.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checks import require, require_choice
from ..snn.layers import PlasticLinear, PlasticState
from ..snn.networks import SpikingNetwork

RESTRICTIONS = ("α at 0", "W at 0", "η", "one α")  # of round one
HELD = (*RESTRICTIONS, "W", "α", "V", "V at 0", "smooth bound")
GATE_AT_START = 1.0  # c where V is at 0: M = tanh(1) = 0.76


class _OneForAll(nn.Module):
    """A matrix of one number, learned once."""

    def __init__(self, shape: torch.Size):
        super().__init__()
        self.shape = shape

    def forward(self, number: Tensor) -> Tensor:
        return number.expand(self.shape)

    def right_inverse(self, matrix: Tensor) -> Tensor:
        return matrix.abs().mean().reshape(1, 1)


def smoothly_bounded_current(layer: PlasticLinear, bound: float, spikes: Tensor, state: PlasticState) -> Tensor:
    """The current into the neurons where a synapse acts by E_max tanh(E / E_max) of an efficacy E that is not bounded.

    An update then counts the less the nearer the efficacy is to its bound: by 1 − (E' / E_max)², E' what acts.
    """
    # I_j = b_j + Σ_i (W_ji + α_ji E_max tanh(E_ji / E_max)) s_i
    return PlasticLinear.current(layer, spikes, state._replace(E=bound * torch.tanh(state.E / bound)))


def restrict(network: SpikingNetwork, held: str) -> SpikingNetwork:
    """``network``, a plastic one, with a part held fixed, or put otherwise, before it is trained; in place.

    Args:
        network: as :func:`~spikepropamine.snn.networks.build` makes it.
        held: one of HELD. "W", "α", "η": these stay where they start. "α at 0": no plasticity, the fixed weights alone.
            "W at 0": plasticity alone. "one α": all synapses share one α, which starts at the mean of |α|. "V": V and c stay
            where they start, so that a gate of random weights is left. "V at 0": each neuron learns a constant gate,
            M_j = tanh(c_j), which starts at tanh(GATE_AT_START). "smooth bound": :func:`smoothly_bounded_current` in place of
            the clip, on the reference path.

    Raises:
        ValueError: an unknown restriction, a network that has nothing plastic, or no V to hold.
    """
    require_choice("held", held, HELD)
    layer = network.synapses
    require(isinstance(layer, PlasticLinear), "network", type(layer).__name__, "one with plastic synapses")
    if held == "one α":
        parametrize.register_parametrization(layer, "alpha", _OneForAll(layer.alpha.shape))
        return network
    if held == "η":
        layer.rule.requires_grad_(False)
        return network
    if held == "smooth bound":
        layer.current = partial(smoothly_bounded_current, layer, layer.e_max)
        layer.e_max = math.inf
        return network
    if held.startswith("V"):
        require(layer.modulated, "network", "not modulated", f"modulated for held = {held!r}")
        if held == "V at 0":
            nn.init.constant_(layer.modulator_bias, GATE_AT_START)
        else:
            layer.modulator_bias.requires_grad_(False)
    parameter = {"α": layer.alpha, "W": layer.weight, "V": getattr(layer, "modulator_weight", None)}[held[0]]
    if held.endswith("at 0"):
        nn.init.zeros_(parameter)
    parameter.requires_grad_(False)
    return network

"""What a plastic network need not learn: the same network, trained with one part of it held fixed from the start.

What a network that did learn relies on while it runs: :mod:`spikepropamine.experiments.ablations`.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checks import require, require_choice
from ..snn.layers import PlasticLinear
from ..snn.networks import SpikingNetwork

RESTRICTIONS = ("α at 0", "W at 0", "η", "one α")


class _OneForAll(nn.Module):
    """A matrix of one number, learned once."""

    def __init__(self, shape: torch.Size):
        super().__init__()
        self.shape = shape

    def forward(self, number: Tensor) -> Tensor:
        return number.expand(self.shape)

    def right_inverse(self, matrix: Tensor) -> Tensor:
        return matrix.abs().mean().reshape(1, 1)


def restrict(network: SpikingNetwork, held: str) -> SpikingNetwork:
    """``network``, a plastic one, with a part held fixed before it is trained; in place.

    Args:
        network: as :func:`networks.build` makes it.
        held: one of RESTRICTIONS. "α at 0": no plasticity, the fixed weights alone. "η": the rule's rate stays where
            it starts. "one α": all synapses share one α, which starts at the mean of |α|. "W at 0": plasticity alone.

    Raises:
        ValueError: an unknown restriction, or a network that has nothing plastic.
    """
    require_choice("held", held, RESTRICTIONS)
    layer = network.synapses
    require(isinstance(layer, PlasticLinear), "network", type(layer).__name__, "one with plastic synapses")
    if held == "one α":
        parametrize.register_parametrization(layer, "alpha", _OneForAll(layer.alpha.shape))
        return network
    if held == "η":
        layer.rule.requires_grad_(False)
        return network
    parameter = {"α at 0": layer.alpha, "W at 0": layer.weight}[held]
    nn.init.zeros_(parameter)
    parameter.requires_grad_(False)
    return network

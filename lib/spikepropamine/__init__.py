"""Differentiable plasticity in spiking neural networks, on snnTorch's neurons.

Start at :func:`spikepropamine.build`; the equations are in :mod:`spikepropamine.snn.plasticity` and
:mod:`spikepropamine.snn.layers`, how they run over time in :mod:`spikepropamine.snn.scan`.
"""

import sys

from .snn import layers, networks, plasticity, scan
from .snn.layers import PlasticLinear, PlasticState, leaky
from .snn.networks import NETWORKS, NetworkOptions, SpikingNetwork, build
from .snn.plasticity import BCM, RULES, STDP, Hebb, Oja, Rule, bcm, hebb, make_rule, oja, stdp

__all__ = [
    "BCM",
    "NETWORKS",
    "RULES",
    "STDP",
    "Hebb",
    "NetworkOptions",
    "Oja",
    "PlasticLinear",
    "PlasticState",
    "Rule",
    "SpikingNetwork",
    "bcm",
    "build",
    "hebb",
    "leaky",
    "make_rule",
    "oja",
    "stdp",
]

# where these were before they had a room, and where code of others may look for them still
for _module in (layers, networks, plasticity, scan):
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module

"""Differentiable plasticity in spiking neural networks, on snnTorch's neurons.

Start at :func:`spikepropamine.build`; the equations are in :mod:`spikepropamine.snn.plasticity` and
:mod:`spikepropamine.snn.layers`, how they run over time in :mod:`spikepropamine.snn.scan`.
"""

import sys

from .snn import layers, networks, plasticity, scan
from .snn.layers import PlasticLinear, PlasticState, leaky
from .snn.networks import NETWORKS, NetworkOptions, SpikingNetwork, build
from .snn.plastic_leaky import PlasticLeaky
from .snn.plasticity import BCM, RULES, STDP, Hebb, Oja, Rule, bcm, hebb, make_rule, oja, stdp

__all__ = [
    "BCM",
    "NETWORKS",
    "RULES",
    "STDP",
    "Hebb",
    "NetworkOptions",
    "Oja",
    "PlasticLeaky",
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


def __getattr__(name: str):
    # the small library does not need what reads published records
    if name == "load_pretrained":
        try:
            from .experiments.pretrained import load_pretrained
        except ModuleNotFoundError as error:
            raise ImportError(f"load_pretrained needs {error.name}: pip install 'spikepropamine[walk]'") from error
        return load_pretrained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "load_pretrained"]


# where these were before they had a room, and where code of others may look for them still
for _module in (layers, networks, plasticity, scan):
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module

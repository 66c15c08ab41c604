"""The definition of a layer over time: a loop over ticks that calls the layer's methods and the neuron; any device."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .layers import PlasticLinear


def run(layer: PlasticLinear | nn.Linear, neuron: nn.Module, spikes: Tensor, state: Any) -> tuple[Tensor, Any]:
    """The spikes of ``neuron``, (T, B, Q), and the last state, of the make of ``state``, a ``scan.HiddenState``."""
    v, plastic = state
    out = []
    with tidy(neuron, layer):
        for s_pre in spikes:
            if isinstance(layer, PlasticLinear):
                s_post, v = _tick(neuron, layer.current(s_pre, plastic), v)
                plastic = layer.step(s_pre, s_post, plastic)
            else:
                s_post, v = _tick(neuron, layer(s_pre), v)
            out.append(s_post)
    empty = spikes.new_zeros(0, spikes.shape[1], layer.out_features)
    return torch.stack(out) if out else empty, state._replace(v=v, plastic=plastic)


def integrate(current: Tensor, v: Tensor, neuron: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """The neurons alone: spikes and potentials, (T, B, Q), of currents (T, B, Q), and the last potentials, (B, Q)."""
    spikes, potentials = [], []
    with tidy(neuron):
        for I in current:
            s, v = _tick(neuron, I, v)
            spikes.append(s)
            potentials.append(v)
    return (torch.stack(spikes), torch.stack(potentials), v) if spikes else (current, current, v)


def _tick(neuron: nn.Module, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    result = neuron(current, v)
    if not isinstance(result, tuple) or len(result) != 2:
        found = f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
        raise TypeError(
            f"neuron = {type(neuron).__name__}: must return (spikes, v) of (current, v), as snntorch.Leaky does; it returned {found}"
        )
    for name, x in zip(("spikes", "v"), result):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"neuron = {type(neuron).__name__}: must return tensors (spikes, v) of (current, v); its {name} is a {type(x).__name__}"
            )
    # snnTorch's surrogates return float32 whatever they are given
    spikes, after = (x.to(v.dtype) if x.is_floating_point() else x for x in result)
    return spikes, after


# One thread at a time: snnTorch's neuron works through attributes of its own, and parametrize.cached is of the whole process.
_lock = threading.RLock()
_LEFT_BEHIND = ("mem", "spk", "reset")  # what snnTorch's neuron keeps of a tick


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


# whoever holds the lock is not there in a forked process
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _parametrized(layer: nn.Module | None) -> bool:
    return layer is not None and any(map(parametrize.is_parametrized, layer.modules()))


def turn(layer: nn.Module | None) -> AbstractContextManager:
    """Waits for the turn of a ``layer`` with parametrized tensors, which another thread must not read meanwhile."""
    return _lock if _parametrized(layer) else nullcontext()


@contextmanager
def tidy(neuron: nn.Module, layer: nn.Module | None = None) -> Iterator[None]:
    """Parametrized tensors are computed once; snnTorch's neuron does not keep what it saw last, and serves one thread at a time.

    It would hold the whole graph with it, and then could be neither copied nor saved.
    """
    theirs, computed = isinstance(neuron, snntorch._neurons.SpikingNeuron), _parametrized(layer)
    with ExitStack() as stack:
        if theirs or computed:
            stack.enter_context(_lock)
        if computed:
            stack.enter_context(parametrize.cached())
        kept = {name: getattr(neuron, name) for name in _LEFT_BEHIND if theirs and hasattr(neuron, name)}
        try:
            yield
        finally:
            for name in _LEFT_BEHIND if theirs else ():
                if name in kept:
                    setattr(neuron, name, kept[name])
                elif hasattr(neuron, name):
                    delattr(neuron, name)

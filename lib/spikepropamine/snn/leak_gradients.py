"""How a loss depends on β and the threshold of leaky neurons, from what a fused path's backward leaves behind.

With λ[t] = ∂L/∂v[t], which is also the gradient by the current I[t], and g[t] what reaches v[t] by way of its own spike,

    v[t] = β v[t−1] + I[t] − [v[t−1] > ϑ] ϑ,  s[t] = [v[t] > ϑ],
    ∂L/∂β = Σ λ[t] v[t−1],  ∂L/∂ϑ = −Σ g[t] − Σ λ[t] [v[t−1] > ϑ].

The jump of the reset passes no gradient, as in snnTorch; its height, which is ϑ, does.
"""

import copy
import types

import snntorch
import torch
from torch import Tensor


def constants(neuron: snntorch.Leaky) -> tuple[Tensor, Tensor]:
    """β, which snnTorch holds within 0 and 1 where it uses it, and the threshold: tensors that gradients reach if they are learned.

    Both are new tensors, which whoever writes to the neuron's own does not reach.
    """
    return neuron.beta.clamp(0, 1), neuron.threshold.clone()


def with_constants(neuron: snntorch.Leaky, beta: Tensor, threshold: Tensor) -> snntorch.Leaky:
    """A stand-in for ``neuron`` with β and a threshold that are given, parts of whoever's graph they belong to."""
    stand_in = copy.copy(neuron)
    stand_in._parameters = {}
    stand_in._buffers = {**neuron._buffers, "beta": beta, "threshold": threshold}
    # snnTorch binds it to the neuron that it was made for
    stand_in.state_function = types.MethodType(neuron.state_function.__func__, stand_in)
    return stand_in


def by_leak(
    grad_current: Tensor,
    potential: Tensor,
    v: Tensor,
    beta: Tensor,
    threshold: Tensor,
    grad_last: Tensor,
    grad_potential: Tensor | None = None,
    spiking: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """The gradients by β and by the threshold of neurons that share both, each in its constant's shape.

    Args:
        grad_current: λ, (T, B, Q).
        potential: v[t], (T, B, Q).
        v: the potentials before the first tick, (B, Q).
        beta, threshold: of the neurons, tensors of one number each.
        grad_last: the loss's own gradient by the last potentials, (B, Q).
        grad_potential: likewise by the potentials of all ticks, (T, B, Q); none where not given.
        spiking: whether they spike; no loss depends on the threshold of those that do not.
    """
    if len(potential) == 0:
        return torch.zeros_like(beta), torch.zeros_like(threshold) if spiking else None
    before = torch.cat([v.unsqueeze(0), potential[:-1]])
    by_beta = _total(grad_current * before).to(beta).reshape(beta.shape)
    if not spiking:
        return by_beta, None
    # λ[t] = β λ[t+1] + g[t] + what the loss asks of v[t] itself
    by_spikes = _total(grad_current) - beta * _total(grad_current[1:]) - _total(grad_last)
    if grad_potential is not None:
        by_spikes = by_spikes - _total(grad_potential)
    by_threshold = -by_spikes - _total(grad_current * (before > threshold))
    return by_beta, by_threshold.to(threshold).reshape(threshold.shape)


def _total(x: Tensor) -> Tensor:
    # one axis at a time, so that the number of threads changes no bit
    while x.ndim:
        x = x.sum(0)
    return x

"""What the kernels of the fused path are given, by name: arrays in compiled code, tensors outside.

The layout of the arrays is that of :mod:`spikepropamine.snn.fused.kernels`.
"""

from typing import NamedTuple

import numpy as np
from torch import Tensor


class Block(NamedTuple):
    """Neighbouring batch members that one thread runs."""

    start: int
    stop: int
    place: int  # of the block, where its gradients are added up


class Sizes(NamedTuple):
    """How many of each there are."""

    ticks: int
    batch: int
    inputs: int  # P
    neurons: int  # Q before it is padded
    stride: int  # ticks between checkpoints


class Weights(NamedTuple):
    """What is learned, laid out."""

    W: np.ndarray  # in columns, as α
    alpha: np.ndarray
    bias: np.ndarray  # (Q,)
    V: np.ndarray  # (neurons, Q), presynaptic first; its transpose in columns for the backward
    c: np.ndarray  # (Q,)
    modulated: bool  # whether V and c are used


class Constants(NamedTuple):
    """Numbers of the weights' dtype."""

    eta: np.floating
    beta: np.floating
    threshold: np.floating
    steepness: np.floating  # k of the surrogate
    keep_trace: np.floating  # λ
    theta_step: np.floating  # dt/τ_θ
    e_max: np.floating


class Leak(NamedTuple):
    """What neurons alone need, numbers of the current's dtype; they never spike where the threshold is infinite."""

    beta: np.floating
    threshold: np.floating
    steepness: np.floating


class State(NamedTuple):
    """The state of all batch members, or its gradient, batch first: arrays in the kernels, tensors outside."""

    E: np.ndarray | Tensor  # (B, P, Q)
    v: np.ndarray | Tensor
    x_pre: np.ndarray | Tensor  # (B, P)
    x_post: np.ndarray | Tensor
    theta: np.ndarray | Tensor


class History(NamedTuple):
    """What goes in and what happened at each tick, arrays in the kernels, tensors outside; what the backward needs of it may be left empty otherwise."""

    spikes: np.ndarray | Tensor  # (T, B, P)
    out: np.ndarray | Tensor  # (T, B, Q)
    potential: np.ndarray | Tensor  # (B, T, Q)
    gates: np.ndarray | Tensor  # (B, T, Q): M
    checkpoints: np.ndarray | Tensor  # (B, segments) of E in columns, x_pre, x_post and theta


class Gradients(NamedTuple):
    """What comes in, ``out`` and ``state``, and what comes out; those of the weights with an axis of blocks first."""

    out: np.ndarray | Tensor  # (T, B, Q)
    state: State
    spikes: np.ndarray | Tensor  # (T, B, P), as state.x_pre filled only where inputs are tracked
    W: np.ndarray | Tensor  # in columns, as α
    alpha: np.ndarray | Tensor
    bias: np.ndarray | Tensor
    V: np.ndarray | Tensor  # (neurons, Q), presynaptic first
    c: np.ndarray | Tensor
    eta: np.ndarray | Tensor  # (Q,), to be summed
    current: np.ndarray | Tensor  # (T, B, Q), filled only where neurons are tracked
    track_inputs: bool
    track_neurons: bool


class Scratch(NamedTuple):
    """What a thread works on."""

    active: np.ndarray  # indices of spikes
    rows: np.ndarray  # four of Q
    columns: np.ndarray  # one of P Q: E or its gradient


class Segment(NamedTuple):
    """The ticks between two checkpoints, computed once more: row k + 1 holds what the segment's tick k leaves behind."""

    x_pre: np.ndarray
    x_post: np.ndarray
    theta: np.ndarray
    growth: np.ndarray
    keep: np.ndarray
    E: np.ndarray
    clipped: np.ndarray  # whether tick k clipped anything, at the first neuron of each Lanes

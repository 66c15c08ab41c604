"""Memory that compiled code works on: flat arrays over tensors, neurons filled up to whole Lanes, copies to overwrite."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import simd


def numpy_views(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    """Flat arrays on the tensors' memory, or on a copy of one that is not contiguous."""
    return tuple((x.detach() if x.requires_grad else x).contiguous().numpy().reshape(-1) for x in tensors)


def copies(*tensors: Tensor) -> list[Tensor]:
    """Contiguous copies without gradients, for compiled code to overwrite."""
    return [(x.detach() if x.requires_grad else x).clone(memory_format=torch.contiguous_format) for x in tensors]


def scalar_type(x: Tensor) -> type[np.generic]:
    """NumPy's type of one number of ``x``."""
    return np.float32 if x.dtype == torch.float32 else np.float64


def aligned(size: int, dtype: type[np.generic]) -> np.ndarray:
    """An empty array that starts on a cache line: a vector that straddles two lines costs twice as much."""
    raw = np.empty(size + simd.BYTES, dtype)
    start = (-raw.ctypes.data % simd.BYTES) // raw.itemsize
    return raw[start : start + size]


# ---------------------------------------------------------------- from a forward to its backward


def keep(ctx: Any, *tensors: Tensor | None) -> None:
    """Save ``tensors`` for a backward pass that takes them from :func:`kept`."""
    ctx.save_for_backward(*tensors)
    ctx.kept = [None if x is None else (x.shape, x.dtype, x.device) for x in tensors]


def kept(ctx: Any) -> tuple[Tensor | None, ...]:
    """What :func:`keep` saved; refused where it has become something else since, by ``.data`` or a saved-tensor hook."""
    saved = ctx.saved_tensors  # once: a checkpoint unpacks each time
    for x, before in zip(saved, ctx.kept):
        now = None if x is None else (x.shape, x.dtype, x.device)
        if now != before:
            said, was = (" and ".join(map(str, (tuple(one[0]), *one[1:]))) for one in (now or ("none",), before))
            raise RuntimeError(f"a tensor saved for the backward pass = {said}: must be {was}, as in the forward pass")
    return saved


# ---------------------------------------------------------------- neurons in whole Lanes


def padded(neurons: int, itemsize: int) -> int:
    """``neurons`` rounded up to whole Lanes of numbers of ``itemsize`` bytes."""
    width = simd.BYTES // itemsize
    return -(-neurons // width) * width


def pad(x: Tensor) -> Tensor:
    """The last axis, of neurons, filled up with zeros to whole Lanes; contiguous."""
    missing = padded(x.shape[-1], x.itemsize) - x.shape[-1]
    return (F.pad(x, (0, missing)) if missing else x).contiguous()


def columns(x: Tensor) -> Tensor:
    """(P, Q) laid out in columns, (Q/w, P, w), as :mod:`spikepropamine.snn.fused.kernels` describes."""
    return pad(x).unflatten(1, (-1, padded(1, x.itemsize))).transpose(0, 1)


def from_columns(x: Tensor, inputs: int, neurons: int) -> Tensor:
    """The inverse of :func:`columns`, transposed: (Q, P)."""
    return x.view(-1, inputs, padded(1, x.itemsize)).transpose(1, 2).reshape(-1, inputs)[:neurons]


def square(x: Tensor, neurons: int) -> Tensor:
    """The last axis, P Q with Q padded, as two without the padding: (..., P, Q)."""
    return unpadded(x.unflatten(-1, (-1, padded(neurons, x.itemsize))), neurons)


def unpadded(x: Tensor, neurons: int) -> Tensor:
    """The last axis without what :func:`pad` filled up."""
    return x if x.shape[-1] == neurons else x[..., :neurons]


def standing(x: Tensor) -> Tensor:
    """``x`` without the memory of neurons filled up, and no view of another tensor as far as PyTorch knows."""
    if x.untyped_storage().nbytes() > x.nbytes:
        x = x.mT.contiguous().mT if x.ndim == 3 else x.contiguous()  # E presynaptic first, as the next run reads it
    return x.new_empty(0).set_(x)  # type: ignore[call-overload]


# ---------------------------------------------------------------- arithmetic


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Numbers below the smallest normal one count as zero meanwhile, on this thread.

    A gradient or a trace that fades over thousands of ticks ends there, where arithmetic would take many times as long.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)

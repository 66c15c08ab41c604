"""How functions of this package are compiled by numba, and what is said where that goes wrong."""

import logging
from collections.abc import Callable
from typing import Any

import numba
import torch

from . import simd

FAST = dict(nogil=True, fastmath=set(simd.FASTMATH), error_model="numpy")

log = logging.getLogger(__name__)


def missing() -> str | None:
    """Why nothing can be compiled here, or None."""
    return "numba's compiler is switched off by NUMBA_DISABLE_JIT" if numba.config.DISABLE_JIT else None


def jit(function: Callable) -> Callable:
    """``function`` compiled on first use and cached on disk."""
    compiled = numba.njit(function, cache=True, **FAST)
    if not missing():
        compiled._cache = _Cache(compiled._cache)
    return compiled


class _Cache:
    """numba's cache of one function; files that are damaged are written anew instead of ending in numba's error."""

    def __init__(self, cache: Any):
        self._cache = cache

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return self._cache.load_overload(signature, target)
        except Exception as error:  # unpickling what is damaged raises whatever it likes
            log.warning("compiling again, since what numba cached in %s is damaged: %r", self._cache.cache_path, error)
            self._cache.flush()
            return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


def readable(*gradients: torch.Tensor | None) -> bool:
    """Whether compiled code can read them: not so where ``is_grads_batched`` hands in many at once."""
    return all(g is None or torch._C._has_storage(g) for g in gradients)


def first_order_only(*gradients: torch.Tensor) -> None:
    """Refuse ``create_graph`` and ``is_grads_batched`` in a backward pass that has first derivatives only, of one gradient."""
    told = "must be False, since this compiled neuron has first derivatives only, of one gradient at a time"
    if torch.is_grad_enabled():
        raise RuntimeError(f"create_graph = True: {told}")
    if not readable(*gradients):
        raise RuntimeError(f"is_grads_batched = True: {told}")

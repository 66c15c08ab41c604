"""One way to refuse bad input: name the parameter, show the value, say what is allowed."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch


def require(holds: bool, name: str, value: Any, allowed: str) -> None:
    """Raise ``ValueError("name = value: must be allowed")`` unless ``holds``."""
    if not holds:
        raise ValueError(f"{name} = {value!r}: must be {allowed}")


def require_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Refuse a ``value`` that is not one of ``choices``."""
    require(value in tuple(choices), name, value, "one of " + ", ".join(map(repr, choices)))


def require_positive(name: str, value: Any) -> None:
    """Refuse anything but a finite number above zero."""
    require(_is_number(value) and 0 < value < float("inf"), name, value, "a finite number > 0")


def require_not_negative(name: str, value: Any) -> None:
    """Refuse anything but a finite number of zero or more."""
    require(_is_number(value) and 0 <= value < float("inf"), name, value, "a finite number >= 0")


def require_count(name: str, value: Any, at_least: int = 1) -> None:
    """Refuse anything but a whole number of at least ``at_least``."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= at_least, name, value, f"a whole number >= {at_least}")


def require_seed(value: Any) -> None:
    """Refuse anything but a whole number that seeds PyTorch's generator."""
    require_count("seed", value, at_least=0)
    require(value < 2**64, "seed", value, "less than 2**64")


def require_tensor(
    name: str,
    value: Any,
    shape: tuple[int | str, ...],
    dtype: torch.dtype | None,
    device: torch.device | None = None,
    finite: bool = True,
) -> None:
    """Refuse a tensor of the wrong type, dtype, layout, device or shape, or with a value that is not finite.

    A string in ``shape`` names an axis of any length, as in ``("T", "B", 40)``. Of a device that is not given any will
    do; ``finite=False`` leaves the values to :func:`require_finite`.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}: must be a torch.Tensor")
    if value.dtype != dtype:
        raise TypeError(f"{name} has dtype {value.dtype}: must be {dtype}, the dtype of the weights")
    if value.layout != torch.strided or value.is_nested:
        raise TypeError(f"{name} has layout {value.layout}: must be dense, torch.strided")
    if device is not None and value.device != device:
        require(False, f"{name}.device", str(value.device), f"{str(device)!r}, the device of the weights")
    fits = value.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, value.shape)
    )
    if not fits:
        require(False, f"{name}.shape", tuple(value.shape), "(" + ", ".join(map(str, shape)) + ")")
    if finite:
        require_finite({name: value})


def require_finite(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors, by name, with a value that is not finite; where values cannot be read, as on meta, take them."""
    if torch.jit.is_tracing():
        return
    try:
        # a sum is finite only if its terms are: one quick pass, and one wait for a GPU, where all is well
        sums = (x.detach().sum() for x in tensors.values())
        if math.isfinite(sum(total.item() if total.is_cpu else total for total in sums)):
            return
        bad = {name: int((~torch.isfinite(x)).sum()) for name, x in tensors.items()}
    except RuntimeError:  # under torch.func and on the meta device there are no values
        return
    for name, count in bad.items():
        require(count == 0, name, f"{count} of {tensors[name].numel()} entries NaN or infinite", "finite everywhere")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

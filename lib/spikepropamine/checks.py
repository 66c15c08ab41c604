"""One way to refuse bad input: name the parameter, show the value, say what is allowed."""

from collections.abc import Collection
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


def require_tensor(name: str, value: Any, shape: tuple[int | str, ...], dtype: torch.dtype) -> None:
    """Refuse a tensor of the wrong type, dtype, shape, or with a value that is not finite.

    A string in ``shape`` names an axis of any length, as in ``("T", "B", 40)``.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}: must be a torch.Tensor")
    if value.dtype != dtype:
        raise TypeError(f"{name} has dtype {value.dtype}: must be {dtype}, the dtype of the weights")
    fits = value.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, value.shape)
    )
    expected = "(" + ", ".join(map(str, shape)) + ")"
    require(fits, f"{name}.shape", tuple(value.shape), expected)
    # a sum is finite only if its terms are: one quick pass where all is well
    if not torch.isfinite(value.sum()):
        bad = int((~torch.isfinite(value)).sum())
        require(bad == 0, name, f"{bad} of {value.numel()} entries NaN or infinite", "finite everywhere")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

"""One way to refuse bad input: name the parameter, show the value, say what is allowed."""

import math
from collections.abc import Collection, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from typing import Any, TypeVar

import torch
from torch.nn.parameter import UninitializedTensorMixin

Module = TypeVar("Module", bound=torch.nn.Module)
FLOAT32 = torch.finfo(torch.float32)
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def require(holds: bool, name: str, value: Any, allowed: str) -> None:
    """Raise ``ValueError("name = value: must be allowed")`` unless ``holds``."""
    if not holds:
        raise ValueError(f"{name} = {value!r}: must be {allowed}")


def require_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Refuse a ``value`` that is not one of ``choices``."""
    known = isinstance(value, Hashable) and value in tuple(choices)  # not so an array, whose == is no truth
    require(known, name, value, "one of " + ", ".join(map(repr, choices)))


def require_positive(name: str, value: Any) -> None:
    """Refuse anything but a finite number above zero."""
    require(_is_number(value) and 0 < value < float("inf"), name, value, "a finite number > 0")


def require_float32(name: str, value: Any) -> None:
    """Refuse anything but a number above zero that float32 holds, neither as zero nor as infinity."""
    require_positive(name, value)
    least, most = FLOAT32.tiny, FLOAT32.max
    require(least <= value <= most, name, value, f"within {least:.2g} and {most:.2g}, as float32 holds it")


def require_not_negative(name: str, value: Any) -> None:
    """Refuse anything but a finite number of zero or more."""
    require(_is_number(value) and 0 <= value < float("inf"), name, value, "a finite number >= 0")


def require_bool(name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    require(isinstance(value, bool), name, value, "True or False")


def require_count(name: str, value: Any, at_least: int = 1) -> None:
    """Refuse anything but a whole number of at least ``at_least``, of Python's or NumPy's integers."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    require(whole and value >= at_least, name, value, f"a whole number >= {at_least}")


def require_matrix(rows: tuple[str, int], columns: tuple[str, int]) -> None:
    """Refuse two sizes, each with its name, whose product no tensor would hold."""
    (a, m), (b, n) = rows, columns
    require(m * n <= 2**31, f"{a} × {b}", m * n, "2**31 at most, the numbers in one tensor")


def require_batch(batch_size: Any, **sizes: int) -> None:
    """Refuse a number of batch members whose state of ``sizes`` numbers each no tensor would hold."""
    require_count("batch_size", batch_size)
    for name, size in sizes.items():
        require_matrix(("batch_size", batch_size), (name, size))


def require_seed(value: Any) -> None:
    """Refuse anything but a whole number that seeds PyTorch's generator."""
    require_count("seed", value, at_least=0)
    require(value < 2**64, "seed", value, "less than 2**64")


def require_network(n_inputs: Any, n_hidden: Any, n_outputs: Any, seed: Any) -> None:
    """Refuse sizes and a seed that no network of one hidden layer can be made of."""
    for name, value in (("n_inputs", n_inputs), ("n_hidden", n_hidden), ("n_outputs", n_outputs)):
        require_count(name, value)
    require_matrix(("n_inputs", n_inputs), ("n_hidden", n_hidden))
    require_matrix(("n_hidden", n_hidden), ("n_outputs", n_outputs))
    require_seed(seed)


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
    require_dense(name, value)
    if isinstance(value, UninitializedTensorMixin):
        raise TypeError(f"{name} is not initialised yet: must have a shape, as after the first call of a lazy module")
    if device is not None and value.device != device:
        require(False, f"{name}.device", str(value.device), f"{str(device)!r}, the device of the weights")
    fits = value.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, value.shape)
    )
    if not fits:
        require(False, f"{name}.shape", tuple(value.shape), "(" + ", ".join(map(str, shape)) + ")")
    if finite:
        require_finite({name: value})


def require_dense(name: str, value: torch.Tensor) -> None:
    """Refuse sparse and nested tensors."""
    if value.layout != torch.strided or value.is_nested:
        layout = "nested" if value.is_nested else value.layout
        raise TypeError(f"{name} has layout {layout}: must be dense, torch.strided")


def require_trackable(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors, by name, that were made in inference mode where gradients are tracked: PyTorch tracks none of them."""
    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        for name, x in tensors.items():
            if x.is_inference():
                require(
                    False,
                    name,
                    "a tensor made in inference mode",
                    "one that gradients can be tracked of, such as its clone()",
                )


def autocast(x: torch.Tensor) -> bool:
    """Whether layers compute in a lower precision than they are given."""
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def recording() -> bool:
    """Whether a CUDA graph is being recorded, and values on the GPU cannot be read."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def with_values(device: Any) -> AbstractContextManager:
    """Where to make what :func:`placed` then moves to ``device``: on the CPU if the default device, meta, holds no values."""
    meta = torch.get_default_device().type == "meta"
    return torch.device("cpu") if device is not None and meta else nullcontext()


def placed(module: Module, device: Any, dtype: Any) -> Module:
    """``module`` moved to ``device`` and ``dtype``, where they are not None.

    Raises:
        ValueError: no device that is here, or not one of the dtypes that networks compute in.
    """
    require_choice("dtype", dtype, (None, *FLOATS))
    try:
        return module.to(device=None if device is None else torch.device(device), dtype=dtype)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        said = str(error).strip().split("\n")[0]
        raise ValueError(f"device = {device!r}: must be None or a device that is here: {said}") from error


def require_finite(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors, by name, with a value that is not finite; where values cannot be read, as on meta, take them."""
    if torch.jit.is_tracing() or recording():
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
    """Whether ``value`` is a real number, of Python or NumPy, that a float can hold."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and (float(value) != 0 or value == 0)
    except OverflowError:
        return False

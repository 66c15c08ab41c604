"""Which functions of a rule compiled code can take: plain arithmetic, with slopes that are its derivatives.

Compiled code is kept by what a function does, so it must do the same at every call: everything that it uses is in it.
"""

import dis
import math
import operator
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any

from .plasticity import Rule

_POINTS = [((0.618034 * k) % 1, 4 * ((0.754878 * k) % 1) - 2) for k in range(1, 9)]  # x_j in [0, 1] and θ_j


def obstacle(rule: type[Rule]) -> str | None:
    """Why the coefficients and slopes of ``rule`` cannot be compiled, or None where they can."""
    functions = (rule.coefficients, rule.slopes)
    if any(type(f) is not FunctionType or f.__defaults__ or f.__kwdefaults__ for f in functions):
        return "the rule's coefficients and slopes are no functions of x_post and theta alone"
    return _fault(rule.coefficients.__code__, rule.slopes.__code__, bool(rule.decays))


def function_of(code: CodeType) -> Callable:
    """The function of ``code``, which uses nothing but its arguments."""
    return FunctionType(code, {"__name__": __name__})


@cache
def _fault(coefficients: CodeType, slopes: CodeType, decays: bool) -> str | None:
    for code in (coefficients, slopes):
        names = sorted({*code.co_freevars, *code.co_names})
        if names or any(isinstance(x, CodeType) for x in code.co_consts):
            used = ", ".join(names) or "a function within"
            return f"the rule's coefficients or slopes use more than x_post, theta and numbers: {used}"
        if any(step.opcode in (*dis.hasjrel, *dis.hasjabs) for step in dis.get_instructions(code)):
            return "the rule's coefficients or slopes branch"
    try:
        found = [_at(x, theta, function_of(coefficients), function_of(slopes)) for x, theta in _POINTS]
    except Exception:  # whatever a function that was not made for this raises
        return "the rule's coefficients or slopes are more than + - * / of x_post, theta and numbers"
    if not decays and any(decay.value != 0 for (_, decay), _ in found):
        return "the rule says that it does not decay, but its decay is not always 0"
    for both, derivatives in found:
        wanted = [one.by[k] for k in range(2) for one in both]
        if not all(math.isclose(d.value, w, rel_tol=1e-6, abs_tol=1e-9) for d, w in zip(derivatives, wanted)):
            return "the rule's slopes are not the derivatives of its coefficients"
    return None


def _at(x: float, theta: float, coefficients: Callable, slopes: Callable) -> tuple[list["_Number"], list["_Number"]]:
    """Both coefficients and all four slopes at one point."""
    point = _Number(x, (1.0, 0.0)), _Number(theta, (0.0, 1.0))
    growth, decay = coefficients(*point)
    growth_x, decay_x, growth_theta, decay_theta = slopes(*point)
    both, derivatives = [growth, decay], [growth_x, decay_x, growth_theta, decay_theta]
    return [_number(one) for one in both], [_number(one) for one in derivatives]


def _number(x: Any) -> "_Number":
    if isinstance(x, _Number):
        return x
    if type(x) not in (int, float) or abs(x) >= 2**63:
        raise TypeError(f"{x!r}: must be a number that compiled code holds")
    return _Number(float(x), (0.0, 0.0))


def _operation(value: Callable, by_a: Callable, by_b: Callable) -> tuple[Callable, Callable]:
    """An operation of two numbers and its mirror image, of its value and its derivatives by either."""

    def apply(a, b):
        a, b = _number(a), _number(b)
        scales = by_a(a.value, b.value), by_b(a.value, b.value)
        by_x, by_theta = (scales[0] * p + scales[1] * q for p, q in zip(a.by, b.by))
        return _Number(value(a.value, b.value), (by_x, by_theta))

    return apply, lambda a, b: apply(b, a)


class _Number:
    """A number with its derivatives by x_j and θ_j. As Lanes it knows + − × ÷ and nothing else."""

    def __init__(self, value: float, by: tuple[float, float]):
        self.value, self.by = value, by

    __add__, __radd__ = _operation(operator.add, lambda a, b: 1.0, lambda a, b: 1.0)
    __sub__, __rsub__ = _operation(operator.sub, lambda a, b: 1.0, lambda a, b: -1.0)
    __mul__, __rmul__ = _operation(operator.mul, lambda a, b: b, lambda a, b: a)
    __truediv__, __rtruediv__ = _operation(operator.truediv, lambda a, b: 1 / b, lambda a, b: -a / (b * b))
    # no comparison, and nothing in place, which would write to the tensors of the reference path
    __eq__ = __iadd__ = __isub__ = __imul__ = __itruediv__ = None  # type: ignore[assignment]

    def __neg__(self) -> "_Number":
        return 0 - self

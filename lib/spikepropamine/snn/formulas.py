"""What compiled code is made of: the formulas of a rule's functions, where they are plain arithmetic and say the same.

A function is called once with numbers that write down what is done to them. Compiled code is made of what they wrote
and kept by it, so nothing else of the function can matter.
"""

import dis
import math
import operator
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from .plasticity import Rule

_POINTS = [((0.618034 * k) % 1, 4 * ((0.754878 * k) % 1) - 2) for k in range(1, 9)]  # x_j in [0, 1] and θ_j
_MORE = "the rule's coefficients or slopes are more than + - * / of x_post, theta and numbers"


class Formulas(NamedTuple):
    """A rule's functions as Python text."""

    coefficients: str
    slopes: str
    decays: bool


def obstacle(rule: type[Rule]) -> str | None:
    """Why the coefficients and slopes of ``rule`` cannot be compiled, or None where they can."""
    found = of(rule)
    return found if isinstance(found, str) else None


def of(rule: type[Rule]) -> Formulas | str:
    """The formulas of ``rule`` as it is now, or why there are none."""
    functions = (rule.coefficients, rule.slopes)
    if any(type(f) is not FunctionType or f.__defaults__ or f.__kwdefaults__ for f in functions):
        return "the rule's coefficients and slopes are no functions of x_post and theta alone"
    return _of_code(rule.coefficients.__code__, rule.slopes.__code__, bool(rule.decays))


def function_of(text: str) -> Callable:
    """The function that ``text``, one of :class:`Formulas`, is of."""
    names: dict[str, Any] = {"__name__": __name__}
    exec(text, names)
    return names["formula"]


@cache
def _of_code(coefficients: CodeType, slopes: CodeType, decays: bool) -> Formulas | str:
    for code in (coefficients, slopes):
        names = sorted({*code.co_freevars, *code.co_names})
        if names or any(isinstance(x, CodeType) for x in code.co_consts):
            used = ", ".join(names) or "a function within"
            return f"the rule's coefficients or slopes use more than x_post, theta and numbers: {used}"
        jumps = any(step.opcode in (*dis.hasjrel, *dis.hasjabs) for step in dis.get_instructions(code))
        if jumps or code.co_exceptiontable:
            return "the rule's coefficients or slopes branch"
    try:
        found = [(_written(coefficients, 2, *point), _written(slopes, 4, *point)) for point in _POINTS]
    except Exception:  # whatever a function that was not made for this raises
        return _MORE
    if not decays and any(decay.value != 0 for (_, (_, decay)), _ in found):
        return "the rule says that it does not decay, but its decay is not always 0"
    for (_, both), (_, derivatives) in found:
        wanted = [one.by[k] for k in range(2) for one in both]
        if not all(math.isclose(d.value, w, rel_tol=1e-6, abs_tol=1e-9) for d, w in zip(derivatives, wanted)):
            return "the rule's slopes are not the derivatives of its coefficients"
    (text, _), (text_of_slopes, _) = found[0]
    return Formulas(text, text_of_slopes, decays)


def _written(code: CodeType, count: int, x: float, theta: float) -> tuple[str, list["_Number"]]:
    """The text of a function and its ``count`` results at one point."""
    lines: list[str] = []
    results = FunctionType(code, {})(_Number(x, (1.0, 0.0), "x", lines), _Number(theta, (0.0, 1.0), "theta", lines))
    numbers = [_number(one, lines) for one in results]
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} results: must be {count}")
    body = [*lines, "return " + ", ".join(one.text for one in numbers)]
    return "def formula(x, theta):\n" + "".join(f"    {line}\n" for line in body), numbers


class _Number:
    """A number with its derivatives by x_j and θ_j, which writes down what is done to it. As Lanes it knows + − × ÷ alone."""

    def __init__(self, value: float, by: tuple[float, float], text: str, lines: list[str]):
        self.value, self.by, self.text, self.lines = value, by, text, lines

    def written(self, value: float, by: tuple[float, float], text: str) -> "_Number":
        """A number that ``text`` makes of others."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return _Number(value, by, name, self.lines)

    @staticmethod
    def _operation(symbol: str, value: Callable, by_a: Callable, by_b: Callable) -> tuple[Callable, Callable]:
        # an operation and its mirror image, of its value and its derivatives by either side
        def apply(a, b):
            lines = a.lines if isinstance(a, _Number) else b.lines
            a, b = _number(a, lines), _number(b, lines)
            scales = by_a(a.value, b.value), by_b(a.value, b.value)
            by_x, by_theta = (scales[0] * p + scales[1] * q for p, q in zip(a.by, b.by))
            return a.written(value(a.value, b.value), (by_x, by_theta), f"{a.text} {symbol} {b.text}")

        return apply, lambda a, b: apply(b, a)

    __add__, __radd__ = _operation("+", operator.add, lambda a, b: 1.0, lambda a, b: 1.0)
    __sub__, __rsub__ = _operation("-", operator.sub, lambda a, b: 1.0, lambda a, b: -1.0)
    __mul__, __rmul__ = _operation("*", operator.mul, lambda a, b: b, lambda a, b: a)
    __truediv__, __rtruediv__ = _operation("/", operator.truediv, lambda a, b: 1 / b, lambda a, b: -a / (b * b))
    # no truth, and nothing in place, which would write to the tensors of the reference path
    __eq__ = __bool__ = __hash__ = None  # type: ignore[assignment]
    __iadd__ = __isub__ = __imul__ = __itruediv__ = None

    def __neg__(self) -> "_Number":
        return self.written(-self.value, (-self.by[0], -self.by[1]), f"-{self.text}")


def _number(x: Any, lines: list[str]) -> _Number:
    if isinstance(x, _Number):
        return x
    if type(x) not in (int, float) or not abs(x) < 2**63:
        raise TypeError(f"{x!r}: must be a number that compiled code holds")
    return _Number(float(x), (0.0, 0.0), repr(x), lines)

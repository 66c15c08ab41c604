"""``torch.compile`` around code that is compiled already."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def left_alone(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` as it is, which ``torch.compile`` calls instead of looking into it, and goes on behind it."""

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        if torch.compiler.is_dynamo_compiling():
            # not above: it loads much that only torch.compile needs
            return torch.compiler.disable(function, reason="it is compiled already")(*arguments, **named)
        return function(*arguments, **named)

    return call

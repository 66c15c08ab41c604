"""Tells in the reference what the fields of a class are, which its source says in comments behind them."""

import dataclasses
import inspect
import re

FIELD = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)


def described(kind):
    """The comment behind each field of a dataclass or a named tuple, by the field's name."""
    names = getattr(kind, "_fields", None) or [field.name for field in dataclasses.fields(kind)]
    return {name: comment for name, comment in FIELD.findall(inspect.getsource(kind)) if name in names}


def add_fields(app, what, name, obj, options, lines):
    if what == "class" and (hasattr(obj, "_fields") or dataclasses.is_dataclass(obj)):
        # |E| would be a substitution and *x an emphasis
        told = [f":ivar {field}: " + re.sub(r"([|*\\])", r"\\\1", comment) for field, comment in described(obj).items()]
        lines += ["", *told, ""] if told else []


def setup(app):
    app.connect("autodoc-process-docstring", add_fields, priority=900)  # after napoleon has read the docstring
    return {"parallel_read_safe": True}

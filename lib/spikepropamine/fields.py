"""Fields that a configuration got after records of it were published.

A record is found by the hash of its configuration's fields, so a new field would orphan every record made before it.
A field made by :func:`added` is left out while it has its default, which means what was done before there was the field.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

_ADDED = "added after records were published"


def added(default: Any) -> Any:
    """A field of a frozen dataclass with a default that means what was done before there was the field.

    A mapping as default is copied for each configuration and left out of ``__hash__``, which it has none of.
    """
    metadata = {_ADDED: True}
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), hash=False, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def plain(value: Any) -> Any:
    """``value`` as plain dictionaries, lists and values, without added fields that have their default."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not (_ADDED in field.metadata and getattr(value, field.name) == _default(field))
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def unsaid(value: Any) -> dict[str, Any]:
    """The added fields of a dataclass and of those within it, nested, each with what it is where it is left out."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        if _ADDED in field.metadata:
            found[field.name] = _default(field)
        elif dataclasses.is_dataclass(inner := getattr(value, field.name)):
            found[field.name] = unsaid(inner)
    return found


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()

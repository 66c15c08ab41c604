"""What the columns of a table are, in the W3C's vocabulary for it, CSV on the Web (2015), which readers of data look for beside it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.api import types

NAME = "data.csv-metadata.json"  # where the standard has readers look


def describe(data: pd.DataFrame, title: str, meanings: Mapping[str, str]) -> dict[str, Any]:
    """The description of ``data``, saved as ``data.csv``.

    Args:
        data: what is saved.
        title: of the whole.
        meanings: by the name of a column, what it holds and its unit; "angle.*" stands for every name that begins with "angle.".
    """
    columns = [{"titles": name, **_kind(data[name])} | _meaning(name, meanings) for name in data]
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": "data.csv",
        "dc:title": title,
        "tableSchema": {"columns": columns},
    }


def _kind(column: pd.Series) -> dict[str, Any]:
    if types.is_bool_dtype(column):
        return {"datatype": {"base": "boolean", "format": "True|False"}}
    return {
        "datatype": "integer"
        if types.is_integer_dtype(column)
        else "number"
        if types.is_numeric_dtype(column)
        else "string"
    }


def _meaning(name: str, meanings: Mapping[str, str]) -> dict[str, str]:
    found = meanings.get(name) or meanings.get(f"{name.partition('.')[0]}.*")
    return {"dc:description": found} if found else {}

import json

import pandas as pd
import pytest

from spikepropamine.book import csvw
from spikepropamine.records.atomic import load_yaml

DATA = pd.DataFrame(
    {
        "seed": [0, 1],
        "accuracy": [0.5, None],
        "network": ["snn", "dp-oja"],
        "angle.hip": [0.1, 0.2],
        "contact.left": [True, False],
        "other": [1, 2],
    }
)


def test_columns_are_described_in_their_order_with_kind_and_meaning():
    found = csvw.describe(DATA, "Two runs.", {"accuracy": "share answered right", "angle.*": "in rad"})
    columns = found["tableSchema"]["columns"]
    assert [column["titles"] for column in columns] == list(DATA)
    assert [column["datatype"] for column in columns] == [
        "integer",
        "number",
        "string",
        "number",
        {"base": "boolean", "format": "True|False"},
        "integer",
    ]
    assert {column["titles"]: column["dc:description"] for column in columns if "dc:description" in column} == {
        "accuracy": "share answered right",
        "angle.hip": "in rad",
    }
    assert found["url"] == "data.csv" and found["dc:title"] == "Two runs."


@pytest.fixture
def described(repository):
    paths = sorted((repository / "figures").glob("*/data.csv"))
    assert paths
    return [
        (
            path,
            pd.read_csv(path),
            json.loads(path.with_name(csvw.NAME).read_text(encoding="utf-8"))["tableSchema"]["columns"],
        )
        for path in paths
    ]


def test_every_column_of_all_published_data_is_explained(described):
    for path, data, columns in described:
        assert [column["titles"] for column in columns] == list(data), path
        assert all(column["dc:description"] for column in columns), path


def test_published_data_are_numbers_where_they_look_like_numbers(described):
    for path, data, columns in described:
        kinds = {column["titles"]: column["datatype"] for column in columns}
        for name in data:
            if kinds[name] == "string":
                written = data[name].dropna().astype(str)
                assert not written.str.fullmatch(r"[-+−]?[\d.]+( ?(Hz|ms|%))?").any(), f"{path}: {name}"


def test_no_meaning_is_left_over(repository, described):
    used = {name for _, data, _ in described for name in data}
    for name in load_yaml(repository / "book" / "columns.yml"):
        assert any(one == name or (name.endswith(".*") and one.startswith(name[:-1])) for one in used), name

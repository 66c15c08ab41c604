import pandas as pd
import pytest

from spikepropamine.book.figures import Provenance, Shelf
from spikepropamine.book.side_by_side import PaperValue, beside, load_paper_values

PUBLISHED = pd.DataFrame(
    {"network": ["snn"] * 3 + ["dp-oja"] * 3, "seed": [0, 1, 2] * 2, "accuracy": [0.5, 0.51, 0.49, 0.9, 0.95, 1.0]}
)


def test_a_rerun_stands_beside_the_published_result_and_says_whether_they_agree():
    here = pd.DataFrame({"network": ["snn", "dp-oja", "ndp-oja"], "seed": 0, "accuracy": [0.5, 0.7, 0.8]})
    rows, line = beside(here, "accuracy", PUBLISHED, [])
    assert list(rows.network) == ["snn", "dp-oja", "ndp-oja"]
    assert list(rows.agrees) == ["yes", "no", "–"]
    assert rows.here[1] == "0.7" and rows.published[1].startswith("0.95 (") and rows.published[2] == "–"
    assert "Of the 2 values that the published table gives an interval for, 1 made here lie within it." in line


def test_an_interval_that_is_given_is_taken():
    published = pd.DataFrame({"network": ["snn"], "accuracy": [0.5], "low": [0.4], "high": [0.6]})
    rows, _ = beside(
        pd.DataFrame({"network": ["snn"], "accuracy": [0.61], "low": [0.6], "high": [0.62]}), "accuracy", published, []
    )
    assert rows.published[0] == "0.5 (0.4 to 0.6)" and rows.agrees[0] == "no"


def test_the_paper_s_own_number_stands_beside_what_it_is_of():
    rows, line = beside(PUBLISHED, "accuracy", None, [PaperValue("tab-demo", {"network": "dp-oja"}, 0.97, "Table 1")])
    assert list(rows["the paper"]) == ["not at hand", "0.97 (Table 1)"] and line == ""


def test_where_there_is_none_a_table_stands_alone(tmp_path):
    shelf = Shelf(tmp_path, "../figures", Provenance("demo", {}, (), (), (), {}))
    shown = shelf.table("tab-demo", PUBLISHED, PUBLISHED.astype(str), "Three seeds.", "accuracy")._repr_mimebundle_()
    assert not any("the paper" in text for text in (shown["text/plain"], shown["text/html"]))


def test_a_rerun_s_shelf_shows_the_published_table_beside(tmp_path):
    provenance = Provenance("demo", {}, (), (), (), {})
    Shelf(tmp_path / "figures", "../figures", provenance).table(
        "tab-demo", PUBLISHED, PUBLISHED.astype(str), "Three seeds.", "accuracy"
    )
    rerun = Shelf(tmp_path / "rerun", "../rerun", provenance, tmp_path / "figures")
    shown = rerun.table(
        "tab-demo", PUBLISHED[:3], PUBLISHED[:3].astype(str), "Three seeds.", "accuracy"
    )._repr_mimebundle_()
    assert all("Of the 1 values" in text and "agrees" in text for text in shown.values())


ENTRY = "{item: tab-demo, where: {network: snn}, value: 0.5, source: Table 1}"


@pytest.mark.parametrize(
    "old, new, named",
    [
        ("tab-demo", "Table 1", "item = 'Table 1'"),
        ("network: snn", "colour: red", "where = {'colour': 'red'}"),
        ("0.5", "high", "value = 'high'"),
        ("source: Table 1", "source: ''", "source = ''"),
        (", source: Table 1", "", "entry 1 of values = "),
        (ENTRY, "3", "entry 1 of values = 3"),
        (f"[{ENTRY}]", "none", "values = 'none': must be a list"),
    ],
)
def test_bad_entries_are_refused_by_file_and_field(tmp_path, old, new, named):
    path = tmp_path / "paper_values.yml"
    path.write_text(f"values: [{ENTRY}]".replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError) as refused:
        load_paper_values(path)
    assert str(path) in str(refused.value) and named in str(refused.value)


def test_the_book_s_own_file_is_read(repository):
    load_paper_values(repository / "book" / "paper_values.yml")

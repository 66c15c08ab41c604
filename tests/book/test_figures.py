import json
import shlex

import pandas as pd
import pytest
from PIL import Image

from spikepropamine.book import figures
from spikepropamine.book.figures import Provenance, Shelf
from spikepropamine.walking.policies import POLICIES

PROVENANCE = Provenance("demo", {"profile": "quick", "seeds": 2}, ("abc",), (0, 1), ("c0ffee",), {"torch": "2"})
DATA = pd.DataFrame({"x": [0, 1], "y": [0.25, 0.5]})


def save(folder, **changes):
    with figures.style():
        figure, axis = figures.grid()
        axis.plot(DATA.x, DATA.y)
    arguments = dict(id="fig-demo", figure=figure, data=DATA, caption="A line.", alt="A line that rises.") | changes
    return Shelf(folder, "../figures", PROVENANCE).figure(**arguments)


def test_a_figure_carries_everything_with_it(tmp_path):
    item = save(tmp_path)
    files = sorted(p.name for p in (tmp_path / "fig-demo").iterdir())
    assert files == [
        "citation.bib",
        "data.csv",
        "data.csv-metadata.json",
        "figure.pdf",
        "figure.png",
        "figure.svg",
        "provenance.json",
    ]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "fig-demo" / "data.csv"), DATA)
    facts = json.loads((tmp_path / "fig-demo" / "provenance.json").read_text(encoding="utf-8"))
    assert facts["records"] == ["abc"] and facts["seeds"] == [0, 1] and facts["git_commits"] == ["c0ffee"]
    assert facts["command"] == "papermill book/demo.ipynb out.ipynb -p profile quick -p seeds 2"
    bib = (tmp_path / "fig-demo" / "citation.bib").read_text(encoding="utf-8")
    assert "@misc{fig-demo," in bib and "629210" in bib
    embedded = json.loads(Image.open(tmp_path / "fig-demo" / "figure.png").text["Description"])
    assert embedded["records"] == ["abc"] and embedded["alt"] == "A line that rises."
    for name in ("figure.svg", "figure.pdf"):
        content = (tmp_path / "fig-demo" / name).read_bytes()
        assert b"c0ffee" in content
    bundle = item._repr_mimebundle_()
    assert ":alt: A line that rises." in bundle["text/markdown"] and 'alt="A line that rises."' in bundle["text/html"]


def test_the_same_input_gives_the_same_bytes(tmp_path):
    save(tmp_path / "one")
    save(tmp_path / "two")
    for path in (tmp_path / "one" / "fig-demo").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "fig-demo" / path.name).read_bytes(), path.name


def test_a_table_carries_everything_with_it(tmp_path):
    shelf = Shelf(tmp_path, "../figures", PROVENANCE)
    shelf.table("tab-demo", DATA, DATA.astype(str), "Two numbers.")
    files = sorted(p.name for p in (tmp_path / "tab-demo").iterdir())
    assert files == ["citation.bib", "data.csv", "data.csv-metadata.json", "provenance.json", "table.md", "table.tex"]
    assert "0.25" in (tmp_path / "tab-demo" / "table.md").read_text(encoding="utf-8")


def test_a_negative_number_is_read_with_a_minus_sign_and_nothing_else_changes(tmp_path):
    shown = pd.DataFrame(
        {
            "network": ["dp-oja"],
            "gain": ["-0.5 (-0.7 to +0.1)"],
            "nothing": ["-0.000 (-0.001 to -0.000), -0%, −0, -0.05, -0e3"],
            "p": ["6.7e-08"],
            "day": ["2021-11-02"],
            "code": ["3e-a"],
        }
    )
    Shelf(tmp_path, "../figures", PROVENANCE).table("tab-demo", DATA, shown, "One row.")
    told = (tmp_path / "tab-demo" / "table.md").read_text(encoding="utf-8")
    assert all(cell in told for cell in ("dp-oja", "−0.5 (−0.7 to +0.1)", "6.7e−08", "2021-11-02", "3e-a"))
    assert "| 0.000 (−0.001 to 0.000), 0%, 0, −0.05, " in told
    told = (tmp_path / "tab-demo" / "table.tex").read_text(encoding="utf-8")
    assert all(cell in told for cell in ("dp-oja", "$-$0.5 ($-$0.7 to +0.1)", "6.7e$-$08", "2021-11-02", "3e-a"))


@pytest.mark.parametrize(
    "changes, named",
    [
        (dict(id="Figure 1"), "id = 'Figure 1'"),
        (dict(id="../x"), "id = '../x'"),
        (dict(alt=" "), "alt = ' '"),
        (dict(data=DATA[:0]), "data of fig-demo = 0"),
    ],
)
def test_bad_items_are_refused_by_name_and_leave_nothing(tmp_path, changes, named):
    with pytest.raises(ValueError, match=named):
        save(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_networks_look_the_same_everywhere_and_unlike_each_other():
    looks = [figures.network_style(name) for name in POLICIES]
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == len(looks)
    with pytest.raises(ValueError, match="name = 'rnn'"):
        figures.network_style("rnn")


def test_what_is_folded_is_whole_inside_its_box(tmp_path):
    item = save(tmp_path)
    folded = figures.folded("The numbers", item, "A text.")
    first, *inside, last = folded.markdown.splitlines()
    assert first == "::::::::{dropdown} The numbers" and last == "::::::::" and item.markdown.splitlines()[0] in inside
    assert all(len(line) < 8 for line in inside if set(line) == {":"})  # none of an item's boxes closes the fold
    rich = folded._repr_mimebundle_()["text/html"]
    assert rich.startswith("<details><summary>The numbers") and "<img" in rich and "A text." in rich


def test_a_recorded_command_can_be_pasted_whatever_its_values_hold():
    change = "task.delay_ms=500, network.n_hidden=96; $HOME 'quoted'"
    command = Provenance("demo", {"change": change, "recompute": True}, (), (), (), {}).command
    given = ["-p", "change", change, "-p", "recompute", "true"]
    assert shlex.split(command) == ["papermill", "book/demo.ipynb", "out.ipynb", *given]

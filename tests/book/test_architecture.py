import matplotlib.pyplot as plt
import pytest

from spikepropamine.book import architecture, figures


@pytest.fixture
def rooms(repository):
    return architecture.rooms(repository / "pyproject.toml")


def test_there_are_at_most_nine_rooms_and_each_is_a_folder(rooms):
    folders = {path.parent.name for path in architecture.PACKAGE.glob("*/__init__.py")}
    assert len(rooms) <= 9 and set(rooms) == folders


def test_no_arrow_points_up(rooms):
    frame = architecture.imports()
    frame = frame[frame.importer.isin(rooms) & frame.imported.isin(rooms)]
    assert len(frame) > 10
    assert all(rooms.index(low) > rooms.index(high) for high, low in zip(frame.importer, frame.imported))


def test_imports_are_read_in_every_form(tmp_path):
    package = tmp_path / "demo"
    for name, text in {
        "up/a.py": "from ..down import b\nimport demo.side.c as c\n",
        "up/deep/d.py": "from ...down.b import x\nfrom . import e\n",
        "up/f.py": "def later():\n    from demo.down import b\n",
        "down/b.py": "import os\nx = 1\n",
        "side/c.py": "from .. import down\nfrom demo import up\n",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    found = architecture.imports(package).set_index(["importer", "imported"]).modules.to_dict()
    assert found == {("up", "down"): 3, ("up", "side"): 1, ("side", "down"): 1, ("side", "up"): 1}
    assert architecture.sizes(package).to_dict() == {"up": 3, "down": 1, "side": 1}


def test_the_drawing_says_how_many_arrows_point_up(rooms):
    with figures.style():
        right, wrong = architecture.draw(rooms), architecture.draw(rooms[::-1])
    assert "none points up" in right.caption and f"{len(wrong.data)} points up" in wrong.caption
    assert "walking imports" in right.alt
    plt.close("all")


def test_every_module_opens_with_what_it_is(rooms):
    table = architecture.what_rooms_hold(rooms)
    assert set(table.room) == set(rooms) and len(table) > 80
    assert table["what it is"].str.len().min() > 15
    assert not table["what it is"].str.contains(":`", regex=False).any()


def test_references_are_read_as_their_names(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""As :mod:`.round_two`, :func:`~demo.sweeps.sweep` and ``x``."""\n', encoding="utf-8"
    )
    assert architecture._opening(tmp_path / "a.py") == "As round_two, sweep and ``x``."


def test_the_flow_goes_from_a_configuration_to_a_page():
    with figures.style():
        flow = architecture.draw_flow()
    assert flow.data.stage.tolist()[0] == "experiment" and flow.data.place.tolist()[-1] == "_build/html/"
    plt.close("all")

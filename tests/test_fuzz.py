"""Thousands of damaged inputs: each is read as it was, or refused by an error that names the file, and nothing is written elsewhere."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikepropamine import records
from spikepropamine.book.claims import load_rounds
from spikepropamine.book.figures import Provenance, Shelf
from spikepropamine.book.parameters import ChapterParameters, WalkingParameters
from spikepropamine.book.side_by_side import load_paper_values
from spikepropamine.records.atomic import DamagedRecord, write_json

often = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged_bytes(draw, content: bytes):
    """``content`` with a byte changed, a part cut out or doubled, or something else put in."""
    at = draw(st.integers(0, len(content) - 1))
    to = min(len(content), at + draw(st.integers(1, 64)))
    kind = draw(st.sampled_from(["change", "cut", "double", "end", "put in"]))
    if kind == "change":
        return content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
    if kind == "cut":
        return content[:at] + content[to:]
    if kind == "double":
        return content[:to] + content[at:]
    return content[:at] if kind == "end" else content[:at] + draw(st.binary(min_size=1, max_size=16)) + content[at:]


@st.composite
def damaged_tree(draw, content):
    """``content``, nested dicts and lists, with one thing somewhere in it gone, or something else."""
    copy = json.loads(json.dumps(content))
    place, parent, key = copy, None, None
    while isinstance(place, (dict, list)) and len(place) and (parent is None or draw(st.booleans())):
        parent, key = place, draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = place[key]
    if draw(st.booleans()):
        del parent[key]
    else:
        parent[key] = draw(plain)
    return copy


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuses_or_is_right(read, path: Path, content: bytes, good: bytes, right) -> None:
    """Put ``content`` where ``good`` was; reading must refuse it by the file's name, or give what is ``right``."""
    path.write_bytes(content)
    try:
        found = read()
    except (DamagedRecord, OSError) as error:
        assert path.name in str(error) or path.parent.name in str(error)
    else:
        assert right(found)
    finally:
        path.write_bytes(good)


def one_run(folder: Path) -> None:
    config = {"task": {"noise": "low"}, "network": {"name": "snn"}}
    made = {
        "experiment": "demo",
        "config": config,
        "config_hash": records.config_hash(config),
        "seed": 0,
        "profile": "smoke",
        "device": "cpu",
        "metrics": {"accuracy": 0.5},
        "wall_seconds": 1.0,
        "peak_megabytes": 2.0,
        **records.provenance(),
    }
    records.save_run(folder, made, pd.DataFrame({"step": [1.0], "accuracy": [0.5]}), {"w": torch.ones(3)})


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run, an experiment published from it, and measurements: how each is read, and where."""
    root = tmp_path_factory.mktemp("records")
    one_run(root / "run")
    records.publish([root / "run"], 1, root / "published")
    records.save_measurements(root / "measured", "measured", pd.DataFrame({"x": [1.0]}), {"trials": 3})
    return {
        "run": (root / "run", records.load_run),
        "published": (root / "published", records.load_published),
        "measured": (root / "measured", records.load_measurements),
    }


@often
@given(data=st.data(), name=st.sampled_from(["run", "published", "measured"]))
def test_records_with_damaged_bytes_are_refused_by_name(places, data, name):
    folder, read = places[name]
    path = data.draw(st.sampled_from(sorted(p for p in folder.iterdir() if not p.name.startswith("weights-"))))
    good = path.read_bytes()
    refuses_or_is_right(
        lambda: read(folder), path, data.draw(damaged_bytes(good)), good, lambda _: path.read_bytes() == good
    )


@often
@given(data=st.data(), name=st.sampled_from(["run", "published", "measured"]))
def test_records_of_another_shape_are_refused_by_name_though_their_checksum_is_right(places, data, name):
    folder, read = places[name]
    path = folder / ("record.json" if name == "run" else "manifest.json")
    good = path.read_bytes()
    content = json.loads(good)
    del content["sha256"]
    changed = data.draw(damaged_tree(content))
    write_json(path, changed)
    written = path.read_bytes()
    refuses_or_is_right(lambda: read(folder), path, written, good, lambda _: set(content) <= set(changed))


@often
@given(data=st.data())
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "run.checkpoint.safetensors"
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.Adam(network.parameters())
    records.save_checkpoint(path, network, optimiser, 5, 1.5, {"loss": [0.5]})
    good = path.read_bytes()
    refuses_or_is_right(
        lambda: records.load_checkpoint(path, network, optimiser),
        path,
        data.draw(damaged_bytes(good)),
        good,
        lambda found: len(found) == 3,
    )


PAPER = {"values": [{"item": "tab-demo", "where": {"network": "snn"}, "value": 0.5, "source": "Table 1"}]}


@pytest.mark.parametrize("name, read", [("claims.yml", load_rounds), ("paper_values.yml", load_paper_values)])
@settings(often, max_examples=100)
@given(data=st.data())
def test_yaml_is_read_or_refused_by_the_file_s_name(repository, tmp_path_factory, name, read, data):
    path = tmp_path_factory.getbasetemp() / name
    good = yaml.safe_dump(PAPER).encode() if name == "paper_values.yml" else (repository / "book" / name).read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damaged_bytes(good)))
    else:
        path.write_text(yaml.safe_dump(data.draw(damaged_tree(yaml.safe_load(good)))), encoding="utf-8")
    try:
        read(path)
    except ValueError as error:
        assert str(path) in str(error)


def test_yaml_makes_no_objects(tmp_path):
    path = tmp_path / "paper_values.yml"
    path.write_text(
        f"values: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{tmp_path}/made']]\n",
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="paper_values.yml: not YAML"):
        load_paper_values(path)
    assert not (tmp_path / "made").exists()


@often
@given(
    kind=st.sampled_from([ChapterParameters, WalkingParameters]),
    name=st.sampled_from(["profile", "recompute", "seeds", "networks", "workers", "device"]),
    value=plain,
)
def test_a_chapter_takes_a_parameter_or_names_it(kind, name, value):
    try:
        made = kind(**{name: value})
    except ValueError as error:
        assert str(error).startswith(f"{name} = ")
    else:
        assert made.network_names() and (made.seeds is None or made.seeds >= 1)


@often
@given(id=st.text(max_size=12) | st.builds("tab-{}".format, st.text("abc./-\\ \0", max_size=8)))
def test_an_item_is_written_in_its_folder_or_not_at_all(tmp_path, id):
    before = snapshot(tmp_path)
    shelf = Shelf(tmp_path / "figures", "../figures", Provenance("demo", {}, (), (), (), {}))
    table = pd.DataFrame({"x": [1]})
    try:
        shelf.table(id, table, table, "One.")
    except ValueError as error:
        assert str(error).startswith("id = ") and snapshot(tmp_path) == before
    else:
        assert all(name in before or name.startswith(f"figures/{id}/") for name in snapshot(tmp_path))

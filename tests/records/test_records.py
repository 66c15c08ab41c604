import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from spikepropamine import records
from spikepropamine.records.atomic import DamagedRecord, whole_folder, write_json


def record(seed=0, **changes):
    config = {"task": {"noise": "low"}, "network": {"name": "snn", "options": {"dt": 5.0}}}
    base = {
        "experiment": "demo",
        "config": config,
        "config_hash": records.config_hash(config),
        "seed": seed,
        "profile": "smoke",
        "device": "cpu",
        "metrics": {"accuracy": 0.5 + seed / 10},
        "wall_seconds": 1.0,
        "peak_megabytes": 2.0,
        **records.provenance(),
    }
    return base | changes


def save(folder, seed=0):
    records.save_run(
        folder, record(seed), pd.DataFrame({"step": [1.0, 2.0], "accuracy": [0.5, 0.6]}), {"w": torch.ones(3)}
    )


def test_what_is_saved_is_what_is_loaded(tmp_path):
    save(tmp_path / "run", 3)
    run = records.load_run(tmp_path / "run")
    assert run.record["metrics"] == {"accuracy": 0.8} and run.record["seed"] == 3
    assert run.curves.step.tolist() == [1.0, 2.0]
    assert torch.equal(run.weights["w"], torch.ones(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def test_a_folder_may_be_named_by_its_path_in_text(tmp_path, repository):
    save(tmp_path / "run")
    assert records.load_run(str(tmp_path / "run")).record["seed"] == 0
    table = pd.DataFrame({"value": [1.0]})
    records.save_measurements(str(tmp_path / "measured"), "demo", table, {"hours": 0.1})
    assert records.load_measurements(str(tmp_path / "measured"))[0].equals(table)
    published = str(repository / "book" / "results" / "half-cheetah-search")
    assert records.load_published(published).runs.equals(records.load_published(Path(published)).runs)


@pytest.mark.parametrize("name", ["record.json", "curves.parquet", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty", "gone"])
def test_a_damaged_file_is_refused_by_name(tmp_path, name, damage):
    save(tmp_path / "run")
    path = tmp_path / "run" / name
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "one byte":
        at = content.index(b"snn") if name == "record.json" else len(content) // 2
        content[at] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(DamagedRecord, match=name):
        records.load_run(tmp_path / "run")


def test_a_folder_without_a_record_is_refused_and_no_folder_is_none(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(
        DamagedRecord, match=r"record.json: is missing.*run counts; remove that folder to have it made anew"
    ):
        records.load_run(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        records.load_run(tmp_path / "another")


@pytest.mark.parametrize("field", sorted(records.RECORD_FIELDS))
def test_a_record_without_a_field_is_refused_by_its_name(tmp_path, field):
    save(tmp_path / "run")
    path = tmp_path / "run" / "record.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content[field], content["sha256"]
    write_json(path, content)
    with pytest.raises(DamagedRecord, match=f"field {field} "):
        records.load_run(tmp_path / "run")


def test_the_hash_covers_every_value_and_no_order():
    one, same, other = {"a": 1, "b": {"c": 2.0}}, {"b": {"c": 2.0}, "a": 1}, {"a": 1, "b": {"c": 2.5}}
    assert records.config_hash(one) == records.config_hash(same) != records.config_hash(other)


def test_publishing_gathers_runs_and_a_changed_byte_is_refused(tmp_path):
    for seed in range(3):
        save(tmp_path / f"seed-{seed}", seed)
    records.publish([tmp_path / f"seed-{seed}" for seed in range(3)], 5, tmp_path / "published")
    published = records.load_published(tmp_path / "published")
    assert published.manifest["runs"] == 3 and published.manifest["expected_runs"] == 5
    assert published.runs.accuracy.tolist() == [0.5, 0.6, 0.7]
    assert published.runs["network.options.dt"].tolist() == [5.0] * 3
    assert len(published.curves) == 6
    digest = record()["config_hash"]
    assert torch.equal(published.weights(digest, 0)["w"], torch.ones(3))
    with pytest.raises(KeyError, match="seed-1"):
        published.weights(digest, 1)
    for path in sorted((tmp_path / "published").iterdir()):
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[len(changed) // 2] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DamagedRecord, match=path.name):
            records.load_published(tmp_path / "published")
        path.write_bytes(whole)
    records.load_published(tmp_path / "published")


def test_nothing_is_published_from_nothing(tmp_path):
    with pytest.raises(ValueError, match="at least one finished run"):
        records.publish([], 1, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_manifest_that_names_a_file_elsewhere_is_refused(tmp_path):
    save(tmp_path / "seed-0")
    records.publish([tmp_path / "seed-0"], 1, tmp_path / "published")
    path = tmp_path / "published" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sha256"]
    content["files"]["../seed-0/record.json"] = "0"
    write_json(path, content)
    with pytest.raises(DamagedRecord, match="must be a file of this folder"):
        records.load_published(tmp_path / "published")


def test_an_exception_in_mid_write_leaves_the_old_run_and_no_draft(tmp_path):
    save(tmp_path / "run", 1)
    with pytest.raises(KeyboardInterrupt):
        with whole_folder(tmp_path / "run") as draft:
            (draft / "record.json").write_text("half", encoding="utf-8")
            raise KeyboardInterrupt
    assert records.load_run(tmp_path / "run").record["seed"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


WRITER = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_records import save
print("ready", flush=True)
for n in range(100000):
    save(Path({target!r}) / f"seed-{{n % 7}}", n % 7)
"""


@pytest.mark.parametrize("after", [0.02, 0.05, 0.11, 0.17, 0.23])
def test_a_kill_in_mid_write_leaves_only_whole_runs(tmp_path, after):
    here = os.path.dirname(__file__)
    code = WRITER.format(here=here, target=str(tmp_path))
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert writer.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 30
    while not (tmp_path / "seed-0").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(after)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    finished = [p for p in tmp_path.iterdir() if not p.name.startswith(".")]
    assert finished
    for folder in finished:
        assert records.load_run(folder).record["seed"] == int(folder.name.split("-")[1])


def test_a_full_disk_leaves_the_old_run_and_says_so(tmp_path):
    save(tmp_path / "run", 1)
    code = (
        f"import sys, resource, signal; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from pathlib import Path; import test_records, torch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        f"test_records.save(Path({str(tmp_path / 'run')!r}), 2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode != 0 and "File too large" in done.stderr
    assert records.load_run(tmp_path / "run").record["seed"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 600


def test_a_copy_without_a_repository_says_the_commit_that_it_was_told(tmp_path, repository):
    shutil.copytree(repository / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from spikepropamine.records.runs import provenance; print(provenance()['git_commit'])"

    def says(told):
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "lib"), "GIT_CEILING_DIRECTORIES": str(tmp_path)}
        environment.pop("SPIKEPROPAMINE_COMMIT", None)
        environment |= {} if told is None else {"SPIKEPROPAMINE_COMMIT": told}
        return subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    assert says(None).stdout.strip() == "unknown"
    assert says("0123456789" * 4).stdout.strip() == "0123456789" * 4
    assert "SPIKEPROPAMINE_COMMIT = 'main': must be 40 hexadecimal digits" in says("main").stderr

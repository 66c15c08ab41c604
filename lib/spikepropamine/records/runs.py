"""Run records: written whole or not at all, found by content, refused when damaged.

One run is a folder of the working store, ``<store>/<experiment>/<config hash>/seed-<n>/``, with
``record.json``, ``curves.parquet`` and ``weights.safetensors``. Publishing gathers the finished
runs of an experiment into ``<published>/<experiment>/``: ``runs.parquet`` (one row a run),
``curves.parquet`` (tidy, one row per evaluation), the weights of the first seed of each
configuration, and ``manifest.json`` with checksums. A published run is as good as a working one.
"""

import dataclasses
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import safetensors
import torch
from safetensors.torch import load_file, save_file

from ..fields import plain
from .atomic import DamagedRecord, check_files, checksum, digest, read_json, whole_file, whole_folder, write_json
from .origin import provenance

SCHEMA = 1
RECORD_FIELDS = {
    "schema": int,
    "experiment": str,
    "config": dict,
    "config_hash": str,
    "seed": int,
    "profile": str,
    "device": str,
    "metrics": dict,
    "versions": dict,
    "git_commit": str,
    "cpu": str,
    "wall_seconds": (int, float),
    "peak_megabytes": (int, float),
    "files": dict,
}


@dataclass(frozen=True)
class Run:
    """One finished run."""

    record: dict[str, Any]
    curves: pd.DataFrame
    weights: dict[str, torch.Tensor]


def config_hash(config: Any) -> str:
    """Twelve hex digits that name a configuration: a dataclass, or what :func:`spikepropamine.fields.plain` makes of it.

    Covers every field, in any order, but for fields added later that have their default.
    """
    return digest(plain(config))[:12]


# ---------------------------------------------------------------- writing


def save_run(folder: Path, record: dict[str, Any], curves: pd.DataFrame, weights: dict[str, torch.Tensor]) -> None:
    """Write one finished run into ``folder``; ``record`` without its ``schema`` and ``files``."""
    with whole_folder(folder) as draft:
        curves.to_parquet(draft / "curves.parquet", index=False)
        save_file({name: w.contiguous() for name, w in weights.items()}, draft / "weights.safetensors")
        files = {path.name: checksum(path) for path in sorted(draft.iterdir())}
        write_json(draft / "record.json", record | {"schema": SCHEMA, "files": files})


def publish(
    runs: Iterable[Path],
    expected: int,
    target: Path,
    weights_of: Iterable[int] = (0,),
    rehearsed: Mapping[str, dict[str, float]] = MappingProxyType({}),
    replaced: Collection[str] = (),
) -> None:
    """Gather the finished runs in folders ``runs`` into ``target``, out of ``expected``.

    Part of a sweep may be published; the manifest says how much of it. Runs that ``target`` holds already stay there as
    they are.

    Args:
        runs: folders of finished runs.
        expected: how many there are to be in the end.
        target: the published folder.
        weights_of: the seeds whose weights are kept.
        rehearsed: by configuration hash, what the code does with it today.
        replaced: configuration hashes whose runs in ``target`` go.
    """
    before = load_published(target).without(replaced) if target.exists() else None
    held = run_keys(None if before is None else before.runs)
    loaded = [run for run in map(load_run, runs) if (run.record["config_hash"], run.record["seed"]) not in held]
    if not loaded and before is None:
        raise ValueError(f"runs = []: must be at least one finished run to publish to {target}")
    rows = pd.DataFrame([row(run.record) for run in loaded])
    curves = [run.curves.assign(config_hash=run.record["config_hash"], seed=run.record["seed"]) for run in loaded]
    configurations = {run.record["config_hash"]: run.record["config"] for run in loaded}
    names = {"git_commits": {run.record["git_commit"] for run in loaded}, "cpus": {run.record["cpu"] for run in loaded}}
    versions = [run.record["versions"] for run in loaded]
    if before is not None:
        rows, curves = pd.concat([before.runs, rows], ignore_index=True), [before.curves, *curves]
        configurations = before.manifest["configurations"] | configurations
        names = {key: found | set(before.manifest[key]) for key, found in names.items()}
        versions = [*before.manifest["versions"], *(v for v in versions if v not in before.manifest["versions"])]
    with whole_folder(target) as draft:
        rows.to_parquet(draft / "runs.parquet", index=False)
        pd.concat(curves, ignore_index=True).to_parquet(draft / "curves.parquet", index=False)
        for name in before.manifest["files"] if before is not None else ():
            if name.startswith("weights-"):
                shutil.copyfile(target / name, draft / name)
        for run in loaded:
            if run.record["seed"] in weights_of:
                save_file(run.weights, draft / _weights_name(run.record["config_hash"], run.record["seed"]))
        files = {path.name: checksum(path) for path in sorted(draft.iterdir())}
        manifest = {
            "schema": SCHEMA,
            "experiment": target.name if not loaded else loaded[0].record["experiment"],
            "runs": len(rows),
            "expected_runs": expected,
            "configurations": configurations,
            "seeds": sorted({int(seed) for seed in rows["seed"]}),
            **{key: sorted(found) for key, found in names.items()},
            "versions": [v for k, v in enumerate(versions) if v not in versions[:k]],
            "rehearsals": ({} if before is None else before.rehearsals) | rehearsed,
            "files": files,
        }
        write_json(draft / "manifest.json", manifest)


def run_keys(table: pd.DataFrame | None) -> set[tuple[str, int]]:
    """Which runs the rows of ``table`` are of, (config_hash, seed); none where there is no table."""
    return set() if table is None else set(zip(table["config_hash"], table["seed"]))


def row(record: dict[str, Any]) -> dict[str, Any]:
    """A record as one flat row: where it comes from, ``part.field`` of its configuration, its metrics."""
    flat = {f"{part}.{key}": value for part, fields in record["config"].items() for key, value in _flat(fields).items()}
    kept = ("config_hash", "seed", "profile", "git_commit", "cpu", "wall_seconds", "peak_megabytes")
    return {key: record[key] for key in kept} | flat | record["metrics"]


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    flat = {}
    for key, value in fields.items():
        flat |= {f"{key}.{k}": v for k, v in _flat(value).items()} if isinstance(value, dict) else {key: value}
    return flat


def save_measurements(
    target: Path | str,
    experiment: str,
    table: pd.DataFrame,
    facts: dict[str, Any],
    attached: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Write measurements to a folder, all of it or nothing.

    Args:
        target: the folder; what it held is replaced.
        experiment: what the measurements are called.
        table: one row each.
        facts: about how they were made, for the manifest.
        attached: contents of further files, by name.
    """
    with whole_folder(Path(target)) as draft:
        table.to_parquet(draft / "measurements.parquet", index=False)
        for name, content in attached.items():
            (draft / name).write_bytes(content)
        files = {path.name: checksum(path) for path in sorted(draft.iterdir())}
        content = {"schema": SCHEMA, "experiment": experiment, "facts": facts, "files": files, **provenance()}
        write_json(draft / "manifest.json", content)


# ---------------------------------------------------------------- reading


def load_run(folder: Path | str) -> Run:
    """The run in ``folder``.

    Raises:
        FileNotFoundError: there is none.
        DamagedRecord: naming the file and what is wrong with it.
    """
    folder = Path(folder)
    record = read_json(folder / "record.json")
    _check_fields(folder / "record.json", record, RECORD_FIELDS)
    check_files(folder, record["files"])
    if config_hash(record["config"]) != record["config_hash"]:
        raise DamagedRecord(f"{folder / 'record.json'}: config_hash is not that of config")
    curves = pd.read_parquet(folder / "curves.parquet")
    return Run(record, curves, load_file(folder / "weights.safetensors"))


@dataclass(frozen=True)
class Published:
    """The published runs of one experiment."""

    folder: Path
    manifest: dict[str, Any]
    runs: pd.DataFrame  # one row a run: config_hash, seed, config columns, metrics
    curves: pd.DataFrame  # one row per evaluation: config_hash, seed, step, …

    @property
    def rehearsals(self) -> dict[str, dict[str, float]]:
        """By configuration hash, what the code did with it when it was published."""
        return self.manifest["rehearsals"]

    def without(self, configurations: Collection[str]) -> "Published":
        """The same but for the runs of ``configurations``, hashes."""
        runs, curves = (table[~table["config_hash"].isin(configurations)] for table in (self.runs, self.curves))
        manifest = self.manifest | {
            "configurations": {
                key: value for key, value in self.manifest["configurations"].items() if key not in configurations
            },
            "rehearsals": {key: value for key, value in self.rehearsals.items() if key not in configurations},
            "files": {
                name: value
                for name, value in self.manifest["files"].items()
                if not any(key in name for key in configurations)
            },
        }
        return dataclasses.replace(self, manifest=manifest, runs=runs, curves=curves)

    def has_weights(self, config_hash: str, seed: int) -> bool:
        """Whether the weights of this run are published."""
        return _weights_name(config_hash, seed) in self.manifest["files"]

    def seeds_with_weights(self, config_hash: str) -> list[int]:
        """The seeds of this configuration whose weights are published."""
        return [seed for seed in self.manifest["seeds"] if self.has_weights(config_hash, seed)]

    def weights(self, config_hash: str, seed: int) -> dict[str, torch.Tensor]:
        """The weights of one run; KeyError names what is published where it is not there."""
        name = _weights_name(config_hash, seed)
        if not self.has_weights(config_hash, seed):
            kept = [f for f in self.manifest["files"] if f.endswith(".safetensors")]
            raise KeyError(f"{name} is not published in {self.folder}: one of {kept}")
        return load_file(self.folder / name)


def load_published(folder: Path | str) -> Published:
    """The published experiment in ``folder``; errors as in :func:`load_run`."""
    folder = Path(folder)
    manifest = read_json(folder / "manifest.json")
    fields = {
        "schema": int,
        "experiment": str,
        "runs": int,
        "expected_runs": int,
        "configurations": dict,
        "seeds": list,
        "git_commits": list,
        "versions": list,
        "cpus": list,
        "rehearsals": dict,
        "files": dict,
    }
    _check_fields(folder / "manifest.json", manifest, fields)
    check_files(folder, manifest["files"])
    runs, curves = pd.read_parquet(folder / "runs.parquet"), pd.read_parquet(folder / "curves.parquet")
    if len(runs) != manifest["runs"]:
        raise DamagedRecord(f"{folder / 'runs.parquet'}: {len(runs)} rows, the manifest says {manifest['runs']}")
    return Published(folder, manifest, runs, curves)


def load_measurements(folder: Path | str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What :func:`save_measurements` wrote, and its manifest; errors as in :func:`load_run`."""
    folder = Path(folder)
    manifest = read_json(folder / "manifest.json")
    fields = {
        "schema": int,
        "experiment": str,
        "facts": dict,
        "files": dict,
        "versions": dict,
        "git_commit": str,
        "cpu": str,
    }
    _check_fields(folder / "manifest.json", manifest, fields)
    check_files(folder, manifest["files"])
    return pd.read_parquet(folder / "measurements.parquet"), manifest


# ---------------------------------------------------------------- checkpoints of a run under way


def save_checkpoint(path: Path, network, optimiser, step: int, seconds: float, curves: dict[str, list[float]]) -> None:
    """Keep what a run needs to go on: weights, Adam's moments, curves so far."""
    tensors = {f"network.{name}": p.detach() for name, p in network.named_parameters()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    tensors |= {f"curve.{name}": torch.tensor(values, dtype=torch.float64) for name, values in curves.items()}
    with whole_file(path) as draft:
        save_file(tensors, draft, metadata={"schema": str(SCHEMA), "step": str(step), "seconds": repr(seconds)})


def load_checkpoint(path: Path, network, optimiser) -> tuple[int, float, dict[str, list[float]]]:
    """Put ``network`` and ``optimiser`` where :func:`save_checkpoint` left them: step, seconds, curves.

    Raises:
        DamagedRecord: naming the file, where it is not whole, of another version, or of another network.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if metadata["schema"] != str(SCHEMA):
            raise ValueError(f"schema = {metadata['schema']}: must be {SCHEMA}")
        groups = _grouped(tensors)
        other = groups["network"].keys() ^ dict(network.named_parameters()).keys()
        if other:
            raise ValueError(f"parameters of another network: {', '.join(sorted(other))}")
        network.load_state_dict(groups["network"], strict=False)
        moments = {}
        for key, value in groups["adam"].items():
            index, name = key.split(".", 1)
            moments.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
        curves = {name: values.tolist() for name, values in groups["curve"].items()}
        return int(metadata["step"]), float(metadata["seconds"]), curves
    except (safetensors.SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise DamagedRecord(f"{path}: not a checkpoint of this run ({error}); remove it to start again") from error


# ---------------------------------------------------------------- details


def _grouped(tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "adam": {}, "curve": {}}
    for name, tensor in tensors.items():
        group, key = name.split(".", 1)
        groups[group][key] = tensor
    return groups


def _weights_name(config_hash: str, seed: int) -> str:
    return f"weights-{config_hash}-seed-{seed}.safetensors"


def _check_fields(path: Path, content: dict[str, Any], fields: dict[str, type]) -> None:
    for name, kind in fields.items():
        if not isinstance(content.get(name), kind):
            raise DamagedRecord(f"{path}: field {name} is missing or not a {kind}")
    if content["schema"] != SCHEMA:
        raise DamagedRecord(f"{path}: field schema is {content['schema']}, must be {SCHEMA}")

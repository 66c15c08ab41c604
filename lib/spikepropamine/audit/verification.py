"""Is everything published what it was when it was made? Every record, figure and table, to the byte; and no number typed beside them."""

from collections.abc import Iterator
from pathlib import Path

from .. import records
from ..book import research_object
from ..records.atomic import DamagedRecord, check_files, read_json
from .typed_numbers import typed_numbers

_ITEM = (
    "id",
    "caption",
    "chapter",
    "parameters",
    "records",
    "seeds",
    "git_commits",
    "versions",
    "command",
    "chapter_code",
    "files",
)


def verify(root: Path) -> tuple[int, list[str]]:
    """Check ``book/results`` and ``figures`` below ``root``: how many folders were checked, and what is wrong, a line each.

    A folder of records must have its schema, its checksums, and configurations that hash to their names. An item must have
    its checksums, and rest on records that are published. Nothing may lie there that is not accounted for. The
    description of all this as a research object, and the list of checksums, must be what they give. A number in prose must come from them through code (:mod:`spikepropamine.audit.typed_numbers`).
    """
    problems, known, checked = [], set(), 0
    for folder in _folders(root / "book" / "results"):
        checked += 1
        try:
            known |= _check_results(folder)
        except (DamagedRecord, OSError) as error:
            problems.append(str(error))
    for folder in _folders(root / "figures"):
        checked += 1
        try:
            _check_item(folder, known)
        except (DamagedRecord, OSError) as error:
            problems.append(str(error))
    if not problems:
        problems += _check_top(root)
    return checked, problems + list(typed_numbers(root))


def _folders(place: Path) -> Iterator[Path]:
    return iter(sorted(path for path in place.iterdir() if path.is_dir()))


def _check_results(folder: Path) -> set[str]:
    """The configuration hashes that ``folder`` vouches for."""
    if (folder / "measurements.parquet").exists():
        table, manifest = records.load_measurements(folder)
        known = set(table["config_hash"]) if "config_hash" in table else {manifest["facts"].get("config_hash", "")}
    else:
        published = records.load_published(folder)
        for stated, config in published.manifest["configurations"].items():
            if records.config_hash(config) != stated:
                raise DamagedRecord(f"{folder / 'manifest.json'}: configurations holds one that is not {stated}")
        manifest, known = published.manifest, set(published.manifest["configurations"])
    _check_nothing_else(folder, {"manifest.json", *manifest["files"]})
    return known


def _check_item(folder: Path, known: set[str]) -> None:
    facts = read_json(folder / "provenance.json")
    missing = [name for name in _ITEM if name not in facts]
    if missing:
        raise DamagedRecord(f"{folder / 'provenance.json'}: field {missing[0]} is missing")
    if facts["id"] != folder.name:
        raise DamagedRecord(f"{folder / 'provenance.json'}: field id is {facts['id']!r}, must be that of its folder")
    check_files(folder, facts["files"])
    unknown = sorted(set(facts["records"]) - known)
    if unknown:
        raise DamagedRecord(f"{folder / 'provenance.json'}: field records names {unknown[0]}, which is not published")
    _check_nothing_else(folder, {"provenance.json", *facts["files"]})


def _check_top(root: Path) -> list[str]:
    """What is wrong beside the folders of ``root``, whose items are sound."""
    made = {research_object.NAME: research_object.describe, research_object.SUMS: research_object.checksums}
    wrong = []
    for name, make in made.items():
        path = root / name
        if not path.is_file() or path.read_bytes() != make(root).encode():
            wrong.append(f"{path}: not what is published gives; `make figures` writes it")
            break  # the second holds the first one's checksum
    files = (path for place in research_object.PUBLISHED for path in sorted((root / place).iterdir()) if path.is_file())
    return wrong + [f"{path}: nothing accounts for it" for path in files]


def _check_nothing_else(folder: Path, names: set[str]) -> None:
    extra = sorted(path.name for path in folder.iterdir() if path.name not in names)
    if extra:
        raise DamagedRecord(f"{folder / extra[0]}: nothing accounts for it")

"""Files written whole or not at all, named by their content, refused when damaged."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


class DamagedRecord(ValueError):
    """A file of the store that is not what was written there."""


def digest(value: Any) -> str:
    """SHA-256, in hex, of what ``value`` says as JSON, whatever the order of its keys."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of ``target`` when the block ends and not before.

    An exception or a kill in between leaves ``target`` as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{uuid.uuid4().hex}.draft"
    draft.mkdir()
    try:
        yield draft
        for path in draft.rglob("*"):
            _sync(path)
        old = draft.with_suffix(".old")
        if target.exists():
            target.rename(old)
        draft.rename(target)
        _sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``target`` when the block ends and not before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{uuid.uuid4().hex}.draft"
    try:
        yield draft
        _sync(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """``text`` as UTF-8 with the same line ends on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON with a checksum of its own content in ``sha256``."""
    content = json.loads(json.dumps(content))
    write_text(path, _text(content | {"sha256": digest(content)}))


def read_json(path: Path) -> dict[str, Any]:
    """What :func:`write_json` wrote, to the byte.

    Raises:
        FileNotFoundError: not even its folder is there.
        DamagedRecord: naming the file and what is wrong with it.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        whole = json.loads(text)
        content = {key: value for key, value in whole.items() if key != "sha256"}
        matches = digest(content) == whole["sha256"]
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        told = f"{path}: is missing, and without it nothing in {path.parent} counts; remove that folder to have it made anew"
        raise DamagedRecord(told) from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedRecord(f"{path}: not a whole record ({type(error).__name__}: {error})") from error
    if not matches:
        raise DamagedRecord(f"{path}: its content does not match its checksum, field sha256")
    if text != _text(whole):
        raise DamagedRecord(f"{path}: its bytes are not as they were written")
    return content


def load_yaml(path: Path) -> Any:
    """What ``path`` holds, plain values alone; ValueError with its name where it is not YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: not YAML ({' '.join(str(error).split())})") from error


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def check_files(folder: Path, files: dict[str, str]) -> None:
    """Refuse a folder whose files are not to the byte those of ``files``, a checksum by name."""
    for name, stated in files.items():
        if Path(name).name != name:
            raise DamagedRecord(f"{folder}: field files names {name!r}, must be a file of this folder")
        if not (folder / name).is_file():
            raise DamagedRecord(f"{folder / name}: missing")
        if checksum(folder / name) != stated:
            raise DamagedRecord(f"{folder / name}: its bytes do not match its checksum")


def _sync(path: Path) -> None:
    """Have what was written reach the disk; Windows opens no folders and keeps their entries by itself."""
    try:
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

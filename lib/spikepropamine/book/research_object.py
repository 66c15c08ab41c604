"""Everything published as one research object, and the checksums of all its files, at the root of the repository.

``ro-crate-metadata.json`` describes each folder of records and each figure or table with its files, and how it came to be:
an action by this software, from what, on which machine (RO-Crate 1.1, profile Process Run Crate 0.5; Soiland-Reyes et al.
2022, Leo et al. 2024). ``SHA256SUMS`` is for ``sha256sum -c SHA256SUMS``, which needs no code of ours.
"""

import json
import mimetypes
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..records.atomic import checksum, load_yaml, read_json, write_text

NAME, SUMS = "ro-crate-metadata.json", "SHA256SUMS"
PUBLISHED = ("book/results", "figures")  # where what is published lies
_TYPES = {
    ".bib": "application/x-bibtex",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".tex": "application/x-tex",
}
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "https://creativecommons.org/licenses/by/4.0/"
Entity = dict[str, Any]


def seal(root: Path) -> None:
    """Write both files of the repository at ``root``."""
    write_text(root / NAME, describe(root))
    write_text(root / SUMS, checksums(root))


def checksums(root: Path) -> str:
    """A line for each published file: its SHA-256 and its path from ``root``."""
    files = sorted(path for place in PUBLISHED for path in (root / place).rglob("*") if path.is_file())
    return "".join(f"{checksum(path)}  {path.relative_to(root).as_posix()}\n" for path in [*files, root / NAME])


def describe(root: Path) -> str:
    """The research object below ``root`` as JSON-LD; for the same files the same text."""
    citation = load_yaml(root / "CITATION.cff")
    (paper,) = citation["references"]
    parts: list[Entity] = []
    measured: dict[str, str] = {}  # by configuration hash, the folder of its runs
    for folder in _folders(root / PUBLISHED[0]):
        manifest = read_json(folder / "manifest.json")
        parts += _records(root, folder, manifest)
        known = [*manifest.get("configurations", ()), manifest.get("facts", {}).get("config_hash")]
        measured |= {key: _id(root, folder) for key in known if key is not None and key not in measured}
    for folder in _folders(root / PUBLISHED[1]):
        parts += _item(root, folder, measured)
    software = {
        "@id": "#spikepropamine",
        "@type": "SoftwareApplication",
        "name": "spikepropamine",
        "softwareVersion": version("spikepropamine"),
        "url": _ref(f"https://doi.org/{citation['doi']}" if "doi" in citation else _homepage(citation, paper)),
    }
    authors = [{"@id": f"#{name}", "@type": "Organization", "name": name} for name in _names(citation)]
    main = {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": _ref(_PROFILE),
        "name": citation["title"],
        "description": f"Run records, figures and tables of a reproduction of {paper['title']}, with what each came from.",
        "datePublished": str(citation["date-released"]),
        "license": _ref(_LICENCE),
        "author": [_ref(author["@id"]) for author in authors],
        "publisher": _ref(authors[0]["@id"]),
        "citation": _ref(f"https://doi.org/{paper['doi']}"),
        "hasPart": [_ref(part["@id"]) for part in parts if part["@type"] != "CreateAction"],
        "mentions": [_ref(part["@id"]) for part in parts if part["@type"] == "CreateAction"],
    }
    about: list[Entity] = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "about": _ref("./"),
            "conformsTo": [_ref("https://w3id.org/ro/crate/1.1")],
        },
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {"@id": _LICENCE, "@type": "CreativeWork", "name": "Creative Commons Attribution 4.0 International"},
        {"@id": f"https://doi.org/{paper['doi']}", "@type": "ScholarlyArticle", "name": paper["title"]},
        software,
    ]
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]
    graph = [main, *about, *authors, *parts]
    return json.dumps({"@context": context, "@graph": graph}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _records(root: Path, folder: Path, manifest: dict[str, Any]) -> Iterator[Entity]:
    """A folder of records, its files, and the action that made it."""
    commits = manifest.get("git_commits") or [manifest["git_commit"]]
    machines = manifest.get("cpus") or [manifest["cpu"]]
    what = f"{manifest['runs']} training runs" if "runs" in manifest else "Measurements"
    told = f"{what} by the code of commit {', '.join(commits)} on {', '.join(machines)}."
    yield from _folder(root, folder, folder.name, told)
    yield {
        "@id": f"#made-{folder.name}",
        "@type": "CreateAction",
        "name": f"python -m spikepropamine remake {folder.name}",
        "description": told,
        "instrument": _ref("#spikepropamine"),
        "result": _ref(_id(root, folder)),
        "actionStatus": _ref("http://schema.org/CompletedActionStatus"),
    }


def _item(root: Path, folder: Path, measured: dict[str, str]) -> Iterator[Entity]:
    """A figure or table, its files, and the action that drew it from records."""
    facts = read_json(folder / "provenance.json")
    yield from _folder(root, folder, facts["id"], facts["caption"], alt=facts.get("alt", ""))
    yield {
        "@id": f"#drawn-{folder.name}",
        "@type": "CreateAction",
        "name": facts["command"],
        "description": f"{facts['id']}, drawn by the chapter book/{facts['chapter']}.ipynb",
        "instrument": _ref("#spikepropamine"),
        "object": [_ref(one) for one in sorted({measured[key] for key in facts["records"] if key in measured})],
        "result": _ref(_id(root, folder)),
        "actionStatus": _ref("http://schema.org/CompletedActionStatus"),
    }


def _folder(root: Path, folder: Path, name: str, description: str, alt: str = "") -> Iterator[Entity]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    yield {
        "@id": _id(root, folder),
        "@type": "Dataset",
        "name": name,
        "description": description,
        "license": _ref(_LICENCE),
        "hasPart": [_ref(_id(root, path)) for path in files],
    }
    for path in files:
        yield {
            "@id": _id(root, path),
            "@type": "File",
            "name": f"{name}, {path.name}",
            "encodingFormat": _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0],
            "sha256": checksum(path),
            "contentSize": str(path.stat().st_size),
        } | ({"description": alt} if alt and path.stem == "figure" else {})


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _id(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")


def _ref(id: str) -> Entity:
    return {"@id": id}


def _homepage(citation: dict[str, Any], paper: dict[str, Any]) -> str:
    """Where the software is to be found, as far as anything says so yet: else the paper that it reproduces."""
    return citation.get("repository-code") or citation.get("url") or f"https://doi.org/{paper['doi']}"


def _names(citation: dict[str, Any]) -> list[str]:
    return [one.get("name") or f"{one['given-names']} {one['family-names']}" for one in citation["authors"]]

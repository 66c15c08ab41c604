"""``figures/`` as a research object: one machine-readable description of every item, its files and where they come from.

An RO-Crate (Soiland-Reyes et al. 2022) by its own library.
"""

import json
import mimetypes
from importlib.metadata import version
from pathlib import Path

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from ..records.atomic import checksum, read_json, whole_file
from .figures import AUTHOR

NAME = "ro-crate-metadata.json"
_TYPES = {".bib": "application/x-bibtex", ".md": "text/markdown", ".tex": "application/x-tex"}
_LICENCE = "https://creativecommons.org/licenses/by/4.0/"
_PAPER = "https://doi.org/10.3389/fnbot.2021.629210"


def write_crate(figures: Path, published_on: str) -> None:
    """Write :func:`describe` to ``figures/ro-crate-metadata.json``."""
    with whole_file(figures / NAME) as draft:
        draft.write_text(describe(figures, published_on))


def describe(figures: Path, published_on: str) -> str:
    """The description of every item below ``figures``, JSON-LD; the same items, the same text.

    Args:
        figures: a folder of items (:class:`spikepropamine.book.figures.Shelf`).
        published_on: the day of publication, ISO 8601.
    """
    crate = ROCrate(gen_preview=False)
    crate.name = "Figures and tables of the SpikePropamine companion"
    crate.description = (
        "Every figure and table of a reproduction of SpikePropamine: Differentiable Plasticity in Spiking Neural Networks, "
        f"version {version('spikepropamine')}: images, data, provenance and citation."
    )
    crate.datePublished = published_on

    def entity(id: str, kind: str, **properties) -> ContextEntity:
        return crate.add(ContextEntity(crate, id, properties={"@type": kind, **properties}))

    licence = entity(_LICENCE, "CreativeWork", name="Creative Commons Attribution 4.0 International")
    paper = entity(
        _PAPER,
        "ScholarlyArticle",
        name="SpikePropamine: Differentiable Plasticity in Spiking Neural Networks",
        datePublished="2021",
    )
    maintainers = entity("#maintainers", "Organization", name=AUTHOR)
    crate.license, crate.root_dataset["citation"], crate.creator, crate.publisher = (
        licence,
        paper,
        maintainers,
        maintainers,
    )
    for folder in sorted(path.parent for path in figures.glob("*/provenance.json")):
        facts = read_json(folder / "provenance.json")
        chapter = crate.get(f"#{facts['chapter']}") or entity(
            f"#{facts['chapter']}", "CreativeWork", name=f"book/{facts['chapter']}.ipynb"
        )
        item = crate.add_directory(
            dest_path=f"{folder.name}/",
            properties={
                "name": facts["id"],
                "identifier": facts["id"],
                "description": facts["caption"],
                "version": ", ".join(facts["git_commits"]) or version("spikepropamine"),
                "keywords": f"records: {', '.join(facts['records']) or 'none'}",
            },
        )
        item["isBasedOn"], item["citation"], item["license"] = chapter, paper, licence
        files = []
        for path in sorted(folder.iterdir()):
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
            properties = {
                "name": f"{facts['id']}, {path.name}",
                "encodingFormat": kind,
                "sha256": checksum(path),
                "contentSize": str(path.stat().st_size),
            }
            properties |= {"description": facts["alt"]} if path.stem == "figure" else {}
            files.append(crate.add_file(dest_path=f"{folder.name}/{path.name}", properties=properties))
        item["hasPart"] = files
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n"

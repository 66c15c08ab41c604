"""The house style, and saving a figure or table with its data, its provenance and how to cite it.

Every item is one folder ``<id>/``: ``figure.svg``, ``.pdf`` and ``.png`` (a table: ``table.md`` and
``table.tex``), ``data.csv`` and what its columns are, ``provenance.json`` and ``citation.bib``. What is drawn is what is in
``data.csv``; the same facts are in the images' own metadata. For the same input the same bytes.
"""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..checks import require
from ..records.atomic import checksum, whole_folder, write_json, write_text
from . import csvw
from .latex import PACKAGES, latex
from .network_styles import COLOURS, network_style, network_styles
from .side_by_side import PaperValue, beside

WIDTH = 6.8  # inches: the book's column

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
    "svg.hashsalt": "spikepropamine",
    "svg.fonttype": "path",
    "savefig.dpi": 200,
}

__all__ = [
    "COLOURS",
    "Drawing",
    "Item",
    "Provenance",
    "Shelf",
    "folded",
    "grid",
    "minus",
    "network_style",
    "network_styles",
    "style",
]

# an item's files, and what its page calls each
_FILES = ("data.csv", csvw.NAME, "provenance.json", "citation.bib")
_TITLES = {
    "figure.svg": "SVG",
    "figure.pdf": "PDF",
    "figure.png": "PNG",
    "table.md": "Markdown",
    "table.tex": "LaTeX",
    "data.csv": "data (CSV)",
    csvw.NAME: "what its columns mean",
    "provenance.json": "provenance",
    "citation.bib": "BibTeX",
}

AUTHOR = "The SpikePropamine companion's maintainers"
PAPER = """@article{schmidgall2021,
  author  = {Schmidgall, Samuel and Ashkanazy, Julia and Lawson, Wallace and Hays, Joe},
  title   = {{SpikePropamine}: Differentiable Plasticity in Spiking Neural Networks},
  journal = {Frontiers in Neurorobotics},
  volume  = {15},
  pages   = {629210},
  year    = {2021},
  doi     = {10.3389/fnbot.2021.629210}
}
"""
PAPER_IN_WORDS = (
    "Schmidgall S, Ashkanazy J, Lawson W, Hays J (2021). SpikePropamine: Differentiable Plasticity in Spiking Neural Networks. "
    "Frontiers in Neurorobotics 15:629210. doi:10.3389/fnbot.2021.629210"
)


@dataclass(frozen=True)
class Provenance:
    """Where an item comes from."""

    chapter: str
    parameters: Mapping[str, Any]
    records: tuple[str, ...]  # config hashes of the runs it shows; empty where it shows none
    seeds: tuple[int, ...]
    git_commits: tuple[str, ...]  # of the code that made the runs
    versions: Mapping[str, str]  # packages of the environment that drew it
    chapter_code: str = ""  # what the chapter's code was

    @property
    def command(self) -> str:
        """The command that remakes the item, from the root of the repository."""
        given = [word for key, value in self.parameters.items() for word in ("-p", key, _word(value))]
        return shlex.join(["papermill", f"book/{self.chapter}.ipynb", "out.ipynb", *given])


class Drawing(NamedTuple):
    """A figure with what :meth:`Shelf.figure` asks for beside its id."""

    figure: Figure
    data: pd.DataFrame  # what is drawn, one observation a row
    caption: str  # begins with its message
    alt: str  # what it shows, for who cannot see it

    def of_round(self, number: int) -> "Drawing":
        """The same with a message that names the round, 1 or 2."""
        words = {1: "one", 2: "two"}[number]
        return self._replace(caption=f"In round {words}, {self.caption[:1].lower()}{self.caption[1:]}")


class Item:
    """A saved figure or table: shows itself in a notebook, and as a figure of the book."""

    def __init__(self, markdown: str, rich: str, text: str):
        self._bundle = {"text/markdown": markdown, "text/html": rich, "text/plain": text}

    @property
    def markdown(self) -> str:
        """The item as it stands in the book."""
        return self._bundle["text/markdown"]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return self._bundle


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style."""
    with matplotlib.rc_context(_STYLE):
        yield


class Shelf:
    """Where one chapter puts its figures and tables.

    Args:
        folder: the folder of items.
        relative: the same folder as seen from the chapter's page.
        provenance: of every item of the chapter.
        published: the folder of the published items, to show a rerun's tables beside; None where these are they.
        paper: the paper's own values, to show tables beside.
        meanings: of the columns of data, as :func:`spikepropamine.book.csvw.describe` takes them.
    """

    def __init__(
        self,
        folder: Path,
        relative: str,
        provenance: Provenance,
        published: Path | None = None,
        paper: tuple[PaperValue, ...] = (),
        meanings: Mapping[str, str] = MappingProxyType({}),
    ):
        self.folder, self.relative, self.provenance, self.published, self.paper, self.meanings = (
            folder,
            relative,
            provenance,
            published,
            paper,
            meanings,
        )

    def figure(self, id: str, figure: Figure, data: pd.DataFrame, caption: str, alt: str) -> Item:
        """Save ``figure`` as ``id`` ("fig-…") with the ``data`` it draws, one observation a row, and close it."""
        require(re.fullmatch(r"fig-[a-z0-9-]+", id) is not None, "id", id, "fig- and lower-case words")
        require(alt.strip() != "", "alt", alt, "a description of what the figure shows")
        caption, alt = minus(caption), minus(alt)
        with whole_folder(self.folder / id) as draft, matplotlib.rc_context(_STYLE):
            facts = json.dumps(self._facts(id, caption, alt), sort_keys=True, default=str)
            metadata = {
                "svg": {"Title": caption, "Description": facts, "Identifier": id, "Date": None},
                "pdf": {"Title": caption, "Subject": facts, "Keywords": id, "CreationDate": None},
                "png": {"Title": caption, "Description": facts, "Software": None},
            }
            for kind, fields in metadata.items():
                figure.savefig(draft / f"figure.{kind}", metadata=fields)
            png = (draft / "figure.png").read_bytes()
            self._finish(draft, id, data, caption, alt)
        plt.close(figure)
        files = ("figure.svg", "figure.pdf", "figure.png", *_FILES)
        markdown = (
            f":::{{figure}} {self.relative}/{id}/figure.svg\n:name: {id}\n:alt: {_one_line(alt)}\n:width: 100%\n"
            f"{caption}\n:::\n\n{self._links(id, caption, files)}"
        )
        image = base64.b64encode(png).decode()
        rich = (
            f'<figure id="{id}"><img alt="{html.escape(alt)}" style="max-width:100%" '
            f'src="data:image/png;base64,{image}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        )
        return Item(markdown, rich, f"{id}: {caption}\n{self.folder / id}")

    def table(self, id: str, data: pd.DataFrame, shown: pd.DataFrame, caption: str, value: str | None = None) -> Item:
        """Save ``data``, one observation a row, and ``shown``, the table as it is read, as ``id`` ("tab-…").

        Where ``value`` names the column of ``data`` that was measured, it is shown beside the published one, if this is a
        rerun, and beside the paper's own.
        """
        require(re.fullmatch(r"tab-[a-z0-9-]+", id) is not None, "id", id, "tab- and lower-case words")
        caption, shown = minus(caption), shown.map(lambda cell: minus(cell) if isinstance(cell, str) else cell)
        with whole_folder(self.folder / id) as draft:
            body = shown.to_markdown(index=False, disable_numparse=True)
            write_text(draft / "table.md", f"{caption}\n\n{body}\n")
            in_latex = shown.rename(columns=latex).map(lambda cell: latex(str(cell)))
            body_in_latex = in_latex.style.hide(axis="index").to_latex(hrules=True, caption=latex(caption), label=id)
            write_text(draft / "table.tex", PACKAGES + body_in_latex)
            self._finish(draft, id, data, caption, "")
        links = self._links(id, caption, ("table.md", "table.tex", *_FILES))
        markdown = f":::{{table}} {caption}\n:name: {id}\n\n{body}\n:::\n\n{links}"
        rich = f"<p>{html.escape(caption)}</p>" + shown.to_html(index=False)
        text = f"{caption}\n{shown.to_string(index=False)}\n{self.folder / id}"
        if value is not None:
            rows, line = self._beside(id, data, value)
            if line:
                markdown += f"\n{line}\n"
                rich += f"<p>{html.escape(line)}</p>"
                text += f"\n{line}"
            if {"published", "the paper"} & set(rows):
                markdown += f"\n{rows.to_markdown(index=False, disable_numparse=True)}\n"
                rich += rows.to_html(index=False)
                text += f"\n{rows.to_string(index=False)}"
        return Item(markdown, rich, text)

    def _beside(self, id: str, data: pd.DataFrame, value: str) -> tuple[pd.DataFrame, str]:
        file = None if self.published is None else self.published / id / "data.csv"
        published = pd.read_csv(file) if file is not None and file.is_file() else None
        return beside(data, value, published, [entry for entry in self.paper if entry.item == id])

    def _facts(self, id: str, caption: str, alt: str) -> dict[str, Any]:
        facts = {"id": id, "caption": caption, **asdict(self.provenance), "command": self.provenance.command}
        del facts["chapter_code"]  # changes where the image does not
        return (
            facts
            | ({"alt": alt} if alt else {})
            | {"drawn_with": {"spikepropamine": version("spikepropamine"), "matplotlib": matplotlib.__version__}}
        )

    def _finish(self, draft: Path, id: str, data: pd.DataFrame, caption: str, alt: str) -> None:
        require(len(data) > 0, f"data of {id}", len(data), "one row or more: an item shows its data")
        data.to_csv(draft / "data.csv", index=False, float_format="%.6g", encoding="utf-8", lineterminator="\n")
        columns = csvw.describe(data, f"{id}: {_one_line(caption)}", self.meanings)
        write_text(draft / csvw.NAME, json.dumps(columns, indent=1, ensure_ascii=False) + "\n")
        write_text(draft / "citation.bib", _citation(id, caption) + "\n" + PAPER)
        files = {path.name: checksum(path) for path in sorted(draft.iterdir())}
        write_json(
            draft / "provenance.json",
            self._facts(id, caption, alt) | {"chapter_code": self.provenance.chapter_code, "files": files},
        )

    def _links(self, id: str, caption: str, files: tuple[str, ...]) -> str:
        """One line below an item: its data, how to cite it, and all its files."""
        to = {name: f"{title} <{self.relative}/{id}/{name}>`" for name, title in _TITLES.items()}
        listed = " · ".join(f"{{download}}`{to[name]}" for name in files)
        return (
            f"::::{{div}} item-links\n{{download}}`Data <{self.relative}/{id}/data.csv>`\n\n"
            f":::{{dropdown}} Cite\n{_how_to_cite(id, caption)}:::\n\n:::{{dropdown}} Files\n{listed}\n:::\n::::\n"
        )


def folded(title: str, *items: Item | str) -> Item:
    """Items or Markdown texts that open on a click on ``title``."""
    inside = "\n\n".join(item if isinstance(item, str) else item.markdown for item in items)
    rich = "".join(f"<p>{html.escape(i)}</p>" if isinstance(i, str) else i._repr_mimebundle_()["text/html"] for i in items)  # fmt: skip
    text = "\n\n".join(i if isinstance(i, str) else i._repr_mimebundle_()["text/plain"] for i in items)
    return Item(
        f"::::::::{{dropdown}} {title}\n{inside}\n::::::::",  # an item's own boxes have fewer colons
        f"<details><summary>{html.escape(title)}</summary>{rich}</details>",
        f"{title}\n\n{text}",
    )


def grid(rows: int = 1, columns: int = 1, height: float = 2.6, **options: Any):
    """``plt.subplots`` at the book's column width."""
    return plt.subplots(rows, columns, figsize=(WIDTH, height), **options)


def minus(text: str) -> str:
    """``text`` with a minus sign, and not a hyphen, before each negative number and exponent, and no sign before a zero."""
    text = re.sub(r"(?<![\w.])[-−+](?=0(\.0+)?(?!\.?\d))", "", text)
    return re.sub(r"((?<![\w.])|(?<=\de))-(?=\d)", "−", text)


def _word(value: Any) -> str:
    """``value`` as papermill's ``-p`` takes it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _citation(id: str, caption: str) -> str:
    return (
        f"@misc{{{id},\n  title  = {{{{{latex(_one_line(caption).removesuffix('.'))}}}}},\n"
        f"  author = {{{{{AUTHOR}}}}},\n"
        f"  year   = {{2026}},\n  note   = {{Item {id} of the SpikePropamine companion, version {version('spikepropamine')}}}\n}}\n"
    )


def _how_to_cite(id: str, caption: str) -> str:
    """What to copy; the book puts the item's number before its id."""
    words = f"{AUTHOR} (2026). {_one_line(caption)} Item {id} of the SpikePropamine companion, version {version('spikepropamine')}."
    return f"```text\n{words}\n\n{PAPER_IN_WORDS}\n```\n\n```bibtex\n{_citation(id, caption)}\n{PAPER}```\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())

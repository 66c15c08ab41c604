"""The gallery: a card for every figure and table of the book, by chapter."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from IPython.display import Markdown

from ...records.atomic import load_yaml, read_json

ROWS, COLUMNS = 3, 3  # of a table that its card shows
BRACKET = 40  # characters of a bracket that is too long for a card
MESSAGE = 4  # a message has more words; what stands before a colon may be fewer, such as "The network"


def gallery(root: Path) -> Markdown:
    """Every item of ``figures/``, a section for each chapter of the table of contents that has any."""
    pages = [entry["file"].removeprefix("book/") for entry in load_yaml(root / "_toc.yml")["chapters"]]
    pages.insert(0, "index")
    items = [read_json(path) for path in sorted((root / "figures").glob("*/provenance.json"))]
    sections = {page: _section(page, _in_order(root, page, items), root) for page in pages}
    shown = {page: section for page, section in sections.items() if section}
    if not shown:
        return Markdown("No figure has been made here yet.")
    leads = " · ".join(f"[{_title(root, page)}](#gallery-{page.replace('_', '-')})" for page in shown)
    return Markdown("\n\n".join([leads, *shown.values()]))


def message(caption: str) -> str:
    """The first sentence of a caption, which is its message, up to a colon that tells what is drawn.

    Of what stands in brackets only short ones with numbers stay.
    """
    words = re.sub(r" \((?:[^()]|\([^()]*\))*\)", _short, " ".join(caption.split()))
    first = re.split(r"\. (?=[A-Zα-ωΑ-Ω|])", words, maxsplit=1)[0]
    head, _, drawn = first.partition(": ")
    message = head if drawn and len(head.split()) > MESSAGE else first
    return message.rstrip(".") + "."


def _short(bracket: re.Match[str]) -> str:
    """A bracket as a card has it: as it is where it is one short number or two, else nothing."""
    text = bracket[0]
    return text if re.fullmatch(r" \([^():.]*\d(?:[^():.]|\.\d)*\)", text) and len(text) <= BRACKET else ""


def _in_order(root: Path, page: str, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items of a page, in the order in which it shows them."""
    text = _source(root, page)
    of_page = [item for item in items if item["chapter"] == page]
    # with its closing quote, where it is made: not where prose refers to it, nor in an id that begins with it
    made = {item["id"]: re.search(re.escape(item["id"]) + "[\"']", text) for item in of_page}
    return sorted(of_page, key=lambda item: at.start() if (at := made[item["id"]]) else len(text))


def _source(root: Path, page: str) -> str:
    """What the cells of a page say, without what they put out, which may name items in another order; "" where there is no page."""
    path = root / "book" / f"{page}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    return "\n".join("".join(cell["source"]) for cell in cells)


def _title(root: Path, page: str) -> str:
    """The first heading of a page; its name where it has none."""
    heading = re.search(r"^# (.+)$", _source(root, page), flags=re.M)
    return heading[1] if heading else page


def _section(page: str, items: Sequence[Mapping[str, Any]], root: Path) -> str:
    if not items:
        return ""
    cards = "\n\n".join(_card(item, root) for item in items)
    return (
        f"(gallery-{page.replace('_', '-')})=\n## [](/book/{page})\n\n::::{{grid}} 1 2 2 3\n:gutter: 2\n\n{cards}\n::::"
    )


def _card(item: Mapping[str, Any], root: Path) -> str:
    id, is_figure = item["id"], item["id"].startswith("fig-")
    picture = f":img-top: ../figures/{id}/figure.png\n:img-alt: {' '.join(item['alt'].split())}\n" if is_figure else ""
    preview = "" if is_figure else _preview((root / "figures" / id / "table.md").read_text(encoding="utf-8"))
    return (
        f":::{{grid-item-card}} {{numref}}`{id}`\n:link: {id}\n:link-type: ref\n:class-card: gallery-card\n{picture}\n"
        f"{preview}{message(item['caption'])}\n:::"
    )


def _preview(table: str) -> str:
    """The first rows of a table, as it is read: its first columns, and its last, which tells what was found."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: ROWS + 2]]
    shown = [[*row[: COLUMNS - 1], *row[COLUMNS - 1 :][-1:]] for row in cells]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in row) + " |" for row in shown) + "\n\n"


def _plain(cell: str) -> str:
    """A cell without links, which a card, a link itself, cannot hold."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell)

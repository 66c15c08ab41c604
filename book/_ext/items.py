"""Sphinx: what a reader downloads or cites of a figure or table carries its id and its number in the book.

Every item's files have the same names in folders of their own, and so have the files of published runs. In the book they are
called by the folder: ``figure.svg`` of ``fig-reward/`` becomes ``fig-reward.svg``.
"""

import re
from pathlib import PurePosixPath

from docutils import nodes
from sphinx import addnodes

ITEM = re.compile(r"(fig|tab|film)-[a-z0-9-]+")
PLAIN = ("figure", "table", "data", "film")


def named_by_item(path: str) -> str | None:
    """The name, by its item, of a file at ``path``; None for a file of no item."""
    file = PurePosixPath(path)
    if ITEM.fullmatch(file.parent.name) is None and file.parent.parent.name != "results":
        return None
    stem, dot, endings = file.name.partition(".")
    return f"{file.parent.name}{'' if stem in PLAIN else '-' + stem}{dot}{endings}"


def rename_files(app, env):
    """Call each item's files by the item, images and downloads alike."""
    for path, (pages, _) in list(env.images.items()):
        if name := named_by_item(path):
            env.images[path] = (pages, name)
    for path, (pages, _) in list(env.dlfiles.items()):
        if name := named_by_item(path):
            env.dlfiles[path] = (pages, f"{PurePosixPath(path).parent.name}/{name}")


def finish_items(app, doctree, docname):
    """Lead downloads to the files' new names, tell citations the item's number, and load a card's picture when it comes into view."""
    for node in doctree.findall(addnodes.download_reference):
        path = app.env.relfn2path(node["reftarget"], docname)[0]
        if "filename" in node and path in app.env.dlfiles:
            node["filename"] = app.env.dlfiles[path][1]
    for node in doctree.findall(nodes.image):
        if "sd-card-img-top" in node["classes"]:
            node["loading"] = "lazy"
    numbers = _numbers(app.env)
    for node in list(doctree.findall(nodes.literal_block)):
        text = _with_numbers(node.astext(), numbers)
        if text != node.astext():
            node.rawsource, node.children = text, []
            node += nodes.Text(text)


def _numbers(env) -> dict[str, str]:
    """Of each item in the book its number in words."""
    kinds = {"figure": "Figure", "table": "Table"}
    return {
        id: f"{word} {'.'.join(map(str, number))}"
        for of_page in env.toc_fignumbers.values()
        for kind, word in kinds.items()
        for id, number in of_page.get(kind, {}).items()
    }


def _with_numbers(text: str, numbers: dict[str, str]) -> str:
    return re.sub(
        r"\bItem ((?:fig|tab)-[a-z0-9-]+)",
        lambda found: f"{numbers[found[1]]} ({found[1]})" if found[1] in numbers else found[0],
        text,
    )


def setup(app):
    app.connect("env-updated", rename_files)
    app.connect("doctree-resolved", finish_items)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

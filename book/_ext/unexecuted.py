"""Sphinx: a page whose notebook was not run says so, says what to run, and shows the figures that are committed.

Notebooks are kept without outputs. ``make book`` runs them; a plain ``jupyter-book build .``, which hosts do by themselves,
does not.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)
WHAT_TO_RUN = (
    "This page was built without running its notebook, so its numbers, tables and most of its text are missing. "
    "To see it whole, run this in a clone of the repository:"
)


def was_run(notebook: dict) -> bool:
    """Whether any code cell of ``notebook`` has an output."""
    return any(cell.get("outputs") for cell in notebook["cells"] if cell["cell_type"] == "code")


def note_unexecuted(app, docname, source):
    """Remember which notebooks have no outputs."""
    app.env.not_run = getattr(app.env, "not_run", set()) - {docname}
    if app.env.doc2path(docname).endswith(".ipynb") and not was_run(json.loads(source[0])):
        app.env.not_run |= {docname}


def tell_the_reader(app, doctree):
    """Put a warning, and the chapter's committed figures, below the page's title."""
    docname = app.env.docname
    if docname not in getattr(app.env, "not_run", ()):
        return
    warning = nodes.warning("", nodes.paragraph("", WHAT_TO_RUN), nodes.literal_block("make book", "make book"))
    root = Path(app.srcdir)
    shown = [warning]
    for file in sorted((root / "figures").glob("fig-*/provenance.json")):
        item = json.loads(file.read_text())
        if item["chapter"] == Path(docname).name:
            image = nodes.image("", uri=f"/figures/{item['id']}/figure.svg", alt=item["alt"], width="100%")
            shown.append(nodes.figure("", image, nodes.caption("", item["caption"]), ids=[item["id"]]))
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        doctree.insert(0, shown)
    else:
        title.parent.insert(title.parent.index(title) + 1, shown)


def tell_the_builder(app, env):
    """One line in the build's log."""
    if missing := sorted(getattr(env, "not_run", ())):
        logger.warning(
            "%d pages are built without their results, because their notebooks were not run: `make book` runs them. (%s)",
            *(len(missing), ", ".join(missing)),
        )


def setup(app):
    app.connect("source-read", note_unexecuted)
    app.connect("doctree-read", tell_the_reader, priority=100)  # before images are collected
    app.connect("env-updated", tell_the_builder)
    return {"parallel_read_safe": False, "parallel_write_safe": True}

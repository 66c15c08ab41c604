"""What reference managers read from a page's head: title, authors, day and address of the book, from CITATION.cff."""

from html import escape
from pathlib import Path

import yaml


def tags(citation):
    """The citation tags of a book, HTML; an address stands there once CITATION.cff has one."""
    named = [one.get("name") or f"{one['family-names']}, {one['given-names']}" for one in citation["authors"]]
    pairs = [("citation_title", citation["title"]), *(("citation_author", name) for name in named)]
    pairs += [
        ("citation_publication_date", str(citation["date-released"]).replace("-", "/")),
        ("citation_language", "en"),
    ]
    pairs += [("citation_doi", citation.get("doi")), ("citation_public_url", citation.get("url"))]
    return "\n".join(f'<meta name="{name}" content="{escape(value)}">' for name, value in pairs if value)


def add_tags(app, pagename, templatename, context, doctree):
    """Put the tags into the head of every page."""
    citation = yaml.safe_load((Path(app.srcdir) / "CITATION.cff").read_text(encoding="utf-8"))
    context["metatags"] = context.get("metatags", "") + tags(citation)


def setup(app):
    """For Sphinx."""
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True}

"""Sphinx: the text of every page in one script, so that the search shows excerpts without asking a server for pages.

A browser fetches nothing for a page that was opened from a folder, so Sphinx's own excerpts stay empty there.
"""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup

NOT_READ = ".headerlink, script, style, details.hide, .cell_input, .math, .item-links, .copybtn, dialog"


def texts_of(page: str) -> dict[str, str]:
    """The text of each section of an HTML page by the section's id, its subsections left out."""
    article = BeautifulSoup(page, "html.parser").find("article")
    if article is None:
        return {}
    for node in article.select(NOT_READ):
        node.decompose()
    sections = article.find_all("section", id=True)
    found = {section["id"]: _text(section.extract()) for section in reversed(sections)}
    return dict(reversed(found.items()))


def _text(node) -> str:
    return re.sub(r"\s+", " ", node.get_text(" ")).strip()


def write_texts(app, failure):
    """Write ``_static/search_texts.js``."""
    if failure is not None or app.builder.name != "html":
        return
    texts = {name: texts_of(Path(app.builder.get_outfilename(name)).read_text()) for name in sorted(app.env.found_docs)}
    script = f"const SEARCH_TEXTS = {json.dumps(texts, ensure_ascii=False, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / "search_texts.js").write_text(script)


def load_texts(app, pagename, templatename, context, doctree):
    """Have the page of search results load them."""
    if pagename == "search":
        app.add_js_file("search_texts.js")
        app.add_js_file("search_excerpts.js")


def setup(app):
    app.connect("build-finished", write_texts)
    app.connect("html-page-context", load_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

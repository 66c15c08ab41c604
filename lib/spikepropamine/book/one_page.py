"""The book on one page, as Sphinx's builder ``singlehtml`` writes it, made ready to print: every link leads into it or out on the web.

``python -m spikepropamine.book.one_page FROM TO``. What a link led to that paper does not have (a download, a source) remains as text.
"""

import re
import sys
from collections.abc import Container
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

# of no use on paper
LEFT_OUT = (
    "a.headerlink, .headerlink, button, form, dialog, noscript, .bd-sidebar, .bd-header-article, #jb-print-docs-body, "
    ".item-links, .interactive, .synapse, .prev-next-footer, details.hide"
)


def for_print(page: str) -> str:
    """The page with links that work in a PDF."""
    soup = BeautifulSoup(page, "html.parser")
    for node in soup.select(LEFT_OUT):
        node.decompose()
    ids = {node["id"] for node in soup.find_all(id=True)}
    for link in soup.find_all("a", href=True):
        target = link_within(link["href"], ids)
        if target is None:
            link.unwrap()
        else:
            link["href"] = target
    for image in soup.find_all("img", src=True):
        image["src"] = re.sub(r"^(\.\./)+", "", image["src"])
        image["loading"] = "eager"
    return str(soup)


def link_within(target: str, ids: Container[str]) -> str | None:
    """Where a link to ``target`` leads on the one page that has ``ids``: into it, out on the web, or nowhere (None)."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https", "mailto"):
        return target
    fragment = unquote(parts.fragment)
    if fragment in ids:
        return f"#{fragment}"
    # a whole chapter: singlehtml marks where it begins
    chapter = re.sub(r"^(\.\./)+", "", unquote(parts.path)).removesuffix(".html")
    for begin in (f"document-{chapter}", f"document-book/{chapter}"):
        if chapter and begin in ids:
            return f"#{begin}"
    return None


if __name__ == "__main__":
    made, wanted = map(Path, sys.argv[1:])
    wanted.write_text(for_print(made.read_text(encoding="utf-8")), encoding="utf-8")

"""Where the built book is and what opens it, for tests of its pages.

They need a Chromium (Debian's package) and the book (`make book`).
"""

import shutil

import pytest

from spikepropamine.book.chapters import find_root

BUILT = find_root() / "_build" / "html"
PAGES = sorted(path.stem for path in (find_root() / "book").glob("*.*") if path.suffix in (".ipynb", ".md"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# one page of each kind: what is wrong with one is wrong with its like, which only the slow tests open
KINDS = ("index", "plasticity_rules", "locomotion", "scorecard", "reproduced_figures", "api")


def few(names, kinds=KINDS):
    """``names`` as parameters of a test; those that are not of ``kinds`` are slow."""
    return [pytest.param(name, marks=() if name in kinds else pytest.mark.slow) for name in names]


needs_book = pytest.mark.skipif(not (BUILT / "book" / "index.html").exists(), reason="the book is not built: make book")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

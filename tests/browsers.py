"""Where the built book is and what opens it, for tests of its pages.

They need a Chromium (Debian's package) and the book (`make book`).
"""

import shutil

import pytest

from spikepropamine.book.chapters import find_root

BUILT = find_root() / "_build" / "html"
PAGES = sorted(path.stem for path in (find_root() / "book").glob("*.*") if path.suffix in (".ipynb", ".md"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_book = pytest.mark.skipif(not (BUILT / "book" / "index.html").exists(), reason="the book is not built: make book")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

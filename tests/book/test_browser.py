"""The built book in a real browser, cut off from the network: what a reader meets on each page.

Needs a Chromium (Debian's package) and the book (`make book`); where a page fails, a picture of it is left in
``_build/screenshots/``.
"""

import http.server
import shutil
import threading
from functools import partial
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from spikepropamine.book.chapters import find_root

BUILT = find_root() / "_build" / "html"
PAGES = sorted(path.stem for path in (find_root() / "book").glob("*.*") if path.suffix in (".ipynb", ".md"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_book = pytest.mark.skipif(not (BUILT / "book" / "index.html").exists(), reason="the book is not built: make book")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    """Where the book is served on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=BUILT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address, request):
    """Open a page of the book; at the end, whatever the page complained of or asked others for fails the test."""
    complaints, pages = [], []

    def open_page(name, query="", **options):
        context = browser.new_context(**options)
        context.route(
            "**/*", lambda route: route.continue_() if route.request.url.startswith(address) else route.abort()
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda asked: complaints.append(f"asked for {asked.url}"))
        page.on(
            "response",
            lambda answer: complaints.append(f"{answer.status} for {answer.url}") if answer.status >= 400 else None,
        )
        page.goto(f"{address}/{name}.html{query}", wait_until="networkidle")
        pages.append(page)
        return page

    failed_before = request.session.testsfailed
    yield open_page
    if complaints or request.session.testsfailed > failed_before:
        for k, page in enumerate(pages):
            page.screenshot(
                path=find_root() / "_build" / "screenshots" / f"{request.node.name}-{k}.png", full_page=True
            )
    for page in pages:
        page.context.close()
    assert complaints == []


@needs_book
@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(open_page, name, scheme):
    page = open_page(f"book/{name}", color_scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    # with preload, axe itself asks for style sheets where there are none
    grave = [
        fault
        for fault in Axe().run(page, options={"preload": False}).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert [(fault["id"], node["html"][:200]) for fault in grave for node in fault["nodes"]] == []


@needs_book
@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_its_images_and_its_mathematics(open_page, name):
    page = open_page(f"book/{name}")
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth || !i.alt.trim()).map(i => i.src)") == []
    formulas = page.locator(".math")
    page.wait_for_function("[...document.querySelectorAll('.math')].every(m => m.querySelector('mjx-container'))")
    assert page.locator("mjx-merror").count() == 0
    assert (formulas.count() > 0) == (name == "plasticity_rules")


@needs_book
@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(open_page, name):
    page = open_page(f"book/{name}", viewport={"width": 375, "height": 800}, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    too_wide = """[...document.querySelectorAll('.bd-article figure, .bd-article p, .bd-article li, .bd-article h1, .bd-article h2')]
                  .filter(e => !e.closest('table, pre') && e.getBoundingClientRect().right > 376).map(e => e.outerHTML.slice(0, 200))"""
    assert page.evaluate(too_wide) == []


@needs_book
@needs_browser
def test_the_search_finds_what_the_book_says(open_page):
    page = open_page("search", "?q=BCM")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results a[href*='plasticity_rules']").count() > 0


@needs_book
@needs_browser
def test_the_keyboard_reaches_the_text_first_and_the_menu_after(open_page):
    page = open_page("book/index")
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate("document.activeElement.textContent").lower()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main-content"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.className"))
    assert any("scorecard" in str(one) for one in reached)


@needs_book
@needs_browser
def test_a_citation_is_copied_by_one_click(open_page):
    page = open_page("book/cue_association", permissions=["clipboard-read", "clipboard-write"])
    box = page.locator("details:has-text('How to cite')").first
    box.locator("summary").click()
    box.locator("button.copybtn").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('schmidgall2021'))")


@needs_book
@pytest.mark.parametrize("name", PAGES)
def test_no_link_within_the_book_leads_nowhere(name):
    soups = {}

    def soup(path):
        if path not in soups:
            soups[path] = BeautifulSoup(path.read_text(), "html.parser")
        return soups[path]

    page, broken = BUILT / "book" / f"{name}.html", []
    for tag in soup(page).find_all(["a", "img", "link", "script"]):
        target = tag.get("href") or tag.get("src")
        if not target or urlsplit(target).scheme:
            continue
        address, anchor = urldefrag(urljoin(page.as_uri(), target))
        path = page if address == "" else type(page)(urlsplit(address).path)
        if not path.is_file():
            broken.append(target)
        elif anchor and path.suffix == ".html" and anchor != "top" and soup(path).find(id=anchor) is None:
            broken.append(target)
    assert broken == []

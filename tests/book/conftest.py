"""The built book in a real browser, cut off from the network; where a page fails, a picture of it is left in ``_build/screenshots/``."""

import http.server
import threading
from functools import partial

import pytest
from playwright.sync_api import sync_playwright

from browsers import BUILT, CHROMIUM
from spikepropamine.book import claims
from spikepropamine.book.chapters import find_root


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address():
    """Where the book is served on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=BUILT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
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
        page.on(  # what the page was left for before it came is no fault of it
            "requestfailed",
            lambda asked: complaints.append(f"asked for {asked.url}") if asked.failure != "net::ERR_ABORTED" else None,
        )
        page.on(
            "response",
            lambda answer: complaints.append(f"{answer.status} for {answer.url}") if answer.status >= 400 else None,
        )
        page.goto(f"{address}/{name}.html{query}", wait_until="load")
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


@pytest.fixture
def round_two(repository):
    """What is registered of walking in round two."""
    return claims.load_round(repository / "book" / "claims.yml", 2, "walking")

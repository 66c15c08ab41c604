"""The built book in a real browser, cut off from the network: what a reader meets on each page."""

from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from browsers import BUILT, PAGES, few, needs_book, needs_browser


@needs_book
@needs_browser
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", few(PAGES))
def test_a_page_is_accessible(open_page, name, scheme):
    page = open_page(f"book/{name}", color_scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    # the theme makes what scrolls reachable by keyboard a moment after the page has changed
    page.wait_for_function(
        """[...document.querySelectorAll('pre, .pst-scrollable-table-container')].every(
           (box) => box.scrollWidth <= box.clientWidth || box.tabIndex === 0)"""
    )
    # and fades to its colours, between which a contrast may be too low
    page.wait_for_function("document.getAnimations().every(animation => animation.playState !== 'running')")
    # with preload, axe itself asks for style sheets where there are none
    grave = [
        fault
        for fault in Axe().run(page, options={"preload": False}).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert [(fault["id"], node["html"][:200]) for fault in grave for node in fault["nodes"]] == []


@needs_book
@needs_browser
@pytest.mark.parametrize("name", few(PAGES))
def test_a_page_shows_its_images_and_its_mathematics(open_page, name):
    page = open_page(f"book/{name}")
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth || !i.alt.trim()).map(i => i.src)") == []
    formulas = page.locator(".math")
    page.wait_for_function("[...document.querySelectorAll('.math')].every(m => m.querySelector('mjx-container'))")
    assert page.locator("mjx-merror").count() == 0
    assert formulas.count() > 0 or name != "plasticity_rules"
    assert (page.locator("script[src*=mathjax]").count() > 0) == (formulas.count() > 0)


@needs_book
@needs_browser
@pytest.mark.parametrize(("width", "height", "screens"), [(1280, 900, 1), (390, 844, 2)])
def test_the_answer_and_the_claims_fit_one_screen_and_two_of_a_phone(open_page, width, height, screens):
    page = open_page("book/index", viewport={"width": width, "height": height})
    page.evaluate("Promise.all([document.fonts.ready, ...[...document.images].map((image) => image.decode())])")
    shown = "[...document.querySelectorAll('.claims-grid')].filter(b => !b.closest('details'))"
    assert page.locator("details .claims-grid").count() > 0, "the questions of our own are folded"
    ends = page.evaluate(f"Math.max(...{shown}.map(b => b.getBoundingClientRect().bottom))")
    assert ends <= screens * height


@needs_book
@needs_browser
@pytest.mark.parametrize("name", few(PAGES))
def test_a_page_fits_a_phone(open_page, name):
    page = open_page(f"book/{name}", viewport={"width": 375, "height": 800}, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    too_wide = """[...document.querySelectorAll('.bd-article figure, .bd-article p, .bd-article li, .bd-article h1, .bd-article h2')]
                  .filter(e => !e.closest('table, pre') && e.getBoundingClientRect().right > 376).map(e => e.outerHTML.slice(0, 200))"""
    assert page.evaluate(too_wide) == []


@needs_book
def test_every_name_that_the_reference_refers_to_is_on_it():
    reference = BeautifulSoup((BUILT / "book" / "api.html").read_text(encoding="utf-8"), "html.parser")
    assert [name.get_text() for name in reference.select("code.xref") if not name.find_parent("a")] == []


@needs_book
@needs_browser
def test_the_search_finds_what_the_book_says(open_page):
    page = open_page("search", "?q=BCM")
    page.wait_for_selector("#search-results a[href*='plasticity_rules']")  # results come one after another
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
    box = page.locator(".item-links details").filter(has_text="schmidgall2021").first
    box.locator("summary").click()
    assert "Figure " in box.inner_text() and ", version " in box.inner_text()
    box.locator("button.copybtn").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('schmidgall2021'))")


@needs_book
def test_no_link_within_the_book_leads_nowhere():
    targets, anchors, broken = {}, {}, []
    for page in sorted(BUILT.rglob("*.html")):
        tags = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find_all(True)
        anchors[page] = {tag["id"] for tag in tags if tag.has_attr("id")} | {"top"}
        targets[page] = {
            tag.get("href") or tag.get("src") for tag in tags if tag.name in ("a", "img", "link", "script")
        }
    for page in (page for page in targets if page.parent.name == "book"):
        for target in filter(None, targets[page]):
            if urlsplit(target).scheme:
                continue
            address, anchor = urldefrag(urljoin(page.as_uri(), target))
            path = type(page)(unquote(urlsplit(address).path))
            if not path.is_file() or (anchor and path.suffix == ".html" and anchor not in anchors[path]):
                broken.append((page.stem, target))
    assert len(targets) >= len(PAGES) and broken == []

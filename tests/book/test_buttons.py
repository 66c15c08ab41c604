"""Every visible button of every kind of page does what it says, by mouse and by keyboard."""

import re

import pytest

from browsers import PAGES, few, needs_book, needs_browser

CHAPTER = "book/cue_association"
KINDS_OF_PAGE = [
    *("book/index", "book/plasticity_rules", CHAPTER, "book/locomotion", "book/scorecard", "book/reproduced_figures"),
    *("book/api", "search", "genindex"),
]
WIDTHS = [390, 768, 991, 1280]
BUTTONS = "button, summary, [role=button], input[type=submit], a.download"

pytestmark = [needs_book, needs_browser]


def press(button, how):
    button.scroll_into_view_if_needed()
    if how == "mouse":
        button.click()
    else:
        button.focus()
        button.page.keyboard.press("Enter")


def opens_the_chapters(page, button, how):
    chapters = page.locator(".bd-docs-nav a:not([href='#'])").last
    if page.viewport_size["width"] >= 992:
        was_shown = chapters.is_visible()
        for shown in (not was_shown, was_shown):
            press(button, how)
            chapters.wait_for(state="visible" if shown else "hidden")
            assert button.get_attribute("aria-expanded") == str(shown).lower()
        return
    opens_a_drawer(page, button, how, page.locator("#pst-primary-sidebar-modal"))
    press(button, how)
    here, there = page.url, chapters.get_attribute("href").split("/")[-1]
    chapters.click()
    page.wait_for_url(f"**/{there}")
    page.goto(here)


def opens_this_page(page, button, how):
    drawer = page.locator("#pst-secondary-sidebar-modal")
    opens_a_drawer(page, button, how, drawer)
    press(button, how)
    link = drawer.get_by_role("link").last
    target = link.get_attribute("href")
    link.click()
    page.wait_for_function("where => location.hash === where", arg=target)
    drawer.wait_for(state="hidden")


def opens_a_drawer(page, button, how, drawer):
    for close in ("button", "Escape"):
        press(button, how)
        assert drawer.is_visible() and drawer.get_by_role("link").first.is_visible()
        assert button.get_attribute("aria-expanded") == "true"
        box = drawer.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]
        if close == "Escape":
            page.keyboard.press("Escape")
        else:
            drawer.get_by_role("button", name="Close").click()
        drawer.wait_for(state="hidden")
        assert button.get_attribute("aria-expanded") == "false"


def offers_the_source_and_the_printer(page, button, how):
    press(button, how)
    entries = page.locator(".dropdown-download-buttons .dropdown-item")
    assert entries.count() == 2 and entries.first.is_visible()
    with page.expect_download() as download:
        entries.first.click()
    assert re.fullmatch(r"\w+\.(ipynb|md)", download.value.suggested_filename)
    page.evaluate("window.print = () => { window.printed = true }")
    page.mouse.move(5, 400)  # an open menu stays while the mouse is over it
    entries.last.wait_for(state="hidden")
    press(button, how)
    entries.last.click()
    assert page.evaluate("window.printed")
    page.keyboard.press("Escape")
    page.mouse.click(5, 400)


def fills_the_screen(page, button, how):
    press(button, how)
    page.wait_for_function("document.fullscreenElement !== null")
    press(button, how)
    page.wait_for_function("document.fullscreenElement === null")


def changes_the_theme(page, button, how):
    seen = []
    for _ in range(3):
        press(button, how)
        seen.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"]


def searches(page, button, how):
    here = page.url
    press(button, how)
    field = page.locator("form.bd-search input").locator("visible=true").first
    page.keyboard.type("BCM")
    assert field.input_value() == "BCM"
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=BCM*")
    page.locator("#search-results li").first.wait_for()
    page.goto(here)


def copies(page, button, how):
    shown = page.locator(button.get_attribute("data-clipboard-target")).inner_text()
    page.evaluate("navigator.clipboard.writeText('')")
    press(button, how)
    page.wait_for_function("navigator.clipboard.readText().then(text => text !== '')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == shown.split()


def opens_and_closes(page, button, how):
    was_open = button.evaluate("one => one.parentElement.open")
    for expected in (not was_open, was_open):
        press(button, how)
        page.wait_for_function(
            "([one, open]) => one.parentElement.open === open", arg=[button.element_handle(), expected]
        )


def downloads(page, button, how):
    with page.expect_download() as download:
        press(button, how)
    name = download.value.suggested_filename
    assert re.match(r"(fig|tab|film)-[a-z0-9-]+\.\w+|[a-z0-9-]+-manifest.json", name), name
    assert download.value.path().stat().st_size > 0


def plays_the_synapse(page, button, how):
    told, rate = page.locator(".synapse-told"), page.locator(".synapse-controls [name=preRate]")
    before = told.inner_text()
    press(button, how)
    name = button.inner_text()
    if name == "Pause":
        press(button, how)
        page.wait_for_function("before => document.querySelector('.synapse-told').textContent !== before", arg=before)
        assert button.inner_text() == "Play"
    elif name == "New spikes":
        page.wait_for_function("before => document.querySelector('.synapse-told').textContent !== before", arg=before)
    else:
        assert name == "Reset"
        start = rate.input_value()
        rate.focus()
        page.keyboard.press("End")
        assert rate.input_value() == "100"
        press(button, how)
        page.wait_for_function("start => document.querySelector('[name=preRate]').value === start", arg=start)


def hides_a_group(page, button, how):
    for shown in ("false", "true"):
        press(button, how)
        assert button.get_attribute("aria-pressed") == shown


def shows_the_cited_figure(page, button, how):
    cited = button.locator("xpath=ancestor::figure").locator("a.image-reference")
    for shown in (True, False):
        press(button, how)
        cited.wait_for(state="visible" if shown else "hidden")


# what a button is known by, and what it has to do
KINDS = {
    ".primary-toggle": opens_the_chapters,
    ".secondary-toggle": opens_this_page,
    ".dropdown-download-buttons > button": offers_the_source_and_the_printer,
    ".btn-fullscreen-button": fills_the_screen,
    ".theme-switch-button": changes_the_theme,
    ".search-button__button": searches,
    ".copybtn": copies,
    "summary": opens_and_closes,
    "a.download": downloads,
    ".synapse-buttons button": plays_the_synapse,
    ".explore-name": hides_a_group,
    ".explore-toggle": shows_the_cited_figure,
}


def visible_buttons(page):
    return [one for one in page.locator(BUTTONS).all() if one.is_visible()]


def kind_of(button):
    found = [kind for kind in KINDS if button.evaluate("(one, kind) => one.matches(kind)", kind)]
    assert len(found) == 1, button.evaluate("one => one.outerHTML.slice(0, 300)")
    return found[0]


def open_wide(open_page, name, width):
    return open_page(name, viewport={"width": width, "height": 850}, permissions=["clipboard-read", "clipboard-write"])


@pytest.mark.parametrize(
    ("width", "how"),
    [
        (390, "mouse"),
        (1280, "keyboard"),
        pytest.param(390, "keyboard", marks=pytest.mark.slow),
        pytest.param(1280, "mouse", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", few(KINDS_OF_PAGE, ("book/plasticity_rules", "book/locomotion", "search")))
def test_every_button_does_what_it_says(open_page, name, width, how):
    page = open_wide(open_page, name, width)
    pressed = []
    for button in visible_buttons(page):
        kind = kind_of(button)
        # of what a page holds dozens of, a few are pressed
        if kind in ("a.download", "summary", ".copybtn", ".explore-name") and pressed.count(kind) >= 4:
            continue
        KINDS[kind](page, button, how)
        pressed.append(kind)
    assert {".primary-toggle", ".theme-switch-button", ".search-button__button"} <= set(pressed)


@pytest.mark.parametrize("name", few([f"book/{name}" for name in PAGES], ("book/index",)))
def test_the_menus_of_every_page_open_at_every_width(open_page, name):
    page = open_wide(open_page, name, WIDTHS[0])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 850})
        assert page.locator(".primary-toggle").locator("visible=true").count() == 1
        for kind in (".primary-toggle", ".secondary-toggle"):
            for button in page.locator(kind).locator("visible=true").all():
                KINDS[kind](page, button, "mouse")

"""Figures that answer to the hand, in a browser."""

import re

import pytest
from playwright.sync_api import expect

from browsers import BUILT, few, needs_book, needs_browser

WITH_FIGURES = [
    p.stem for p in sorted((BUILT / "book").glob("*.html")) if 'class="interactive"' in p.read_text(encoding="utf-8")
]

pytestmark = [needs_book, needs_browser]


def explored(open_page, name, **options):
    page = open_page(f"book/{name}", **options)
    page.locator(".explore-panel svg").first.wait_for()
    return page, page.locator("figure:has(.explore)").all()


def test_the_main_chapters_have_figures_that_answer():
    assert {"temporal_tasks", "controls", "locomotion", "novel_conditions"} <= set(WITH_FIGURES)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", few(WITH_FIGURES, ("locomotion",)))
def test_a_figure_tells_values_and_hides_groups(open_page, name, width):
    page, figures = explored(open_page, name, viewport={"width": width, "height": 850})
    for figure in figures:
        tells_values_and_hides_groups(page, figure)


def tells_values_and_hides_groups(page, figure):
    told, panel = figure.locator(".explore-told"), figure.locator(".explore-panel").first
    panel.focus()
    page.keyboard.press("ArrowRight")
    expect(told).to_have_text(re.compile(r": .*\d$"))
    first = told.inner_text()
    page.keyboard.press("ArrowRight")
    expect(told).not_to_have_text(first)

    seed = re.match(r"([^,]+), ", first)[1]
    button = figure.get_by_role("button", name=seed, exact=True)
    dots = panel.locator("circle, path")
    before = dots.count()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert figure.locator(".explore-panel").first.locator("circle, path").count() < before
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert figure.locator(".explore-panel").first.locator("circle, path").count() == before


@pytest.mark.parametrize("name", WITH_FIGURES[:1])
def test_a_pointer_is_answered(open_page, name):
    page, (*_, figure) = explored(open_page, name)
    figure.scroll_into_view_if_needed()
    figure.locator(".explore-panel").first.locator("g[aria-label=dot] path").nth(3).hover(force=True)
    expect(figure.locator(".explore-told")).to_have_text(re.compile(r"seed \d+.*: .*\d$"))


@pytest.mark.parametrize("name", WITH_FIGURES[:1])
def test_the_cited_figure_is_one_click_away_and_what_is_printed(open_page, name):
    page, (figure, *_) = explored(open_page, name)
    cited = figure.locator("img").first
    assert not cited.is_visible()
    figure.locator(".explore-toggle").click()
    assert cited.is_visible() and not figure.locator(".explore").is_visible()
    figure.locator(".explore-toggle").click()
    page.emulate_media(media="print")
    assert cited.is_visible() and not figure.locator(".explore").is_visible()


@pytest.mark.parametrize("name", WITH_FIGURES[:1])
def test_without_scripts_the_cited_figure_is_shown(browser, address, name):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{address}/book/{name}.html")
    assert page.locator("figure img").first.is_visible() and page.locator(".explore").count() == 0
    page.close()

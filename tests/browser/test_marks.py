"""Proof marks in a browser: unfolded by finger and by mouse, kept in print, complete without a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from marked import marked_edition

from presscheck.edition.publish import publish

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1366, "height": 900}
WRONG = "Memory falls by 310% over eight tasks."


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open the published page from disk; it may complain of nothing."""
    publish(marked_edition(), tmp_path)
    complaints: list[str] = []
    contexts = []

    def open_page(**options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((tmp_path / "2024-07-31" / "index.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def wrong(page: Page) -> Locator:
    return page.locator(".said > li").filter(has_text=WRONG)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_on_a_phone_the_mark_stands_before_its_statement_and_a_tap_unfolds_the_note(opened, script):
    page = opened(viewport=PHONE, has_touch=True, java_script_enabled=script)
    mark, said = wrong(page).locator("details.mark"), wrong(page).get_by_text("Memory falls by")
    summary, note = mark.locator("summary"), mark.locator("p")
    assert summary.inner_text().split() == ["×", "power", "of", "ten"] and not note.is_visible()
    box = summary.bounding_box()
    assert box["y"] + box["height"] <= said.bounding_box()["y"] + 1 and box["height"] >= 24
    summary.tap()
    assert note.is_visible() and "310% → 31%" in note.inner_text() and "sentence 4" in note.inner_text()
    above, below, line = (node.bounding_box() for node in (summary, note, said))
    assert above["y"] + above["height"] - 1 <= below["y"]
    assert below["y"] + below["height"] <= line["y"] + 4
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    summary.tap()
    assert not note.is_visible()


def test_on_a_wide_page_the_mark_is_in_the_margin_and_the_evidence_below_it(opened):
    page = opened()
    mark, said = wrong(page).locator(".mark"), wrong(page).locator("p").first
    words, line = mark.bounding_box(), said.bounding_box()
    assert words["x"] > line["x"] + line["width"] and abs(words["y"] - line["y"]) < 8
    height = page.evaluate("document.documentElement.scrollHeight")
    mark.hover()
    shown = page.locator(".evidence")
    assert "310% → 31%" in shown.inner_text()  # pointing at it says what unfolding it would
    assert (
        shown.inner_text().count("On eight tasks it reduces memory by 31%") == 1
    )  # one sentence, two pointers
    words, below = mark.bounding_box(), shown.bounding_box()
    assert below["y"] >= words["y"] + words["height"] - 1
    assert page.evaluate("document.documentElement.scrollHeight") == height
    mark.locator("summary").click()
    note = mark.locator("p")
    assert note.is_visible() and shown.bounding_box()["y"] >= note.bounding_box()["y"]
    assert "310% → 31%" not in shown.inner_text()  # it stands unfolded above


def test_supported_statements_have_an_empty_margin(opened):
    page = opened()
    quiet = page.locator(".said > li").filter(has_text="Larch prunes attention heads")
    assert quiet.locator(".margin, .mark, u").count() == 0


def test_marks_are_printed(opened):
    page = opened()
    page.emulate_media(media="print")
    mark, said = wrong(page).locator(".mark"), wrong(page).locator("p").first
    assert mark.is_visible() and mark.bounding_box()["y"] <= said.bounding_box()["y"]

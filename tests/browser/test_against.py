"""The comparison in a browser: side by side on a wide page, one after the other on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from editions import full_edition
from rivals import KOREAN

from presscheck.edition.against import Against
from presscheck.edition.publish import publish_edition
from presscheck.papers.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1366, "height": 900}
WRONG = "여덟 과제에서 메모리를"


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open the comparison from disk; it may complain of nothing."""
    (tmp_path / "theirs.md").write_text(KOREAN, encoding="utf-8")
    edition = full_edition(hostile=False)
    beside = Against([str(tmp_path / "theirs.md")], [], Library(tmp_path / "home")).beside(edition)
    publish_edition(edition, tmp_path, against=beside)
    complaints: list[str] = []
    contexts = []

    def open_page(**options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "ko-KR", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((tmp_path / edition.date / "against.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_ours_and_theirs_stand_where_the_window_has_room(opened, viewport):
    page = opened(viewport=viewport)
    ours, theirs = (page.locator(".pair").first.locator(".side").nth(n).bounding_box() for n in (0, 1))
    if viewport is PHONE:
        assert theirs["y"] >= ours["y"] + ours["height"] and abs(theirs["x"] - ours["x"]) < 2
    else:
        assert theirs["x"] >= ours["x"] + ours["width"] and abs(theirs["y"] - ours["y"]) < 2
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_finding_of_the_list_leads_to_its_statement_and_unfolds_there(opened):
    page = opened(viewport=PHONE, has_touch=True)
    page.locator(".worst li").filter(has_text="310%").locator("a").first.tap()
    place = page.locator(".off:target")
    assert WRONG in place.inner_text() and "310%" in place.locator("u").inner_text()
    place.locator("summary").tap()
    assert "310% → 31%" in place.inner_text()


def test_pointing_moves_nothing_and_a_click_shows_the_source(opened):
    page = opened()
    height = page.evaluate("document.documentElement.scrollHeight")
    line = page.locator(".side li").filter(has_text="61.2%").first.locator("p").first
    line.hover()
    assert page.evaluate("document.documentElement.scrollHeight") == height
    line.click(position={"x": 20, "y": 10})
    assert "The best model answers 61.2% of them" in page.locator(".evidence").inner_text()


def test_the_edition_is_one_click_away(opened):
    page = opened()
    page.get_by_text("이날의 호").click()
    assert page.url.endswith("/index.html")
    page.get_by_role("link", name="against.html").click()
    assert page.locator(".tally").is_visible()

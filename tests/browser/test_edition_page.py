"""The published page in a browser: opened from disk, read by mouse, finger, keyboard, and without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from editions import LARCH, entry, full_edition, said

from presscheck.edition.publish import publish
from presscheck.types import Edition

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1366, "height": 900}
LAST = "Decoding is 1.9 times faster at a batch of 16."
LAST_SOURCE = "At a batch of 16 it decodes 1.9 times faster than the baseline."


def long_edition() -> Edition:
    """Twelve papers whose Korean takes more room than their English, so that a switch moves what is below."""
    papers, entries = [], []
    for at in range(12):
        of = msgspec.structs.replace(LARCH, id=f"2407.{11000 + at}", title=f"Paper Number {at}", system="")
        papers.append(of)
        for style in ("detailed", "easy"):
            keys = ("whats_new", "technical_details", "performance_highlights")
            keys = keys if style == "detailed" else ("summary", "plain", "fields")
            english = {key: [said(of, f"{key} {at}, line {n}.", n + 1) for n in range(3)] for key in keys}
            korean = {
                key: [
                    said(of, f"{key} {at}, {n}번째 줄입니다. " + "길게 이어지는 문장입니다. " * 9, n + 1)
                    for n in range(3)
                ]
                for key in keys
            }
            entries += [entry(of, "en", style, english), entry(of, "ko", style, korean)]
    return Edition(date="2024-07-31", papers=tuple(papers), entries=tuple(entries))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    publish(full_edition("2024-07-30"), folder)
    publish(long_edition(), folder)
    return folder


Opener = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, out: Path) -> Iterator[Opener]:
    """Open a published file from disk; no page may ask for anything or complain of anything."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []

    def open_page(name: str = "2024-07-30/index.html", **options: object) -> Page:
        options = {"viewport": DESKTOP, "locale": "en-US", **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((out / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert all(url.startswith(out.as_uri()) and url.endswith("index.html") for url in asked if "#" not in url)


def press(page: Page, label: str) -> None:
    """Click where a switch is; Playwright's own ``check`` scrolls the page under a bar that sticks."""
    box = page.get_by_label(label).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(100)


def statement(page: Page, text: str) -> object:
    return page.locator(".said > li").filter(has_text=text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", ["index.html", "2024-07-30/index.html", "2024-07-31/index.html"])
def test_the_page_fits_its_window_in_both_languages(opened: Opener, tmp_path, name, viewport, scheme):
    page = opened(name, viewport=viewport, color_scheme=scheme)
    for language in ("English", "한국어"):
        page.get_by_label(language).check()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"]
        page.screenshot(path=tmp_path / f"{language}.png", full_page=True)


def test_the_colours_follow_the_system_and_the_readers_choice(opened: Opener):
    page = opened(color_scheme="dark")

    def ground() -> str:
        return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    dark = ground()
    page.get_by_label("Light").check()
    light = ground()
    assert light != dark
    page.get_by_label("Dark").check()
    assert ground() == dark


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_one_language_and_one_style_are_shown_at_a_time(opened: Opener, script):
    page = opened(java_script_enabled=script)
    shown = {
        "Larch prunes attention heads by how much later tokens use them.": ("English", "Detailed"),
        "Larch makes long texts cheaper by leaving out parts nobody reads.": ("English", "Easy"),
        "Larch는 이후 토큰이 얼마나 쓰는지를 기준으로 어텐션 헤드를 가지치기합니다.": ("한국어", "자세히"),
        "아무도 보지 않는 부분을 덜어 긴 글을 더 싸게 처리합니다.": ("한국어", "쉽게"),
    }
    for language, style in dict.fromkeys(shown.values()):
        page.get_by_label(language).check()
        page.get_by_label(style).check()
        for text, place in shown.items():
            assert statement(page, text).is_visible() == (place == (language, style))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("part", ["whats_new", "technical_details", "performance_highlights"])
def test_switching_the_language_keeps_the_place(opened: Opener, script, viewport, part):
    page = opened("2024-07-31/index.html", java_script_enabled=script, viewport=viewport)
    english, korean = statement(page, f"{part} 7, line 1."), statement(page, f"{part} 7, 1번째 줄")
    section = page.locator("section.part").filter(has=english)
    english.evaluate("node => node.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(100)
    before, frame = english.bounding_box()["y"], section.bounding_box()["y"]
    assert 0 < before < 200
    press(page, "한국어")
    if script:  # to the first statement that is whole
        assert abs(korean.bounding_box()["y"] - before) < 3
    else:  # by the browser's own anchoring, to the part
        assert abs(section.bounding_box()["y"] - frame) < 3
    press(page, "English")
    assert abs(english.bounding_box()["y"] - before) < 3


def test_switching_at_the_top_does_not_scroll(opened: Opener):
    page = opened("2024-07-31/index.html")
    press(page, "한국어")
    press(page, "쉽게")
    assert page.evaluate("scrollY") == 0


def test_pointing_at_a_statement_shows_the_words_of_its_source_in_the_margin(opened: Opener):
    page = opened()
    page.locator(".source summary").first.click()
    statement(page, LAST).hover()
    note = page.locator(".evidence")
    assert "Abstract v1, sentence 5" in note.inner_text() and LAST_SOURCE in note.inner_text()
    words, said_ = note.bounding_box(), statement(page, LAST).locator("p").first.bounding_box()
    assert words["x"] > said_["x"] + said_["width"]
    assert page.locator(".source li.lit").inner_text() == LAST_SOURCE
    page.mouse.move(5, 5)
    assert note.count() == 0 and page.locator(".lit").count() == 0


def test_pointing_moves_nothing(opened: Opener):
    page = opened()
    before = page.evaluate("document.documentElement.scrollHeight")
    statement(page, LAST).hover()
    assert page.locator(".evidence").count() == 1
    assert page.evaluate("document.documentElement.scrollHeight") == before


def test_a_clause_is_marked_in_the_words_of_its_source(opened: Opener):
    page = opened()
    statement(page, "Each head is scored on a window of recent queries.").hover()
    assert page.locator(".evidence mark").inner_text() == "scores each head on a window of recent queries"


def test_tapping_a_statement_folds_its_evidence_out_below_and_in_again(opened: Opener):
    page = opened(viewport=PHONE, has_touch=True)
    text = statement(page, LAST).locator("p").first
    text.tap(position={"x": 20, "y": 10})
    note, said_ = page.locator(".evidence").bounding_box(), text.bounding_box()
    assert note["y"] >= said_["y"] + said_["height"]
    text.tap(position={"x": 20, "y": 10})
    assert page.locator(".evidence").count() == 0


def test_the_keyboard_alone_reaches_evidence_switches_and_abstracts(opened: Opener):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        if LAST in page.evaluate("document.activeElement.closest('li')?.textContent ?? ''"):
            break
        seen.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= seen
    note = page.locator(".evidence")
    assert LAST_SOURCE in note.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "evidence"
    page.keyboard.press("Escape")
    assert note.count() == 0
    page.keyboard.press("Enter")
    lit = page.locator(".source li:target")
    assert lit.is_visible() and lit.inner_text() == LAST_SOURCE
    page.get_by_label("English").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("한국어").is_checked()
    assert page.evaluate("document.documentElement.lang") == "ko"


def test_without_a_script_a_number_leads_to_the_sentence_of_the_folded_abstract(opened: Opener):
    page = opened(java_script_enabled=False)
    sentence = page.get_by_text(LAST_SOURCE)
    assert not sentence.is_visible()
    mark = statement(page, LAST).locator("a")
    assert mark.get_attribute("title") == "Abstract v1, sentence 5"
    mark.click()
    assert sentence.is_visible()


def test_the_choices_are_remembered(opened: Opener):
    page = opened()
    page.get_by_label("한국어").check()
    page.get_by_label("쉽게").check()
    page.get_by_label("어둡게").check()
    page.reload()
    assert [
        page.locator(f"#{name}").is_checked() for name in ("language-ko", "style-easy", "scheme-dark")
    ] == [True] * 3


def test_a_korean_reader_is_met_in_korean(opened: Opener):
    assert opened(locale="ko-KR").locator("#language-ko").is_checked()
    assert opened(locale="en-GB").locator("#language-en").is_checked()


def test_every_author_is_shown_on_request(opened: Opener):
    page = opened()
    last = page.get_by_text("Author 3302")
    assert not last.is_visible()
    page.get_by_text("and 3,300 more").click()
    assert last.is_visible()


def test_everything_that_can_be_pressed_is_large_enough(opened: Opener):
    """WCAG 2.2, 2.5.8: 24 by 24 pixels, links in running text aside."""
    page = opened(viewport=PHONE)
    for node in page.locator(".choice label, .source summary, .brand").all():
        if node.is_visible():
            box = node.bounding_box()
            assert box["width"] >= 24 and box["height"] >= 24, node.inner_text()


def test_print_has_two_columns_and_no_switches(opened: Opener):
    page = opened()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('main')).columnCount") == "2"
    assert not page.locator(".bar").is_visible() and not page.locator(".scheme").is_visible()
    assert page.get_by_text("Press note").first.is_visible()


def test_thumbnails_are_asked_for_only_when_wanted(browser: Browser, tmp_path):
    publish(full_edition(hostile=False), tmp_path, thumbnails=True)
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 1366, "height": 9000})
    context.route(
        lambda url: not url.startswith("file:"),
        lambda route: (asked.append(route.request.url), route.abort()),
    )
    page = context.new_page()
    page.goto((tmp_path / "2024-07-31/index.html").as_uri())
    page.wait_for_timeout(200)
    context.close()
    hosts = {url.split("/")[2] for url in asked}
    assert hosts == {"cdn-thumbnails.huggingface.co"} and len(asked) == 4

"""The site in a browser, opened from disk, the network off: read, searched, switched, by hand and key."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from claimed import larch_system
from editions import full_edition, hostile_paper

from presscheck.edition.publish import publish
from presscheck.site import systems
from presscheck.site.build import Order, build_site
from presscheck.site.names import paper_page
from presscheck.site.tokens import tokens

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1366, "height": 900}
LAST = "Decoding is 1.9 times faster at a batch of 16."
LAST_SOURCE = "At a batch of 16 it decodes 1.9 times faster than the baseline."

Opener = Callable[..., "Page"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("site")
    publish(full_edition("2024-07-30"), root / "editions")
    standing = larch_system(root / "systems")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "standings", lambda: {"larch": standing})
        build_site(Order(out=root / "out", folders=(root / "editions",), cache=root / "cache", workers=1))
    yield root / "out"


@pytest.fixture
def opened(browser: Browser, out: Path) -> Iterator[Opener]:
    """Open a page from disk, the network off; no page may ask for anything else or complain of anything."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []

    def open_page(name: str = "2024-07-30/index.html", **options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", **options})
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.set_offline(True)
        context.set_default_timeout(8000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{out.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert all(url.startswith(out.as_uri()) for url in asked)


def statement(page: Page, text: str):
    return page.locator(".said > li").filter(has_text=text)


PLACES = (
    "index.html",
    "2024-07-30/index.html",
    "papers/2407.00001.html",
    "systems/larch.html",
    "search.html?q=attention",
)


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone, dark", "desktop, light"]
)
def test_every_kind_of_page_fits_its_window_and_axe_finds_nothing_serious(opened: Opener, viewport, scheme):
    from axe_core_python.sync_playwright import Axe

    for name in (*PLACES, "fields.html", "calendar-2024.html", "systems/index.html", "2024-07-30/easy.html"):
        page = opened(name, viewport=viewport, color_scheme=scheme)
        page.wait_for_timeout(150)
        for language in ("English", "한국어"):
            page.get_by_label(language).check()
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name
        found = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in Axe().run(page)["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert not found, name
        page.context.close()


@pytest.mark.parametrize("name", PLACES[:4])
def test_the_text_is_painted_without_any_script(opened: Opener, name):
    page = opened(name, java_script_enabled=False)
    assert len(page.locator("main").inner_text()) > 300
    page = opened("search.html", java_script_enabled=False)
    assert page.get_by_text("Search runs in your browser").is_visible()


def test_an_edition_is_read_on_a_phone_in_both_languages_and_styles(opened: Opener):
    page = opened(viewport=PHONE, has_touch=True)
    assert statement(page, LAST).is_visible()
    page.get_by_label("한국어").check()
    korean = statement(page, "배치 16에서 기준보다 1.9배 빠르게 디코딩합니다.")
    assert korean.is_visible() and not statement(page, LAST).is_visible()
    page.get_by_role("link", name="쉽게").tap()
    page.wait_for_url("**/easy.html*")
    assert statement(page, "아무도 보지 않는 부분을 덜어 긴 글을 더 싸게 처리합니다.").is_visible()


def test_changing_the_style_keeps_the_entry_and_is_remembered(opened: Opener):
    page = opened("2024-07-22/index.html")
    sixth = page.locator(".entry").nth(5)
    sixth.evaluate("node => scrollTo(0, node.getBoundingClientRect().top + scrollY - 40)")
    id_ = sixth.get_attribute("id")
    box = page.get_by_role("link", name="Easy").bounding_box()  # Playwright's own click scrolls the page
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**/easy.html#{id_}")
    assert page.locator(f"[id='{id_}']").is_visible()
    assert abs(page.locator(f"[id='{id_}']").bounding_box()["y"]) < 150
    page.goto(
        page.url.replace("2024-07-22", "2024-07-30").replace("easy.html", "index.html").partition("#")[0]
    )
    page.wait_for_url("**/2024-07-30/easy.html")
    page.get_by_role("link", name="Detailed").click()
    page.wait_for_url("**/2024-07-30/index.html*")


def test_pointing_at_a_statement_fetches_the_words_of_its_source(opened: Opener):
    page = opened()
    assert page.locator("script[data-evidence]").count() == 0
    statement(page, LAST).hover()
    note = page.locator(".evidence")
    page.locator(".evidence blockquote").wait_for()
    assert "Abstract v1, sentence 5" in note.inner_text() and LAST_SOURCE in note.inner_text()
    statement(page, "Each head is scored on a window of recent queries.").hover()
    assert page.locator(".evidence mark").inner_text() == "scores each head on a window of recent queries"
    page.mouse.move(5, 5)
    assert note.count() == 0


def test_tapping_shows_the_evidence_below_the_statement(opened: Opener):
    page = opened(viewport=PHONE, has_touch=True)
    text = statement(page, LAST).locator("p").first
    text.tap(position={"x": 20, "y": 10})
    page.locator(".evidence blockquote").wait_for()
    assert (
        page.locator(".evidence").bounding_box()["y"]
        >= text.bounding_box()["y"] + text.bounding_box()["height"]
    )


def test_without_a_script_a_number_leads_to_the_sentence_on_the_papers_page(opened: Opener):
    page = opened(java_script_enabled=False)
    statement(page, LAST).locator("a").first.click()
    page.wait_for_url("**/papers/2407.00001.html#p1s5")
    assert page.get_by_text(LAST_SOURCE).is_visible()


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("pruning attention heads", "Larch: Pruning Attention Heads"),
        ("quarr", "Quarry: A Benchmark"),
        ("어텐션 헤드를 가지치기", "Larch: Pruning Attention Heads"),
        ("2407.00002", "Quarry: A Benchmark"),
        ("양자화", "Fast Matrix Multiplications for Lookup Table-Quantized LLMs"),
        ("ＹuLan mini", "YuLan-Mini: An Open Data-efficient"),
    ],
)
def test_search_works_in_both_languages_with_the_network_off(opened: Opener, query, title):
    page = opened("search.html")
    page.get_by_role("searchbox").fill(query)
    first = page.locator(".results > li").first
    first.filter(has_text=title).wait_for()
    assert page.locator(".found").inner_text().endswith("found")
    first.get_by_role("link").first.click()
    page.wait_for_url("**/papers/*.html")
    assert page.locator("h1").inner_text().startswith(title)


@pytest.mark.parametrize(
    "query",
    [
        "zzzzqqqq",
        "한글없는말임",
        "__proto__ constructor",
        "<img src=x onerror=alert(1)>",
        '"" OR 1=1 --',
        "a" * 3000,
        "\\",
        "([",
    ],
)
def test_a_hostile_or_empty_handed_query_says_so_and_breaks_nothing(opened: Opener, query):
    page = opened("search.html")
    page.get_by_role("searchbox").fill(query)
    page.locator(".found:not(:empty)").wait_for()
    assert page.locator(".found").inner_text().split("\n")[0]
    assert page.locator(".results img").count() == 0


def test_a_search_can_be_limited_and_its_address_opened_again(opened: Opener):
    page = opened("search.html?q=language+model&since=2024-10-01")
    page.locator(".results > li").first.wait_for()
    days = page.locator(".results time").all_inner_texts()
    assert days and min(days) >= "2024-10-01"
    assert page.get_by_role("searchbox").input_value() == "language model"
    page = opened("search.html?q=attention&claims=1")
    page.locator(".results > li").first.wait_for()
    assert [title.partition(":")[0] for title in page.locator(".results h2").all_inner_texts()] == ["Larch"]
    page = opened("fields.html")
    page.get_by_role("link", name="Efficient inference").first.click()
    page.locator(".results > li").first.wait_for()
    assert any(text.startswith("Larch") for text in page.locator(".results h2").all_inner_texts())


def test_a_missing_part_of_the_index_is_said(browser: Browser, out: Path, tmp_path: Path):
    shutil.copytree(out, tmp_path / "site")
    for part in (tmp_path / "site" / "search").glob("s*.js"):
        part.unlink()
    context = browser.new_context()
    page = context.new_page()
    page.goto((tmp_path / "site" / "search.html").as_uri() + "?q=attention")
    page.get_by_text("A part of the index could not be loaded.").wait_for()
    context.close()


def test_the_pages_tokens_are_those_of_the_index(opened: Opener):
    page = opened("search.html")
    texts = [
        "The Models, QUANTIZED by naïve Zürich-nets: 2407.21018v2 K8s ﬁne ²",
        "양자화를 쓴다 3.5배 LLaMA3와 한국어",
        "日本語の論文 mixed한글english 東京",
        "Ωmega ПРИВЕТ straße İstanbul ǅ",
        "a_b __x__ e-mail c++ f(x)=x² 10^-3 🙂 \u200d zero",
        "classes basis status bus gas Kansas ss",
    ]
    for text in texts:
        assert page.evaluate("text => presscheck.tokens(text)", text) == list(tokens(text)), text


def test_the_keyboard_alone_searches_and_opens_a_paper(opened: Opener):
    page = opened("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Search"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "q":
            break
    page.keyboard.type("attention heads")
    page.locator(".results > li").first.wait_for()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('.results h2')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/papers/2407.00001.html")
    for _ in range(60):
        page.keyboard.press("Tab")
        if LAST in page.evaluate("document.activeElement.closest('li')?.textContent ?? ''"):
            break
    assert LAST_SOURCE in page.locator(".evidence").inner_text()


def test_a_page_of_3303_authors_of_hostile_names_shows_them_on_request(opened: Opener):
    page = opened(viewport=PHONE)
    page.get_by_role("link", name="and 3,300 more").click()
    page.wait_for_url(f"**/{paper_page(hostile_paper().id)}")
    last = page.get_by_text("Author 3302")
    assert not last.is_visible()
    page.get_by_text("and 3,300 more").click()
    assert last.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("h1").inner_text().startswith("</style><script>alert(1)</script>")


def test_a_claim_shows_its_word_beside_its_drawing(opened: Opener):
    page = opened()
    claim = page.locator(".claim").filter(has_text="Decoding is 1.9 times faster.")
    assert claim.locator(".verdict").inner_text().split() == ["×", "fails", "here"]
    drawn, text = claim.locator("svg").bounding_box(), claim.locator(".claimed").bounding_box()
    assert drawn["x"] > text["x"] + text["width"] and drawn["height"] > 10
    page.get_by_label("한국어").check()
    assert claim.locator(".verdict").inner_text().split() == ["×", "여기서", "불성립"]
    dot = claim.locator("circle").bounding_box()
    assert drawn["x"] < dot["x"] < drawn["x"] + drawn["width"]


def test_print_keeps_the_text_and_drops_what_can_be_pressed(opened: Opener):
    page = opened()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('main')).columnCount") == "2"
    for gone in (".bar", ".places", ".parts"):
        assert not any(node.is_visible() for node in page.locator(gone).all())
    assert page.get_by_text("fails here").first.is_visible()

"""The page: complete by itself, valid, safe, in both languages."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter
from xml.etree import ElementTree as ET

import html5lib
import msgspec
import pytest
from editions import (
    HOSTILE,
    LARCH,
    QUARRY,
    entry,
    evidence,
    full_edition,
    hostile_paper,
    paper,
    said,
)

from presscheck.edition.page import File, render_edition, render_index
from presscheck.types import Author, Edition, Entry, Evidence, Paper, Statement, Written

HTML = "{http://www.w3.org/1999/xhtml}"


def parse(page: str) -> ET.Element:
    """The document as a strict HTML5 parser reads it; a parse error fails the test."""
    return html5lib.HTMLParser(strict=True).parse(page)


def every(root: ET.Element, name: str) -> list[ET.Element]:
    return list(root.iter(HTML + name))


def classes(node: ET.Element) -> set[str]:
    return set(node.get("class", "").split())


def text(node: ET.Element) -> str:
    return " ".join("".join(node.itertext()).split())


def article(root: ET.Element, id: str) -> ET.Element:
    return next(node for node in every(root, "article") if node.get("id") == id)


@pytest.fixture(scope="module")
def page() -> ET.Element:
    return parse(
        render_edition(full_edition(), files=[File("edition.json", "edition.json", "application/json")])
    )


@pytest.mark.parametrize(
    "edition",
    [
        full_edition(),
        full_edition(hostile=False),
        Edition(date="2024-07-31"),
        Edition(date="2024-07-31", languages=("ko",), styles=("easy",), papers=(LARCH,)),
        Edition(date=HOSTILE, taken=HOSTILE, source=HOSTILE, papers=(LARCH, LARCH)),
    ],
    ids=["all", "plain", "empty", "one voice", "twice the same"],
)
@pytest.mark.parametrize("thumbnails", [False, True])
def test_the_page_is_valid_html_with_unique_ids_and_references_that_resolve(edition, thumbnails):
    root = parse(
        render_edition(edition, thumbnails=thumbnails, previous="2024-07-30", files=[File("a", "b")])
    )
    ids = Counter(node.get("id") for node in root.iter() if node.get("id"))
    assert not [name for name, times in ids.items() if times > 1 or re.search(r"\s", name)]
    for node in root.iter():
        for attribute in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
            assert set(node.get(attribute, "").split()) <= set(ids)
        if node.get("href", "").startswith("#"):
            assert node.get("href")[1:] in ids


def test_headings_descend_one_step_at_a_time_and_there_is_one_first(page):
    levels = [int(node.tag[-1]) for node in page.iter() if re.fullmatch(rf"{HTML}h[1-6]", str(node.tag))]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_nothing_hostile_becomes_markup(page):
    assert len(every(page, "script")) == 1 and len(every(page, "style")) == 1
    assert not every(page, "img") and not every(page, "iframe")
    for node in page.iter():
        assert not [name for name in node.attrib if name.startswith("on") or name == "style"]
    assert "<script>alert(1)</script>" in text(every(page, "main")[0])  # it is there, as text
    assert "{{ 7*7 }}" in text(every(page, "main")[0])


def test_only_web_addresses_become_links(page):
    for node in page.iter():
        for name in ("href", "src"):
            if name in node.attrib:
                assert re.match(r"https://|#|\.\./|[\w.]+$", node.get(name)), node.get(name)


def test_characters_that_no_document_may_have_are_left_out():
    title = "a\x00b\x1bc\ufffed\ud800e\x85"
    page = render_edition(Edition(date="2024-07-31", papers=(Paper(id="2407.00001", title=title),)))
    page.encode()
    assert "abcde</a>" in page


def test_text_that_runs_from_right_to_left_is_kept_to_itself(page):
    names = [text(node) for node in every(page, "bdi")]
    assert "محمد علي" in names
    assert any("\u202e" in name for name in names)
    headings = [node for node in every(page, "h2") if re.fullmatch(r"p\d+t", node.get("id", ""))]
    assert headings and all(node.get("dir") == "auto" for node in headings)


def test_the_policy_allows_the_inlined_style_and_script_and_nothing_else(page):
    policy = next(node.get("content") for node in every(page, "meta") if node.get("http-equiv"))
    for name in ("style", "script"):
        inlined = every(page, name)[0].text
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "img-src" not in policy


def test_thumbnails_are_links_unless_they_are_asked_for():
    plain = parse(render_edition(full_edition()))
    assert not every(plain, "img")
    asked = render_edition(full_edition(), thumbnails=True)
    images = [node.get("src") for node in every(parse(asked), "img")]
    assert images == [each.thumbnail for each in full_edition().papers if each.thumbnail]
    assert "img-src https://cdn-thumbnails.huggingface.co;" in asked


def test_all_authors_are_on_the_page_in_order_three_of_them_in_the_open(page):
    authors = [author.name for author in hostile_paper().authors]
    cell = next(node for node in article(page, "paper-5").iter(HTML + "div") if "authors" in classes(node))
    rest = next(cell.iter(HTML + "details"))
    assert "and 3,300 more" in text(next(rest.iter(HTML + "summary")))
    assert text(rest.find(HTML + "span")).split(", ")[-1] == authors[-1]
    at = [text(cell).index(name) for name in authors[6:]]
    assert at == sorted(at) and len(at) == 3297


@pytest.mark.parametrize(
    ("votes", "words"), [(0, "0 votes"), (1, "1 vote"), (-3, "−3 votes"), (None, "not known")]
)
def test_votes_are_printed_as_they_are(votes, words):
    one = msgspec.structs.replace(LARCH, votes=votes)
    root = parse(render_edition(Edition(date="2024-07-31", papers=(one,), languages=("en",))))
    facts = next(node for node in every(root, "ul") if "facts" in classes(node))
    assert words in text(facts)


def voices(root: ET.Element) -> list[tuple[str, ET.Element]]:
    """Every node whose language is switched, with the class it is switched by."""
    return [(name, node) for node in root.iter() for name in ("en", "ko") if name in classes(node)]


def test_what_is_switched_by_language_says_which_language_it_is(page):
    assert len(voices(page)) > 100
    assert all(node.get("lang") == name for name, node in voices(page))


def test_hangul_never_stands_under_another_language(page):
    def walk(node: ET.Element, lang: str) -> None:
        lang = node.get("lang", lang)
        if re.search("[가-힣]", node.text or ""):
            assert lang == "ko", node.text
        for child in node:
            walk(child, lang)
            if re.search("[가-힣]", child.tail or ""):
                assert lang == "ko", child.tail

    walk(every(page, "body")[0], page.get("lang"))


def test_every_statement_of_every_entry_is_in_the_document_without_a_script():
    edition = full_edition()
    root = parse(render_edition(edition))
    for node in every(root, "script"):
        node.text = ""
    found = text(root)
    for one in edition.entries:
        for section in one.sections:
            for statement in section.statements:
                assert " ".join(statement.text.split()) in found
    assert "The sentence has two results; one is printed." in found
    assert "Not summarised: the source gives no abstract" in found
    assert "no title: the other papers are printed" in found


def test_the_switches_work_by_style_sheet_alone():
    page = render_edition(full_edition())
    root = parse(page)
    radios = {node.get("id"): node for node in every(root, "input")}
    assert set(radios) == {
        *("language-en", "language-ko", "style-detailed", "style-easy"),
        *("scheme-auto", "scheme-light", "scheme-dark"),
    }
    assert {name for name, node in radios.items() if "checked" in node.attrib} == {
        "language-en", "style-detailed", "scheme-auto",
    }  # fmt: skip
    for rule in ("#language-en:checked) .ko", "#language-ko:checked) .en", "#style-easy:checked) .detailed"):
        assert rule in page


def test_a_page_of_one_language_and_style_has_no_switch_for_them():
    root = parse(
        render_edition(Edition(date="2024-07-31", languages=("ko",), styles=("easy",), papers=(LARCH,)))
    )
    assert {node.get("name") for node in every(root, "input")} == {"scheme"}
    assert root.get("lang") == "ko"
    assert not [node for name, node in voices(root) if name == "en"]


def marks(root: ET.Element, id: str) -> dict[str, ET.Element]:
    """The evidence marks of an entry by their statement's text."""
    found = {}
    for item in article(root, id).iter(HTML + "p"):
        for at in item:
            if "at" in classes(at):
                found.setdefault((item.text or "").strip(), []).append(at)
    return found


def test_evidence_points_to_the_sentence_on_the_page(page):
    (at,) = marks(page, LARCH.id)["Decoding is 1.9 times faster at a batch of 16."]
    assert (at.text, at.get("title")) == ("5", "Abstract v1, sentence 5")
    target = next(node for node in every(page, "li") if node.get("id") == at.get("href")[1:])
    assert text(target) == "At a batch of 16 it decodes 1.9 times faster than the baseline."


def test_a_clause_is_marked_within_its_sentence_also_for_a_statement_in_other_words(page):
    clause = "scores each head on a window of recent queries"
    for statement in (
        "Each head is scored on a window of recent queries.",
        "최근 질의의 창에서 각 헤드의 점수를 매깁니다.",
    ):
        (at,) = marks(page, LARCH.id)[statement]
        sentence = LARCH.abstract[LARCH.sentences[2].start : LARCH.sentences[2].end]
        start, end = map(int, at.get("data-span").split(":"))
        assert sentence[start:end] == clause


def test_whole_sentences_have_no_span(page):
    (at,) = marks(page, LARCH.id)["Decoding is 1.9 times faster at a batch of 16."]
    assert at.get("data-span") is None


def test_a_sentence_that_was_reworded_is_not_shown_as_evidence():
    old = msgspec.structs.replace(evidence(LARCH, 2), version="v0", hash="f" * 16)
    entries = (entry(LARCH, "en", "detailed", {"whats_new": [Statement(text="Old.", evidence=(old,))]}),)
    root = parse(render_edition(Edition(date="2024-07-31", papers=(LARCH,), entries=entries)))
    (at,) = marks(root, LARCH.id)["Old."]
    assert at.get("href") == "https://arxiv.org/abs/2407.00001v0"
    assert at.get("title") == "Abstract v0, sentence 2 (reworded since)"


@pytest.mark.parametrize("number", [0, -1, 99])
def test_a_sentence_number_that_does_not_exist_leads_to_the_source(number):
    wrong = Evidence(source="abstract", version="v1", sentence=number)
    entries = (entry(LARCH, "en", "detailed", {"whats_new": [Statement(text="Odd.", evidence=(wrong,))]}),)
    root = parse(render_edition(Edition(date="2024-07-31", papers=(LARCH,), entries=entries)))
    (at,) = marks(root, LARCH.id)["Odd."]
    assert at.get("href") == "https://arxiv.org/abs/2407.00001v1"


def test_evidence_outside_the_page_leads_to_its_place(page):
    places = marks(page, "2407.00005")["Fathom estimates depth from one echo."]
    assert [(at.text, at.get("href")) for at in places] == [
        ("3", "https://arxiv.org/abs/2407.00005v2"),
        ("Table 2", "https://arxiv.org/pdf/2407.00005v2"),
        ("train.py", None),  # no repository is known: a place, and no link
        ("title", "#p4t"),
    ]


def test_a_reason_that_all_parts_share_is_said_once(page):
    absent = [text(node) for node in article(page, QUARRY.id).iter(HTML + "p") if "absent" in classes(node)]
    assert absent.count("추출식 작성기는 한국어를 쓰지 않습니다.") == 2  # once a style


def test_a_paper_without_any_entry_says_so():
    root = parse(render_edition(Edition(date="2024-07-31", papers=(LARCH,))))
    assert text(article(root, LARCH.id)).count("no entry for this paper") == 2
    assert text(article(root, LARCH.id)).count("항목이 없습니다") == 2


def test_an_open_day_says_so_with_the_time_of_its_list(page):
    head = next(node for node in every(page, "header") if "masthead" in classes(node))
    assert "2024-07-31 01:00 UTC" in text(head) and "taken before the day’s end" in text(head)
    closed = render_edition(msgspec.structs.replace(full_edition(), state="closed"))
    assert "taken before the day’s end" not in closed


def test_only_the_name_of_a_system_that_can_be_run_is_set_apart(page, monkeypatch):
    assert not [node for node in every(page, "span") if "runs" in classes(node)]
    monkeypatch.setattr("presscheck.edition.view._can_be_run", lambda slug: slug == "larch")
    shown = parse(render_edition(full_edition()))
    (name,) = [node for node in every(shown, "span") if "runs" in classes(node)]
    assert text(name) == "Larch"


def many_papers(count: int, statements: int) -> Edition:
    """An edition of usual size: abstracts of some 1,300 characters, both languages and styles."""
    line = "The model learns a sparse code from long documents and scores {n}.4% above the strong baseline."
    korean = "모델은 긴 문서에서 희소 코드를 학습하고 강한 기준보다 {n}.4% 높은 점수를 얻습니다."
    papers, entries = [], []
    for at in range(count):
        of = paper(f"2407.{10000 + at}", f"System {at}: Sparse Codes for Long Documents",
                   [line.format(n=n) for n in range(13)],
                   authors=tuple(Author(name=f"Author Number {n}") for n in range(8)), votes=at)  # fmt: skip
        papers.append(of)
        for language, words in (("en", line), ("ko", korean)):
            for style, keys in (("detailed", ("whats_new", "technical_details", "performance_highlights")),
                                ("easy", ("summary", "plain", "fields"))):  # fmt: skip
                lines = [said(of, words.format(n=n), n % 13 + 1) for n in range(statements)]
                parts = {key: lines[place::3] for place, key in enumerate(keys)}
                entries.append(entry(of, language, style, parts))
    return Edition(date="2024-07-31", papers=tuple(papers), entries=tuple(entries))


def test_sixteen_papers_weigh_less_than_200_kb():
    assert len(render_edition(many_papers(16, 8)).encode()) < 200_000


def test_fifty_papers_render_in_half_a_second():
    edition = many_papers(50, 8)
    render_edition(edition)
    best = min(_seconds(edition) for _ in range(3))
    assert best < 0.5


def _seconds(edition: Edition) -> float:
    start = time.process_time()
    render_edition(edition)
    return time.process_time() - start


def test_a_long_abstract_is_on_the_page_once():
    page = render_edition(full_edition(hostile=False))
    # Larch's statements are in words of their own, so the source's words are those of the abstract.
    assert page.count("method that prunes attention heads by how much later tokens use them.") == 1


def test_the_front_page_is_valid_and_bears_hostile_text():
    from presscheck.edition.published import Listed

    editions = [full_edition("2024-11-05"), full_edition("2024-11-04", hostile=False)]
    listed = [Listed(date=each.date, state=each.state) for each in editions] + [Listed(date="2024-02-30")]
    root = parse(render_index(listed, editions))
    assert len(every(root, "script")) == 1
    assert [text(node) for node in every(root, "h3")] == [
        each.title for each in full_edition().papers[:4] if each.abstract or each.version
    ]
    days = [node.get("href") for node in every(root, "a") if node.get("aria-label")]
    assert days == ["2024-11-04/index.html", "2024-11-05/index.html"]
    assert text(root).count("its table lists seven") == 2
    assert "No edition" in text(parse(render_index([], [])))


def test_a_finished_entry_of_nothing_but_notes_still_prints():
    entries = (
        Entry(paper=LARCH.id, language="en", style="detailed", notes=(Statement(text="A conflict."),)),
    )
    root = parse(render_edition(Edition(date="2024-07-31", papers=(LARCH,), entries=entries)))
    assert "A conflict." in text(article(root, LARCH.id))


def test_an_entry_by_a_model_says_how_many_statements_were_put_right() -> None:
    made = Written(kept=3, repaired=1, replaced=2, dropped=4, notes=("Passed over: sentence 4",))
    full = full_edition()
    entries = tuple(
        msgspec.structs.replace(entry, writer="<b>model", written=made) for entry in full.entries
    )
    page = render_edition(msgspec.structs.replace(full, entries=entries))
    parse(page)
    assert "&lt;b&gt;model" in page and "<b>model" not in page
    assert "3 statements as first written, 1 repaired, 2 replaced" in page
    assert "뺀 것 4문장" in page
    assert "Passed over: sentence 4" in page

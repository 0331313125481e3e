"""Proof marks: which statement gets which, what they say, and that they cannot be turned against the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import html5lib
import msgspec
import pytest
from editions import HOSTILE, LARCH, TURNED, entry, evidence
from hypothesis import given
from hypothesis import strategies as st
from marked import finding, judged, marked_edition

from presscheck.digest.check.kinds import KINDS
from presscheck.edition.marks import SIGNS, VERDICTS, kind_in_words, mark_of, marks_of_entry, score, slips
from presscheck.edition.page import render_edition
from presscheck.edition.words import WORDS
from presscheck.types import LANGUAGES, Edition, Entry, Evidence, Finding, Statement

HTML = "{http://www.w3.org/1999/xhtml}"
TEXT = "Memory falls by 310% on eight tasks."
ORDER = ("register", "tasks", "", "")
NUMBER = ("number", "eight", "nine", "")


def parse(page: str) -> ET.Element:
    """The document as a strict HTML5 parser reads it; a parse error fails the test."""
    return html5lib.HTMLParser(strict=True).parse(page)


def classes(node: ET.Element) -> set[str]:
    return set(node.get("class", "").split())


def text(node: ET.Element) -> str:
    return " ".join("".join(node.itertext()).split())


def page_of(*statements: Statement, findings: tuple[Finding, ...] = ()) -> ET.Element:
    entries = (entry(LARCH, "en", "detailed", {"whats_new": list(statements)}, findings=findings),)
    return parse(render_edition(Edition(date="2024-07-31", papers=(LARCH,), entries=entries)))


def marks(root: ET.Element) -> list[ET.Element]:
    return [node for node in root.iter() if "mark" in classes(node)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_supported_or_was_not_checked_has_no_mark(language):
    assert mark_of(judged(LARCH, TEXT, "supported", at=4), language) is None
    assert mark_of(Statement(text=TEXT), language) is None


@pytest.mark.parametrize(
    ("statement", "sign", "words"),
    [
        (judged(LARCH, TEXT, "conflict", ("magnitude", "310%", "31%", "")), "×", "power of ten"),
        (judged(LARCH, TEXT, "conflict"), "×", "in conflict"),
        (judged(LARCH, TEXT, "conflict", ORDER, NUMBER), "×", "other number"),
        (judged(LARCH, TEXT, "conflict", ("source_conflict", "eight", "8 / 7", "")), "≠", "source conflict"),
        (judged(LARCH, TEXT, "unsupported"), "?", "not in paper"),
        (judged(LARCH, TEXT, "unsupported", ("name", "Memory", "", ""), ("foreign_statement", TEXT)),
         "?", "not in paper"),
        (judged(LARCH, TEXT, "unsupported", ("empty_section", TEXT)), "?", "says nothing"),
        (judged(LARCH, TEXT, "beyond"), "○", "beyond abstract"),
        (judged(LARCH, TEXT, "beyond", ("number", "eight", "", "")), "○", "beyond abstract"),
        (judged(LARCH, TEXT, "supported", ORDER), "¶", "other register"),
        (judged(LARCH, TEXT, "conflict", ("from_tomorrow", "eight", "", "")), "×", "in conflict"),
    ],
)  # fmt: skip
def test_a_statement_that_is_off_has_the_sign_and_the_words_of_the_worst_of_it(statement, sign, words):
    mark = mark_of(statement, "en")
    assert (mark.sign, mark.words) == (sign, words)


def test_a_statement_that_points_into_the_full_text_is_not_told_that_it_does():
    table = Evidence(source="paper", place="Table 2")
    beyond = msgspec.structs.replace(judged(LARCH, TEXT, "beyond"), evidence=(table,))
    assert mark_of(beyond, "en") is None
    pointing_at_the_abstract = msgspec.structs.replace(beyond, evidence=(evidence(LARCH, 4),))
    assert mark_of(pointing_at_the_abstract, "en").kind == "beyond"
    with_leftover = msgspec.structs.replace(beyond, findings=(finding(TEXT, *ORDER),))
    assert mark_of(with_leftover, "en").kind == "form"


def test_an_entry_about_another_paper_is_marked_once_and_not_at_every_statement():
    whole = Finding(kind="not_this_paper", expected=LARCH.title, why="about another paper")
    statements = [judged(LARCH, f"Bees dance {n}.", "unsupported") for n in range(5)]
    assert [text(mark.find(HTML + "summary")) for mark in marks(page_of(*statements, findings=(whole,)))] == [
        "× not this paper"
    ]
    assert len(marks(page_of(*statements))) == 5


def test_findings_of_one_kind_on_an_entry_share_a_mark():
    extra = [
        Finding(kind="extra_section", text=name, why="no such section") for name in ("Outlook", "Limits")
    ]
    first = Finding(kind="author_order", text="B", expected="A", why="the order is lost")
    found = marks_of_entry(Entry(paper="x", language="en", style="detailed", findings=(*extra, first)))
    assert [(mark.words, len(mark.notes)) for mark in found] == [("author order", 1), ("extra section", 1)]
    assert found[1].notes[0].fragments == ("Outlook", "Limits")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_three_words_at_most_and_a_reason_in_both_languages(kind):
    for language in LANGUAGES:
        mark = mark_of(judged(LARCH, TEXT, "conflict", (kind, "eight", "nine", "")), language)
        assert 0 < len(mark.words.split()) <= 3 and mark.sign in SIGNS.values()
        assert (
            bool(re.search("[가-힣]", mark.words))
            == (language == "ko")
            == (bool(re.search("[가-힣]", mark.notes[0].why)))
        )
        assert mark.notes[0].why.endswith(".")
        assert kind_in_words(kind, language) in (mark.words, "논문에 없음", "not in paper")
    assert f"why_{kind}" in WORDS


def test_numbers_that_the_source_lacks_share_one_note_and_are_not_called_different():
    statement = judged(LARCH, TEXT, "beyond", ("number", "310%", "", "no such number"),
                       ("number", "eight", "", "no such number"))  # fmt: skip
    (note,) = mark_of(statement, "ko").notes
    assert note.fragments == ("310%", "eight") and note.why == WORDS["why_number_lacking"][1]


def test_a_note_refers_to_the_sentence_that_it_names():
    wrong = judged(LARCH, TEXT, "conflict", ("magnitude", "310%", "31%", "the source says 31% (sentence 4)"))
    root = page_of(wrong)
    (at,) = [node for node in marks(root)[0].iter() if "at" in classes(node)]
    target = next(node for node in root.iter(HTML + "li") if node.get("id") == at.get("href")[1:])
    assert "reduces memory by 31%" in text(target)


@pytest.mark.parametrize("number", ["0", "99", "9999"])
def test_a_note_that_names_a_sentence_which_is_not_there_refers_to_the_source(number):
    wrong = judged(LARCH, TEXT, "conflict", ("magnitude", "310%", "31%", f"see sentence {number}"))
    (at,) = [node for node in marks(page_of(wrong))[0].iter() if "at" in classes(node)]
    assert at.get("href", "https://").startswith("https://")


def test_the_fragment_that_is_off_is_underlined_where_it_stands():
    statement = judged(LARCH, TEXT, "conflict", NUMBER, ("magnitude", "310%", "31%", ""))
    assert slips(statement) == (
        ("Memory falls by ", False), ("310%", True), (" on ", False), ("eight", True), (" tasks.", False),
    )  # fmt: skip
    (line,) = [node for node in page_of(statement).iter(HTML + "p") if node.findall(HTML + "u")]
    assert text(line) == TEXT and [node.text for node in line.findall(HTML + "u")] == ["310%", "eight"]


def test_a_finding_on_all_of_a_statement_or_at_a_wrong_place_underlines_nothing():
    astray = Finding(kind="number", text="eight", start=0, end=5)
    beyond = Finding(kind="number", text="eight", start=900, end=905)
    whole = finding(TEXT, "foreign_statement", TEXT)
    assert slips(Statement(text=TEXT, findings=(astray, beyond, whole))) == ()


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-3, 33), st.integers(-3, 33)), max_size=6))
def test_the_pieces_of_a_statement_are_the_statement(said, spans):
    found = tuple(Finding(kind="number", text=said[a:b], start=a, end=b) for a, b in spans)
    pieces = slips(Statement(text=said, findings=found))
    assert not pieces or "".join(piece for piece, _ in pieces) == said


def test_hostile_findings_stay_text():
    said = f"It is {HOSTILE} here, and many more words follow it so that it is not most of the line. " * 2
    bad = (
        Finding(kind="name", text=HOSTILE, start=6, end=6 + len(HOSTILE), expected=HOSTILE, why=HOSTILE),
        Finding(kind=HOSTILE, text=TURNED, expected=TURNED, why=TURNED),
    )
    statement = Statement(text=said, verdict="conflict", findings=bad)
    root = page_of(statement, findings=bad)
    assert len(list(root.iter(HTML + "script"))) == 1 and not list(root.iter(HTML + "img"))
    assert not [name for node in root.iter() for name in node.attrib if name.startswith("on")]
    mark = next(node for node in marks(root) if node.tag == HTML + "details")
    assert text(mark).count("<script>alert(1)</script>") == 3
    assert [node.text for node in root.iter(HTML + "u")] == [HOSTILE]
    assert TURNED in [text(node) for node in root.iter(HTML + "bdi")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_of_every_mark_is_valid_and_says_how_many(language):
    edition = marked_edition()
    root = parse(render_edition(msgspec.structs.replace(edition, languages=(language,))))
    shown = [node for node in marks(root) if node.tag == HTML + "details"]
    assert {name for node in shown for name in classes(node)} - {"mark"} == set(SIGNS)
    assert len(shown) >= len(KINDS)
    counts = score(edition.entries)
    assert counts["conflict"] >= 2 * len(KINDS)
    told = next(node for node in root.iter(HTML + "p") if "why" in classes(node))
    assert [int(n) for n in re.findall(r"\d+", text(told))] == [
        sum(counts.values()),
        *(counts[verdict] for verdict in VERDICTS),
    ]


def test_a_page_without_findings_has_no_trace_of_marks():
    root = page_of(judged(LARCH, TEXT, "supported", at=4))
    assert not marks(root) and not list(root.iter(HTML + "u"))
    assert not [node for node in root.iter() if "off" in classes(node)]

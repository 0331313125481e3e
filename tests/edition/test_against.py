"""Someone else's digest beside ours: who is where, what is counted, what is refused, what stays text."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import html5lib
import msgspec
import pytest
from editions import ABSENT, LARCH, OUTSIDE, QUARRY, full_edition
from rivals import FOREIGN, HOSTILE_MARKDOWN, KOREAN

from presscheck.digest.jsonfile import edition_to_json
from presscheck.edition.against import Against, Comparison
from presscheck.edition.marks import VERDICTS
from presscheck.edition.page import render_against
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.types import Author, Edition

HTML = "{http://www.w3.org/1999/xhtml}"
OURS = full_edition(hostile=False)


def compared(folder: Path, text: str, edition: Edition = OURS, name: str = "theirs.md") -> Comparison:
    (folder / name).write_text(text, encoding="utf-8")
    (comparison,) = Against([str(folder / name)], [], Library(folder / "home")).beside(edition)
    return comparison


def parse(page: str) -> ET.Element:
    """The document as a strict HTML5 parser reads it; a parse error fails the test."""
    return html5lib.HTMLParser(strict=True).parse(page)


def text(node: ET.Element) -> str:
    return " ".join("".join(node.itertext()).split())


def classes(node: ET.Element) -> set[str]:
    return set(node.get("class", "").split())


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in root.iter() if name in classes(node)]


def test_papers_stand_in_our_order_and_what_only_they_have_comes_last(tmp_path):
    rows = compared(tmp_path, KOREAN).rows
    assert [row.item.paper.id for row in rows] == [LARCH.id, QUARRY.id, ABSENT.id, OUTSIDE.id, "2407.09999"]
    assert [row.ours is not None for row in rows] == [True, True, True, True, False]
    assert [row.theirs is not None for row in rows] == [True, True, False, False, True]


def test_what_they_lack_and_what_we_have_not_listed_is_said(tmp_path):
    articles = list(parse(render_against(compared(tmp_path, KOREAN))).iter(HTML + "article"))
    assert "theirs.md에는 이 논문의 항목이 없습니다." in text(articles[2])
    assert "이 호의 목록에 없는 논문입니다." in text(articles[4])
    assert "목록에 없는 논문입니다." in text(articles[4]) and "Nobody Listed This" in text(articles[4])


def test_both_sides_are_in_the_language_and_style_of_theirs(tmp_path):
    comparison = compared(tmp_path, KOREAN)
    assert (comparison.language, comparison.style) == ("ko", "detailed")
    root = parse(render_against(comparison))
    assert root.get("lang") == "ko"
    first = text(next(root.iter(HTML + "article")))
    assert "여덟 과제에서 메모리를 31% 줄이고" in first and "여덟 과제에서 메모리를 310% 줄입니다." in first
    assert "Memory falls by 31%" not in text(root) and "아무도 보지 않는 부분" not in text(root)


def test_the_tally_is_that_of_the_check(tmp_path):
    comparison = compared(tmp_path, KOREAN)
    ours, theirs = comparison.ours, comparison.theirs
    assert (theirs.papers, theirs.about, theirs.unchecked) == (2, 2, 1)
    assert theirs.verdicts == {"supported": 6, "conflict": 1} and theirs.statements == 7
    assert theirs.kinds["magnitude"] == 1 and theirs.kinds["author_order"] == 1
    assert ours.statements == 5 and set(ours.verdicts) == {"supported"}
    assert not ours.kinds.keys() & {"magnitude", "author_order"}
    rows = [
        [text(cell) for cell in row]
        for row in of_class(parse(render_against(comparison)), "tally")[0].iter(HTML + "tr")
    ]
    told = {re.sub(r"^\W+", "", row[0]): row[1:] for row in rows}
    assert told["해당 논문을 다룬 항목"] == ["1개 중 1개", "2개 중 2개"]
    assert told["불일치"] == ["0 0%", "1 14%"] and told["자릿수 오류"] == ["–", "1"]


def test_an_entry_about_another_paper_is_counted_and_heads_the_list(tmp_path):
    comparison = compared(tmp_path, FOREIGN)
    assert (comparison.theirs.papers, comparison.theirs.about) == (1, 0)
    assert comparison.faults[0].mark.words == "not this paper"
    assert comparison.theirs.verdicts == {"unsupported": 3}


def test_the_worst_comes_first_and_every_link_leads_to_its_place(tmp_path):
    comparison = compared(tmp_path, KOREAN)
    assert [fault.mark.words for fault in comparison.faults][:2] == ["자릿수 오류", "저자 순서"]
    root = parse(render_against(comparison))
    by_id = {node.get("id"): node for node in root.iter() if node.get("id")}
    assert len(by_id) == sum(1 for node in root.iter() if node.get("id"))
    for fault in comparison.faults:
        place = by_id[fault.href[1:]]
        assert fault.text in text(place) and fault.mark.words in text(place)
    for node in root.iter(HTML + "a"):
        if node.get("href", "").startswith("#"):
            assert node.get("href")[1:] in by_id


def test_no_more_than_three_of_a_kind_head_the_page(tmp_path):
    lines = " ".join(f"Larch는 과제 {n}개에서 메모리를 {n}10% 줄입니다." for n in range(3, 9))
    comparison = compared(tmp_path, re.sub(r"Larch는 여덟 과제에서.*", lines, KOREAN))
    words = [fault.mark.words for fault in comparison.faults]
    assert max(words.count(one) for one in words) == 3 and len(words) <= 12
    assert sum(comparison.theirs.kinds.values()) > len(words)


def test_their_statements_point_to_the_sentences_that_the_check_found(tmp_path):
    root = parse(render_against(compared(tmp_path, KOREAN)))
    side = next(node for node in root.iter() if node.get("id") == "t2")
    line = next(node for node in side.iter(HTML + "li") if "61.2%" in text(node))
    (at,) = [node for node in line.iter(HTML + "a") if "at" in classes(node)]
    target = next(node for node in root.iter(HTML + "li") if node.get("id") == at.get("href")[1:])
    assert text(target) == "The best model answers 61.2% of them, people answer 93.5%."


def test_their_head_is_shown_as_they_print_it(tmp_path):
    root = parse(render_against(compared(tmp_path, KOREAN)))
    ours, theirs = of_class(root, "side")[:2]
    assert text(of_class(ours, "authors")[0]).startswith("저자: Ada Byrne, Jun-ho Kim")
    assert text(of_class(theirs, "authors")[0]).startswith("저자: Jun-ho Kim, Ada Byrne")


def test_a_second_entry_for_a_paper_is_shown_as_well(tmp_path):
    entry = KOREAN[KOREAN.index("### [Larch") : KOREAN.index("### [Nobody")]
    comparison = compared(tmp_path, KOREAN + "\n" + entry.replace("310%", "31%"))
    assert sum(row.theirs is not None for row in comparison.rows) == 4
    parse(render_against(comparison))
    assert comparison.theirs.verdicts["supported"] == 6 + 4


def test_an_entry_without_an_id_is_found_by_its_title(tmp_path):
    comparison = compared(
        tmp_path, KOREAN.replace("https://arxiv.org/abs/2407.00001", "https://example.org/x")
    )
    assert comparison.rows[0].theirs is not None and comparison.rows[0].item.paper.id == LARCH.id


def test_hostile_text_stays_text(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    name = '"><script>alert(7)</script>.md'.replace("/", "∕")
    root = parse(render_against(compared(folder, HOSTILE_MARKDOWN, name=name)))
    assert len(list(root.iter(HTML + "script"))) == 1 and len(list(root.iter(HTML + "style"))) == 1
    assert not list(root.iter(HTML + "img")) and not list(root.iter(HTML + "iframe"))
    assert all(text(node) == "" for node in root.iter("{http://www.w3.org/2000/svg}svg"))
    for node in root.iter():
        assert not [key for key in node.attrib if key.startswith("on") or key == "style"]
        for key in ("href", "src"):
            if key in node.attrib:
                assert re.match(r"https://arxiv\.org/|#|index\.html$|\.\./index\.html$", node.get(key))
    assert "<script>alert(4)</script>" in text(root) and "{{ 7*7 }}" in text(root)


def test_a_paper_of_theirs_that_the_papers_given_know_is_checked_too(tmp_path):
    rest = msgspec.structs.replace(OURS, papers=(LARCH, *OURS.papers[2:]))
    assert compared(tmp_path, KOREAN, rest).theirs.unchecked == 2
    row = {"id": QUARRY.id, "title": QUARRY.title, "summary": QUARRY.abstract, "date": "2024-07-31",
           "authors": ["Nour Haddad"]}  # fmt: skip
    (tmp_path / "papers.jsonl").write_bytes(msgspec.json.encode(row) + b"\n")
    against = Against([str(tmp_path / "theirs.md")], [str(tmp_path / "papers.jsonl")], Library(tmp_path))
    (comparison,) = against.beside(rest)
    assert comparison.theirs.unchecked == 1 and comparison.theirs.papers == 2
    quarry = next(row for row in comparison.rows if row.item.paper.id == QUARRY.id)
    assert quarry.ours is None and len(quarry.item.sentences) == 4


def test_an_edition_as_json_is_compared_in_each_language_and_style_that_both_have(tmp_path):
    (tmp_path / "edition.json").write_bytes(edition_to_json(OURS))
    both = msgspec.structs.replace(OURS, languages=("en",))
    found = Against([str(tmp_path / "edition.json")], [], Library(tmp_path)).beside(both)
    assert [(one.language, one.style) for one in found] == [("en", "detailed"), ("en", "easy")]
    assert all(one.ours.verdicts == one.theirs.verdicts for one in found)
    assert set(found[0].theirs.verdicts) <= set(VERDICTS)


def test_nobody_brings_the_abstracts_that_they_are_held_against(tmp_path):
    forged = msgspec.structs.replace(LARCH, abstract=LARCH.abstract.replace("31%", "310%"))
    lines = [msgspec.structs.replace(one, text=one.text.replace("31%", "310%"))
             for one in OURS.entries[0].sections[2].statements]  # fmt: skip
    section = msgspec.structs.replace(OURS.entries[0].sections[2], statements=tuple(lines))
    entry = msgspec.structs.replace(OURS.entries[0], sections=(*OURS.entries[0].sections[:2], section))
    one = {"languages": ("en",), "styles": ("detailed",)}
    theirs = msgspec.structs.replace(OURS, papers=(forged,), entries=(entry,), **one)
    (tmp_path / "edition.json").write_bytes(edition_to_json(theirs))
    (found,) = Against([str(tmp_path / "edition.json")], [], Library(tmp_path)).beside(OURS)
    assert found.theirs.kinds["magnitude"] == 1


@pytest.mark.parametrize(
    ("change", "edition", "says"),
    [
        (("2024-07-31", "2024-08-01"), OURS, "of 2024-08-01, not of 2024-07-31"),
        (("", ""), Edition(date="2024-07-31", papers=(OUTSIDE,)), "no paper in common"),
        (("", ""), Edition(date="2024-07-31"), "no paper in common"),
        (("", ""), msgspec.structs.replace(OURS, languages=("en",)), "--language ko"),
    ],
    ids=["another day", "other papers", "no papers", "another language"],
)
def test_what_cannot_be_compared_is_refused(tmp_path, change, edition, says):
    with pytest.raises(BadInput) as raised:
        compared(tmp_path, KOREAN.replace(*change) if change[0] else KOREAN, edition)
    assert says in f"{raised.value.message} {raised.value.hint}" and raised.value.hint


def test_digests_without_a_day_or_of_two_days_have_none(tmp_path):
    for name, heading in (("a.md", "2024-07-31"), ("b.md", "2024-08-01")):
        (tmp_path / name).write_text(KOREAN.replace("2024-07-31", heading), encoding="utf-8")
    (tmp_path / "c.md").write_text(KOREAN[KOREAN.index("###") :], encoding="utf-8")

    def against(*names: str) -> Against:
        return Against([str(tmp_path / name) for name in names], [], Library(tmp_path))

    assert against("c.md", "a.md").day("") == "2024-07-31"
    assert against("c.md").day("2024-01-02") == "2024-01-02"
    for names in (("a.md", "b.md"), ("c.md",)):
        with pytest.raises(BadInput):
            against(*names).day("")


def test_many_authors_and_a_line_of_a_megabyte_are_borne(tmp_path):
    names = ", ".join(f"Author {n}" for n in range(3000))
    long = KOREAN.replace("Jun-ho Kim, Ada Byrne", names).replace(
        "93.5%를", "93.5%를 " + "가나다라 " * 60_000
    )
    page = render_against(compared(tmp_path, long))
    assert len(page) < 8 * len(long) and Author(name="Author 2999").name in page

"""Papers: what is kept of a source, whose names, and which abstracts are honest to refuse."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.papers.paper import make_paper, why_not_summarised
from presscheck.types import Author, Paper, Problem

ABSTRACT = (
    "Kettles are slow. We present Kettle-2, a kettle that boils tea 5times faster than pans of the same "
    "size. It costs 20\\% less than the best pan, and the tea is no worse in a blind test with 40 people."
)


def paper(abstract: str = ABSTRACT, authors: list[Author | str] | None = None) -> Paper:
    return make_paper(id="2401.00001", title="Tea", abstract=abstract, authors=authors or [])


def test_the_original_stands_beside_what_is_cleaned() -> None:
    made = make_paper(id="2401.00001", title="Tea:\n  5times Faster", abstract=ABSTRACT, authors=["A B"],
                      votes=0, categories=("cs.CL",), source="arxiv")
    assert (made.title, made.title_original) == ("Tea: 5× Faster", "Tea:\n  5times Faster")
    assert made.abstract_original == ABSTRACT
    assert "5× faster" in made.abstract and "20% less" in made.abstract
    assert len(made.sentences) == 3
    assert (made.votes, made.categories, made.source) == (0, ("cs.CL",), "arxiv")


def test_names_keep_their_order_and_their_repetitions() -> None:
    names = ["Zoe  Ahn", "Bo\nLi", "Bo Li", "Jos\\'e Pe\\~na", "Zoe Ahn", "+ 8"]
    made = paper(authors=list(names))
    assert [a.name for a in made.authors] == ["Zoe Ahn", "Bo Li", "Bo Li", "José Peña", "Zoe Ahn", "+ 8"]


@pytest.mark.parametrize("name", [
    "ATLAS Collaboration", "Kettle Team", "Team Tea", "The Tea Consortium", "Tea-Team-Kettle", "Tea team",
    "Hot Water Working Group",
])
def test_a_collaboration_is_a_group(name: str) -> None:
    assert paper(authors=[name]).authors == (Author(name=name, group=True),)


@pytest.mark.parametrize("name", ["Teamo Kim", "Steam Engine", "J. Grouper", "Li Tea", "Mary-Tea Lee"])
def test_a_person_is_no_group(name: str) -> None:
    assert not paper(authors=[name]).authors[0].group


def test_hidden_authors_stay_hidden_and_counted() -> None:
    assert paper(authors=[Author(name="A  B", hidden=True)]).authors == (Author(name="A B", hidden=True),)


def test_an_empty_name_is_left_out_and_told() -> None:
    problems: list[Problem] = []
    names = ["A B", " \u200b", "C D"]
    made = make_paper(id="2401.00001", title="Tea", abstract="", authors=names, problems=problems)
    assert [a.name for a in made.authors] == ["A B", "C D"]
    assert [(p.where, p.what) for p in problems] == [("2401.00001", "author 2 of 3 has no name; left out")]
    assert len(paper(authors=["", "A B"]).authors) == 1


def test_thousands_of_authors_keep_their_order() -> None:
    names = [f"Ada {chr(65 + n % 26)}. Kettle-{n}" for n in range(3303)]
    assert [a.name for a in paper(authors=list(names)).authors] == names


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=6))
def test_no_name_is_lost_without_a_word(names: list[str]) -> None:
    problems: list[Problem] = []
    made = make_paper(id="x", title="T", abstract="", authors=names, problems=problems)
    assert len(made.authors) + len(problems) == len(names)
    assert all(author.name.strip() for author in made.authors)


def test_a_real_abstract_can_be_summarised() -> None:
    assert why_not_summarised(paper()) == ""


@pytest.mark.parametrize(("abstract", "reason"), [
    ("", "missing"),
    (" \n ", "missing"),
    ("No HTML for '2401.00001' is available for the source. " + ABSTRACT, "error page.*No HTML for"),
    ("Access denied. " + ABSTRACT, "error page.*Access denied"),
    ("<!DOCTYPE html><html><head><title>x</title></head><body>" + ABSTRACT, "error page"),
    ("502 Bad Gateway nginx", "error page.*502 Bad Gateway"),
    ("Error 404: Not Found " + ABSTRACT, "error page"),
    ("HTTP 429 Too Many Requests", "error page"),
    ("We boil tea in kettles.", "too short: 5 words, need 20"),
    ("This paper has been withdrawn by its authors because the kettle in Section 3 was not the one that was "
     "measured, and the result does not hold.", "withdrawal"),
    ("저희는 차를 끓이는 새로운 방법을 제안합니다. " * 6, "not in Latin script"),
    ("Мы предлагаем новый способ кипятить чай в чайнике. " * 5, "not in Latin script"),
    ("Wir stellen einen neuen Wasserkocher vor, der Tee schneller kocht als jeder andere Topf und dabei "
     "weniger Strom braucht sowie leiser arbeitet; Versuche zeigen klare Vorteile.",
     "does not read as English"),
    ("Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor "
     "incididunt ut labore et dolore magna aliqua ut enim", "does not read as English"),
])
def test_what_cannot_be_summarised_says_why(abstract: str, reason: str) -> None:
    assert re.search(reason, why_not_summarised(paper(abstract)))


def test_a_paper_about_errors_and_withdrawal_is_no_error_page() -> None:
    assert why_not_summarised(paper("Accessibility of kettles is poor. " + ABSTRACT)) == ""
    assert why_not_summarised(paper("We study papers that have been withdrawn. " + ABSTRACT)) == ""
    assert why_not_summarised(paper("500 internal combustion engines were boiled. " + ABSTRACT)) == ""
    assert why_not_summarised(paper("Errors in kettles cost time. " + ABSTRACT)) == ""


@pytest.mark.shared
def test_every_real_abstract_can_be_summarised_and_every_author_is_kept(shared_data: Path) -> None:
    with gzip.open(shared_data / "daily_papers_2024-05_2026-03.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][::8]
    for row in rows:
        made = make_paper(id=row["id"], title=row["title"], abstract=row["summary"], authors=row["authors"])
        assert why_not_summarised(made) == ""
        assert len(made.authors) == len(row["authors"])

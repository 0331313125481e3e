"""An edition to send: hostile titles, a conflict, a press note, in both languages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from presscheck.edition.publish import publish
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
from presscheck.types import LANGUAGES, STYLES, Edition, Entry, Finding, Section, Statement

HOSTILE = 'Fish & <b>Chips</b> <!channel> @everyone *bold* [x](javascript:alert(1)) "quoted"'


def edition_of(count: int = 3, date: str = "2024-07-31", statement: str = "") -> Edition:
    """An edition of some papers; the first title is hostile, the second statement is in conflict."""
    papers, entries = [], []
    for n in range(count):
        title = HOSTILE if n == 0 else f"Paper {n} About the Scales of Fish in Rivers"
        paper = make_paper(
            id=f"2407.{20000 + n}", title=title, abstract="", authors=[f"Author {k}" for k in range(5)],
            votes=10 - n, date=date,
        )  # fmt: skip
        # Cleaning would take the markup out of a title; what is read from a file may still have it.
        papers.append(msgspec.structs.replace(paper, title=title))
        for language in LANGUAGES:
            said = statement or f"Dace counts <rings> & scales, number {n}. "
            said = said if language == "en" else f"데이스는 비늘 {n}개를 셉니다."
            finding = Finding(kind="magnitude", text="scales", why="", expected="ten")
            for style in STYLES:
                statements = (
                    Statement(text=said.strip(), verdict="supported"),
                    Statement(text="It counts scales.", verdict="conflict", findings=(finding,)),
                )
                sections = (
                    Section(key="summary" if style == "easy" else "whats_new", statements=statements),
                )
                notes = (Statement(text="Table 2 has another number."),) if n == 1 else ()
                entries.append(
                    Entry(
                        paper=paper.id,
                        language=language,
                        style=style,
                        writer="w",
                        sections=sections,
                        notes=notes,
                    )
                )
    return Edition(date=date, taken=f"{date}T23:59:00Z", papers=tuple(papers), entries=tuple(entries))


@pytest.fixture
def library(own_home: Path) -> Library:
    """A library with one published edition."""
    library = Library()
    publish(edition_of(), library.editions_folder)
    return library

"""What the shared pages need of an edition: a small part of it, kept between builds.

The front page, the feeds of fields, the search index and the similar papers are made
of all editions. Reading 450 of them whole takes seconds; their facts are read at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from presscheck.edition import front
from presscheck.site.names import field_slug
from presscheck.site.tokens import tokens
from presscheck.types import Edition, Entry, Language, Paper, Struct

MOST = 8
"""The greatest weight of a token in a paper."""
READ_AUTHORS = 200
"""Names of a paper's authors that can be searched by."""
LEAD = 360
"""Characters of a statement that results and the front page show."""


class FieldName(Struct, frozen=True, kw_only=True):
    """A field of research as an entry names it."""

    slug: str
    en: str
    ko: str = ""


class PaperFacts(Struct, frozen=True, kw_only=True):
    """A paper as lists and the index know it."""

    id: str
    title: str
    anchor: str
    votes: int | None = None
    system: str = ""
    written: bool = True
    fields: tuple[FieldName, ...] = ()
    lead: dict[Language, str] = {}
    """The first statement of its entry in each language."""
    note: dict[Language, str] = {}
    """Its first press note."""
    tokens: dict[str, int] = {}
    """Token → weight, 1 to ``MOST``."""
    marks: dict[str, int] = {}
    """Verdict → statements with it."""


class DayFacts(Struct, frozen=True, kw_only=True):
    """An edition as the calendar knows it."""

    date: str
    taken: str = ""
    state: Literal["open", "closed", "unknown"] = "unknown"
    languages: tuple[Language, ...] = ()
    papers: tuple[PaperFacts, ...] = ()
    related: tuple[str, ...] = ()
    """Papers that its papers are related to."""


def facts_of(edition: Edition) -> DayFacts:
    """The facts of an edition."""
    from presscheck.edition.marks import score
    from presscheck.edition.view import html_ids

    by_paper: dict[str, list[Entry]] = {}
    for entry in edition.entries:
        by_paper.setdefault(entry.paper, []).append(entry)
    return DayFacts(
        date=edition.date,
        taken=edition.taken,
        state=edition.state,
        languages=edition.languages,
        papers=tuple(
            PaperFacts(
                id=paper.id,
                title=paper.title,
                anchor=anchor,
                votes=paper.votes,
                system=paper.system,
                written=any(entry.status == "written" for entry in by_paper.get(paper.id, ())),
                fields=_fields(by_paper.get(paper.id, ())),
                lead=_leads(edition, by_paper.get(paper.id, ())),
                note=_notes(by_paper.get(paper.id, ())),
                tokens=_weights(paper, by_paper.get(paper.id, ())),
                marks=score(by_paper.get(paper.id, ())),
            )
            for paper, anchor in zip(edition.papers, html_ids(edition.papers), strict=True)
        ),
        related=tuple(dict.fromkeys(other for paper in edition.papers for other in paper.related)),
    )


def _leads(edition: Edition, entries: Iterable[Entry]) -> dict[Language, str]:
    found: dict[Language, str] = {}
    for style in edition.styles:
        for entry in entries:
            text = front.first_statement(entry) if entry.style == style else ""
            if text:
                found.setdefault(entry.language, text if len(text) <= LEAD else text[: LEAD - 1] + "…")
    return found


def _notes(entries: Iterable[Entry]) -> dict[Language, str]:
    found: dict[Language, str] = {}
    for entry in entries:
        if entry.notes:
            found.setdefault(entry.language, entry.notes[0].text)
    return found


def _fields(entries: Iterable[Entry]) -> tuple[FieldName, ...]:
    """The fields that the entries name; the Korean name of one is that in the same place of the list."""
    named: dict[Language, tuple[str, ...]] = {}
    for entry in entries:
        for section in entry.sections:
            if section.key == "fields" and section.statements:
                named.setdefault(entry.language, tuple(said.text.strip() for said in section.statements))
    english, korean = named.get("en", ()), named.get("ko", ())
    if len(korean) != len(english):
        korean = ()
    return tuple(
        FieldName(slug=field_slug(name), en=name, ko=korean[at] if korean else "")
        for at, name in enumerate(english)
        if name
    )


def _weights(paper: Paper, entries: Iterable[Entry]) -> dict[str, int]:
    """A title counts four times, a name of an author twice; a token's weight grows slowly with its number."""
    counts: Counter[str] = Counter()
    for entry in entries:
        for section in entry.sections:
            for said in section.statements:
                counts.update(tokens(said.text))
    counts.update(tokens(paper.abstract))
    weights = {token: min(3, 1 + (n > 2) + (n > 6)) for token, n in counts.items()}
    for author in paper.authors[:READ_AUTHORS]:
        for token in tokens(author.name):
            weights[token] = max(weights.get(token, 0), 2)
    for token in tokens(paper.title):
        weights[token] = min(MOST, weights.get(token, 0) + 4)
    for token in tokens(paper.id):
        weights[token] = MOST
    return weights

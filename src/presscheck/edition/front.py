"""What the front page shows: the leads of the newest edition, press notes, the calendar."""

from __future__ import annotations

import calendar
import datetime
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from presscheck.edition.view import html_ids
from presscheck.types import SECTIONS, Edition, Entry, Language, Paper

LEADS = 3
NOTES = 6


class Published(Protocol):
    """An edition as the calendar needs to know it."""

    @property
    def date(self) -> str:
        """Its day."""

    @property
    def state(self) -> str:
        """Whether the day was over."""

    @property
    def papers(self) -> Sequence[object]:
        """Its papers, which are counted."""


class Titled(Protocol):
    """A paper of which only the title is shown."""

    @property
    def title(self) -> str:
        """As published."""


class Spoken(NamedTuple):
    """A text in one language."""

    language: Language
    text: str


class Piece(NamedTuple):
    """A paper on the front page, with what is said of it there."""

    date: str
    href: str
    paper: Titled
    said: tuple[Spoken, ...]


class Day(NamedTuple):
    """A cell of the calendar; ``href`` is empty on a day without an edition, ``day`` 0 outside the month."""

    day: int
    date: str = ""
    href: str = ""
    papers: int = 0
    open: bool = False


class Month(NamedTuple):
    """A month that has editions, as weeks from Monday."""

    year: int
    month: int
    weeks: tuple[tuple[Day, ...], ...]


def leads(edition: Edition) -> list[Piece]:
    """The first papers of an edition that something is written about, with its first statement."""
    found = []
    for paper, anchor in zip(edition.papers, html_ids(edition.papers), strict=True):
        said = _first_statements(edition, paper)
        if said:
            found.append(Piece(edition.date, f"{edition.date}/index.html#{anchor}", paper, said))
        if len(found) == LEADS:
            break
    return found


def _first_statements(edition: Edition, paper: Paper) -> tuple[Spoken, ...]:
    found: dict[Language, str] = {}
    for style in edition.styles:
        for entry in edition.entries:
            if entry.paper == paper.id and entry.style == style:
                text = first_statement(entry)
                if text:
                    found.setdefault(entry.language, text)
    return tuple(Spoken(language, text) for language, text in found.items())


def first_statement(entry: Entry) -> str:
    """The first statement in the order of print, fields and parts of others' making aside."""
    sections = {section.key: section for section in entry.sections}
    for key in SECTIONS[entry.style]:
        if key in sections and key != "fields" and sections[key].statements:
            return sections[key].statements[0].text
    return ""


def notes(editions: Sequence[Edition]) -> list[Piece]:
    """The newest press notes, one piece a paper."""
    found: list[Piece] = []
    for edition in editions:
        for paper, anchor in zip(edition.papers, html_ids(edition.papers), strict=True):
            said: dict[Language, str] = {}
            for entry in edition.entries:
                if entry.paper == paper.id and entry.notes:
                    said.setdefault(entry.language, entry.notes[0].text)
            if said:
                spoken = tuple(Spoken(language, text) for language, text in said.items())
                found.append(Piece(edition.date, f"{edition.date}/index.html#{anchor}", paper, spoken))
            if len(found) == NOTES:
                return found
    return found


def months(listed: Sequence[Published]) -> list[Month]:
    """The months that have editions, newest first; a date that no calendar has is left out."""
    by_month: dict[tuple[int, int], dict[int, Published]] = defaultdict(dict)
    for edition in listed:
        try:
            day = datetime.date.fromisoformat(edition.date)
        except ValueError:
            continue
        by_month[day.year, day.month][day.day] = edition
    return [_month(year, month, days) for (year, month), days in sorted(by_month.items(), reverse=True)]


def _month(year: int, month: int, editions: dict[int, Published]) -> Month:
    def cell(day: int) -> Day:
        edition = editions.get(day)
        if edition is None:
            return Day(day)
        return Day(
            day, edition.date, f"{edition.date}/index.html", len(edition.papers), edition.state == "open"
        )

    weeks = calendar.Calendar().monthdayscalendar(year, month)
    return Month(year, month, tuple(tuple(cell(day) for day in week) for week in weeks))

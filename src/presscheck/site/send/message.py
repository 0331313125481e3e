"""An edition as what a message says, in one language and style; plain text, to be escaped by its target."""

from __future__ import annotations

import re
from collections.abc import Sequence

from presscheck.edition.marks import mark_of, marks_of_entry, score
from presscheck.edition.references import web_address
from presscheck.edition.view import FIRST_AUTHORS, html_ids
from presscheck.edition.words import count, day_in_words, say
from presscheck.errors import BadInput
from presscheck.types import Edition, Entry, Language, Paper, Struct, Style

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Control characters and marks of direction, which could turn the text around them."""


class Said(Struct, frozen=True, kw_only=True):
    """One statement with the proof mark that the page gives it; empty for none."""

    text: str
    mark: str = ""


class Part(Struct, frozen=True, kw_only=True):
    """A section of an entry; without statements it says why."""

    heading: str
    said: tuple[Said, ...] = ()
    absent: str = ""


class Item(Struct, frozen=True, kw_only=True):
    """A paper with its entry."""

    number: int
    title: str
    url: str
    byline: str
    """Authors and votes."""
    page: str = ""
    """The entry on the published site."""
    parts: tuple[Part, ...] = ()
    marks: tuple[str, ...] = ()
    """Proof marks of the entry as a whole."""
    notes: tuple[str, ...] = ()
    """Press notes."""

    @property
    def first(self) -> Said:
        """The first statement, else why there is none."""
        for part in self.parts:
            if part.said:
                return part.said[0]
        return Said(text=next((part.absent for part in self.parts if part.absent), ""))


class Message(Struct, frozen=True, kw_only=True):
    """What is sent, before a target gives it its form."""

    date: str
    language: Language
    title: str
    intro: str
    items: tuple[Item, ...]
    link: str = ""
    """The edition on the published site."""


def line(text: str) -> str:
    """A text on one line, without characters that steer a terminal or a reader's eye."""
    return " ".join(_CONTROL.sub(" ", text).split())


def message_of(edition: Edition, language: Language, style: Style, site: str = "") -> Message:
    """What a message says of an edition.

    Args:
        edition: as published.
        language: of the entries; the edition must have it.
        style: of the entries; the edition must have it.
        site: where the site is published; empty for no links into it.

    Raises:
        BadInput: if the edition was not written in that language or style.
    """
    if language not in edition.languages or style not in edition.styles:
        raise BadInput(
            f"the edition of {edition.date} has no {style} entries in {language}",
            hint=f"it has {', '.join(edition.languages)} and {', '.join(edition.styles)}",
        )
    base = web_address(site).rstrip("/")
    link = f"{base}/{edition.date}/" if base else ""
    entries = {
        entry.paper: entry for entry in edition.entries if (entry.language, entry.style) == (language, style)
    }
    ids = html_ids(edition.papers)
    items = tuple(
        _item(paper, entries.get(paper.id), number, f"{link}#{anchor}" if link else "", language)
        for number, (paper, anchor) in enumerate(zip(edition.papers, ids, strict=True), start=1)
    )
    return Message(
        date=edition.date,
        language=language,
        title=f"{day_in_words(edition.date, language)}: {count('paper', len(edition.papers), language)}",
        intro=_intro(edition, list(entries.values()), language),
        items=items,
        link=link,
    )


def _intro(edition: Edition, entries: Sequence[Entry], language: Language) -> str:
    """How many statements were checked, and with what outcome."""
    said = []
    if counts := score(entries):
        said.append(say("score", language, n=sum(counts.values())))
        said.append(
            ", ".join(say(f"score_{verdict}", language, n=n) for verdict, n in counts.items() if n) + "."
        )
    if edition.state == "open":
        said.append(say("open_why", language))
    if not edition.papers:
        said.append(say("no_papers", language))
    return " ".join(said)


def _item(paper: Paper, entry: Entry | None, number: int, page: str, language: Language) -> Item:
    names = [line(author.name) for author in paper.authors]
    byline = ", ".join(names[:FIRST_AUTHORS])
    if len(names) > FIRST_AUTHORS:
        byline += f" {say('more', language, n=len(names) - FIRST_AUTHORS)}"
    votes = count("vote", paper.votes, language) if paper.votes is not None else ""
    parts: tuple[Part, ...] = (Part(heading="", absent=say("no_entry", language)),)
    if entry is not None and entry.status != "written":
        parts = (Part(heading="", absent=f"{say('not_summarised', language)}: {line(entry.reason)}"),)
    elif entry is not None:
        parts = _parts(entry, language)
    return Item(
        number=number,
        title=line(paper.title),
        url=web_address(paper.url),
        byline=" · ".join(part for part in (byline, votes) if part),
        page=page,
        parts=parts,
        marks=tuple(f"{mark.sign} {mark.words}" for mark in marks_of_entry(entry)) if entry else (),
        notes=tuple(line(note.text) for note in entry.notes) if entry else (),
    )


def _parts(entry: Entry, language: Language) -> tuple[Part, ...]:
    from presscheck.edition.words import WORDS

    parts = []
    for section in entry.sections:
        said = []
        for statement in section.statements:
            mark = mark_of(statement, language)
            said.append(Said(text=line(statement.text), mark=f"{mark.sign} {mark.words}" if mark else ""))
        heading = say(section.key, language) if section.key in WORDS else line(section.key)
        parts.append(Part(heading=heading, said=tuple(said), absent=line(section.absent)))
    return tuple(parts)

"""What the check says of a statement → a proof mark: a sign, three words, and the note behind it.

Nothing is marked where all is well. Marks are told apart by their sign and their
words; the colour only repeats them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from presscheck.digest.check.kinds import KINDS
from presscheck.edition.words import say
from presscheck.types import Entry, Finding, Language, Statement

SIGNS = {"conflict": "×", "unsupported": "?", "beyond": "○", "form": "✎"}


class Note(NamedTuple):
    """One finding behind a mark."""

    fragment: str
    expected: str
    why: str
    """A sentence in English; the fragment and what is expected speak for themselves."""


class Mark(NamedTuple):
    """A proof mark."""

    kind: str
    """A key of ``SIGNS``; the style sheet's class."""
    sign: str
    words: str
    notes: tuple[Note, ...]


def mark_of(statement: Statement, language: Language) -> Mark | None:
    """The mark of a statement; None where it is supported or was not checked."""
    found = statement.findings
    if statement.verdict in ("", "supported"):
        return _mark("form", found, "", language) if found else None
    words = {"unsupported": "not_in_paper", "beyond": "beyond_abstract", "conflict": "conflict"}
    return _mark(statement.verdict, found, say(words[statement.verdict], language), language)


def marks_of_entry(entry: Entry) -> tuple[Mark, ...]:
    """The marks of an entry as a whole: its authors, its sections, its links."""
    return tuple(_mark("conflict", (finding,), "", entry.language) for finding in entry.findings)


def score(entries: Iterable[Entry]) -> dict[str, int]:
    """How many statements have each verdict; statements that were not checked are not counted."""
    counts: dict[str, int] = {}
    for entry in entries:
        for section in entry.sections:
            for statement in section.statements if section.key != "fields" else ():
                if statement.verdict:
                    counts[statement.verdict] = counts.get(statement.verdict, 0) + 1
    return counts


def _mark(kind: str, found: Sequence[Finding], words: str, language: Language) -> Mark:
    """The first finding that is known by a name gives the words; without one it is the verdict's."""
    named = [KINDS[finding.kind] for finding in found if finding.kind in KINDS]
    if named and kind != "beyond":
        words = named[0].mark_ko if language == "ko" else named[0].mark
    notes = tuple(Note(f.text[:300], f.expected[:600], f.why) for f in found)
    return Mark(kind, SIGNS[kind], words, notes)

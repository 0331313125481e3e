"""What the check says of a statement → a proof mark: a sign, three words, and the note behind it.

Nothing is marked where all is well, and nothing is marked twice: a statement that
itself points into the full text needs no word that it goes beyond the abstract, and
the statements of an entry that is not about its paper are not told off one by one.
Marks differ by their sign and their words; the colour only repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from presscheck.digest.check.kinds import KINDS
from presscheck.edition.references import Reference
from presscheck.edition.words import WORDS, say
from presscheck.types import Entry, Finding, Language, Statement

SIGNS = {"conflict": "×", "disputed": "≠", "unsupported": "?", "beyond": "○", "missing": "^", "form": "¶"}
"""A class of marks and its sign; the classes are those of the style sheet."""

VERDICTS = ("supported", "pointed", "beyond", "unsupported", "conflict")
"""What `score` counts, in the order of print. *Pointed*: beyond the abstract, and it says where to look."""

_MISSING = {"omitted_headline", "name_absent", "missing_section", "author_missing"}
_FORM = {"residue", "register", "empty_section", "extra_section", "thumbnail", "link"}
_ABSENT = {"foreign_statement", "empty_section"}
"""Kinds that say that nothing carries the statement."""

_SECTIONS = {"missing_section", "extra_section", "empty_section"}
"""Kinds whose fragment or answer is the key of a section."""

_KINDS = [kind for kind in KINDS if kind not in _FORM and kind != "foreign_statement"]
_KINDS.insert(_KINDS.index("author_order"), "foreign_statement")
_RANK = {kind: rank for rank, kind in enumerate((*_KINDS, *sorted(_FORM)))}
"""Worst first: what contradicts the paper, what it does not have, the entry's head, matters of form."""

_SENTENCE = re.compile(r"\bsentence (\d{1,4})\b")
_LONGEST = 600

Cite = Callable[[int], Reference]
"""The reference to a numbered sentence of the abstract."""


class Note(NamedTuple):
    """What the check says of one fragment, or of several with the same fault."""

    kind: str
    fragments: tuple[str, ...]
    expected: str
    why: str
    at: Reference | None = None
    """The sentence of the source that says otherwise, where the finding names one."""


class Mark(NamedTuple):
    """A proof mark."""

    kind: str
    """A key of ``SIGNS``."""
    sign: str
    words: str
    notes: tuple[Note, ...] = ()
    rank: int = 0
    """For putting marks in order: the worst has the lowest."""


def mark_of(
    statement: Statement, language: Language, cite: Cite | None = None, *, disowned: bool = False
) -> Mark | None:
    """The mark of a statement; None where it is supported, was not checked, or says enough itself.

    Args:
        statement: With its verdict and findings.
        language: Of the words.
        cite: Refers to the sentences that findings name; None for no references.
        disowned: The entry as a whole is about another paper, and says so.
    """
    found = sorted(statement.findings, key=_order)
    verdict = statement.verdict
    if _is_pointed(statement):
        verdict = ""
    if not found and (disowned or verdict in ("", "supported")):
        return None
    notes = _notes(found, language, cite, statement.text)
    if verdict == "beyond":
        return _mark("beyond", say("beyond_abstract", language), notes)
    if verdict == "unsupported":
        absent = [finding.kind for finding in found if finding.kind in _ABSENT]
        words = _words(absent, language) or say("not_in_paper", language)
        return _mark("unsupported", words, notes)._replace(rank=_RANK["foreign_statement"])
    kinds = [finding.kind for finding in found]
    group = _group(kinds) if found else "conflict"
    if verdict == "conflict" and group == "form":
        group = "conflict"
    return _mark(group, _words(kinds, language) or say("conflict", language), notes)


def marks_of_entry(entry: Entry, cite: Cite | None = None) -> tuple[Mark, ...]:
    """The marks of an entry as a whole, one a kind: its authors, its sections, its links."""
    by_kind: dict[str, list[Finding]] = {}
    for finding in sorted(entry.findings, key=_order):
        by_kind.setdefault(finding.kind, []).append(finding)
    return tuple(
        _mark(
            _group([kind]),
            _words([kind], entry.language) or say("conflict", entry.language),
            _notes(found, entry.language, cite),
        )
        for kind, found in by_kind.items()
    )


def slips(statement: Statement) -> tuple[tuple[str, bool], ...]:
    """The statement in pieces, each with whether it is a fragment that is off; empty for none.

    A fragment that is most of the statement is not set apart: the mark stands beside it anyway.
    """
    text = statement.text
    spans = sorted(
        (finding.start, finding.end)
        for finding in statement.findings
        if text[finding.start : finding.end] == finding.text and not _is_whole(finding.text, text)
    )
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in spans:
        if start < at:  # two findings on one fragment, or one within another
            continue
        if start > at:
            pieces.append((text[at:start], False))
        pieces.append((text[start:end], True))
        at = end
    return (*pieces, (text[at:], False)) if pieces and at < len(text) else tuple(pieces)


def score(entries: Iterable[Entry]) -> dict[str, int]:
    """How many statements have each of ``VERDICTS``; those that were not checked are not counted."""
    counts: dict[str, int] = {}
    for entry in entries:
        for section in entry.sections:
            for statement in section.statements if section.key != "fields" else ():
                if statement.verdict:
                    verdict = "pointed" if _is_pointed(statement) else statement.verdict
                    counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def kind_in_words(kind: str, language: Language) -> str:
    """Three words at most for a kind of finding; a kind that we do not know is called by its own name."""
    return _words([kind], language) or kind.replace("_", " ")


def _is_pointed(statement: Statement) -> bool:
    """Whether a statement that goes beyond the abstract itself says where in the full text or the code."""
    return statement.verdict == "beyond" and any(
        at.source in ("paper", "repository") for at in statement.evidence
    )


def _order(finding: Finding) -> tuple[int, int]:
    """Worst first; within a kind, what the source answers before what it lacks."""
    return _RANK.get(finding.kind, len(_RANK)), not finding.expected


def _is_whole(fragment: str, text: str) -> bool:
    return not fragment or 5 * len(fragment) > 3 * len(text)


def _group(kinds: Sequence[str]) -> str:
    """The class of the worst of these kinds, which is the first."""
    worst = kinds[0]
    if worst == "source_conflict":
        return "disputed"
    return "missing" if worst in _MISSING else "form" if worst in _FORM else "conflict"


def _words(kinds: Sequence[str], language: Language) -> str:
    """The words of the first kind that we know; empty for none."""
    known = [KINDS[kind] for kind in kinds if kind in KINDS][:1]
    return "".join(one.mark_ko if language == "ko" else one.mark for one in known)


def _mark(group: str, words: str, notes: tuple[Note, ...]) -> Mark:
    rank = min((_RANK.get(note.kind, len(_RANK)) for note in notes), default=len(_RANK))
    return Mark(group, SIGNS[group], words, notes, rank)


def _notes(
    found: Sequence[Finding], language: Language, cite: Cite | None, text: str = ""
) -> tuple[Note, ...]:
    """Findings as notes; those that differ in their fragment alone share one."""
    notes: dict[tuple[str, str, str], Note] = {}
    for finding in found:
        told = _told(finding, language)
        fragment = "" if text and _is_whole(finding.text, text) else told.text[:_LONGEST]
        key = (finding.kind, told.expected, told.why)
        if key in notes:
            note = notes[key]
            if fragment and fragment not in note.fragments:
                notes[key] = note._replace(fragments=(*note.fragments, fragment))
            continue
        named = _SENTENCE.search(finding.why)
        at = cite(int(named[1])) if named and cite else None
        expected = told.expected[:_LONGEST]
        if finding.kind == "omitted_headline" and at and at.href.startswith("#"):
            expected = ""  # the sentence is on this page
        notes[key] = Note(finding.kind, (fragment,) if fragment else (), expected, told.why, at)
    return tuple(notes.values())


def _told(finding: Finding, language: Language) -> Finding:
    """A finding in the reader's words.

    Reasons come in English, so Korean says what the kind means; sections are called
    as the page calls them.
    """
    key = f"why_{finding.kind}"
    if not finding.expected and f"{key}_lacking" in WORDS:
        key += "_lacking"
    fragment, expected, why = finding.text, finding.expected, finding.why.strip()
    if finding.kind in _SECTIONS:
        fragment, expected = (say(one, language) if one in WORDS else one for one in (fragment, expected))
        fragment, expected, why = fragment if finding.kind == "extra_section" else expected, "", ""
    if key in WORDS and (language == "ko" or not why):
        why = say(key, language)
    elif why:
        why = why[:1].upper() + why[1:] + ("" if why.endswith((".", "?")) else ".")
    return Finding(kind=finding.kind, text=fragment, expected=expected, why=why)

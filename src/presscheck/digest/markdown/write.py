"""A digest as Markdown: what a reader sees is the text, what a program needs is in marks.

Writing and reading are inverse: ``read_markdown(to_markdown(d)) == as_printed(d)``,
and ``as_printed(d) == d`` for a digest whose texts are one line each without
control characters and white space at the ends, whose statements, reasons and
names of authors are not empty, and whose addresses are ASCII. Evidence, ids
and writers come back as they were, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from presscheck.digest.markdown import inline, marks
from presscheck.digest.markdown.inline import escape, one_line
from presscheck.digest.markdown.labels import HEADING, LABELS, ROLES, SECTION_KEYS, Labels, fold, place_of
from presscheck.errors import BadInput
from presscheck.types import SECTIONS, Digest, Entry, Evidence, Head, Language, LeftOut, Section, Statement

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}):([0-9]{2})Z")
_MOST_VOTES = 10**18


def to_markdown(digest: Digest) -> str:
    """Print a digest.

    Text is brought into its printed form first (``as_printed``); it cannot
    become markup.

    Raises:
        BadInput: if the digest is not one: an entry of another style or
            language or without its head, a time, an address or a number that
            cannot be printed, a section of an unknown name that reads like a
            known label.
    """
    digest = as_printed(digest)
    return "\n".join([*_top(digest), *(line for entry in digest.entries for line in _entry(entry))])


def as_printed(digest: Digest) -> Digest:
    """Give the digest that the printed one is read as.

    Texts become one line without control characters; a statement, a reason or
    an author without any text is dropped, and with it the evidence; an image
    where the link to the PDF should be becomes a link.

    Raises:
        BadInput: as ``to_markdown``.
    """
    if digest.date and not _DAY.fullmatch(digest.date):
        raise BadInput(f"got the date {digest.date[:40]!r}, need YYYY-MM-DD")
    _check_time(digest.taken)
    return msgspec.structs.replace(digest, entries=tuple(_printed(entry, digest) for entry in digest.entries))


def _printed(entry: Entry, digest: Digest) -> Entry:
    where = f"the entry of {entry.paper[:80]!r}"
    if (entry.style, entry.language) != (digest.style, digest.language):
        raise BadInput(
            f"{where} is {entry.style}, {entry.language}: "
            f"a {digest.style} digest in {digest.language} holds only its own"
        )
    if entry.head is None:
        raise BadInput(f"{where} has no head: need title, authors and links to print it")
    reason = one_line(entry.reason)
    if bool(reason) != (entry.status == "not summarised"):
        raise BadInput(
            f"{where} is {entry.status} with the reason {reason[:80]!r}: a reason goes with `not summarised`"
        )
    return msgspec.structs.replace(
        entry,
        reason=reason,
        sections=tuple(_printed_section(section, entry) for section in entry.sections),
        left_out=tuple(
            LeftOut(evidence=one.evidence, reason=text)
            for one in entry.left_out
            if (text := one_line(one.reason))
        ),
        notes=_printed_statements(entry.notes),
        head=_printed_head(entry.head),
    )


def _printed_head(head: Head) -> Head:
    _check_time(head.votes_at)
    if head.votes is not None and not -_MOST_VOTES < head.votes < _MOST_VOTES:
        raise BadInput(f"got {head.votes:.3g} votes, need a number of fewer than 19 digits")
    return Head(
        title=one_line(head.title),
        url=inline.address(head.url),
        thumbnail=inline.address(head.thumbnail),
        votes=head.votes,
        votes_at=head.votes_at,
        authors=tuple(name for author in head.authors if (name := one_line(author))),
        pdf=inline.address(head.pdf),
    )


def _printed_statements(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    return tuple(
        Statement(text=text, evidence=one.evidence) for one in statements if (text := one_line(one.text))
    )


def _printed_section(section: Section, entry: Entry) -> Section:
    key = section.key
    if key not in SECTION_KEYS[entry.style]:
        key = one_line(key)
        if not key or fold(key) in ROLES[entry.style]:
            raise BadInput(
                f"got a section called {key[:80]!r}: need one of {', '.join(SECTIONS[entry.style])}, "
                "or a heading that says something else than a label of the format"
            )
    statements, absent = _printed_statements(section.statements), one_line(section.absent)
    if statements and absent:
        raise BadInput(f"section {key[:80]!r} has statements and says that it has none: {absent[:80]!r}")
    return Section(key=key, statements=statements, absent=absent)


def _check_time(time: str) -> None:
    if time and not _TIME.fullmatch(time):
        raise BadInput(f"got the time {time[:40]!r}, need YYYY-MM-DDTHH:MM:SSZ")


def _clock(time: str) -> str:
    """Print a time for people: without its seconds where they are none."""
    day, minutes, seconds = _TIME.fullmatch(time).groups()  # type: ignore[union-attr]
    return f"{day} {minutes} UTC" if seconds == "00" else f"{day} {minutes}:{seconds} UTC"


def _top(digest: Digest) -> list[str]:
    labels = LABELS[digest.style, digest.language]
    level = "##" if digest.style == "detailed" else "#"
    taken = _clock(digest.taken) if digest.taken else labels.unknown
    return [
        f"{level} {HEADING} ({digest.date})" if digest.date else f"{level} {HEADING}",
        marks.digest_mark(digest.style, digest.language),
        "",
        f"{labels.snapshot}: {taken}, {labels.states[digest.state]}",
        "",
    ]


def _entry(entry: Entry) -> Iterator[str]:
    labels = LABELS[entry.style, entry.language]
    head = entry.head or Head(title="")
    thumbnail = f"![]({inline.escape_address(head.thumbnail)})"
    yield marks.entry_mark(entry.paper, entry.writer)
    if entry.style == "detailed":
        yield f"### {inline.link(head.title, head.url)}".rstrip()
        yield ""
        if head.thumbnail:
            yield from (thumbnail, "")
        for label, value in _head_lines(head, labels):
            yield from (f"{label}: {value}", "")
        for label, body in _parts(entry, labels):
            yield f"- **{label}**: {body}".rstrip()
        yield ""
    else:
        if head.thumbnail:
            yield thumbnail
        yield from (f"## {labels.title}:", inline.link(head.title, head.url), "")
        for label, body in _parts(entry, labels):
            yield from (f"**{label}**:", body, "")
        for label, value in _head_lines(head, labels):
            yield from (f"**{label}**:", value, "")
        yield from ("---", "")


def _head_lines(head: Head, labels: Labels) -> Iterator[tuple[str, str]]:
    votes = labels.unknown if head.votes is None else str(head.votes)
    yield labels.votes, f"{votes} ({_clock(head.votes_at)})" if head.votes_at else votes
    # An unknown list of authors is emphasised, which no name can be.
    names = ", ".join(map(_in_list, head.authors))
    yield labels.authors, names or f"*{labels.unknown}*"
    if head.pdf:
        yield labels.pdf, inline.link(labels.download, head.pdf)


def _parts(entry: Entry, labels: Labels) -> Iterator[tuple[str, str]]:
    if entry.status == "not summarised":
        yield labels.not_summarised, escape(entry.reason)
    for section in entry.sections:
        yield _label(section.key, labels), _body(section)
    if entry.left_out:
        yield labels.left_out, _marked((said(one, entry.language), (one.evidence,)) for one in entry.left_out)
    if entry.notes:
        yield labels.notes, _marked((note.text, note.evidence) for note in entry.notes)


def said(one: LeftOut, language: Language) -> str:
    """Say what was left out, by its place in the source, and why."""
    return one_line(f"{place_of(one.evidence, language)}: {one.reason}")


def _label(key: str, labels: Labels) -> str:
    if key in labels.sections:
        return labels.sections[key]
    # A colon that belongs to the heading must not look like the one after it.
    return escape(key[:-1]) + f"&#x{ord(key[-1]):X};" if key[-1] in ":：" else escape(key)


def _body(section: Section) -> str:
    if section.absent:
        return f"*{escape(section.absent)}* {marks.ABSENT_MARK}"
    statements = [(one.text, one.evidence) for one in section.statements]
    if section.key == "fields":
        return ", ".join(f"{_in_list(text)}{marks.evidence_mark(evidence)}" for text, evidence in statements)
    return _marked(statements)


def _in_list(text: str) -> str:
    """Write one item of a list that commas divide: its own commas are escaped."""
    return escape(text).replace(",", "\\,").replace("、", "&#x3001;").replace("，", "&#xFF0C;")


def _marked(statements: Iterable[tuple[str, tuple[Evidence, ...]]]) -> str:
    return " ".join(f"{escape(text)} {marks.evidence_mark(evidence)}" for text, evidence in statements)

"""Editions as JSON, and the digests that are in them.

The file holds the ``Edition`` as ``types`` describes it, with ``schema`` always
written out; other fields that have their default are left out.
"""

from __future__ import annotations

import re

import msgspec

from presscheck.errors import BadInput
from presscheck.types import SCHEMA, Digest, Edition, Entry, Head, Language, Paper, Statement, Style

_BYTE = re.compile(r"\(byte ([0-9]+)\)")

_NO_ENTRY: dict[Language, str] = {
    "en": "the edition has no entry for this paper in this style and language",
    "ko": "이 호에는 이 형식과 언어로 쓴 항목이 없습니다",
}


class _Header(msgspec.Struct):
    """What can be read of an edition whatever its schema."""

    schema: int = SCHEMA


def edition_to_json(edition: Edition) -> bytes:
    """Write an edition, indented so that two of them can be compared line by line.

    Raises:
        BadInput: if a text or a number of it has no form in JSON.
    """
    try:
        fields = {"schema": edition.schema, **msgspec.to_builtins(edition)}
        return msgspec.json.format(msgspec.json.encode(fields), indent=1) + b"\n"
    except (UnicodeEncodeError, OverflowError) as error:
        raise BadInput(f"the edition of {edition.date[:40]!r} cannot be written as JSON: {error}") from None


def edition_from_json(data: bytes, name: str) -> Edition:
    """Read an edition.

    Args:
        data: the file's bytes; a byte order mark is fine.
        name: what to call the file in an error.

    Raises:
        BadInput: with the file, the field and its place, if this is no
            edition, or one of a schema that this version does not know.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput(f"{name} is empty: need an edition as JSON")
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema != SCHEMA:
            raise BadInput(
                f"{name} has schema {schema}, this version of presscheck reads {SCHEMA}",
                hint="a newer presscheck may read it" if schema > SCHEMA else "write the edition anew",
            )
        return msgspec.json.decode(data, type=Edition)
    except msgspec.ValidationError as error:
        raise BadInput(
            f"{name} is no edition: {error}", hint="need an edition.json that presscheck wrote"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{name} is not JSON: {_located(str(error), data)}") from None
    except RecursionError:
        raise BadInput(f"{name} is no edition: it is nested too deeply") from None


def _located(message: str, data: bytes) -> str:
    """Put line and column where msgspec gives a byte."""

    def place(match: re.Match[str]) -> str:
        before = data[: int(match[1])]
        return f"(line {before.count(10) + 1}, byte {len(before) - before.rfind(10)})"

    return _BYTE.sub(place, message)


def digest_of(edition: Edition, style: Style, language: Language) -> Digest:
    """Give the digest that an edition has in one style and language.

    Every paper of the edition is in it, in the edition's order: one that has no
    entry in this style and language is not summarised, and says so.

    Raises:
        BadInput: if the edition was not made in this style or language.
    """
    if style not in edition.styles or language not in edition.languages:
        raise BadInput(
            f"the edition of {edition.date} has no digest {style}, {language}: "
            f"it has {', '.join(edition.styles)} in {', '.join(edition.languages)}"
        )
    found: dict[str, Entry] = {}
    for entry in edition.entries:
        if entry.style == style and entry.language == language:
            found.setdefault(entry.paper, entry)
    return Digest(
        style=style,
        language=language,
        date=edition.date,
        taken=edition.taken,
        state=edition.state,
        entries=tuple(
            msgspec.structs.replace(
                without_verdicts(found.get(paper.id) or _missing(paper, style, language)), head=head_of(paper)
            )
            for paper in edition.papers
        ),
    )


def without_verdicts(entry: Entry) -> Entry:
    """Take off what is not printed: what a check said, and how often a model had to be put right."""
    statements = [statement for section in entry.sections for statement in section.statements]
    if not (entry.findings or entry.written) and not any(one.verdict or one.findings for one in statements):
        return entry
    sections = tuple(
        msgspec.structs.replace(
            section,
            statements=tuple(Statement(text=s.text, evidence=s.evidence) for s in section.statements),
        )
        for section in entry.sections
    )
    return msgspec.structs.replace(entry, sections=sections, findings=(), written=None)


def head_of(paper: Paper) -> Head:
    """Say what a digest prints above an entry: all of it from the paper, nothing from a page."""
    return Head(
        title=paper.title,
        url=paper.url,
        thumbnail=paper.thumbnail,
        votes=paper.votes,
        votes_at=paper.votes_at,
        authors=tuple(author.name for author in paper.authors),
        pdf=paper.pdf,
    )


def _missing(paper: Paper, style: Style, language: Language) -> Entry:
    return Entry(
        paper=paper.id, language=language, style=style, status="not summarised", reason=_NO_ENTRY[language]
    )

"""Marks: HTML comments that a renderer hides and a program reads.

========================================  =========================================
``<!-- presscheck: detailed ko -->``      style and language of the file
``<!-- entry: paper="…" writer="…" -->``  stands before an entry
``<!-- ev: abstract v1 s3 89:210 3f2a -->``  ends a statement; one pointer, or several
                                          divided by ``;``, or none
``<!-- absent -->``                       ends the reason why a section has nothing
========================================  =========================================

A pointer is its source, then in any order version, sentence, offsets, hash and
``at="Table 2"``. What has not the short form is written out as ``version="…"``
or ``hash="…"``. Strings are JSON, with ``--``, ``<`` and ``>`` as escapes, so
that nothing inside can end the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from presscheck.errors import BadInput
from presscheck.types import Evidence, Language, Style

_NAMES = ("presscheck", "entry", "ev", "absent")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>(?P<name>[a-z]+)="(?P<string>[^"\\]*(?:\\.[^"\\]*)*)")
    | (?P<end>;)
    | v(?P<version>[0-9]{1,9})(?![^\s;])
    | s(?P<sentence>-?[0-9]{1,18})(?![^\s;])
    | (?P<start>-?[0-9]{0,18}):(?P<stop>-?[0-9]{0,18})(?![^\s;])
    | (?P<hash>[0-9a-f]{1,128})(?![^\s;])
    | (?P<source>abstract|title|paper|repository)(?![^\s;])
    )""",
    re.VERBOSE | re.DOTALL,
)
_UNSAFE = re.compile(
    r"-(?=-)|[<>\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_UNTIL_COMMENT = re.compile(r"([^\\<]*(?:(?:\\.|<(?!!--))[^\\<]*)*)<!--", re.DOTALL)
_LIMIT = 10**18


class Mark(msgspec.Struct, frozen=True):
    """A mark that was found: its name, and what stands after the colon."""

    name: str
    body: str


def quoted(text: str) -> str:
    """Write a string so that it can stand in a comment and comes back as it was."""
    escaped = re.sub(r'["\\]', r"\\\g<0>", text)
    return '"' + _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


def _unquoted(string: str) -> str:
    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else match[2]

    return re.sub(r"\\(?:u([0-9a-f]{4})|(.))", character, string, flags=re.DOTALL)


def digest_mark(style: Style, language: Language) -> str:
    """Write the mark of a file."""
    return f"<!-- presscheck: {style} {language} -->"


def entry_mark(paper: str, writer: str) -> str:
    """Write the mark of an entry."""
    fields = [f"{name}={quoted(value)}" for name, value in (("paper", paper), ("writer", writer)) if value]
    return f"<!-- {' '.join(['entry:', *fields])} -->"


ABSENT_MARK = "<!-- absent -->"


def _number(value: int) -> str:
    if not -_LIMIT < value < _LIMIT:
        raise BadInput(f"got {value:.3g} as an offset or a sentence's number, need fewer than 19 digits")
    return str(value)


def _pointer(evidence: Evidence) -> str:
    parts: list[str] = [evidence.source]
    if evidence.version:
        short = re.fullmatch(r"v[0-9]{1,9}", evidence.version)
        parts.append(evidence.version if short else f"version={quoted(evidence.version)}")
    if evidence.sentence is not None:
        parts.append(f"s{_number(evidence.sentence)}")
    if evidence.start is not None or evidence.end is not None:
        ends = (evidence.start, evidence.end)
        parts.append(":".join("" if end is None else _number(end) for end in ends))
    if evidence.hash:
        short = re.fullmatch(r"[0-9a-f]{1,128}", evidence.hash)
        parts.append(evidence.hash if short else f"hash={quoted(evidence.hash)}")
    if evidence.place:
        parts.append(f"at={quoted(evidence.place)}")
    return " ".join(parts)


def evidence_mark(evidence: tuple[Evidence, ...]) -> str:
    """Write the mark that ends a statement."""
    return f"<!-- ev: {'; '.join(map(_pointer, evidence))} -->" if evidence else "<!-- ev: -->"


def read_fields(mark: Mark) -> dict[str, str]:
    """Read the quoted fields of an entry's mark.

    Raises:
        BadInput: if something else stands there.
    """
    fields: dict[str, str] = {}
    for token in _tokens(mark):
        if not token["quoted"] or token["name"] not in ("paper", "writer"):
            raise BadInput(f"{token[0].strip()[:60]!r} is nothing that can stand in an entry's mark")
        fields[token["name"]] = _unquoted(token["string"])
    return fields


def read_style(mark: Mark) -> tuple[Style, Language]:
    """Read the mark of a file.

    Raises:
        BadInput: if it does not name a style and a language.
    """
    match mark.body.split():
        case [("detailed" | "easy") as style, ("en" | "ko") as language]:
            return style, language
    raise BadInput(
        f"the file's mark says {mark.body[:80]!r}, need a style (detailed, easy) and a language (en, ko)"
    )


def read_evidence(mark: Mark) -> tuple[Evidence, ...]:
    """Read the pointers that end a statement.

    Raises:
        BadInput: if one is not of the form above.
    """
    pointers: list[dict[str, Any]] = []
    open_ = False
    for token in _tokens(mark):
        if token["end"]:
            open_ = False
        elif token["source"]:
            if open_:
                raise BadInput(f"{token['source']!r} begins a pointer: need `;` before it")
            pointers.append({"source": token["source"]})
            open_ = True
        elif not open_:
            raise BadInput(
                f"{token[0].strip()[:60]!r} stands before a source (abstract, title, paper, repository)"
            )
        else:
            pointers[-1] |= _field(token)
    return tuple(Evidence(**pointer) for pointer in pointers)


def _field(token: re.Match[str]) -> dict[str, Any]:
    if token["quoted"]:
        name = {"at": "place", "version": "version", "hash": "hash"}.get(token["name"])
        if name is None:
            raise BadInput(f"{token['name']!r} is no field of a pointer: need at, version or hash")
        return {name: _unquoted(token["string"])}
    if token["version"]:
        return {"version": f"v{token['version']}"}
    if token["sentence"]:
        return {"sentence": int(token["sentence"])}
    if token["hash"]:
        return {"hash": token["hash"]}
    ends = {"start": token["start"], "end": token["stop"]}
    return {name: int(digits) for name, digits in ends.items() if digits.strip("-")}


def _tokens(mark: Mark) -> Iterator[re.Match[str]]:
    body, at = mark.body.rstrip(), 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None:
            raise BadInput(f"got {body[at : at + 40].strip()!r} in a mark, need what its form allows")
        yield token
        at = token.end()


def split(written: str) -> list[tuple[str, Mark | None]]:
    """Divide text at its marks: each piece with the mark that ends it, the rest with none.

    Comments that are no marks are dropped.
    """
    pieces: list[tuple[str, Mark | None]] = []
    held: list[str] = []
    at = 0
    while (found := _UNTIL_COMMENT.match(written, at)) and (end := written.find("-->", found.end())) >= 0:
        held.append(found[1])
        at = end + 3
        mark = _mark(written[found.end() : end].strip())
        if mark is not None:
            pieces.append(("".join(held), mark))
            held = []
    held.append(written[at:])
    pieces.append(("".join(held), None))
    return pieces


def _mark(comment: str) -> Mark | None:
    name, _, body = comment.partition(":")
    name = name.strip()
    if name not in _NAMES or (name == "absent") != (comment == "absent"):
        return None
    return Mark(name, body)

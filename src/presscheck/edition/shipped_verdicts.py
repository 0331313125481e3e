"""What the check said of a shipped edition, kept beside it, since the abstracts do not ship.

``verdicts.json`` maps the key of a statement to its verdict. The key is made of the
paper, the language, the section and the words, so a verdict falls away when its
statement is edited, until ``scripts/check_content.py`` is run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from presscheck.errors import BadInput
from presscheck.types import Entry, Section, Statement, Struct

NAME = "verdicts.json"
Verdict = Literal["supported", "conflict", "unsupported", "beyond"]


class _File(Struct, frozen=True, kw_only=True, omit_defaults=False):
    schema: int = 1
    verdicts: dict[str, Verdict] = {}


def statement_key(entry: Entry, section: Section, statement: Statement) -> str:
    """The key of a statement: 12 hex digits."""
    parts = (entry.paper, entry.language, section.key, statement.text)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def verdicts_to_json(entries: Iterable[Entry]) -> bytes:
    """The verdicts of checked entries as a file; statements without one are left out."""
    told = {
        statement_key(entry, section, statement): statement.verdict
        for entry in entries
        for section in entry.sections
        for statement in section.statements
        if statement.verdict
    }
    file = {"schema": 1, "verdicts": dict(sorted(told.items()))}
    return msgspec.json.format(msgspec.json.encode(file), indent=0) + b"\n"


def read_verdicts(data: str, name: str) -> dict[str, Verdict]:
    """Read the file.

    Raises:
        BadInput: if it is none.
    """
    try:
        return msgspec.json.decode(data.encode(), type=_File).verdicts
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise BadInput(f"{name}: {error}", hint="make it anew with scripts/check_content.py") from None


def with_verdicts(entry: Entry, verdicts: Mapping[str, Verdict]) -> Entry:
    """The entry with the verdict of each statement that has one."""
    sections = tuple(
        msgspec.structs.replace(
            section,
            statements=tuple(
                msgspec.structs.replace(s, verdict=verdicts.get(statement_key(entry, section, s), ""))
                for s in section.statements
            ),
        )
        for section in entry.sections
    )
    return msgspec.structs.replace(entry, sections=sections)

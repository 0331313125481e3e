"""Findings that a person has set aside, in a small file next to the digest.

``detailed.ko.md`` has ``detailed.ko.overrules.toml`` beside it::

    [[overrule]]
    finding = "3f2a9c01d4be"
    reason = "the count is the length of the list in section 3"

The key of a finding is made of the paper, the kind, the fragment and the statement, so
an overrule holds until one of these changes. `presscheck check --keys` prints the keys.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import msgspec

from presscheck.errors import BadInput
from presscheck.types import Finding, Struct

SUFFIX = ".overrules.toml"


class Overrule(Struct, frozen=True, kw_only=True):
    """One finding that does not count, and why."""

    finding: str
    reason: str


class _File(Struct, frozen=True, kw_only=True):
    overrule: tuple[Overrule, ...] = ()


def finding_key(paper: str, finding: Finding, statement: str = "") -> str:
    """The key of a finding: 12 hex digits that change with whatever the finding is about."""
    parts = "\x1f".join((paper, finding.kind, finding.text, " ".join(statement.split())))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:12]


def overrules_beside(digest: Path | str) -> dict[str, str]:
    """The overrules of a digest's file, finding → reason; none where there is no such file.

    Raises:
        BadInput: if the file is there and cannot be read; the message names file and field.
    """
    path = Path(digest)
    beside = path.with_name(path.name.removesuffix(path.suffix) + SUFFIX)
    return read_overrules(beside) if str(digest) != "-" and beside.is_file() else {}


def read_overrules(path: Path) -> dict[str, str]:
    """Read a file of overrules.

    Raises:
        BadInput: if it is no such file, or one of its overrules has no reason.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode())
        found = msgspec.convert(table, _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, OSError) as error:
        raise BadInput(
            f"{path}: {error}",
            hint='overrules look like [[overrule]], finding = "3f2a9c01d4be", reason = "why it is right"',
        ) from None
    for one in found.overrule:
        if not one.reason.strip():
            raise BadInput(
                f"{path}: the overrule of {one.finding} has no reason", hint="a reader wants to know why"
            )
    return {one.finding: one.reason for one in found.overrule}

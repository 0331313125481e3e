"""What a check says, as values: digests, their entries, their statements, the findings.

The shapes are the JSON that `presscheck check --json` prints; every field is
always there, so that a reader of the JSON needs no defaults.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from presscheck.types import Finding, Language, Struct, Style

REPORT_SCHEMA = 1

StatementVerdict = Literal["supported", "conflict", "unsupported", "beyond"]
EntryVerdict = Literal["ok", "findings", "not this paper", "no source"]
AUTHORS = frozenset({"author_order", "author_missing", "author_artifact", "author_unknown"})
"""Kinds of finding that say the author list is not the paper's."""


class Pointer(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A sentence of the source that carries a statement, as far as the check can tell."""

    source: str
    """``abstract``, ``title`` or ``full text``."""
    sentence: int
    """From 1."""
    start: int
    end: int
    """Offsets into the source's cleaned text."""
    score: float
    """0 to 1: calibrated probability that this sentence carries the statement."""


class StatementReport(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One statement, held against the paper."""

    section: str
    text: str
    verdict: StatementVerdict
    evidence: tuple[Pointer, ...] = ()
    findings: tuple[Finding, ...] = ()
    overruled: tuple[Finding, ...] = ()
    """Findings that a person has set aside, with a reason."""


class EntryReport(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One entry: findings about the whole of it, then its statements."""

    paper: str
    title: str
    verdict: EntryVerdict
    findings: tuple[Finding, ...] = ()
    statements: tuple[StatementReport, ...] = ()
    overruled: tuple[Finding, ...] = ()


class DigestReport(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One digest."""

    file: str
    style: Style
    language: Language
    entries: tuple[EntryReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What concerns the digest as a whole, such as mixed registers."""


class Report(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """All digests of one call."""

    schema: int = REPORT_SCHEMA
    digests: tuple[DigestReport, ...] = ()


def all_findings(digest: DigestReport) -> list[Finding]:
    """Every finding of a digest: its own, its entries', their statements'."""
    found = list(digest.findings)
    for entry in digest.entries:
        found += entry.findings
        for statement in entry.statements:
            found += statement.findings
    return found


def contradicts(digest: DigestReport) -> bool:
    """Whether anything in a digest says other than its paper: what `--strict` asks.

    That is an entry that is not its paper's, an author list that is not the paper's, a
    statement in conflict, and a statement of another paper. Form, leftovers, headline
    results left out and details beyond the abstract contradict nothing.
    """
    return any(
        entry.verdict == "not this paper"
        or any(finding.kind in AUTHORS for finding in entry.findings)
        or any(
            statement.verdict == "conflict"
            or (
                statement.verdict == "unsupported"
                and any(finding.kind == "foreign_statement" for finding in statement.findings)
            )
            for statement in entry.statements
        )
        for entry in digest.entries
    )


def verdict_counts(digest: DigestReport) -> Counter[str]:
    """How many statements have each verdict."""
    return Counter(statement.verdict for entry in digest.entries for statement in entry.statements)


def to_json(report: Report) -> bytes:
    """Indented UTF-8 JSON with a final newline; Korean stays readable."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"

"""Edition → the same edition with the check's verdict at every statement."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.report import EntryReport, StatementReport
from presscheck.digest.jsonfile import digest_of
from presscheck.types import Edition, Entry, Section, Statement


def annotate(edition: Edition) -> Edition:
    """Hold every entry against the edition's own papers.

    An entry whose paper has no abstract at hand keeps what verdicts it has.
    """
    papers = Papers(edition.papers)
    if not len(papers):
        return edition
    reports: dict[tuple[str, str, str], EntryReport] = {}
    for style in edition.styles:
        for language in edition.languages:
            digest = digest_of(edition, style, language)
            report = check_digest(digest, papers)
            for entry, said in zip(digest.entries, report.entries, strict=True):
                reports[entry.paper, language, style] = said
    entries = tuple(
        with_report(entry, reports.get((entry.paper, entry.language, entry.style)))
        for entry in edition.entries
    )
    return msgspec.structs.replace(edition, entries=entries)


def with_report(entry: Entry, report: EntryReport | None) -> Entry:
    """Put into an entry what a report says of it; one without its paper stays as it is."""
    if report is None or report.verdict == "no source":
        return entry
    said = iter(report.statements)
    sections = tuple(
        section if section.key == "fields" else _section(section, said) for section in entry.sections
    )
    return msgspec.structs.replace(entry, sections=sections, findings=report.findings)


def _section(section: Section, said: Iterator[StatementReport]) -> Section:
    statements = tuple(_with(statement, next(said)) for statement in section.statements)
    return msgspec.structs.replace(section, statements=statements)


def _with(statement: Statement, said: StatementReport) -> Statement:
    return msgspec.structs.replace(statement, verdict=said.verdict, findings=said.findings)

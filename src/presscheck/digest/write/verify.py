"""Statements of one entry × the paper → why each cannot be printed: gates, glossary and the check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.glossary import Glossary, check_terms
from presscheck.digest.jsonfile import head_of
from presscheck.digest.write.gate import gate
from presscheck.digest.write.source import Source
from presscheck.types import Digest, Entry, Finding, Language, Paper, Section, Statement, Style


class Trial(NamedTuple):
    """A statement that asks to be printed."""

    section: str
    text: str
    sentences: tuple[int, ...]
    """Numbers of the sentences that are said to carry it."""
    quoted: bool = False
    """A sentence of the abstract, letter by letter."""


class Outcome(NamedTuple):
    """What is said of it."""

    verdict: str
    """``supported``, or it is not printed."""
    findings: tuple[Finding, ...]
    carrying: tuple[int, ...]
    """Numbers of the sentences that carry it, as the check sees it."""

    @property
    def passes(self) -> bool:
        """Whether it may be printed."""
        return self.verdict == "supported" and not self.findings


def verify(
    trials: Sequence[Trial], source: Source, language: Language, style: Style, glossary: Glossary
) -> list[Outcome]:
    """Hold statements against the sentences that may carry them.

    Args:
        trials: In the order of print.
        source: The paper.
        language: Of all of them.
        style: Of the entry.
        glossary: What Korean terms are held against.
    """
    hidden = [source.texts[i] for i in source.passed_over]
    known = {number for number, _ in source.numbered}
    before: list[list[Finding]] = []
    for one in trials:
        named = [source.texts[number - 1] for number in one.sentences if number in known]
        found = (
            []
            if one.quoted
            else gate(one.text, language, source.allowed, hidden, carrying=named, glossary=glossary)
        )
        if not set(one.sentences) or not set(one.sentences) <= known:
            found.append(Finding(kind="form", why="it names no sentence that it was given"))
        if language == "ko":
            found += check_terms(one.text, source.allowed, glossary)
        before.append(found)
    statements = [
        Statement(text=one.text or "-", evidence=source.evidence(one.sentences) if source.whole else ())
        for one in trials
    ]
    sections = [one.section for one in trials]
    outcomes = []
    number_of = [number for number, _ in source.numbered]
    for found, said in zip(
        before, _check(statements, sections, source.checked_against, language, style), strict=True
    ):
        verdict, findings, carrying = said
        numbers = tuple(number_of[index - 1] for index in carrying if index <= len(number_of))
        outcomes.append(Outcome(verdict, (*found, *findings), numbers))
    return outcomes


def supported(entry: Entry, paper: Paper) -> list[bool]:
    """Whether each statement of an entry is supported by the paper as it is published.

    In the order of sections and statements; fields, which are labels, left out.
    """
    kept = [section for section in entry.sections if section.key != "fields"]
    statements = [statement for section in kept for statement in section.statements]
    keys = [section.key for section in kept for _ in section.statements]
    return [v == "supported" for v, _, _ in _check(statements, keys, paper, entry.language, entry.style)]


def _check(
    statements: Sequence[Statement], sections: Sequence[str], paper: Paper, language: Language, style: Style
) -> list[tuple[str, tuple[Finding, ...], tuple[int, ...]]]:
    """Verdict, findings and the numbers of the carrying sentences, of each statement.

    One section a statement keeps their order, whatever sections they are for.
    """
    if not statements:
        return []
    entry = Entry(
        paper=paper.id,
        language=language,
        style=style,
        sections=tuple(
            Section(key=key, statements=(one,)) for key, one in zip(sections, statements, strict=True)
        ),
        head=head_of(paper),
    )
    papers = Papers([paper])
    report = check_digest(Digest(style=style, language=language, entries=(entry,)), papers).entries[0]
    outcomes = []
    for one in report.statements:
        carrying = tuple(hit.sentence for hit in one.evidence if hit.source == "abstract")
        verdict = "unsupported" if report.verdict in ("not this paper", "no source") else one.verdict
        findings = one.findings
        if verdict != "supported" and not findings:
            findings = (Finding(kind=verdict, why="the sentences given to the model do not carry it"),)
        outcomes.append((str(verdict), findings, carrying))
    return outcomes

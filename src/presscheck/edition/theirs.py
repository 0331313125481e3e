"""A digest that is not ours, made ready for our page: placed in our order, its heads kept, judged."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from presscheck.digest.check.annotate import with_report
from presscheck.digest.check.check import Papers
from presscheck.digest.check.report import EntryReport
from presscheck.digest.check.source import PaperSource
from presscheck.types import Author, Digest, Entry, Evidence, Head, Paper

CARRIES = 0.5
"""A sentence of the abstract that the check is this sure of is shown as a statement's evidence."""


def placed(
    listed: Sequence[Paper], ours: Digest, theirs: Digest, papers: Papers
) -> tuple[tuple[Paper, ...], list[tuple[str, Entry]]]:
    """All papers of the page, ours first, and each entry of theirs with the id of its place.

    A second entry for a paper has a place of its own, since both are to be seen.
    """
    union = {
        paper.id: _with_abstract(paper, papers.source(entry))
        for paper, entry in zip(listed, ours.entries, strict=True)
    }
    titles = {_letters(paper.title): paper.id for paper in listed}
    places: list[tuple[str, Entry]] = []
    taken: set[str] = set()
    for number, entry in enumerate(theirs.entries, start=1):
        source = papers.source(entry)
        title = entry.head.title if entry.head else ""
        known = (entry.paper, source.paper.id if source else "", titles.get(_letters(title), ""))
        id_ = next((one for one in known if one in union), entry.paper)
        paper = union.get(id_) or Paper(id=entry.paper, title=title or entry.paper)
        if not id_ or id_ in taken:
            id_ = f"entry {number} of theirs"
        taken.add(id_)
        union[id_] = msgspec.structs.replace(_with_abstract(paper, source), id=id_)
        places.append((id_, entry))
    return tuple(union.values()), places


def _with_abstract(paper: Paper, source: PaperSource | None) -> Paper:
    """The paper with the abstract that the check reads, where it has none itself."""
    if source is None or paper.abstract:
        return paper
    held = source.paper
    return msgspec.structs.replace(
        paper,
        title=paper.title or held.title,
        abstract=held.abstract,
        abstract_original=held.abstract_original,
        sentences=held.sentences,
    )


def _letters(title: str) -> str:
    """A title without case, spaces and punctuation."""
    return "".join(letter for letter in title.casefold() if letter.isalnum())


def headed(paper: Paper, head: Head | None) -> Paper:
    """The paper as their entry prints its head."""
    if head is None:
        return paper
    return msgspec.structs.replace(
        paper,
        title=head.title or paper.title,
        authors=tuple(Author(name=name) for name in head.authors),
        votes=head.votes,
        votes_at=head.votes_at,
    )


def judged(entry: Entry, report: EntryReport, paper: Paper) -> Entry:
    """Their entry with verdicts, and with the sentences that the check found to carry its statements."""
    if report.verdict == "no source":
        return msgspec.structs.replace(entry, findings=report.findings)
    told = with_report(entry, report)
    pointers = iter(report.statements)
    sections = []
    for section in told.sections:
        if section.key == "fields":
            sections.append(section)
            continue
        statements = []
        for statement in section.statements:
            found = [
                Evidence(
                    source="abstract",
                    version=paper.version,
                    sentence=at.sentence,
                    hash=paper.sentences[at.sentence - 1].hash,
                )
                for at in next(pointers).evidence
                if at.source == "abstract" and at.score >= CARRIES and at.sentence <= len(paper.sentences)
            ]
            keep = statement.evidence or statement.verdict == "unsupported"
            statements.append(
                statement if keep else msgspec.structs.replace(statement, evidence=tuple(found))
            )
        sections.append(msgspec.structs.replace(section, statements=tuple(statements)))
    return msgspec.structs.replace(told, sections=tuple(sections))

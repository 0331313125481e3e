"""Someone else's digest of a day beside ours: both held against the same papers, paper by paper.

Ours is shown in the language and the style of theirs, in the order of our list. What
only they have comes last; what they lack is said. Their text is shown as it is, with
the check's findings in place, and nothing of it is followed or loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from presscheck.digest.check.annotate import with_report
from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.gather import Named, gather, read_named
from presscheck.digest.check.overrule import overrules_beside
from presscheck.digest.check.report import DigestReport, all_findings
from presscheck.digest.jsonfile import digest_of
from presscheck.edition import view
from presscheck.edition.marks import Mark, Note, score
from presscheck.edition.theirs import headed, judged, placed
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.types import Edition, Entry, Language, Style

FAULTS, FAULTS_OF_A_KIND = 12, 3
"""How many of the worst findings head the page, and how many of them may be alike."""


class Side(NamedTuple):
    """What the check says of one digest, in numbers."""

    name: str
    papers: int
    """Entries whose paper was at hand."""
    about: int
    """Those of them that are about their paper."""
    unchecked: int
    """Entries whose paper was not at hand."""
    verdicts: Mapping[str, int]
    """As `marks.score` counts them."""
    kinds: Mapping[str, int]

    @property
    def statements(self) -> int:
        """Statements that were checked."""
        return sum(self.verdicts.values())


class Row(NamedTuple):
    """One paper: its entry on either side, or None."""

    item: view.Item
    ours: view.Item | None
    theirs: view.Item | None


class Fault(NamedTuple):
    """A finding of theirs, and where it stands on the page."""

    href: str
    title: str
    mark: Mark
    note: Note | None
    text: str


class Comparison(NamedTuple):
    """Two digests of one day."""

    date: str
    language: Language
    style: Style
    ours: Side
    theirs: Side
    kinds: tuple[str, ...]
    """Every kind of finding on either side, most frequent first."""
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


class Against:
    """Digests to set beside an edition, with where to look for their papers.

    Args:
        files: The digests; ``-`` is standard input.
        paths: Files and folders of papers.
        library: Asked for the digest's day.

    Raises:
        BadInput: if a file is no digest.
    """

    def __init__(self, files: Sequence[str], paths: Sequence[str], library: Library) -> None:
        self.named = [read_named(file) for file in files]
        self.paths = [path for path in paths if path != "-"]
        self.library = library

    def day(self, wanted: str) -> str:
        """The day to compare: the one that is wanted, else the one that the digests are of.

        Args:
            wanted: A day, or empty.

        Raises:
            BadInput: if a digest is of another day, or none says its day and none is wanted.
        """
        for file in self.named:
            for one in file:
                wanted = wanted or one.digest.date
                _same_day(one, wanted)
        if not wanted:
            raise BadInput(
                f"{_name(self.named[0][0])} does not say which day it is of",
                hint="name the day: `presscheck edition 2024-07-31 --against FILE`",
            )
        return wanted

    def beside(self, edition: Edition) -> list[Comparison]:
        """Every digest beside the edition.

        Raises:
            BadInput: if one is of another day, of other papers, or in a language or a style
                that the edition was not made in.
        """
        return [
            compare(edition, one, self._papers(one, edition))
            for file in self.named
            for one in _comparable(file, edition)
        ]

    def _papers(self, named: Named, edition: Edition) -> Papers:
        """The papers of both digests; the files are read only for those that the edition does not hold."""
        ours = digest_of(edition, named.digest.style, named.digest.language)
        # The edition's papers come first: nobody brings the abstracts that they are held against.
        both = (Named(file="presscheck", digest=ours, papers=edition.papers), named)
        held = {paper.id for paper in edition.papers if paper.abstract}
        ids = {entry.paper for one in both for entry in one.digest.entries}
        return gather(both, () if ids <= held else self.paths, self.library)


def compare(edition: Edition, named: Named, papers: Papers) -> Comparison:
    """One digest beside the edition.

    Args:
        edition: Ours, in the language and the style of theirs at least.
        named: Theirs, with the file that it came from.
        papers: What both are held against.

    Raises:
        BadInput: if theirs is of another day or has no paper in common with the edition.
    """
    theirs = named.digest
    name = _name(named)
    _same_day(named, edition.date)
    ours = digest_of(edition, theirs.style, theirs.language)
    union, entries = placed(edition.papers, ours, theirs, papers)
    if len(union) == len(edition.papers) + len(entries):
        raise BadInput(
            f"{name} has no paper in common with the edition of {edition.date}",
            hint="is it a digest of that day's list?",
        )
    our_report = check_digest(ours, papers, name="presscheck")
    their_report = check_digest(theirs, papers, name=name, overruled=overrules_beside(named.file))
    our_entries = {
        entry.paper: with_report(entry, report)
        for entry, report in zip(ours.entries, our_report.entries, strict=True)
    }
    shared = {"date": edition.date, "languages": (theirs.language,), "styles": (theirs.style,)}
    left = view.items(Edition(**shared, papers=union, entries=tuple(our_entries.values())))  # type: ignore[arg-type]
    their_papers = {paper.id: paper for paper in union}
    their_entries = []
    for (id_, entry), report in zip(entries, their_report.entries, strict=True):
        paper = their_papers[id_]
        their_papers[id_] = headed(paper, entry.head)
        their_entries.append(msgspec.structs.replace(judged(entry, report, paper), paper=id_))
    right = view.items(
        Edition(**shared, papers=tuple(their_papers.values()), entries=tuple(their_entries))  # type: ignore[arg-type]
    )
    has = {entry.paper for entry in their_entries}
    rows = tuple(
        Row(one, one if one.paper.id in our_entries else None, other if one.paper.id in has else None)
        for one, other in zip(left, right, strict=True)
    )
    sides = (
        _side("presscheck", our_report, tuple(our_entries.values())),
        _side(name, their_report, their_entries),
    )
    kinds = Counter(sides[1].kinds)
    kinds.update(dict.fromkeys(sides[0].kinds, 0))
    return Comparison(
        date=edition.date,
        language=theirs.language,
        style=theirs.style,
        ours=sides[0],
        theirs=sides[1],
        kinds=tuple(kind for kind, _ in kinds.most_common()),
        rows=rows,
        faults=_faults(rows),
    )


def _same_day(named: Named, date: str) -> None:
    """Raise if a digest says that it is of another day."""
    if named.digest.date and named.digest.date != date:
        raise BadInput(
            f"{_name(named)} is a digest of {named.digest.date}, not of {date}",
            hint=f"`presscheck edition {named.digest.date} --against {_name(named)}` compares that day",
        )


def _comparable(file: Sequence[Named], edition: Edition) -> list[Named]:
    """The digests of a file that the edition has a counterpart to."""
    found = [
        one for one in file if one.digest.style in edition.styles and one.digest.language in edition.languages
    ]
    if not found:
        style, language = file[0].digest.style, file[0].digest.language
        raise BadInput(
            f"{_name(file[0])} is {style}, {language}: the edition is {', '.join(edition.styles)} "
            f"in {', '.join(edition.languages)}",
            hint=f"add `--style {style} --language {language}`",
        )
    return found


def _name(named: Named) -> str:
    return "standard input" if named.file == "-" else Path(named.file).name


def _side(name: str, report: DigestReport, entries: Sequence[Entry]) -> Side:
    """A digest's report in numbers; entries without their paper are counted apart."""
    told = [entry for entry in report.entries if entry.verdict != "no source" and entry.statements]
    return Side(
        name=name,
        papers=len(told),
        about=sum(entry.verdict != "not this paper" for entry in told),
        unchecked=sum(entry.verdict == "no source" for entry in report.entries),
        verdicts=score(entries),
        kinds=Counter(finding.kind for finding in all_findings(report)),
    )


def _faults(rows: Sequence[Row]) -> tuple[Fault, ...]:
    """The worst of what their digest got wrong, one finding a place, few of a kind."""
    found: list[Fault] = []
    for row in rows:
        if row.theirs is None:
            continue
        item, (block,) = row.theirs, row.theirs.blocks
        place, title = f"t{item.number}", row.item.paper.title
        for _, marks in block.marks:
            found += [Fault(f"#{place}", title, mark, note, "") for mark in marks for note in mark.notes[:1]]
        for part_number, part in enumerate(block.parts, start=1):
            for voice in part.voices:
                for line_number, line in enumerate(voice.lines, start=1):
                    if line.mark and line.mark.kind != "beyond":
                        href = f"#{place}-{part_number}-{line_number}"
                        note = next(iter(line.mark.notes), None)
                        found.append(Fault(href, title, line.mark, note, line.text))
    found.sort(key=lambda fault: fault.mark.rank)
    shown: list[Fault] = []
    alike: Counter[str] = Counter()
    for fault in found:
        if alike[fault.mark.words] < FAULTS_OF_A_KIND and len(shown) < FAULTS:
            alike[fault.mark.words] += 1
            shown.append(fault)
    return tuple(shown)

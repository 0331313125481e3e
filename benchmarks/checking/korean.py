"""Real Korean statements in entries as digests print them, one of them made wrong at a time.

All Korean statements of a paper are one entry in the detailed style, sixteen entries
a digest; the source is the paper's title and abstract. ``corruptions`` makes one
statement of an entry wrong, and the entry is checked again. What was found counts if
a finding of a fitting kind, told to the reader, lies on what was changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from corruptions import Corruption, Kind, Pair, Part, corrupt, pairs

from checking.encoding import Encoder
from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.entry import FORM, SURE, Parts
from presscheck.digest.check.report import StatementReport
from presscheck.papers.paper import make_paper
from presscheck.papers.sentences import sentence_texts, split
from presscheck.types import SECTIONS, Digest, Entry, Finding, Head, Paper, Section, Statement

Rows = np.ndarray

ENTRIES = 16
"""Entries of a digest, as many as a full day has."""
FITTING: dict[Kind, frozenset[str]] = {
    "magnitude": frozenset({"magnitude", "number", "unit"}),
    "number": frozenset({"number", "magnitude", "unit"}),
    "number_word": frozenset({"number", "magnitude", "unit"}),
    "name": frozenset({"name", "expansion"}),
    "foreign": frozenset({"foreign_statement"}),
}
"""Kinds of finding that say what is wrong with each corruption."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the check said of one statement."""

    text: str
    report: StatementReport
    refused: bool
    """The whole entry was called not this paper's."""
    corruption: Corruption | None = None

    @property
    def told(self) -> bool:
        """Any finding about the content."""
        return any(finding.kind not in FORM for finding in self.report.findings)

    @property
    def found(self) -> bool:
        """A finding of a fitting kind lies on what was changed."""
        made = self.corruption
        return made is not None and any(
            finding.kind in FITTING[made.kind]
            and finding.sure >= SURE
            and (made.kind == "foreign" or _touches(finding, made))
            for finding in self.report.findings
        )

    @property
    def warned(self) -> bool:
        """The reader is not told that it is supported."""
        return self.refused or self.told or self.report.verdict != "supported"


def _touches(finding: Finding, made: Corruption) -> bool:
    return finding.start < made.end and made.start < finding.end


class Korean:
    """The papers of one half with their statements."""

    def __init__(
        self, path: Path, part: Part, most: int | None = None, background: Rows | None = None
    ) -> None:
        """Read a half.

        Args:
            path: The digests.
            part: Which half.
            most: Papers at most, by hash; all of them if None.
            background: For another encoder than the built-in one.
        """
        self._background = background
        mine = [one for pair in pairs(path) if pair.part == part for one in _sentences(pair)]
        order = sorted({pair.paper for pair in mine}, key=lambda id: sha256(id.encode()).hexdigest())
        kept = set(order[:most])
        self.pairs = [pair for pair in mine if pair.paper in kept]
        self.by_paper: dict[str, list[Pair]] = defaultdict(list)
        for pair in self.pairs:
            self.by_paper[pair.paper].append(pair)
        self.order = [id for id in order if id in kept]
        self.papers = {id: _paper(rows[0]) for id, rows in self.by_paper.items()}
        self._given = Papers(list(self.papers.values()))

    def untouched(self, encoder: Encoder, parts: Parts | None = None) -> list[tuple[Pair, Outcome]]:
        """Every statement as it is."""
        return list(self._check([{}], encoder, parts))

    def corrupted(self, kind: Kind, encoder: Encoder, parts: Parts | None = None) -> list[Outcome]:
        """Every statement that can be made wrong in one way, alone among its entry's own ones."""
        made: dict[str, list[Corruption]] = defaultdict(list)
        for corruption in corrupt(self.pairs, kind):
            made[corruption.pair.paper].append(corruption)
        passes: list[dict[int, Corruption]] = []
        for rows in made.values():
            for n, corruption in enumerate(rows):
                if n == len(passes):
                    passes.append({})
                passes[n][id(corruption.pair)] = corruption
        return [outcome for _, outcome in self._check(passes, encoder, parts) if outcome.corruption]

    def _check(
        self, passes: Sequence[dict[int, Corruption]], encoder: Encoder, parts: Parts | None
    ) -> Iterator[tuple[Pair, Outcome]]:
        """Each pass has at most one wrong statement an entry; entries without one are left out of it."""
        for wrong in passes:
            wanted = [
                paper
                for paper in self.order
                if not wrong or any(id(pair) in wrong for pair in self.by_paper[paper])
            ]
            for start in range(0, len(wanted), ENTRIES):
                group = wanted[start : start + ENTRIES]
                digest = Digest(
                    style="detailed",
                    language="ko",
                    entries=tuple(
                        make_entry(self.papers[paper], self._texts(paper, wrong)) for paper in group
                    ),
                )
                report = check_digest(
                    digest, self._given, parts=parts, encoder=encoder, background=self._background
                )
                for paper, entry in zip(group, report.entries, strict=True):
                    refused = entry.verdict == "not this paper"
                    for pair, said in zip(self.by_paper[paper], entry.statements, strict=True):
                        made = wrong.get(id(pair))
                        yield pair, Outcome(said.text, said, refused, made)

    def _texts(self, paper: str, wrong: dict[int, Corruption]) -> list[str]:
        """The statements of an entry, one of them perhaps a wrong one."""
        rows = self.by_paper[paper]
        return [wrong[id(pair)].text if id(pair) in wrong else pair.statement for pair in rows]


def _sentences(pair: Pair) -> Iterator[Pair]:
    """A pair for each sentence of its statement, since that is what a digest's statement is."""
    spans = split(pair.statement)
    for start, end in spans:
        yield replace(pair, statement=pair.statement[start:end])


def _paper(pair: Pair) -> Paper:
    return make_paper(id=pair.paper, title=pair.title, abstract=pair.abstract, authors=["A. Author"])


def make_entry(paper: Paper, texts: Sequence[str]) -> Entry:
    """Statements over the three sections; which one stands where changes nothing that is measured."""
    last = max(1, len(texts) - 1)
    parts = (texts[:1], texts[1:last], texts[last:])
    sections = tuple(
        Section(key=key, statements=tuple(Statement(text=text) for text in part))
        for key, part in zip(SECTIONS["detailed"], parts, strict=True)
    )
    return Entry(
        paper=paper.id,
        language="ko",
        style="detailed",
        sections=sections,
        head=Head(title=paper.title, authors=("A. Author",)),
    )


def carried_by(evidence: str, sentences: Iterable[str]) -> set[int]:
    """The sentences that hold three quarters of the words of what is quoted, or of a part of it."""
    there = [_words(sentence) for sentence in sentences]
    gold: set[int] = set()
    for start, end in [*split(evidence), (0, len(evidence))]:
        said = _words(evidence[start:end])
        if len(said) < 4:
            continue
        shares = [len(said & words) / len(said) for words in there]
        if shares and max(shares) >= 0.75:
            gold |= {n for n, part in enumerate(shares) if part >= max(shares) - 1e-9}
    return gold


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def evidence_ranks(checked: Iterable[tuple[Pair, Outcome]]) -> list[int]:
    """Rank, from 0, of the first right sentence for each statement with a quotation; 9 if none is named."""
    ranks = []
    for pair, outcome in checked:
        gold = _gold(pair)
        if gold:
            named = [pointer.sentence - 1 for pointer in outcome.report.evidence]
            ranks.append(next((n for n, sentence in enumerate(named) if sentence in gold), 9))
    return ranks


def nearest_first(rows: Iterable[Pair], encoder: Encoder) -> list[bool]:
    """Whether the sentence with the nearest vector is right, for the same statements: the plain encoder."""
    right = []
    for pair in rows:
        gold = _gold(pair)
        if gold:
            vectors = encoder([pair.statement, *sentence_texts(_paper(pair))])
            right.append(int((vectors[1:] @ vectors[0]).argmax()) in gold)
    return right


def _gold(pair: Pair) -> set[int]:
    """The sentences that a statement's quotation is from; none if there is nothing to choose."""
    sentences = sentence_texts(_paper(pair)) if pair.evidence else []
    return carried_by(pair.evidence, sentences) if len(sentences) > 1 else set()

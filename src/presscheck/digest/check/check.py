"""Digest × papers → report: every entry meets its paper, all texts encoded in one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from presscheck.digest.check.encoders import Encoder
from presscheck.digest.check.entry import EntryCheck, Parts
from presscheck.digest.check.form import (
    check_register,
)
from presscheck.digest.check.names import system_name
from presscheck.digest.check.report import (
    DigestReport,
)
from presscheck.digest.check.source import PaperSource, encode_all
from presscheck.types import Digest, Entry, Paper

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Papers:
    """The papers that digests are held against, found by id or else by title."""

    def __init__(self, papers: Sequence[Paper], full_texts: Mapping[str, str] | None = None) -> None:
        self._texts = full_texts or {}
        self._by_id: dict[str, Paper] = {}
        self._by_title: dict[str, Paper] = {}
        for paper in papers:
            if paper.id not in self._by_id or not self._by_id[paper.id].abstract:
                self._by_id[paper.id] = paper
            self._by_title.setdefault(_title_key(paper.title), paper)
        self._sources: dict[str, PaperSource] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def source(self, entry: Entry) -> PaperSource | None:
        """What an entry is held against; None if no paper was given for it."""
        paper = self._by_id.get(entry.paper)
        if paper is None and entry.head is not None and entry.head.title:
            paper = self._by_title.get(_title_key(entry.head.title))
        if paper is None or not (paper.abstract or paper.id in self._texts):
            return None
        if paper.id not in self._sources:
            self._sources[paper.id] = PaperSource(paper, self._texts.get(paper.id, ""))
        return self._sources[paper.id]

    def forget(self) -> None:
        """Drop what was prepared, so that an archive streams through in flat memory."""
        self._sources.clear()


def check_digest(
    digest: Digest,
    papers: Papers,
    *,
    name: str = "",
    parts: Parts | None = None,
    encoder: Encoder | None = None,
    background: NDArray[Any] | None = None,
    overruled: Collection[str] = (),
) -> DigestReport:
    """Hold every entry of a digest against its paper.

    Args:
        digest: In either style and language.
        papers: What was given to hold it against; an entry without its paper is "no source".
        name: The file's name, for the report.
        parts: What runs.
        encoder: Texts in, unit rows out; None takes the built-in one.
        background: Rows of sentences on other subjects, made by the encoder; needed with another
            one than the built-in (``encoders.Matched`` has them).
        overruled: Keys of findings that a person has set aside (``overrule.finding_key``).
    """
    run = parts or Parts()
    sources = [papers.source(entry) for entry in digest.entries]
    systems = [system_name(source.paper.title) if source else None for source in sources]
    checks = [
        EntryCheck(entry, digest, source, run, overruled, {name for name in systems if name and name != own})
        for entry, source, own in zip(digest.entries, sources, systems, strict=True)
    ]
    flat = [text for check in checks for text in check.texts]
    # What is quoted word for word needs no search for its evidence, so an entry of quotes is not encoded.
    encoded = [check for check in checks if check.wants_vectors] if run.vectors else []
    vectors = None
    if encoded:
        wanted = [check.source for check in encoded if check.source is not None]
        vectors = encode_all(
            wanted, [text for check in encoded for text in check.texts], encoder or _default()
        )
    registers = check_register(flat) if digest.language == "ko" else [None] * len(flat)
    reports, at, row = [], 0, 0
    for check in checks:
        count = len(check.texts)
        rows = None
        if vectors is not None and check.wants_vectors:
            rows = vectors[row : row + count]
            row += count
        reports.append(check.report(rows, registers[at : at + count], background))
        at += count
    return DigestReport(file=name, style=digest.style, language=digest.language, entries=tuple(reports))


def _default() -> Encoder:
    from presscheck.digest.vectors import encode

    return encode


def _title_key(title: str) -> str:
    """A title without case, spaces and punctuation."""
    return "".join(letter for letter in title.casefold() if letter.isalnum())

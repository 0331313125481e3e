"""The archive's abstracts against themselves: nothing should be found, in flat memory.

Two ways. ``extractive``: each abstract's own digest, written by the extractive writer in
both styles, then checked. ``words``: every sentence is a statement, and the short cut for
what is quoted word for word is off, so that every part of the check has to find it right.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from checking.shares import Share

Way = Literal["extractive", "words"]
BATCH = 16
"""Papers of a digest."""
PROCESSES = 2
_SUMMED = ("papers", "entries", "statements", "alarmed", "entries_alarmed", "refused", "processor")


@dataclass
class Found:
    """What one way of checking the archive said."""

    papers: int = 0
    entries: int = 0
    statements: int = 0
    alarmed: int = 0
    entries_alarmed: int = 0
    refused: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    entry_kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    processor: float = 0.0
    """Seconds of processor time of both processes."""
    megabytes: list[list[float]] = field(default_factory=list)
    """Peak resident memory of each process after each tenth of its papers."""

    @property
    def alarms(self) -> Share:
        """Statements with any finding."""
        return Share(self.alarmed, self.statements)

    @property
    def entry_alarms(self) -> Share:
        """Entries with a finding about the whole of them."""
        return Share(self.entries_alarmed, self.entries)


def measure(path: Path, way: Way, most: int | None = None) -> Found:
    """Check the archive in two processes of one thread each."""
    start = time.perf_counter()
    whole = Found()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_part, path, way, most, n) for n in range(PROCESSES)]
        for job in jobs:
            part = job.result()
            for name in _SUMMED:
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            whole.kinds += part.kinds
            whole.entry_kinds += part.entry_kinds
            whole.megabytes += part.megabytes
    whole.seconds = time.perf_counter() - start
    return whole


def _part(path: Path, way: Way, most: int | None, offset: int) -> Found:
    """Every second paper, sixteen at a time."""
    from presscheck.digest.check.check import Papers, check_digest
    from presscheck.digest.check.entry import Parts
    from presscheck.digest.write.extractive import write_all
    from presscheck.papers.files import iter_papers
    from presscheck.papers.paper import why_not_summarised
    from presscheck.types import STYLES, Digest, Entry

    found, memory = Found(), list[float]()
    papers = (paper for paper in iter_papers(path) if not why_not_summarised(paper))
    mine = islice(papers, offset, most, PROCESSES)
    tenth = max(1, (most or 9600) // PROCESSES // 10 // BATCH) * BATCH
    parts = Parts(quotes=way == "extractive")
    while batch := list(islice(mine, BATCH)):
        given = Papers(batch)
        written: list[Entry] = (
            write_all(batch, ["en"], STYLES) if way == "extractive" else [_plain(paper) for paper in batch]
        )
        for style in {entry.style for entry in written}:
            entries = tuple(entry for entry in written if entry.style == style)
            report = check_digest(Digest(style=style, language="en", entries=entries), given, parts=parts)
            for entry in report.entries:
                found.entries += 1
                found.entries_alarmed += bool(entry.findings)
                found.refused += entry.verdict == "not this paper"
                found.entry_kinds.update(finding.kind for finding in entry.findings)
                found.statements += len(entry.statements)
                for statement in entry.statements:
                    found.alarmed += bool(statement.findings)
                    found.kinds.update(finding.kind for finding in statement.findings)
        found.papers += len(batch)
        if found.papers % tenth == 0:
            memory.append(_peak())
    memory.append(_peak())
    found.megabytes = [memory]
    found.processor = time.process_time()
    return found


def _peak() -> float:
    """Peak resident memory of this process in megabytes; what its parent used does not count."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def _plain(paper):  # type: ignore[no-untyped-def]
    """An entry of all sentences of an abstract."""
    from presscheck.papers.sentences import sentence_texts
    from presscheck.types import SECTIONS, Entry, Head, Section, Statement

    texts = sentence_texts(paper)
    cuts = [0, 1, max(1, len(texts) - 1), len(texts)]
    return Entry(
        paper=paper.id,
        language="en",
        style="detailed",
        head=Head(title=paper.title),
        sections=tuple(
            Section(key=key, statements=tuple(Statement(text=text) for text in texts[start:end]))
            for key, start, end in zip(SECTIONS["detailed"], cuts, cuts[1:], strict=False)
        ),
    )

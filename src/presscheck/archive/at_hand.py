"""Papers that the library holds: looked up by id, and a sample of them to tell a reader's own from."""

from __future__ import annotations

import random
from collections.abc import Collection

from presscheck.archive.store import Archive
from presscheck.errors import BadInput
from presscheck.papers.huggingface import day_of
from presscheck.papers.library import Library
from presscheck.papers.snapshots import decode_snapshot
from presscheck.types import Paper

DAYS = 120
"""Days that a sample is drawn from, at most: each is a file to read."""


def papers_at_hand(library: Library, ids: Collection[str]) -> dict[str, Paper]:
    """The papers of these ids that the archive or a list of the library holds."""
    wanted = list(ids)
    found = {paper.id: paper for paper in Archive(library).papers(wanted)}
    missing = set(wanted) - set(found)
    for date in reversed(library.days()):
        for path in reversed(library.snapshots(date)):
            if not missing:
                return found
            try:
                data = path.read_bytes()
                if not any(one.encode() in data for one in missing):
                    continue
                papers = day_of(decode_snapshot(data, str(path))).papers
            except (BadInput, OSError):
                continue  # `presscheck edition` tells of broken snapshots
            for paper in papers:
                if paper.id in missing:
                    found[paper.id] = paper
                    missing.discard(paper.id)
    return found


def sample(library: Library, without: Collection[str], most: int, seed: int = 0) -> list[Paper]:
    """Papers of the archive and the library's lists, drawn at random but the same at each call.

    Args:
        library: where they are.
        without: ids that are left out.
        most: how many at most.
        seed: another seed is another sample.
    """
    draw = random.Random(seed)
    left_out = set(without)
    papers: dict[str, Paper] = {}
    archive = Archive(library)
    held = len(archive)
    # Numbers of the archive have few gaps, so that twice as many as needed are enough.
    numbers = draw.sample(range(1, held + 1), min(held, 2 * most))
    for _, paper in sorted(archive.by_number(numbers).items()):
        papers[paper.id] = paper
    if len(papers) < most:
        days = library.days()
        for date in sorted(draw.sample(days, min(DAYS, len(days)))):
            day = library.day(date)
            for paper in day.papers if day else ():
                papers.setdefault(paper.id, paper)
    fit = [paper for paper in papers.values() if paper.id not in left_out and paper.title]
    return draw.sample(fit, most) if len(fit) > most else fit

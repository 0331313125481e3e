"""Papers that the library holds: looked up by id, and a sample of them to tell a reader's own from."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator

from presscheck.errors import BadInput
from presscheck.papers.huggingface import day_of
from presscheck.papers.library import Library
from presscheck.papers.snapshots import decode_snapshot
from presscheck.types import Paper

DAYS = 120
"""Days that a sample is drawn from, at most: each is a file to read."""


def papers_at_hand(library: Library, ids: Collection[str]) -> dict[str, Paper]:
    """The papers of these ids that are on a list in the library, from the newest list of each."""
    found: dict[str, Paper] = {}
    missing = set(ids)
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
    """Papers of the library's lists, drawn at random but the same at each call.

    Args:
        library: where the lists are.
        without: ids that are left out.
        most: how many at most.
        seed: another seed is another sample.
    """
    draw = random.Random(seed)
    days = library.days()
    chosen = sorted(draw.sample(days, DAYS)) if len(days) > DAYS else days
    left_out = set(without)
    papers: dict[str, Paper] = {}
    for paper in _papers_of(library, chosen):
        if paper.id not in left_out and paper.title:
            papers.setdefault(paper.id, paper)
    held = list(papers.values())
    return draw.sample(held, most) if len(held) > most else held


def _papers_of(library: Library, dates: list[str]) -> Iterator[Paper]:
    for date in dates:
        day = library.day(date)
        if day is not None:
            yield from day.papers

"""What the archive holds, and how far its indexes are."""

from __future__ import annotations

from typing import Any

from presscheck.archive.store import Archive
from presscheck.archive.words import WordIndex


def status_of(archive: Archive) -> dict[str, Any]:
    """Numbers and states in words; nothing is made or changed.

    Returns:
        ``path``, ``papers``, ``days``, ``first``, ``last``, ``words``, and ``vectors`` by encoder.
    """
    from presscheck.archive.vectorfile import open_vectors
    from presscheck.errors import BadInput

    days = list(archive.days())
    seen, change = WordIndex(archive).seen(), archive.change()
    words = "up to date" if seen == change else "not made yet" if seen < 0 else "behind the papers"
    vectors: dict[str, str] = {}
    ids = {paper.id for paper in archive}
    for folder in sorted((archive.folder / "vectors").glob("*/")):
        held: set[str] = set()
        broken = 0
        for path in folder.glob("*.vectors"):
            try:
                held.update(one for one, *_ in open_vectors(path).header.papers)
            except BadInput:
                broken += 1
        state = f"{len(held & ids)} of {len(ids)} papers"
        vectors[folder.name] = state + (f", {broken} broken files" if broken else "")
    return {
        "path": str(archive.path),
        "papers": len(ids),
        "days": len(days),
        "first": days[0] if days else "",
        "last": days[-1] if days else "",
        "words": words,
        "vectors": vectors,
    }

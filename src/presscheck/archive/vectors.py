"""One vector a paper, kept in the cache so that a text is encoded once.

The text is the title and the abstract together; a paper without an abstract is its
title. The file is SQLite in the cache folder: it can be deleted at any time, and a
broken one is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from presscheck.digest.vectors import LONGEST, WIDTH, encode
from presscheck.types import Paper

if TYPE_CHECKING:
    import sqlite3

    import numpy as np
    from numpy.typing import NDArray

NAME = "paper-vectors-1.db"
BATCH = 64


def paper_text(paper: Paper) -> str:
    """What is encoded of a paper."""
    return f"{paper.title}. {paper.abstract}" if paper.abstract else paper.title


def key_of(paper: Paper) -> bytes:
    """A hash of what is encoded: a changed text is another text."""
    return hashlib.sha256(paper_text(paper)[:LONGEST].encode()).digest()[:16]


def paper_vectors(
    papers: Sequence[Paper], cache: Path | None, advance: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """The vector of each paper.

    Args:
        papers: any.
        cache: folder of the cache; None keeps nothing.
        advance: called with the number of papers done at each step.

    Returns:
        (n, 512) float32, rows of length 1.
    """
    import numpy as np

    keys = [key_of(paper) for paper in papers]
    with _opened(cache) as held:
        known = _get(held, keys)
        missing = [n for n, key in enumerate(keys) if key not in known]
        if advance:
            advance(len(papers) - len(missing))
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            made = encode([paper_text(papers[n]) for n in part])
            known.update({keys[n]: row for n, row in zip(part, made, strict=True)})
            _put(held, [keys[n] for n in part], made)
            if advance:
                advance(len(part))
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, WIDTH), dtype=np.float32)


@contextlib.contextmanager
def _opened(cache: Path | None) -> Iterator[sqlite3.Connection | None]:
    """The file; None where it cannot be used, since it only saves work."""
    import sqlite3

    if cache is None:
        yield None
        return
    held = None
    for _ in range(2):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            held = sqlite3.connect(cache / NAME, timeout=20)
            held.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
            break
        except sqlite3.DatabaseError as error:
            if held is not None:
                held.close()
                held = None
            if isinstance(error, sqlite3.OperationalError):
                break  # locked, or the folder cannot be written
            with contextlib.suppress(OSError):
                (cache / NAME).unlink()
        except OSError:
            break
    try:
        yield held
    finally:
        if held is not None:
            held.close()


def _get(held: sqlite3.Connection | None, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
    import sqlite3

    import numpy as np

    found: dict[bytes, NDArray[np.float32]] = {}
    if held is None:
        return found
    with contextlib.suppress(sqlite3.DatabaseError):
        for start in range(0, len(keys), 500):
            part = list(keys[start : start + 500])
            marks = ",".join("?" * len(part))
            for key, data in held.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part):
                row = np.frombuffer(data, dtype=np.float32) if isinstance(data, bytes) else None
                if row is not None and row.shape == (WIDTH,) and np.isfinite(row).all():
                    found[key] = row
    return found


def _put(held: sqlite3.Connection | None, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
    import sqlite3

    if held is None:
        return
    with contextlib.suppress(sqlite3.DatabaseError), held:
        held.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
            [(key, row.tobytes()) for key, row in zip(keys, rows, strict=True)],
        )

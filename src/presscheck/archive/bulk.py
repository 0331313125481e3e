"""Reading and embedding a whole archive on several processes or a Ray cluster.

What is written is written here, by one process: workers need no folder in common,
and the archive and its vector files are those that one process makes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from presscheck.archive import tasks
from presscheck.archive.encoders import Encoder
from presscheck.archive.spread import Where, map_items
from presscheck.papers.files import iter_papers
from presscheck.papers.rows import Source, is_rows
from presscheck.types import Paper, Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINES = 200
"""Lines of one call: a line takes under a millisecond."""
TEXTS = 128
"""Sentences of one call: a quarter of a second."""


def read_bulk(
    path: Path | str, problems: list[Problem], *, on: Where = "local", workers: int = 2
) -> Iterator[Paper]:
    """The papers of a file, JSON Lines read by many, other files as ``iter_papers`` reads them.

    Args:
        path: a file, a folder or ``-``.
        problems: what is wrong with single entries is added here.
        on: ``local`` or ``ray``.
        workers: processes.

    Raises:
        BadInput: if it cannot be read.
    """
    if str(path) == "-" or Path(path).is_dir():
        yield from iter_papers(path, problems)
        return
    with Source(path) as source:
        if not is_rows(source.head()):
            yield from iter_papers(path, problems)
            return
        seen: set[tuple[str, str]] = set()
        numbered = ((n, line) for n, line in enumerate(source.lines(), 1) if line.strip())
        for made in map_items(numbered, tasks.read_numbered, on=on, workers=workers, batch=LINES):
            found = msgspec.json.decode(made, type=tasks.Line)
            problems.extend(found.problems)
            paper = found.paper
            if paper is None:
                continue
            if (paper.date, paper.id) in seen:
                what = f"listed again on line {found.number}; the first entry is kept"
                problems.append(Problem(where=paper.id, what=what, kind="duplicate"))
                continue
            seen.add((paper.date, paper.id))
            yield paper


class SpreadEncoder(Encoder):
    """An encoder whose passages are encoded by many; its vectors are those of one process.

    Args:
        name: as ``Encoder``.
        on: ``local`` or ``ray``.
        workers: processes.
    """

    def __init__(self, name: str = "usem3", *, on: Where = "local", workers: int = 2) -> None:
        super().__init__(name)
        self._on, self._workers = on, workers

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of what is searched in: (n, width) float32."""
        import numpy as np

        if not texts:
            return super().passages(texts)
        task = functools.partial(tasks.passages, name=self.name)
        return np.stack(list(map_items(texts, task, on=self._on, workers=self._workers, batch=TEXTS)))


def reader_of(on: Where, workers: int) -> Callable[[Path | str, list[Problem]], Iterator[Paper]]:
    """What reads a file: this process alone, or many on Ray."""
    if on == "local":
        return iter_papers
    return functools.partial(read_bulk, on=on, workers=workers)


def spread_encoder(name: str, on: Where, workers: int) -> Encoder | None:
    """What encodes in place of this process; None for nothing else."""
    return None if on == "local" else SpreadEncoder(name, on=on, workers=workers)

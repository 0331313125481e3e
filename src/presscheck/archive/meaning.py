"""The index of meaning: sentence vectors of every paper, in files of ``vectorfile``, made from the archive.

Papers are encoded 256 at a time and each such piece becomes a file at once, so a
killed run loses one piece. A paper whose text changed is encoded again into a new
file, and its old rows are passed over. Small files are joined as they become many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from presscheck.archive.encoders import Encoder
from presscheck.archive.store import Archive
from presscheck.archive.vectorfile import Vectors, open_vectors, write_vectors
from presscheck.errors import BadInput
from presscheck.papers.sentences import sentence_texts
from presscheck.types import Paper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECE = 256
"""Papers encoded between two files."""
JOINED = 4096
"""Papers of a file that is not joined with others any more."""
MOST_SMALL = 8
IN_MEMORY = 200_000
"""Papers whose own vectors are held as float32 (400 MB); beyond, blocks are converted as they are read."""
BLOCK = 16_384
LARGE = 1_000_000
"""Papers from which on the nearest are looked up in a graph instead of all of them compared."""


def texts_of(paper: Paper) -> list[str]:
    """What is encoded of a paper: its title, then each sentence of its abstract."""
    return [paper.title, *sentence_texts(paper)]


def hash_of(paper: Paper) -> str:
    """Changes when what is encoded changes."""
    text = f"{paper.title}\0{paper.abstract}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def own_vector(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """One vector for a paper: its title and the mean of its sentences, both of length 1, halfway.

    Args:
        rows: (texts, width), title first.
    """
    import numpy as np

    title: NDArray[np.float32] = rows[0].astype(np.float32)
    if len(rows) == 1:
        return title
    mean = rows[1:].astype(np.float32).mean(axis=0)
    both = title + mean / max(float(np.linalg.norm(mean)), 1e-9)
    whole: NDArray[np.float32] = both / max(float(np.linalg.norm(both)), 1e-9)
    return whole


class VectorIndex:
    """Vectors of an archive's papers by one encoder.

    Args:
        archive: what it is made from.
        encoder: makes the vectors.
    """

    def __init__(self, archive: Archive, encoder: Encoder) -> None:
        self._archive = archive
        self.encoder = encoder
        self.folder = archive.folder / "vectors" / encoder.name
        self.broken: list[str] = []
        """Files that were found to be broken and removed, with why."""
        self._files: list[Vectors] = []
        self.slot: dict[str, int] = {}
        """Where each paper stands, by id."""
        self._place: list[tuple[int, int]] = []
        self._own: NDArray[np.float32] | None = None
        self._graph: object = None
        self._lengths: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self._place)

    @property
    def model(self) -> str:
        """The encoder's name and version."""
        return self.encoder.model

    def update(self) -> Iterator[tuple[int, int]]:
        """Encode what is not encoded yet, then map everything into memory.

        Yields:
            Papers done and papers to do, after each piece.

        Raises:
            BadInput: if it cannot be written; what was encoded before is kept.
        """
        with self._archive.library.lock("archive-vectors", wait=3600.0):
            wanted = {paper.id: hash_of(paper) for paper in self._archive}
            self._map(wanted)
            missing = [one for one in wanted if one not in self.slot]
            for start in range(0, len(missing), PIECE):
                some = missing[start : start + PIECE]
                self._encode(self._archive.papers(some))
                yield min(start + PIECE, len(missing)), len(missing)
            if missing:
                self._join(wanted)
                self._map(wanted)

    def drop(self) -> None:
        """Remove all vectors of this encoder."""
        for path in self._paths():
            with suppress(OSError):
                path.unlink()
        self._files, self._place, self.slot, self._own = [], [], {}, None

    def nearest(
        self, query: NDArray[np.float32], limit: int, among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The papers whose own vectors are nearest.

        Args:
            query: (width,).
            limit: how many at most.
            among: (papers,), which slots to look at; None for all.

        Returns:
            Their slots and cosines, the nearest first.
        """
        import numpy as np

        if among is None and len(self) >= LARGE and (found := self._by_graph(query, limit)) is not None:
            return found
        scores = self.scores(query)
        if among is not None:
            scores = np.where(among, scores, -np.inf).astype(np.float32)
        limit = min(limit, len(scores))
        if limit < 1:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        best = np.argpartition(-scores, limit - 1)[:limit]
        best = best[np.argsort(-scores[best], kind="stable")]
        best = best[np.isfinite(scores[best])]
        return best, scores[best]

    def scores(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of every paper's own vector, by slot: all are compared."""
        import numpy as np

        if self._own is not None:
            return self._own @ query
        out = np.empty(len(self), dtype=np.float32)
        for start in range(0, len(self), BLOCK):
            end = min(start + BLOCK, len(self))
            out[start:end] = self.own(np.arange(start, end)) @ query
        return out

    def own(self, slots: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The papers' own vectors: (n, width) float32."""
        import numpy as np

        if self._own is not None:
            picked: NDArray[np.float32] = self._own[np.asarray(slots, dtype=np.int64)]
            return picked
        out = np.empty((len(slots), self.encoder.width), dtype=np.float32)
        for at, slot in enumerate(slots):
            file, row = self._place[slot]
            out[at] = self._files[file].papers[row]
        return out

    def rows(self, slots: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The vectors of all texts of some papers.

        Returns:
            (rows, width) float32, and where each paper's begin, (n + 1,); a paper's first is its title.
        """
        import numpy as np

        parts, starts = [], [0]
        for slot in slots:
            file, row = self._place[slot]
            held = self._files[file]
            part = held.rows[held.starts[row] : held.starts[row + 1]]
            parts.append(part)
            starts.append(starts[-1] + len(part))
        rows = np.empty((starts[-1], self.encoder.width), dtype=np.float32)
        for part, first, last in zip(parts, starts, starts[1:], strict=False):
            rows[first:last] = part
        return rows, np.array(starts, dtype=np.int64)

    def lengths(
        self, slots: Sequence[int], rows: NDArray[np.float32], starts: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """``ranking.sentence_lengths`` of papers; each is worked out once and remembered.

        Args:
            slots: of the papers.
            rows: their vectors, as ``rows`` gave them.
            starts: where each paper's begin.
        """
        import numpy as np

        from presscheck.archive.ranking import sentence_lengths

        at = np.asarray(slots, dtype=np.int64)
        held = self._lengths
        if held is None or len(held) != len(self):
            held = self._lengths = np.full(len(self), np.nan, dtype=np.float32)
        for place in np.flatnonzero(np.isnan(held[at])):
            first, last = starts[place], starts[place + 1]
            held[at[place]] = sentence_lengths(rows[first:last], np.array([0, last - first]))[0]
        found: NDArray[np.float32] = held[at]
        return found

    def _encode(self, papers: Sequence[Paper]) -> None:
        """Encode a piece and write its file."""
        import numpy as np

        texts = [texts_of(paper) for paper in papers]
        rows = self.encoder.passages([text for some in texts for text in some])
        ends = np.cumsum([len(some) for some in texts])
        parts = np.split(rows, ends[:-1])
        own = np.stack([own_vector(part) for part in parts])
        told = [(p.id, hash_of(p), len(some)) for p, some in zip(papers, texts, strict=True)]
        self._write(told, own, rows)

    def _write(
        self, told: list[tuple[str, str, int]], own: NDArray[np.floating], rows: NDArray[np.floating]
    ) -> None:
        name = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
        write_vectors(self.folder / f"{len(told):06d}-{name}.vectors", self.model, told, own, rows)

    def _join(self, wanted: dict[str, str]) -> None:
        """Make one file of many small ones, without the rows that are not used any more."""
        import numpy as np

        while True:
            self._map(wanted)
            small = [number for number, held in enumerate(self._files) if len(held.papers) < JOINED]
            if len(small) <= MOST_SMALL:
                return
            # The smallest first, as many as one file takes.
            small.sort(key=lambda number: len(self._files[number].papers))
            room, chosen = JOINED, []
            for number in small:
                if (size := len(self._files[number].papers)) > room:
                    break
                room -= size
                chosen.append(number)
            if len(chosen) < 2:
                return
            slots = [slot for slot, (file, _) in enumerate(self._place) if file in set(chosen)]
            told, own, rows = [], [], []
            for slot in slots:
                file, row = self._place[slot]
                held = self._files[file]
                told.append(held.header.papers[row])
                own.append(held.papers[row])
                rows.append(held.rows[held.starts[row] : held.starts[row + 1]])
            old = [self._files[number].path for number in chosen]
            if told:
                self._write(told, np.stack(own), np.concatenate(rows))
            for path in old:
                with suppress(OSError):
                    path.unlink()

    def _map(self, wanted: dict[str, str]) -> None:
        """Open all files, and find where each paper that is wanted stands."""
        import numpy as np

        known = {held.path: held for held in self._files}
        self._files, self._place, self.slot = [], [], {}
        for path in self._paths():
            if path in known:
                self._files.append(known[path])
                continue
            try:
                held = open_vectors(path, self.model)
                if held.header.width != self.encoder.width:
                    raise BadInput(f"{path} has vectors of {held.header.width}, not {self.encoder.width}")
            except BadInput as error:
                self.broken.append(error.message)
                with suppress(OSError):
                    path.unlink()
                continue
            self._files.append(held)
        for number, held in enumerate(self._files):
            for row, (paper, text, _) in enumerate(held.header.papers):
                if wanted.get(paper) == text and paper not in self.slot:
                    self.slot[paper] = len(self._place)
                    self._place.append((number, row))
        self._own = self._lengths = None
        if len(self._place) <= IN_MEMORY:
            whole = np.empty((len(self._place), self.encoder.width), dtype=np.float32)
            at = np.array(self._place, dtype=np.int64).reshape(-1, 2)
            for number, held in enumerate(self._files):
                mine = at[:, 0] == number
                whole[mine] = held.papers[at[mine, 1]]
            self._own = whole
        self._graph = None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.vectors"))

    def _by_graph(
        self, query: NDArray[np.float32], limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The nearest by usearch's HNSW, kept beside the vectors; None where usearch is not installed."""
        import numpy as np

        try:
            from presscheck.archive.graph import Graph
        except ImportError:
            return None
        if self._graph is None:
            self._graph = Graph(self)
        found = self._graph.nearest(query, limit)  # type: ignore[attr-defined]
        return np.asarray(found[0], dtype=np.int64), np.asarray(found[1], dtype=np.float32)

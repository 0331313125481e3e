"""The nearest of a million vectors: usearch's HNSW over the papers' own vectors (extra ``large``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from usearch.index import Index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from presscheck.archive.meaning import VectorIndex

BLOCK = 10_000


class Graph:
    """A graph over the vectors of an index, built in memory; the exact vectors stay in their files.

    Args:
        index: whose papers are to be found.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._graph = Index(ndim=index.encoder.width, metric="ip", dtype="f16")
        for start in range(0, len(index), BLOCK):
            slots = np.arange(start, min(start + BLOCK, len(index)))
            self._graph.add(slots.astype(np.uint64), index.own(slots))

    def nearest(
        self, query: NDArray[np.float32], limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Slots and cosines of the nearest, the nearest first; a few in a hundred may be missed."""
        found = self._graph.search(query, limit)
        return found.keys.astype(np.int64), 1.0 - found.distances.astype(np.float32)

"""How the parts of a score are added up, and the projection of a query's vector: fitted, not guessed.

The numbers are in ``ranking.npz`` of the package, one set an encoder, made by
``scripts/train_search.py`` on half of the Korean digests. The projection is a matrix near to the identity
that turns the vector of a query towards the vectors of the abstracts that answer it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SATURATION = 10.0
"""The bm25 score that counts half: from there on more words say less."""


class Ranking(NamedTuple):
    """Weights of the parts of a score.

    A part of words is s / (s + SATURATION) of its bm25 score s, so that all parts are at most 1.
    """

    title: float = 0.5
    mean: float = 1.0
    best: float = 1.0
    own: float = 0.3
    english: float = 0.3
    projection: NDArray[np.float32] | None = None
    """(width, width), or None for the vector as it is."""

    def turned(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vector of a query as it is compared with abstracts, of length 1."""
        import numpy as np

        if self.projection is None:
            return query
        turned: NDArray[np.float32] = query @ self.projection
        return (turned / max(float(np.linalg.norm(turned)), 1e-9)).astype(np.float32)

    def words(self, own: float, english: float) -> float:
        """The score by words alone."""
        return self.own * own / (own + SATURATION) + self.english * english / (english + SATURATION)

    def scores(
        self,
        query: NDArray[np.float32],
        rows: NDArray[np.float32],
        starts: NDArray[np.int64],
        own: NDArray[np.float32],
        english: NDArray[np.float32],
        lengths: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The scores of candidates.

        Args:
            query: (width,), as the encoder gave it.
            rows: (rows, width), the candidates' texts, each candidate's title first.
            starts: (n + 1,), where each candidate's rows begin.
            own: (n,), bm25 scores of the query's own words.
            english: (n,), bm25 scores of English words for its Korean ones.
            lengths: (n,), as of `sentence_lengths`, where they are known.

        Returns:
            (n,) float32.
        """
        import numpy as np

        if len(own) == 0:
            return np.zeros(0, dtype=np.float32)
        parts = vector_parts(np.stack([query, self.turned(query)]), rows, starts, lengths)
        total = self.title * parts[0] + self.mean * parts[1] + self.best * parts[2]
        total += self.own * own / (own + SATURATION) + self.english * english / (english + SATURATION)
        return np.asarray(total, dtype=np.float32)


def vector_parts(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The three cosines of each candidate: of its title, of the mean of its sentences, of its best text.

    Args:
        queries: (2, width): the vector for titles, and the one for abstracts.
        rows: (rows, width), title first for each candidate.
        starts: (n + 1,).
        lengths: (n,), as of `sentence_lengths`, where they are known.
    """
    import numpy as np

    plain, turned = (rows @ queries.T).T
    heads, counts = starts[:-1], np.diff(starts)
    title = plain[heads]
    best = np.maximum.reduceat(turned, heads)
    if lengths is None:
        lengths = sentence_lengths(rows, starts)
    dots = np.add.reduceat(turned, heads) - turned[heads]
    # A paper without an abstract is its title.
    mean = np.where(counts > 1, dots / np.maximum(lengths, 1e-9), turned[heads])
    return title, mean.astype(np.float32), best


def sentence_lengths(rows: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """How long the sum of each candidate's sentence vectors is, its title left out: (n,) float32.

    It does not depend on a query, and adding the rows up is most of the work of a score.
    """
    import numpy as np

    heads = starts[:-1]
    sums = np.add.reduceat(rows, heads, axis=0) - rows[heads]
    return np.asarray(np.linalg.norm(sums, axis=1), dtype=np.float32)


@lru_cache(maxsize=4)
def shipped(encoder: str) -> Ranking:
    """The ranking that comes with the package for an encoder; plain weights where none was fitted."""
    file = resources.files("presscheck.archive") / "ranking.npz"
    if not file.is_file():
        return Ranking()
    import numpy as np

    with file.open("rb") as data, np.load(data, allow_pickle=False) as held:
        if f"{encoder}.weights" not in held:
            return Ranking()
        title, mean, best, own, english = (float(value) for value in held[f"{encoder}.weights"])
        projection = None
        if f"{encoder}.projection" in held:
            projection = held[f"{encoder}.projection"].astype(np.float32)
    return Ranking(title, mean, best, own, english, projection)

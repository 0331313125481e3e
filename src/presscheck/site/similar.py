"""Papers that share their telling words: cosine over the rarest tokens of each, exact, for all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from presscheck.site.facts import PaperFacts

MOST = 5
TELLING = 24
"""Tokens of a paper that are compared, those with the greatest weight."""
LEAST = 0.12
"""Papers less alike are not called similar."""


def similar(papers: Sequence[PaperFacts]) -> list[list[int]]:
    """For each paper the places of the most similar others, nearest first.

    A token's weight is its weight in the paper times log2(N / papers that have it); the
    logarithm is rounded, so that a new day does not turn old lists over.

    Args:
        papers: Each once.

    Returns:
        One list a paper, ``MOST`` long at most.
    """
    import numpy as np

    document_count: dict[str, int] = {}
    for paper in papers:
        for token in paper.tokens:
            document_count[token] = document_count.get(token, 0) + 1
    total = 2.0 ** math.ceil(math.log2(max(2, len(papers))))
    rarity = {
        token: round(math.log2(total / n)) for token, n in document_count.items() if n > 1 and n * 8 < total
    }
    vectors = []
    for paper in papers:
        weighed = sorted(
            ((weight * rarity[token], token) for token, weight in paper.tokens.items() if token in rarity),
            reverse=True,
        )[:TELLING]
        norm = math.sqrt(sum(weight * weight for weight, _ in weighed)) or 1.0
        vectors.append([(token, weight / norm) for weight, token in weighed])
    posted: dict[str, tuple[list[int], list[float]]] = {}
    for at, vector in enumerate(vectors):
        for token, weight in vector:
            where, weights = posted.setdefault(token, ([], []))
            where.append(at)
            weights.append(weight)
    lists = {
        token: (np.asarray(where), np.asarray(weights))
        for token, (where, weights) in posted.items()
        if len(where) > 1
    }
    found = []
    for at, vector in enumerate(vectors):
        score = np.zeros(len(papers))
        for token, weight in vector:
            if token in lists:
                there, share = lists[token]
                score[there] += weight * share
        score[at] = 0.0
        near = np.flatnonzero(score >= LEAST)
        best = near[np.lexsort((near, -score[near].round(6)))][:MOST]
        found.append([int(one) for one in best])
    return found

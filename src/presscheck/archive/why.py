"""Why a paper was found: the sentence that speaks for it, and the words that it shares with the query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from presscheck.papers.sentences import sentence_texts
from presscheck.types import Paper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 6
"""Words that are named."""


def snippet_of(
    paper: Paper, terms: Sequence[str], english: Sequence[str], cosines: NDArray[np.float32] | None
) -> tuple[str, str]:
    """The sentence and the reason to show with a paper.

    Args:
        paper: that was found.
        terms: words of the query.
        english: English words for its Korean ones.
        cosines: of the title and of each sentence, title first; None where only words were looked at.

    Returns:
        The sentence (the title's, where the paper has no abstract), and the reason.
    """
    texts = [paper.title, *sentence_texts(paper)]
    shared = [shared_words(text, [*terms, *english]) for text in texts]
    near = [0.0] * len(texts)
    if cosines is not None and len(cosines) == len(texts):
        near = [float(cosine) for cosine in cosines]
    # The title is shown anyway, so a sentence of the abstract says more.
    body = range(1, len(texts)) if len(texts) > 1 else range(1)
    best = max(body, key=lambda at: (near[at] + 0.05 * min(len(shared[at]), 4), -at))
    words = list(dict.fromkeys(word for found in (shared[best], shared[0], *shared) for word in found))
    reasons = []
    if words:
        reasons.append(f"words {', '.join(words[:MOST])}")
    if cosines is not None and len(cosines) == len(texts):
        nearest = max(range(len(texts)), key=near.__getitem__)
        place = "title" if nearest == 0 else f"sentence {nearest}"
        reasons.append(f"meaning {near[nearest]:.2f} ({place})")
    return texts[best], " · ".join(reasons)


def shared_words(text: str, terms: Sequence[str]) -> list[str]:
    """The words or phrases that stand in a text, without case and without endings of English ones."""
    lower = f" {' '.join(_TOKEN.findall(text.lower()))}"
    found = []
    for term in terms:
        stem = _stem(term)
        if stem and f" {stem}" in lower:
            found.append(term)
    return found


_TOKEN = re.compile(r"[^\W_]+")


@lru_cache(maxsize=4096)
def _stem(term: str) -> str:
    """The words of a term without the ending of the last, where enough is left to know it by."""
    word = " ".join(_TOKEN.findall(term.lower()))
    if word.isascii():
        for ending in ("ing", "ed", "es", "s", "e"):
            if word.endswith(ending) and len(word) - len(ending) >= 4:
                return word[: -len(ending)]
    return word

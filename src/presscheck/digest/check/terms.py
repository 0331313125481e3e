"""Which Korean words go with which English ones: a word table for short statements.

Sentence vectors tell two sentences of one abstract apart badly when both are about
the same thing; the words they share do better. Across languages words are not
shared, so a table says how likely an English word is rendered with a Korean pair of
syllables. It was learned with IBM model 1 (Brown et al., 1993) by
``scripts/train_evidence.py`` and holds single word stems and syllable pairs only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from importlib import resources

FULL = 1 / 3
"""A pairing this likely counts as a full match: most words have several renderings."""
LONGEST = 4000
"""Characters of a text that are read, as many as the sentence encoder reads."""

_STOP = frozenset(
    "the a an of and to in for on with that is are we our this by as from which it its be can or at their "
    "these such using via into both while than between has have not also through more most show shows".split()
)
_SUFFIXES = ("ations", "ation", "ingly", "ings", "ing", "ies", "ed", "es", "s", "ly", "e")
_WORD = re.compile(r"[가-힣]+|[A-Za-z]+|[0-9]+(?:\.[0-9]+)?")
_PARTICLE = re.compile(
    r"(?:으로써|으로서|에서는|에서의|으로의|에서|으로|에게|까지|부터|처럼|보다|들의|들을|들이|들은|이라는|라는"
    r"|하는|하여|하고|하며|했으며|한다|합니다|했습니다|됩니다|되는|되어|된|함|됨|할|한|하기"
    r"|은|는|이|가|을|를|의|에|와|과|도|로|들)$"
)


def _stem(word: str) -> str:
    """The first letters of a lower-case English word, without its ending."""
    if len(word) > 4:
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 4:
                word = word[: -len(suffix)]
                break
    return word[:7]


def terms(text: str) -> list[str]:
    """The terms of a text, in order: English stems, numbers, pairs of Korean syllables."""
    found: list[str] = []
    for word in _WORD.findall(text[:LONGEST]):
        if "가" <= word[0] <= "힣":
            body = (_PARTICLE.sub("", word) if len(word) > 2 else word) or word
            found += [body] if len(body) <= 2 else [body[i : i + 2] for i in range(len(body) - 1)]
        elif (lower := word.lower()) not in _STOP:
            found.append(_stem(lower) if lower[0].isalpha() else lower)
    return found


class TermTable:
    """How likely an English term is rendered with a Korean one, and how telling each term is."""

    def __init__(self, renders: dict[str, list[tuple[str, float]]], weight: dict[str, float]) -> None:
        self.renders = renders
        """Korean term → English terms with how likely they are rendered so, likeliest first."""
        self.weight = weight
        """Term of a statement → log of how rare it is; an unknown Korean one says nothing."""
        self.rarest = max(weight.values(), default=1.0)

    def covered(self, statement: Iterable[str], source: Collection[str]) -> float:
        """Share of a statement's terms that a source renders, rare terms counting more; 0 to 1."""
        total = matched = 0.0
        for term in set(statement):
            weight = self.weight.get(term, self.rarest if term.isascii() else 0.0)
            if not weight:
                continue
            total += weight
            if term in source:
                matched += weight
            else:
                likely = (p for english, p in self.renders.get(term, ()) if english in source)
                matched += weight * min(1.0, next(likely, 0.0) / FULL)
        return matched / total if total else 0.0

    def used(self, source: Collection[str], statement: Iterable[str]) -> float:
        """Share of a source's terms that a statement renders; 0 to 1."""
        best: dict[str, float] = {}
        for term in set(statement):
            best[term] = FULL
            for english, p in self.renders.get(term, ()):
                if p > best.get(english, 0.0):
                    best[english] = p
        return sum(min(1.0, best.get(term, 0.0) / FULL) for term in source) / max(1, len(source))


@lru_cache(maxsize=1)
def table() -> TermTable:
    """The table that comes with the package."""
    import numpy as np

    file = resources.files("presscheck.digest.check") / "terms.npz"
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as data:
        english, korean = str(data["english"]).split(), str(data["korean"]).split()
        rows, columns = data["row"].tolist(), data["column"].tolist()
        likely, weight = data["likely"].astype(float).tolist(), data["weight"].astype(float).tolist()
    renders: dict[str, list[tuple[str, float]]] = {}
    for row, column, p in zip(rows, columns, likely, strict=True):
        renders.setdefault(korean[column], []).append((english[row], p))
    return TermTable(renders, dict(zip(korean, weight, strict=True)))

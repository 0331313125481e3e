"""The server's search: words always, and meaning where the archive has vectors."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from presscheck.site.facts import PaperFacts
from presscheck.site.names import slug_of
from presscheck.site.tokens import tokens

LONGEST = 10_000
"""Characters of a query that are read."""
MOST_TOKENS = 64


class Asked(NamedTuple):
    """A query with its filters."""

    query: str
    since: str = ""
    field: str = ""
    claims: bool = False
    limit: int = 20


class Words:
    """The papers of a site by their words, in memory; the same tokens as the site's own index.

    Args:
        dated: Every paper once with its day, newest first.
        claimed: Slugs of the systems that can be run.
    """

    def __init__(self, dated: Sequence[tuple[str, PaperFacts]], claimed: frozenset[str]) -> None:
        from presscheck.site.index import korean_terms

        self._dated, self._claimed = dated, claimed
        self._posted: dict[str, list[tuple[int, int]]] = {}
        for at, (_, paper) in enumerate(dated):
            for token, weight in paper.tokens.items():
                self._posted.setdefault(token, []).append((at, weight))
        self._terms = korean_terms()
        self._at = {paper.id: at for at, (_, paper) in enumerate(dated)}

    def search(self, asked: Asked) -> list[dict[str, Any]]:
        """The papers that have the words of the query, best first."""
        text = asked.query[:LONGEST]
        wanted = list(dict.fromkeys(tokens(text)))[:MOST_TOKENS]
        spaceless = "".join(text.split())
        for term, forms in self._terms.items():
            if term in spaceless:
                wanted += [token for form in forms for token in form.split() if token not in wanted]
        total: dict[int, float] = {}
        for token in wanted[: 2 * MOST_TOKENS]:
            found = self._posted.get(token, ())
            rare = math.log(1 + (len(self._dated) - len(found) + 0.5) / (len(found) + 0.5))
            for at, weight in found:
                total[at] = total.get(at, 0.0) + rare * math.sqrt(weight)
        kept = ((score, -at) for at, score in total.items() if self.passes(at, asked))
        return [self.row(-at, score) for score, at in heapq.nlargest(asked.limit, kept)]

    def passes(self, at: int, asked: Asked) -> bool:
        """Whether a paper is let through by the filters."""
        date, paper = self._dated[at]
        return (
            (not asked.since or date >= asked.since)
            and (not asked.field or any(field.slug == asked.field for field in paper.fields))
            and (not asked.claims or paper.system in self._claimed)
        )

    def place(self, id_: str) -> int | None:
        """Where a paper stands; None for one that is in no edition."""
        return self._at.get(id_)

    def row(self, at: int, score: float) -> dict[str, Any]:
        """A paper as the answer has it."""
        date, paper = self._dated[at]
        return {
            "id": paper.id,
            "slug": slug_of(paper.id),
            "title": paper.title,
            "date": date,
            "lead": paper.lead,
            "votes": paper.votes,
            "system": paper.system,
            "score": round(score, 4),
        }

"""The server's search: words always, and meaning where the archive has vectors."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.site.facts import PaperFacts
from presscheck.site.names import slug_of
from presscheck.site.tokens import tokens

if TYPE_CHECKING:
    from presscheck.archive.search import Hit, Searcher

FLAT = 20
"""Added to a rank before its reciprocal counts: how little the first places differ."""
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

    def field(self, slug: str) -> str:
        """The English name of a field; empty for one that no entry names."""
        fields = (field for _, paper in self._dated for field in paper.fields if field.slug == slug)
        return next((field.en for field in fields), "")


class Meaning:
    """The archive's search. Its indexes are made in the background; until then there is none.

    Args:
        searcher: Of an archive that has papers.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self.ready = threading.Event()
        self.broken = ""
        threading.Thread(target=self._update, name="archive index", daemon=True).start()

    @classmethod
    def of(cls, library: Library, claims: Collection[str]) -> Self | None:
        """The search of the library's archive; None where that is empty or cannot be read."""
        from presscheck.archive.search import Searcher
        from presscheck.archive.store import Archive

        try:
            archive = Archive(library)
            return cls(Searcher(archive, claims=claims)) if len(archive) else None
        except BadInput:
            return None

    def _update(self) -> None:
        try:
            self._searcher.update()
        except BadInput as error:
            self.broken = error.message
        else:
            self.ready.set()

    def search(self, asked: Asked, words: Words) -> list[dict[str, Any]] | None:
        """What is found by words and meaning, best first; None if the index is not ready."""
        if not self.ready.is_set():
            return None
        field = words.field(asked.field) if asked.field else None
        if field == "":
            return []
        try:
            hits = self._searcher.search(
                asked.query,
                limit=asked.limit,
                field=field,
                since=asked.since or None,
                has_claims=asked.claims,
            )
        except BadInput:
            return []  # no word in it, or a field that only this site's entries name
        return [self._row(hit, words) for hit in hits]

    def similar(self, id_: str, limit: int, words: Words) -> list[dict[str, Any]] | None:
        """The papers nearest in meaning; None if the index is not ready or has no such paper."""
        if not self.ready.is_set():
            return None
        try:
            return [self._row(hit, words) for hit in self._searcher.similar(id_, limit)]
        except BadInput:
            return None

    @staticmethod
    def _row(hit: Hit, words: Words) -> dict[str, Any]:
        at, paper = words.place(hit.paper.id), hit.paper
        row = (
            words.row(at, hit.score)
            if at is not None
            else {
                "id": paper.id, "slug": "", "title": paper.title, "date": paper.date, "lead": {},
                "votes": paper.votes, "system": paper.system, "score": round(hit.score, 4),
            }
        )  # fmt: skip
        return row | {"url": paper.url, "snippet": hit.snippet, "why": hit.why}


def fused(
    first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]], limit: int
) -> list[dict[str, Any]]:
    """Two answers as one, by the reciprocal of their ranks; what the first says of a paper is kept."""
    score: dict[str, float] = {}
    rows: dict[str, dict[str, Any]] = {}
    for answer in (first, second):
        for rank, row in enumerate(answer):
            score[row["id"]] = score.get(row["id"], 0.0) + 1 / (FLAT + rank)
            rows.setdefault(row["id"], row)
    return [rows[id_] for id_ in sorted(score, key=lambda id_: -score[id_])][:limit]

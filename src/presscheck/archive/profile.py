"""What of a paper can be named beside what I have read: its terms, its authors, its fields.

Terms are columns of tf-idf, each with a weight of its own. Authors and fields are one
number each, counted against my papers; for a paper that is itself one of mine over the
others ("leave one out"), else a paper would be evidence for itself and the model would
learn that only copies are good.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from presscheck.digest.fields import fields
from presscheck.types import Paper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMES = ("authors", "fields")

_WORD = re.compile(r"[^\W\d_][\w-]*[^\W_]")
_READ = 20_000
_STOP = frozenset(
    (
        "about above achieve achieves across after against all also although among an and another any "
        "approach approaches are as at based be because been before being best better between both but by "
        "can compared could demonstrate demonstrates despite different do does due during each effective "
        "effectively effectiveness enable enables enabling existing experiments extensive first for "
        "framework from further furthermore has have here how however if improve improves in including into "
        "introduce is it its large leading led many may method methods model models more moreover most "
        "much must new no not novel of on only or other our out over paper performance present problem "
        "propose proposed provide recent remains results show shows significant significantly six so some "
        "state-of-the-art still study substantially such task tasks than that the their them then there "
        "these they this those three through thus to training two under unlike up us use used uses using "
        "various very via was we well were what when where whether which while who whose will with within "
        "without work works would yet"
    ).split()
)


class Terms:
    """The terms (words and pairs of words) of a collection, as columns of tf-idf.

    Args:
        papers: the collection. A term counts if two of its papers use it, or one of ``mine``.
        mine: ids of the papers of which every term counts.
    """

    def __init__(self, papers: Sequence[Paper], mine: Collection[str]) -> None:
        self._papers = len(papers)
        used: Counter[str] = Counter()
        kept: set[str] = set()
        for paper in papers:
            terms = set(terms_of(paper))
            used.update(terms)
            if paper.id in mine:
                kept |= terms
        # In the order of the collection, so that the same papers give the same columns.
        self.column = {term: n for n, term in enumerate(t for t, c in used.items() if c > 1 or t in kept)}
        self._idf = [math.log((self._papers + 1) / (used[term] + 1)) + 1 for term in self.column]

    def tf_idf(self, paper: Paper) -> dict[str, float]:
        """Term → weight, of length 1: (1 + log count) * (1 + log((N + 1) / (n + 1)))."""
        raw = {
            term: (1 + math.log(n)) * self._idf[self.column[term]]
            for term, n in terms_of(paper).items()
            if term in self.column
        }
        length = math.sqrt(sum(value * value for value in raw.values())) or 1.0
        return {term: value / length for term, value in raw.items()}


def terms_of(paper: Paper) -> Counter[str]:
    """How often each word and each pair of neighbours stands in title and abstract."""
    counts: Counter[str] = Counter()
    for text in (paper.title, paper.abstract):
        words = [match[0].lower() for match in _WORD.finditer(text[:_READ])]
        words = [word for word in words if len(word) > 1 and word not in _STOP]
        counts.update(words)
        counts.update(f"{one} {two}" for one, two in itertools.pairwise(words))
    return counts


class Profile:
    """The authors and fields of my papers, ready to be held against others.

    Args:
        mine: my papers.
        weights: (n,), how much each of mine counts.
    """

    def __init__(self, mine: Sequence[Paper], weights: Sequence[float]) -> None:
        self._weight = {paper.id: weight for paper, weight in zip(mine, weights, strict=True)}
        self._author_count: Counter[str] = Counter()
        self._field_sum: defaultdict[str, float] = defaultdict(float)
        for paper in mine:
            self._author_count.update(_author_names(paper))
            for field in field_names(paper):
                self._field_sum[field] += self._weight[paper.id]

    def features(self, papers: Sequence[Paper]) -> NDArray[np.float64]:
        """The named features, in the order of ``NAMES``.

        Args:
            papers: any; those that are mine are counted without themselves.

        Returns:
            (n, 2): log(1 + how often its authors are authors of mine); the largest weighted
            share of mine that one of its fields has.
        """
        import numpy as np

        table = np.zeros((len(papers), len(NAMES)))
        for row, paper in enumerate(papers):
            table[row, 0] = math.log1p(sum(self.authors(paper).values()))
            table[row, 1] = max(self.fields(paper).values(), default=0.0)
        return table

    def authors(self, paper: Paper) -> dict[str, int]:
        """Author → of how many papers of mine, beside this one."""
        own = paper.id in self._weight
        counts = {name: self._author_count[name] - own for name in _author_names(paper)}
        return {name: n for name, n in counts.items() if n > 0}

    def fields(self, paper: Paper) -> dict[str, float]:
        """Field → weighted share of my papers that have it, beside this one."""
        own = self._weight.get(paper.id, 0.0)
        total = sum(self._weight.values()) - own
        if total <= 1e-12:
            return {}
        shares = {name: (self._field_sum[name] - own) / total for name in field_names(paper)}
        return {name: share for name, share in shares.items() if share > 1e-12}


def _author_names(paper: Paper) -> set[str]:
    """Names of persons; of a list of thousands no single name says what a paper is about."""
    if len(paper.authors) > 100:
        return set()
    return {author.name for author in paper.authors if not author.group}


def field_names(paper: Paper) -> list[str]:
    """The fields of a paper by their English names."""
    return [statement.text for statement in fields(paper, "en")]

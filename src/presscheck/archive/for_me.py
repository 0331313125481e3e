"""A day's papers in the order in which one reader will want them, and why.

The model is a logistic regression that tells my papers from a sample of the
archive, on a paper's terms (tf-idf, as arxiv-sanity's linear SVM has them), its
sentence vector (centred on the archive), and two named features: authors and fields
(``profile``). My newer papers weigh more, and a star counts double. Nothing of it is stored: it is fitted
anew from the marks in a second, so that a mark taken away is gone.
Measured in ``benchmarks/for_me.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from presscheck.archive.logistic import Logistic, Rows, fit
from presscheck.archive.profile import NAMES, Profile, Terms
from presscheck.archive.reading import Mark
from presscheck.papers.days import parse_time
from presscheck.types import Paper, Struct

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

HALF_LIFE = 180.0
"""Days after which a mark counts half as much as the newest one."""
FLOOR = 0.1
"""What an old mark counts at least."""
STAR = 2.0
C = 1.0
TERMS, VECTOR, NAMED = 4.0, 1.0, 0.3
"""What each kind of feature is multiplied by, since one regularisation serves them all."""
SAMPLE = 2000
"""Papers of the archive that mine are told from."""


class Taste(NamedTuple):
    """A fitted model with what it was made from."""

    mine: tuple[Mark, ...]
    rows: Rows
    """What the model read: first my papers, then the others."""
    reader: _Reader
    model: Logistic
    others: int
    """Papers of the archive that mine were told from."""


class _Reader(NamedTuple):
    """Turns papers into what the model reads."""

    terms: Terms
    profile: Profile
    mean: NDArray[np.float32]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def rows(self, papers: Sequence[Paper], vectors: NDArray[np.float32]) -> Rows:
        """The dense columns are the vector's, then the named features'; the sparse ones are the terms'."""
        import numpy as np

        named = (self.profile.features(papers) - self.centre) / self.spread
        dense = np.column_stack([VECTOR * (vectors - self.mean).astype(np.float64), NAMED * named])
        row: list[int] = []
        column: list[int] = []
        value: list[float] = []
        for n, paper in enumerate(papers):
            for term, weight in self.terms.tf_idf(paper).items():
                row.append(n)
                column.append(self.terms.column[term])
                value.append(TERMS * weight)
        return Rows(
            dense,
            np.array(row, np.int64),
            np.array(column, np.int64),
            np.array(value),
            len(self.terms.column),
        )


class Pull(Struct, frozen=True, kw_only=True):
    """One thing that moved a paper, in logits."""

    what: str
    logit: float
    id: str = ""
    """The paper's id, where it is one of mine."""


class Ranked(Struct, frozen=True, kw_only=True):
    """A paper with its place in my order."""

    paper: Paper
    logit: float
    mark: str = ""
    """``read`` or ``starred`` where I know it already."""

    @property
    def score(self) -> float:
        """0 to 1: how much it is like mine rather than like the archive. An order, no probability."""
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, self.logit))))


class Reasons(Struct, frozen=True, kw_only=True):
    """Why a paper stands where it does.

    ``words``, ``meaning``, ``named`` and ``base`` sum to the logit. ``mine`` and ``archive``
    are another reading of the first two: they sum to the same as words and meaning.
    """

    mine: tuple[Pull, ...]
    """My papers by what they pull, strongest first."""
    archive: float
    """What the papers of the archive take away or add."""
    words: tuple[Pull, ...]
    """Words and pairs of words of the paper, strongest first."""
    meaning: float
    """The sentence vector's part."""
    authors: tuple[str, ...]
    """Its authors who wrote papers of mine."""
    fields: tuple[str, ...]
    """Its fields that papers of mine have."""
    named: tuple[Pull, ...]
    """The two named features."""
    base: float
    """The model's intercept."""


def weights_of(marks: Sequence[Mark]) -> list[float]:
    """How much each mark counts: newest 1, half after ``HALF_LIFE`` days, a star double."""
    times = [parse_time(mark.at) for mark in marks]
    newest = max((time for time in times if time), default=None)
    return [_age(time, newest) * (STAR if mark.state == "starred" else 1.0)
            for mark, time in zip(marks, times, strict=True)]  # fmt: skip


def _age(time: datetime | None, newest: datetime | None) -> float:
    """The share that is left of a mark's weight; one whose time is not known counts as old."""
    if time is None or newest is None:
        return FLOOR
    days = (newest - time).total_seconds() / 86400
    return float(max(FLOOR, 0.5 ** (days / HALF_LIFE)))


def learn(
    marks: Sequence[Mark],
    vectors: NDArray[np.float32],
    others: Sequence[Paper],
    other_vectors: NDArray[np.float32],
) -> Taste:
    """Fit the model that tells my papers from others.

    Args:
        marks: mine, each with its paper's text.
        vectors: (n, D), theirs, each of length 1.
        others: a sample of the archive without mine.
        other_vectors: (m, D), theirs.

    Raises:
        ValueError: if either is empty.
    """
    import numpy as np

    if not marks or not others:
        raise ValueError(
            f"got {len(marks)} marks and {len(others)} others: need both to tell one from the other"
        )
    mine = [mark.paper for mark in marks]
    counts = np.array(weights_of(marks))
    profile = Profile(mine, list(counts))
    every = [*mine, *others]
    named = profile.features(every)
    centre, spread = named.mean(axis=0), named.std(axis=0)
    spread[spread < 1e-9] = 1.0
    terms = Terms(every, {paper.id for paper in mine})
    reader = _Reader(terms, profile, other_vectors.mean(axis=0), centre, spread)
    rows = reader.rows(every, np.vstack([vectors, other_vectors]))
    y = np.arange(len(every)) < len(mine)
    # Both kinds weigh as much in sum, and together as much as there are papers of mine (at least ten).
    total = max(float(counts.sum()), 10.0)
    by_row = np.concatenate([counts * total / counts.sum(), np.full(len(others), total / len(others))])
    return Taste(tuple(marks), rows, reader, fit(rows, y, by_row, C), len(others))


def rank(taste: Taste, papers: Sequence[Paper], vectors: NDArray[np.float32]) -> list[Ranked]:
    """Papers in my order; those that score alike stay in the order of the list.

    Args:
        taste: from ``learn``.
        papers: of the day.
        vectors: (n, D), theirs.
    """
    if not papers:
        return []
    logits = taste.reader.rows(papers, vectors).dot(taste.model.weights) + taste.model.intercept
    known = {mark.paper.id: mark.state for mark in taste.mine}
    ranked = [
        Ranked(paper=paper, logit=float(logit), mark=known.get(paper.id, ""))
        for paper, logit in zip(papers, logits, strict=True)
    ]
    return sorted(ranked, key=lambda one: -one.logit)


def explain(taste: Taste, paper: Paper, vector: NDArray[np.float32]) -> Reasons:
    """What moved one paper: two exact readings of the same logit.

    By feature: vector, terms, named features and the base sum to it. By paper: the weights
    are a sum over the rows that were learnt from (``Logistic.shares``), so the part of the
    terms and the vector splits into one summand for each of my papers and one for the archive.

    Args:
        taste: from ``learn``.
        paper: any paper.
        vector: (D,), its own.
    """
    import numpy as np

    x = taste.reader.rows([paper], vector[None])
    wide = len(vector)
    weights = taste.model.weights
    dense = x.dense[0] * weights[: x.dense.shape[1]]
    by_term = x.value * weights[x.dense.shape[1] :][x.column]
    # The rows' products with this paper, over vector and terms but not the named features.
    spread_out = np.concatenate([x.dense[0, :wide], np.zeros(len(NAMES)), np.zeros(x.width)])
    spread_out[x.dense.shape[1] :][x.column] = x.value
    by_row = taste.model.shares * taste.rows.dot(spread_out)
    mine = (
        Pull(what=mark.paper.title, id=mark.paper.id, logit=float(part))
        for mark, part in zip(taste.mine, by_row, strict=False)
    )
    names = list(taste.reader.terms.tf_idf(paper))
    shares = taste.reader.profile.fields(paper)
    return Reasons(
        mine=tuple(sorted(mine, key=lambda pull: -pull.logit)),
        archive=float(by_row[len(taste.mine) :].sum()),
        words=_sorted_pulls(dict(zip(names, by_term.tolist(), strict=True))),
        meaning=float(dense[:wide].sum()),
        authors=tuple(taste.reader.profile.authors(paper)),
        fields=tuple(sorted(shares, key=lambda name: -shares[name])),
        named=tuple(Pull(what=n, logit=float(part)) for n, part in zip(NAMES, dense[wide:], strict=True)),
        base=taste.model.intercept,
    )


def _sorted_pulls(parts: dict[str, float]) -> tuple[Pull, ...]:
    pulls = [Pull(what=what, logit=logit) for what, logit in parts.items()]
    return tuple(sorted(pulls, key=lambda pull: (-pull.logit, pull.what)))

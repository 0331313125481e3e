"""Every part of the score of every paper for every query, without the cut to candidates."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from presscheck.archive.lexicon import translations
from presscheck.archive.ranking import SATURATION
from presscheck.archive.search import Searcher

NAME = re.compile(r"^[^:：]{1,40}[:：]\s*")
"""A title's name of a system, with its colon."""


class Queries(NamedTuple):
    """Queries of one kind with the slot of the paper that each is about."""

    kind: str
    texts: list[str]
    ids: list[str]
    halves: np.ndarray
    """0: tuned on; 1: reported on."""


def half(paper: str) -> int:
    """Which half a paper is in, by its id alone."""
    return int(hashlib.sha256(paper.encode()).hexdigest(), 16) % 2


def read_digests(path: Path) -> list[dict[str, Any]]:
    """The Korean digests."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def queries_of(digests: list[dict[str, Any]]) -> list[Queries]:
    """Titles, titles without the system's name (of those that have one), and sentences of purpose."""
    kinds: dict[str, list[tuple[str, str]]] = {"title": [], "title without name": [], "purpose": []}
    for one in digests:
        title, purpose = one["title_ko"] or "", one["purpose_ko"] or ""
        if title.strip():
            kinds["title"].append((title, one["id"]))
        bare = NAME.sub("", title)
        if bare != title and re.search("[가-힣]", bare):
            kinds["title without name"].append((bare, one["id"]))
        if purpose.strip():
            kinds["purpose"].append((purpose, one["id"]))
    return [
        Queries(
            kind,
            [text for text, _ in some],
            [one for _, one in some],
            np.array([half(one) for _, one in some]),
        )
        for kind, some in kinds.items()
    ]


class Parts(NamedTuple):
    """Scores, each (queries, papers)."""

    title: np.ndarray
    mean: np.ndarray
    best: np.ndarray
    plain: np.ndarray
    """The cosine with the paper's own vector, which is all that a plain encoder gives."""
    own: np.ndarray
    english: np.ndarray
    right: np.ndarray
    """(queries,): the column of the right paper."""


def parts_of(searcher: Searcher, queries: Queries, projection: np.ndarray | None = None) -> Parts:
    """All parts for all queries of a kind; a projection turns the vectors that meet abstracts."""
    index = searcher.meaning
    ids = list(index.slot)
    column = {one: number for number, one in enumerate(ids)}
    numbers = {n: column[facts.id] for n, facts in searcher.words.facts().items() if facts.id in column}
    count, total = len(queries.texts), len(ids)
    out = {name: np.zeros((count, total), dtype=np.float32) for name in ("title", "mean", "best", "plain")}
    vectors = index.encoder.queries(queries.texts)
    turned = vectors if projection is None else vectors @ projection
    turned = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    for start in range(0, total, 1000):
        rows, starts = index.rows(range(start, min(start + 1000, total)))
        heads, counts = starts[:-1], np.diff(starts)
        cosines = turned @ rows.T
        end = start + len(heads)
        out["title"][:, start:end] = vectors @ rows[heads].T
        out["best"][:, start:end] = np.maximum.reduceat(cosines, heads, axis=1)
        sums = np.add.reduceat(rows, heads, axis=0) - rows[heads]
        lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
        dots = np.add.reduceat(cosines, heads, axis=1) - cosines[:, heads]
        out["mean"][:, start:end] = np.where(counts > 1, dots / lengths, cosines[:, heads])
        out["plain"][:, start:end] = vectors @ index.own(np.arange(start, end)).T
    words = []
    for look_up in (searcher.words.terms, translations):
        table = np.zeros((count, total), dtype=np.float32)
        for row, text in enumerate(queries.texts):
            for n, score in searcher.words.search(look_up(text), 2000):
                if n in numbers:
                    table[row, numbers[n]] = score / (score + SATURATION)
        words.append(table)
    right = np.array([column[one] for one in queries.ids])
    return Parts(**out, own=words[0], english=words[1], right=right)


def ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The place of the right paper, from 1; papers of the same score count as before it, half of them."""
    at = np.arange(len(right))
    mine = scores[at, right][:, None]
    return (scores > mine).sum(axis=1) + (((scores == mine).sum(axis=1) - 1) // 2) + 1


def measures(places: np.ndarray) -> dict[str, float]:
    """Recall@1 and @10, MRR and nDCG@10 of one right paper a query."""
    gain = np.where(places <= 10, 1 / np.log2(places + 1), 0.0)
    return {
        "recall@1": float((places <= 1).mean()),
        "recall@10": float((places <= 10).mean()),
        "MRR": float((1 / places).mean()),
        "nDCG@10": float(gain.mean()),
    }


def interval(places: np.ndarray, measure: str, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a measure over queries, by bootstrap."""
    rng = np.random.default_rng(0)
    drawn = [measures(places[rng.integers(0, len(places), len(places))])[measure] for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)

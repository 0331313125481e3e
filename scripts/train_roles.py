"""Learn what a sentence of an abstract is for, and report how well.

    python scripts/train_roles.py --data FOLDER [--out src/presscheck/digest/roles.npz]
                                  [--report benchmarks/roles.md]

FOLDER holds CSAbstruct's ``train.jsonl.gz`` and ``dev.jsonl.gz`` (objects with
``sentences``, ``labels`` and ``confs``). The strength of the penalties is chosen
on a fifth of train; the weights are then learnt on all of train, and dev is
looked at once, for the report. Same data, same weights: nothing is drawn at
random, the split goes by a hash of the abstract.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from presscheck.digest.vectors import encode, use_threads
from presscheck.papers.whole import write_whole

use_threads(1)  # the sums, and so the weights, are then the same on every machine with the same library

import numpy as np  # noqa: E402

from presscheck.digest.roles import BUCKETS, ROLES, features, in_context  # noqa: E402

R = len(ROLES)
GRID = [(words, vectors) for words in (0.3, 1.0) for vectors in (3.0, 6.0)]
"""Penalties on the squared weights of words and of vectors."""
CHAIN = 0.1
"""Penalty on the squared weights of the chain; there are 35 of them, and 9,000 sentences."""

CUES = {
    "objective": r"\b(aims?|goal|purpose|objective|in this (paper|work|study|article)|"
    r"we (propose|present|introduce)|this (paper|work|study|article))\b",
    "result": r"\b(results?|show(s|ed|n)?|demonstrat\w+|outperform\w*|achiev\w+|improv\w+|found|find|"
    r"accuracy|significant\w*|conclu\w+|experiments?)\b|\d%",
    "method": r"\b(we|our|method|approach|algorithm|use[sd]?|using|based on|model|framework|train\w*|"
    r"evaluat\w+)\b",
    "other": r"©|copyright|all rights reserved|https?:|elsevier|ieee\b.*\d{4}",
}
"""The baseline of cue words alone: the first in this order that occurs, else background."""
CUE_ORDER = ("other", "objective", "result", "method")


class Abstract(NamedTuple):
    """One abstract: sentences, roles as numbers, agreement of the annotators, vectors."""

    sentences: list[str]
    roles: list[int]
    agreement: list[float]
    vectors: np.ndarray


class Batch:
    """Many abstracts side by side; A abstracts, T sentences of the longest, N sentences in all."""

    def __init__(self, abstracts: list[Abstract]) -> None:
        self.lengths = np.array([len(a.sentences) for a in abstracts])
        self.mask = np.arange(self.lengths.max())[None] < self.lengths[:, None]  # (A, T)
        rows = [row for a in abstracts for row in features(a.sentences)]
        self.row = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        self.bucket = np.concatenate(rows)
        self.value = np.concatenate([np.full(len(row), len(row) ** -0.5) for row in rows])
        self.dense = np.vstack([in_context(a.vectors) for a in abstracts]).astype(np.float64)  # (N, 4 W)
        self.gold = np.array([role for a in abstracts for role in a.roles])
        self.agreement = np.array([share for a in abstracts for share in a.agreement])
        self.last = self.lengths.cumsum() - 1

    def fill(self, rows: np.ndarray) -> np.ndarray:
        """(N, R) → (A, T, R), zero beyond the end."""
        out = np.zeros((*self.mask.shape, R))
        out[self.mask] = rows
        return out


class Weights(NamedTuple):
    """The parameters; also used for their gradient."""

    words: np.ndarray
    vectors: np.ndarray
    follows: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def flat(self) -> np.ndarray:
        """All parameters in one row."""
        return np.concatenate([part.ravel() for part in self])

    def like(self, flat: np.ndarray) -> Weights:
        """One row cut into parameters of these shapes."""
        cuts = np.cumsum([part.size for part in self])[:-1]
        pieces = zip(np.split(flat, cuts), self, strict=True)
        return Weights(*(piece.reshape(part.shape) for piece, part in pieces))


def zero(width: int) -> Weights:
    return Weights(*(np.zeros(shape) for shape in ((BUCKETS, R), (width, R), (R, R), (R,), (R,))))


def log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    top = values.max(axis, keepdims=True)
    return (top + np.log(np.exp(values - top).sum(axis, keepdims=True))).squeeze(axis)


def scores(batch: Batch, w: Weights) -> np.ndarray:
    """(N, R)."""
    count = len(batch.gold)
    weighted = w.words[batch.bucket] * batch.value[:, None]
    columns = [np.bincount(batch.row, weights=weighted[:, k], minlength=count) for k in range(R)]
    return np.stack(columns, 1) + batch.dense @ w.vectors


def chain(batch: Batch, w: Weights, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Marginals (N, R), expected pairs (R, R) and the log of the partition function, summed."""
    score = batch.fill(rows)
    forward, backward = np.zeros_like(score), np.zeros_like(score)
    forward[:, 0] = score[:, 0] + w.first
    for t in range(1, score.shape[1]):
        step = log_sum(forward[:, t - 1, :, None] + w.follows, 1) + score[:, t]
        forward[:, t] = np.where(batch.mask[:, t, None], step, forward[:, t - 1])
    total = log_sum(forward[:, -1] + w.last, 1)
    backward[:, -1] = w.last
    pairs = np.zeros((R, R))
    for t in range(score.shape[1] - 2, -1, -1):
        ahead = score[:, t + 1] + backward[:, t + 1]
        inside = batch.mask[:, t + 1]
        step = log_sum(w.follows + ahead[:, None, :], 2)
        backward[:, t] = np.where(inside[:, None], step, backward[:, t + 1])
        here = np.exp(forward[:, t, :, None] + w.follows + ahead[:, None, :] - total[:, None, None])
        pairs += here[inside].sum(0)
    return np.exp(forward + backward - total[:, None, None])[batch.mask], pairs, float(total.sum())


def loss(batch: Batch, w: Weights, penalty: Weights) -> tuple[float, Weights]:
    """Penalised negative log likelihood and its gradient."""
    rows = scores(batch, w)
    marginal, pairs, total = chain(batch, w, rows)
    one = np.eye(R)[batch.gold]
    first, last = one[batch.last - batch.lengths + 1].sum(0), one[batch.last].sum(0)
    inner = np.ones(len(one), dtype=bool)
    inner[batch.last] = False
    seen = one[inner].T @ one[np.flatnonzero(inner) + 1]
    gold = (rows * one).sum() + first @ w.first + last @ w.last + (seen * w.follows).sum()
    error = marginal - one
    weighted = error[batch.row] * batch.value[:, None]
    columns = [np.bincount(batch.bucket, weights=weighted[:, k], minlength=BUCKETS) for k in range(R)]
    likelihood = Weights(
        words=np.stack(columns, 1),
        vectors=batch.dense.T @ error,
        follows=pairs - seen,
        first=marginal[batch.last - batch.lengths + 1].sum(0) - first,
        last=marginal[batch.last].sum(0) - last,
    )
    gradient = Weights(*(g + p * part for g, p, part in zip(likelihood, penalty, w, strict=True)))
    squares = sum(float((p * part**2).sum()) / 2 for p, part in zip(penalty, w, strict=True))
    return total - gold + squares, gradient


def minimise(
    f: Callable[[np.ndarray], tuple[float, np.ndarray]], x: np.ndarray, steps: int = 100, memory: int = 10
) -> np.ndarray:
    """Limited-memory BFGS with backtracking (Nocedal and Wright, algorithms 7.4 and 3.1)."""
    value, gradient = f(x)
    past: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(steps):
        direction = gradient.copy()
        shares = []
        for s, y in reversed(past):
            share = (s @ direction) / (y @ s)
            shares.append(share)
            direction -= share * y
        if past:
            direction *= (past[-1][0] @ past[-1][1]) / (past[-1][1] @ past[-1][1])
        else:
            direction /= np.linalg.norm(gradient)
        for (s, y), share in zip(past, reversed(shares), strict=True):
            direction += s * (share - (y @ direction) / (y @ s))
        length, slope = 1.0, gradient @ direction
        while True:
            after = x - length * direction
            new_value, new_gradient = f(after)
            if new_value <= value - 1e-4 * length * slope or length < 1e-6:
                break
            length /= 2
        s, y = after - x, new_gradient - gradient
        if s @ y > 1e-10:
            past = [*past, (s, y)][-memory:]
        gain = value - new_value
        x, value, gradient = after, new_value, new_gradient
        if gain < 1e-5 * abs(value):
            break
    return x


def learn(abstracts: list[Abstract], words: float, vectors: float) -> Weights:
    batch = Batch(abstracts)
    start = zero(batch.dense.shape[1])
    penalty = Weights(*(np.float64(p) for p in (words, vectors, CHAIN, CHAIN, CHAIN)))

    def f(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = loss(batch, start.like(flat), penalty)
        return value, gradient.flat()

    return start.like(minimise(f, start.flat()))


def log_marginals(batch: Batch, w: Weights) -> np.ndarray:
    return np.log(chain(batch, w, scores(batch, w))[0] + 1e-12)


def lean_for(batch: Batch, logs: np.ndarray) -> np.ndarray:
    """What to add to the log probabilities for the best accuracy plus macro-F1, one role at a time."""
    lean = np.zeros(R)

    def value(tried: np.ndarray) -> float:
        accuracy, macro, _ = measures(confusion(batch.gold, (logs + tried).argmax(1)))
        return float(accuracy + macro)

    for _ in range(2):
        for k in range(R):
            options = [lean + np.eye(R)[k] * (step - lean[k]) for step in np.arange(-5, 11) / 10]
            lean = max([lean, *options], key=value)
    return lean


def confusion(gold: np.ndarray, said: np.ndarray) -> np.ndarray:
    """(R, R): row, the role by the annotators; column, the role said."""
    table = np.zeros((R, R), dtype=int)
    np.add.at(table, (gold, said), 1)
    return table


def measures(table: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Accuracy, macro-F1, and (R, 3): precision, recall, F1 of each role."""
    hit = np.diag(table)
    precision, recall = hit / np.maximum(table.sum(0), 1), hit / np.maximum(table.sum(1), 1)
    f1 = 2 * hit / np.maximum(table.sum(0) + table.sum(1), 1)
    return hit.sum() / table.sum(), f1.mean(), np.stack([precision, recall, f1], 1)


def by_cue(sentence: str) -> int:
    text = sentence.lower()
    return ROLES.index(next((role for role in CUE_ORDER if re.search(CUES[role], text)), "background"))


def read(path: Path) -> list[Abstract]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    vectors = encode([sentence for row in rows for sentence in row["sentences"]])
    out, start = [], 0
    for row in rows:
        end = start + len(row["sentences"])
        roles = [ROLES.index(label) for label in row["labels"]]
        out.append(Abstract(row["sentences"], roles, row["confs"], vectors[start:end]))
        start = end
    return out


def report(
    dev: Batch, texts: list[str], said: np.ndarray, majority: int, tried: list[str], chosen: str, size: int
) -> str:
    table = confusion(dev.gold, said)
    rows = {
        f"always `{ROLES[majority]}` (majority of train)": confusion(dev.gold, np.full(len(texts), majority)),
        "cue words alone": confusion(dev.gold, np.array([by_cue(text) for text in texts])),
        "ours": table,
    }
    lines = [
        "# What a sentence of an abstract is for",
        "",
        "Made by `python scripts/train_roles.py --data FOLDER`; do not edit. CSAbstruct (Apache-2.0), dev",
        f"split: {len(dev.lengths)} abstracts, {len(texts)} sentences, used for this report only. "
        f"The weights are {size / 1000:.0f} kB.",
        "",
        "| on dev | accuracy | macro-F1 |",
        "| --- | --- | --- |",
    ]
    for name, counts in rows.items():
        accuracy, macro, _ = measures(counts)
        lines.append(f"| {name} | {accuracy:.3f} | {macro:.3f} |")
    lines += ["", "| role | precision | recall | F1 | sentences |", "| --- | --- | --- | --- | --- |"]
    for role, (precision, recall, f1), count in zip(ROLES, measures(table)[2], table.sum(1), strict=True):
        lines.append(f"| {role} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {count} |")
    lines += ["", "Rows: by the annotators. Columns: said.", ""]
    lines += ["| | " + " | ".join(ROLES) + " |", "| --- " * (R + 1) + "|"]
    for role, row in zip(ROLES, table, strict=True):
        lines.append(f"| {role} | " + " | ".join(map(str, row)) + " |")
    lines += [
        "",
        "The annotators often disagree: each label comes with the share of (trust-weighted) votes that it",
        f"got, {dev.agreement.mean():.2f} in the mean. Accuracy by that share:",
        "",
        "| share of the votes | sentences | accuracy |",
        "| --- | --- | --- |",
    ]
    for low, high in ((0.0, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
        some = (dev.agreement >= low) & (dev.agreement < high)
        if some.any():
            bounds = f"{low:.2f} to {min(high, 1.0):.2f}"
            lines.append(f"| {bounds} | {some.sum()} | {(said == dev.gold)[some].mean():.3f} |")
    lines += ["", f"Chosen on a fifth of train ({chosen}):", ""]
    lines += ["| penalty of words | of vectors | accuracy | macro-F1 |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *tried]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("src/presscheck/digest/roles.npz"))
    parser.add_argument("--report", type=Path, default=Path("benchmarks/roles.md"))
    options = parser.parse_args()
    start = time.perf_counter()
    train = read(options.data / "train.jsonl.gz")
    held = [zlib.crc32(" ".join(a.sentences).encode()) % 5 == 0 for a in train]
    part = [a for a, out in zip(train, held, strict=True) if not out]
    check = Batch([a for a, out in zip(train, held, strict=True) if out])
    tried: list[str] = []
    best, best_lean = (-1.0, GRID[0]), np.zeros(R)
    for penalties in GRID:
        logs = log_marginals(check, learn(part, *penalties))
        lean = lean_for(check, logs)
        accuracy, macro, _ = measures(confusion(check.gold, (logs + lean).argmax(1)))
        tried.append(f"| {penalties[0]} | {penalties[1]} | {accuracy:.3f} | {macro:.3f} |")
        print(tried[-1], f"{time.perf_counter() - start:.0f} s", flush=True)
        if accuracy + macro > best[0]:
            best, best_lean = (accuracy + macro, penalties), lean
    learnt = learn(train, *best[1])
    stored = Weights(*(part.astype(np.float16) for part in learnt))
    file = io.BytesIO()
    np.savez_compressed(file, **stored._asdict(), lean=best_lean.astype(np.float16))
    write_whole(options.out, file.getvalue())

    abstracts = read(options.data / "dev.jsonl.gz")
    dev = Batch(abstracts)
    logs = log_marginals(dev, Weights(*(part.astype(np.float64) for part in stored)))
    said = (logs + best_lean.astype(np.float16)).argmax(1)
    majority = int(np.bincount([role for a in train for role in a.roles]).argmax())
    texts = [sentence for a in abstracts for sentence in a.sentences]
    leans = ", ".join(f"{role} {add:+.1f}" for role, add in zip(ROLES, best_lean, strict=True))
    chosen = f"words {best[1][0]}, vectors {best[1][1]}; added to the log probabilities: {leans}"
    text = report(dev, texts, said, majority, tried, chosen, len(file.getvalue()))
    write_whole(options.report, text.encode())
    print(text)


if __name__ == "__main__":
    main()

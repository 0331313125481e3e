"""A sum of trees over a finite domain: f(x) = log of the start + sum_t value_t(leaf of x).

Reference: Bravo, arXiv 2410.03535, section 4. Differences: none in the function; see `kernels` for how it is
evaluated.
Shapes: N rows, C chains, D columns, S values of all columns, T trees, L leaves.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from . import kernels
from .grow import Growth

GIBBS_DRAWS = 4_000_000  # uniforms held at once, 32 MB


def start_marginals(
    codes: NDArray[np.int16], sizes: NDArray[np.int64], mixture: float
) -> list[NDArray[np.float64]]:
    """Each column's marginal mixed with its own uniform: (1 - c) m_d + c / K_d (section 4).

    Mixing the joint product with a joint uniform would instead tie the columns to each other.
    Cells of code -1 are not counted.
    """
    out = []
    for d, size in enumerate(sizes):
        column = codes[:, d]
        counts = np.bincount(column[column >= 0], minlength=int(size)).astype(np.float64)
        out.append((1 - mixture) * counts / counts.sum() + mixture / size)
    return out


class Ensemble:
    """Trees over one domain and a product of marginals to start from.

    Args:
        marginals: D arrays (K_d,), each summing to 1.
        ordered: (D,).
        max_leaves: the most leaves a tree may have.
        capacity: trees that room is made for at first.
    """

    def __init__(
        self,
        marginals: list[NDArray[np.float64]],
        ordered: NDArray[np.bool_],
        max_leaves: int,
        capacity: int = 16,
    ) -> None:
        self.marginals, self.ordered = marginals, np.asarray(ordered, dtype=np.bool_)
        self.sizes = np.array([len(m) for m in marginals], dtype=np.int64)
        self.offset = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        self.base = np.concatenate(marginals)
        self.words = (max_leaves + 63) // 64
        self.trees: list[tuple[Growth, NDArray[np.float64]]] = []
        self.masks: NDArray[np.uint64]
        self.full: NDArray[np.uint64]
        self.low: NDArray[np.int16]
        self.high: NDArray[np.int16]
        self.values: NDArray[np.float64]
        self.factor: NDArray[np.float64]
        self.inverse: NDArray[np.float64]
        self._room(capacity)

    def _room(self, capacity: int) -> None:
        S, D, W = int(self.offset[-1]), len(self.sizes), self.words
        old = len(self.trees)
        masks, full = np.zeros((S, capacity * W), np.uint64), np.zeros(capacity * W, np.uint64)
        slots = capacity * W * 64
        low, high = np.zeros((D, slots), np.int16), np.zeros((D, slots), np.int16)
        values, factor, inverse = np.zeros(slots), np.ones(slots), np.ones(slots)
        if old:
            masks[:, : old * W], full[: old * W] = self.masks[:, : old * W], self.full[: old * W]
            used = old * W * 64
            low[:, :used], high[:, :used] = self.low[:, :used], self.high[:, :used]
            values[:used], factor[:used] = self.values[:used], self.factor[:used]
            inverse[:used] = self.inverse[:used]
        self.masks, self.full, self.low, self.high = masks, full, low, high
        self.values, self.factor, self.inverse = values, factor, inverse
        self.capacity = capacity

    def __len__(self) -> int:
        return len(self.trees)

    def add(self, growth: Growth, values: NDArray[np.float64]) -> None:
        """Append a tree with leaf values (L,).

        Raises:
            ValueError: if it has more leaves than the ensemble was made for.
        """
        if len(values) > self.words * 64:
            raise ValueError(f"a tree of {len(values)} leaves does not fit {self.words * 64} slots")
        t = len(self.trees)
        if t == self.capacity:
            self._room(2 * self.capacity)
        kernels.write_masks(
            growth.box, self.offset, self.ordered, self.masks, self.low, self.high, self.full, t, self.words
        )
        slots = slice(t * self.words * 64, t * self.words * 64 + len(values))
        self.values[slots] = values
        with np.errstate(over="ignore"):  # a sampler that meets an infinite factor goes on in logarithms
            self.factor[slots], self.inverse[slots] = np.exp(values), np.exp(-values)
        self.trees.append((growth, values))

    def sample_start(self, n: int, rng: np.random.Generator) -> NDArray[np.int16]:
        """Exact samples (n, D) of the product of marginals."""
        columns = [
            np.minimum(np.searchsorted(np.cumsum(m), rng.random(n), side="right"), len(m) - 1)
            for m in self.marginals
        ]
        return np.stack(columns, axis=1).astype(np.int16)

    def start_energies(self, codes: NDArray[np.int16]) -> NDArray[np.float64]:
        """(N,) log density of the start."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.base)
        return logs[self.offset[:-1] + codes].sum(axis=1)

    def tree_energies(
        self, codes: NDArray[np.int16], first: int = 0, last: int | None = None
    ) -> NDArray[np.float64]:
        """(N,) sum of the leaf values of trees first..last-1."""
        out = np.zeros(len(codes))
        last = len(self) if last is None else last
        if last > first:
            codes = np.ascontiguousarray(codes)
            kernels.add_energies(
                codes, self.offset, self.masks, self.full, self.values, self.words, first, last, out
            )
        return out

    def energies(self, codes: NDArray[np.int16], rounds: int | None = None) -> NDArray[np.float64]:
        """(N,) f(x), the log density up to one constant."""
        return self.start_energies(codes) + self.tree_energies(codes, 0, rounds)

    def tree_slices(
        self, codes: NDArray[np.int16], column: int, first: int = 0, last: int | None = None
    ) -> NDArray[np.float64]:
        """(N, K) what trees first..last-1 add to each value of one column."""
        out = np.zeros((len(codes), int(self.sizes[column])))
        last = len(self) if last is None else last
        if last > first:
            codes = np.ascontiguousarray(codes)
            kernels.add_slices(
                codes, column, self.offset, self.ordered, self.masks, self.full, self.low, self.high,
                self.values, self.words, first, last, out,
            )  # fmt: skip
        return out

    def log_conditional(
        self, codes: NDArray[np.int16], column: int, rounds: int | None = None
    ) -> NDArray[np.float64]:
        """(N, K) log q(x_column = v | the other columns); the column's own codes are not read."""
        with np.errstate(divide="ignore"):
            logits = self.tree_slices(codes, column, 0, rounds) + np.log(self.marginals[column])
        return log_normalise(logits)

    def gibbs(
        self,
        state: NDArray[np.int16],
        sweeps: int,
        rng: np.random.Generator,
        *,
        keep: int = 1,
        fixed: NDArray[np.bool_] | None = None,
        rounds: int | None = None,
        threads: int = 1,
    ) -> NDArray[np.int16]:
        """Run C chains from state (C, D), which is left as it was.

        Args:
            state: (C, D) codes to start from.
            sweeps: times that every column is drawn anew.
            rng: source of the uniforms; results do not depend on threads.
            keep: how many last sweeps are returned.
            fixed: (C, D) coordinates that keep their value.
            rounds: how many trees count; all if None.
            threads: chains run side by side.

        Returns:
            (C, keep, D).
        """
        C, D = state.shape
        trees = len(self) if rounds is None else rounds
        state = np.ascontiguousarray(state, dtype=np.int16).copy()
        held = np.zeros((C, D), np.uint8) if fixed is None else fixed.astype(np.uint8)
        kept = np.empty((C, keep, D), np.int16)

        def run(part: slice, uniforms: NDArray[np.float64]) -> None:
            kernels.gibbs(
                state[part], held[part], uniforms, self.offset, self.ordered, self.base, self.masks,
                self.full, self.low, self.high, self.factor, self.inverse, self.values, self.words, trees,
                kept[part],
            )  # fmt: skip

        at_once = max(threads, GIBBS_DRAWS // max(1, sweeps * D))
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, C, at_once):
                last = min(C, first + at_once)
                uniforms = rng.random((last - first, sweeps, D))
                bounds = np.linspace(first, last, min(threads, last - first) + 1).astype(int)
                parts = [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
                jobs = [pool.submit(run, p, uniforms[p.start - first : p.stop - first]) for p in parts]
                for job in jobs:
                    job.result()
        return kept


def log_normalise(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits (N, K) less their log sum of exponentials over K."""
    top = logits.max(axis=1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))

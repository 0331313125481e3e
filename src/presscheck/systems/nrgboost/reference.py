"""What the compiled kernels compute, said plainly in numpy by walking trees; tests hold the two together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .grow import Growth


def leaf_of(growth: Growth, x: NDArray[np.int16]) -> int:
    """The leaf that one row (D,) of codes falls into, from the root down."""
    node = 0
    while growth.feature[node] >= 0:
        code = x[growth.feature[node]]
        if growth.left_set[node].any():
            left = bool(growth.left_set[node, code])
        else:
            left = bool(code < growth.threshold[node])
        node = growth.child[node] + (0 if left else 1)
    return int(growth.leaf[node])


def energy(trees: list[tuple[Growth, NDArray[np.float64]]], x: NDArray[np.int16]) -> float:
    """Sum over trees of the value of the leaf that x falls into."""
    return float(sum(values[leaf_of(growth, x)] for growth, values in trees))


def energy_slice(
    trees: list[tuple[Growth, NDArray[np.float64]]], x: NDArray[np.int16], column: int, size: int
) -> NDArray[np.float64]:
    """(K,) energies of x with each value of one column in turn."""
    out = np.empty(size)
    for v in range(size):
        changed = x.copy()
        changed[column] = v
        out[v] = energy(trees, changed)
    return out


def gibbs(
    trees: list[tuple[Growth, NDArray[np.float64]]],
    marginals: list[NDArray[np.float64]],
    state: NDArray[np.int16],
    uniforms: NDArray[np.float64],
) -> NDArray[np.int16]:
    """States (sweeps, D) of one chain from state (D,), each draw by inverting the conditional."""
    x = state.copy()
    out = []
    for sweep in uniforms:
        for d, marginal in enumerate(marginals):
            logits = np.log(marginal) + energy_slice(trees, x, d, len(marginal))
            mass = np.cumsum(np.exp(logits - logits.max()))
            x[d] = min(int(np.searchsorted(mass, sweep[d] * mass[-1], side="right")), len(marginal) - 1)
        out.append(x.copy())
    return np.array(out)


def best_ordered_split(p: NDArray[np.float64], q: NDArray[np.float64], max_ratio: float) -> tuple[float, int]:
    """(gain, threshold) of the best legal split of one ordered column with masses p, q (K,) in a leaf."""
    best = (0.0, 0)
    for t in range(1, len(p)):
        P, Q = np.array([p[:t].sum(), p[t:].sum()]), np.array([q[:t].sum(), q[t:].sum()])
        if (Q > 0).all() and (max_ratio * Q >= P).all():
            gain = float((P**2 / Q).sum() - p.sum() ** 2 / q.sum())
            if gain > best[0]:
                best = (gain, t)
    return best


def best_subset_split(p: NDArray[np.float64], q: NDArray[np.float64], max_ratio: float) -> float:
    """Gain of the best legal split of one unordered column, over all 2^(K-1) - 1 subsets."""
    best, K = 0.0, len(p)
    for subset in range(1, 2 ** (K - 1)):
        left = np.array([(subset >> v) & 1 for v in range(K)], dtype=bool)
        P, Q = np.array([p[left].sum(), p[~left].sum()]), np.array([q[left].sum(), q[~left].sum()])
        if (Q > 0).all() and (max_ratio * Q >= P).all():
            best = max(best, float((P**2 / Q).sum() - p.sum() ** 2 / q.sum()))
    return best

"""One tree of a boosting round: histograms, split finding and best-first growth, compiled.

Reference: Bravo, arXiv 2410.03535, section 4 and appendix on tree fitting. Of data P and model Q a leaf keeps
the masses P_j and Q_j; a split gains P_L^2/Q_L + P_R^2/Q_R - P^2/Q (or the same with P log(P/Q) for density
trees). Differences: the child with fewer rows is counted and its sibling found by subtraction.
Shapes: N data rows, M pool rows, D columns, S values of all columns together, L leaves, V = 2 L - 1 nodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

CHI_SQUARE, KL = 0, 1
NO_GAIN = 1e-12


class Growth(NamedTuple):
    """A grown tree and where the rows went.

    Node n is a leaf if feature[n] < 0; else rows with code < threshold[n] (ordered), or with
    left_set[n, code] set (unordered), go to child[n], the others to child[n] + 1.
    """

    feature: NDArray[np.int16]  # (V,)
    threshold: NDArray[np.int16]  # (V,)
    child: NDArray[np.int32]  # (V,)
    leaf: NDArray[np.int32]  # (V,) number of the leaf, -1 inside
    left_set: NDArray[np.uint8]  # (V, largest unordered K)
    box: NDArray[np.uint8]  # (L, S) which values of each column reach the leaf
    data_mass: NDArray[np.float64]  # (L,) P_j
    model_mass: NDArray[np.float64]  # (L,) Q_j
    data_leaf: NDArray[np.int32]  # (N,)
    pool_leaf: NDArray[np.int32]  # (M,) empty when Q is a product


@njit(cache=True, nogil=True)
def _score(p: float, q: float, objective: int) -> float:
    if p <= 0.0:
        return 0.0
    if objective == 0:
        return p * p / q
    return p * np.log(p / q)


@njit(cache=True, nogil=True)
def _count(rows, codes, weights, offset, hist):  # type: ignore[no-untyped-def]
    D = codes.shape[1]
    if weights.shape[0] == 0:
        for r in rows:
            for d in range(D):
                hist[offset[d] + codes[r, d]] += 1.0
    else:
        for r in rows:
            w = weights[r]
            for d in range(D):
                hist[offset[d] + codes[r, d]] += w


# Loops instead of array expressions: they run alike and compile several times faster.
@njit(cache=True, nogil=True)
def _copy(target, source):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        target[i] = source[i]


@njit(cache=True, nogil=True)
def _take_off(target, other):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        target[i] -= other[i]


@njit(cache=True, nogil=True)
def _clear(target):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        target[i] = 0


@njit(cache=True, nogil=True)
def _total(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    return total


@njit(cache=True, nogil=True)
def _product_hist(box, marginal, offset, hist):  # type: ignore[no-untyped-def]
    """Mass of each value inside the box under a product of marginals."""
    D = offset.shape[0] - 1
    mass = 1.0
    for d in range(D):
        inside = 0.0
        for s in range(offset[d], offset[d + 1]):
            if box[s]:
                inside += marginal[s]
        mass *= inside
        for s in range(offset[d], offset[d + 1]):
            hist[s] = marginal[s] / inside if box[s] else 0.0
    for s in range(offset[D]):
        hist[s] *= mass
    return mass


@njit(cache=True, nogil=True)
def best_split(hist_p, hist_q, P, Q, n_p, n_q, offset, ordered, objective, max_ratio, min_data, left_set):  # type: ignore[no-untyped-def]
    """The best legal split of one leaf: (gain, column, threshold); left_set is filled if it is unordered.

    P and Q are shares; n_p and n_q turn the histograms into shares.
    """
    D = offset.shape[0] - 1
    parent = _score(P, Q, objective)
    best_gain, best_d, best_t = NO_GAIN, -1, 0
    for d in range(D):
        start, K = offset[d], offset[d + 1] - offset[d]
        if K < 2:
            continue
        if ordered[d]:
            p = q = 0.0
            for v in range(K - 1):
                p += hist_p[start + v]
                q += hist_q[start + v]
                pl, ql = p / n_p, q / n_q
                pr, qr = P - pl, Q - ql
                if q <= 0.0 or qr <= 1e-15 or p < min_data or pr * n_p < min_data - 0.5:
                    continue
                if pl > max_ratio * ql or pr > max_ratio * qr:
                    continue
                gain = _score(pl, ql, objective) + _score(pr, qr, objective) - parent
                if gain > best_gain:
                    best_gain, best_d, best_t = gain, d, v + 1
        else:
            ratio = np.empty(K)
            for v in range(K):
                hp, hq = hist_p[start + v] / n_p, hist_q[start + v] / n_q
                # A value that neither side has seen gives no evidence: it ranks with the leaf's average.
                ratio[v] = hp / hq if hq > 0.0 else (np.inf if hp > 0.0 else P / Q)
            order = np.arange(K)
            for i in range(1, K):  # few values: an insertion sort compiles ten times faster than argsort
                moving, j = order[i], i
                while j > 0 and ratio[order[j - 1]] > ratio[moving]:
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = moving
            p = q = 0.0
            for i in range(K - 1):
                p += hist_p[start + order[i]]
                q += hist_q[start + order[i]]
                pl, ql = p / n_p, q / n_q
                pr, qr = P - pl, Q - ql
                if q <= 0.0 or qr <= 1e-15 or p < min_data or pr * n_p < min_data - 0.5:
                    continue
                if pl > max_ratio * ql or pr > max_ratio * qr:
                    continue
                gain = _score(pl, ql, objective) + _score(pr, qr, objective) - parent
                if gain > best_gain:
                    best_gain, best_d, best_t = gain, d, 0
                    for j in range(K):
                        left_set[j] = 0
                    for j in range(i + 1):
                        left_set[order[j]] = 1
    return best_gain, best_d, best_t


@njit(cache=True, nogil=True)
def _part(rows, codes, d, is_ordered, threshold, left_set, spare):  # type: ignore[no-untyped-def]
    """Reorder rows so that those going left come first, each side keeping its order."""
    n_left = n_right = 0
    for r in rows:
        v = codes[r, d]
        if (v < threshold) if is_ordered else (left_set[v] == 1):
            rows[n_left] = r
            n_left += 1
        else:
            spare[n_right] = r
            n_right += 1
    for i in range(n_right):
        rows[n_left + i] = spare[i]
    return n_left


@njit(cache=True, nogil=True)
def _grow(data, pool, weights, marginal, offset, ordered, widest, objective, max_leaves, max_ratio, min_data):  # type: ignore[no-untyped-def]
    N, D = data.shape
    M = pool.shape[0]
    S = offset[D]
    product = marginal.shape[0] > 0
    L, V = max_leaves, 2 * max_leaves - 1
    feature = np.full(V, -1, np.int16)
    threshold = np.zeros(V, np.int16)
    child = np.zeros(V, np.int32)
    node_leaf = np.full(V, -1, np.int32)
    left_set = np.zeros((V, widest), np.uint8)
    box = np.zeros((L, S), np.uint8)
    hist_p, hist_q = np.zeros((L, S)), np.zeros((L, S))
    P, Q, gains = np.zeros(L), np.zeros(L), np.zeros(L)
    split_d, split_t = np.full(L, -1, np.int64), np.zeros(L, np.int64)
    split_set = np.zeros((L, widest), np.uint8)
    node_of = np.zeros(L, np.int64)
    start_p, count_p = np.zeros(L, np.int64), np.zeros(L, np.int64)
    start_q, count_q = np.zeros(L, np.int64), np.zeros(L, np.int64)
    rows_p, rows_q = np.arange(N), np.arange(M)
    spare = np.empty(max(N, M), np.int64)
    no_weights = np.empty(0)

    for s in range(S):
        box[0, s] = 1
    count_p[0], count_q[0] = N, M
    _count(rows_p, data, no_weights, offset, hist_p[0])
    n_p, n_q = float(N), 1.0
    P[0] = 1.0
    if product:
        Q[0] = _product_hist(box[0], marginal, offset, hist_q[0])
    else:
        n_q = float(M) if weights.shape[0] == 0 else _total(weights)
        _count(rows_q, pool, weights, offset, hist_q[0])
        Q[0] = 1.0
    gains[0], split_d[0], split_t[0] = best_split(
        hist_p[0],
        hist_q[0],
        P[0],
        Q[0],
        n_p,
        n_q,
        offset,
        ordered,
        objective,
        max_ratio,
        min_data,
        split_set[0],
    )
    node_leaf[0] = 0
    leaves, nodes = 1, 1
    while leaves < L:
        a = 0
        for i in range(1, leaves):
            if gains[i] > gains[a]:
                a = i
        d = split_d[a]
        if gains[a] <= NO_GAIN or d < 0:
            break
        b = leaves
        t = split_t[a]
        n = node_of[a]
        feature[n], threshold[n], child[n], node_leaf[n] = d, t, nodes, -1
        if not ordered[d]:
            _copy(left_set[n], split_set[a])
        node_of[a], node_of[b] = nodes, nodes + 1
        node_leaf[nodes], node_leaf[nodes + 1] = a, b
        nodes += 2
        leaves += 1

        _copy(box[b], box[a])
        for v in range(offset[d + 1] - offset[d]):
            goes_left = (v < t) if ordered[d] else (split_set[a, v] == 1)
            if goes_left:
                box[b, offset[d] + v] = 0
            else:
                box[a, offset[d] + v] = 0
        left = _part(
            rows_p[start_p[a] : start_p[a] + count_p[a]], data, d, ordered[d], t, split_set[a], spare
        )
        start_p[b], count_p[b], count_p[a] = start_p[a] + left, count_p[a] - left, left
        if count_p[b] <= count_p[a]:
            _count(rows_p[start_p[b] : start_p[b] + count_p[b]], data, no_weights, offset, hist_p[b])
            _take_off(hist_p[a], hist_p[b])
        else:
            _copy(hist_p[b], hist_p[a])
            _clear(hist_p[a])
            _count(rows_p[start_p[a] : start_p[a] + count_p[a]], data, no_weights, offset, hist_p[a])
            _take_off(hist_p[b], hist_p[a])
        P[a], P[b] = count_p[a] / n_p, count_p[b] / n_p
        if product:
            Q[a] = _product_hist(box[a], marginal, offset, hist_q[a])
            Q[b] = _product_hist(box[b], marginal, offset, hist_q[b])
        else:
            left = _part(
                rows_q[start_q[a] : start_q[a] + count_q[a]], pool, d, ordered[d], t, split_set[a], spare
            )
            start_q[b], count_q[b], count_q[a] = start_q[a] + left, count_q[a] - left, left
            if weights.shape[0] > 0:
                # Subtracting fractions leaves crumbs that are no mass at all: count both sides.
                _clear(hist_q[a])
                _count(rows_q[start_q[a] : start_q[a] + count_q[a]], pool, weights, offset, hist_q[a])
                _count(rows_q[start_q[b] : start_q[b] + count_q[b]], pool, weights, offset, hist_q[b])
            elif count_q[a] < count_q[b]:
                _copy(hist_q[b], hist_q[a])
                _clear(hist_q[a])
                _count(rows_q[start_q[a] : start_q[a] + count_q[a]], pool, weights, offset, hist_q[a])
                _take_off(hist_q[b], hist_q[a])
            else:
                _count(rows_q[start_q[b] : start_q[b] + count_q[b]], pool, weights, offset, hist_q[b])
                _take_off(hist_q[a], hist_q[b])
            Q[a] = _total(hist_q[a, : offset[1]]) / n_q
            Q[b] = _total(hist_q[b, : offset[1]]) / n_q
        for i in (a, b):
            gains[i], split_d[i], split_t[i] = best_split(
                hist_p[i], hist_q[i], P[i], Q[i], n_p, n_q, offset, ordered, objective, max_ratio, min_data,
                split_set[i],
            )  # fmt: skip
    data_leaf, pool_leaf = np.empty(N, np.int32), np.empty(M, np.int32)
    for i in range(leaves):
        for r in rows_p[start_p[i] : start_p[i] + count_p[i]]:
            data_leaf[r] = i
        for r in rows_q[start_q[i] : start_q[i] + count_q[i]]:
            pool_leaf[r] = i
    return (
        feature[:nodes], threshold[:nodes], child[:nodes], node_leaf[:nodes], left_set[:nodes], box[:leaves],
        P[:leaves], Q[:leaves], data_leaf, pool_leaf,
    )  # fmt: skip


def grow_tree(
    data: NDArray[np.int16],
    offset: NDArray[np.int64],
    ordered: NDArray[np.bool_],
    *,
    marginal: NDArray[np.float64] | None = None,
    pool: NDArray[np.int16] | None = None,
    weights: NDArray[np.float64] | None = None,
    objective: int = CHI_SQUARE,
    max_leaves: int = 256,
    max_ratio: float = 2.0,
    min_data: int = 0,
) -> Growth:
    """Grow one tree best-first, splitting the leaf of largest gain while a legal split is left.

    Q is exactly a product if `marginal` (S,) is given; else the empirical measure of `pool` (M, D), with
    `weights` (M,) if rows do not count alike (enumerated domains). A split is legal if P/Q <= max_ratio on
    both sides, both have model mass, and both hold min_data rows.

    Args:
        data: (N, D) codes of the training rows.
        offset: (D + 1,) where each column's values begin among all S.
        ordered: (D,).
        marginal: (S,) probabilities, each column's summing to 1.
        pool: (M, D) codes of model samples.
        weights: (M,), positive.
        objective: CHI_SQUARE (P^2/Q) or KL (P log(P/Q)).
        max_leaves: at least 1.
        max_ratio: of P/Q in a leaf.
        min_data: training rows a leaf must hold.
    """
    widest = 1
    for d in range(len(ordered)):
        if not ordered[d]:
            widest = max(widest, int(offset[d + 1] - offset[d]))
    empty = np.empty(0)
    # One memory layout, so that one compilation serves all callers.
    data = np.ascontiguousarray(data)
    pool = np.empty((0, data.shape[1]), np.int16) if pool is None else np.ascontiguousarray(pool)
    return Growth(
        *_grow(
            data,
            pool,
            empty if weights is None else weights,
            empty if marginal is None else marginal,
            offset,
            ordered,
            widest,
            objective,
            int(max_leaves),
            float(max_ratio),
            float(min_data),
        )  # fmt: skip
    )

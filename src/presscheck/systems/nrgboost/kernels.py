"""Energies, slices and Gibbs chains over many trees at once, compiled.

Source: the conditional of one coordinate, softmax_v f(x_-d, v), of Bravo, arXiv 2410.03535, section 4. The
paper's code walks each tree with the interval that reaches a node. Here each tree is instead a bit set of its
leaves: for value v of column d, one mask names the leaves that x_d = v leaves possible, so the leaf of x is
the AND over columns, and the leaves of a whole slice are the AND over all columns but one. Masks of one value
lie side by side for all trees, so a slice costs a few vector ANDs and the few leaves that remain.
`reference.py` states the same by walking trees in numpy.
Shapes: N rows, C chains, D columns, S values of all columns, T trees, W words a tree, B = 64 T W leaf slots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def lowest_bit(typingctx: Any, word: Any) -> Any:
    """Index of the lowest set bit of a non-zero uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


ONE = np.uint64(1)
NONE = np.uint64(0)


@njit(cache=True, nogil=True)
def write_masks(box, offset, ordered, masks, low, high, full, tree, words):  # type: ignore[no-untyped-def]
    """Enter the L leaves of one tree: masks (S, T W), low and high (D, B), full (T W,)."""
    L, S = box.shape
    D = offset.shape[0] - 1
    for leaf in range(L):
        word = tree * words + leaf // 64
        bit = ONE << np.uint64(leaf % 64)
        slot = tree * words * 64 + leaf
        full[word] |= bit
        for s in range(S):
            if box[leaf, s]:
                masks[s, word] |= bit
        for d in range(D):
            if ordered[d]:
                a = offset[d]
                while a < offset[d + 1] - 1 and box[leaf, a] == 0:
                    a += 1
                b = a
                while b < offset[d + 1] and box[leaf, b]:
                    b += 1
                low[d, slot], high[d, slot] = a - offset[d], b - offset[d]


@njit(cache=True, nogil=True)
def add_energies(codes, offset, masks, full, values, words, first, last, out):  # type: ignore[no-untyped-def]
    """Add sum_t value_t(leaf of x) over trees first..last-1 to out (N,)."""
    N, D = codes.shape
    a, b = first * words, last * words
    reached = np.empty(b - a, np.uint64)
    for i in range(N):
        reached[:] = full[a:b]
        for d in range(D):
            row = masks[offset[d] + codes[i, d]]
            for k in range(b - a):
                reached[k] &= row[a + k]
        total = 0.0
        for k in range(b - a):
            if reached[k] != NONE:
                total += values[(a + k) * 64 + np.int64(lowest_bit(reached[k]))]
        out[i] += total


@njit(cache=True, nogil=True)
def add_slices(codes, column, offset, ordered, masks, full, low, high, values, words, first, last, out):  # type: ignore[no-untyped-def]
    """Add sum_t value_t(x with x_column = v) over trees first..last-1 to out (N, K), for every v at once.

    The column's own code is not read.
    """
    N, D = codes.shape
    a, b = first * words, last * words
    K = offset[column + 1] - offset[column]
    reached = np.empty(b - a, np.uint64)
    step = np.empty(K + 1)
    for i in range(N):
        reached[:] = full[a:b]
        for d in range(D):
            if d != column:
                row = masks[offset[d] + codes[i, d]]
                for k in range(b - a):
                    reached[k] &= row[a + k]
        if ordered[column]:
            step[:] = 0.0
            for k in range(b - a):
                left = reached[k]
                while left != NONE:
                    slot = (a + k) * 64 + np.int64(lowest_bit(left))
                    step[low[column, slot]] += values[slot]
                    step[high[column, slot]] -= values[slot]
                    left &= left - ONE
            total = 0.0
            for v in range(K):
                total += step[v]
                out[i, v] += total
        else:
            for v in range(K):
                row = masks[offset[column] + v]
                total = 0.0
                for k in range(b - a):
                    here = reached[k] & row[a + k]
                    if here != NONE:
                        total += values[(a + k) * 64 + np.int64(lowest_bit(here))]
                out[i, v] += total


@njit(cache=True, nogil=True)
def _active_trees(before, after, words, trees, active):  # type: ignore[no-untyped-def]
    """Which trees reach more than one leaf along the slice; the others shift all its values alike."""
    n = 0
    if words == 1:
        for t in range(trees):
            left = before[t] & after[t]
            if left & (left - ONE) != NONE:
                active[n] = t
                n += 1
        return n
    for t in range(trees):
        many = 0
        for k in range(t * words, (t + 1) * words):
            left = before[k] & after[k]
            if left != NONE:
                many += 1 if left & (left - ONE) == NONE else 2
        if many > 1:
            active[n] = t
            n += 1
    return n


@njit(cache=True, nogil=True)
def _first_above(mass, K, level):  # type: ignore[no-untyped-def]
    """Index of the first of K rising masses above a level, at most K - 1."""
    a, b = 0, K - 1
    while a < b:
        mid = (a + b) // 2
        if mass[mid] > level:
            b = mid
        else:
            a = mid + 1
    return a


@njit(cache=True, nogil=True)
def _draw_ordered(before, after, active, n, words, low, high, factor, inverse, values, base, u, step, mass):  # type: ignore[no-untyped-def]
    """Draw from mass_v ~ base_v exp(sum of leaf values), with factors multiplied instead of summed."""
    K = base.shape[0]
    step[: K + 1] = 1.0
    for j in range(n):
        t = active[j]
        for k in range(t * words, (t + 1) * words):
            left = before[k] & after[k]
            while left != NONE:
                slot = k * 64 + np.int64(lowest_bit(left))
                step[low[slot]] *= factor[slot]
                step[high[slot]] *= inverse[slot]
                left &= left - ONE
    run, total = 1.0, 0.0
    for v in range(K):
        run *= step[v]
        total += run * base[v]
        mass[v] = total
    if not (total > 1e-250 and total < 1e250 and run > 1e-250 and run < 1e250):
        # The products left the range of floats: once more with logarithms.
        step[: K + 1] = 0.0
        for j in range(n):
            t = active[j]
            for k in range(t * words, (t + 1) * words):
                left = before[k] & after[k]
                while left != NONE:
                    slot = k * 64 + np.int64(lowest_bit(left))
                    step[low[slot]] += values[slot]
                    step[high[slot]] -= values[slot]
                    left &= left - ONE
        run, top = 0.0, -np.inf
        for v in range(K):
            run += step[v]
            mass[v] = run + np.log(base[v]) if base[v] > 0.0 else -np.inf
            top = max(top, mass[v])
        total = 0.0
        for v in range(K):
            total += np.exp(mass[v] - top)
            mass[v] = total
    return _first_above(mass, K, u * total)


@njit(cache=True, nogil=True)
def _draw_unordered(before, after, active, n, words, rows, values, base, u, mass):  # type: ignore[no-untyped-def]
    K = base.shape[0]
    top = -np.inf
    for v in range(K):
        total = np.log(base[v]) if base[v] > 0.0 else -np.inf
        for j in range(n):
            t = active[j]
            for k in range(t * words, (t + 1) * words):
                here = before[k] & after[k] & rows[v, k]
                if here != NONE:
                    total += values[k * 64 + np.int64(lowest_bit(here))]
        mass[v] = total
        top = max(top, total)
    total = 0.0
    for v in range(K):
        total += np.exp(mass[v] - top)
        mass[v] = total
    return _first_above(mass, K, u * total)


@njit(cache=True, nogil=True)
def gibbs(  # type: ignore[no-untyped-def]  # noqa: D417 - the rest is as in write_masks
          state, fixed, uniforms, offset, ordered, base, masks, full, low, high, factor, inverse, values,
          words, trees, kept):  # fmt: skip
    """Sweep C chains over all columns in turn; the last states of each chain are kept.

    Args:
        state: (C, D) codes, changed in place.
        fixed: (C, D) non-zero where a coordinate keeps its value.
        uniforms: (C, sweeps, D) in [0, 1), one a draw.
        base: (S,) the start's marginals.
        factor, inverse, values: (B,) exp(value), exp(-value) and value of each leaf slot.
        kept: (C, k, D) filled with the states after the last k sweeps.
    """
    C, D = state.shape
    sweeps = uniforms.shape[1]
    skip = sweeps - kept.shape[1]
    n_words = trees * words
    after = np.empty((D, n_words), np.uint64)
    before = np.empty(n_words, np.uint64)
    active = np.empty(trees, np.int64)
    widest = 0
    for d in range(D):
        widest = max(widest, offset[d + 1] - offset[d])
    step, mass = np.empty(widest + 1), np.empty(widest)
    for c in range(C):
        x = state[c]
        for i in range(sweeps):
            after[D - 1] = full[:n_words]
            for d in range(D - 1, 0, -1):
                row = masks[offset[d] + x[d]]
                for k in range(n_words):
                    after[d - 1, k] = after[d, k] & row[k]
            before[:] = full[:n_words]
            for d in range(D):
                a, b = offset[d], offset[d + 1]
                if fixed[c, d] == 0 and b - a > 1:
                    n = _active_trees(before, after[d], words, trees, active)
                    if ordered[d]:
                        v = _draw_ordered(
                            before, after[d], active, n, words, low[d], high[d], factor, inverse, values,
                            base[a:b], uniforms[c, i, d], step, mass,
                        )  # fmt: skip
                    else:
                        v = _draw_unordered(
                            before, after[d], active, n, words, masks[a:b], values, base[a:b],
                            uniforms[c, i, d], mass,
                        )  # fmt: skip
                    x[d] = v
                row = masks[a + x[d]]
                for k in range(n_words):
                    before[k] &= row[k]
            if i >= skip:
                kept[c, i - skip] = x

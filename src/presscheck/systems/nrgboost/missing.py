"""Missing cells marginalised: exactly while they can be listed, else by Gibbs or importance sampling.

Source: standard; the paper's model has no missing values. A row whose cells m are missing has density
sum over x_m of q(x), up to the model's constant.
Shapes: N rows, D columns, K values of the target column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .binning import MISSING
from .ensemble import Ensemble, log_normalise

EXACT_CELLS = 4096  # most combinations of missing cells that are listed
SWEEPS, BURN_IN = 120, 20


def log_sum_exp(logits: NDArray[np.float64]) -> float:
    """Log sum exp of all entries."""
    top = float(logits.max())
    return top + float(np.log(np.exp(logits - top).sum()))


def completions(sizes: NDArray[np.int64]) -> NDArray[np.int16]:
    """All combinations (prod sizes, len sizes) of codes, the last column fastest."""
    if not len(sizes):
        return np.empty((1, 0), np.int16)
    grid = np.indices(tuple(int(s) for s in sizes), dtype=np.int16)
    return grid.reshape(len(sizes), -1).T


def fill_start(model: Ensemble, codes: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Codes with missing cells drawn from the start's marginals."""
    drawn = model.sample_start(len(codes), rng)
    return np.where(codes == MISSING, drawn, codes).astype(np.int16)


def log_conditional(
    model: Ensemble,
    codes: NDArray[np.int16],
    column: int,
    rng: np.random.Generator,
    rounds: int | None = None,
) -> NDArray[np.float64]:
    """(N, K) log q(x_column | the cells that are there).

    Exact while the other missing cells have at most EXACT_CELLS combinations; else the mean of the
    conditional over a Gibbs chain of these cells and the target.
    """
    others = codes.copy()
    others[:, column] = 0
    absent = others == MISSING
    out = np.empty((len(codes), int(model.sizes[column])))
    whole = ~absent.any(axis=1)
    if whole.any():
        out[whole] = model.log_conditional(others[whole], column, rounds)
    for i in np.flatnonzero(~whole):
        missing = np.flatnonzero(absent[i])
        if np.prod(model.sizes[missing].astype(float)) <= EXACT_CELLS:
            listed = completions(model.sizes[missing])
            rows = np.repeat(others[i : i + 1], len(listed), axis=0)
            rows[:, missing] = listed
            rows[:, column] = 0
            joint = model.tree_slices(rows, column, 0, rounds) + np.log(model.marginals[column])
            joint += sum((np.log(model.marginals[d])[rows[:, d]] for d in missing), np.zeros(len(rows)))[
                :, None
            ]
            top = joint.max()
            with np.errstate(divide="ignore"):
                out[i] = log_normalise((top + np.log(np.exp(joint - top).sum(axis=0)))[None])[0]
        else:
            held = ~absent[i : i + 1]
            held[0, column] = False
            start = fill_start(model, np.where(held, codes[i : i + 1], MISSING).astype(np.int16), rng)
            states = model.gibbs(start, SWEEPS, rng, keep=SWEEPS - BURN_IN, fixed=held, rounds=rounds)[0]
            with np.errstate(divide="ignore"):
                out[i] = np.log(np.exp(model.log_conditional(states, column, rounds)).mean(axis=0))
    return out


def energies(
    model: Ensemble,
    codes: NDArray[np.int16],
    rng: np.random.Generator,
    draws: int = 1024,
    rounds: int | None = None,
) -> NDArray[np.float64]:
    """(N,) log density of the cells that are there, up to the model's one constant.

    Exact while the missing cells have at most EXACT_CELLS combinations, or only one column is missing; else
    log of a mean over `draws` completions from the start's marginals, with the largest missing column summed
    exactly (unbiased before the log).
    """
    absent = codes == MISSING
    out = np.empty(len(codes))
    whole = ~absent.any(axis=1)
    if whole.any():
        out[whole] = model.energies(codes[whole], rounds)
    for i in np.flatnonzero(~whole):
        missing = np.flatnonzero(absent[i])
        last = missing[np.argmax(model.sizes[missing])]
        rest = missing[missing != last]
        listable = np.prod(model.sizes[rest].astype(float)) <= EXACT_CELLS
        filled = completions(model.sizes[rest]) if listable else model.sample_start(draws, rng)[:, rest]
        rows = np.repeat(codes[i : i + 1], len(filled), axis=0)
        rows[:, rest] = filled
        rows[:, last] = 0
        logits = model.tree_slices(rows, int(last), 0, rounds) + np.log(model.marginals[last])
        if listable:
            logits += sum((np.log(model.marginals[d])[rows[:, d]] for d in rest), np.zeros(len(rows)))[
                :, None
            ]
        known = sum(float(np.log(model.marginals[d][codes[i, d]])) for d in np.flatnonzero(~absent[i]))
        out[i] = known + log_sum_exp(logits) - (0.0 if listable else float(np.log(draws)))
    return out

"""Rounds of boosting an energy, and the amortised pool of model samples that estimates Q.

Reference: Bravo, arXiv 2410.03535, sections 4 (objective, leaf values, line search) and 4.2 (amortised
rejection sampling). Differences: the pool has exactly M samples in every round.
Shapes: N data rows, M pool rows, D columns, L leaves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ensemble import Ensemble
from .grow import Growth, grow_tree

STEP_SIZES = np.logspace(-3, 1, 101)


def leaf_values(data_mass: NDArray[np.float64], model_mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_j = P_j / Q_j - 1, which maximises sum P_j w_j - sum Q_j w_j - (1/2) Var_Q w (section 4)."""
    return data_mass / model_mass - 1.0


def likelihood_gain(
    step: NDArray[np.float64] | float,
    data_mass: NDArray[np.float64],
    model_mass: NDArray[np.float64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Exact mean log-likelihood gained by adding step * values: a E_P[w] - log E_Q[exp(a w)], in nats."""
    exponents = np.multiply.outer(np.asarray(step, dtype=np.float64), values)
    top = exponents.max(axis=-1)
    log_norm = top + np.log((model_mass * np.exp(exponents - top[..., None])).sum(axis=-1))
    return exponents @ data_mass - log_norm


def line_search(
    data_mass: NDArray[np.float64], model_mass: NDArray[np.float64], values: NDArray[np.float64]
) -> float:
    """The step of largest exact gain over 101 points of 10^-3 … 10, as the official code has them."""
    gains = likelihood_gain(STEP_SIZES, data_mass, model_mass, values)
    return float(STEP_SIZES[int(np.argmax(gains))])


def survivors(
    rng: np.random.Generator, tree_values: NDArray[np.float64], leaf: NDArray[np.int32], p_refresh: float
) -> NDArray[np.bool_]:
    """(M,) which samples of the old model are kept as samples of the new one.

    Each stays with probability (1 - p_refresh) exp(delta(x) - max delta), delta being the tree as added, with
    its step size (section 4.2); if the old samples were exact, the kept ones are.
    """
    keep = (1 - p_refresh) * np.exp(tree_values - tree_values.max())
    return rng.random(len(leaf)) < keep[leaf]


class Pool:
    """M samples of the current model, carried from round to round.

    Args:
        size: M.
        p_refresh: share of samples replaced for freshness alone; 1 draws all anew by Gibbs sampling.
        chains: Gibbs chains that refill the pool, each started at a data row.
        burn_in: first sweeps of each chain that are dropped.
        threads: chains run side by side.

    Raises:
        ValueError: if there are fewer samples than chains.
    """

    def __init__(self, size: int, p_refresh: float, chains: int, burn_in: int, threads: int = 1) -> None:
        if chains < 1 or size < chains:
            raise ValueError(
                f"n_model_samples must be at least n_chains, got {size} and {chains}: "
                "every chain gives at least one sample"
            )
        if not 0 <= p_refresh <= 1:
            raise ValueError(f"p_refresh must be in [0, 1], got {p_refresh}: it is the share drawn anew")
        self.size, self.p_refresh, self.chains = size, p_refresh, chains
        self.burn_in, self.threads = burn_in, threads
        self.codes: NDArray[np.int16] | None = None
        self.drawn = 0  # samples drawn by Gibbs sampling so far

    def advance(
        self,
        model: Ensemble,
        data: NDArray[np.int16],
        leaf: NDArray[np.int32] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.int16]:
        """Samples (M, D) of the model whose last tree was just added.

        Args:
            model: the ensemble, at least one tree.
            data: (N, D) training codes, where chains start.
            leaf: (M,) leaf of the last tree that each pool row fell into; None before there is a pool.
            rng: source of all draws.
        """
        if len(model) == 1:
            self.codes = self._reject_from_start(model, rng)
            return self.codes
        if self.codes is None or leaf is None or self.p_refresh >= 1:
            self.codes = self._refill(model, data, self.size, rng)
            return self.codes
        keep = survivors(rng, model.trees[-1][1], leaf, self.p_refresh)
        old = self.codes[keep]
        missing = self.size - len(old)
        self.codes = np.concatenate([old, self._refill(model, data, missing, rng)]) if missing else old
        return self.codes

    def _reject_from_start(self, model: Ensemble, rng: np.random.Generator) -> NDArray[np.int16]:
        """Exact samples after the first tree: from the start, kept by the tree's factor."""
        top = float(model.trees[0][1].max())
        parts: list[NDArray[np.int16]] = []
        count = 0
        while count < self.size:
            proposal = model.sample_start(self.size, rng)
            kept = proposal[rng.random(self.size) < np.exp(model.tree_energies(proposal) - top)]
            parts.append(kept)
            count += len(kept)
        return np.concatenate(parts)[: self.size]

    def _refill(
        self, model: Ensemble, data: NDArray[np.int16], count: int, rng: np.random.Generator
    ) -> NDArray[np.int16]:
        """Exactly `count` samples, as evenly from the chains as it divides."""
        each = -(-count // self.chains)
        start = data[rng.integers(len(data), size=self.chains)]
        drawn = model.gibbs(start, self.burn_in + each, rng, keep=each, threads=self.threads)
        self.drawn += count
        # Sweep by sweep, so that what is cut off is the end of some chains and never a whole one.
        return drawn.transpose(1, 0, 2).reshape(-1, data.shape[1])[:count]


def boost_once(
    model: Ensemble,
    data: NDArray[np.int16],
    *,
    pool: NDArray[np.int16] | None,
    weights: NDArray[np.float64] | None = None,
    shrinkage: float,
    max_leaves: int,
    max_ratio: float,
    min_data: int = 0,
) -> tuple[Growth, float]:
    """Add one tree; returns it and the exact gain in training log-likelihood under the estimated Q.

    Without a pool, Q is the start itself, exactly. The gain is that of the pool which chose the leaves, so it
    is optimistic: `likelihood_gain` with held-out masses is smaller.
    """
    growth = grow_tree(
        data,
        model.offset,
        model.ordered,
        marginal=model.base if pool is None else None,
        pool=pool,
        weights=weights,
        max_leaves=max_leaves,
        max_ratio=max_ratio,
        min_data=min_data,
    )
    values = leaf_values(growth.data_mass, growth.model_mass)
    step = shrinkage * line_search(growth.data_mass, growth.model_mass, values)
    model.add(growth, step * values)
    return growth, float(likelihood_gain(step, growth.data_mass, growth.model_mass, values))

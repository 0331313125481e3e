"""NRGBoost: a generative model of a whole table by boosted trees of an energy.

Reference: Bravo, "NRGBoost: Energy-Based Generative Boosted Trees", arXiv 2410.03535 (ICLR 2025). Defaults
are those of the authors' package. Differences: missing cells are marginalised, in training by drawing them
anew each round from the model given the row's other cells; numeric predictions use in-bin means; the whole
conditional is available; categories may be up to 4096.
Shapes: N rows, D columns, K values of the column asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from . import missing as marginal
from .binning import MISSING, Binner, Column, as_frame
from .boosting import Pool, boost_once, likelihood_gain
from .ensemble import Ensemble, log_normalise, start_marginals

Floats = NDArray[np.float64]


def bin_values(column: Column) -> Floats:
    """(K,) what each bin of a numeric column predicts: its training mean.

    Raises:
        ValueError: if the column is not numeric.
    """
    if column.kind != "numeric":
        raise ValueError(f"column {column.name!r} is categorical: ask predict_proba, or predict for its mode")
    return column.mean


def point_prediction(probabilities: Floats, column: Column) -> NDArray[Any]:
    """(N,) the mean of a numeric column, the likeliest level of a categorical one."""
    if column.kind == "numeric":
        return probabilities @ bin_values(column)
    levels = np.empty(len(column.levels), dtype=object)
    levels[:] = column.levels
    picked = levels[np.argmax(probabilities, axis=1)]
    return np.array(picked.tolist())


def quantiles(probabilities: Floats, column: Column, q: Floats) -> Floats:
    """(N, len q) quantiles of a numeric column, linear between the ends of a bin.

    Raises:
        ValueError: if the column is not numeric or a level is outside [0, 1].
    """
    bin_values(column)
    if ((q < 0) | (q > 1)).any():
        raise ValueError(f"quantile levels must be in [0, 1], got {q.tolist()}")
    cumulative = np.cumsum(probabilities, axis=1)
    out = np.empty((len(probabilities), len(q)))
    for j, level in enumerate(q):
        k = np.minimum((cumulative < level - 1e-12).sum(axis=1), column.size - 1)
        rows = np.arange(len(k))
        below = cumulative[rows, k] - probabilities[rows, k]
        inside = np.clip((level - below) / np.maximum(probabilities[rows, k], 1e-300), 0, 1)
        out[:, j] = column.low[k] + inside * (column.high - column.low)[k]
    return out


class NRGBoost(BaseEstimator):
    """One model of all columns: predicts any of them, scores rows, draws rows.

    Args:
        n_trees: most boosting rounds.
        shrinkage: factor on the line-searched step.
        max_leaves: of a tree, grown best-first.
        max_ratio_in_leaf: largest P/Q that a split may leave in a child.
        min_data_in_leaf: training rows that a child must hold.
        n_model_samples: M, size of the pool of model samples.
        p_refresh: share of the pool drawn anew each round; 1 draws all anew.
        n_chains: Gibbs chains that refill the pool.
        burn_in: first sweeps of a chain that are dropped.
        initial_uniform_mixture: weight of the uniform in each marginal of the start.
        max_bins: most bins of a numeric column.
        unknown: what a category not seen at fit does later: "error", or "missing" to marginalise it.
        early_stopping_rounds: rounds without improvement on the validation rows that end training.
        n_jobs: threads for Gibbs chains; None is one. Results do not depend on it.
        random_state: seed, numpy RandomState or Generator.

    Attributes:
        n_trees_: rounds trained.
        best_iteration_: rounds used unless a call says otherwise; 0 is the start, the marginals alone.
        train_gain_: (n_trees_,) nats gained a round on the training rows, optimistic (see `boost_once`).
        validation_gain_: the same on the validation rows, if there were any.
        validation_loss_: (n_trees_ + 1,) loss after 0, 1, … rounds.
    """

    def __init__(
        self,
        n_trees: int = 200,
        shrinkage: float = 0.15,
        max_leaves: int = 256,
        max_ratio_in_leaf: float = 2.0,
        min_data_in_leaf: int = 0,
        n_model_samples: int = 80_000,
        p_refresh: float = 0.1,
        n_chains: int = 16,
        burn_in: int = 100,
        initial_uniform_mixture: float = 0.1,
        max_bins: int = 255,
        unknown: str = "error",
        early_stopping_rounds: int | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_trees = n_trees
        self.shrinkage = shrinkage
        self.max_leaves = max_leaves
        self.max_ratio_in_leaf = max_ratio_in_leaf
        self.min_data_in_leaf = min_data_in_leaf
        self.n_model_samples = n_model_samples
        self.p_refresh = p_refresh
        self.n_chains = n_chains
        self.burn_in = burn_in
        self.initial_uniform_mixture = initial_uniform_mixture
        self.max_bins = max_bins
        self.unknown = unknown
        self.early_stopping_rounds = early_stopping_rounds
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check(self) -> None:
        whole = {"n_trees": 0, "max_leaves": 2, "min_data_in_leaf": 0, "burn_in": 0}
        for name, least in whole.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.shrinkage <= 0:
            raise ValueError(f"shrinkage must be above 0, got {self.shrinkage}: it scales every step")
        if self.max_ratio_in_leaf <= 1:
            raise ValueError(
                f"max_ratio_in_leaf must be above 1, got {self.max_ratio_in_leaf}: "
                "the whole table has ratio 1, so no split would be legal"
            )
        if not 0 < self.initial_uniform_mixture <= 1:
            raise ValueError(
                f"initial_uniform_mixture must be in (0, 1], got {self.initial_uniform_mixture}: "
                "at 0 values without training rows could never be reached"
            )

    def _rng(self) -> np.random.Generator:
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return state
        if isinstance(state, np.random.RandomState):
            return np.random.default_rng(state.randint(2**31))
        return np.random.default_rng(state)

    @property
    def _threads(self) -> int:
        return 1 if self.n_jobs is None else max(1, int(self.n_jobs))

    def fit(self, X: Any, y: None = None, *, validation: Any = None, target: Hashable | None = None) -> Self:
        """Boost on all rows of a table.

        Args:
            X: DataFrame, or array (N, D); NaN and None are missing cells.
            y: ignored.
            validation: rows held out; sets best_iteration_, and ends training early if
                early_stopping_rounds is set.
            target: the column whose prediction is validated (squared error, or log loss of a category);
                if None, the mean log conditional over all columns.

        Raises:
            ValueError: on parameters out of range, a table that cannot be binned, or early stopping
                without validation rows.
        """
        self._check()
        pool = Pool(self.n_model_samples, self.p_refresh, self.n_chains, self.burn_in, self._threads)
        if self.early_stopping_rounds is not None and validation is None:
            raise ValueError("early_stopping_rounds needs validation rows: give fit(validation=...)")
        rng = self._rng()
        frame = as_frame(X)
        self.binner_ = Binner(self.max_bins, self.unknown).fit(frame)
        codes = self.binner_.encode(frame)
        self.n_features_in_ = codes.shape[1]
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.model_ = Ensemble(
            start_marginals(codes, self.binner_.sizes, self.initial_uniform_mixture),
            self.binner_.ordered,
            self.max_leaves,
            capacity=max(1, self.n_trees),
        )
        check = _Validation(self, validation, target, rng) if validation is not None else None
        self._boost(codes, pool, rng, check)
        self.n_trees_ = len(self.model_)
        self.best_iteration_ = check.best if check else self.n_trees_
        self.n_gibbs_samples_ = pool.drawn
        if check:
            self.validation_loss_ = np.array(check.losses)
            self.validation_gain_ = np.array(check.gains)
        return self

    def _boost(
        self, codes: NDArray[np.int16], pool: Pool, rng: np.random.Generator, check: _Validation | None
    ) -> None:
        model = self.model_
        holes = codes == MISSING
        gaps = np.flatnonzero(holes.any(axis=1))
        data = marginal.fill_start(model, codes, rng) if len(gaps) else np.ascontiguousarray(codes)
        gains, leaf = [], None
        for t in range(self.n_trees):
            if len(gaps) and t:
                # Stochastic EM: what is missing follows the current model given what is there.
                data[gaps] = model.gibbs(data[gaps], 1, rng, fixed=~holes[gaps], threads=self._threads)[:, 0]
            samples = pool.advance(model, data, leaf, rng) if t else None
            growth, gain = boost_once(
                model,
                data,
                pool=samples,
                shrinkage=self.shrinkage,
                max_leaves=self.max_leaves,
                max_ratio=self.max_ratio_in_leaf,
                min_data=self.min_data_in_leaf,
            )
            gains.append(gain)
            leaf = growth.pool_leaf if t else None
            if check and check.stop(growth.model_mass):
                break
        self.train_gain_ = np.array(gains)

    def _fitted(self) -> Ensemble:
        if not hasattr(self, "model_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")
        return self.model_

    def _rounds(self, rounds: int | None) -> int:
        self._fitted()
        if rounds is None:
            return int(self.best_iteration_)
        if not 0 <= rounds <= self.n_trees_:
            raise ValueError(f"n_rounds must be in 0..{self.n_trees_}, got {rounds}: so many trees there are")
        return int(rounds)

    def predict_proba(self, X: Any, column: Hashable, n_rounds: int | None = None) -> Floats:
        """(N, K) probability of each bin or level of a column given the others.

        The column's own cells are not read and it may be absent; other missing cells are marginalised,
        exactly while their combinations number at most 4096.

        Raises:
            ValueError: on an unknown column or category, infinite values, or n_rounds out of range.
        """
        rounds = self._rounds(n_rounds)
        d = self.binner_.index(column)
        codes = self._encode(X, ignore=column)
        rng = np.random.default_rng(0)
        return np.exp(marginal.log_conditional(self.model_, codes, d, rng, rounds))

    def predict(self, X: Any, column: Hashable, n_rounds: int | None = None) -> NDArray[Any]:
        """(N,) mean of a numeric column, likeliest level of another; see `predict_proba`."""
        probabilities = self.predict_proba(X, column, n_rounds)
        return point_prediction(probabilities, self.binner_.columns[self.binner_.index(column)])

    def predict_quantile(self, X: Any, column: Hashable, q: Any = 0.5, n_rounds: int | None = None) -> Floats:
        """Quantiles of a numeric column given the others: (N,) for one level q, else (N, len q).

        Raises:
            ValueError: as `predict_proba`, and if the column is not numeric or q outside [0, 1].
        """
        described = self.binner_.columns[self.binner_.index(column)]
        levels = np.atleast_1d(np.asarray(q, dtype=np.float64))
        out = quantiles(self.predict_proba(X, column, n_rounds), described, levels)
        return out[:, 0] if np.ndim(q) == 0 else out

    def staged_predict(self, X: Any, column: Hashable) -> Iterator[NDArray[Any]]:
        """Predictions (N,) after 0, 1, … n_trees_ rounds; item 0 is the prior. Rows must be whole.

        Raises:
            ValueError: as `predict_proba`, and on missing cells in other columns.
        """
        for probabilities in self.staged_predict_proba(X, column):
            yield point_prediction(probabilities, self.binner_.columns[self.binner_.index(column)])

    def staged_predict_proba(self, X: Any, column: Hashable) -> Iterator[Floats]:
        """As `staged_predict`, with probabilities (N, K)."""
        self._fitted()
        d = self.binner_.index(column)
        codes = self._encode(X, ignore=column)
        codes[:, d] = 0
        if (codes == MISSING).any():
            raise ValueError("staged predictions need whole rows: use predict_proba with n_rounds")
        logits = np.tile(np.log(self.model_.marginals[d]), (len(codes), 1))
        yield np.exp(log_normalise(logits))
        for t in range(self.n_trees_):
            logits += self.model_.tree_slices(codes, d, t, t + 1)
            yield np.exp(log_normalise(logits))

    def score_samples(self, X: Any, n_rounds: int | None = None, n_marginal_samples: int = 1024) -> Floats:
        """(N,) log density up to one constant shared by all rows; missing cells are marginalised.

        The constant is that of this model and number of rounds: differences between rows mean something,
        single values do not.

        Raises:
            ValueError: as `predict_proba`.
        """
        rounds = self._rounds(n_rounds)
        rng = np.random.default_rng(0)
        return marginal.energies(self.model_, self._encode(X), rng, n_marginal_samples, rounds)

    def energy(self, X: Any, n_rounds: int | None = None) -> Floats:
        """(N,) negative of `score_samples`: high for unusual rows."""
        return -self.score_samples(X, n_rounds)

    def pseudo_log_likelihood(self, X: Any, n_rounds: int | None = None) -> float:
        """Mean over rows and columns of log q(x_d | x_-d), in nats a cell; needs whole rows.

        Raises:
            ValueError: as `predict_proba`, and on missing cells.
        """
        rounds = self._rounds(n_rounds)
        codes = self._encode(X)
        if (codes == MISSING).any():
            raise ValueError("the pseudo-likelihood is defined on whole rows: drop those with missing cells")
        rows = np.arange(len(codes))
        parts = [
            self.model_.log_conditional(codes, d, rounds)[rows, codes[:, d]] for d in range(codes.shape[1])
        ]
        return float(np.mean(parts))

    def score(self, X: Any, y: None = None) -> float:
        """Mean log conditional a cell, for scikit-learn's model selection; see `pseudo_log_likelihood`."""
        return self.pseudo_log_likelihood(X)

    def sample(
        self,
        n: int,
        conditions: Mapping[Hashable, Any] | None = None,
        n_steps: int = 100,
        n_rounds: int | None = None,
        random_state: Any = None,
    ) -> pd.DataFrame:
        """Draw rows, each by a Gibbs chain of its own started from the marginals.

        Args:
            n: rows.
            conditions: column -> value that all rows keep. A numeric column keeps the bin of that value,
                and the row gets the value itself.
            n_steps: sweeps over all columns a row; more is closer to the model.
            n_rounds: trees that count; best_iteration_ if None.
            random_state: as the constructor's; that one if None.

        Raises:
            ValueError: on n or n_steps below 1, an unknown column or category, or a missing condition.
        """
        rounds = self._rounds(n_rounds)
        if n < 1 or n_steps < 1:
            raise ValueError(f"n and n_steps must be at least 1, got {n} and {n_steps}")
        rng = self._rng() if random_state is None else np.random.default_rng(random_state)
        state = self.model_.sample_start(n, rng)
        fixed = np.zeros(state.shape, dtype=bool)
        for name, value in (conditions or {}).items():
            d = self.binner_.index(name)
            code = self.binner_.encode_column(pd.Series([value]), self.binner_.columns[d])[0]
            if code == MISSING:
                raise ValueError(f"the condition on {name!r} is missing or unknown: leave it out instead")
            state[:, d], fixed[:, d] = code, True
        codes = self.model_.gibbs(state, n_steps, rng, fixed=fixed, rounds=rounds, threads=self._threads)[
            :, 0
        ]
        rows = self.binner_.decode(codes, rng)
        for name, value in (conditions or {}).items():
            if self.binner_.columns[self.binner_.index(name)].kind == "numeric":
                rows[name] = value
        return rows

    def _encode(self, X: Any, ignore: Hashable | None = None) -> NDArray[np.int16]:
        if ignore is None or not isinstance(X, pd.DataFrame):
            return self.binner_.encode(X)
        kept = X.drop(columns=[ignore], errors="ignore")
        codes = self.binner_.encode(kept, absent="missing")
        absent = [c.name for c in self.binner_.columns if c.name not in kept.columns and c.name != ignore]
        if absent:
            raise ValueError(f"column {absent[0]!r} of the fit is absent: give it, if only as NaN")
        return codes

    def save(self, path: str | Path) -> None:
        """Write the model as one npz file of plain arrays and JSON; no pickle. See `persist`."""
        from .persist import save

        self._fitted()
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> NRGBoost:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file is not such a model or is damaged.
        """
        from .persist import load

        return load(Path(path))


class _Validation:
    """Held-out rows: a loss after each round and the held-out gain of each tree."""

    def __init__(
        self, owner: NRGBoost, table: Any, target: Hashable | None, rng: np.random.Generator
    ) -> None:
        binner, self.model = owner.binner_, owner.model_
        frame = as_frame(table)
        self.codes = binner.encode(frame)
        self.patience = owner.early_stopping_rounds
        self.column: Column | None = None
        self.truth: NDArray[Any] = np.empty(0)
        dims = list(range(len(binner.columns)))
        if target is not None:
            d = binner.index(target)
            dims, self.column = [d], binner.columns[d]
            keep = self.codes[:, d] != MISSING
            self.codes = self.codes[keep]
            self.truth = frame[target].to_numpy()[keep]
        if not len(self.codes):
            raise ValueError("no validation row is left: rows whose target is missing do not count")
        if (self.codes == MISSING).any():
            self.codes = marginal.fill_start(self.model, self.codes, rng)
        rows = len(self.codes)
        self.logits = {d: np.tile(np.log(self.model.marginals[d]), (rows, 1)) for d in dims}
        self.losses, self.best = [self._loss()], 0
        self.gains: list[float] = []

    def _loss(self) -> float:
        total = 0.0
        rows = np.arange(len(self.codes))
        for d, logits in self.logits.items():
            logs = log_normalise(logits)
            if self.column is not None and self.column.kind == "numeric":
                off = point_prediction(np.exp(logs), self.column) - self.truth.astype(np.float64)
                return float(np.mean(off**2))
            total -= float(logs[rows, self.codes[:, d]].mean())
        return total / len(self.logits)

    def stop(self, model_mass: Floats) -> bool:
        """Take the last tree into account; whether patience is at its end."""
        t = len(self.model) - 1
        for d, logits in self.logits.items():
            logits += self.model.tree_slices(self.codes, d, t, t + 1)
        values = self.model.trees[t][1]
        held_out = self.model.tree_energies(self.codes, t, t + 1)
        no_data = np.zeros_like(model_mass)
        log_norm = -float(likelihood_gain(1.0, no_data, model_mass, values))
        self.gains.append(float(held_out.mean()) - log_norm)
        self.losses.append(self._loss())
        if self.losses[-1] < self.losses[self.best]:
            self.best = t + 1
        return self.patience is not None and t + 1 - self.best >= self.patience

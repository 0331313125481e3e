"""DEF: a bagged forest of density estimation trees, the generative counterpart of a random forest.

Reference: Bravo, arXiv 2410.03535, section on density estimation trees and appendix. Each tree is grown from
the uniform density on a bootstrap sample, by gain in likelihood (KL) or in squared error (Brier); the
forest's density is the mean of its trees'. Differences: a leaf's mass is smoothed by `smoothing` rows spread
uniformly, so that no row has density zero.
Shapes: N rows, D columns, K values, L leaves.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from .binning import MISSING, Binner, as_frame
from .ensemble import Ensemble
from .estimator import point_prediction
from .grow import CHI_SQUARE, KL, grow_tree

CRITERIA = {"kl": KL, "brier": CHI_SQUARE}


class DensityForest(BaseEstimator):
    """Bagged density estimation trees over a binned table.

    Args:
        n_trees: trees.
        criterion: "kl" or "brier".
        max_leaves: of a tree.
        min_data_in_leaf: bootstrap rows that a leaf must hold.
        smoothing: rows' worth of the uniform density mixed into each tree.
        max_bins: most bins of a numeric column.
        random_state: seed.
    """

    def __init__(
        self,
        n_trees: int = 100,
        criterion: str = "kl",
        max_leaves: int = 256,
        min_data_in_leaf: int = 1,
        smoothing: float = 1.0,
        max_bins: int = 255,
        random_state: Any = None,
    ) -> None:
        self.n_trees = n_trees
        self.criterion = criterion
        self.max_leaves = max_leaves
        self.min_data_in_leaf = min_data_in_leaf
        self.smoothing = smoothing
        self.max_bins = max_bins
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Grow the forest on a table without missing cells.

        Raises:
            ValueError: on missing cells, an unknown criterion, or parameters out of range.
        """
        if self.criterion not in CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {self.criterion!r}")
        if self.n_trees < 1 or self.max_leaves < 2 or self.smoothing <= 0:
            raise ValueError("need n_trees >= 1, max_leaves >= 2 and smoothing > 0")
        rng = np.random.default_rng(self.random_state)
        frame = as_frame(X)
        self.binner_ = Binner(self.max_bins).fit(frame)
        codes = self._whole(self.binner_.encode(frame))
        sizes = self.binner_.sizes
        uniform = [np.full(int(k), 1.0 / k) for k in sizes]
        self.model_ = Ensemble(uniform, self.binner_.ordered, self.max_leaves, capacity=self.n_trees)
        self.leaf_mass_: list[NDArray[np.float64]] = []
        for _ in range(self.n_trees):
            growth = grow_tree(
                codes[rng.integers(len(codes), size=len(codes))],
                self.model_.offset,
                self.model_.ordered,
                marginal=self.model_.base,
                objective=CRITERIA[self.criterion],
                max_leaves=self.max_leaves,
                max_ratio=np.inf,
                min_data=self.min_data_in_leaf,
            )
            share = self.smoothing / (len(codes) + self.smoothing)
            mass = (1 - share) * growth.data_mass + share * growth.model_mass
            self.leaf_mass_.append(mass)
            self.model_.add(growth, mass / growth.model_mass)
        return self

    def _whole(self, codes: NDArray[np.int16]) -> NDArray[np.int16]:
        if (codes == MISSING).any():
            raise ValueError("a density forest needs whole rows: drop or fill missing cells")
        return codes

    def _fitted(self) -> Ensemble:
        if not hasattr(self, "model_"):
            raise NotFittedError("this DensityForest is not fitted yet: call fit first")
        return self.model_

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """(N,) log probability of each row's cell, normalised over the binned domain."""
        model = self._fitted()
        codes = self._whole(self.binner_.encode(X))
        density = model.tree_energies(codes) / len(model)
        return np.log(density) - np.log(model.sizes).sum()

    def predict_proba(self, X: Any, column: Hashable) -> NDArray[np.float64]:
        """(N, K) probability of each value of a column given the others."""
        model = self._fitted()
        d = self.binner_.index(column)
        codes = self.binner_.encode(X)
        codes[:, d] = 0
        density = model.tree_slices(self._whole(codes), d)
        return density / density.sum(axis=1, keepdims=True)

    def predict(self, X: Any, column: Hashable) -> NDArray[Any]:
        """(N,) mean of a numeric column, likeliest level of another."""
        probabilities = self.predict_proba(X, column)
        return point_prediction(probabilities, self.binner_.columns[self.binner_.index(column)])

    def sample(self, n: int, random_state: Any = None) -> pd.DataFrame:
        """Exact samples: a tree, a leaf by its mass, a uniform cell of the leaf's box."""
        model = self._fitted()
        rng = np.random.default_rng(self.random_state if random_state is None else random_state)
        codes = np.empty((n, len(model.sizes)), np.int16)
        which = rng.integers(len(model), size=n)
        for t in np.unique(which):
            rows = np.flatnonzero(which == t)
            leaves = rng.choice(len(self.leaf_mass_[t]), size=len(rows), p=self.leaf_mass_[t])
            for row, leaf in zip(rows, leaves, strict=True):
                box = model.trees[t][0].box[leaf]
                for d in range(len(model.sizes)):
                    allowed = np.flatnonzero(box[model.offset[d] : model.offset[d + 1]])
                    codes[row, d] = allowed[rng.integers(len(allowed))]
        return self.binner_.decode(codes, rng)

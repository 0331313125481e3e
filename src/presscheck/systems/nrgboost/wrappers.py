"""A classifier and a regressor in scikit-learn's protocol, each one NRGBoost of the features and the target.

Reference: Bravo, arXiv 2410.03535, section 5 (single-variable inference). Differences: none; the joint model
stays at `booster_` for everything else that it answers.
Shapes: N rows, F features, C classes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .estimator import NRGBoost

TARGET = "__target__"


class _Supervised(BaseEstimator):
    """What classifier and regressor share; see `NRGBoost` for the parameters.

    Args:
        validation_fraction: rows held out to stop early, if early_stopping_rounds is set.
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
        validation_fraction: float = 0.1,
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
        self.validation_fraction = validation_fraction
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _features(self, X: Any, reset: bool) -> pd.DataFrame:
        """Features as a frame with columns 0..F-1; a DataFrame keeps its categorical columns."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X):
                raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while at least 1 is needed")
            frame = X.copy()
        else:
            array = validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
            frame = pd.DataFrame(array)
        frame.columns = list(range(frame.shape[1]))
        return frame

    def _fit_joint(self, frame: pd.DataFrame, target: Any, classes: NDArray[Any] | None) -> None:
        frame[TARGET] = target
        params = self.get_params()
        del params["validation_fraction"]
        self.booster_ = NRGBoost(**params)
        if self.early_stopping_rounds is None:
            self.booster_.fit(frame)
            return
        train, held_out = train_test_split(
            frame,
            test_size=self.validation_fraction,
            stratify=None if classes is None else frame[TARGET],
            random_state=self.booster_._rng().integers(2**31),
        )
        self.booster_.fit(train, validation=held_out, target=TARGET)


class NRGBoostClassifier(ClassifierMixin, _Supervised):
    """Classifies by q(class | features); see `NRGBoost`."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the joint model of features (N, F) and classes (N,).

        Raises:
            ValueError: on no class or infinite features, and as `NRGBoost.fit`.
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        frame = self._features(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != len(frame):
            raise ValueError(f"X and y have inconsistent numbers of samples: {len(frame)} and {len(y)}")
        self.classes_, codes = np.unique(y, return_inverse=True)
        levels = list(range(len(self.classes_)))
        self._fit_joint(frame, pd.Categorical.from_codes(codes, categories=levels), self.classes_)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) probabilities."""
        check_is_fitted(self)
        return self.booster_.predict_proba(self._features(X, reset=False), TARGET)

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) likeliest classes."""
        probabilities = self.predict_proba(X)
        return self.classes_[np.argmax(probabilities, axis=1)]


class NRGBoostRegressor(RegressorMixin, _Supervised):
    """Predicts the mean of q(target | features); see `NRGBoost`."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the joint model of features (N, F) and a target (N,).

        Raises:
            ValueError: on a target or features that are not finite, and as `NRGBoost.fit`.
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        frame = self._features(X, reset=True)
        y = column_or_1d(y, warn=True).astype(np.float64)
        if not np.isfinite(y).all():
            raise ValueError("y contains NaN or infinity: drop rows without a target")
        if len(y) != len(frame):
            raise ValueError(f"X and y have inconsistent numbers of samples: {len(frame)} and {len(y)}")
        self._fit_joint(frame, y, None)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """(N,) conditional means."""
        check_is_fitted(self)
        return self.booster_.predict(self._features(X, reset=False), TARGET)

    def predict_quantile(self, X: Any, q: Any = 0.5) -> NDArray[np.float64]:
        """Conditional quantiles; see `NRGBoost.predict_quantile`."""
        check_is_fitted(self)
        return self.booster_.predict_quantile(self._features(X, reset=False), TARGET, q)

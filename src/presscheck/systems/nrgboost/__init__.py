"""NRGBoost: gradient-boosted trees that model the joint density of a table up to a constant.

One model predicts any column, scores how unusual a row is, takes missing inputs by
marginalising and generates rows.
"""

from .density_forest import DensityForest
from .estimator import NRGBoost
from .wrappers import NRGBoostClassifier, NRGBoostRegressor

__all__ = ["DensityForest", "NRGBoost", "NRGBoostClassifier", "NRGBoostRegressor"]

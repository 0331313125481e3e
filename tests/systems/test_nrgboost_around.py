"""Around the method: scikit-learn's protocol, the density forest, the metrics, the contract."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from presscheck.systems.nrgboost import DensityForest, NRGBoostClassifier, NRGBoostRegressor, metrics

QUICK = dict(n_trees=25, max_leaves=16, n_model_samples=1000, n_chains=4, burn_in=3, shrinkage=0.3, max_bins=32, random_state=0)  # noqa: E501

# What does not apply, by name and why.
EXCLUDED: dict[str, str] = {}


@pytest.mark.parametrize("estimator", [NRGBoostClassifier(**QUICK), NRGBoostRegressor(**QUICK)], ids=["class", "number"])  # noqa: E501
def test_wrappers_pass_scikit_learns_checks(estimator):
    failures = []
    ran = 0
    for checked, check in estimator_checks_generator(estimator):
        name = getattr(check, "func", check).__name__
        if name in EXCLUDED:
            continue
        ran += 1
        try:
            check(checked)
        except Exception as problem:  # all failures at once, by name
            if type(problem).__name__ != "SkipTest":
                failures.append(f"{name}: {problem!r:.300}")
    assert not failures, "\n".join(failures)
    assert ran > 40

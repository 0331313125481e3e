"""Around the method: scikit-learn's protocol, the density forest, the metrics, the contract."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from presscheck.systems.nrgboost import DensityForest, NRGBoostClassifier, NRGBoostRegressor, metrics

QUICK = {
    "n_trees": 25,
    "max_leaves": 16,
    "n_model_samples": 1000,
    "n_chains": 4,
    "burn_in": 3,
    "shrinkage": 0.3,
    "max_bins": 32,
    "random_state": 0,
}  # noqa: E501


@pytest.mark.parametrize(
    "estimator", [NRGBoostClassifier(**QUICK), NRGBoostRegressor(**QUICK)], ids=["class", "number"]
)  # noqa: E501
def test_wrappers_pass_scikit_learns_checks(estimator):
    failures = []
    ran = 0
    for checked, check in estimator_checks_generator(estimator):
        name = getattr(check, "func", check).__name__
        ran += 1
        try:
            check(checked)
        except Exception as problem:  # all failures at once, by name
            if type(problem).__name__ != "SkipTest":
                failures.append(f"{name}: {problem!r:.300}")
    assert not failures, "\n".join(failures)
    assert ran > 40


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pd.DataFrame({"a": z, "b": 2 * z + 0.3 * rng.normal(size=n), "k": np.where(z > 0, "up", "down")})


def test_the_classifier_takes_frames_with_categories_and_strings_as_labels():
    frame = table().assign(k=lambda t: t["k"].astype("category"))
    labels = np.where(frame["b"] > 0, "yes", "no")
    model = clone(NRGBoostClassifier(**QUICK)).fit(frame, labels)
    assert set(model.classes_) == {"yes", "no"}
    assert (model.predict(frame) == labels).mean() > 0.9
    assert np.allclose(model.predict_proba(frame).sum(axis=1), 1)


def test_wrappers_take_missing_features_and_stop_early():
    frame = table(300)[["a", "b"]]
    model = NRGBoostRegressor(**QUICK, early_stopping_rounds=3).fit(frame[["a"]], frame["b"])
    assert model.booster_.n_trees_ <= 25 and model.score(frame[["a"]], frame["b"]) > 0.8
    assert model.predict(pd.DataFrame({"a": [np.nan]}))[0] == pytest.approx(frame["b"].mean(), abs=0.4)


@pytest.mark.parametrize("criterion", ["kl", "brier"])
def test_the_density_forest_is_normalised_and_better_than_uniform(criterion):
    codes = pd.DataFrame(np.random.default_rng(0).integers(0, 6, (300, 1)), columns=["x"])
    frame = codes.assign(y=(codes["x"] + np.random.default_rng(1).integers(0, 2, 300)) % 6)
    model = DensityForest(8, criterion, max_leaves=12, random_state=0).fit(frame)
    cells = pd.DataFrame({"x": np.repeat(range(6), 6), "y": np.tile(range(6), 6)})
    density = np.exp(model.score_samples(cells))
    assert density.sum() == pytest.approx(1)
    given = model.predict_proba(pd.DataFrame({"x": [2], "y": [0]}), "y")[0]
    assert np.allclose(given, density[12:18] / density[12:18].sum())
    assert model.score_samples(frame).mean() > np.log(1 / 36) + 0.3
    drawn = model.sample(4000, random_state=1)
    share = drawn.groupby(["x", "y"]).size().reindex(pd.MultiIndex.from_frame(cells), fill_value=0) / 4000
    assert np.abs(share.to_numpy() - density).max() < 0.02


def test_the_two_sample_test_is_at_chance_for_equal_tables_and_sure_of_shuffled_ones():
    real, other = table(200), table(200, seed=1)
    broken = real.assign(b=real["b"].to_numpy()[::-1])
    assert abs(metrics.c2st_auc(real, other) - 0.5) < 0.1
    assert metrics.c2st_auc(real, broken) > 0.75
    with pytest.raises(ValueError, match="same columns"):
        metrics.c2st_auc(real, other[["a"]])


def test_efficacy_needs_the_dependence_not_the_marginals():
    real, test = table(200), table(200, seed=1)
    shuffled = real.assign(b=real["b"].to_numpy()[::-1])
    assert metrics.ml_efficacy(real, test, "b") > 0.8 > 0.1 > metrics.ml_efficacy(shuffled, test, "b")
    assert metrics.ml_efficacy(real, test, "k") > 0.95
    assert metrics.ml_efficacy(real.assign(k="up"), test, "k") == 0.5


def test_copies_are_seen_by_their_distance_to_the_closest_record():
    train, held_out = table(150), table(150, seed=1)
    assert metrics.dcr(train, train, held_out)["closer_to_train"] > 0.95
    assert metrics.dcr(train, train, held_out)["median"] == 0
    fresh = metrics.dcr(table(150, seed=2), train, held_out)
    assert abs(fresh["closer_to_train"] - 0.5) < 0.15
    assert fresh["median"] == pytest.approx(fresh["holdout_median"], rel=0.5)


def test_a_forests_conditional_by_its_published_parameters():
    """Two leaves of one tree, weighed by hand: the peer's prediction is ours to get right."""
    from types import SimpleNamespace

    from presscheck.systems.nrgboost.peers import arf_conditional

    bounds = pd.DataFrame({"tree": [0, 0], "nodeid": [1, 2], "cvg": [0.75, 0.25]})
    normal = pd.DataFrame(
        {"tree": [0, 0] * 2, "nodeid": [1, 2] * 2, "variable": ["a"] * 2 + ["y"] * 2,
         "mean": [0.0, 1.0, 5.0, 9.0], "sd": [1.0, 1.0, 0.1, 0.1], "min": [-np.inf] * 4, "max": [np.inf] * 4}
    )  # fmt: skip
    forest = SimpleNamespace(
        bnds=bounds, orig_colnames=["a", "y"], factor_cols={"a": False, "y": False}, levels={},
        x_real=pd.DataFrame({"a": [0.0, 1.0], "y": [5.0, 9.0]}),
    )  # fmt: skip
    given = arf_conditional(
        forest, {"cnt": normal, "cat": normal[:0]}, pd.DataFrame({"a": [0.5], "y": [0.0]}), "y"
    )
    assert given[0] == pytest.approx(0.75 * 5 + 0.25 * 9)

"""The solver: scikit-learn's minimum, and weights that are exactly what the rows' shares say."""

from __future__ import annotations

import numpy as np
import pytest

from presscheck.archive.logistic import Rows, fit


def problem(n: int = 120, d: int = 6, v: int = 80, seed: int = 0):  # type: ignore[no-untyped-def]
    draw = np.random.default_rng(seed)
    dense = draw.normal(size=(n, d))
    sparse = (draw.random((n, v)) < 0.08) * draw.random((n, v))
    row, column = np.nonzero(sparse)
    y = dense[:, 0] + 4 * sparse[:, 3] + draw.normal(size=n) > 0.4
    return (
        Rows(dense, row, column, sparse[row, column], v),
        np.hstack([dense, sparse]),
        y,
        draw.random(n) + 0.1,
    )


@pytest.mark.parametrize("C", [0.03, 1.0, 40.0])
def test_it_finds_the_minimum_that_scikit_learn_finds(C: float):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows, whole, y, weights = problem()
    ours = fit(rows, y, weights, C)
    theirs = linear_model.LogisticRegression(C=C, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    theirs.fit(whole, y, sample_weight=weights)
    np.testing.assert_allclose(ours.weights, theirs.coef_[0], atol=2e-5)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=2e-5)


def test_the_gradient_is_zero_and_the_weights_are_the_sum_of_the_rows_shares():
    rows, whole, y, weights = problem()
    model = fit(rows, y, weights, 1.0)
    np.testing.assert_allclose(rows.back(model.shares), model.weights, atol=1e-5)
    assert abs(model.shares.sum()) < 1e-5
    np.testing.assert_allclose(rows.dot(model.weights), whole @ model.weights, atol=1e-12)


def test_rows_that_can_be_told_apart_perfectly_have_a_finite_answer():
    dense = np.array([[1.0], [2.0], [-1.0], [-2.0]])
    none = np.zeros(0, np.int64)
    rows = Rows(dense, none, none, np.zeros(0), 0)
    model = fit(rows, np.array([True, True, False, False]), np.ones(4), C=1e6)
    assert np.isfinite(model.weights).all()
    assert ((rows.dot(model.weights) + model.intercept > 0) == [True, True, False, False]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r, y, w: (r, y[:-1], w), "one of each a row"),
        (lambda r, y, w: (r, np.ones_like(y), w), "one kind alone"),
        (lambda r, y, w: (r, y, w * 0), "positive"),
        (lambda r, y, w: (r._replace(dense=r.dense * np.nan), y, w), "finite"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, words: str):  # type: ignore[no-untyped-def]
    rows, _, y, weights = problem()
    with pytest.raises(ValueError, match=words):
        fit(*change(rows, y, weights))

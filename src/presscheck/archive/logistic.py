"""L2-regularised logistic regression with row weights, by Newton steps with conjugate gradients.

Minimises ||w||^2 / 2 + C * sum_i c_i log(1 + exp(-s_i (x_i w + b))) with s_i = 2 y_i - 1;
the intercept b is not penalised. At the minimum w = C * sum_i c_i (y_i - p_i) x_i, so
each row's share in the weights is known exactly: that is what an explanation reads off.
The method is that of trust-region Newton for linear models (Lin, Weng, Keerthi, JMLR
2008), with a line search in place of the region. Shapes: N rows, D dense columns, V
sparse columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS = 100
INNER = 250
HALVINGS = 40
SMALL = 1e-7
"""The gradient's length, beside that at zero, at which the fit is done."""


class Rows(NamedTuple):
    """N rows of D dense and V sparse columns; entry k of the sparse part is (row[k], column[k])."""

    dense: NDArray[np.float64]
    """(N, D)"""
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float64]
    width: int
    """V"""

    def dot(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(D + V,) → (N,)."""
        import numpy as np

        n, d = self.dense.shape
        sparse = np.bincount(self.row, self.value * weights[d:][self.column], minlength=n)
        made: NDArray[np.float64] = self.dense @ weights[:d] + sparse
        return made

    def back(self, by_row: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) → (D + V,): the rows added up, each times its number."""
        import numpy as np

        sparse = np.bincount(self.column, self.value * by_row[self.row], minlength=self.width)
        return np.concatenate([by_row @ self.dense, sparse])


class Logistic(NamedTuple):
    """A fitted model: ``logit = rows.dot(weights) + intercept``."""

    weights: NDArray[np.float64]
    """(D + V,)"""
    intercept: float
    shares: NDArray[np.float64]
    """(N,), C c_i (y_i - p_i): the weights are ``rows.back(shares)``."""


def fit(rows: Rows, y: NDArray[np.bool_], row_weights: NDArray[np.float64], C: float = 1.0) -> Logistic:
    """Fit the model.

    Args:
        rows: finite.
        y: (N,), true for the positive rows; both kinds must be there.
        row_weights: (N,), positive.
        C: inverse of the regularisation, as scikit-learn counts it.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or one kind is missing.
    """
    import numpy as np

    n = len(rows.dense)
    if y.shape != (n,) or row_weights.shape != (n,):
        raise ValueError(
            f"got {n} rows, {y.shape} labels, {row_weights.shape} weights: need one of each a row"
        )
    finite = (
        np.isfinite(rows.dense).all() and np.isfinite(rows.value).all() and np.isfinite(row_weights).all()
    )
    if not (finite and (row_weights > 0).all() and C > 0):
        raise ValueError("rows must be finite, and row weights and C positive")
    if y.all() or not y.any():
        raise ValueError("need positive and negative rows: one kind alone separates nothing")
    problem = _Problem(rows, y, C * row_weights)
    theta = np.zeros(rows.dense.shape[1] + rows.width + 1)
    loss, p = problem.loss(theta)
    first = 0.0
    for _ in range(STEPS):
        gradient = problem.gradient(theta, p)
        length = float(np.linalg.norm(gradient))
        first = first or length
        if length <= SMALL * first:
            break
        step = problem.newton_step(gradient, p, min(0.1, (length / first) ** 0.5))
        decrease = float(gradient @ step)
        size = 1.0
        for _ in range(HALVINGS):
            new_loss, new_p = problem.loss(theta - size * step)
            if new_loss <= loss - 1e-4 * size * decrease:
                break
            size /= 2
        else:
            break  # as near as rounding lets it come
        theta, loss, p = theta - size * step, new_loss, new_p
    return Logistic(weights=theta[:-1], intercept=float(theta[-1]), shares=problem.strength * (y - p))


class _Problem(NamedTuple):
    """The objective with its derivatives; the last entry of theta is the intercept."""

    rows: Rows
    y: NDArray[np.bool_]
    strength: NDArray[np.float64]

    def loss(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The objective, and the probability of each row."""
        import numpy as np

        logits = self.rows.dot(theta[:-1]) + theta[-1]
        loss = float((self.strength * np.logaddexp(0.0, np.where(self.y, -logits, logits))).sum())
        p = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return loss + 0.5 * float(theta[:-1] @ theta[:-1]), p

    def gradient(self, theta: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        off = self.strength * (p - self.y)
        return np.append(theta[:-1] + self.rows.back(off), off.sum())

    def newton_step(
        self, gradient: NDArray[np.float64], p: NDArray[np.float64], tolerance: float
    ) -> NDArray[np.float64]:
        """H^-1 gradient by conjugate gradients, up to a residual of ``tolerance`` times the gradient."""
        import numpy as np

        curve = self.strength * p * (1 - p)
        step = np.zeros_like(gradient)
        residual = gradient.copy()
        direction = residual.copy()
        squared = float(residual @ residual)
        goal = tolerance**2 * squared
        for _ in range(INNER):
            along = curve * (self.rows.dot(direction[:-1]) + direction[-1])
            # The intercept has no penalty: where every row is certain H would be singular without this.
            product = np.append(direction[:-1] + self.rows.back(along), along.sum() + 1e-9 * direction[-1])
            size = squared / float(direction @ product)
            step += size * direction
            residual -= size * product
            before, squared = squared, float(residual @ residual)
            if squared <= goal:
                break
            direction = residual + (squared / before) * direction
        return step

"""Are samples as good: class recognised, Fréchet distance of features, likelihoods compared.

The judge is a small network trained on real digits; its last hidden layer is the feature space.
Shapes: N images, F features.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np


class Judge:
    """A classifier of real images: 64 and 16 hidden units.

    Args:
        images: (N, pixels), in [0, 1].
        labels: (N,).
        seed: Of its weights.
        iterations: Over the images, at most; it stops where its loss stands still.
    """

    def __init__(self, images: Any, labels: Any, seed: int = 0, iterations: int = 200) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

        self._network = MLPClassifier((64, 16), max_iter=iterations, tol=1e-3, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its accuracy on images tells
            self._network.fit(images, labels)

    def recognised(self, images: Any, labels: Any) -> Any:
        """(N,) 1 where the class is seen, else 0."""
        return (self._network.predict(images) == labels).astype(float)

    def features(self, images: Any) -> Any:
        """(N, 16): the last hidden layer."""
        hidden = np.asarray(images, dtype=float)
        layers = zip(self._network.coefs_[:-1], self._network.intercepts_[:-1], strict=True)
        for weights, bias in layers:
            hidden = np.maximum(hidden @ weights + bias, 0)
        return hidden


def frechet(one: Any, other: Any) -> float:
    """Fréchet distance of two sets of features, taken as normal: (N, F), (M, F).

    |mean difference|^2 + tr(A + B - 2 (AB)^(1/2)), Heusel et al., arXiv 1706.08500.

    Raises:
        ValueError: for fewer than two images.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"a covariance needs two images at least, got {len(one)} and {len(other)}")
    gap = one.mean(0) - other.mean(0)
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    # The eigenvalues of a product of two covariances are real and not negative, up to rounding.
    root = np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)).sum()
    return float(gap @ gap + np.trace(a) + np.trace(b) - 2 * root)


def half_spread(measure: Callable[[Any], float], count: int, seed: int, splits: int = 200) -> float:
    """How far a measure of a set differs between random halves of it: the 95th percentile.

    Args:
        measure: Of the members with these indices.
        count: Of the members.
        seed: Of the splits.
        splits: How many.
    """
    draw = np.random.default_rng(seed)
    gaps = []
    for _ in range(splits):
        order = draw.permutation(count)
        halves = order[: count // 2], order[count // 2 : 2 * (count // 2)]
        gaps.append(abs(measure(halves[0]) - measure(halves[1])))
    return float(np.quantile(gaps, 0.95))


def ks_pvalue(one: Any, other: Any) -> float:
    """P value of the two-sided Kolmogorov-Smirnov test that two samples have one distribution."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(one, other).pvalue)

"""Paired comparison of two arms that were measured in the same rounds.

Student's t is computed from its closed form for whole degrees of freedom
(Abramowitz and Stegun, 26.7.3 and 26.7.4), so that judging needs no SciPy.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev

LEAST = 5
"""Pairs below which there is no answer."""


def t_cdf(t: float, df: int) -> float:
    """Distribution function of Student's t with `df` whole degrees of freedom."""
    angle = math.atan2(t, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, cosine) if df % 2 else (1.0, 1.0)
    for k in range(3 if df % 2 else 2, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if df == 1:
        both = 2 * angle / math.pi
    elif df % 2:
        both = 2 / math.pi * (angle + sine * total)
    else:
        both = sine * total
    return 0.5 + both / 2


def t_quantile(p: float, df: int) -> float:
    """The t below which a share `p` of the distribution lies, 0.5 <= p < 1."""
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def interval(values: list[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean with its two-sided t interval: (estimate, low, high).

    Raises:
        ValueError: if there are fewer than five values.
    """
    if len(values) < LEAST:
        raise ValueError(f"{len(values)} of the {LEAST} pairs that an interval needs")
    if max(values) == min(values):
        return values[0], values[0], values[0]
    centre = fmean(values)
    half = t_quantile(0.5 + confidence / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return centre, centre - half, centre + half


def ratio(a: list[float], b: list[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Geometric mean of the paired ratios a/b, with the t interval of their logarithms.

    Raises:
        ValueError: if a reading is not above 0, the lists differ in length, or are too short.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs must match: {len(a)} values against {len(b)}")
    if min([*a, *b], default=1.0) <= 0:
        raise ValueError("a ratio needs readings above 0")
    centre, low, high = interval([math.log(x / y) for x, y in zip(a, b, strict=True)], confidence)
    return math.exp(centre), math.exp(low), math.exp(high)

from __future__ import annotations

import math
import random
import statistics

import pytest

from presscheck.bench.compare import interval, ratio, t_cdf, t_quantile
from presscheck.bench.run import Rounds, Run


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 7, 10, 29, 30, 200])
def test_students_t_is_that_of_scipy(df):
    stats = pytest.importorskip("scipy.stats")
    for t in (0.0, 0.3, 1.0, 2.5, 12.0):
        assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), abs=1e-12)
    for p in (0.5, 0.9, 0.975, 0.999):
        assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


def test_the_interval_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = [1.2, 0.7, 1.9, 1.1, 0.4, 2.2]
    low, high = stats.t.interval(0.9, 5, loc=statistics.fmean(values), scale=stats.sem(values))
    assert interval(values, 0.9) == pytest.approx((statistics.fmean(values), low, high))


def test_a_ratio_does_not_change_when_both_sides_are_scaled():
    a, b = [1.0, 2.0, 3.0, 4.0, 6.0], [2.0, 3.0, 5.0, 9.0, 10.0]
    scales = [1, 10, 100, 0.1, 7]
    scaled = ratio(
        [x * s for x, s in zip(a, scales, strict=True)], [y * s for y, s in zip(b, scales, strict=True)]
    )
    assert scaled == pytest.approx(ratio(a, b))


def test_four_pairs_are_too_few_however_alike_they_are():
    with pytest.raises(ValueError, match="4 of the 5"):
        interval([1.0] * 4)


def test_a_ratio_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        ratio([1, 1, 1, 1, 0], [1, 1, 1, 1, 1])


def drifting(factor: float, drift: float, seed: int):
    """Two arms on a machine that slows down by `drift` a trial; b costs `factor` times a."""
    draw, clock = random.Random(seed), [0]

    def arm(cost: float):
        def trial(_: int):
            clock[0] += 1
            yield "seconds", cost * (1 + drift) ** clock[0] * math.exp(draw.gauss(0, 0.02)), "s"

        return trial

    return {"a": arm(1.0), "b": arm(factor)}


def measured(factor: float, drift: float, seed: int) -> tuple[float, float, float]:
    rounds = Rounds(drifting(factor, drift, seed), Run(seeds=tuple(range(10)), warmup=1))
    rounds.go(lambda arm: None, lambda: None)
    a = [row.value for row in rounds.rows if row.arm == "a"]
    b = [row.value for row in rounds.rows if row.arm == "b"]
    return ratio(b, a)


def test_the_interval_covers_the_truth_on_a_machine_that_slows_down():
    """Shuffled rounds: 95 % nominal; a fixed order covers 1 far less often (83 % in a simulation)."""
    covered = sum(low <= 1.3 <= high for _, low, high in (measured(1.3, 0.01, seed) for seed in range(300)))
    assert 0.91 <= covered / 300 <= 0.99


def test_an_arm_against_itself_gives_an_interval_with_1():
    covered = sum(low <= 1.0 <= high for _, low, high in (measured(1.0, 0.01, seed) for seed in range(300)))
    assert 0.91 <= covered / 300 <= 0.99

from __future__ import annotations

import msgspec
import pytest

from presscheck.bench.verdict import judge
from presscheck.claims import Claim, Measurement, Record

CLAIM = Claim(
    id="bytes", text="t", source="abstract", reported="r", metric="b", arm="ours", against="base",
    holds_if="<= 0.80", beyond_our_scale="all",
)  # fmt: skip


def record(ours, base, **extra) -> Record:
    rows = [
        Measurement(arm=arm, metric="b", value=value, unit="B", seed=seed, round=seed)
        for arm, values in (("ours", ours), ("base", base))
        for seed, value in enumerate(values)
    ]
    return Record(
        system="s", paper="2407.21018", size="full", started="2026-01-01T00:00:00Z", seconds=1.0, machine={},
        packages={}, code={}, params={}, seeds=list(range(len(ours))), measurements=rows, **extra,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "sign", "bound", "answer"),
    [
        ([70, 71, 69, 70, 70], "<=", 0.80, "holds"),
        ([90, 91, 89, 90, 90], "<=", 0.80, "fails"),
        ([70, 90, 75, 85, 80], "<=", 0.80, "undecided"),
        ([90, 91, 89, 90, 90], ">=", 0.80, "holds"),
        ([70, 71, 69, 70, 70], ">=", 0.80, "fails"),
        ([80, 80, 80, 80, 80], "<=", 0.80, "holds"),
    ],
)
def test_the_whole_interval_has_to_lie_inside(ours, sign, bound, answer):
    claim = msgspec.structs.replace(CLAIM, holds_if=f"{sign} {bound}")
    assert judge(claim, record(ours, [100] * 5)).answer == answer


def test_pairs_are_of_one_round():
    """A machine that halves its speed between rounds must not widen the interval of a paired ratio."""
    verdict = judge(CLAIM, record([7, 70, 700, 14, 140], [10, 100, 1000, 20, 200]))
    assert (verdict.low, verdict.high) == pytest.approx((0.7, 0.7)) and verdict.answer == "holds"


def test_an_arm_that_dropped_out_leaves_its_claim_unmeasured():
    verdict = judge(CLAIM, record([70] * 5, [100] * 5, skipped={"base": "its process has ended"}))
    assert (verdict.answer, verdict.why) == ("not measured", "its process has ended")


def test_a_value_is_judged_without_a_second_arm():
    claim = msgspec.structs.replace(CLAIM, compare="value", against=None, holds_if=">= 69")
    assert judge(claim, record([70] * 5, [])).answer == "holds"


def test_a_difference_is_ours_less_theirs():
    claim = msgspec.structs.replace(CLAIM, compare="difference", holds_if="<= -29")
    assert judge(claim, record([70] * 5, [100] * 5)).estimate == -30

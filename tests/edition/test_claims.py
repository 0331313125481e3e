"""A claim on a page: its word, its figures, and a drawing whose places are where the numbers are."""

from __future__ import annotations

import math

from claimed import larch_system
from hypothesis import given
from hypothesis import strategies as st

from presscheck.edition.claims import WIDE, claims_of, figures, interval, needs, plot

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


def test_each_claim_has_the_word_of_its_verdict_and_says_why(tmp_path):
    told = claims_of(larch_system(tmp_path), page="../systems/larch.html", figure="../systems/larch.svg")
    assert told is not None and not told.stale
    assert [one.word for one in told.claims] == ["holds", "fails", "undecided", "not measured"]
    memory, speed, accuracy, peer = told.claims
    assert memory.measured_on == "larch / full" and accuracy.measured_on == "larch − full"
    assert speed.why.startswith("On a processor") and not memory.why
    assert peer.why == "rival is not installed" and peer.plot is None and not peer.measured
    assert told.figure and told.machine == "2 cores · Example CPU <i>" and told.seeds == 6
    assert told.counts == {"holds": 1, "fails": 1, "undecided": 1, "not measured": 1}


def test_a_system_without_a_record_has_measured_nothing(tmp_path):
    told = claims_of(larch_system(tmp_path, recorded=False), figure="x.svg")
    assert told is not None and {one.word for one in told.claims} == {"not measured"}
    assert not told.record and not told.figure and all(one.plot is None for one in told.claims)


def test_a_record_of_changed_code_is_said_to_be_one(tmp_path):
    larch_system(tmp_path)
    (tmp_path / "larch" / "__init__.py").write_text("changed = True\n")
    from presscheck.bench.standing import standing
    from presscheck.catalog import System

    system = System(slug="larch", package="larch", folder=tmp_path / "larch", origin="path")
    told = claims_of(standing(system, (tmp_path / "records",)))
    assert told is not None and told.stale


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["<=", ">="]), st.sampled_from([None, 0.0, 1.0]))
def test_a_drawing_keeps_the_order_of_its_numbers(a, b, c, bound, sign, baseline):
    low, estimate, high = sorted((a, b, c))
    drawn = plot(estimate, low, high, bound, sign, baseline)
    assert drawn is not None
    assert 0 <= drawn.low <= drawn.dot <= drawn.high <= WIDE
    assert (drawn.bound <= drawn.low) if bound < low else (drawn.bound >= drawn.low)
    inside = drawn.holds_from <= drawn.dot <= drawn.holds_to
    if estimate != bound and drawn.dot != drawn.bound:
        assert inside == (estimate < bound if sign == "<=" else estimate > bound)


def test_what_is_no_number_is_not_drawn():
    assert plot(math.nan, 0, 1, 1, "<=", 1.0) is None
    assert plot(0.5, 0.4, math.inf, 1, "<=", 1.0) is None


def test_figures_have_three_places_and_a_true_minus():
    assert interval(0.7668, 0.76, 0.7745) == "0.767 [0.760, 0.774]"
    assert [figures(x) for x in (-0.02, 1240.4, 31.25, 0, math.inf)] == [
        "−0.020",
        "1,240",
        "31.25",
        "0.000",
        "∞",
    ]
    assert needs("<=", 0.8) == "≤ 0.8" and needs(">=", -0.4) == "≥ −0.4"

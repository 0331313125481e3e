"""Quantities as fields: one figure in two languages, particles that fit, slots that have to be filled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.quantities import quantities
from presscheck.digest.write.amounts import SCALES, Amount, Scale, particle, say
from presscheck.digest.write.facts import BadSlot, Fact, render


@pytest.mark.parametrize(
    ("amount", "en", "ko"),
    [
        (Amount("2.42", "billion", "parameters"), "2.42 billion parameters", "24.2억 개의 파라미터"),
        (Amount("15", "trillion", "tokens"), "15 trillion tokens", "15조 개의 토큰"),
        (Amount("10", "thousand", "images"), "10 thousand images", "1만 장의 이미지"),
        (Amount("52.55", unit="%"), "52.55%", "52.55%"),
        (Amount("52.55%"), "52.55%", "52.55%"),
        (Amount("3.1", unit="percentage points"), "3.1 percentage points", "3.1%p"),
        (Amount("2.8", unit="x", hedge="up to"), "up to 2.8 times", "최대 2.8배"),
        (Amount("40", unit="%", hedge="over"), "over 40%", "40% 초과"),
        (Amount("100", unit="hours", hedge="at least"), "at least 100 hours", "최소 100시간"),
        (Amount("5", unit="ms", hedge="under"), "under 5 ms", "5 ms 미만"),
        (Amount("3-5", unit="%"), "3–5%", "3~5%"),
        (Amount("1.5", "million", "$"), "$1.5 million", "150만달러"),
        (Amount("7", unit="furlongs"), "7 furlongs", "7 furlongs"),
        (Amount("0.0005", "million", "samples"), "0.0005 million samples", "500 개의 샘플"),
    ],
)
def test_an_amount_reads_the_same_in_both_languages(amount: Amount, en: str, ko: str):
    assert (say(amount, "en"), say(amount, "ko")) == (en, ko)


@given(
    whole=st.integers(1, 999),
    part=st.integers(0, 99),
    scale=st.sampled_from([scale for scale in SCALES if scale]),
)
def test_the_korean_size_is_the_english_one_by_the_checks_own_reading(whole: int, part: int, scale: Scale):
    amount = Amount(f"{whole}.{part:02}", scale, "parameters")
    (en,) = quantities(f"a model with {say(amount, 'en')}", "en")
    (ko,) = quantities(f"{say(amount, 'ko')}를 가진 모델", "ko")
    assert en.low == pytest.approx(ko.low)


@pytest.mark.parametrize("value", ["", "many", "7B", "1e9", "{1}", "12 or so", "1,23", "<b>3</b>", "²"])
def test_what_is_no_number_is_refused(value: str):
    with pytest.raises(ValueError, match="is not a number"):
        say(Amount(value), "en")


@pytest.mark.parametrize(
    ("figure", "following", "expected"),
    [
        ("2.8배", "을 줄입니다.", "를 줄입니다."),
        ("24.2억", "를 넘습니다.", "을 넘습니다."),
        ("40%", "으로 줄입니다.", "로 줄입니다."),
        ("3", "은 작습니다.", "은 작습니다."),
        ("2", "은 작습니다.", "는 작습니다."),
        ("7일", "으로 줄입니다.", "로 줄입니다."),
        ("토큰 6", "이(가) 듭니다.", "이 듭니다."),
        ("4", "을(를) 씁니다.", "를 씁니다."),
        ("10점", "와 같습니다.", "과 같습니다."),
        ("5", " 이상입니다.", " 이상입니다."),
        ("5", "이상입니다.", "이상입니다."),
        ("5", "가지입니다.", "가지입니다."),
    ],
)
def test_a_particle_fits_the_figure_before_it(figure: str, following: str, expected: str):
    assert particle(figure, following) == expected


def fact(**given: object) -> Fact:
    fields = {"section": "whats_new", "sentences": (1,), "quantities": (Amount("3", unit="hours"),), **given}
    return Fact(**fields)


def test_a_unit_that_the_text_says_again_is_not_said_twice():
    assert render(fact(en="It takes {1} hours."), "en") == "It takes 3 hours."
    assert render(fact(ko="{1}시간이 걸립니다."), "ko") == "3시간이 걸립니다."


@pytest.mark.parametrize("text", ["It takes {2}.", "It takes {0}.", "It takes {17}."])
def test_a_slot_without_a_quantity_is_refused(text: str):
    with pytest.raises(BadSlot, match="there are 1 quantities"):
        render(fact(en=text), "en")


def test_a_quantity_without_a_slot_is_refused_where_the_text_has_slots():
    two = (Amount("3"), Amount("4"))
    with pytest.raises(BadSlot, match=r"lacks \{2\}"):
        render(fact(quantities=two, en="It takes {1}."), "en")


def test_figures_written_out_are_left_to_the_check():
    assert render(fact(en="It takes 3 hours."), "en") == "It takes 3 hours."

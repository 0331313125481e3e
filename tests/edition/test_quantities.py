from __future__ import annotations

from decimal import Decimal

import pytest

from tests.edition.quantities import english_numbers, korean_numbers, names


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("289 million parameters", "파라미터 2억 8,900만 개"),
        ("40 billion tokens", "400억 토큰"),
        ("28.56 billion of 39.67 billion", "396.7억 가운데 285.6억"),
        ("from 32,000 to 61,362 tokens", "3만 2,000개에서 6만 1,362개로"),
        ("in September 2023, over 20%", "2023년 9월, 20% 넘게"),
        ("1.08 trillion", "1조 800억"),
        ("the first guess, 0.754", "첫 번째 예측, 0.754"),
    ],
)
def test_equal_quantities_compare_equal(english: str, korean: str):
    assert english_numbers(english) == korean_numbers(korean)


@pytest.mark.parametrize(
    ("english", "korean"),
    [("2.42 billion", "2.42억"), ("289 million", "2,890만"), ("0.754", "0.752"), ("3 of 4", "3개")],
)
def test_unequal_quantities_compare_unequal(english: str, korean: str):
    assert english_numbers(english) != korean_numbers(korean)


def test_digits_of_names_are_no_quantities():
    assert english_numbers("LLaMA3, PPM-100, 8×289M and JaColBERTv2.5") == {}
    assert names("LLaMA3와 8×289M,") == {"LLaMA3": 1, "8×289M": 1}
    assert english_numbers("Apache 2.0 and 4 A100 GPUs") == {Decimal("2"): 1, Decimal("4"): 1}

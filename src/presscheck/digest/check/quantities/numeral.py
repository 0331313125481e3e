"""A number as it is written: where it stands, what it is worth, how finely it was given."""

from __future__ import annotations

from typing import Literal

from presscheck.types import Struct

Form = Literal["cardinal", "ordinal", "fraction", "multiple", "implied"]


class Numeral(Struct, frozen=True, kw_only=True):
    """One written number, before anything around it is read."""

    start: int
    end: int
    value: float
    step: float
    """Worth of the last written digit: 1e7 for 2.42B. A value is only known to half of it."""
    digits: str
    """The digits as written ("2.42"); empty for a number in words."""
    scale: str = ""
    """The word or letter of its magnitude: 억, 만, B, million."""
    form: Form = "cardinal"
    """``implied``: a word that only hints at a number ("dual", "both")."""


def worth(digits: str) -> tuple[float, float]:
    """Value and step of plain digits such as ``1,234.5``: 1234.5 and 0.1.

    Args:
        digits: ASCII digits with optional thousands commas and one decimal point.

    Returns:
        The value (``inf`` when it does not fit) and the worth of the last digit.
    """
    plain = digits.replace(",", "")
    decimals = len(plain) - plain.find(".") - 1 if "." in plain else 0
    return float(plain), 10.0 ** -min(decimals, 300)


def times(value: float, factor: float) -> float:
    """The product, with the noise of binary fractions taken off: 1.08 * 1e12 is 1.08e12."""
    product = value * factor
    return float(round(product)) if abs(product - round(product)) < 1e-9 * product < 1e6 else product

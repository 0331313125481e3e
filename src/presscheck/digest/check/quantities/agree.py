"""When two quantities say the same: rounding that is honest, units that convert, nouns that fit."""

from __future__ import annotations

from typing import Literal

from presscheck.digest.check.quantities.quantity import Quantity

Fit = Literal["same", "open", "other"]
_LOWER = frozenset({"over", "at least"})
_ROUGH_HEDGES = frozenset({"about", "over", "at least", "under", "at most", "up to"})
_ROUNDED, _ROUGHLY = 0.06, 0.10
_K = 1.024


def rounds_to(stated: Quantity, value: float, source: Quantity, at: float) -> bool:
    """Whether a stated value is the source's, exactly or honestly rounded.

    The statement may be coarser than the source, never finer: 52.6 for 52.55 is
    rounding, 52.55 for 52.6 is invention. A hedge allows for more.

    Args:
        stated: the quantity of the statement.
        value: its value (or the end of its range) in base units.
        source: the quantity of the source.
        at: its value (or the end of its range) in base units.
    """
    if value == at:
        return True
    gap, size = abs(value - at), max(abs(value), abs(at))
    if gap <= 1e-9 * size:
        return True
    step, source_step = stated.step * stated.worth, source.step * source.worth
    # Half of the last digit is rounding, a whole one is cutting off; both are common in print.
    if (
        step > source_step * 1.01
        and gap <= 1.001 * step * (0.5 if value > at else 1.0)
        and gap <= _ROUNDED * size
    ):
        return True
    # 128K and 131,072 are one number in computing.
    if (
        "K" in (stated.scale.upper(), source.scale.upper())
        and abs(gap - (_K - 1) * min(value, at)) < 1e-6 * size
    ):
        return True
    if stated.hedge not in _ROUGH_HEDGES or gap > _ROUGHLY * size:
        return False
    if figures(value) > 2 or figures(value) >= figures(at):
        return False
    return value < at if stated.hedge in _LOWER else stated.hedge == "about" or value > at


def figures(value: float) -> int:
    """How many digits a value has before only noughts follow: 2 for 3,200 and for 0.45."""
    return len(f"{value:.9e}".split("e")[0].rstrip("0").replace(".", ""))


def unit_fit(stated: Quantity, source: Quantity) -> Fit:
    """Whether the units are the same, one is left open, or they contradict each other."""
    one, other = stated.dimension, source.dimension
    if source.kind in ("name", "named", "implied", "factor") or stated.kind == "factor":
        return "open"
    if one == other and one and stated.worth != source.worth and stated.low == source.low:
        return "other"
    if one == other:
        return "same" if one else "open"
    if {one, other} == {"percent", "points"}:
        return "open"
    if one and other:
        return "other"
    # A counted thing is no percentage: "16개" is not 16 %, "2배" not two things.
    bare = stated if not one else source
    known = one or other
    if bare.kind == "count" and bare.written and known in ("percent", "times", "money", "time", "data"):
        return "other"
    return "open"


def comparable(stated: Quantity, source: Quantity) -> bool:
    """Whether a source's number can carry the stated one at all: the 4 of GPT-4 carries no 4 %."""
    if source.kind in ("name", "named", "implied"):
        return stated.dimension in ("", "bits", "pixels", "angle")
    if source.kind == "fraction":
        return stated.kind == "fraction" or stated.dimension == "" and "." in stated.written
    return True


def noun_fit(stated: Quantity, source: Quantity) -> int:
    """2 when both may count the same kind of thing, 0 when they count different things, 1 when open."""
    if not stated.nouns or not source.nouns:
        return 1
    return 2 if stated.nouns & source.nouns else 0


def ends(quantity: Quantity) -> tuple[float, ...]:
    """Its value, or both ends of its range, in base units."""
    low, high = quantity.low * quantity.worth, quantity.high * quantity.worth
    return (low,) if low == high else (low, high)

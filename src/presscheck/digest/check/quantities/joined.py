"""Numbers that belong together: ranges (5 to 10), fractions (3/4), lists with one unit (80, 10 and 10%)."""

from __future__ import annotations

import re

from presscheck.digest.check.quantities.numeral import worth
from presscheck.digest.check.quantities.quantity import Quantity
from presscheck.digest.check.quantities.units import PERCENT

RANGE = re.compile(r" ?[-–—~∼‑] ?| to | ~ ")
_FROM = re.compile(r"(?:from|between|From|Between) (?:[~$]|about |approximately |roughly )?$")
_SLASH = re.compile(r"/")
_LISTED = re.compile(r"(?:,? ?(?:and|or|to|및|와|과|에서|,) ?)|/| ?→ ?")


def joined(text: str, first: Quantity | None, second: Quantity) -> Quantity | None:
    """A range (5 to 10, 6.5–7.0) or a fraction (3/4) of two numbers that stand together."""
    if first is None or "name" in (first.kind, second.kind) or not (first.written and second.written):
        return None
    joint = text[first.end : second.start]
    if first.low != first.high or len(joint) > 5:
        return None
    if _SLASH.fullmatch(joint) and not first.unit and not first.scale and 0 < first.low < second.low <= 1000:
        if first.kind in ("number", "named") and first.written.isdigit() and second.written.isdigit():
            if second.kind not in ("number", "count", "named"):
                return None
            value = first.low / second.low
            return _replace(text, second, first, low=value, high=value, step=0.01, kind="fraction", unit="")
        return None
    between = joint == " and " and text[max(0, first.start - 8) : first.start].lower().endswith("between ")
    if not between and not RANGE.fullmatch(joint) or second.sign == "-" and not joint:
        return None
    if joint == " to " and _FROM.search(text[max(0, first.start - 20) : first.start]):
        return None
    if first.dimension and second.dimension and first.dimension != second.dimension:
        return None
    low, high, step = first.low, second.high, max(first.step, second.step)
    if not first.scale and second.scale and second.step and low < high / second.step:
        # "7-13B": the magnitude behind the second stands for both.
        factor = second.high / _plain(second.written)
        low, step = low * factor, second.step
    if low > high and not between:
        return None
    unit = second if second.dimension or second.unit else first
    return _replace(
        text, second, first, low=low, high=high, step=step, kind=unit.kind, unit=unit.unit,
        dimension=unit.dimension, worth=unit.worth, nouns=first.nouns | second.nouns,
    )  # fmt: skip


def _plain(written: str) -> float:
    """Value of plain digits, never zero."""
    return (worth(written)[0] if re.fullmatch(r"[\d,.]+", written) else 1.0) or 1.0


def _replace(text: str, base: Quantity, first: Quantity, **changes: object) -> Quantity:
    """The second of two joined numbers, widened to begin where the first does."""
    fields = {name: getattr(base, name) for name in base.__struct_fields__}
    fields |= {
        "start": first.start, "text": text[first.start : base.end], "hedge": first.hedge or base.hedge,
        "hedge_text": first.hedge_text or base.hedge_text, "sign": first.sign,
        "written": text[first.start : base.end] if base.written else "",
    }  # fmt: skip
    return Quantity(**(fields | changes))


def shared_units(text: str, found: list[Quantity]) -> list[Quantity]:
    """Give a bare number of a list the percent sign that stands behind the last: 80, 10 and 10%."""
    for at in range(len(found) - 2, -1, -1):
        here, following = found[at], found[at + 1]
        if (
            following.dimension == "percent" and here.kind == "number" and not here.nouns
            and _LISTED.fullmatch(text, here.end, following.start)
        ):  # fmt: skip
            fields = {name: getattr(here, name) for name in here.__struct_fields__}
            found[at] = Quantity(
                **(fields | {"kind": "percent", "unit": PERCENT.name, "dimension": "percent"})
            )
    return found

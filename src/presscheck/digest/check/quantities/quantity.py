"""A quantity as a text gives it."""

from __future__ import annotations

from typing import Literal

from presscheck.digest.check.quantities.hedges import Hedge
from presscheck.digest.check.quantities.units import Dimension
from presscheck.types import Struct

Kind = Literal[
    "count", "measure", "percent", "points", "times", "money", "year", "ordinal", "fraction",
    "factor", "named",
    "implied", "number", "name",
]  # fmt: skip


class Quantity(Struct, frozen=True, kw_only=True):
    """One quantity as a text gives it; ``low`` and ``high`` differ for a range."""

    low: float
    high: float
    step: float
    """Worth of the last written digit: how finely the value is given."""
    kind: Kind
    unit: str = ""
    """Normalised: percent, pp, times, hours, USD, GB …; params, tokens, ``items:<noun>`` for counts."""
    dimension: Dimension = ""
    worth: float = 1.0
    """Base units of the dimension that one unit is worth."""
    nouns: frozenset[str] = frozenset()
    """The kinds of things that it may count."""
    hedge: Hedge | None = None
    hedge_text: str = ""
    sign: Literal["", "+", "-", "±"] = ""
    per: str = ""
    """Denominator as written: "tutor", "튜터"."""
    relative: Literal["", "relative", "absolute"] = ""
    scale: str = ""
    """Word or letter of magnitude: 억, 만, B, million."""
    written: str = ""
    """As digits, without magnitude and unit; empty for a number in words."""
    text: str
    start: int
    end: int

"""What is off about a number that the source has: its unit, its hedge, its name."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import NamedTuple

from presscheck.digest.check.number_pool import Pool, Sourced
from presscheck.digest.check.number_words import hedge_reads
from presscheck.digest.check.quantities import Quantity
from presscheck.digest.check.quantities.agree import ends, figures
from presscheck.digest.check.quantities.hedges import LOWER, UPPER
from presscheck.digest.check.quantities.names import name_before

UNCHECKED = frozenset({"name", "named", "implied"})
"""Kinds that carry a number of a statement and are never the right reading of one."""


class Remark(NamedTuple):
    """What is off with one quantity, and the source's number that shows it."""

    kind: str
    found: Sourced
    sure: float
    note: str


def renamed(statement: str, stated: Quantity, pool: Pool) -> Remark | None:
    """A number in a name that the source has with other numbers only: AIME 2042 for AIME 2024."""
    name = name_before(statement, stated.start)
    known = pool.of_name(name) if name else []
    if not known or any(found.at == value for found in known for value in ends(stated)):
        return None
    ratio = known[0].at / stated.low if stated.low else 0.0
    shifted = ratio > 0 and abs(log10(ratio) - round(log10(ratio))) < 1e-6
    return Remark("magnitude" if shifted else "number", known[0], 0.6, "another number in the same name")


def other_unit(stated: Quantity, candidates: Sequence[Sourced], evidence: frozenset[int]) -> Remark | None:
    """The same figure with a unit that contradicts the source's."""
    plain = [
        found
        for found in candidates
        if found.quantity.kind not in UNCHECKED and found.quantity.low == found.quantity.high
    ]
    if not plain or stated.low == 1 or not stated.written:
        return None
    found = min(plain, key=lambda one: (one.piece not in evidence, one.piece))
    if stated.dimension == found.quantity.dimension:
        sure = 0.85
    elif figures(stated.low) < 2 and found.piece not in evidence:
        # One digit that stands somewhere with another unit is a coincidence as often as not.
        sure = 0.4
    else:
        sure = 0.8 if stated.dimension and found.quantity.dimension else 0.55
    return Remark("unit", found, sure, "another unit")


def share(stated: Quantity, candidates: Sequence[Sourced]) -> Remark | None:
    """Points told as percent, relative as absolute, a price without what it is the price of."""
    found = candidates[0]
    source = found.quantity
    if stated.dimension == "money" and not stated.per and all(one.quantity.per for one in candidates):
        return Remark("unit", found, 0.5, f"the source says it per {source.per}")
    if any(one.quantity.dimension in (stated.dimension, "") for one in candidates):
        relative = {one.quantity.relative for one in candidates if one.quantity.dimension == stated.dimension}
        if stated.relative and relative and not relative & {stated.relative, ""}:
            return Remark("unit", found, 0.7, "relative and absolute are swapped")
        return None
    if stated.dimension == "percent" and source.dimension == "points":
        return Remark("unit", found, 0.5, "points are no percent")
    if stated.dimension == "points" and source.relative == "relative":
        return Remark("unit", found, 0.7, "a relative percentage is no difference in points")
    return None


def bound(stated: Quantity, candidates: Sequence[Sourced]) -> Remark | None:
    """A bound that the source does not give, gives the other way round, or that got lost."""
    hedges = {one.quantity.hedge for one in candidates}
    mine = stated.hedge
    if mine in hedges or mine == "about" or stated.kind in ("year", "ordinal"):
        return None
    if any(one.quantity.kind in UNCHECKED or not hedge_reads(one.quantity) for one in candidates):
        return None
    found = candidates[0]
    if mine is None:
        if None in hedges or "about" in hedges:
            return None
        return Remark("hedge", found, 0.5 if hedges <= UPPER else 0.4, "the bound is gone")
    group, opposite = (LOWER, UPPER) if mine in LOWER else (UPPER, LOWER)
    if hedges & group or not hedge_reads(stated):
        return None
    if hedges <= opposite:
        return Remark("hedge", found, 0.85, "the bound is turned round")
    return Remark("hedge", found, 0.4, "the bound is not in the source")

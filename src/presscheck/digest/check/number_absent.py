"""What a number that the source does not have should have been, and how sure that is."""

from __future__ import annotations

from presscheck.digest.check.number_match import UNCHECKED, Remark
from presscheck.digest.check.number_pool import Pool, Sourced
from presscheck.digest.check.number_words import alike
from presscheck.digest.check.quantities import Quantity
from presscheck.digest.check.quantities.agree import ends, figures, noun_fit, unit_fit
from presscheck.types import Struct

FAR, FARTHEST = 4.0, 10.0
"""How many times larger or smaller a number of the source may be to be told as what was meant, in general
and where both count the same thing. That the number is missing is told all the same."""
SMALL = 12
"""Up to here a number in words may be the writer's own count of what the source lists."""


class Setting(Struct, frozen=True, kw_only=True):
    """What is known about a statement besides its words."""

    evidence: frozenset[int]
    """Pieces of the source that carry it; empty when not known."""
    uncarried: bool
    """It is known that no piece does."""
    complete: bool
    """The source is the whole paper."""
    used: frozenset[tuple[int, float]]
    """Numbers of the source that some number of the statement agrees with, by identity and value."""


def shifted(stated: Quantity, pool: Pool, setting: Setting) -> Remark | None:
    """The source's unused number with the same digits and another power of ten."""
    found = [one for one in pool.shifted(stated) if (id(one.quantity), one.at) not in setting.used]
    for one in sorted(
        found, key=lambda one: (one.piece not in setting.evidence, -noun_fit(stated, one.quantity))
    ):
        if _is_shift(stated, one, one.piece in setting.evidence):
            return Remark("magnitude", one, 0.9 if stated.written else 0.6, "a power of ten apart")
    return None


def _is_shift(stated: Quantity, found: Sourced, here: bool) -> bool:
    """Whether a shifted number is the same one gone wrong, and no coincidence of leading digits."""
    source = found.quantity
    if source.kind in ("year", "ordinal", "implied") or stated.kind in ("year", "ordinal"):
        return False
    fit, noun = unit_fit(stated, source), noun_fit(stated, source)
    if fit == "other":
        return False
    # Nouns are told apart by a short list; two digits that agree weigh more than two nouns that differ.
    if fit == "same" or noun == 2 or figures(source.low) >= 2:
        return True
    # A single digit needs more: its noughts, or a magnitude on both sides.
    long = min(stated.low, source.low) >= (10 if here else 100)
    return bool(noun and (long or stated.scale and source.scale))


def anchor(stated: Quantity, pool: Pool, setting: Setting) -> Sourced | None:
    """What the statement should have said: the nearest unused number of the same kind."""
    best: tuple[tuple[int, int, float], Sourced] | None = None
    value = max(ends(stated)[0], 1e-12)
    for found in pool.like(stated, setting.evidence):
        source = found.quantity
        if (id(source), found.at) in setting.used or not _may_replace(stated, source):
            continue
        fit, noun = unit_fit(stated, source), noun_fit(stated, source)
        strong = fit == "same" or noun == 2 or alike(stated, source)
        if fit == "other" or not noun and not strong:
            continue
        strength = 2 * (fit == "same") + (noun == 2) + (source.kind not in UNCHECKED)
        ratio = max(found.at, 1e-12) / value
        rank = (2 * strong + (found.piece in setting.evidence), strength, -max(ratio, 1 / ratio))
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best else None


def may_be_meant(stated: Quantity, instead: Sourced) -> bool:
    """Whether the anchor is worth telling the reader: of a size that a slip of digits would explain."""
    one, other = stated.low * stated.worth, instead.quantity.low * instead.quantity.worth
    if one <= 0 or other <= 0:
        return True
    most = FARTHEST if noun_fit(stated, instead.quantity) == 2 else FAR
    return max(one / other, other / one) <= most


def _may_replace(stated: Quantity, source: Quantity) -> bool:
    """Whether a source's number is of a kind that the stated one may have been meant for."""
    if source.kind in ("name", "named") or source.low == 1 or stated.written and source.kind == "implied":
        return False
    if any((source.kind == kind) != (stated.kind == kind) for kind in ("year", "ordinal")):
        return False
    if source.kind == "fraction" and stated.kind != "fraction":
        return False
    if stated.dimension and not source.dimension:
        return bool(source.written) and not source.nouns
    return bool(stated.dimension) or not source.dimension or not stated.nouns


def sureness(stated: Quantity, instead: Sourced | None, setting: Setting) -> float:
    """How sure a missing number is an error, by what the source has in its place."""
    absent = 0.7 if setting.complete else 0.4
    if setting.uncarried:
        return absent
    if setting.evidence and stated.written:
        # What carries the statement is known, and neither it nor anything around it has such a number.
        absent = max(absent, 0.5)
    small = not stated.written and stated.low <= SMALL
    if instead is None:
        return 0.3 if small or stated.kind in ("ordinal", "fraction") else absent
    source = instead.quantity
    here = instead.piece in setting.evidence or not setting.evidence
    if source.kind in UNCHECKED:
        return 0.3 if small else absent
    if unit_fit(stated, source) == "same" or noun_fit(stated, source) == 2:
        if here:
            return 0.65 if small else 0.85
        return 0.5 if small else 0.6
    if alike(stated, source) or stated.kind == "year":
        return 0.6
    if small and setting.evidence and here and not source.written and source.low <= SMALL:
        return 0.5
    return 0.3 if small else 0.6 if here else absent

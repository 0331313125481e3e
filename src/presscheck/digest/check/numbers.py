"""The numbers of a statement against the numbers of its source.

Each quantity of the statement is looked for in the source, by value first and by
unit and counted thing second. What is not found is compared with what the source
has and the statement leaves unused: a power of ten apart is ``magnitude``, the same
figure with another unit is ``unit``, anything else is ``number``. What this cannot
see: a right number told of the wrong thing, when both things are in the source and
neither its unit nor its noun tells them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from presscheck.digest.check.number_absent import SMALL, Setting, anchor, may_be_meant, shifted, sureness
from presscheck.digest.check.number_match import Remark, bound, other_unit, renamed, share
from presscheck.digest.check.number_pool import Pool, Sourced
from presscheck.digest.check.number_words import conflict, missing, worded
from presscheck.digest.check.quantities import Quantity, scan
from presscheck.digest.check.quantities.agree import noun_fit, unit_fit
from presscheck.types import Finding, Language

SURE_ENOUGH = 0.5
"""Findings below it are hints: a number that the given source does not have may stand in the full text."""

LONGEST = 200_000
"""Characters of a statement, and of each piece of a source, that are read."""


def compare_numbers(
    statement: str,
    sources: Sequence[str],
    *,
    evidence: Collection[int] | None = None,
    language: Language | None = None,
    complete: bool = False,
    places: Sequence[str] = (),
) -> list[Finding]:
    """Hold every number of a statement against its source.

    Args:
        statement: one statement of a digest, Korean or English.
        sources: the source in pieces (sentences of the abstract, the title, paragraphs).
        evidence: indices of the pieces that carry the statement, where that is known;
            a number that stands only elsewhere then has to fit by unit or noun. Empty
            when it is known that none does: the statement then is about something that
            the source does not tell, and its numbers are hints and no conflicts.
        language: of the statement; by default Korean if it has Hangul. Decides how
            the expected number is written.
        complete: whether ``sources`` is the whole paper. With the abstract alone a
            number that nothing in the source corresponds to is reported as unsure.
        places: what to call each piece in the message ("title", "sentence 1", "Table 2");
            by default they are numbered as sentences.

    Returns:
        Findings of the kinds magnitude, number, unit, hedge and source_conflict, in
        the order of the statement; ``expected`` is in the statement's language.
    """
    stated = [
        quantity for quantity in _scanned(statement[:LONGEST]) if quantity.kind not in ("name", "implied")
    ]
    if not stated:
        return []
    spoken: Language = language or ("ko" if any("가" <= letter <= "힣" for letter in statement) else "en")
    pool = _pool(tuple(piece[:LONGEST] for piece in sources))
    agreeing = [_told(quantity, pool) for quantity in stated]
    setting = Setting(
        evidence=frozenset(evidence or ()),
        uncarried=evidence is not None and not evidence,
        complete=complete,
        used=frozenset(
            (id(found.quantity), found.at)
            for quantity, candidates in zip(stated, agreeing, strict=True)
            for found in candidates
            if unit_fit(quantity, found.quantity) != "other"
        ),
    )
    found: list[Finding] = []
    for quantity, candidates in zip(stated, agreeing, strict=True):
        remark = _remark(statement, quantity, candidates, pool, setting)
        if isinstance(remark, Remark):
            found.append(
                worded(remark.kind, quantity, remark.found, remark.sure, remark.note, spoken, places)
            )
        elif remark is not None:
            found.append(remark)
    return found


@lru_cache(maxsize=64)
def _pool(sources: tuple[str, ...]) -> Pool:
    """The source's numbers; a source is asked once for each statement, so it is kept for a while."""
    return Pool(sources)


@lru_cache(maxsize=256)
def _scanned(text: str) -> tuple[Quantity, ...]:
    return tuple(scan(text))


def _told(stated: Quantity, pool: Pool) -> list[Sourced]:
    """Where the source has a number; what is counted in words does not stand inside a name (GPT-4o, 4D)."""
    found = pool.agreeing(stated)
    if stated.written or not stated.nouns:
        return found
    return [one for one in found if one.quantity.kind not in ("name", "named")]


def _remark(
    statement: str, stated: Quantity, candidates: list[Sourced], pool: Pool, setting: Setting
) -> Remark | Finding | None:
    """What is off about one quantity."""
    if stated.kind in ("named", "year"):
        remark = renamed(statement, stated, pool)
        if remark is not None or stated.kind == "named":
            return remark
    return _matched(stated, candidates, pool, setting) if candidates else _unmatched(stated, pool, setting)


def _matched(
    stated: Quantity, candidates: list[Sourced], pool: Pool, setting: Setting
) -> Remark | Finding | None:
    """Something about a number that the source has: its unit, its hedge, what it counts."""
    fitting = [found for found in candidates if unit_fit(stated, found.quantity) != "other"]
    if not fitting:
        return other_unit(stated, candidates, setting.evidence)
    here = [found for found in fitting if found.piece in setting.evidence]
    if not here or all(not noun_fit(stated, found.quantity) for found in here):
        swapped = _swapped(stated, here or fitting, pool, setting)
        if swapped is not None:
            return swapped
    best = here or fitting
    close = [found for found in best if _is_close(stated, found)] or best
    return share(stated, close) or bound(stated, close) or conflict(stated, best, pool)


def _is_close(stated: Quantity, found: Sourced) -> bool:
    """Whether unit or noun say that a number is meant, where its value alone might be chance."""
    return unit_fit(stated, found.quantity) == "same" or noun_fit(stated, found.quantity) == 2


def _swapped(stated: Quantity, candidates: list[Sourced], pool: Pool, setting: Setting) -> Remark | None:
    """A number that the source has for something else, while its own is left unused."""
    if any(_is_close(stated, found) for found in candidates):
        return None
    if not stated.nouns or stated.kind in ("year", "ordinal", "factor", "fraction") or stated.low == 1:
        return None
    meant = anchor(stated, pool, setting)
    if meant is None or noun_fit(stated, meant.quantity) != 2 or meant.quantity.kind == "implied":
        return None
    known = all(not noun_fit(stated, found.quantity) for found in candidates)
    if not known and meant.piece not in setting.evidence:
        return None
    return Remark("number", meant, 0.6 if known else 0.5, "told of something else there")


def _unmatched(stated: Quantity, pool: Pool, setting: Setting) -> Remark | Finding | None:
    """A number that the source does not have."""
    if stated.low == stated.high == 1 or stated.kind == "ordinal" and not stated.written:
        return None
    if pool.parts(stated):
        return None
    remark = shifted(stated, pool, setting)
    if remark is not None:
        return remark
    meant = anchor(stated, pool, setting)
    sure = sureness(stated, meant, setting)
    counted = not stated.written and stated.low <= SMALL and pool.lists(stated.low, setting.evidence)
    if counted and sure < 0.6:
        return None
    if meant is None or sure < SURE_ENOUGH and stated.kind == "year" or not may_be_meant(stated, meant):
        return missing(stated, sure)
    return Remark("number", meant, sure, "not in the source")

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
from math import log10

from presscheck.digest.check.number_pool import Pool, Sourced
from presscheck.digest.check.number_words import alike, hedge_reads, printed, says
from presscheck.digest.check.quantities import Quantity, scan
from presscheck.digest.check.quantities.agree import ends, figures, noun_fit, unit_fit
from presscheck.digest.check.quantities.hedges import LOWER, UPPER
from presscheck.digest.check.quantities.names import name_before
from presscheck.types import Finding, Language

SURE_ENOUGH = 0.5
"""Findings below it are hints: a number that the given source does not have may stand in the full text."""

_UNCHECKED = frozenset({"name", "named", "implied"})


def compare_numbers(
    statement: str,
    sources: Sequence[str],
    *,
    evidence: Collection[int] | None = None,
    language: Language | None = None,
    complete: bool = False,
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

    Returns:
        Findings of the kinds magnitude, number, unit, hedge and source_conflict, in
        the order of the statement; ``expected`` is in the statement's language.
    """
    stated = [quantity for quantity in _scanned(statement) if quantity.kind not in ("name", "implied")]
    if not stated:
        return []
    spoken: Language = language or ("ko" if any("가" <= letter <= "힣" for letter in statement) else "en")
    pool = _pool(tuple(sources))
    uncarried = evidence is not None and not evidence
    comparison = _Comparison(statement, stated, pool, frozenset(evidence or ()), spoken, complete, uncarried)
    return comparison.findings()


@lru_cache(maxsize=64)
def _pool(sources: tuple[str, ...]) -> Pool:
    """The source's numbers; a source is asked once for each statement, so it is kept for a while."""
    return Pool(sources)


@lru_cache(maxsize=256)
def _scanned(text: str) -> tuple[Quantity, ...]:
    return tuple(scan(text))


class _Comparison:
    """One statement with its source."""

    def __init__(
        self, statement: str, stated: list[Quantity], pool: Pool, evidence: frozenset[int], language: Language,
        complete: bool, uncarried: bool,
    ) -> None:  # fmt: skip
        self.statement, self.stated, self.pool = statement, stated, pool
        self.evidence, self.language, self.complete = evidence, language, complete
        self.uncarried = uncarried
        self.agreeing = [pool.agreeing(quantity) for quantity in stated]
        self.used = {
            (id(found.quantity), found.at)
            for quantity, candidates in zip(stated, self.agreeing, strict=True)
            for found in candidates
            if unit_fit(quantity, found.quantity) != "other"
        }

    def findings(self) -> list[Finding]:
        """What is off, quantity by quantity."""
        found = []
        for quantity, candidates in zip(self.stated, self.agreeing, strict=True):
            if quantity.kind in ("named", "year"):
                renamed = self._named(quantity)
                if renamed is not None or quantity.kind == "named":
                    found += [renamed] if renamed else []
                    continue
            finding = self._matched(quantity, candidates) if candidates else self._unmatched(quantity)
            if finding is not None:
                found.append(finding)
        return found

    def _matched(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """Something about a number that the source has: its unit, its hedge, what it counts."""
        fitting = [found for found in candidates if unit_fit(stated, found.quantity) != "other"]
        if not fitting:
            return self._unit(stated, candidates)
        here = [found for found in fitting if found.piece in self.evidence]
        if not here or all(not noun_fit(stated, found.quantity) for found in here):
            swapped = self._swapped(stated, here or fitting)
            if swapped is not None:
                return swapped
        best = here or fitting
        close = [
            found
            for found in best
            if unit_fit(stated, found.quantity) == "same" or noun_fit(stated, found.quantity) == 2
        ]
        return (
            self._points(stated, close or best)
            or self._hedge(stated, close or best)
            or self._conflict(stated, best)
        )

    def _named(self, stated: Quantity) -> Finding | None:
        """A number in a name that the source has with other numbers only: AIME 2042 for AIME 2024."""
        name = name_before(self.statement, stated.start)
        known = self.pool.of_name(name) if name else []
        if not known or any(found.at == value for found in known for value in ends(stated)):
            return None
        ratio = known[0].at / stated.low if stated.low else 0.0
        shifted = ratio > 0 and abs(log10(ratio) - round(log10(ratio))) < 1e-6
        kind = "magnitude" if shifted else "number"
        return self._finding(kind, stated, known[0], 0.6, "another number in the same name")

    def _unit(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """The same figure with a unit that contradicts the source's."""
        plain = [
            found
            for found in candidates
            if found.quantity.kind not in _UNCHECKED and found.quantity.low == found.quantity.high
        ]
        if not plain or stated.low == 1 or not stated.written:
            return None
        found = min(plain, key=lambda one: (one.piece not in self.evidence, one.piece))
        source = found.quantity
        if stated.dimension == source.dimension:
            sure = 0.85
        elif figures(stated.low) < 2 and found.piece not in self.evidence:
            # One digit that stands somewhere with another unit is a coincidence as often as not.
            sure = 0.4
        else:
            sure = 0.8 if stated.dimension and source.dimension else 0.55
        return self._finding("unit", stated, found, sure, "another unit")

    def _points(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """Points told as percent; relative percent told as points."""
        if any(
            found.quantity.dimension == stated.dimension or not found.quantity.dimension
            for found in candidates
        ):
            relative = {
                found.quantity.relative
                for found in candidates
                if found.quantity.dimension == stated.dimension
            }
            if stated.relative and relative and not relative & {stated.relative, ""}:
                return self._finding("unit", stated, candidates[0], 0.7, "relative and absolute are swapped")
            return None
        found = candidates[0]
        if stated.dimension == "percent" and found.quantity.dimension == "points":
            return self._finding("unit", stated, found, 0.5, "points are no percent")
        if stated.dimension == "points" and found.quantity.relative == "relative":
            return self._finding(
                "unit", stated, found, 0.7, "a relative percentage is no difference in points"
            )
        return None

    def _hedge(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """A bound that the source does not give, gives the other way round, or that got lost."""
        hedges = {found.quantity.hedge for found in candidates}
        mine = stated.hedge
        if mine in hedges or mine == "about" or stated.kind in ("year", "ordinal"):
            return None
        if any(found.quantity.kind in _UNCHECKED or not hedge_reads(found.quantity) for found in candidates):
            return None
        found = candidates[0]
        if mine is None:
            if None in hedges or "about" in hedges:
                return None
            return self._finding("hedge", stated, found, 0.5 if hedges <= UPPER else 0.4, "the bound is gone")
        group, opposite = (LOWER, UPPER) if mine in LOWER else (UPPER, LOWER)
        if hedges & group or not hedge_reads(stated):
            return None
        if hedges <= opposite:
            return self._finding("hedge", stated, found, 0.85, "the bound is turned round")
        return self._finding("hedge", stated, found, 0.4, "the bound is not in the source")

    def _swapped(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """A number that the source has for something else, while its own is left unused."""
        if any(
            noun_fit(stated, found.quantity) == 2 or unit_fit(stated, found.quantity) == "same"
            for found in candidates
        ):
            return None
        if not stated.nouns or stated.kind in ("year", "ordinal", "factor", "fraction") or stated.low == 1:
            return None
        anchor = self._anchor(stated)
        if anchor is None or noun_fit(stated, anchor.quantity) != 2 or anchor.quantity.kind == "implied":
            return None
        known = all(not noun_fit(stated, found.quantity) for found in candidates)
        if not known and (not self.evidence or anchor.piece not in self.evidence):
            return None
        return self._finding("number", stated, anchor, 0.6 if known else 0.5, "told of something else there")

    def _unmatched(self, stated: Quantity) -> Finding | None:
        """A number that the source does not have."""
        if stated.low == stated.high == 1 or stated.kind == "ordinal" and not stated.written:
            return None
        if self.pool.parts(stated):
            return None
        shifted = [
            found for found in self.pool.shifted(stated) if (id(found.quantity), found.at) not in self.used
        ]
        for found in sorted(
            shifted, key=lambda one: (one.piece not in self.evidence, -noun_fit(stated, one.quantity))
        ):
            if self._a_power_of_ten(stated, found):
                return self._finding(
                    "magnitude", stated, found, 0.9 if stated.written else 0.6, "a power of ten apart"
                )
        anchor = self._anchor(stated)
        sure = self._sureness(stated, anchor)
        if (
            sure < 0.6
            and not stated.written
            and stated.low <= 12
            and self.pool.lists(stated.low, self.evidence)
        ):
            return None
        if anchor is None or sure < SURE_ENOUGH and stated.kind == "year":
            return Finding(
                kind="number", text=stated.text, start=stated.start, end=stated.end, sure=sure,
                why="the source has no such number",
            )  # fmt: skip
        return self._finding("number", stated, anchor, sure, "not in the source")

    def _a_power_of_ten(self, stated: Quantity, found: Sourced) -> bool:
        """Whether a shifted number is the same one gone wrong, and no coincidence of leading digits."""
        source = found.quantity
        if source.kind in ("year", "ordinal", "implied") or stated.kind in ("year", "ordinal"):
            return False
        fit = unit_fit(stated, source)
        if fit == "other":
            return False
        if fit == "same" or noun_fit(stated, source) == 2:
            return True
        # Nouns are told apart by a short list; two digits that agree weigh more than two nouns that differ.
        if figures(source.low) >= 2:
            return True
        # A single digit needs more: its noughts, or a magnitude on both sides.
        long = min(stated.low, source.low) >= (10 if found.piece in self.evidence else 100)
        return bool(noun_fit(stated, source) and (long or stated.scale and source.scale))

    def _anchor(self, stated: Quantity) -> Sourced | None:
        """What the statement should have said: the nearest unused number of the same kind."""
        best: tuple[tuple[int, int, float], Sourced] | None = None
        value = max(ends(stated)[0], 1e-12)
        for found in self.pool.like(stated, self.evidence):
            source = found.quantity
            if (id(source), found.at) in self.used or source.kind in ("name", "named"):
                continue
            if stated.written and source.kind == "implied":
                continue
            if stated.dimension and not source.dimension and (source.nouns or not source.written):
                continue
            if (
                source.kind == "fraction" != stated.kind
                or source.dimension
                and not stated.dimension
                and stated.nouns
            ):
                continue
            if (source.kind == "year") != (stated.kind == "year") or source.kind == "ordinal" != stated.kind:
                continue
            fit, noun = unit_fit(stated, source), noun_fit(stated, source)
            if fit == "other" or source.low == 1:
                continue
            if not noun and fit != "same" and not alike(stated, source):
                continue
            strong = fit == "same" or noun == 2 or alike(stated, source)
            strength = 2 * (fit == "same") + (noun == 2) + (source.kind not in _UNCHECKED)
            ratio = max(found.at, 1e-12) / value
            rank = (2 * strong + (found.piece in self.evidence), strength, -max(ratio, 1 / ratio))
            if best is None or rank > best[0]:
                best = rank, found
        return best[1] if best else None

    def _sureness(self, stated: Quantity, anchor: Sourced | None) -> float:
        """How sure a missing number is an error, by what the source has in its place."""
        absent = 0.7 if self.complete else 0.4
        if self.uncarried:
            return absent
        if self.evidence and stated.written:
            # What carries the statement is known, and it has no such number, nor has anything around it.
            absent = max(absent, 0.5)
        small = not stated.written and stated.low <= 12
        if anchor is None:
            return 0.3 if small or stated.kind in ("ordinal", "fraction") else absent
        same_unit = unit_fit(stated, anchor.quantity) == "same"
        same_noun = noun_fit(stated, anchor.quantity) == 2
        here = anchor.piece in self.evidence or not self.evidence
        if anchor.quantity.kind in _UNCHECKED:
            return 0.3 if small else absent
        if same_unit and here or same_noun and here:
            return 0.65 if small else 0.85
        if same_unit or same_noun or alike(stated, anchor.quantity) or stated.kind == "year":
            return 0.5 if small else 0.6
        if small and here and self.evidence and not anchor.quantity.written and anchor.quantity.low <= 12:
            return 0.5
        return 0.3 if small else 0.6 if here else absent

    def _conflict(self, stated: Quantity, candidates: list[Sourced]) -> Finding | None:
        """The source itself gives two values for one thing."""
        for found in candidates:
            rival = self.pool.rival(found)
            if rival is not None:
                why = (
                    f"the source says {found.quantity.text} in sentence {found.piece + 1} "
                    f"and {rival.quantity.text} in sentence {rival.piece + 1}"
                )
                return Finding(
                    kind="source_conflict", text=stated.text, start=stated.start, end=stated.end,
                    expected=f"{found.quantity.text} / {rival.quantity.text}", why=why, sure=0.6,
                )  # fmt: skip
        return None

    def _finding(self, kind: str, stated: Quantity, found: Sourced, sure: float, note: str) -> Finding:
        """A finding with what the source says and where."""
        return Finding(
            kind=kind,
            text=stated.text,
            start=stated.start,
            end=stated.end,
            expected=printed(found.quantity, self.language),
            why=f"{note}: {says(stated, found.quantity, self.language)} (sentence {found.piece + 1})",
            sure=sure,
        )

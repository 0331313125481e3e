"""The numbers of a source, in order of value, so that one is found without looking at all."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from presscheck.digest.check.quantities import Quantity, scan
from presscheck.digest.check.quantities.agree import comparable, ends, rounds_to
from presscheck.digest.check.quantities.names import name_before

_MOST = 48
"""Candidates that are looked at for one number; a source with more of one value repeats itself."""
_POWERS = tuple(power for power in range(-9, 10) if power)
_LIST_MARK = re.compile(r"\(?\b(?P<mark>\d{1,2}|[ivx]{1,4}|[a-h])\)")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
_SERIES = re.compile(r"[^,.;:()]{2,80}(?:,[^,.;:()]{2,80}){1,11},? (?:and|or|as well as) ")
_FIRSTLY = re.compile(
    r"\b(first|second|third|fourth|fifth|sixth|finally|lastly|another|one|other)(?:ly)?\b", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z]{4,}|[가-힣]{2,}")


@dataclass(frozen=True, slots=True)
class Sourced:
    """A quantity with the piece of the source that it stands in, and the value that it is filed under."""

    piece: int
    quantity: Quantity
    at: float


def _figure(found: Sourced) -> float:
    """The figure as written, whatever its unit is worth."""
    return found.quantity.low


class Pool:
    """All numbers of a source."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(pieces)
        seen: dict[tuple[object, ...], int] = {}
        self._all: list[Sourced] = []
        for number, piece in enumerate(self.pieces):
            for quantity in scan(piece):
                key = (quantity.low, quantity.high, quantity.unit, quantity.kind, quantity.hedge, number)
                if seen.setdefault(key, 0) > 2:
                    continue
                seen[key] += 1
                self._all.extend(
                    Sourced(number, read, at) for read in _readings(quantity) for at in ends(read)
                )
        self._all.sort(key=lambda found: found.at)
        self._values = [found.at for found in self._all]
        self._of_name: dict[str, list[Sourced]] = {}
        for found in self._all:
            if found.quantity.kind in ("name", "named", "year", "number", "count"):
                name = name_before(self.pieces[found.piece], found.quantity.start)
                self._of_name.setdefault(name, []).append(found)
        self._figures = sorted((one for one in self._all if one.quantity.worth != 1), key=_figure)
        self._by_piece: dict[int, list[Sourced]] = {}
        self._by_unit: dict[str, list[Sourced]] = {}
        for found in self._all:
            self._by_piece.setdefault(found.piece, []).append(found)
            self._by_unit.setdefault(found.quantity.dimension, []).append(found)
        self._listed = [frozenset(enumerations(piece)) for piece in self.pieces]
        self._listed_all = frozenset[int]().union(*self._listed, enumerations(" ".join(self.pieces)[:20_000]))

    def lists(self, size: float, evidence: frozenset[int]) -> bool:
        """Whether the evidence (else the source) lists as many things, so that a writer may have counted."""
        if evidence:
            return any(size in self._listed[piece] for piece in evidence if piece < len(self._listed))
        return size in self._listed_all

    def of_name(self, name: str) -> list[Sourced]:
        """The numbers that stand behind a name."""
        return self._of_name.get(name, [])

    def _near(self, value: float, share: float) -> Iterator[Sourced]:
        """Numbers within a share of a value, the nearest first of all that are looked at."""
        low, high = (
            bisect_left(self._values, value * (1 - share)),
            bisect_right(self._values, value * (1 + share)),
        )
        if high - low > _MOST:
            middle = bisect_left(self._values, value)
            low, high = max(low, middle - _MOST // 4), min(high, middle + _MOST)
        return iter(self._all[low:high])

    def agreeing(self, stated: Quantity) -> list[Sourced]:
        """Numbers of the source that every end of the stated one agrees with."""
        found: list[Sourced] = []
        for value in ends(stated):
            agreeing = [
                one
                for one in self._near(value, 0.12)
                if comparable(stated, one.quantity) and rounds_to(stated, value, one.quantity, one.at)
            ]
            if not agreeing:
                return self._same_digits(stated)
            found += agreeing
        return found

    def _same_digits(self, stated: Quantity) -> list[Sourced]:
        """Numbers of the same figure whose units differ in worth: 20 minutes, or a bare 20, for 20 hours."""
        low = bisect_left(self._figures, stated.low, key=_figure)
        high = bisect_right(self._figures, stated.low, key=_figure)
        found = self._figures[low:high][:_MOST]
        if stated.worth != 1:
            found += [one for one in self._near(stated.low, 0.0) if not one.quantity.dimension]
        return [one for one in found if one.quantity.high == stated.high and comparable(stated, one.quantity)]

    def shifted(self, stated: Quantity) -> Iterator[Sourced]:
        """Numbers whose digits are the stated one's, a power of ten away."""
        value = ends(stated)[0]
        if value <= 0:
            return
        for power in _POWERS:
            for found in self._near(value * 10.0**power, 0.06):
                factor = 10.0**-power
                if rounds_to(stated, value, _scaled(found.quantity, factor), found.at * factor):
                    yield found

    def like(self, stated: Quantity, evidence: frozenset[int]) -> list[Sourced]:
        """Numbers that could stand for the stated one: those of the evidence, then of its unit."""
        found = [one for piece in sorted(evidence) for one in self._by_piece.get(piece, ())[:_MOST]]
        value = ends(stated)[0]
        for dimension in dict.fromkeys((stated.dimension, "")):
            rows = self._by_unit.get(dimension, [])
            middle = bisect_left(rows, value, key=lambda one: one.at)
            found += rows[max(0, middle - _MOST) : middle + _MOST]
        return found

    def parts(self, stated: Quantity) -> bool:
        """Whether a fraction's two numbers stand in the source: 3/4 for "three of four"."""
        if stated.kind != "fraction" or "/" not in stated.written:
            return False
        try:
            numbers = [float(part) for part in stated.written.split("/")]
        except ValueError:
            return False
        return all(any(True for _ in self._near(number, 0.0)) for number in numbers)

    def rival(self, found: Sourced) -> Sourced | None:
        """Another value that the source gives for the same thing, if that is beyond doubt.

        Beyond doubt: three digits or more, the same number of decimals and unit, at
        most one per cent apart, told in two pieces in largely the same words, and
        neither piece has both.
        """
        mine = found.quantity
        if (
            mine.kind in ("name", "named", "year", "factor")
            or "." not in mine.written
            or len(mine.written) < 4
        ):
            return None
        words = self._words(found)
        for other in self._near(found.at, 0.01):
            rival = other.quantity
            if other.piece == found.piece or rival.low == mine.low or rival.unit != mine.unit:
                continue
            if rival.step != mine.step or rival.written.count(".") != 1 or rival.kind != mine.kind:
                continue
            theirs = self._words(other)
            shared = words & theirs
            if len(shared) >= 4 and len(shared) >= 0.6 * len(words | theirs):
                both = {one.at for one in self._by_piece[found.piece]} & {
                    one.at for one in self._by_piece[other.piece]
                }
                if found.at not in both and other.at not in both:
                    return other
        return None

    def _words(self, found: Sourced) -> frozenset[str]:
        """The words around a number."""
        piece, quantity = self.pieces[found.piece], found.quantity
        around = (
            piece[max(0, quantity.start - 90) : quantity.start]
            + " "
            + piece[quantity.end : quantity.end + 60]
        )
        return frozenset(word.lower() for word in _WORD.findall(around))


def _readings(quantity: Quantity) -> Iterator[Quantity]:
    """A quantity and what it may be called in other words: half is 50 % and a factor of two."""
    yield quantity
    if quantity.kind == "fraction":
        yield _as(quantity, quantity.low * 100, kind="percent", unit="percent", dimension="percent", step=1.0)
    elif quantity.kind == "percent" and quantity.low == quantity.high:
        yield _as(
            quantity, quantity.low / 100, kind="fraction", unit="", dimension="", step=quantity.step / 100
        )
    elif quantity.kind == "times" and quantity.low == quantity.high >= 2:
        yield _as(quantity, 1 / quantity.low, kind="fraction", unit="", dimension="", step=0.01)


def _as(quantity: Quantity, value: float, **changes: object) -> Quantity:
    fields = {name: getattr(quantity, name) for name in quantity.__struct_fields__}
    return Quantity(**(fields | {"low": value, "high": value} | changes))


def _scaled(quantity: Quantity, factor: float) -> Quantity:
    fields = {name: getattr(quantity, name) for name in quantity.__struct_fields__}
    return Quantity(
        **(
            fields
            | {"low": quantity.low * factor, "high": quantity.high * factor, "step": quantity.step * factor}
        )
    )


def enumerations(text: str) -> Iterator[int]:
    """How many things a text lists: (1) … (2) … (3), first … second, or "A, B, and C"."""
    highest = 0
    for match in _LIST_MARK.finditer(text):
        mark = match["mark"]
        value = int(mark) if mark.isdigit() else _ROMAN.get(mark) or ord(mark[0]) - 96
        if value == highest + 1:
            highest = value
    if highest > 1:
        yield highest
    if "irst" in text:
        yield min(len(_FIRSTLY.findall(text)), 12)
    for match in _SERIES.finditer(text):
        size = match.group().count(",") + 1
        yield from (size, size + 1)

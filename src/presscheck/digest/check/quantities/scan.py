"""Quantities of a text: every number with unit, hedge, sign, denominator and what it counts.

One pass over the digits and one over the number words, each looking only a few
dozen characters to either side, so the time grows with the length and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from presscheck.digest.check.quantities import numerals_en, numerals_ko
from presscheck.digest.check.quantities.hedges import Hedge, hedge_before, hedge_behind
from presscheck.digest.check.quantities.joined import RANGE, joined, shared_units
from presscheck.digest.check.quantities.names import References, after_name, glued_after, glued_before
from presscheck.digest.check.quantities.nouns import nouns_near
from presscheck.digest.check.quantities.numeral import Numeral, times, worth
from presscheck.digest.check.quantities.quantity import Kind, Quantity
from presscheck.digest.check.quantities.units import NO_UNIT, Unit, counter_at, unit_at
from presscheck.digest.check.remember import remembered
from presscheck.types import Language

_DIGITS = re.compile(
    r"(?P<mantissa>\d{1,9}(?:\.\d{1,9})?) ?(?:×|x|\\times|\\cdot|·|\*"
    r"|times) ?10(?P<raised>\^\{?[-−]?\d{1,3}\}?|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})"
    r"|10(?P<power>\^\{?[-−]?\d{1,3}\}?|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})"
    r"|(?P<science>\d{1,9}(?:\.\d{1,9})?[eE][+-]?\d{1,3})(?![A-Za-z0-9])"
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w)])\.\d+"
)
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-", "^{}")
_SCALED = re.compile(r" ?[x×*] ?\d{1,6}(?:\.\d{1,3})?[BMT](?![A-Za-z0-9])")
_PRODUCT = re.compile(r" ?[x×*] ?|times| ?\\times ?| ?\\?\* ?")
_ORDINAL_END = re.compile(r"(?:st|nd|rd|th)(?![A-Za-z])| ?번째|위(?=[를의에로인와,. )]|$)")
_PER_EN = re.compile(r"(?: [a-z-]+){0,2} ?(?:per |/ ?)([a-z]{3,20})")
_PER_KO = re.compile(r"([가-힣A-Za-z]{1,8}) ?당 ?(?:연간|매년|평균|약|최대|단|총)? ?$")
_MONEY = {"$": "USD", "€": "EUR", "₩": "KRW", "¥": "CNY"}
_KOREAN_ORDER = re.compile(r"제$")
_HANGUL = re.compile(r"[가-힣]")
_LONGEST_NUMBER = 40


def quantities(text: str, language: Language | None = None) -> list[Quantity]:
    """Every quantity of a text, in order; numbers inside names and references are none.

    Args:
        text: a statement or a stretch of a source, Korean or English or mixed.
        language: reads number words of this language only; both by default, Korean
            ones where there is Hangul.

    Returns:
        Quantities whose ``text`` is ``text[start:end]``.
    """
    return [found for found in scan(text, language) if found.kind not in ("name", "implied")]


@remembered
def scan(text: str, language: Language | None = None) -> list[Quantity]:
    """As ``quantities``, with the numbers inside names and the words that hint at a number."""
    numerals = sorted(_numerals(text, language), key=lambda numeral: (numeral.start, -numeral.end))
    references = References(text)
    found: list[Quantity] = []
    covered = 0
    for numeral in numerals:
        if numeral.start < covered:
            continue
        previous = found[-1] if found else None
        if references.hold(numeral.start):
            continue
        quantity = _quantity(text, numeral, previous)
        merged = joined(text, previous, quantity) if previous else None
        if merged is not None:
            found[-1] = merged
        else:
            found.append(quantity)
        covered = max(covered, numeral.end, found[-1].end)
    return shared_units(text, found)


def _numerals(text: str, language: Language | None) -> Iterator[Numeral]:
    """Numbers in digits and in words, in no order."""
    for match in _DIGITS.finditer(text):
        if match.end() - match.start() > _LONGEST_NUMBER:
            continue
        yield from _in_digits(text, match)
    if language != "ko":
        yield from numerals_en.in_words(text)
    if language != "en" and _HANGUL.search(text):
        yield from numerals_ko.in_words(text)


def _in_digits(text: str, match: re.Match[str]) -> Iterator[Numeral]:
    """The number of one run of digits, with the magnitude behind it."""
    start, end = match.span()
    if match["raised"] or match["power"] or match["science"]:
        if match["science"]:
            value, step = float(match["science"]), 0.0
        else:
            exponent = int((match["raised"] or match["power"]).translate(_RAISED) or "0")
            value, step = float(match["mantissa"] or 1) * 10.0 ** max(-300, min(exponent, 300)), 0.0
        if value < float("inf"):
            yield Numeral(start=start, end=end, value=value, step=step, digits=match.group(), scale="^")
        return
    korean = numerals_ko.scaled(text, match)
    if korean is not None:
        value, step, scale, stop = korean
        yield Numeral(start=start, end=stop, value=value, step=step, digits=match.group(), scale=scale)
        return
    value, step = worth(match.group())
    if value == float("inf"):
        return
    factor, scale, stop = numerals_en.scale_at(text, end)
    ordinal = not scale and _ORDINAL_END.match(text, end)
    yield Numeral(
        start=start,
        end=stop,
        value=times(value, factor),
        step=step * factor,
        digits=match.group(),
        scale=scale,
        form="ordinal" if ordinal or _KOREAN_ORDER.search(text[max(0, start - 1) : start]) else "cardinal",
    )


def _quantity(text: str, numeral: Numeral, previous: Quantity | None) -> Quantity:
    """A number with everything that stands around it."""
    start, end = numeral.start, numeral.end
    unit, unit_end = _unit(text, numeral)
    end = max(end, unit_end)
    begin, sign = start, ""
    if start and text[start - 1] in "+-−±" and (start == 1 or not text[start - 2].isalnum()):
        begin, sign = start - 1, text[start - 1].replace("−", "-")
    if begin and text[begin - 1] in _MONEY and unit is NO_UNIT:
        unit = Unit(name=_MONEY[text[begin - 1]], dimension="money")
        begin -= 1
    kind = _kind(text, numeral, unit, previous)
    counter_end = counter_at(text, end) if unit is NO_UNIT and kind != "name" else end
    nouns = frozenset[str]() if kind == "name" else nouns_near(text, start, end)
    hedge: Hedge | None = None
    hedge_text = per = ""
    relative: Literal["", "relative", "absolute"] = ""
    if kind not in ("name", "implied"):
        hedge, hedge_start = hedge_before(text, begin)
        behind, hedge_end = hedge_behind(text, counter_end)
        hedge_text = text[hedge_start:begin].strip() if hedge else text[counter_end:hedge_end].strip()
        # "최대 … 까지" and "최소 … 이상" say the same thing twice; the word in front decides.
        if hedge is None or hedge == "about" and behind in ("over", "at least", "under", "at most"):
            hedge = behind
        per = _per(text, begin, end)
        around = text[max(0, begin - 36) : end + 26].lower()
        if unit.dimension in ("percent", "points"):
            relative = (
                "relative" if "relative" in around or "상대" in around
                else "absolute" if "absolute" in around or "절대" in around else ""
            )  # fmt: skip
    name = unit.name
    if not name and kind in ("count", "number") and nouns:
        name = next((noun for noun in ("params", "tokens") if noun in nouns), "items:" + min(nouns))
    end = counter_end
    return Quantity(
        low=numeral.value, high=numeral.value, step=numeral.step, kind=kind, unit=name,
        dimension=unit.dimension,
        worth=unit.worth, nouns=nouns, hedge=hedge, hedge_text=hedge_text, sign=sign,  # type: ignore[arg-type]
        per=per, relative=relative, scale=numeral.scale, written=numeral.digits, text=text[begin:end],
        start=begin, end=end,
    )  # fmt: skip


def _unit(text: str, numeral: Numeral) -> tuple[Unit, int]:
    """The unit behind a number; a word such as "twice" is its own."""
    if numeral.form == "multiple":
        return Unit(name="times", dimension="times"), numeral.end
    if numeral.form in ("fraction", "implied", "ordinal"):
        return NO_UNIT, numeral.end
    if len(numeral.digits) == 4 and numeral.digits.isdigit() and text.startswith("년", numeral.end):
        return NO_UNIT, numeral.end
    return unit_at(text, numeral.end)


def _kind(text: str, numeral: Numeral, unit: Unit, previous: Quantity | None) -> Kind:
    """What kind of number it is."""
    if numeral.form == "fraction":
        return "fraction"
    if numeral.form in ("ordinal", "implied"):
        return "name" if numeral.digits and glued_before(text, numeral.start) else numeral.form
    if numeral.digits:
        joint = text[previous.end : numeral.start] if previous else ""
        linked = previous is not None and (_PRODUCT.fullmatch(joint) or RANGE.fullmatch(joint))
        if linked and previous is not None and previous.kind == "name" and not joint.startswith(" "):
            return "name"
        if not linked and glued_before(text, numeral.start):
            return "name"
        product = _PRODUCT.match(text, numeral.end)
        followed = product is not None and text[product.end() : product.end() + 1].isdigit()
        if unit is NO_UNIT and not followed and glued_after(text, numeral.end, scaled=bool(numeral.scale)):
            return "name"
        if followed or linked and _PRODUCT.fullmatch(joint):
            of_name = after_name(text, numeral.start) if followed else previous and previous.kind == "named"
            return (
                "named"
                if of_name and unit is NO_UNIT and (numeral.scale or _SCALED.match(text, numeral.end))
                else "factor"
            )
        if unit is NO_UNIT and _is_year(text, numeral):
            return "year"
        if (
            unit is NO_UNIT
            and after_name(text, numeral.start)
            and counter_at(text, numeral.end) == numeral.end
        ):
            return "named"
    kinds: dict[str, Kind] = {"percent": "percent", "points": "points", "times": "times", "money": "money"}
    if unit.dimension:
        return kinds.get(unit.dimension, "measure")
    if counter_at(text, numeral.end) != numeral.end or not numeral.digits or numeral.scale:
        return "count"
    return "number"


def _is_year(text: str, numeral: Numeral) -> bool:
    """2023 is a year; 2,023 and 2023 images are not."""
    digits = numeral.digits
    if len(digits) != 4 or not digits.isdigit() or numeral.scale:
        return False
    if text.startswith("년", numeral.end):
        return True
    return 1900 <= numeral.value <= 2100 and not nouns_near(text, numeral.start, numeral.end)


def _per(text: str, start: int, end: int) -> str:
    """The denominator of a rate: "$20 per tutor", "튜터당 20달러"."""
    match = _PER_EN.match(text, end)
    if match:
        return match.group(1)
    match = _PER_KO.search(text[max(0, start - 18) : start])
    return match.group(1) if match else ""

"""The quantities of a statement in English or Korean, as values that can be compared."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

MONTHS = "January February March April May June July August September October November December".split()
ENGLISH = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
KOREAN = {"천": 3, "만": 4, "억": 8, "조": 12}

_LATIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.,×_-]*")
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
_ENGLISH = re.compile(rf"({_DIGITS.pattern})(?: ({'|'.join(ENGLISH)}))?")
_KOREAN = re.compile(rf"({_DIGITS.pattern})([{''.join(KOREAN)}])?")


def names(text: str) -> Counter[str]:
    """Names and symbols with a digit in them: LLaMA3, 8×289M, PPM-100, v5."""
    found = (word.strip(".,") for word in _LATIN.findall(text))
    return Counter(word for word in found if re.search(r"\d", word) and re.search(r"[A-Za-z]", word))


def _without_names(text: str) -> str:
    return _LATIN.sub(lambda word: word[0] if not re.search(r"[A-Za-z]", word[0]) else _months(word[0]), text)


def _months(word: str) -> str:
    if word in MONTHS:
        return f"{MONTHS.index(word) + 1} "
    return word if word in ENGLISH or not re.search(r"\d", word) else ""


def _value(digits: str, power: int) -> Decimal:
    return Decimal(digits.replace(",", "")).scaleb(power).normalize()


def english_numbers(text: str) -> Counter[Decimal]:
    return Counter(
        _value(digits, ENGLISH.get(unit, 0)) for digits, unit in _ENGLISH.findall(_without_names(text))
    )


def korean_numbers(text: str) -> Counter[Decimal]:
    """Numbers of a Korean text; parts with falling units are one number: 2억 8,900만, 3만 2,000."""
    found: list[tuple[Decimal, int]] = []
    end = -1
    for match in _KOREAN.finditer(_without_names(text)):
        power = KOREAN.get(match[2] or "", 0)
        value = _value(match[1], power)
        joined = match.start() - end <= 1 and match.string[end : match.start()] in ("", " ")
        if found and joined and found[-1][1] > power and value < Decimal(10) ** found[-1][1]:
            found[-1] = ((found[-1][0] + value).normalize(), power)
        else:
            found.append((value, power))
        end = match.end()
    return Counter(value for value, _ in found)

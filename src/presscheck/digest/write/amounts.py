"""A quantity as fields → its words in Korean and English, so that both languages say one figure.

Size in Korean goes by 만, 억 and 조 and is reckoned here, never by a model: 2.42
billion is 24.2억.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from presscheck.digest.check.quantities.render import render_ko
from presscheck.types import Language

Hedge = Literal["", "about", "over", "at least", "under", "at most", "up to"]
Scale = Literal["", "thousand", "million", "billion", "trillion"]

HEDGES: tuple[Hedge, ...] = ("", "about", "over", "at least", "under", "at most", "up to")
SCALES: dict[Scale, int] = {"": 0, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}

_HEDGES_KO: dict[Hedge, tuple[str, str]] = {
    "": ("", ""),
    "about": ("약 ", ""),
    "over": ("", " 초과"),
    "at least": ("최소 ", ""),
    "under": ("", " 미만"),
    "at most": ("", " 이하"),
    "up to": ("최대 ", ""),
}
_NUMBER = re.compile(r"[-+−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+−]?\d+(?:\.\d+)?")
_RANGE = re.compile(rf"({_NUMBER.pattern})\s*(?:-|–|—|~|to)\s*({_NUMBER.pattern})")

_UNITS_KO: dict[str, str] = {
    "%": "{}%", "percent": "{}%", "per cent": "{}%", "pp": "{}%p", "percentage points": "{}%p",
    "percentage point": "{}%p", "%p": "{}%p", "points": "{}점", "point": "{}점",
    "x": "{}배", "×": "{}배", "times": "{}배", "fold": "{}배",
    "parameters": "{} 개의 파라미터", "params": "{} 개의 파라미터", "tokens": "{} 개의 토큰",
    "images": "{} 장의 이미지", "videos": "{} 개의 영상", "samples": "{} 개의 샘플",
    "examples": "{} 개의 예시", "pairs": "{} 개의 쌍", "questions": "{} 개의 질문",
    "problems": "{} 개의 문제", "tasks": "{} 개의 과제", "datasets": "{} 개의 데이터셋",
    "benchmarks": "{} 개의 벤치마크", "languages": "{} 개 언어", "models": "{} 개의 모델",
    "papers": "{} 편의 논문", "people": "{} 명", "participants": "{} 명의 참가자", "users": "{} 명의 사용자",
    "documents": "{} 개의 문서", "sentences": "{} 개의 문장", "hours": "{}시간", "hour": "{}시간",
    "minutes": "{}분", "minute": "{}분", "seconds": "{}초", "second": "{}초", "days": "{}일", "day": "{}일",
    "weeks": "{}주", "months": "{}개월", "years": "{}년", "dollars": "{}달러", "usd": "{}달러", "$": "{}달러",
    "layers": "{} 개 층", "steps": "{} 단계", "gpus": "{} 개의 GPU", "frames": "{} 프레임",
}  # fmt: skip
_GLUED = frozenset({"%", "×"})
_TIMES = frozenset({"x", "×", "fold"})


class Amount(msgspec.Struct, frozen=True):
    """A quantity as a model gives it."""

    value: str
    """Digits as the sentence writes them: "2.42", "1,200", "3-5"."""
    scale: Scale = ""
    unit: str = ""
    hedge: Hedge = ""
    condition: str = ""
    """Under which it holds, in the sentence's own words: "at batch sizes below 32"."""
    subject: str = ""
    """What it is a quantity of, in the sentence's own words."""


def say(amount: Amount, language: Language) -> str:
    """An amount in words.

    Raises:
        ValueError: if its value is not a number or a range.
    """
    value = " ".join(amount.value.split()).rstrip("%")
    ends = _RANGE.fullmatch(value)
    parts = [ends[1], ends[2]] if ends else [value]
    if any(_NUMBER.fullmatch(part) is None for part in parts):
        raise ValueError(f"`{amount.value[:40]}` is not a number: digits as the sentence has them")
    unit = " ".join(amount.unit.split())
    if amount.value.strip().endswith("%") and not unit:
        unit = "%"
    if language == "ko":
        number = "~".join(_korean(part, amount.scale) for part in parts)
        before, behind = _HEDGES_KO[amount.hedge]
        return before + _with_unit_ko(number, unit) + behind
    number = "–".join(parts) + (f" {amount.scale}" if amount.scale else "")
    hedge = f"{amount.hedge} " if amount.hedge else ""
    if unit in _GLUED:
        return f"{hedge}{number}{unit}"
    if unit == "$":
        return f"{hedge}${number}"
    return f"{hedge}{number} {'times' if unit.lower() in _TIMES else unit}".rstrip()


def _korean(number: str, scale: Scale) -> str:
    """Digits as written where nothing has to be reckoned; else in 만, 억, 조."""
    if not scale:
        return number
    # Exact by digits: a float of 2.42e9 would do, one of 1.1e12 times 1000 might not.
    sign = "-" if number[0] in "-−" else ""
    whole, _, part = number.lstrip("+-−").replace(",", "").partition(".")
    places = SCALES[scale]
    if len(part) > places:
        return sign + render_ko(float(f"{whole}.{part}e{places}"))
    return sign + render_ko(int(whole + part.ljust(places, "0")))


def _with_unit_ko(number: str, unit: str) -> str:
    pattern = _UNITS_KO.get(unit.lower())
    if pattern is None:
        return f"{number} {unit}".rstrip()
    return pattern.format(number)


_PARTICLES = {
    "은": ("은", "는"), "는": ("은", "는"), "이": ("이", "가"), "가": ("이", "가"), "을": ("을", "를"),
    "를": ("을", "를"), "과": ("과", "와"), "와": ("과", "와"), "으로": ("으로", "로"), "로": ("으로", "로"),
}  # fmt: skip
_BOTH = re.compile(
    r"(은|이|을|과|으로)\((?:는|가|를|와|로)\)|(는|가|를|와|로)\((?:은|이|을|과|으로)\)|\(으\)로"
)
_PARTICLE = re.compile(r"(?:으로|은|는|이|가|을|를|과|와|로)(?![가-힣])")
_CLOSED_DIGITS = {"0": True, "1": True, "3": True, "6": True, "7": True, "8": True}
_RIEUL = 8
"""Index of a final ㄹ: (으)로 counts it as open."""


def particle(before: str, following: str) -> str:
    """The text after a figure, its first particle fitted to how the figure ends when read aloud.

    Args:
        before: The figure in words, ending in a digit, a sign of a unit or a syllable.
        following: What follows it: "을 …", "를 …", "을(를) …".
    """
    both = _BOTH.match(following)
    match = both or _PARTICLE.match(following)
    if match is None:
        return following
    given = "으로" if match.group() == "(으)로" else re.sub(r"\(.*", "", match.group())
    closed, rieul = _ending(before)
    after_closed, after_open = _PARTICLES[given]
    if after_closed == "으로" and rieul:
        closed = False
    return (after_closed if closed else after_open) + following[match.end() :]


def _ending(text: str) -> tuple[bool, bool]:
    """Whether the last sound is a consonant, and whether that is ㄹ."""
    last = text[-1:]
    if "가" <= last <= "힣":
        final = (ord(last) - 0xAC00) % 28
        return final != 0, final == _RIEUL
    if last.isdigit():
        return _CLOSED_DIGITS.get(last, False), last in "178"
    if last.isascii() and last.isalpha():
        return last.lower() in "lmn", last.lower() == "l"
    return False, False  # % and %p are read 퍼센트, 퍼센트포인트

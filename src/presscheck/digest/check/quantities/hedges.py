"""Hedges: about, over, at least, under, up to, 약, 이상, 최대 … before and behind a number."""

from __future__ import annotations

import re
from typing import Literal

Hedge = Literal["about", "over", "at least", "under", "at most", "up to"]

_BEFORE: tuple[tuple[Hedge, str], ...] = (
    ("up to", r"up to|as (?:much|many|high|large) as|at most|maximum of|max\.?|a maximum|최대|최고|많게는"),
    ("at least", r"at least|no (?:less|fewer) than|minimum of|a minimum|not less than|≥|>=|\\geq?"
        r"|최소|최소한|적어도"),
    ("over", r"(?:more|greater|higher|larger|better) than|over|exceed(?:s|ing|ed)?|above|beyond"
        r"|surpass(?:es|ing|ed)?"
     r"|>|\\gt|upwards of|무려"),
    ("at most", r"no more than|not more than|≤|<=|\\leq?|within"),
    ("under", r"(?:less|fewer|lower|smaller) than|under|below|sub-|<|\\lt"),
    ("about", r"about|around|approximately|approx\.|approx|roughly|nearly|almost|close to|some"
        r"|circa|~|∼|≈|≃|\\sim|\\approx"
     r"|약|대략|거의|대략적으로|평균적으로 약"),
)  # fmt: skip
_BEFORE_RE = re.compile(
    r"(?:^|(?<=[^A-Za-z가-힣]))(?:"
    + "|".join(f"(?P<h{number}>{forms})" for number, (_, forms) in enumerate(_BEFORE))
    + r")(?:[ -]?(?:a|an|the|by|약|about|around|approximately|total of|roughly|nearly"
    r"|almost))?[ -]?[$€£~+]?$",
    re.IGNORECASE,
)
_BEHIND: tuple[tuple[Hedge, str], ...] = (
    ("at least", r"이상(?![적치한하향형])(?:의|으로|을|이|,| |\.|\)|$)|or (?:more|higher|greater|above)"),
    ("over", r"초과의|초과(?= [가-힣])(?! ?달성)|[을를]? ?(?:훌쩍 )?넘는|[을를]? 초과하는(?= )"
        r"|\+(?! ?\d)|여(?= ?[개명장편건종만억번곳가쌍]| )|보다 많은"),
    ("at most", r"이하(?=[의로를,. )]|$)|이내|or (?:less|fewer|lower)"),
    ("under", r"미만|보다 적은|도 안 되는"),
    ("about", r"가량|정도(?!로? ?다)|남짓|내외|쯤"),
    ("up to", r"까지"),
)  # fmt: skip
_BEHIND_RE = re.compile(
    r" ?(?:개|가지|명|장|편|건|종|시간|배|토큰|쌍|의)?(?:의)? ?(?:"
    + "|".join(f"(?P<h{number}>{forms})" for number, (_, forms) in enumerate(_BEHIND))
    + ")"
)
LOWER: frozenset[str] = frozenset({"over", "at least"})
UPPER: frozenset[str] = frozenset({"under", "at most", "up to"})


def hedge_before(text: str, start: int) -> tuple[Hedge | None, int]:
    """The hedge right before a number, and where it begins."""
    begin = max(0, start - 36)
    window = text[begin:start]
    match = _BEFORE_RE.search(window)
    if match is None:
        return None, start
    group = next(name for name, value in match.groupdict().items() if value is not None)
    return _BEFORE[int(group[1:])][0], begin + match.start()


def hedge_behind(text: str, end: int) -> tuple[Hedge | None, int]:
    """The hedge right behind a number and its unit, and where it ends."""
    match = _BEHIND_RE.match(text, end)
    if match is None:
        return None, end
    group = next(name for name, value in match.groupdict().items() if value is not None)
    return _BEHIND[int(group[1:])][0], match.end()

"""Units: how each is written in Korean and English, its dimension and its worth in that dimension."""

from __future__ import annotations

import re
from typing import Literal

from presscheck.types import Struct

Dimension = Literal[
    "", "percent", "points", "times", "time", "money", "data", "frequency", "rate", "length", "bits", "angle",
    "pixels", "decibel", "power", "compute", "rank",
]  # fmt: skip


class Unit(Struct, frozen=True, kw_only=True):
    """A unit by its normalised name, what it measures and how many base units it is worth."""

    name: str = ""
    dimension: Dimension = ""
    worth: float = 1.0


NO_UNIT = Unit()
PERCENT = Unit(name="percent", dimension="percent")

# The first row that fits is taken, so a longer spelling stands before a shorter one.
# A look-ahead keeps a short Korean unit from the words that begin like it: 분 is
# minutes, 분야 a field; 장 is a sheet, 장면 a scene.
_ROWS: tuple[tuple[str, Dimension, float, str], ...] = (
    ("pp", "points", 1, r"%p\b|%P\b|%p(?=[가-힣])|% ?-?points?\b|% ?포인트|퍼센트 ?포인트"
        r"|percentage[ -]points?\b"
     r"|percent points?\b|p\.p\.|pp\b"),
    ("percent", "percent", 1, r"\\?[%％]|per ?cent\b|퍼센트|프로(?![가-힣])"),
    ("ms", "time", 1e-3, r"milliseconds?\b|ms\b|ms(?=[가-힣])|밀리 ?초"),
    ("us", "time", 1e-6, r"microseconds?\b|[uµμ]s\b|마이크로초"),
    ("ns", "time", 1e-9, r"nanoseconds?\b|ns\b|나노초"),
    ("fps", "rate", 1, r"FPS|fps|frames? per second|프레임/초"),
    ("years", "time", 31_557_600, r"-?years?\b|년(?!대)"),
    ("months", "time", 2_629_800, r"-?months?\b|개월|달(?![성러려라])"),
    ("weeks", "time", 604_800, r"-?weeks?\b|주(?=간|일|차|의 |[ ,.)]|$)(?! ?요)"),
    ("days", "time", 86_400, r"-?days?\b|일(?=간|의 |동안|이내|[ ,.)]|$)"),
    ("hours", "time", 3_600, r"-?hours?\b|(?:GPU|CPU|TPU|A100|H100|H800)s?[ -]?hours?\b|GPU ?시간"
        r"|hrs?\b|시간|h\b"),
    ("minutes", "time", 60, r"-?minutes?\b|mins?\b|분(?![야포할석류기위산리자절의해별화광쟁배명반])"),
    ("seconds", "time", 1, r"-?seconds?\b|secs?\b|초(?![과기점고대거월안록급])|s\b"),
    ("KB", "data", 1e3, r"[Kk]i?B\b|킬로바이트"),
    ("MB", "data", 1e6, r"Mi?B\b|Mi?B(?=[가-힣])|메가바이트|megabytes?\b"),
    ("GB", "data", 1e9, r"Gi?B\b|Gi?B(?=[가-힣])|기가바이트|gigabytes?\b"),
    ("TB", "data", 1e12, r"Ti?B\b|Ti?B(?=[가-힣])|테라바이트|terabytes?\b"),
    ("PB", "data", 1e15, r"PB\b|페타바이트|petabytes?\b"),
    ("bytes", "data", 1, r"bytes?\b|바이트"),
    ("kHz", "frequency", 1e3, r"[kK]Hz|킬로헤르츠"),
    ("MHz", "frequency", 1e6, r"MHz|메가헤르츠"),
    ("GHz", "frequency", 1e9, r"GHz|기가헤르츠"),
    ("Hz", "frequency", 1, r"Hz|헤르츠"),
    ("PFLOPS", "compute", 1e15, r"PFLOPS?(?:/s)?(?![A-Za-z])|PFLOPs"),
    ("TFLOPS", "compute", 1e12, r"TFLOPS?(?:/s)?(?![A-Za-z])|TFLOPs|테라플롭스?"),
    ("GFLOPS", "compute", 1e9, r"GFLOPS?(?:/s)?(?![A-Za-z])|GFLOPs"),
    ("km", "length", 1e3, r"km\b|kilomet(?:er|re)s?\b|킬로미터"),
    ("cm", "length", 1e-2, r"cm\b|centimet(?:er|re)s?\b|센티미터"),
    ("mm", "length", 1e-3, r"mm\b|millimet(?:er|re)s?\b|밀리미터"),
    ("nm", "length", 1e-9, r"nm\b|나노미터"),
    ("m", "length", 1, r"m\b|met(?:er|re)s?\b|미터"),
    ("MW", "power", 1e6, r"MW\b|megawatts?\b"),
    ("W", "power", 1, r"W\b|watts?\b|와트"),
    ("dB", "decibel", 1, r"dB(?![A-Za-z])|데시벨"),
    ("bits", "bits", 1, r"-?bits?\b|비트(?!레이트)"),
    ("degrees", "angle", 1, r"-?degrees?\b|°|도(?![메구달로입출시표전움약형])"),
    ("px", "pixels", 1, r"px\b|pixels?\b|픽셀|p\b"),
    ("points", "points", 1, r"-?points?\b|pts?\b|점(?![수검진차])|포인트"),
    ("times", "times", 1, r"[xX×](?![A-Za-z0-9]| ?\d)|[- ]?fold\b|times(?! ?\d)(?![a-z]*[A-Z])"
        r"|배(?![치경포열제터분])|곱절"),
    ("USD", "money", 1, r"dollars?\b|USD\b|달러"),
    ("cents", "money", 0.01, r"cents?\b|센트"),
    ("KRW", "money", 0.00072, r"won\b|KRW\b|원(?![본칙인시격래천리형활소])"),
    ("EUR", "money", 1.1, r"euros?\b|EUR\b|유로"),
    ("CNY", "money", 0.14, r"yuan\b|RMB\b|CNY\b|위안"),
    ("place", "rank", 1, r"위(?=[를의에로인와,. )]|$)|등(?=[을의])"),
)  # fmt: skip
# Hangul counts as a word character, and particles are glued on: "3ms가" ends its unit, too.
_EDGE = r"(?![A-Za-z0-9])"
_UNIT = re.compile(
    "|".join(f"(?P<u{number}>{row[3]})".replace(r"\b", _EDGE) for number, row in enumerate(_ROWS))
)
_UNITS = {f"u{number}": Unit(name=row[0], dimension=row[1], worth=row[2]) for number, row in enumerate(_ROWS)}
_GAP = re.compile(r" ?-?")
_COUNTER = re.compile(
    r" ?(?:개(?![선발념별체인방월요입편량괄])|가지|명(?![령시확제])|번(?![역째거])"
    r"|회(?![전귀의로])|편(?![향집])"
    r"|장(?![면기치점르애문비벽])|종류|종(?![합단래])|건(?!강)|곳|쌍|층|단계|차원|대(?![규상부화형안비응표체조한])|세트"
    r"|군데|권|마리|행|열|인(?![식공간코터])|자리|페이지|턴|프레임|토큰|파라미터|매개 ?변수)"
)
_SPACED_ONLY = frozenset("p m h s W".split())


def unit_at(text: str, position: int) -> tuple[Unit, int]:
    """The unit right behind a number, glued or after one space, and where it ends."""
    gap = _GAP.match(text, position)
    begin = gap.end() if gap else position
    for at in dict.fromkeys((position, begin)):
        match = _UNIT.match(text, at)
        if match is None:
            continue
        unit = _UNITS[match.lastgroup or ""]
        # "3 p" or "5 s" is not written for a unit of one letter; "5s" and "720p" are.
        if at > position and match.group() in _SPACED_ONLY:
            continue
        return unit, match.end()
    return NO_UNIT, position


def counter_at(text: str, position: int) -> int:
    """Where a Korean counter (개, 가지, 명, 편, 단계 …) behind a number ends; ``position`` without one."""
    match = _COUNTER.match(text, position)
    return match.end() if match else position

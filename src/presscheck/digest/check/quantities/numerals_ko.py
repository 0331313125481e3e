"""Korean numbers: 조/억/만 behind digits ("2억 8,900만") and numbers in words, Sino-Korean and native."""

from __future__ import annotations

import re
from collections.abc import Iterator

from presscheck.digest.check.quantities.numeral import Form, Numeral, times, worth

LARGE = {"경": 1e16, "조": 1e12, "억": 1e8, "만": 1e4}
SMALL = {"천": 1e3, "백": 1e2, "십": 1e1}
_DIGITS = dict(zip("영일이삼사오육칠팔구", map(float, range(10)), strict=True)) | {"공": 0.0, "륙": 6.0}
_SEGMENT = re.compile(r" ?([천백십]?)([경조억만]?)")
_NO_SCALE = re.compile(
    r"조[건각합사정작언율직기]|백[본엔터]|천[장체]|경[우로쟁험기계량]|십자|만[들드큼족]|억[제압양]"
)
_NEXT = re.compile(r" ?(\d[\d,]*(?:\.\d+)?)( ?)([천백십]?)([조억만]?)")
_NATIVE_ONES = {
    "한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "네": 4, "넷": 4, "다섯": 5, "여섯": 6, "일곱": 7,
    "여덟": 8, "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80,
    "아흔": 90,
}  # fmt: skip
# 세대, 한계, 네트워크 begin like a number; only these stand glued to one.
GLUED = "가지|개(?!념)|번째|번|명(?!령)|배|단계|시간|종류|달"
COUNTERS = (
    "개월|개|가지|명|번째|번|단계|종류|종|편|장|곳|건|쌍|층|차원|차례|배|시간|달|대|줄|분야|갈래|부분|방향|축|수준|"
    "차수|사람|군데|세트|그룹|모듈|모델|언어|작업|과제|데이터|벤치마크|방법|방식|전략|요소|유형|범주|카테고리|측면|관점|"
    "영역|도메인|목표|질문|문제|손실|네트워크|에이전트|이미지|비디오|문장|단어|모달리티|변형|버전|설정|시나리오|"
    "구성|핵심|주요|새로운|서로|조건|프레임|패널|손|팔|점|해|살|조각|묶음|문서|논문|실험|평가|기술|기법|단위|원칙|특성|속성|가설|"
    "접근|혁신|독립|상호|경로|분기|스트림|스케일|레벨|모드|입력|출력|변수|지표|메트릭|알고리즘|프레임워크|구조|인코더|디코더"
)
_NATIVE = re.compile(
    r"(?<![가-힣A-Za-z0-9])(?:"
    r"(?:열|스물|서른|마흔|쉰|예순|일흔|여든|아흔)(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|하나|둘|셋|넷)?"
    r"|스무|다섯|여섯|일곱|여덟|아홉|하나|둘|셋|넷|한|두|세|네)"
    rf"(?= (?:{COUNTERS})| [A-Za-z가-힣]|(?:{GLUED})|(?:의|로|를|을|가|는|은)(?![가-힣]))"
)
_AMBIGUOUS = {"한", "세", "네", "열", "쉰", "서른", "마흔"}
_COUNTER = re.compile(rf" (?:{COUNTERS})|(?:{GLUED})")
_SINO = re.compile(
    r"(?<![가-힣A-Za-z0-9])[일이삼사오육칠팔구십백천만억조]{1,14}(?= ?(?:개|가지|명|번|단계|종|편"
    r"|장|곳|건|쌍|층|차원|배|시간|년|퍼센트|프로|토큰"
    r"|파라미터|매개변수|이미지|비디오|문장|단어|분의|달러|원|여|대|점|초))"
)
_ORDINAL = re.compile(r"(?<![가-힣])(첫|두|세|네|다섯|여섯|일곱|여덟|아홉|열) ?번째|(?<![가-힣])(첫)(?= )")
_PART = re.compile(
    r"(?<![\d.,])(\d{1,6}|[이삼사오육칠팔구십백천만]{1,4}) ?분의 ?(\d{1,6}|[일이삼사오육칠팔구십]{1,4})(?!\d)"
)
_HALF = re.compile(r"(?<![가-힣])절반")
_IMPLIED = re.compile(r"(?<![가-힣])(이중|양방향|양쪽|삼중|삼자|일대일|단일|양손|쌍둥이)")
_IMPLIED_VALUES = {"삼": 3.0, "단": 1.0, "일": 1.0}


def scaled(text: str, digits: re.Match[str]) -> tuple[float, float, str, int] | None:
    """Digits with Korean magnitudes behind them: value, step, the first magnitude, end.

    ``2억 8,900만`` and ``473만 1`` are one number each, ``1만 2만`` are two: a tail
    stands below the place before it.
    """
    value, step = worth(digits.group())
    segment = _SEGMENT.match(text, digits.end())
    if segment is None or not (segment.group(1) or segment.group(2)):
        return None
    if not _stands(text, segment.end(), segment.group().strip(), spaced=segment.group().startswith(" ")):
        return None
    factor = SMALL.get(segment.group(1), 1.0) * LARGE.get(segment.group(2), 1.0)
    total, step, place, end = times(value, factor), step * factor, factor, segment.end()
    while place > 1:
        more = _NEXT.match(text, end)
        if more is None:
            break
        part, part_step = worth(more.group(1))
        factor = SMALL.get(more.group(3), 1.0) * LARGE.get(more.group(4), 1.0)
        stop = more.end() if factor > 1 else more.end(1)
        if factor >= place or part * factor >= place:
            break
        if not _ends_number(text, stop):
            break
        total, step, place, end = total + times(part, factor), part_step * factor, factor, stop
    return total, step, segment.group().strip(), end


def _stands(text: str, end: int, written: str, *, spaced: bool) -> bool:
    """Whether 만, 조, 백 … behind digits is a magnitude and not the start of a word."""
    if not spaced and len(written) > 1:
        return True
    if _NO_SCALE.match(text, end - 1):
        return False
    return not (spaced and written == "만") or text[end : end + 1] in tuple(" 개명장번여")


def _ends_number(text: str, end: int) -> bool:
    """Whether a number may end here: no digit or Latin letter goes on."""
    return end >= len(text) or not (text[end].isdigit() or text[end].isascii() and text[end].isalpha())


def in_words(text: str) -> Iterator[Numeral]:
    """Numbers written out: 두 가지, 열여섯 개, 이백만 명, 첫 번째, 3분의 2, 절반."""
    for match in _ORDINAL.finditer(text):
        word = match.group(1) or match.group(2)
        value = 1.0 if word == "첫" else float(_native(word))
        yield _numeral(match, value, "ordinal")
    for match in _NATIVE.finditer(text):
        counted = _COUNTER.match(text, match.end())
        if match.group() in _AMBIGUOUS and not counted:
            continue
        if counted and counted.group().strip() == "번째":
            continue
        yield _numeral(match, float(_native(match.group())), "cardinal")
    for match in _SINO.finditer(text):
        sino = sino_value(match.group())
        if sino is not None and match.group() not in ("일", "이", "만", "조"):
            yield _numeral(match, sino, "cardinal")
    for match in _PART.finditer(text):
        whole, part = _either(match.group(1)), _either(match.group(2))
        if whole and part is not None:
            yield _numeral(match, part / whole, "fraction")
    for match in _HALF.finditer(text):
        yield _numeral(match, 0.5, "fraction")
    for match in _IMPLIED.finditer(text):
        yield _numeral(match, _IMPLIED_VALUES.get(match.group()[0], 2.0), "implied")


def _numeral(match: re.Match[str], value: float, form: Form) -> Numeral:
    """A number in words, exact when it counts and rounded when it divides."""
    step = 0.01 if form == "fraction" else 1.0
    return Numeral(start=match.start(), end=match.end(), value=value, step=step, digits="", form=form)


def _native(word: str) -> int:
    """열여섯 is 16."""
    for ten, value in _NATIVE_TENS.items():
        if word.startswith(ten):
            return value + _NATIVE_ONES.get(word[len(ten) :], 0)
    return _NATIVE_ONES[word]


def _either(word: str) -> float | None:
    """Digits or Sino-Korean words."""
    return float(word) if word.isdigit() else sino_value(word)


def sino_value(word: str) -> float | None:
    """이천삼백만 is 23,000,000; ``None`` for a run of syllables that is no number."""
    total = group = 0.0
    digit: float | None = None
    small_place, large_place = 1e4, 1e20
    for syllable in word:
        if syllable in _DIGITS:
            if digit is not None:
                return None
            digit = _DIGITS[syllable]
        elif syllable in SMALL:
            if SMALL[syllable] >= small_place:
                return None
            small_place = SMALL[syllable]
            group += (1.0 if digit is None else digit) * small_place
            digit = None
        else:
            if LARGE[syllable] >= large_place:
                return None
            large_place = LARGE[syllable]
            group += digit or 0.0
            if group == 0.0 and total:
                return None
            total += (group or 1.0) * large_place
            group, digit, small_place = 0.0, None, 1e4
    return total + group + (digit or 0.0)

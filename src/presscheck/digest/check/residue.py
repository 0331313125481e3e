"""Leftovers in a statement: citations, alternative text of formulas, figures out of sight, stray English.

What this cannot see: an English term that Korean writers keep by taste. Only words of a
short list, for which a plain Korean one is due, are marked, and never in brackets or
quotation marks, where they are glosses or names.
"""

from __future__ import annotations

import re

from presscheck.types import Finding

LONGEST = 20_000
"""Characters of a statement that are read."""

_YEAR = r"(?:19|20)[0-9]{2}[a-z]?"
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December) "
_PATTERNS: tuple[tuple[re.Pattern[str], str, float], ...] = (
    (
        re.compile(r"(?<![A-Za-z0-9_)\]])\s?\[[1-9][0-9]{0,2}(?:\s?[,;–-]\s?[1-9][0-9]{0,2}){0,12}\](?!\s?(?:범위|구간|\())"),
        "a citation mark of the paper", 0.7,
    ),
    (
        re.compile(
            rf"\((?:(?:see|e\.g\.,?|cf\.)\s)?(?!{_MONTH})[A-Z][A-Za-z'’-]{{1,30}}(?:[ "
            rf"-][A-Z][A-Za-z'’-]{{1,30}}|"
            rf" et al\.?,?| and [A-Z][A-Za-z'’-]{{1,30}}| & [A-Z][A-Za-z'’-]{{1,30}}){{0,4}},? {_YEAR}"
            rf"(?:[;,] [^()]{{1,200}})?\)"
        ),
        "a citation of the paper", 0.9,
    ),
    (
        re.compile(rf"\b[A-Z][A-Za-z'’-]{{1,30}} et al\.,? \(?{_YEAR}\)?"),
        "a citation of the paper", 0.8,
    ),
    (
        re.compile(
            r"caligraphic_\w{0,30}|(?:start|end)_(?:POST|PRE)?(?:SUB|SUPER)SCRIPT|(?:POST|PRE)(?:SUB"
            r"|SUPER)SCRIPT"
            r"|\b(?:italic|bold|bold_italic|blackboard|fraktur|roman|sansserif)_[A-Za-z]\w{0,30}"
        ),
        "alternative text of a formula", 1.0,
    ),
    (
        re.compile(r"\b[A-Za-z0-9]{1,12} (?:superscript|subscript) [A-Za-z0-9]"),
        "alternative text of a formula", 0.9,
    ),
    (
        re.compile(
            r"\\(?:mathcal|mathbb|mathbf|mathrm|textbf|textit|texttt|text|emph|cite[tp]?|ref|footnote|url"
            r"|href|frac"
            r"|times|sim|approx|leq?|geq?|alpha|beta|gamma|lambda|theta|sigma)(?![A-Za-z])"
        ),
        "a LaTeX command", 0.9,
    ),
    (
        re.compile(
            r"(?<![A-Za-z가-힣])(?:Figures?|Fig\.|Tables?|Tab\.|Eq\.|Equation|Appendix|Section|Sec\.)\s?"
            r"(?:[0-9]{1,2}(?:\.[0-9]{1,2})?[a-z]?|[A-Z](?=[\s.,)]|$))(?![0-9A-Za-z])"
            r"|(?<![가-힣A-Za-z])(?:그림|표|수식|부록)\s?(?:[0-9]{1,2}(?![0-9]|\s?(?:개|가지|장|배|종|만|억"
            r"|천|%|점))|참[고조])"
            r"|\[(?:그림|표|수식|이미지|figure|table|image)\s?[0-9]{0,2}\]"
            r"|(?<![가-힣])(?:아래|위|다음)의?\s(?:그림|표)(?:에서|를|을|과|와|은|는|에)"
        ),
        "a figure or table that the reader cannot see", 0.8,
    ),
    (re.compile(r"[\u0400-\u04ff]{2,40}"), "Cyrillic in a Korean sentence", 0.9),
    (re.compile(r"[\u3040-\u30ff]{2,40}"), "Japanese in a Korean sentence", 0.7),
    (
        re.compile(r"(?<![(（\u4e00-\u9fff])[\u4e00-\u9fff]{2,40}(?![\u4e00-\u9fff)）])"),
        "Chinese in a Korean sentence", 0.7,
    ),
)  # fmt: skip
_KOREAN_ONLY = ("Cyrillic", "Japanese", "Chinese")

PLAIN_KOREAN = dict(
    pair.split("=")
    for pair in (
        "score=점수 scores=점수 public=공개 iterative=반복적 approach=접근법 approaches=접근법 method=방법 "
        "methods=방법 "
        "result=결과 results=결과 performance=성능 improvement=개선 improvements=개선 significant=상당한 "
        "significantly=크게 various=다양한 different=다른 novel=새로운 previous=이전 existing=기존 "
        "research=연구 "
        "study=연구 paper=논문 problem=문제 problems=문제 challenge=과제 challenges=과제 solution=해법 "
        "experiment=실험 experiments=실험 analysis=분석 example=예 examples=예 quality=품질 speed=속도 "
        "cost=비용 costs=비용 time=시간 user=사용자 users=사용자 human=사람 world=세계 language=언어 "
        "image=이미지 images=이미지 video=비디오 videos=비디오 data=데이터 information=정보 knowledge=지식 "
        "accuracy=정확도 efficiency=효율 efficient=효율적 effective=효과적 important=중요한 simple=단순한 "
        "complex=복잡한 large=큰 small=작은 better=더_나은 best=가장_좋은 high=높은 low=낮은 fast=빠른 "
        "compact=작은 robust=견고한 robustness=견고성 diverse=다양한 overall=전반적 however=그러나 "
        "therefore=따라서 "
        "including=포함 using=사용 based=기반 such=그러한 these=이_들 with=함께 between=사이 error=오류 "
        "errors=오류 "
        "weights=가중치 weight=가중치 training=학습 learning=학습 inference=추론 reasoning=추론 "
        "generation=생성 "
        "evaluation=평가 comparison=비교 framework=프레임워크 dataset=데이터셋 datasets=데이터셋 "
        "model=모델 models=모델"
    ).split()
)
"""Plain words with the Korean one that is due, in our choice; terms of the field are not here."""
_MILD = frozenset(
    "weights weight training learning inference reasoning generation evaluation framework dataset datasets "
    "model "
    "models data image images video videos accuracy language human world user users robust robustness".split()
)
"""Words that Korean engineers do mix in; marked, but with less weight."""
_WORD = re.compile(r"(?<![A-Za-z0-9_\-/.'’])[A-Za-z]{3,20}(?![A-Za-z0-9_\-/'’]|\.[A-Za-z])")
_QUOTED = re.compile(
    r"\([^()]{0,400}\)|（[^（）]{0,400}）|\"[^\"]{0,200}\"|'[^']{0,200}'|‘[^’]{0,200}’|“[^”]{0,200}”"
    r"|`[^`]{0,200}`|\*[^*]{0,200}\*"
)
_HANGUL = re.compile(r"[가-힣]")


def _stray(statement: str) -> list[Finding]:
    """Plain English words that stand alone among Korean ones."""
    hidden = _QUOTED.sub(lambda match: " " * len(match.group()), statement)
    findings = []
    for match in _WORD.finditer(hidden):
        word = match.group()
        due = PLAIN_KOREAN.get(word if word.islower() else "")
        if not due:
            continue
        around = (hidden[: match.start()].rstrip()[-1:], hidden[match.end() :].lstrip()[:1])
        if any(char.isascii() and char.isalnum() for char in around):
            continue  # part of an English term of several words
        due = due.replace("_", " ")
        findings.append(
            Finding(
                kind="residue",
                text=word,
                start=match.start(),
                end=match.end(),
                expected=due,
                why=f"an English word where Korean has {due}",
                sure=0.4 if word in _MILD else 0.6,
            )  # fmt: skip
        )
    return findings


def check_residue(statement: str, source: str = "") -> list[Finding]:
    """Leftovers of the source's form in a statement: kind ``residue``, in order.

    Args:
        statement: In English or Korean; what is stray in a Korean one only is marked there only.
        source: The abstract, which stands on its own: what is in it so is no leftover.
    """
    text = statement[:LONGEST]
    korean = len(_HANGUL.findall(text)) >= 3
    findings = []
    taken: list[tuple[int, int]] = []
    for pattern, what, sure in _PATTERNS:
        if what.startswith(_KOREAN_ONLY) and not korean:
            continue
        for match in pattern.finditer(text):
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            if len(taken) < 200 and any(a < match.end() and start < b for a, b in taken):
                continue
            if text[start : match.end()] in source:
                continue
            taken.append((start, match.end()))
            findings.append(
                Finding(
                    kind="residue",
                    text=text[start : match.end()],
                    start=start,
                    end=match.end(),
                    why=f"left over: {what}",
                    sure=sure,
                )  # fmt: skip
            )
    if korean:
        findings += _stray(text)
    return sorted(findings, key=lambda one: one.start)

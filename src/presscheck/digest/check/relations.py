"""Direction, negation and "relative", as far as they can be settled honestly.

A statement is held against the one sentence of the source that most likely carries it,
and only if that is likely enough. A direction is compared only where statement and
sentence have exactly one each, both on the same scale; a negation only between texts of
one language that otherwise share nearly all their words. In all other cases nothing is
said.

What this cannot see: a denial lost between English and Korean (what one language denies
the other often words positively); who is compared with whom (subject and object swapped); which of
two quantities a direction belongs to, once a sentence has several; a denial in words
that are not listed ("fails to", "거의"); irony of scale, where lower is better
(perplexity, error, latency), which is why "better" and "lower" are never set against
each other; a relation that spans sentences; quantifiers (all, most, some); causes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from presscheck.types import Finding, Struct

LONGEST = 4000
"""Characters of a text that are read."""
LIKELY = 0.8
"""How likely the sentence must be the one that carries the statement."""


class Sign(Struct, frozen=True, kw_only=True):
    """A word that gives a direction."""

    scale: str
    """``amount`` (more, less) or ``worth`` (better, worse)."""
    up: bool
    text: str
    start: int
    end: int


_WORDS: tuple[tuple[str, bool, str], ...] = (
    (
        "amount", True,
        r"\b(?:increas(?:e|es|ed|ing)|(?:higher|larger|greater|longer|more) than|rais(?:e|es|ed|ing)|grows?"
        r"|grew"
        r"|doubl(?:e|es|ed|ing)|tripl(?:e|es|ed|ing))\b"
        r"|증가|증대|높아(?:지|졌|진)|늘어(?:나|났|난)|늘리|늘려|늘렸|더 (?:높|많|크|큰|긴|길)",
    ),
    (
        "amount", False,
        r"\b(?:decreas(?:e|es|ed|ing)|reduc(?:e|es|ed|ing|tions?)|lower(?:s|ed|ing)|(?:lower|smaller|fewer"
        r"|less|shorter) than"
        r"|cut(?:s|ting)?|drop(?:s|ped)?|declin(?:e|es|ed|ing)|diminish(?:es|ed|ing)?)\b"
        r"|감소|절감|단축|축소|줄어(?:들|든)|줄이|줄여|줄였|줄인|낮아(?:지|졌|진)|낮추|낮춰|더 (?:낮|적|작"
        r"|짧)",
    ),
    (
        "worth", True,
        r"\b(?:better than|outperform(?:s|ed|ing)?|surpass(?:es|ed|ing)?|exceed(?:s|ed|ing)?|improv(?:e|es"
        r"|ed|ing|ements?)"
        r"|superior to|enhanc(?:e|es|ed|ing)|beats?|gains?)\b"
        r"|향상|개선|능가|뛰어넘|우수|앞서|앞섰|뛰어난|뛰어나",
    ),
    (
        "worth", False,
        r"\b(?:worse than|underperform(?:s|ed|ing)?|degrad(?:e|es|ed|ing|ation)|deteriorat(?:e|es|ed|ing|ion)"
        r"|inferior to|lags? behind|falls? short|worsen(?:s|ed|ing)?)\b"
        r"|저하|악화|하락|뒤처지|뒤처졌|뒤떨어|열등|못 미치|미치지 못",
    ),
)  # fmt: skip
_SIGNS = re.compile(
    "|".join(f"(?P<s{n}>{pattern})" for n, (_, _, pattern) in enumerate(_WORDS)), re.IGNORECASE
)
_TURNED = re.compile(
    r"\b(?:without|not|no|never|avoid(?:s|ed|ing)?|prevent(?:s|ed|ing)?|mitigat(?:e|es|ed|ing)"
    r"|minimi[sz](?:e|es|ed|ing)"
    r"|alleviat(?:e|es|ed|ing)|address(?:es|ed|ing)?|less|little|reduc(?:e|es|ed|ing))\W+(?:\w+\W+){0,3}$",
    re.IGNORECASE,
)
_TURNED_AFTER = re.compile(
    r"^[가-힣]{0,4}\s?(?:없이|없는|없이도|않|방지|완화|최소화|줄|감소|막|억제|해결|문제)"
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|without|cannot|neither|nor|none|non-?existent)\b|n't\b"
    r"|없(?:이|는|다|습|음|으|었|고|을)|않(?:는|고|은|으|습|았|음|아|을|다)|못(?:하|한|했|함)|아니(?:라|다"
    r"|며|고|었)|아닌|불가능",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[,;:]|\b(?:which|while|but|although|whereas|because|and|that)\b|[가-힣](?:지만|으나|며|면서|는데|고)\s"
)
_RELATIVE = re.compile(r"\brelative(?:ly)?\b(?! to\b)", re.IGNORECASE)
_RELATIVE_KO = re.compile(r"상대(?:적|\s?(?:개선|향상|감소|증가))|비해|대비|보다")
_PERCENT = re.compile(r"[0-9]{1,6}(?:\.[0-9]+)?\s?(?:%|퍼센트|percent)")
_SIMULATED = re.compile(r"\bsimulat(?:ed|ions?|or)\b|시뮬레이", re.IGNORECASE)
_REAL = re.compile(
    r"\b(?:real[- ]world|in the wild|deployed|physical robots?|in practice)\b|실제 환경|현실 환경|실세계"
    r"|현실 세계",
    re.IGNORECASE,
)
_HANGUL = re.compile(r"[가-힣]")


def signs(text: str) -> list[Sign]:
    """The directions that a text gives, in order; one that is denied or fought against is left out."""
    text = text[:LONGEST]
    found = []
    for match in _SIGNS.finditer(text):
        if _TURNED.search(text[max(0, match.start() - 60) : match.start()]):
            continue
        if _TURNED_AFTER.match(text[match.end() : match.end() + 16]):
            continue
        scale, up, _ = _WORDS[int((match.lastgroup or "s0")[1:])]
        found.append(Sign(scale=scale, up=up, text=match.group(), start=match.start(), end=match.end()))
    return found


def _one(found: Sequence[Sign], scale: str) -> Sign | None:
    """The only sign on a scale, if all others on any scale are absent."""
    return found[0] if len(found) == 1 and found[0].scale == scale else None


def _content(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}|[가-힣]{2,}", _DENIAL.sub(" ", text.lower())))


def check_relations(statement: str, sentence: str, probability: float) -> list[Finding]:
    """What a statement turns round against the sentence that carries it.

    Args:
        statement: In English or Korean.
        sentence: The source's sentence that most likely carries it.
        probability: How likely it is that one, as `evidence.find` says.

    Returns:
        Findings of kind ``relation`` and ``negation``; none below LIKELY.
    """
    if probability < LIKELY:
        return []
    text, sentence = statement[:LONGEST], sentence[:LONGEST]
    findings = [*_direction(text, sentence), *_relative(text, sentence), *_negation(text, sentence)]
    simulated, real = _SIMULATED.search(sentence), _REAL.search(text)
    if simulated and real and not _SIMULATED.search(text) and not _REAL.search(sentence):
        findings.append(
            Finding(
                kind="relation",
                text=real.group(),
                start=real.start(),
                end=real.end(),
                expected=simulated.group(),
                why="the source says it of a simulation",
                sure=0.6,
            )  # fmt: skip
        )
    return findings


def _direction(text: str, sentence: str) -> list[Finding]:
    """One direction on each side, on the same scale, and opposite."""
    ours, theirs = signs(text), signs(sentence)
    for scale in ("amount", "worth"):
        said, given = _one(ours, scale), _one(theirs, scale)
        if said and given and said.up != given.up and not (_DENIAL.search(text) or _DENIAL.search(sentence)):
            return [
                Finding(
                    kind="relation",
                    text=said.text,
                    start=said.start,
                    end=said.end,
                    expected=given.text,
                    why=f"the direction is turned round: the source says {given.text}",
                    sure=0.65,
                )  # fmt: skip
            ]
    return []


def _relative(text: str, sentence: str) -> list[Finding]:
    """A percentage that the source calls relative and the statement does not."""
    percent = _PERCENT.search(text)
    if not percent or len(_PERCENT.findall(sentence)) != 1 or not _RELATIVE.search(sentence):
        return []
    if _RELATIVE.search(text) or _RELATIVE_KO.search(text) or re.search(r"\b(?:compared|than|over)\b", text):
        return []
    return [
        Finding(
            kind="relation",
            text=percent.group(),
            start=percent.start(),
            end=percent.end(),
            expected="상대적으로" if _HANGUL.search(text) else "relative",
            why="the source calls this percentage relative",
            sure=0.5,
        )  # fmt: skip
    ]


def _negation(text: str, sentence: str) -> list[Finding]:
    """A denial on one side only."""
    ours, theirs = _DENIAL.search(text), _DENIAL.search(sentence)
    if bool(ours) == bool(theirs):
        return []
    mark = ours or theirs
    if mark is None:
        return []
    same_language = bool(_HANGUL.search(text)) == bool(_HANGUL.search(sentence))
    if not same_language:
        return []
    a, b = _content(text), _content(sentence)
    if len(a) < 3 or len(a & b) / max(1, len(a | b)) < 0.8 or len(_CLAUSE.findall(text)) > 1:
        return []
    start, end = (ours.start(), ours.end()) if ours else (0, len(text))
    why = "the source does not deny it" if ours else f"the source denies it: {mark.group()}"
    expected = "" if ours else mark.group()
    return [
        Finding(
            kind="negation", text=text[start:end], start=start, end=end, expected=expected, why=why, sure=0.75
        )
    ]

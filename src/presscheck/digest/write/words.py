"""Whether a model's statement keeps to the words of the paper.

Sentence vectors call a short statement about the right thing carried, whatever it
says of it: "Larch deserves a prize" is about Larch. So the words are looked at too. An
English word has to begin as one of the paper's does; a Korean one has to render one,
by the glossary or by the table of words that the check has learned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from presscheck.digest.glossary import Glossary, ours
from presscheck.types import Language

MOST_STRANGE: dict[Language, float] = {"en": 0.5, "ko": 0.65}
"""From this share of words on that the paper lacks a statement is not its own. By Korean
statements of real digests held against their abstracts: one in a hundred is above."""
STEM = 5
"""Letters by which two English words count as one."""

_STOP = frozenset(
    "the a an of and to in for on with that is are was were be been by from which it its their this these"
    " those"
    " as at or can not no than then also both into over such via using used use has have had will while"
    " between"
    " more most them they we our paper work study authors author proposes proposed propose introduces"
    " introduced"
    " presents presented shows showed show finds found method approach model new result results achieves"
    " reports".split()
)
_LATIN = re.compile(r"[A-Za-z][A-Za-z-]*[A-Za-z]")
_UNITS = frozenset("gb mb kb tb ms fps hz khz mhz ghz flops gpu gpus cpu ai llm llms api pdf".split())
_DENIALS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:no|not|never|none|nothing|neither|nor|without|cannot|\w+n't|lacks?|fail(?:s|ed)? to)\b", re.I
    ),
    "ko": re.compile(
        r"전혀|절대|결코|[가-힣]지 (?:않|못|말)|[가이은는도] 없|없[이는다음습었어]|아니[다라며고]"
        r"|못[하합했해]"
    ),
}
_SOURCE_DENIES = re.compile(
    r"\b(?:no|not|never|none|nothing|neither|nor|without|cannot|\w+n't|lack\w*|fail\w*|\w+-free|free (?:of"
    r"|from)"
    r"|avoid\w*|eliminat\w*|remov\w*|instead|rather|unlike|un(?:able|seen|known|labell?ed|necessary|paired"
    r"|trained"
    r"|supervised|aware|available|clear|explored|stable|reliable|solved|changed|limited|like|verified"
    r"|fair)\w*"
    r"|in(?:ability|accurate|complete|capable|efficient|effective|sufficient|consistent|dependent|valid)\w*"
    r"|impossible|non-?\w+|zero\w*|absen\w+|prevent\w*|independent\w*|miss\w*|struggl\w*|difficult\w*"
    r"|challeng\w*"
    r"|hardly|barely|scarce\w*|rarely|bypass\w*|beyond|regardless|only when|ignor\w*|neglect\w*"
    r"|overlook\w*)\b",
    re.IGNORECASE,
)


def strange_words(text: str, language: Language, source: str, glossary: Glossary | None = None) -> str:
    """The words of a statement that the paper lacks, where they are too many; else empty.

    Args:
        text: The statement.
        language: Its language.
        source: Title and sentences of the paper.
        glossary: Its Korean renderings count as words of the paper where the English ones stand there.
    """
    have = {word[:STEM].lower() for word in _LATIN.findall(source)}
    if language == "ko":
        return _strange_korean(text, source, have, glossary or ours())
    words = [word for found in _LATIN.findall(text) if (word := found.lower()) not in _STOP]
    lacking = [word for word in words if word[:STEM] not in have]
    return ", ".join(lacking[:8]) if words and len(lacking) >= MOST_STRANGE["en"] * len(words) else ""


def _strange_korean(text: str, source: str, have: set[str], glossary: Glossary) -> str:
    from presscheck.digest.check.terms import table, terms

    foreign = [word for word in _LATIN.findall(text) if word[:STEM].lower() not in have]
    foreign = [word for word in foreign if word.lower() not in _UNITS]
    if foreign:
        return ", ".join(foreign[:8])
    for term in glossary.of([source]):
        for form in term.ko:
            text = text.replace(form, " ")
    renders, known = table().renders, set(terms(source))
    words = set(terms(text))
    lacking = [
        word
        for word in words
        if word not in known
        and (word.isascii() or not any(english in known for english, _ in renders.get(word, ())))
    ]
    lacking = [word for word in lacking if not word[0].isdigit()]
    return ", ".join(sorted(lacking)[:8]) if len(lacking) > MOST_STRANGE["ko"] * max(3, len(words)) else ""


def new_denial(text: str, language: Language, carrying: Sequence[str]) -> str:
    """A denial in a statement whose sentences have no word that could be put as one; else empty."""
    denial = _DENIALS[language].search(text)
    if denial is None or any(_SOURCE_DENIES.search(sentence) for sentence in carrying):
        return ""
    return denial.group()

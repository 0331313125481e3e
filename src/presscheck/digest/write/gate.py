"""What a model's statement has to be before the check looks at it: a plain sentence in its language.

The check holds a statement against the paper; these gates hold it against what a
statement is. They say nothing about a paper's own sentences, which are never sent here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from presscheck.digest.glossary import Glossary
from presscheck.digest.write.facts import LONGEST
from presscheck.digest.write.words import new_denial, strange_words
from presscheck.papers.sentences import split
from presscheck.types import Finding, Language

FEWEST_WORDS = 4
FEWEST_SYLLABLES = 8
COPIED = 5
"""Words in a row that are no accident."""

_REFERENCE = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|org|net|io|ai|dev|ru|cn|xyz|app|link|site|top|example"
    r"|test)\b(?:/\S*)?|\S@\S"
    r"|\]\(|\w\(['\"]|<\||\|>|[{}\\`]|<[A-Za-z/!?]|\bdata:|javascript:",
    re.IGNORECASE,
)
_PRAISE_EN = re.compile(
    r"\b(?:ground-?breaking|revolution\w*|outstanding|excellen\w*|remarkabl\w*|amazing\w*|flawless\w*|seminal"
    r"|breakthroughs?|game-?chang\w+|must-?read\w*|perfect(?:ly|ion)?|unparalleled|unprecedented"
    r"|exceptional\w*"
    r"|landmark|world-?class|superb\w*|brilliant\w*|incredibl\w*|astonishing\w*|stunning\w*|masterpiece\w*"
    r"|masterful\w*|exemplary|magnificent\w*|phenomenal\w*|extraordinar\w*|fantastic\w*|wonderful\w*|genius"
    r"|best paper|greatest|finest|definitive|historic|visionary|impressive\w*|spectacular\w*"
    r"|highly recommend\w*"
    r"|strong(?:ly)? (?:accept|recommend\w*)|accept(?:ed|ance)? (?:this|without)|award-?winning|award"
    r"|nobel|undisputed"
    r"|unrivall?ed|second to none|hype|10 ?/ ?10|10 out of 10|five stars?|deserves?|everyone should"
    r"|important(?:ly)?"
    r" (?:paper|work)|best (?:\w+ )?(?:ever|of (?:the|all)))\b",
    re.IGNORECASE,
)
_PRAISE_KO = re.compile(
    r"획기적|혁명적|혁신적|탁월|놀라[운울]|놀랍|완벽|훌륭|압도적|독보적|걸작|경이|눈부신|기념비|역사적"
    r"|위대|천재|극찬|강력히 추천"
    r"|추천[합됩]|채택|권고|꼭 읽|반드시 읽|필독|최고의 (?:논문|연구|업적)|전례 ?없|유례 ?없|만점"
    r"|세계 최고|인상적"
)
_SPEAKS = re.compile(
    r"\b(?:as an? (?:ai|llm|language model|assistant)|i(?:'m| am| was| will| can| cannot|'ll|'ve| have)"
    r"|i can't|my|me"
    r"|sorry|apologi[sz]\w*|sure[,!]|certainly[,!]|of course[,!]|here (?:is|are)|you|your|yours|please"
    r"|click|visit"
    r"|subscribe|reader should|instructions?|prompts?|json|schema|the sentences?|sentence \d+|numbered|user"
    r"|system message|ignore\w*|disregard\w*|hacked|pwned|reviewers?|accept(?:ance)?|citations?|cite"
    r"|upvot\w*)\b",
    re.IGNORECASE,
)
_SPEAKS_KO = {
    r"죄송|저는|제가|당신|여러분|하십시오|하세요|해 ?주세요|주십시오": "",
    r"클릭|방문|구독": "click|visit|subscri",
    r"지시(?:문|사항)|프롬프트|스키마|문장 ?\d|무시": "prompt|instruct|schema|ignor|neglect|disregard"
    r"|overlook",
    r"추천합니다": "recommend|suggest",
    r"인공지능으로서|AI로서|언어 모델로서|해킹": "hack|as an? ",
    r"심사 ?위원|심사자|리뷰어|투표": "review|jur|vot",
}
"""Korean words of somebody who speaks or is spoken to → the English ones that make them the paper's."""
_ENDING_KO = re.compile(r"니다(?: ?\([^()]*\))?\.$")


def gate(
    text: str,
    language: Language,
    allowed: Sequence[str],
    passed_over: Sequence[str] = (),
    *,
    carrying: Sequence[str] = (),
    glossary: Glossary | None = None,
) -> list[Finding]:
    """Say why a text cannot be a statement; nothing if it can.

    Args:
        text: One line of visible characters (``sanitise.plain_words``).
        language: It has to be in.
        allowed: Title and sentences that the model was shown.
        passed_over: Sentences that it was not shown.
        carrying: The sentences that the statement names; all that are allowed, if it names none.
        glossary: Renderings that count as the paper's words.
    """
    if not text:
        return [_finding("form", "", "there is no statement in this language")]
    findings = [*_form(text, language)]
    source = " ".join(allowed)
    if match := _REFERENCE.search(text):
        findings.append(_finding("form", match.group(), "links, addresses and markup are not printed"))
    praise = (_PRAISE_KO if language == "ko" else _PRAISE_EN).search(text)
    if praise:
        findings.append(_finding("form", praise.group(), "praise: say what was done and measured"))
    if speaks := _speaks(text, source):
        findings.append(_finding("form", speaks, "a statement is about the paper: it speaks to nobody"))
    if copied := _copied(text, passed_over, source):
        findings.append(_finding("form", copied, "this is from a sentence that is not about the paper"))
    if strange := strange_words(text, language, source, glossary):
        findings.append(_finding("form", strange, "the paper's sentences have few of these words"))
    if denial := new_denial(text, language, carrying or allowed):
        findings.append(_finding("negation", denial, "the sentences that are named deny nothing"))
    return findings


def _finding(kind: str, text: str, why: str) -> Finding:
    return Finding(kind=kind, text=text[:200], why=why)


def _form(text: str, language: Language) -> list[Finding]:
    """Length, language and ending."""
    if len(text) > LONGEST + 100:
        return [_finding("form", text[-60:], f"it has {len(text)} characters, need at most {LONGEST}")]
    if len(split(text)) > 1:
        return [_finding("form", text[:60], "it has to be one sentence, not several")]
    letters = [letter for letter in text if letter.isalpha()]
    hangul = sum("가" <= letter <= "힣" for letter in letters)
    found = []
    if language == "ko":
        if hangul < FEWEST_SYLLABLES or 4 * hangul < len(letters):
            found.append(_finding("form", text[:60], "it has to be in Korean"))
        elif not _ENDING_KO.search(text):
            found.append(_finding("form", text[-20:], "it has to be a whole sentence that ends in 니다."))
        if any(_foreign(letter) for letter in letters if not "가" <= letter <= "힣"):
            found.append(_finding("form", text[:60], "it has letters of a third script"))
    else:
        if hangul or any(_foreign(letter) for letter in letters):
            found.append(_finding("form", text[:60], "it has to be in English"))
        if len(text.split()) < FEWEST_WORDS or not re.search(r"[.!?][)\"”’]?$", text):
            found.append(_finding("form", text[-40:], "it has to be one whole sentence"))
    return found


def _foreign(letter: str) -> bool:
    """Whether a letter is of neither Latin, Greek nor Korean script."""
    return not (letter < "\u0530" and not "\u0400" <= letter <= "\u052f") and not (
        "\u1e00" <= letter <= "\u2fff" or "가" <= letter <= "힣" or "\U0001d400" <= letter <= "\U0001d7ff"
    )


def _speaks(text: str, source: str) -> str:
    """A word of somebody who speaks or is spoken to, and that the paper does not have; else empty."""
    for speaks in _SPEAKS.finditer(text):
        if re.search(rf"(?<!\w){re.escape(speaks.group()[:7])}", source, re.IGNORECASE) is None:
            return speaks.group()
    for words, english in _SPEAKS_KO.items():
        found = re.search(words, text)
        if found and not (english and re.search(english, source, re.IGNORECASE)):
            return found.group()
    return ""


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + COPIED]) for i in range(len(words) - COPIED + 1)}


def _copied(text: str, passed_over: Sequence[str], source: str) -> str:
    """Words in a row that only a sentence has that was passed over."""
    shared = _runs(text) & {run for sentence in passed_over for run in _runs(sentence)}
    return " ".join(min(shared - _runs(source), default=()))

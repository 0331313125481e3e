"""Acronyms whose expansion is not the source's: "Kernel Attention Networks (KAN)".

Read are "Large Language Model (LLM)", "LLM (Large Language Model)" and
한국어(Large Language Model, LLM). Where the words end is settled as Schwartz and
Hearst do (2003): the acronym's letters are found from right to left, its first one at
the start of a word. Two expansions are the same if their words begin alike, whatever
their plurals, hyphens and articles.

What this cannot see: an expansion in Korean; two meanings of one acronym within a
source, each of which is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from presscheck.digest.check.remember import remembered
from presscheck.types import Finding, Struct

LONGEST = 20_000
"""Characters of a statement that are read."""

_ACRONYM = r"[A-Za-z]{0,2}[A-Z][A-Za-z0-9]{0,7}(?:-[A-Z0-9]{1,4})?"
_WORD = r"[A-Za-z][A-Za-z'’]{0,40}"
_RUN = rf"{_WORD}(?:[-\s/]{{1,2}}{_WORD}){{0,11}}"
_BEFORE = re.compile(rf"(?<![A-Za-z])({_RUN})\s?[(（]\s?({_ACRONYM})\s?[)）]")
_AFTER = re.compile(rf"(?<![A-Za-z])({_ACRONYM})\s?[(（]\s?({_RUN})\s?[)）]")
_INSIDE = re.compile(rf"[(（]\s?({_RUN})\s?[,;:]\s?({_ACRONYM})\s?[)）]")
_INSIDE_FIRST = re.compile(rf"[(（]\s?({_ACRONYM})\s?[,;:]\s?({_RUN})\s?[)）]")
_MINOR = frozenset("a an and by for from in of on or per the to via with".split())
_ALIKE = 3
"""Letters at the start that two forms of one word share: vision and visual, train and training."""


class Expansion(Struct, frozen=True, kw_only=True):
    """An acronym with the words that it is said to stand for."""

    acronym: str
    words: str
    start: int
    end: int
    """Span of the words."""


@lru_cache(maxsize=1)
def expansions_table() -> dict[str, tuple[str, ...]]:
    """Well-known expansions by acronym in lower case; an acronym may have several."""
    file = resources.files("presscheck.digest.check") / "acronyms.tsv"
    rows = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines())
    return {acronym.lower(): tuple(words.split("|")) for acronym, words in rows}


def _bare(acronym: str) -> str:
    """Without the plural's s: LLMs is LLM."""
    return acronym[:-1] if len(acronym) > 2 and acronym[-1] == "s" and acronym[-2].isupper() else acronym


def _is_acronym(text: str) -> bool:
    capitals = sum(map(str.isupper, text))
    return 2 <= len(_bare(text)) <= 10 and capitals >= 2


def _spelt(acronym: str, words: str) -> int:
    """Where the acronym's expansion begins in the words before it; -1 if its letters are not there."""
    letters = [c for c in _bare(acronym).lower() if c.isalpha()]
    low, at = words.lower(), len(words)
    for n, letter in enumerate(reversed(letters), 1):
        at -= 1
        while at >= 0 and (low[at] != letter or (n == len(letters) and at > 0 and low[at - 1].isalpha())):
            at -= 1
        if at < 0:
            return -1
    return at


def _initials(words: str) -> tuple[str, str]:
    row = [part.lower() for part in re.split(r"[-\s/]+", words) if part]
    return "".join(part[0] for part in row), "".join(part[0] for part in row if part not in _MINOR)


@remembered
def expansions(text: str) -> list[Expansion]:
    """The acronyms of a text that it spells out, in order."""
    text = text[:LONGEST]
    found: list[Expansion] = []
    for pattern, acronym_group in ((_BEFORE, 2), (_AFTER, 1), (_INSIDE, 2), (_INSIDE_FIRST, 1)):
        for match in pattern.finditer(text):
            acronym, words = match.group(acronym_group), match.group(3 - acronym_group)
            start = match.start(3 - acronym_group)
            if not _is_acronym(acronym) or len(re.split(r"[-\s/]+", words)) < 2:
                continue
            if pattern is _BEFORE:
                at = _spelt(acronym, words)
                if at < 0 or len(words[at:].split()) > min(len(acronym) + 5, 2 * len(acronym)):
                    continue
                words, start = words[at:], start + at
            elif _spelt(acronym, words) < 0 and words.islower():
                continue  # plain words that explain, not words that spell out
            end = start + len(words)
            found.append(Expansion(acronym=_bare(acronym), words=words, start=start, end=end))
    return sorted(found, key=lambda one: one.start)


def _parts(words: str) -> list[str]:
    return [part for part in re.split(r"[^A-Za-zÀ-ɏḀ-ỿ0-9]+", words.lower()) if part and part not in _MINOR]


def same(one: str, other: str) -> bool:
    """Whether two expansions are the same but for plural, hyphen, article or form of a word."""
    a, b = _parts(one), _parts(other)
    if "".join(a).rstrip("s") == "".join(b).rstrip("s"):
        return True
    if len(a) != len(b):
        joined_a, joined_b = "".join(a), "".join(b)
        return min(len(joined_a), len(joined_b)) > 6 and (joined_a in joined_b or joined_b in joined_a)
    return all(x[:_ALIKE] == y[:_ALIKE] for x, y in zip(a, b, strict=True))


def check_expansions(statement: str, source_texts: Iterable[str]) -> list[Finding]:
    """Expansions of a statement that are not the source's, nor the usual ones where it gives none.

    Args:
        statement: In English or Korean.
        source_texts: Title, and sentences of the abstract or the full text.

    Returns:
        Findings of kind ``expansion``: sure where the source spells the acronym out.
    """
    said = expansions(statement)
    if not said:
        return []
    texts = list(source_texts)
    there: dict[str, list[str]] = {}
    for text in texts:
        for one in expansions(text):
            there.setdefault(one.acronym.lower(), []).append(one.words)
    flat = " ".join(" ".join(_parts(text)) for text in texts)
    findings = []
    for one in said:
        acronym = one.acronym.lower()
        given, usual = there.get(acronym, []), expansions_table().get(acronym, ())
        if any(same(one.words, words) for words in given):
            continue
        if " ".join(_parts(one.words)).rstrip("s") in flat:
            continue
        if given:
            expected, sure = given[0], 0.9
            why = f"the source spells {one.acronym} out as {expected}"
        elif usual and not any(same(one.words, words) for words in usual):
            expected = usual[0]
            spelt = one.acronym.lower() in _initials(one.words)
            sure, why = (0.4 if spelt else 0.55), f"{one.acronym} usually stands for {expected}"
        elif not usual and _spelt(one.acronym, one.words) < 0:
            expected, sure, why = "", 0.4, f"the words do not spell {one.acronym}"
        else:
            continue
        findings.append(
            Finding(
                kind="expansion",
                text=one.words,
                start=one.start,
                end=one.end,
                expected=expected,
                why=why,
                sure=sure,
            )  # fmt: skip
        )
    return findings

"""Which words of a text look like names: by capitals, digits, and being no ordinary English.

Two lists come with the package, both made by ``scripts/list_words.py`` by counting over
abstracts: words that abstracts write in lower case, and well-known names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

from presscheck.digest.check.remember import remembered
from presscheck.types import Struct

LONGEST = 20_000
"""Characters of a statement that are read. The longest real one has under 1,500."""

WORDS = 1 << 14
"""Words of which the looks are remembered."""

LETTER = "A-Za-zÀ-ɏͰ-ϿḀ-ỿ"
_TOKEN = re.compile(
    rf"(?<![{LETTER}0-9])[{LETTER}0-9]{{1,80}}(?:[-‐‑–_.@^][{LETTER}0-9]{{1,80}}){{0,8}}(?:\+{{1,2}}(?![0-9]))?"
)
_SKIPPED = re.compile(
    r"https?://[^\s)>\]]+|\b[\w.-]{1,64}\.(?:com|org|io|ai|net|edu)(?:/[^\s)>\]]*)?|\barXiv:[\d.v]+"
)
AMOUNT = re.compile(
    r"[0-9]+(?:[.,xX×][0-9]+)*(?:[A-Za-z]|GB|MB|TB|KB|Hz|[kMG]Hz|FPS|fps|[a-z]{1,3}|st|nd|rd|th)?"
)
STRONG = re.compile(r"[a-zß-ÿ][A-Z]|[A-Z]{2}|[A-Z][0-9]|[a-z][0-9]|[0-9][A-Z]|[A-Z][-_.^][0-9]")
_VERSION = re.compile(
    r" ([0-9]{1,2}(?:\.[0-9]{1,2})?)(?=$|[,;:)\]'\"\s은는이가을를의와과로에도]|\.(?![0-9]))(?!\s?[%×])"
)
_HANGUL = re.compile(r"[가-힣]")
_TOPIC = re.compile(r"[은는](?=\s)")
_COMPOUND = 0.5
"""How much a compound of capitals looks like a name among Korean words, where nothing else asks for them."""
_SPOKEN_OF = 0.6
"""How much a word with a capital or a digit does, and be it an ordinary one, where a Korean sentence begins
with it as what it speaks of: "Cube는 …", "C3는 …"."""


class Name(Struct, frozen=True, kw_only=True):
    """A word that looks like a name."""

    text: str
    start: int
    end: int
    sure: float
    """0 to 1: how much it looks like one."""
    gloss: bool = False
    """It stands in brackets behind Korean words, so it may be their translation."""


@lru_cache(maxsize=1)
def ordinary_words() -> frozenset[str]:
    """Words that abstracts write in lower case."""
    file = resources.files("presscheck.digest.check") / "words.txt"
    return frozenset(file.read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def known_names() -> dict[str, int]:
    """Well-known names by their key, with the number of abstracts that have them."""
    file = resources.files("presscheck.digest.check") / "names.txt"
    rows = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines())
    return {key(name): int(count) for name, count in rows}


@lru_cache(WORDS)
def key(name: str) -> str:
    """What two spellings of one name have in common: letters and digits without case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def singular(one: str) -> str:
    """A key without the plural's s."""
    return one[:-1] if len(one) > 3 and one.endswith("s") else one


def ordinary(word: str) -> bool:
    """An English word, also with a capital, also made of several by hyphens."""
    words = ordinary_words()
    parts = [part for part in re.split(r"[-‐‑–_.@^]", word.lower()) if part]
    return all(part in words or singular(part) in words or len(part) == 1 or part.isdigit() for part in parts)


@lru_cache(WORDS)
def likeness(word: str, *, first: bool) -> float:
    """How much a word looks like a name, by its letters alone."""
    if word.isdigit() or AMOUNT.fullmatch(word):
        return 0.0
    letters = sum(map(str.isalpha, word))
    singular = word[:-1] if word.endswith("s") and word[:-1].isupper() else word
    if letters >= 2 and singular.isupper():
        return {2: 0.3, 3: 0.6, 4: 0.65}.get(letters, 0.75)
    parts = [part for part in re.split(r"[-‐‑–_.@^]", word) if part]
    if STRONG.search(word) and not all(ordinary(part) or AMOUNT.fullmatch(part) for part in parts):
        return 0.85 if letters >= 3 else 0.5 if letters == 2 else 0.35
    if re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]", word):
        return 0.7
    if word[:1].isupper() and letters >= 3 and not ordinary(word):
        return 0.3 if first else 0.6
    return 0.0


def _compound(word: str) -> bool:
    """Whether a word is joined of two or more with capitals: Seed-Prover, Light-A-Video, R2-T2."""
    return len(re.findall("(?:^|[-‐‑–])[A-Z]", word)) >= 2


def _spoken_of(text: str, word: re.Match[str]) -> bool:
    """Whether a sentence begins with this word as its topic, and writes it as names are written."""
    if not _TOPIC.match(text, word.end()) or AMOUNT.fullmatch(word.group()):
        return False
    before = text[: word.start()].rstrip(" \"'“‘*")
    named = word.group()[0].isupper() or STRONG.search(word.group()) is not None
    return named and len(word.group()) >= 2 and (not before or before[-1] in ".!?")


def _glosses(text: str) -> list[tuple[int, int]]:
    """Spans of the brackets that stand behind Hangul."""
    spans, opened = [], -1
    for i, char in enumerate(text):
        if char in "(（":
            before = text[max(0, i - 2) : i].rstrip()
            opened = i if before and _HANGUL.match(before[-1]) else -1
        elif char in ")）" and opened >= 0:
            spans.append((opened, i))
            opened = -1
    return spans


def tokens(text: str) -> Iterator[re.Match[str]]:
    """Words in Latin script outside web addresses."""
    skipped = [match.span() for match in _SKIPPED.finditer(text)]
    at = 0
    for match in _TOKEN.finditer(text):
        while at < len(skipped) and skipped[at][1] <= match.start():
            at += 1
        if at < len(skipped) and skipped[at][0] <= match.start():
            continue
        yield match


@remembered
def names(text: str) -> list[Name]:
    """The words of a text that look like names, in order; a version behind one belongs to it.

    Korean particles that are glued to a name are not part of it.
    """
    text = text[:LONGEST]
    korean = bool(_HANGUL.search(text))
    glosses = _glosses(text) if korean else []
    found, at, end = [], 0, 0
    for match in tokens(text):
        if match.start() < end:
            continue
        word = match.group()
        before = text[: match.start()].rstrip(" \"'(“‘*") if not korean else "x"
        sure = likeness(word, first=not before or before[-1] in ".!?:")
        if sure < _COMPOUND and korean and _compound(word):
            sure = _COMPOUND
        if sure < _SPOKEN_OF and korean and _spoken_of(text, match):
            sure = _SPOKEN_OF
        if not sure:
            continue
        end = match.end()
        version = _VERSION.match(text, end)
        if version and word[-1].isalpha() and not ordinary(word):
            end = version.end(1)
        while at < len(glosses) and glosses[at][1] < match.start():
            at += 1
        gloss = at < len(glosses) and glosses[at][0] < match.start()
        found.append(
            Name(text=text[match.start() : end], start=match.start(), end=end, sure=sure, gloss=gloss)
        )
    return found

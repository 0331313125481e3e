"""Sentences of abstracts, English and Korean: where each stands, and a hash to know it by.

Evidence points to sentence numbers, so splitting depends on nothing but the text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

from presscheck.errors import BadInput
from presscheck.papers.clean import Cleaned, clean
from presscheck.papers.glued import STARTERS, WEB
from presscheck.types import Paper, Sentence

_OPENERS = frozenset(STARTERS)

# Never the end of a sentence, whatever comes next.
_NEVER = frozenset(
    "e.g i.e cf vs viz resp approx ca fig figs eq eqs sec secs ref refs tab thm prop def no nos vol pp ch al w.r.t "
    "a.k.a i.i.d s.t st dr mr mrs ms prof univ dept est incl excl max min avg std eg ie wrt".split()
)
# The end of a sentence only before a word that opens one.
_SOMETIMES = frozenset("etc et al. al ph.d u.s u.k inc ltd co corp jr sr a.m p.m i.i.d vs".split())

_END = re.compile(
    r"(?P<web>" + WEB + r")"
    r"|(?P<stop>(?:[.!?…]|[。！？])+[\"'”’)\]»]*)(?P<gap>\s+|$|(?=[가-힣A-Z\"'“‘(]))",
)


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a clean text, in order, without the spaces around them."""
    cuts = [match.end("stop") for match in _END.finditer(text) if match["web"] is None and _ends(text, match)]
    spans = []
    start = 0
    for end in [*cuts, len(text)]:
        piece = text[start:end]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
        start = end
    return spans


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a mark ends a sentence here."""
    after = text[match.end() : match.end() + 60]
    if not after:
        return True
    return not after[0].islower()


def digest(sentence: str) -> str:
    """First 16 hex digits of SHA-256 over the sentence in NFC with single spaces."""
    normal = " ".join(unicodedata.normalize("NFC", sentence).split())
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def sentences_of(cleaned: Cleaned) -> tuple[Sentence, ...]:
    """The sentences of a cleaned text, numbered from 1, with offsets into its original."""
    found = []
    for number, (start, end) in enumerate(split(cleaned.text), 1):
        first, last = cleaned.locate(start, end)
        found.append(Sentence(number=number, start=first, end=last, hash=digest(cleaned.text[start:end])))
    return tuple(found)


def sentence_texts(paper: Paper) -> list[str]:
    """The clean text of each sentence of the abstract; none for a paper shipped without it."""
    return [paper.abstract[start:end] for start, end in split(paper.abstract)]


@lru_cache(maxsize=64)
def _cleaned(original: str) -> tuple[Cleaned, tuple[Sentence, ...]]:
    """An original cleaned and split; evidence of one abstract is looked up many times in a row."""
    cleaned = clean(original)
    return cleaned, sentences_of(cleaned)


def locate(paper: Paper, sentence: Sentence) -> str:
    """The clean text behind a sentence of the abstract.

    Raises:
        BadInput: if the paper comes without its abstract, or the text there has another hash.
    """
    original = paper.abstract_original or paper.abstract
    if not original:
        raise BadInput(
            f"{paper.id}: sentence {sentence.number} cannot be looked up, the abstract is not here",
            hint="fetch the paper, or give it with --papers",
        )
    cleaned, sentences = _cleaned(original)
    for (start, end), found in zip(split(cleaned.text), sentences, strict=True):
        if (found.start, found.end) == (sentence.start, sentence.end) and found.hash == sentence.hash:
            return cleaned.text[start:end]
    part = clean(original[sentence.start : sentence.end]).text
    if digest(part) == sentence.hash:
        return part
    raise BadInput(
        f"{paper.id}: sentence {sentence.number} has hash {digest(part)} at {sentence.start}–{sentence.end}, "
        f"need {sentence.hash}",
        hint="the abstract has changed since, or this is another version of it",
    )

"""Korean words for an index: without particles where Kiwi is installed, else pairs of syllables."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

HANGUL = re.compile(r"[가-힣]+")
_CONTENT = ("NN", "NR", "XR", "SL", "SN", "SH", "VV", "VA", "MAG")
"""Kiwi's tags of words that say what a text is about: nouns, roots, verbs, foreign words, numbers."""
LONGEST = 2000
"""Characters of Korean that are analysed at once; one run of 10 kB would take seconds."""

_lock = threading.Lock()


def tokenizer() -> str:
    """What Korean is split by here: ``kiwi`` or ``pairs``; an index made by the other is made anew."""
    return "kiwi" if find_spec("kiwipiepy") is not None else "pairs"


def segmented(text: str, how: str) -> str:
    """A text with its Korean words as an index takes them; everything else is as it was.

    Args:
        text: in any languages.
        how: ``kiwi`` or ``pairs``.
    """
    if not HANGUL.search(text):
        return text
    if how == "pairs":
        return HANGUL.sub(lambda match: " ".join(pairs(match[0])), text)
    words: list[str] = []
    for start in range(0, len(text), LONGEST):
        with _lock:
            tokens = _kiwi().tokenize(text[start : start + LONGEST])
        words.extend(token.form for token in tokens if token.tag.startswith(_CONTENT))
    return " ".join(words)


def pairs(word: str) -> list[str]:
    """Every two neighbouring syllables: "모델을" is found by "모델", as both have that pair."""
    return [word[at : at + 2] for at in range(len(word) - 1)] or [word]


@lru_cache(maxsize=1)
def _kiwi() -> Any:
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)

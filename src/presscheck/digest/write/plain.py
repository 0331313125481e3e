"""Whether a sentence of an abstract explains in plain words why something matters."""

from __future__ import annotations

import re

_HARD = re.compile(r"\d|[A-Z]{2}|[a-z][A-Z]|[()\[\]{}$\\^_=<>@/]|https?:|-based\b|\b\w+-\w+-\w+\b")
_WHY = re.compile(
    r"\b(?:important|matter\w*|need\w*|difficult\w*|hard|because|people|users?|everyday|crucial|real[- ]world"
    r"|essential|costly|expensive|cost|slow\w*|useful|help\w*|struggl\w*|fail\w*|risk\w*|safe\w*|trust\w*"
    r"|challeng\w*|problem\w*|wrong|mistakes?|limit\w*|lack\w*|without|makes? it|allow\w*|enabl\w*|goal)\b",
    re.IGNORECASE,
)
SHORT, LONG = 8, 30
"""Words of a plain sentence."""
LETTERS = 6.2
"""Letters of a plain sentence's words in the mean, at most."""
LONG_WORD, LONG_SHARE = 12, 0.12
"""Words of so many letters may be that share of a plain sentence."""


def is_plain(text: str) -> bool:
    """Whether a sentence is worded so that an outsider can read it and says why something matters.

    No figure, acronym, camel-case name, bracket or formula; 8 to 30 words, short in the mean and
    few of them long; and a word of need, difficulty, use or consequence.
    """
    words = re.findall(r"[A-Za-z']+", text[:2000])
    if not SHORT <= len(words) <= LONG or _HARD.search(text) or not _WHY.search(text):
        return False
    long = sum(len(word) >= LONG_WORD for word in words)
    return sum(map(len, words)) / len(words) <= LETTERS and long <= LONG_SHARE * len(words)

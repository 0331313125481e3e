"""Text → what the site's index is searched by: words, and pairs and triples of Hangul and Han.

``search.js`` does the same to a query; a test in a browser holds the two together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 40
"""Characters of a word that count."""

STOP = frozenset(
    "a an and are as at be by can for from has have in into is it its more of on or our than that the "
    "their these this to via was we were which while with".split()
)
_RUN = re.compile(r"\d{4}\.\d{4,5}|[^\W_]+")
_LETTERS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_PART = re.compile(f"[{_LETTERS}]+|[^{_LETTERS}]+")
_DENSE = re.compile(f"[{_LETTERS}]")


def plain(text: str) -> str:
    """Lower case, one form for what looks alike, no accents."""
    apart = unicodedata.normalize("NFKD", text)
    kept = "".join(letter for letter in apart if unicodedata.category(letter) != "Mn")
    return unicodedata.normalize("NFC", kept).lower()


def stem(word: str) -> str:
    """An English plural as its singular, by its end alone."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def tokens(text: str) -> Iterator[str]:
    """The tokens of a text, in its order, as often as they stand in it."""
    for run in _RUN.findall(plain(text)):
        if "." in run:
            yield run
            continue
        for part in _PART.findall(run):
            if not _DENSE.match(part):
                word = stem(part[:LONGEST])
                if word not in STOP:
                    yield word
            elif len(part) == 1:
                yield part
            else:
                for length in (2, 3):
                    for at in range(len(part) - length + 1):
                        yield part[at : at + length]

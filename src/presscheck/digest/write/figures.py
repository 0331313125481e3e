"""The figures that a paper's sentences have, as digits: the only ones that a model may name.

They bind the answer's grammar, so that a figure of a statement is one of the paper's
before the check looks at it. Which figure belongs to what, only the check can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from presscheck.digest.check.quantities.numerals_en import in_words

MOST = 200
"""Figures of one paper; strict modes of endpoints bind the size of a schema."""

_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")
_RANGE = re.compile(rf"({_DIGITS.pattern})\s?[-–—~]\s?({_DIGITS.pattern})")
LONGEST = 24
"""Characters of one figure."""


def figures(sentences: Iterable[str]) -> tuple[str, ...]:
    """Every figure once, in the order of the text: "2.42", "1,200", "3-5", and "16" for "sixteen"."""
    found: dict[str, None] = {}
    for text in sentences:
        found |= dict.fromkeys(match.group() for match in _DIGITS.finditer(text))
        found |= dict.fromkeys(f"{ends[1]}-{ends[2]}" for ends in _RANGE.finditer(text))
        found |= dict.fromkeys(f"{word.value:g}" for word in in_words(text))
    return tuple(one for one in found if len(one) <= LONGEST and _DIGITS.match(one))[:MOST]

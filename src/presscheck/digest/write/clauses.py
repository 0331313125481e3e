"""Cuts a sentence that says what is new and what came out into these two clauses.

Only at a boundary that is certain: a comma or semicolon outside brackets and
quotes, after a clause that stands by itself, before a participle or relative
that opens the result (", achieving", ", which outperforms", "; it reduces").
Everything else stays whole: a wrong cut would change what the authors say.
"""

from __future__ import annotations

import re

from presscheck.digest.headline import LONGEST, is_headline

SHORTEST = 5
"""Words that a clause must have to be printed by itself."""

_VERB = (
    "achiev|outperform|surpass|exceed|reach|yield|improv|reduc|set|establish|attain|deliver|obtain|increas|boost"
    "|match"
)
_BOUNDARY = re.compile(
    rf"[,;] (?=(?:(?:while|thereby|thus|consistently|significantly|substantially|ultimately) )*"
    rf"(?:{_VERB})(?:t?ing)\b|(?:resulting in|leading to)\b"
    rf"|(?:which|and it|it) (?:\w+ly )?(?:{_VERB})(?:s|es)\b)"
)
_OPENING, _CLOSING = "([{“", ")]}”"


def _depth_zero(text: str) -> bool:
    """Whether no bracket or quote is open at the end of the text."""
    depth = 0
    for letter in text:
        if letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0 and text.count('"') % 2 == 0


def cut(sentence: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The spans of what is new and of its result, where the sentence can be cut with certainty.

    Args:
        sentence: One sentence of clean text.

    Returns:
        Two spans that leave out only the comma or semicolon and the space between them, or
        ``None``: the first clause states no result, the second does, both are long enough.
    """
    if len(sentence) > LONGEST:
        return None
    for boundary in _BOUNDARY.finditer(sentence):
        first, second = sentence[: boundary.start()], sentence[boundary.end() :]
        if min(len(first.split()), len(second.split())) < SHORTEST or not _depth_zero(first):
            continue
        if not is_headline(first) and is_headline(second):
            return (0, boundary.start()), (boundary.end(), len(sentence))
    return None

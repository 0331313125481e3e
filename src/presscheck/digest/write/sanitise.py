"""A model's text → the plain words in it: links, tags and Markdown are taken off, never printed."""

from __future__ import annotations

import re
import unicodedata

_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()]|\([^()]*\))*\)")
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|p|em|strong|br|hr|img|script|style|iframe|svg|math|span|div|code|pre|sub|sup|h[1-6]|ul|ol|li"
    r"|table|tr|td|th|form|input|button|object|embed|link|meta|base|body|html|head|audio|video|details|mark"
    r"|marquee|template)\b[^<>]*>?|<!--.*?(?:-->|$)|<!\w[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(r"^\s*(?:#{1,6}\s|[-*+•]\s|>\s|\d{1,2}[.)]\s)+")
_EMPHASIS = re.compile(r"\*\*|__|~~|`+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"))


def plain_words(text: str) -> str:
    """One line of visible characters without markup; a link leaves its words.

    Args:
        text: As the model wrote it.
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        " " if letter.isspace() or unicodedata.category(letter) in ("Zl", "Zp") else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in _HIDDEN
    )
    before = ""
    while before != text:
        before, text = text, _TAG.sub(" ", _LINK.sub(r"\1", text))
    text = _EMPHASIS.sub("", _LEAD.sub("", text))
    return " ".join(text.split())

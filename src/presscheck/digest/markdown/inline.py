"""The text between the labels: into Markdown that shows exactly it, and back.

Printed text is one line: runs of white space are one space, none stands at
either end, and control characters are white space. Everything else is kept,
code point by code point. ``escape`` and ``plain`` are inverse on such text.
"""

from __future__ import annotations

import re
from html.entities import html5
from urllib.parse import quote

from presscheck.errors import BadInput

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Invisible characters that reorder or hide what follows: written by number, so
# that whoever reads the Markdown sees that they are there.
_INVISIBLE = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
# Beyond CommonMark's own markup this stops tables, strikethrough, formulas and
# bare links, which the places where such files are shown add to it.
_SPECIAL = re.compile(rf"[\\`*_\[\]<~$|#]|&(?=[#A-Za-z])|:(?=//)|(?<=www)\.|[{_INVISIBLE}]", re.IGNORECASE)
_START = re.compile(r">|\+(?= |$)|[-=](?=[-= ]|$)|[0-9]{1,9}(?=[.)](?: |$))")

_PUNCTUATION = re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_WRITTEN = re.compile(rf"\\([{_PUNCTUATION}])|({_ENTITY})")
_LINK = re.compile(
    r"(\\.)|!?\[([^\[\]\\]*(?:\\.[^\[\]\\]*)*)\]"
    r"\([^()\s\\]*(?:(?:\\.|\([^()\s]*+\))[^()\s\\]*)*"
    r"(?:\s+\"[^\"]*+\")?\)",
    re.DOTALL,
)
_STRONG = re.compile(r"(\\.)|\*\*(?=[^\s*])([^*\\]*(?:(?:\\.|\*(?!\*))[^*\\]*)*)(?<=\S)\*\*", re.DOTALL)
_CODE = re.compile(r"(\\.)|`([^`]++)`", re.DOTALL)

_URL_SAFE = "-._~:/?#[]@!$&'()*+,;=%"
_URL_SPECIAL = re.compile(r"[()\[\]&]")


def one_line(text: str) -> str:
    """Bring text into the form that is printed: one line, nothing that is no text."""
    return " ".join(_SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text)).split())


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return f"\\{char}" if char.isascii() else f"&#x{ord(char):X};"


def escape(text: str) -> str:
    """Write text so that a CommonMark renderer shows exactly it, also at the start of a line."""
    written = _SPECIAL.sub(_escaped, text)
    start = _START.match(written)
    if start is None:
        return written
    return f"{start[0]}\\{written[start.end() :]}" if start[0].isdigit() else f"\\{written}"


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    entity = match[2]
    if entity[1] != "#":
        return html5.get(entity[1:], entity)
    number = int(entity[3:-1], 16) if entity[2] in "xX" else int(entity[2:-1])
    return chr(number) if 0 < number <= 0x10FFFF else "\ufffd"


def _inner(match: re.Match[str]) -> str:
    return match[1] or match[2] or ""


def plain(written: str) -> str:
    """Give the text that Markdown shows: links, strong and code by their words, escapes undone.

    Single ``*`` and ``_`` stay: in other people's digests they are mostly part
    of a name, not emphasis.
    """
    for markup in (_LINK, _STRONG, _CODE):
        written = markup.sub(_inner, written)
    return _unescape(written)


def _unescape(written: str) -> str:
    return one_line(_WRITTEN.sub(_unescaped, written))


def address(url: str) -> str:
    """Bring an address into the form that is printed: ASCII, percent-encoded.

    Raises:
        BadInput: if it is neither http(s) nor a path on the site it came from.
    """
    url = quote("".join(one_line(url).split()), safe=_URL_SAFE)
    if url and not re.match(r"https?://|/(?!/)", url, re.IGNORECASE):
        raise BadInput(f"got the address {url[:80]!r}, need one that starts with https:// or http://")
    return url


def link(text: str, url: str) -> str:
    """Write a link; without an address the text alone."""
    return f"[{escape(text)}]({escape_address(url)})" if url else escape(text)


def escape_address(url: str) -> str:
    """Write an address so that it ends where it ends: inside ``(…)`` of a link."""
    return _URL_SPECIAL.sub(r"\\\g<0>", url)


def read_link(written: str) -> tuple[str, str, bool] | None:
    """Take a text that is one link or image apart into text, address and "is an image".

    The last ``](`` divides it, so that a title may have brackets of its own.
    """
    image = written.startswith("![")
    divide = written.rfind("](")
    if not (written.startswith("[") or image) or not written.endswith(")") or divide < 0:
        return None
    target = written[divide + 2 : -1].strip()
    if " " in target:  # an address with a title: [text](address "title")
        target = target.split(" ", 1)[0]
    if target.startswith("<") and target.endswith(">"):
        target = target[1:-1]
    return plain(written[2 if image else 1 : divide]), _unescape(target), image

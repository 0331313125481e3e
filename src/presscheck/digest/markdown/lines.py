"""What kind of line a line of a digest is, without a view of its neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from presscheck.digest.markdown import marks
from presscheck.digest.markdown.inline import plain
from presscheck.digest.markdown.labels import ROLES, SNAPSHOTS, fold
from presscheck.types import Style

Kind = Literal["blank", "rule", "image", "heading", "label", "mark", "text"]

_ENDS = re.compile(r"\r\n?|\n")
_HEADING = re.compile(r"(#{1,6})(?:\s+(.*))?$", re.DOTALL)
_CLOSING = re.compile(r"(?:^|\s)#+$")
_RULE = re.compile(r"(?:(?:-\s*+){3,}|(?:\*\s*+){3,}|(?:_\s*+){3,})$")
_IMAGE = re.compile(r"!\[[^\]]*\]\(\S*\)$")
_BOLD = re.compile(
    r"(?:[-*+]\s+)?\*\*((?:[^*\\]|\\.|\*(?!\*))[^*\\]*(?:(?:\\.|\*(?!\*))[^*\\]*)*)\*\*", re.DOTALL
)
_PLAIN_LABEL = re.compile(r"([^\W\d_][^:：*\[\]]{0,30}?)\s*[:：]", re.DOTALL)
_BULLET = re.compile(r"(?:>\s*)*((?:[-*+]|\d{1,9}[.)])\s+)?")
_FENCES = ("```", "~~~")
_COLONS = (":", "：")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is, and what it carries."""

    number: int
    kind: Kind
    text: str = ""
    """The line's Markdown; of a heading without the signs that make it one."""
    level: int = 0
    """Of a heading."""
    label: str = ""
    """The words of a label, as shown."""
    rest: str = ""
    """The Markdown after a label."""
    bold: bool = False
    """A bold label can be one that nobody knows, another has to be known."""
    indent: int = 0
    mark: marks.Mark | None = None


def lines(text: str, style: Style) -> Iterator[Line]:
    """Give the lines of a text; hidden comments over several lines and code fences left out."""
    hidden = blank = False
    for number, raw in enumerate(_ENDS.split(text), start=1):
        written = raw.strip()
        if hidden:
            hidden = "-->" not in written
        elif written.startswith("<!--") and "-->" not in written:
            hidden = True
        elif not written:
            if not blank:
                yield Line(number, "blank")
        elif not written.startswith(_FENCES):
            yield _line(number, written, len(raw) - len(raw.lstrip()), style)
        blank = not written


def _line(number: int, written: str, indent: int, style: Style) -> Line:
    if _RULE.match(written):
        return Line(number, "rule")
    if written.startswith("<!--"):
        return _comment(number, written)
    if heading := _HEADING.match(written):
        text = _CLOSING.sub("", heading[2] or "").strip()
        label, rest, _ = _split_label(text, style)
        if not label and fold(plain(text)) in ROLES[style]:
            label = plain(text)
        return Line(number, "heading", text, level=len(heading[1]), label=label, rest=rest)
    if _IMAGE.match(written):
        return Line(number, "image", written)
    label, rest, bold = _split_label(written, style)
    if label:
        return Line(number, "label", written, label=label, rest=rest, bold=bold, indent=indent)
    return Line(number, "text", written, indent=indent)


def _comment(number: int, written: str) -> Line:
    first = marks.split(written)[0][1]
    if first is not None and first.name in ("presscheck", "entry"):
        return Line(number, "mark", mark=first)
    return Line(number, "text", written)


def _split_label(written: str, style: Style) -> tuple[str, str, bool]:
    """Divide ``**Label**: words`` or, where the label is known, ``Label: words``."""
    if bold := _BOLD.match(written):
        inside, after = bold[1].strip(), written[bold.end() :].lstrip()
        colon = inside.endswith(_COLONS) or after.startswith(_COLONS)
        label = plain(inside.removesuffix(":").removesuffix("："))
        if label and (colon or fold(label) in ROLES[style]):
            return label, after[1:].lstrip() if after.startswith(_COLONS) else after, True
    words = _PLAIN_LABEL.match(written)
    if words and (fold(words[1]) in ROLES[style] or fold(words[1]) in SNAPSHOTS):
        return words[1], written[words.end() :].lstrip(), False
    return "", "", False


def text_of(written: str) -> tuple[str, bool]:
    """Take the signs of a quotation and of a list from a line, and say whether it began an item."""
    signs = _BULLET.match(written)
    return (written[signs.end() :], bool(signs[1])) if signs else (written, False)

"""One cleaning of titles and abstracts that keeps the original and the offsets into it.

Cleaning repeats a round of passes until a round changes nothing, so that cleaned text is
left alone when it is cleaned again. Every pass is linear. Text that is still changing after
``ROUNDS`` rounds was made to do so: it gets its spaces and control characters put right
and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from presscheck.papers import glued, markup
from presscheck.papers.offsets import Cleaned, Edit, Traced

__all__ = ["Cleaned", "clean"]

ROUNDS = 10
MARKS = 30
"""Combining marks kept after one letter, as in Unicode's stream-safe text format."""

# Tab, line feed, vertical tab, form feed, return and NEL are spaces; U+200C and U+200D join letters
# of some scripts and are looked at below.
_INVISIBLE = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s{2,}|[^\S ]|\A\s|\s\Z")
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W_])-[ \t]*(?:\r\n|[\n\r])[ \t]*(?=([^\W_]{1,40}))")
_LAST_WORD = re.compile(r"[^\W_]{1,40}\Z")
_SUFFIX = re.compile(
    r"(?:[st]ions?|[st]ional|ments?|ness|ity|ities|i[sz]ation|ings?|[st]ive|ances?|ences?|ably|ibly|ally)"
)
_SUSPENDED = frozenset("and or to vs versus nor und oder".split())

STEPS = (markup.entities, markup.tags, markup.commands, markup.maths, glued.glued_maths)


def clean(original: str, *, title: bool = False) -> Cleaned:
    """Clean a title or an abstract.

    Args:
        original: the text as it was published.
        title: whether it is a title, in which no sentence is glued to the next.

    Returns:
        The text on one line, in NFC, with spaces, quotes, entities, LaTeX and glued maths put
        right, and the way back to the original.
    """
    traced = Traced(original)
    for _ in range(ROUNDS):
        changed = _plain(traced)
        for step in STEPS if title else (*STEPS, glued.glued_sentences):
            changed |= traced.apply(step(traced.text))
        if not changed:
            return Cleaned(traced)
    traced = Traced(original)
    _plain(traced)
    return Cleaned(traced)


def _plain(traced: Traced) -> bool:
    """Put characters and spaces right; doing it twice does nothing more."""
    changed = traced.apply(_composed(traced.text))
    changed |= traced.apply(_visible(traced.text))
    changed |= traced.apply(_composed(traced.text))
    changed |= traced.apply(_unhyphenated(traced.text))
    return traced.apply(_spaced(traced.text)) or changed


def _visible(text: str) -> Iterator[Edit]:
    """Drop what cannot be seen, but a joiner between two letters of a script that needs it."""
    for match in re.finditer(f"{_INVISIBLE.pattern}|{_SURROGATE.pattern}", text):
        found = match.group()
        if "\ud800" <= found <= "\udfff":
            yield match.start(), match.end(), "\ufffd"
            continue
        before = text[match.start() - 1 : match.start()]
        after = text[match.end() : match.end() + 1]
        joiner = found[0] if found[0] in "\u200c\u200d" else ""
        needed = joiner and before > "\u02ff" and after > "\u02ff" and not (before + after).isspace()
        yield match.start(), match.end(), joiner if needed else ""


def _composed(text: str) -> Iterator[Edit]:
    """Normalise to NFC, letter by letter, and cut towers of marks."""
    if text.isascii():
        return
    marks = "".join(sorted(c for c in set(text) if unicodedata.category(c) in ("Mn", "Mc", "Me")
                           or "\u1160" <= c <= "\u11ff"))
    towers = bool(marks) and re.search(f"[{re.escape(marks)}]{{{MARKS + 1}}}", text) is not None
    if not towers and unicodedata.is_normalized("NFC", text):  # quadratic on towers
        return
    cluster = re.compile(f".[{re.escape(marks)}]+|[^\0-\x7f]" if marks else "[^\0-\x7f]", re.DOTALL)
    for match in cluster.finditer(text):
        yield match.start(), match.end(), unicodedata.normalize("NFC", match.group()[: MARKS + 1])


def _unhyphenated(text: str) -> Iterator[Edit]:
    """Join what was broken at the end of a line.

    The hyphen stays ("high-resolution") unless the text has the word without it elsewhere, or what
    follows is no word but an ending ("resolu-tion"). "open- and closed-source" keeps its space.
    """
    words: set[str] | None = None
    for match in _LINE_END_HYPHEN.finditer(text):
        last = _LAST_WORD.search(text, max(0, match.start() - 40), match.start())
        head, tail = last.group() if last else "", match.group(1)
        if tail.lower() in _SUSPENDED:
            continue
        if words is None:
            words = set(re.findall(r"[^\W_]+(?:-[^\W_]+)*", text))
        letters = head.isalpha() and head[-1:].islower() and tail.isalpha() and tail.islower()
        broken = letters and f"{head}-{tail}" not in words and len(head) > 1 and (
            head + tail in words or _SUFFIX.fullmatch(tail) is not None
        )
        yield match.start(), match.end(), "" if broken else "-"


def _spaced(text: str) -> Iterator[Edit]:
    """One space for every run of spaces and line breaks, none at the ends."""
    for match in _SPACE.finditer(text):
        inner = match.start() > 0 and match.end() < len(text)
        yield match.start(), match.end(), " " if inner else ""

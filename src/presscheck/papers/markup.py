"""LaTeX, HTML and what is left of them in abstracts, put into plain text.

Each function reads a text once and yields edits of it, in order. They say what is certain and
leave the rest as it was published: an unknown macro keeps its backslash, a set its braces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.entities import html5

from presscheck.papers.offsets import Edit
from presscheck.papers.symbols import ACCENTS, COLOURS, GREEK, LETTERS, PUNCTUATION, SYMBOLS

_WRAPPERS = frozenset(
    "textbf textit textsc texttt textrm textsf textsl textup textmd textnormal text emph uline "
    "underline ul mbox hbox mathcal mathbf mathbb mathrm mathit mathsf mathtt mathfrak mathscr "
    "boldsymbol bm operatorname url path textcolor uppercase ensuremath centerline overline widehat "
    "hat tilde bar vec widetilde".split()
)
_SWITCHES = frozenset(
    "bf it em tt sc rm sf sl bfseries itshape scshape ttfamily rmfamily sffamily small large Large "
    "tiny footnotesize normalsize centering displaystyle textstyle noindent left right big Big bigg "
    "Bigg bigl bigr limits nolimits protect xspace par newline medskip smallskip bigskip item "
    "nonumber".split()
)
_DROPPED = frozenset("cite citep citet citealp ref eqref cref Cref label vspace hspace begin end".split())
_TAG = re.compile(
    r"<(/?)((?:jats:)?(?:i|b|em|strong|sub|sup|span|a|tt|italic|bold|p|title|sec))(?:\s[^<>]{0,500})?>|<br\s?/?>"
)
_MATHS = re.compile(
    r"[\\^_={}<>+*|~]|[^\x00-\x7f]|[A-Za-z]\(|^[A-Za-z]\w{0,2}'?$|^[-\d.,]+[%x]?$|^-$"
)
"""What stands between dollars, if they are not money."""
_SIGNED = re.compile(r"[^\w\s]|[^\d\s][^$]*[\\~^_=<>+|]|[^\x00-\x7f]")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}\\,(?=\d{3}(?!\d))")
_TOKEN = re.compile(r"\\(?:([A-Za-z]+)\*?|([^\w\s]|_|\s|(?=[^\x00-\x7f])))")


def _braces(text: str) -> dict[int, int]:
    """Index of the closing brace of each opening one."""
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if match.group() == "{":
            stack.append(match.start())
        elif match.group() == "}" and stack:
            pairs[stack.pop()] = match.start()
    return pairs


def _in_order(edits: list[Edit]) -> Iterator[Edit]:
    """Sort edits; of two that overlap the first stays, and the next round sees to the other."""
    done = 0
    for edit in sorted(edits):
        if edit[0] >= done:
            yield edit
            done = edit[1]


def entities(text: str) -> Iterator[Edit]:
    """HTML entities, however often they were escaped."""
    for match in re.finditer(r"&(?:amp;)*(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]\w{1,31}));", text):
        decimal, hexadecimal, name = match.groups()
        if name:
            new = html5.get(f"{name};", "")
        else:
            code = int(decimal) if decimal else int(hexadecimal, 16)
            new = chr(code) if 0 < code < 0x110000 else ""
        if new:
            yield match.start(), match.end(), new


def tags(text: str) -> Iterator[Edit]:
    """HTML and JATS tags that only dress text; raised and lowered figures get ``^`` and ``_``.

    A tag without its partner stays: "<b>" may be a token that the paper is about.
    """
    edits: list[Edit] = []
    waiting: dict[str, list[tuple[int, int]]] = {}
    for match in _TAG.finditer(text):
        closing, name = match.group(1), match.group(2)
        if name is None:
            edits.append((*match.span(), " "))
        elif not closing:
            waiting.setdefault(name, []).append(match.span())
        elif waiting.get(name):
            start, end = waiting[name].pop()
            kind = name.removeprefix("jats:")
            new = {"sup": "^{", "sub": "_{", "p": " ", "title": " ", "sec": " "}.get(kind, "")
            edits += [(start, end, new), (*match.span(), "}" if new.endswith("{") else new)]
    yield from _in_order(edits)


def maths(text: str) -> Iterator[Edit]:
    r"""Dollars and ``\( \)`` around maths; "$5" and "$200k" are money."""
    if "$" in text:
        yield from _in_order([
            edit
            for match in re.finditer(
                r"(?<![\\$])\$\$?(?![\s$])([^$]{1,300}?)(?<![\s\\$])\$\$?(?![$])", text)
            if not text[match.end() : match.end() + 1].isdigit() or _SIGNED.match(match.group(1))
            if _MATHS.search(match.group(1))
            for edit in ((match.start(), match.start(1), ""), (match.end(1), match.end(), ""))
        ])


def commands(text: str) -> Iterator[Edit]:
    """LaTeX commands, accents and escaped characters."""
    if "\\" not in text:
        return
    pairs = _braces(text)
    edits: list[Edit] = []
    for match in _TOKEN.finditer(text):
        name, sign = match.groups()
        edits += _macro(text, match, name, pairs) if name else _sign(text, match, sign)
    yield from _in_order(edits)


def _sign(text: str, match: re.Match[str], sign: str) -> list[Edit]:
    """A backslash before a character that is no letter, or before one that has its accent already."""
    start, end = match.span()
    if not sign:
        return [(start, end, "")]
    if sign in ACCENTS:
        quoted = rf"(?![A-Za-z ]{{0,40}}\\{re.escape(sign)}(?:\W|$))" if sign in "'\"`" else ""
        letter = re.compile(rf"\s?\{{\\?([^\W\d_])\}}|\\?([^\W\d_]){quoted}").match(text, end)
        contraction = sign == "'" and re.compile(r"(?:s|t|re|ve|ll|d|m)\b").match(text, end)
        if letter and not (contraction and text[start - 1 : start].isalpha()):
            composed = unicodedata.normalize("NFC", (letter[1] or letter[2]) + ACCENTS[sign])
            if len(composed) == 1:
                wrapped = text[start - 1 : start] == "{" and text[letter.end() : letter.end() + 1] == "}"
                return [(start - wrapped, letter.end() + wrapped, composed)]
        return [(start, end, sign)] if sign in "'\"`" else []
    if sign == "," and _THOUSANDS.search(text, max(0, start - 4), end + 4):
        return [(start, end, ",")]  # "10\,000" is one number
    if sign in PUNCTUATION:
        return [(start, end, PUNCTUATION[sign])]
    return [(start, end, " ")] if sign.isspace() else []


def _macro(text: str, match: re.Match[str], name: str, pairs: dict[int, int]) -> list[Edit]:
    """A command with a name: what it stands for, or its argument without it."""
    start, end = match.span()
    brace = re.compile(r"\s?(?=\{)").match(text, end)
    opening = brace.end() if brace and brace.end() in pairs else -1
    closing = pairs.get(opening, -1)
    second = closing + 1 if closing >= 0 and closing + 1 in pairs else -1
    if name in ("href", "textcolor", "frac", "tfrac", "dfrac") and second >= 0:
        last = pairs[second]
        if name == "textcolor":
            return [(start, second + 1, ""), (last, last + 1, "")]
        if name == "href":
            return [(start, opening + 1, ""), (closing, closing + 1, "")]  # what is left: address{words}
        over, under = text[opening + 1 : closing], text[second + 1 : last]
        a, b = ("" if re.fullmatch(r"[\w.]+", part) else "()" for part in (over, under))
        between = f"{a[1:]}/{b[:1]}"
        return [(start, opening + 1, a[:1]), (closing, second + 1, between), (last, last + 1, b[1:])]
    if name in SYMBOLS or name in GREEK:
        empty = closing == opening + 1 and opening >= 0
        new = SYMBOLS.get(name) or GREEK[name]
        if new.endswith(".") and text[end : end + 1] == ".":
            new = new[:-1]
        stop = closing + 1 if empty else end
        if name in LETTERS and not empty and re.compile(r" [a-z]").match(text, end):
            stop += 1  # "\\o rsted"
        return [(start, stop, new)]
    if name == "not":
        return _negated(text, start, end)
    if name in _SWITCHES:
        space = re.compile(r"\s*").match(text, end)
        edits = [(start, space.end() if space else end, "")]
        if text[start - 1 : start] == "{" and start - 1 in pairs:
            edits = [(start - 1, edits[0][1], ""), (pairs[start - 1], pairs[start - 1] + 1, "")]
        return edits
    if opening < 0:
        if len(name) == 1 and name in ACCENTS:
            letter = re.compile(r"\s([A-Za-z])").match(text, end)
            composed = unicodedata.normalize("NFC", letter[1] + ACCENTS[name]) if letter else ""
            return [(start, letter.end(), composed)] if letter and len(composed) == 1 else []
        known = _library(name)
        return [(start, end, known)] if known else []
    inner = text[opening + 1 : closing]
    if name in ACCENTS and re.fullmatch(r"\\?[A-Za-z]", inner):
        composed = unicodedata.normalize("NFC", inner[-1] + ACCENTS[name])
        return [(start, closing + 1, composed)] if len(composed) == 1 else []
    if name in _DROPPED or (name == "color" and re.fullmatch(COLOURS, inner)):
        gap = text[start - 1 : start] in (" ", "~") and text[closing + 1 : closing + 2] in tuple(".,;:)")
        return [(start - gap, closing + 1, "")]
    if name in ("footnote", "footnotetext", "thanks"):
        return [(start, opening + 1, " ("), (closing, closing + 1, ")")]
    if name == "sqrt":
        bare = re.fullmatch(r"\w+", inner) is not None
        return [(start, opening + 1, "√" if bare else "√("), (closing, closing + 1, "" if bare else ")")]
    if name in ("textsuperscript", "textsubscript"):
        return [(start, opening + 1, "^{" if name == "textsuperscript" else "_{")]
    if name in _WRAPPERS:
        return [(start, opening + 1, ""), (closing, closing + 1, "")]
    if not inner.strip():
        return [(start, closing + 1, _library(name) or name)]  # "\Name{}" is an author's own short form
    return []


def _negated(text: str, start: int, end: int) -> list[Edit]:
    r"""A relation after ``\not``, struck through; a negation is never dropped."""
    relation = re.compile(r"\s?(?:\\([A-Za-z]+)|([=<>|∈⊂⊆≡≤≥≈~]))").match(text, end)
    if not relation:
        return []
    composed = unicodedata.normalize("NFC", SYMBOLS.get(relation[1] or "", relation[2] or "  ") + "\u0338")
    return [(start, relation.end(), composed)] if len(composed) == 1 else []


def _library(name: str) -> str:
    """What the LaTeX library's table says that a macro stands for, if it is text."""
    from pylatexenc.latex2text import get_default_latex_context_db

    global _table
    if _table is None:
        _table = get_default_latex_context_db()
    found = _table.get_macro_spec(name)
    new = getattr(found, "simplify_repl", None)
    return new if isinstance(new, str) and "%" not in new and new.strip() else ""


_table = None

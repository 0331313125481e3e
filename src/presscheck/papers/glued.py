r"""What is left of LaTeX when a service has dropped its backslashes and dollars.

The daily list gives ``$8\times289$M`` as "8times289M" and ``\href{U}{here}`` as "U{here}". Here
such forms are put right where no other reading is likely; addresses on the web are never touched.
Every pattern is bounded, so that reading stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from presscheck.papers.offsets import Edit
from presscheck.papers.symbols import COLOURS, GREEK, RELATIONS

_ADDRESS = r"(?:https?://|www\.)[^\s{}\\<>\"]+"
_DOMAINS = "com|org|io|net|edu|ai|cc|dev|app|gov"
_SITE = rf"(?<![\w.@-])[\w-]{{1,60}}(?:\.[\w-]{{1,60}}){{0,4}}\.(?:{_DOMAINS})/[^\s{{}}\\<>\"]*"
WEB = rf"{_ADDRESS}|{_SITE}"
"""An address on the web."""
WEB_SIGNS = ("://", "www.", *(f".{domain}/" for domain in _DOMAINS.split("|")))
"""Every address has one of these, which are found faster."""

_FONTS = "textbf|textit|textsc|texttt|textrm|textsf|emph|mathcal|mathbf|mathrm|mathbb|boldsymbol|operatorname"
_SIGNS = "|".join(sorted(RELATIONS, key=len, reverse=True))
_LETTERS = "|".join(sorted(GREEK, key=len, reverse=True))

_DIGITS = "0123456789"
_SIM = ("{sim}", *(f"sim{gap}{digit}" for gap in ("", " ") for digit in _DIGITS))
_PM = tuple(f"pm{gap}{digit}" for gap in ("", " ") for digit in _DIGITS)

# Each rule with strings of which it needs one: rules that cannot match are not tried, which is what
# makes cleaning fast. The order matters: the first rule that fits at a place is taken.
_RULES: dict[str, tuple[tuple[str, ...], str]] = {
    "wrapped": (("{http",), r"\{(?=https?://)[^\s{}]{1,300}\}"),
    "link": (("{",), rf"(?:{WEB})\{{[^{{}}]{{0,300}}\}}"),
    "web": (WEB_SIGNS[:2], _ADDRESS),
    "site": (WEB_SIGNS[2:], _SITE),
    "font": (("{",), rf"(?<![A-Za-z\\])(?:{_FONTS}|{COLOURS})\{{[^{{}}]{{0,400}}\}}"),
    "bold": (("boldsymbol",), r"(?<![A-Za-z\\])boldsymbol(?=[^\x00-\x7f])"),
    "grid": (
        (" times ",),
        r"(?<![\w.,^])\d{1,5}(?:\^\d{1,3})?(?: times \d{1,5}(?:\^\d{1,3})?){1,6}(?![\w^]|[.,]\d)",
    ),
    "product": (("times",), r"(?<![A-Za-z\d])[A-Za-z] ?times [A-Za-z](?![A-Za-z\d])"),
    "times": (("times",), r"(?<=\d)times(?![a-z])|(?<=\d)times(?=sim\d)|\{times\}"),
    "about": (_SIM, r"(?<![A-Za-z-])(?!sim2[A-Za-z]{2})sim ?(?=\d)|(?<=times)sim(?=\d)|\{sim\}"),
    "within": (_PM, r"(?<=\d)pm(?=\d)|(?<![A-Za-z\d])(?<!\d )pm (?=\d)"),
    "near": (("approx",), r"(?<![A-Za-z])approx(?=\d)"),
    "sign": (tuple(RELATIONS), rf"(?<![A-Za-z\\])(?:{_SIGNS})(?![a-z_])"),
    "letter": (("_", "^"), rf"(?<![A-Za-z\\])(?:{_LETTERS})(?=[_^](?:\{{|[\dA-Z*]|[a-z](?![A-Za-z])))"),
    "degree": (
        ("^", "∘"),
        r"\^ ?(?:\{ ?(?:circ|∘|°|deg|degree) ?\}|circ(?![A-Za-z])|[∘°])|(?<=\d)∘(?=\s?[CF]?\b)",
    ),
    "ordinal": (("^",), r"(?<=\d)\^(?:\{(?:st|nd|rd|th)\}|(?:st|nd|rd|th)(?![a-z]))"),
    "star": (("^",), r"\^(?:\{ ?(?:ast|\*|∗) ?\}|ast(?![A-Za-z]))"),
    "script": (("{",), r"[_^]\{[^{}]{0,120}\}"),
    "single": (("{",), r"\{[^\w\s{}]\}|\{[^\x00-\x7f]\}|\{[A-Za-z\d][A-Za-z\d ]{0,11}\}(?=[A-Za-z])"),
    "tie": (("~",), r"(?<=[A-Za-z.,:;)\]%\d])~(?=[A-Za-z(\[\\])|(?<![\w.])[A-Za-z][A-Za-z.]{0,30}~(?=\d)"),
    "double": (("``", "''"), r"``|''"),
    "quoted": (("`",), r"(?<![`\w])`[^`'\"]{1,100}'(?![A-Za-z'])|(?<=[a-z])`(?=s\b)"),
    "dash": (("--",), r"(?<=[\w)\]%×°])---?(?=[\w(\[~])|(?<= )---?(?= )"),
    "stop": ((" ,", " .", " ;"), r"(?<=[\w)\]%]) (?=[,;](?:\s|$)|\.(?:\s(?!\.)|$))"),
}


@lru_cache(maxsize=256)
def _rules(names: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern of some of the rules."""
    return re.compile("|".join(f"(?P<{name}>{_RULES[name][1]})" for name in names))


def _in_windows(text: str, read: Callable[[str], Iterator[Edit]], size: int = 4000) -> Iterator[Edit]:
    """Read a long text in windows that end at a space: most of them need few rules or none."""
    start = 0
    while start < len(text):
        space = text.find(" ", start + size)
        end = space if space >= 0 else len(text)
        for first, last, new in read(text[start:end]):
            yield start + first, start + last, new
        start = end


def glued_maths(text: str) -> Iterator[Edit]:
    """Glued maths, fonts, links, ties, quotes and dashes."""
    yield from _in_windows(text, _glued_maths)


def _glued_maths(text: str) -> Iterator[Edit]:
    names = tuple(name for name, (needed, _) in _RULES.items() if any(string in text for string in needed))
    if not set(names) - {"web", "site"}:
        return
    opened = False
    for match in _rules(names).finditer(text):
        kind = match.lastgroup or ""
        if kind in ("web", "site"):
            continue
        start, end = match.span()
        if kind == "double":
            if text[start] == "`" or opened or not text[start - 1 : start].isdigit():
                yield start, end, '"'
            opened = text[start] == "`"
        else:
            yield from _REPLACEMENTS[kind](match)


def _whole(new: str) -> Callable[[re.Match[str]], list[Edit]]:
    return lambda match: [(*match.span(), new)]


def _ends(match: re.Match[str]) -> list[Edit]:
    """Drop a name with its opening brace, and the closing one."""
    opening = match.start() + match.group().index("{") + 1
    return [(match.start(), opening, ""), (match.end() - 1, match.end(), "")]


def _link(match: re.Match[str]) -> list[Edit]:
    """An address and what the published link reads: kept in brackets if it says anything more."""
    address, _, words = match.group()[:-1].partition("{")
    opening = match.start() + len(address)
    said = words.strip().rstrip(".")
    bare = re.sub(r"^https?://(?:www\.)?", "", address).rstrip("/")
    more = re.sub(r"^https?://(?:www\.)?", "", said).rstrip("/") != bare and not re.fullmatch(
        r"(?i)|here|(?:this|the)? ?(?:https? )?(?:url|link|page)", said)
    if not more:
        return [(opening, match.end(), "")]
    return [(opening, opening + 1, " ("), (match.end() - 1, match.end(), ")")]


def _grid(match: re.Match[str]) -> list[Edit]:
    """A size is "16 times 16 times 1"; "3 times 5 tasks" may be anything."""
    factors = match.group().split(" times ")
    if factors[0] != factors[1] and "^" not in match.group():
        return []
    at = match.start()
    return [(at + m.start(), at + m.end(), "×") for m in re.finditer("times", match.group())]


def _product(match: re.Match[str]) -> list[Edit]:
    at = match.start() + match.group().index("times")
    return [(at, at + 5, "×" if match.group()[1] == " " else " ×")]


def _about(match: re.Match[str]) -> list[Edit]:
    """For "sim 75%" write "~75%"; in "2.4 sim 6.5" it is a range and keeps its space."""
    before = match.string[max(0, match.start() - 2) : match.start()].strip()
    glued = match.string[match.start() - 1 : match.start()] in tuple("0123456789%×")
    spaced = match.group().endswith(" ") and not glued and before[-1:] in tuple("0123456789%×")
    return [(*match.span(), "~ " if spaced else "~")]


def _script(match: re.Match[str]) -> list[Edit]:
    """Braces of an index or power: dropped round one word or number, brackets round more."""
    inner = match.group()[2:-1]
    after = match.string[match.end() : match.end() + 1]
    word = len(inner) == 1 or re.fullmatch(r"[-+−]?[\w.]*\w", inner) is not None
    if word and not (inner[-1].isdigit() and after.isdigit()):
        return _ends_after(match, "", "")
    return _ends_after(match, "(", ")") if inner.strip() else [(*match.span(), "")]


def _ends_after(match: re.Match[str], opening: str, closing: str) -> list[Edit]:
    """Keep the sign before the brace and put other brackets round what is inside."""
    start, end = match.span()
    return [(start + 1, start + 2, opening), (end - 1, end, closing)]


def _single(match: re.Match[str]) -> list[Edit]:
    """Braces round one sign or the first letters of a word, unless they are a macro's argument."""
    if re.search(r"\\[A-Za-z]{1,30}$", match.string[max(0, match.start() - 32) : match.start()]):
        return []
    return _ends(match)


def _tie(match: re.Match[str]) -> list[Edit]:
    """A tie is a space; "x~N(0, 1)" is a distribution."""
    text, at = match.string, match.end() - 1
    if re.compile(r"(?<![A-Za-z])[A-Za-z]~[A-Za-z]{1,3}\(").match(text, max(0, at - 1)):
        return []
    return [(at, at + 1, " ")]


def _quoted(match: re.Match[str]) -> list[Edit]:
    start, end = match.span()
    return [(start, start + 1, "'")]


def _dash(match: re.Match[str]) -> list[Edit]:
    return [(*match.span(), "—" if len(match.group()) == 3 else "–")]


_REPLACEMENTS: dict[str, Callable[[re.Match[str]], list[Edit]]] = {
    "link": _link,
    "wrapped": _ends,
    "font": _ends,
    "bold": _whole(""),
    "grid": _grid,
    "product": _product,
    "times": _whole("×"),
    "about": _about,
    "within": _whole("±"),
    "near": _whole("≈"),
    "sign": lambda match: [(*match.span(), RELATIONS[match.group()])],
    "letter": lambda match: [(*match.span(), GREEK[match.group()])],
    "degree": _whole("°"),
    "ordinal": lambda match: [(*match.span(), match.group().strip("^{}"))],
    "star": _whole("^*"),
    "script": _script,
    "single": _single,
    "tie": _tie,
    "quoted": _quoted,
    "dash": _dash,
    "stop": _whole(""),
}

STARTERS = (
    "A An The We Our This That These Those It Its They Their He She There Here In On At By For From "
    "With Without Within To As If When While Since Although Though Because Despite Unlike Given Based "
    "Using Through Under After Before During Moreover Furthermore However Therefore Thus Hence "
    "Additionally Finally First Firstly Second Secondly Third Thirdly Lastly Also Besides "
    "Specifically Notably Importantly Particularly Experiments Experimental Extensive Empirical "
    "Empirically Results Code Codes Data Dataset Datasets Project Available Models Existing Recent "
    "Recently Previous Current Compared Together Overall Meanwhile Instead Consequently Conversely "
    "Evaluation Evaluations Evaluated Through Inspired Motivated Leveraging Building Beyond Across "
    "Many Most Some Such All Both Each Further Then Next Now Such What Why How Can Does Do Is Are Yet "
    "But And Or So To"
).split()
"""Words that open a sentence and are hardly ever part of a name."""

_OPENING = "|".join(sorted({w for w in STARTERS if len(w) > 1}, key=len, reverse=True))
_MISSING_SPACE = re.compile(
    rf"(?P<before>[^\W_][.)]?)(?=https?://)|(?P<web>{WEB})"
    rf"|(?<=[a-z]{{2}})[.!?](?=(?:{_OPENING})(?:,? [a-z\d(]|, ))"
    rf"|(?<=[\d%)\]\"])[.!?](?=(?:{_OPENING})(?:,? [a-z]|, ))"
    r"|(?<=[a-z]{4})(?P<glue>[a-z])"
    r"(?=(?:An|The|Our|Code|This|Project|Available) [a-z]{2,20} [a-z]{2,20})"
)
_MAYBE_GLUED = re.compile(r"[.!?][A-Z]|[a-z][A-Z][a-z]{1,8} [a-z]|[^\W_][.)]?https?:")


def glued_sentences(text: str) -> Iterator[Edit]:
    """A sentence glued to the one before it gets its space, and its full stop if a footnote took it.

    "fasterAn online demo" is taken apart only if its first half is a whole word in lower case and the
    two stand glued nowhere else, as a name would.
    """
    yield from _in_windows(text, _glued_sentences)


def _glued_sentences(text: str) -> Iterator[Edit]:
    if not _MAYBE_GLUED.search(text):
        return
    for match in _MISSING_SPACE.finditer(text):
        if match.group("web"):
            continue
        if match.group("glue"):
            word = re.compile(r"(?<![\w-])[a-z]{5,}$").search(text, max(0, match.end() - 40), match.end())
            joined = re.compile(r"[A-Za-z]+").match(text, match.end())
            if word is None or joined is None or text.count(word.group() + joined.group()) > 1:
                continue
            yield match.start(), match.end(), match.group() + ". "
        else:
            yield match.start(), match.end(), match.group() + " "

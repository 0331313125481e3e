"""Names in a statement that its source does not have: cut, misspelt, or another paper's.

Systems, models, data sets, metrics and organisations stand in Latin script in Korean
statements too. A word counts as a name by its looks (a capital inside, a digit, only
capitals, or a capital on a word that is not ordinary English). Ordinary words in
brackets are the translation of the Korean term before them and are left alone, and so
are plurals, hyphens and case that differ, and an acronym whose letters start words
that the source has in a row.

What this cannot see: a name that the source has too, but for something else; a name
that is an ordinary word ("Beyond", "Cosmos"), unless it is among the names of other
papers that the caller gives; names written in Hangul.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources

from presscheck.digest.check.acronyms import expansions_table
from presscheck.types import Finding, Struct

LONGEST = 20_000
"""Characters of a statement that are read. The longest real one has under 1,500."""

_LETTER = "A-Za-zÀ-ɏͰ-Ͽ"
_TOKEN = re.compile(
    rf"(?<![{_LETTER}0-9])[{_LETTER}0-9]{{1,80}}(?:[-‐‑–_.@^][{_LETTER}0-9]{{1,80}}){{0,8}}(?:\+{{1,2}}(?![0-9]))?"
)
_SKIPPED = re.compile(
    r"https?://[^\s)>\]]+|\b[\w.-]{1,64}\.(?:com|org|io|ai|net|edu)(?:/[^\s)>\]]*)?|\barXiv:[\d.v]+"
)
_AMOUNT = re.compile(r"[0-9]+(?:[.,xX×][0-9]+)*(?:[A-Za-z]|GB|MB|TB|KB|Hz|[kMG]Hz|FPS|fps|[a-z]{1,3}|st|nd|rd|th)?")
_STRONG = re.compile(r"[a-zß-ÿ][A-Z]|[A-Z]{2}|[A-Z][0-9]|[a-z][0-9]|[0-9][A-Z]|[A-Z][-_.^][0-9]")
_VERSION = re.compile(
    r" ([0-9]{1,2}(?:\.[0-9]{1,2})?)(?=$|[\s,.;:)\]'\"]*$|[,;:)\]'\"]|\s|[은는이가을를의와과로에도])(?!\s?[%×])"
)
_HANGUL = re.compile(r"[가-힣]")
_BOUNDARY = re.compile(r"[-‐‑–_.@^\s]|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_GENERAL = 100
"""So many abstracts of the list behind ``names.txt`` make a name everybody's."""
_JOINED = 4
"""Words in a row that may be one name elsewhere: "Llama 3 Instruct" is "Llama-3-Instruct"."""


class Name(Struct, frozen=True, kw_only=True):
    """A word that looks like a name."""

    text: str
    start: int
    end: int
    sure: float
    """0 to 1: how much it looks like one."""
    gloss: bool = False
    """It stands in brackets behind Korean words, so it may be their translation."""


@lru_cache(maxsize=1)
def ordinary_words() -> frozenset[str]:
    """Words that abstracts write in lower case."""
    file = resources.files("presscheck.digest.check") / "words.txt"
    return frozenset(file.read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def known_names() -> dict[str, int]:
    """Well-known names by their key, with the number of abstracts that have them."""
    file = resources.files("presscheck.digest.check") / "names.txt"
    rows = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines())
    return {key(name): int(count) for name, count in rows}


def key(name: str) -> str:
    """What two spellings of one name have in common: letters and digits without case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def _singular(one: str) -> str:
    return one[:-1] if len(one) > 3 and one.endswith("s") else one


def _ordinary(word: str) -> bool:
    """An English word, also with a capital, also made of several by hyphens."""
    words = ordinary_words()
    parts = [part for part in re.split(r"[-‐‑–_.@^]", word.lower()) if part]
    return all(part in words or _singular(part) in words or len(part) == 1 or part.isdigit() for part in parts)


def _likeness(word: str, *, first: bool) -> float:
    """How much a word looks like a name, by its letters alone."""
    if word.isdigit() or _AMOUNT.fullmatch(word):
        return 0.0
    letters = sum(map(str.isalpha, word))
    singular = word[:-1] if word.endswith("s") and word[:-1].isupper() else word
    if letters >= 2 and singular.isupper():
        return {2: 0.3, 3: 0.6, 4: 0.65}.get(letters, 0.75)
    parts = [part for part in re.split(r"[-‐‑–_.@^]", word) if part]
    if _STRONG.search(word) and not all(_ordinary(part) or _AMOUNT.fullmatch(part) for part in parts):
        return 0.85 if letters >= 3 else 0.5
    if re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]", word):
        return 0.7
    if word[:1].isupper() and letters >= 3 and not _ordinary(word):
        return 0.3 if first else 0.6
    return 0.0


def _glosses(text: str) -> list[tuple[int, int]]:
    """Spans of the brackets that stand behind Hangul."""
    spans, opened = [], -1
    for i, char in enumerate(text):
        if char in "(（":
            before = text[max(0, i - 2) : i].rstrip()
            opened = i if before and _HANGUL.match(before[-1]) else -1
        elif char in ")）" and opened >= 0:
            spans.append((opened, i))
            opened = -1
    return spans


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Words in Latin script outside web addresses."""
    skipped = [match.span() for match in _SKIPPED.finditer(text)]
    at = 0
    for match in _TOKEN.finditer(text):
        while at < len(skipped) and skipped[at][1] <= match.start():
            at += 1
        if at < len(skipped) and skipped[at][0] <= match.start():
            continue
        yield match


def names(text: str) -> list[Name]:
    """The words of a text that look like names, in order; a version behind one belongs to it.

    Korean particles that are glued to a name are not part of it.
    """
    text = text[:LONGEST]
    korean = bool(_HANGUL.search(text))
    glosses = _glosses(text) if korean else []
    found, at, end = [], 0, 0
    for match in _tokens(text):
        if match.start() < end:
            continue
        word = match.group()
        before = text[: match.start()].rstrip(" \"'(“‘*") if not korean else "x"
        sure = _likeness(word, first=not before or before[-1] in ".!?:")
        if not sure:
            continue
        end = match.end()
        version = _VERSION.match(text, end)
        if version and word[-1].isalpha() and not _ordinary(word):
            end = version.end(1)
        while at < len(glosses) and glosses[at][1] < match.start():
            at += 1
        gloss = at < len(glosses) and glosses[at][0] < match.start()
        found.append(Name(text=text[match.start() : end], start=match.start(), end=end, sure=sure, gloss=gloss))
    return found


class SourceNames:
    """What a source calls things, made once a paper."""

    def __init__(self, texts: Iterable[str], title: str = "", authors: Iterable[str] = ()) -> None:
        self.keys: set[str] = set()
        self.forms: dict[str, str] = {}
        self.initials: list[str] = []
        whole = [title, *texts]
        for text in whole:
            self._read(text)
        for author in authors:
            self.keys.update(key(part) for part in author.split())
        for text in whole:
            for name in names(text):
                if name.sure >= 0.5 or name.text[:1].isupper():
                    self.forms.setdefault(key(name.text), name.text)
        self.bases: dict[str, str] = {}
        for one, form in self.forms.items():
            base = one.rstrip("0123456789")
            if base != one and len(base) >= 3:
                self.bases.setdefault(base, form)

    def _read(self, text: str) -> None:
        row: list[str] = []
        for match in re.finditer(rf"[{_LETTER}0-9]+", text):
            row.append(key(match.group()))
            for length in range(1, min(_JOINED, len(row)) + 1):
                joined = "".join(row[-length:])
                self.keys.update((joined, _singular(joined)))
        self.keys.update(key(match.group()) for match in _tokens(text))
        letters = [one for one in row if one and not one[0].isdigit()]
        minor = {"a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "via", "with"}
        self.initials += [
            "".join(one[0] for one in letters),
            "".join(one[0] for one in letters if one not in minor),
        ]

    def has(self, name: str) -> bool:
        """Whether the source has a name, in any spelling, or words whose first letters make it."""
        one = key(name)
        if not one or one in self.keys or _singular(one) in self.keys or f"{one}s" in self.keys:
            return True
        letters = _singular(one) if name.endswith("s") else one
        if name[:2].isupper() and 2 <= len(letters) <= 8 and any(letters in row for row in self.initials):
            return True
        parts = [part for part in re.split(r"[-‐‑–_.@^+]", name) if part]
        return len(parts) > 1 and self.explains(parts)

    def explains(self, parts: Sequence[str]) -> bool:
        """Whether a compound is one that a writer may form: LLM-based, CNN-RNN, but not Spatial-MLLM.

        Everybody's abbreviations and plain words may be joined, and one name of the source
        with plain words; two words with capitals make a name of their own.
        """
        if all(part.islower() and _ordinary(part) or _general(key(part)) for part in parts):
            return True
        capital = [part for part in parts if not (part.islower() and _ordinary(part))]
        return len(capital) == 1 and (key(capital[0]) in self.keys or _singular(key(capital[0])) in self.keys)

    def family(self, name: str) -> bool:
        """Whether a longer name of the source begins with this one and a boundary: Llama-3 of Llama-3-Instruct."""
        one = key(name)
        return any(
            len(key(form[: cut.start()])) == len(one)
            for longer, form in self.forms.items()
            if longer.startswith(one)
            for cut in _BOUNDARY.finditer(form)
        )

    def nearest(self, name: str) -> tuple[str, str]:
        """The source's form of a cut or misspelt name, and which of the two it is; else two empty strings."""
        one = key(name)
        if len(one) < 5:
            return "", ""
        for longer, form in self.forms.items():
            if len(longer) >= len(one) + 2 and longer.startswith(one):
                return form, "cut"
        best, best_form = _tolerance(one) + 1, ""
        for other, form in self.forms.items():
            if len(other) < 5 or _digits(other) != _digits(one):
                continue
            apart = distance(one, other, best - 1)
            if apart < best:
                best, best_form = apart, form
        return best_form, "misspelt" if best_form else ""


def _digits(one: str) -> str:
    return "".join(c for c in one if c.isdigit())


def _tolerance(one: str) -> int:
    """Letters that may differ before two names are two names."""
    return 1 if len(one) < 8 else 2 if len(one) < 12 else 3


def distance(a: str, b: str, limit: int) -> int:
    """Edits that turn one word into the other, a swap of neighbours counting as one; limit + 1 if more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if last and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def _general(one: str) -> bool:
    """An abbreviation or name that a writer may use of his own."""
    known = known_names()
    table = expansions_table()
    return (
        max(known.get(one, 0), known.get(_singular(one), 0)) >= _GENERAL or one in table or _singular(one) in table
    )


def check_names(
    statement: str, source: SourceNames, *, known: Collection[str] = (), full: bool = False
) -> list[Finding]:
    """Names of a statement that its source does not have.

    Args:
        statement: In English or Korean.
        source: The paper's names, from its title, abstract or full text, and authors.
        known: Names of other papers' systems: one of them, spelt exactly so, is surely foreign.
        full: The full text was read, so a name that is not there is more surely wrong.

    Returns:
        Findings of kind ``name``. From 0.5 on they are worth a reader's time; below are
        well-known names that a writer may have added from elsewhere.
    """
    findings, seen, foreign = [], set(), set(known)
    for name in [*names(statement), *_listed(statement, foreign)]:
        if name.start in seen:
            continue
        seen.add(name.start)
        if source.has(name.text) or source.family(name.text):
            continue
        expected, why, sure = _judged(name, source, foreign)
        if full and not expected:
            sure = min(1.0, sure + 0.1)
        if sure > 0:
            findings.append(
                Finding(
                    kind="name", text=name.text, start=name.start, end=name.end,
                    expected=expected, why=why, sure=round(sure, 3),
                )  # fmt: skip
            )
    return findings


def _listed(statement: str, foreign: Collection[str]) -> Iterator[Name]:
    """Other papers' names that do not look like names: of several words, or ordinary ones."""
    if not foreign:
        return
    row = list(_tokens(statement[:LONGEST]))
    for i, first in enumerate(row):
        for last in row[i : i + _JOINED]:
            text = statement[first.start() : last.end()]
            if text in foreign and (len(text) >= 4 and text[:1].isupper() or _STRONG.search(text)):
                yield Name(text=text, start=first.start(), end=last.end(), sure=0.6)


def _judged(name: Name, source: SourceNames, foreign: Collection[str]) -> tuple[str, str, float]:
    """What a name that the source lacks should be, why it is off, and how sure that is."""
    one = key(name.text)
    base = one.rstrip("0123456789")
    bare = name.text[: len(name.text.rstrip("0123456789."))].rstrip(" ")
    if base != one and bare and source.has(bare) and " " in name.text and not source.bases.get(base):
        return "", "the source does not give this number with the name", 0.2
    if base != one and base in source.bases:
        form = source.bases[base]
        return form, f"the source has another version: {form}", 0.6
    form, how = source.nearest(name.text)
    if form and how == "cut":
        return form, f"cut short: the source has {form}", 0.9
    if form:
        return form, f"misspelt: the source has {form}", 0.9 if name.sure >= 0.6 else 0.6
    if name.text in foreign:
        famous = one in known_names()  # a baseline that the full text may well compare with
        return "", "the name of another paper's system; the source does not have it", 0.5 if famous else 0.9
    if any(one.startswith(short) and len(short) >= 4 for short in source.forms if short != one):
        return "", "the source has only the beginning of this name", 0.3
    if _general(one):
        return "", "", 0.0
    if one in known_names() or _singular(one) in known_names():
        return "", "a well-known name that the source does not have", 0.3
    sure = name.sure - (0.25 if name.gloss and not _STRONG.search(name.text) else 0.0)
    return "", "the source does not have this name", sure


_LEAD = re.compile(r"\s*(?::|：|\s[-–—]{1,2}\s)\s*")


def system_name(title: str) -> str | None:
    """The system that a title announces: "FLUTE" of "FLUTE: Fast …"; None if it announces none.

    What stands before the colon is a name if it looks like one, or is a single word that
    is not ordinary English, with a version or a plain word or two beside it.
    """
    lead = _LEAD.search(title)
    if not lead or lead.start() == 0:
        return None
    head = " ".join(title[: lead.start()].split()).strip("\"'“”‘’`*")
    words = head.split()
    if not 1 <= len(words) <= 3 or head.endswith("?"):
        return None
    likely = [_likeness(word, first=False) for word in words]
    others = [word for word, sure in zip(words, likely, strict=True) if not sure and not word[0].isdigit()]
    if max(likely) >= 0.5 and all(word[0].isupper() and not _general(key(word)) for word in others):
        if len(words) == 1 or (likely[0] >= 0.5 and not all(_general(key(w)) for w in words)):
            return None if _general(key(words[0])) and len(words) > 1 and others else head
        return None
    if len(words) == 2 and re.fullmatch(r"v?[0-9]+(?:\.[0-9]+)*", words[1]) and words[0][0].isupper():
        return head
    return None


def name_absent(statements: Sequence[str], title: str, abstract: str = "") -> Finding | None:
    """The finding that an entry never names its own paper's system.

    Args:
        statements: All statements of the entry.
        title: The paper's.
        abstract: If it does not use the name either, the finding is less sure.
    """
    system = system_name(title)
    if not system:
        return None
    wanted = key(system)
    short = key(system.split()[0])
    for statement in statements:
        row = [key(match.group()) for match in _tokens(statement[:LONGEST])]
        for i in range(len(row)):
            joined = ["".join(row[i : i + length]) for length in range(1, _JOINED + 1)]
            if wanted in joined or (short in joined and len(short) >= 4):
                return None
            if any(one.startswith(wanted) for one in joined):
                return None
    used = not abstract or wanted in key(abstract)
    return Finding(
        kind="name_absent", expected=system, sure=0.8 if used else 0.5,
        why=f"the entry never names the paper's system, {system}",
    )  # fmt: skip

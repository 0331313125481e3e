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
from collections.abc import Collection, Iterable, Iterator, Sequence

from presscheck.digest.check.acronyms import expansions, expansions_table
from presscheck.digest.check.name_shape import (
    LETTER,
    LONGEST,
    STRONG,
    Name,
    key,
    known_names,
    likeness,
    names,
    ordinary,
    singular,
    tokens,
)
from presscheck.types import Finding

__all__ = [
    "Name",
    "SourceNames",
    "check_names",
    "distance",
    "introduced",
    "key",
    "name_absent",
    "names",
    "system_name",
]

BOUNDARY = re.compile(r"[-‐‑–_.@^\s]|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_GENERAL = 100
"""So many abstracts of the list behind ``names.txt`` make a name everybody's."""
_JOINED = 4
"""Words in a row that may be one name elsewhere: "Llama 3 Instruct" is "Llama-3-Instruct"."""


_DEMONYMS = ("i", "n", "an", "ian", "ese")
"""Endings that make the people of a country's name: a source that says Israeli has Israel."""


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
        for match in re.finditer(rf"[{LETTER}0-9]+", text):
            row.append(key(match.group()))
            for length in range(1, min(_JOINED, len(row)) + 1):
                joined = "".join(row[-length:])
                self.keys.update((joined, singular(joined)))
        self.keys.update(key(match.group()) for match in tokens(text))
        letters = [one for one in row if one and not one[0].isdigit()]
        minor = {"a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "via", "with"}
        self.initials += [
            "".join(one[0] for one in letters),
            "".join(one[0] for one in letters if one not in minor),
        ]

    def has(self, name: str) -> bool:
        """Whether the source has a name, in any spelling, or words whose first letters make it."""
        one = key(name)
        if not one or one in self.keys or singular(one) in self.keys or f"{one}s" in self.keys:
            return True
        if len(one) >= 5 and name[:1].isupper() and any(one + end in self.keys for end in _DEMONYMS):
            return True
        letters = singular(one) if name.endswith("s") else one
        if name[:2].isupper() and 2 <= len(letters) <= 8 and any(letters in row for row in self.initials):
            return True
        parts = [part for part in re.split(r"[-‐‑–_.@^+]", name) if part]
        return len(parts) > 1 and self.explains(parts)

    def explains(self, parts: Sequence[str]) -> bool:
        """Whether a compound is one that a writer may form: LLM-based, CNN-RNN, but not Spatial-MLLM.

        Everybody's abbreviations and plain words may be joined, and one name of the source
        with plain words; two words with capitals make a name of their own.
        """
        if all(part.islower() and ordinary(part) or _general(key(part)) for part in parts):
            return True
        capital = [part for part in parts if not (part.islower() and ordinary(part))]
        return len(capital) == 1 and (key(capital[0]) in self.keys or singular(key(capital[0])) in self.keys)

    def family(self, name: str) -> bool:
        """Whether a longer name begins with this one and a boundary: Llama-3 of Llama-3-Instruct."""
        one = key(name)
        return any(
            len(key(form[: cut.start()])) == len(one)
            for longer, form in self.forms.items()
            if longer.startswith(one)
            for cut in BOUNDARY.finditer(form)
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
        max(known.get(one, 0), known.get(singular(one), 0)) >= _GENERAL
        or one in table
        or singular(one) in table
    )


def introduced(statements: Iterable[str]) -> set[str]:
    """Acronyms, as keys, that an entry itself explains: 생성기(TRCG), Noun Reader (NoRe)."""
    found: set[str] = set()
    for statement in statements:
        found.update(key(one.acronym) for one in expansions(statement))
        found.update(
            singular(key(one.text)) for one in names(statement) if one.gloss and one.text[:2].isupper()
        )
    return found


def check_names(
    statement: str,
    source: SourceNames,
    *,
    known: Collection[str] = (),
    explained: Collection[str] = (),
    full: bool = False,
) -> list[Finding]:
    """Names of a statement that its source does not have.

    Args:
        statement: In English or Korean.
        source: The paper's names, from its title, abstract or full text, and authors.
        known: Names of other papers' systems: one of them, spelt exactly so, is foreign.
        explained: What `introduced` says of the entry: such an acronym may be a detail of the full text.
        full: The full text was read, so a name that is not there is more surely wrong.

    Returns:
        Findings of kind ``name``, in order. From 0.5 on they are worth a reader's time; below are
        well-known names, and others that a writer may have added from elsewhere.
    """
    findings, seen, foreign = [], set(), set(known)
    spelt = [(one.start, one.end) for one in expansions(statement)]
    for name in [*_listed(statement, foreign), *names(statement)]:  # the longer name at a place first
        if name.start in seen:
            continue
        seen.add(name.start)
        if source.has(name.text) or source.family(name.text):
            continue
        plain = not STRONG.search(name.text)
        if plain and len(spelt) < 50 and any(start <= name.start < end for start, end in spelt):
            continue  # a word of an expansion, which is checked as such
        expected, why, sure = _judged(name, source, foreign)
        if not expected and name.text not in foreign:
            if singular(key(name.text)) in explained:
                sure -= 0.3
            sure = min(1.0, sure + 0.1) if full and sure > 0 else sure
        if sure > 0:
            findings.append(
                Finding(
                    kind="name",
                    text=name.text,
                    start=name.start,
                    end=name.end,
                    expected=expected,
                    why=why,
                    sure=round(sure, 3),
                )
            )
    return sorted(findings, key=lambda one: one.start)


def _listed(statement: str, foreign: Collection[str]) -> Iterator[Name]:
    """Other papers' names that do not look like names: of several words, or ordinary ones."""
    if not foreign:
        return
    row = list(tokens(statement[:LONGEST]))
    for i, first in enumerate(row):
        for last in reversed(row[i : i + _JOINED]):
            text = statement[first.start() : last.end()]
            if text in foreign and (len(text) >= 4 and text[:1].isupper() or STRONG.search(text)):
                yield Name(text=text, start=first.start(), end=last.end(), sure=0.6)
                break


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
    if one in known_names() or singular(one) in known_names():
        return "", "a well-known name that the source does not have", 0.3
    sure = name.sure - (0.25 if name.gloss and not STRONG.search(name.text) else 0.0)
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
    likely = [likeness(word, first=False) for word in words]
    others = [word for word, sure in zip(words, likely, strict=True) if not sure and not word[0].isdigit()]
    if max(likely) >= 0.5 and all(word[0].isupper() and not _general(key(word)) for word in others):
        if len(words) == 1 or (
            likely[0] >= 0.5 and STRONG.search(head) and not all(_general(key(w)) for w in words)
        ):
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
    if any(_named(system, statement) for statement in statements):
        return None
    used = not abstract or _named(system, abstract)
    return Finding(
        kind="name_absent", expected=system, sure=0.8 if used else 0.4,
        why=f"the entry never names the paper's system, {system}",
    )  # fmt: skip


def _named(system: str, text: str) -> bool:
    """Whether a text has a system's name, or a longer one that begins with it; web addresses do not count."""
    wanted, short = key(system), key(system.split()[0])
    row = [key(match.group()) for match in tokens(text[:LONGEST])]
    for i in range(len(row)):
        joined = ["".join(row[i : i + length]) for length in range(1, _JOINED + 1)]
        if any(one.startswith(wanted) for one in joined) or (short in joined and len(short) >= 4):
            return True
    return False

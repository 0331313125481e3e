"""The glossary: how terms of the field are called in Korean, and how they must not be called.

``glossary.tsv`` is ours; a user's file of the same four columns adds rows and takes
the place of ours for the same English term. A model is given the rows that concern a
paper, and ``check_terms`` finds a rendering that the rows rule out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from presscheck.errors import BadInput
from presscheck.types import Finding, Struct

READ = 20_000
"""Characters of a source that are read."""
LARGEST = 5_000_000
"""Bytes of a user's file."""

_WORD = re.compile(r"[^\W_]+")


class Term(Struct, frozen=True, kw_only=True):
    """One row."""

    en: tuple[str, ...]
    """The forms it has in English texts."""
    ko: tuple[str, ...]
    """What it may be called; the first is the one to use."""
    wrong: tuple[str, ...] = ()
    """Renderings that mean something else."""
    note: str = ""


class Glossary:
    """Terms by the words of their English forms."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._by_form: dict[tuple[str, ...], Term] = {}
        for term in terms:
            for form in term.en:
                self._by_form[_words(form)] = term
        self._longest = max(map(len, self._by_form), default=0)

    def __len__(self) -> int:
        return len({id(term) for term in self._by_form.values()})

    @property
    def terms(self) -> list[Term]:
        """Every row once."""
        return list({id(term): term for term in self._by_form.values()}.values())

    def of(self, source: Iterable[str]) -> list[Term]:
        """The terms that stand in a source, in the order of their first place.

        Where one term holds another ("diffusion model" in "latent diffusion model"), both count.
        """
        found: dict[int, Term] = {}
        for text in source:
            words = _words(text[:READ])
            for start in range(len(words)):
                for length in range(min(self._longest, len(words) - start), 0, -1):
                    term = self._by_form.get(words[start : start + length])
                    if term is not None:
                        found.setdefault(id(term), term)
        return list(found.values())


def check_terms(
    statement: str, source_texts: Sequence[str], glossary: Glossary | None = None
) -> list[Finding]:
    """Renderings in a Korean statement that the glossary rules out.

    Only terms that the source uses count, so that a word which is right elsewhere is no error.

    Args:
        statement: In Korean; an English one has no findings.
        source_texts: Title and sentences of the paper.
        glossary: None takes the one that comes with the package.

    Returns:
        Findings of kind ``term``, with the rendering to use as ``expected``.
    """
    terms = (glossary or ours()).of(source_texts)
    right = [form for term in terms for form in term.ko if form in statement]
    findings = []
    for term in terms:
        for wrong in term.wrong:
            # "정확도" is wrong for precision, and right where the source has accuracy as well.
            if any(wrong in form for form in right):
                continue
            at = statement.find(wrong)
            # The syllables inside of another word are another word.
            if at < 0 or "가" <= statement[at - 1 : at] <= "힣":
                continue
            findings.append(
                Finding(
                    kind="term",
                    text=wrong,
                    start=at,
                    end=at + len(wrong),
                    expected=term.ko[0],
                    why=f"`{term.en[0]}` is {' or '.join(term.ko)}" + (f": {term.note}" if term.note else ""),
                )
            )
    return findings


def load_glossary(extra: Path | None = None) -> Glossary:
    """Our terms, and a user's on top.

    Raises:
        BadInput: if the user's file cannot be read or has a row of another shape.
    """
    if extra is None:
        return ours()
    try:
        data = extra.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read the glossary {extra}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{extra} has more than {LARGEST} bytes: it cannot be a glossary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{extra} is not UTF-8: byte {error.start}") from error
    return Glossary([*ours().terms, *read_terms(text, str(extra))])


@lru_cache(maxsize=1)
def ours() -> Glossary:
    """The glossary that comes with the package."""
    text = (resources.files("presscheck.digest") / "glossary.tsv").read_text("utf-8")
    return Glossary(read_terms(text, "glossary.tsv"))


def read_terms(text: str, name: str) -> list[Term]:
    """The rows of a file: English, Korean, what it is not, a note; tabs between, ``#`` begins a comment.

    Raises:
        BadInput: with file and line, if a row has no English or no Korean form.
    """
    terms = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        en, ko = _forms(cells[0]), _forms(cells[1]) if len(cells) > 1 else ()
        if not en or not ko or len(cells) > 4 or not all(_words(form) for form in en):
            raise BadInput(
                f"{name}, line {number}: need English and Korean with a tab between, got {line[:80]!r}",
                hint="the columns are English, Korean, not, note; several forms are divided by |",
            )
        wrong = _forms(cells[2]) if len(cells) > 2 else ()
        terms.append(Term(en=en, ko=ko, wrong=wrong, note=cells[3] if len(cells) > 3 else ""))
    return terms


def _forms(cell: str) -> tuple[str, ...]:
    return tuple(form for part in cell.split("|") if (form := " ".join(part.split())))


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))

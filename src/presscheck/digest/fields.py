"""The research fields of a paper, each grounded in a term that the paper itself uses.

A field of the table ``fields.toml`` is named only where one of its terms stands
in the title or the abstract, and the statement points to the first place. What
arXiv's categories say moves a field up, but brings none in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

import msgspec

from presscheck.papers.sentences import digest, sentence_texts
from presscheck.types import Evidence, Language, Paper, Statement, Struct

MOST = 4
"""Fields named for one paper."""
PASSING = 1.5
"""From the third field on, a score below this is a word in passing ("on a robot", once)."""

_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)
_READ = 20_000
"""Characters of a sentence that are read."""


class Field(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    en: str
    ko: str
    terms: tuple[str, ...]
    categories: tuple[str, ...] = ()
    """arXiv categories that speak for it."""
    broad: bool = False
    """Holds for so many papers that a narrower field comes first."""


class _Table(Struct, frozen=True, kw_only=True):
    fields: tuple[Field, ...]


class _Terms(msgspec.Struct, frozen=True):
    """The terms of the table by their tokens."""

    plain: dict[tuple[str, ...], int]
    exact: dict[tuple[str, ...], int]
    """Terms with a capital letter, whose case must agree."""
    longest: int


@lru_cache(maxsize=1)
def table() -> tuple[Field, ...]:
    """All fields that are known, in the order of the table."""
    text = files("presscheck.digest").joinpath("fields.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Table).fields


def _singular(token: str) -> str:
    """A token without the s of a plural."""
    return (
        token[:-1]
        if len(token) > 3 and token.endswith("s") and not token.endswith(("ss", "us", "is"))
        else token
    )


def _tokens(text: str) -> list[str]:
    return [_singular(token) for token in _TOKEN.findall(text[:_READ])]


@lru_cache(maxsize=1)
def _terms() -> _Terms:
    plain: dict[tuple[str, ...], int] = {}
    exact: dict[tuple[str, ...], int] = {}
    for number, field in enumerate(table()):
        for term in field.terms:
            (plain if term.islower() else exact)[tuple(_tokens(term))] = number
    return _Terms(plain=plain, exact=exact, longest=max(map(len, [*plain, *exact])))


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Field number and length in tokens of each term, the longest first where terms overlap."""
    terms = _terms()
    tokens = _tokens(text)
    lower = [token.lower() for token in tokens]
    at = 0
    while at < len(tokens):
        for width in range(min(terms.longest, len(tokens) - at), 0, -1):
            number = terms.exact.get(tuple(tokens[at : at + width]))
            if number is None:
                number = terms.plain.get(tuple(lower[at : at + width]))
            if number is not None:
                yield number, width
                at += width
                break
        else:
            at += 1


def fields(paper: Paper, language: Language) -> tuple[Statement, ...]:
    """The fields of a paper, the most telling first, four at most.

    Args:
        paper: Title and, where it is here, abstract are read.
        language: Of the names.

    Returns:
        One statement a field, with the first sentence that has one of its terms as evidence.
    """
    score: dict[int, float] = {}
    evidence: dict[int, Evidence] = {}

    def count(text: str, weight: float, where: Evidence) -> None:
        for number, width in _found(text):
            score[number] = score.get(number, 0.0) + weight * (1 + 0.5 * (width - 1))
            evidence.setdefault(number, where)

    title = paper.title_original or paper.title
    count(
        paper.title,
        4.0,
        Evidence(
            source="title",
            version=paper.version,
            sentence=1,
            start=0,
            end=len(title),
            hash=digest(paper.title),
        ),
    )
    for text, sentence in zip(sentence_texts(paper), paper.sentences, strict=False):
        where = Evidence(
            source="abstract",
            version=paper.version,
            sentence=sentence.number,
            start=sentence.start,
            end=sentence.end,
            hash=sentence.hash,
        )
        count(text, 1.0, where)

    known = table()
    for number in score:
        score[number] = min(score[number], 12.0)
        if set(known[number].categories) & set(paper.categories):
            score[number] += 1.0
        if known[number].broad:
            score[number] /= 4
    ranked = sorted(score, key=lambda number: (-score[number], number))[:MOST]
    best = [number for rank, number in enumerate(ranked) if rank < 2 or score[number] >= PASSING]
    names = [known[number].ko if language == "ko" else known[number].en for number in best]
    return tuple(
        Statement(text=name, evidence=(evidence[number],)) for name, number in zip(names, best, strict=True)
    )

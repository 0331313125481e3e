"""Makes papers of what sources give: cleaned, split, with their originals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from presscheck.papers.clean import clean
from presscheck.papers.sentences import sentences_of
from presscheck.types import Author, Paper, Problem

_SIMPLE_NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]*\.?)* [A-Z][a-z]+")
"""A name that cleaning would leave as it is."""

_ENGLISH = frozenset("the of and to is we for that with this are by from which our can it be or at".split())
_ENGLISH_SHARE = 0.05
"""A text with a smaller share of those words is no English."""

MINIMUM_WORDS = 20
"""An abstract with fewer words is no abstract."""

_GROUP = re.compile(
    r"(?i)\b(?:collaborations?|consortium|team)\b|\b(?:group|initiative|community|project|authors)$"
)


def make_paper(
    *,
    id: str,
    title: str,
    abstract: str,
    authors: Sequence[Author | str],
    problems: list[Problem] | None = None,
    **rest: Any,
) -> Paper:
    """Make a paper of a source's fields.

    Args:
        id: arXiv id without version, ``doi:…`` or ``key:…``.
        title: as published; cleaned here.
        abstract: as published; cleaned and split here.
        authors: in the order of the paper, names or authors. An empty name is left out.
        problems: takes what the reader should be told.
        rest: other fields of ``Paper``.
    """
    cleaned = clean(abstract)
    return Paper(
        id=id,
        title=clean(title, title=True).text,
        title_original=title,
        abstract=cleaned.text,
        abstract_original=abstract,
        sentences=sentences_of(cleaned),
        authors=_authors(id, authors, problems),
        **rest,
    )


def _authors(where: str, given: Sequence[Author | str], problems: list[Problem] | None) -> tuple[Author, ...]:
    """Clean each name; order and repetitions stay as they are."""
    authors = []
    for place, one in enumerate(given, 1):
        author = one if isinstance(one, Author) else Author(name=one)
        name = author.name if _SIMPLE_NAME.fullmatch(author.name) else clean(author.name, title=True).text
        if name:
            group = author.group or _GROUP.search(name) is not None
            authors.append(Author(name=name, hidden=author.hidden, group=group))
        elif problems is not None:
            what = f"author {place} of {len(given)} has no name; left out"
            problems.append(Problem(where=where, what=what))
    return tuple(authors)


_ERROR_PAGE = re.compile(
    r"(?i)^\W*(?:no html for|access (?:to this page )?(?:is |has been )?denied|<!doctype html|<html|<\?xml|"
    r"(?:http |error )*(?:40\d|429|50[0-4])\b[ :]*(?:bad gateway|not found|forbidden|internal server|service|"
    r"too many|gateway|unauthorized|error)|too many requests|rate limit exceeded|bad gateway|forbidden|"
    r"service (?:temporarily )?unavailable|(?:page|file) not found|just a moment|checking your browser|"
    r"please enable javascript|internal server error|html conversions? (?:failed|sometimes))"
)
_WITHDRAWN = re.compile(
    r"(?i)^\W*(?:this|the) (?:paper|article|manuscript|submission|work|preprint) (?:has been|was|is) "
    r"(?:temporarily )?(?:withdrawn|retracted)"
)


def why_not_summarised(paper: Paper) -> str:
    """The honest reason why the abstract cannot be summarised, or an empty string."""
    text = paper.abstract
    if not text.strip():
        return "the abstract is missing"
    if error := _ERROR_PAGE.match(text):
        return f"the source gave an error page instead of the abstract: {error.group().strip()!r}"
    if _WITHDRAWN.match(text) and len(paper.sentences) <= 3:
        return "the abstract is only a withdrawal notice"
    letters = [c for c in text if c.isalpha()]
    if sum(c < "\u0250" for c in letters) * 2 < len(letters):
        return "the abstract is not in English: most of it is not in Latin script"
    words = re.findall(r"\w+", text.lower())
    if len(words) < MINIMUM_WORDS:
        return f"the abstract is too short: {len(words)} words, need {MINIMUM_WORDS}"
    if sum(word in _ENGLISH for word in words) < _ENGLISH_SHARE * len(words):
        return "the abstract does not read as English"
    return ""

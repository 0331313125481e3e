"""Korean words of the field in English, for looking up a Korean query in English abstracts.

The words are the glossary's (``digest/glossary.tsv``). A Korean word carries its
particles with it ("모델을"), and compounds are written together ("언어모델"); so at
each place of a word the longest entry that starts there is taken, and then the rest
is read on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from presscheck.archive.korean import HANGUL
from presscheck.digest.glossary import Glossary, ours

READ = 600
"""Characters of a query that are translated."""
MOST = 24
"""English words for one query."""


def translations(query: str, entries: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    """English words and phrases for the Korean words of a query.

    Args:
        query: in any language; what is not Korean has no translation.
        entries: Korean without spaces → English; None takes what comes with the package.

    Returns:
        Each once, in the order of the query.
    """
    table = entries if entries is not None else known()
    longest = max(map(len, table), default=0)
    found: dict[str, None] = {}
    # A term may be written with spaces or without ("언어 모델", "언어모델"), so runs are joined.
    for run in re.findall(r"[가-힣]+(?: [가-힣]+)*", query[:READ]):
        letters = run.replace(" ", "")
        heads = _heads(run)
        at = 0
        while at < len(letters):
            for length in range(min(longest, len(letters) - at), 1 if at in heads else 1, -1):
                if english := table.get(letters[at : at + length]):
                    found.update(dict.fromkeys(english))
                    at += length
                    break
            else:
                at += 1
    return list(found)[:MOST]


def _heads(run: str) -> set[int]:
    """Where words begin, counted without spaces."""
    heads, at = {0}, 0
    for word in run.split(" "):
        at += len(word)
        heads.add(at)
    return heads


@lru_cache(maxsize=1)
def known() -> dict[str, tuple[str, ...]]:
    """The glossary that comes with the package, from Korean to English."""
    return of_glossary(ours())


def of_glossary(glossary: Glossary) -> dict[str, tuple[str, ...]]:
    """A glossary from Korean to English."""
    table: dict[str, dict[str, None]] = {}
    for term in glossary.terms:
        for form in term.ko:
            letters = form.replace(" ", "")
            if len(letters) > 1 and HANGUL.fullmatch(letters):
                table.setdefault(letters, {}).update(dict.fromkeys(term.en))
    return {korean: tuple(english) for korean, english in table.items()}

"""The search index as scripts that a page loads when it needs them: no server, and none is asked.

``search/index.js`` says which part holds the tokens that start with what; ``s<n>.js`` hold
the tokens, ``d<n>.js`` the papers that results show, ``ko.js`` the English tokens of Korean
terms. They are scripts rather than JSON since a page that was opened from disk may load
scripts that lie beside it, and nothing else.

The papers of a token are written as differences in base 36, each ended by a capital letter
that is its weight: ``1aC0B`` is paper 46 with weight 3 and paper 46 + 0 + 1 = 47 with weight 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from presscheck.edition.page import printable
from presscheck.site.facts import FieldName, PaperFacts
from presscheck.site.names import slug_of
from presscheck.site.tokens import tokens

LARGEST = 40_000
"""Bytes of a part, unless one token alone has more."""
BLOCK = 48
"""Papers in a file of results."""
LEAD = 220
"""Characters of a result's statement."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def build_index(
    dated: Sequence[tuple[str, PaperFacts]], claimed: frozenset[str], languages: Sequence[str]
) -> dict[str, bytes]:
    """The files of the index by their address.

    Args:
        dated: Every paper once with its edition's day, newest first.
        claimed: Slugs of the systems that can be run.
        languages: Of the editions.
    """
    fields = field_names(paper for _, paper in dated)
    places = {field.slug: at for at, field in enumerate(fields)}
    files = {
        **_documents(dated, places),
        "search/ko.js": as_script("terms", korean_terms()),
    }
    parts, prefixes = _parts(_posted(paper for _, paper in dated))
    for number, part in enumerate(parts):
        files[f"search/s{number}.js"] = as_script("part", number, part)
    days: list[tuple[str, int]] = []
    for date, _ in dated:
        if days and days[-1][0] == date:
            days[-1] = (date, days[-1][1] + 1)
        else:
            days.append((date, 1))
    head = {
        "papers": len(dated),
        "block": BLOCK,
        "days": days,
        "prefixes": prefixes,
        "fields": [[field.slug, field.en, field.ko] for field in fields],
        "of": [
            "".join(
                _DIGITS[places[one.slug] // 36] + _DIGITS[places[one.slug] % 36]
                for one in paper.fields
                if places.get(one.slug, 1296) < 1296
            )
            for _, paper in dated
        ],
        "claims": [at for at, (_, paper) in enumerate(dated) if paper.system in claimed],
        "languages": list(languages),
    }
    head["version"] = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()[:12]
    files["search/index.js"] = as_script("index", head)
    return files


def field_names(papers: Iterable[PaperFacts]) -> list[FieldName]:
    """Every field once, the most frequent first; a Korean name from any entry that has one."""
    counts: dict[str, int] = {}
    names: dict[str, FieldName] = {}
    for paper in papers:
        for field in paper.fields:
            counts[field.slug] = counts.get(field.slug, 0) + 1
            if field.slug not in names or (field.ko and not names[field.slug].ko):
                names[field.slug] = field
    return [names[slug] for slug in sorted(counts, key=lambda slug: (-counts[slug], slug))]


def korean_terms() -> dict[str, list[str]]:
    """Korean terms of the glossary, without their spaces → English tokens, any form's."""
    from presscheck.digest.glossary import load_glossary

    found: dict[str, list[str]] = {}
    for term in load_glossary().terms:
        english = list(dict.fromkeys(" ".join(tokens(form)) for form in term.en))
        for korean in term.ko:
            key = "".join(korean.split())
            if len(key) > 1:
                found.setdefault(key, []).extend(form for form in english if form)
    return {key: list(dict.fromkeys(forms)) for key, forms in sorted(found.items())}


def _posted(papers: Iterable[PaperFacts]) -> dict[str, str]:
    """Token → its papers and weights, as they are written."""
    last: dict[str, int] = {}
    posted: dict[str, list[str]] = {}
    for at, paper in enumerate(papers):
        for token, weight in paper.tokens.items():
            posted.setdefault(token, []).append(_base36(at - last.get(token, 0)) + _LETTERS[weight])
            last[token] = at
    return {token: "".join(each) for token, each in posted.items()}


_LETTERS = "@ABCDEFGH"


def _base36(number: int) -> str:
    return _PAIRS[number] if number < 1296 else _base36(number // 36) + _DIGITS[number % 36]


_PAIRS = [*_DIGITS, *(first + second for first in _DIGITS[1:] for second in _DIGITS)]
"""The numbers below 36 * 36, which nearly all differences are."""


def _parts(posted: dict[str, str]) -> tuple[list[dict[str, str]], list[str]]:
    """The tokens in order, cut into parts, and the first token of each part."""
    parts: list[dict[str, str]] = []
    firsts: list[str] = []
    size = LARGEST
    for token in sorted(posted):
        own = len(token.encode()) + len(posted[token]) + 6
        if size + own > LARGEST:
            parts.append({})
            firsts.append(token)
            size = 0
        parts[-1][token] = posted[token]
        size += own
    return parts, firsts


def _documents(dated: Sequence[tuple[str, PaperFacts]], places: dict[str, int]) -> dict[str, bytes]:
    rows: list[list[Any]] = [
        [
            slug_of(paper.id),
            printable(paper.title),
            {language: printable(_short(text)) for language, text in paper.lead.items()},
            paper.votes,
            paper.system,
        ]
        for _, paper in dated
    ]
    return {
        f"search/d{at // BLOCK}.js": as_script("papers", at // BLOCK, rows[at : at + BLOCK])
        for at in range(0, len(rows), BLOCK)
    }


def _short(text: str) -> str:
    return text if len(text) <= LEAD else text[: LEAD - 1] + "…"


def as_script(name: str, *values: object) -> bytes:
    """A script that hands values to the page's own; in a file of its own JSON needs no escaping."""
    written = b",".join(msgspec.json.encode(value) for value in values)
    return b"presscheck." + name.encode() + b"(" + written + b");\n"

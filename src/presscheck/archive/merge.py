"""When two records are one paper, and what is kept of each.

A paper is known by its arXiv id, by its DOI, and by its title with its year; the
first that two records share makes them one, unless a stronger one tells them apart.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from presscheck.types import Paper

SHORTEST = 12
"""Letters of a title that can tell papers apart; "Introduction" or "Report" cannot."""

_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W_]+")
_YEAR_OF_ID = re.compile(r"(?:[a-z-]+(?:\.[A-Z]{2})?/)?(\d\d)\d\d")
_DOI_BEFORE = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)\s*", re.IGNORECASE)


def doi_of(paper: Paper) -> str:
    """The DOI of a paper in lower case; arXiv's own DOIs say nothing beyond the id."""
    given = paper.doi or (paper.id[4:] if paper.id.startswith("doi:") else "")
    bare = _DOI_BEFORE.sub("", given.strip()).lower()
    return "" if _ARXIV_DOI.fullmatch(bare) else bare


def year_of(paper: Paper) -> str:
    """The year of the first version: as given, else by the arXiv id, else of the day's list."""
    if paper.published[:4].isdigit():
        return paper.published[:4]
    if paper.arxiv and (match := _YEAR_OF_ID.match(paper.arxiv)):
        short = int(match[1])
        return str(1900 + short if short > 90 else 2000 + short)
    return paper.date[:4]


def title_of(paper: Paper) -> str:
    """The letters and digits of a title, without case, spaces and marks."""
    plain = unicodedata.normalize("NFKC", paper.title).casefold()
    return "".join(_LETTERS.findall(plain))


def keys_of(paper: Paper) -> list[str]:
    """What a paper is known by, the strongest first."""
    keys = [paper.id]
    if doi := doi_of(paper):
        keys.append(f"doi:{doi}")
    title, year = title_of(paper), year_of(paper)
    if len(title) >= SHORTEST and year:
        keys.append(f"title:{title}|{year}")
    return list(dict.fromkeys(keys))


def same(one: Paper, other: Paper) -> bool:
    """Whether two records that share a key are one paper: nothing stronger may tell them apart."""
    if one.arxiv and other.arxiv:
        return one.arxiv == other.arxiv
    mine, theirs = doi_of(one), doi_of(other)
    if mine and theirs:
        return mine == theirs
    if one.id != other.id and one.authors and other.authors:
        return bool(_first_author(one) & _first_author(other))
    return True


def _first_author(paper: Paper) -> set[str]:
    """The words of the first author's name: first names are often cut to a letter, or stand last."""
    words = _LETTERS.findall(paper.authors[0].name.casefold())
    return {word for word in words if len(word) > 1}


def merged(held: Paper, new: Paper) -> Paper:
    """Both records as one: the newer text and votes, and whatever only one of them has.

    Args:
        held: what is in the archive.
        new: what is added.
    """
    newer = _newer(held, new)
    first, second = (new, held) if newer else (held, new)
    values = {
        name: getattr(first, name) or getattr(second, name)
        for name in Paper.__struct_fields__
        if name not in ("id", "votes", "votes_at", "date", "listed", "published", "system")
    }
    # A text, its original and its sentences belong together, whichever record they come from.
    text = first if first.abstract else second if second.abstract else first
    for name in ("abstract", "abstract_original", "sentences", "version"):
        values[name] = getattr(text, name)
    voted = max((held, new), key=lambda p: (p.votes is not None, p.votes_at))
    return msgspec.structs.replace(
        held,
        **values,
        id=_strongest(held, new),
        votes=voted.votes,
        votes_at=voted.votes_at if voted.votes is not None else "",
        date=_earliest(held.date, new.date),
        listed=_earliest(held.listed, new.listed),
        published=_earliest(held.published, new.published),
        system=new.system or held.system,
    )


def _newer(held: Paper, new: Paper) -> bool:
    """Whether the added record is of a later time; without times and versions the first one stays."""
    if new.version and held.version != new.version:
        return _number(new.version) > _number(held.version)
    return bool(new.votes_at and new.votes_at > held.votes_at)


def _number(version: str) -> int:
    return int(digits[0]) if (digits := re.findall(r"[0-9]{1,4}", version)) else 0


def _strongest(held: Paper, new: Paper) -> str:
    """The id that says most: arXiv's, then a DOI, then the key of somebody's file."""
    return min((held.id, new.id), key=lambda one: (":" in one, one.startswith("key:")))


def _earliest(one: str, other: str) -> str:
    return min(filter(None, (one, other)), default="")

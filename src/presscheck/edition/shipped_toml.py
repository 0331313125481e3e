"""``edition.toml`` of a shipped edition → its papers."""

from __future__ import annotations

import re
import tomllib
from datetime import date as calendar_day
from typing import Literal

import msgspec

from presscheck.errors import BadInput
from presscheck.types import ARXIV_ID, Author, Paper, Problem, Sentence, Struct

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_HASH = re.compile(r"[0-9a-f]{16}")
_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"v[1-9]\d*")

NO_ABSTRACT = "its abstract was not at hand: it is told from the paper and its repository"


class PaperTable(Struct, frozen=True, kw_only=True):
    """One ``[[papers]]`` as it stands in the file."""

    arxiv: str
    version: str
    title: str
    authors: tuple[str | Author, ...]
    published: str = ""
    listed: str = ""
    votes: int | None = None
    system: str = ""
    related: tuple[str, ...] = ()
    code: str = ""
    sentences: tuple[tuple[int, int, int, str], ...] = ()


class EditionTable(Struct, frozen=True, kw_only=True):
    """The whole file as it stands."""

    schema: Literal[1]
    date: str
    taken: str
    state: Literal["open", "closed", "unknown"]
    source: str
    papers: tuple[PaperTable, ...]


class Table(Struct, frozen=True, kw_only=True):
    """What the file says, as the nouns of the rest."""

    date: str
    taken: str
    state: Literal["open", "closed", "unknown"]
    source: str
    papers: tuple[Paper, ...]
    problems: tuple[Problem, ...] = ()
    """One for each paper that was written without its abstract, so that a reader is told."""


def parse_table(text: str, name: str) -> Table:
    """Read ``edition.toml``, strictly.

    Args:
        text: The file.
        name: How errors call it.

    Raises:
        BadInput: naming the file and the line.
    """
    try:
        table = msgspec.convert(tomllib.loads(text), EditionTable)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadInput(f"{name}:{_line_of(text, str(error))}: {error}") from None
    if not _DAY.fullmatch(table.date) or not _is_day(table.date):
        raise BadInput(f"{name}:{_line(text, 'date')}: need a day as YYYY-MM-DD, got `{table.date}`")
    if not _TIME.fullmatch(table.taken):
        raise BadInput(
            f"{name}:{_line(text, 'taken')}: need a time as YYYY-MM-DDTHH:MM:SSZ, got `{table.taken}`"
        )
    seen: set[str] = set()
    for index, paper in enumerate(table.papers):
        for key, why in _faults(paper):
            raise BadInput(f"{name}:{_line(text, key, index)}: {why}")
        if paper.arxiv in seen:
            raise BadInput(f"{name}:{_line(text, 'arxiv', index)}: {paper.arxiv} is here twice")
        seen.add(paper.arxiv)
    return Table(
        date=table.date,
        taken=table.taken,
        state=table.state,
        source=table.source,
        papers=tuple(_paper(paper, table) for paper in table.papers),
        problems=tuple(
            Problem(where=paper.arxiv, what=NO_ABSTRACT) for paper in table.papers if not paper.sentences
        ),
    )


def _is_day(text: str) -> bool:
    try:
        calendar_day.fromisoformat(text)
    except ValueError:
        return False
    return True


def _faults(paper: PaperTable) -> list[tuple[str, str]]:
    """What msgspec cannot see: (key, what is wrong with it)."""
    faults: list[tuple[str, str]] = []
    if not ARXIV_ID.fullmatch(paper.arxiv):
        faults.append(("arxiv", f"need an arXiv id without version, got `{paper.arxiv}`"))
    if not _VERSION.fullmatch(paper.version) and (paper.version or paper.sentences):
        faults.append(
            (
                "version",
                f"need v1, v2, … of the abstract, or none where `sentences` has none, got `{paper.version}`",
            )
        )
    if not paper.title.strip():
        faults.append(("title", "the title is empty"))
    if not paper.authors:
        faults.append(("authors", "no authors"))
    for key in ("published", "listed"):
        value = getattr(paper, key)
        if value and not _TIME.fullmatch(value):
            faults.append((key, f"need a time as YYYY-MM-DDTHH:MM:SSZ, got `{value}`"))
    if paper.system and not _SLUG.fullmatch(paper.system):
        faults.append(("system", f"need a slug such as `think`, got `{paper.system}`"))
    if paper.code and not paper.code.startswith("https://"):
        faults.append(("code", f"need an https address, got `{paper.code}`"))
    for other in paper.related:
        if not ARXIV_ID.fullmatch(other) or other == paper.arxiv:
            faults.append(("related", f"need ids of other papers, got `{other}`"))
    end = 0
    for position, (number, start, stop, digest) in enumerate(paper.sentences, start=1):
        if number != position:
            faults.append(("sentences", f"need sentence {position} here, got {number}"))
        elif not end <= start < stop:
            faults.append(("sentences", f"sentence {number} has offsets {start}:{stop}, after {end}"))
        elif not _HASH.fullmatch(digest):
            faults.append(("sentences", f"sentence {number} needs a hash of 16 hex digits, got `{digest}`"))
        end = stop
    return faults


def _paper(table: PaperTable, edition: EditionTable) -> Paper:
    return Paper(
        id=table.arxiv,
        title=table.title,
        sentences=tuple(
            Sentence(number=number, start=start, end=end, hash=digest)
            for number, start, end, digest in table.sentences
        ),
        authors=tuple(
            author if isinstance(author, Author) else Author(name=author) for author in table.authors
        ),
        version=table.version,
        source="shipped",
        date=edition.date,
        published=table.published,
        listed=table.listed,
        votes=table.votes,
        votes_at=edition.taken,
        code=table.code,
        system=table.system,
        related=table.related,
    )


def _line(text: str, key: str, paper: int | None = None) -> int:
    """The line on which a key of the file, or of its n-th paper, stands; else where its table begins."""
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if line.strip() == "[[papers]]"]
    start, stop = 0, heads[0] if heads else len(lines)
    if paper is not None and paper < len(heads):
        start = heads[paper]
        stop = heads[paper + 1] if paper + 1 < len(heads) else len(lines)
    for number in range(start, stop):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            return number + 1
    return start + 1


def _line_of(text: str, message: str) -> int:
    """The line that a msgspec message such as "… - at `$.papers[3].votes`" is about."""
    place = re.search(r"\$(?:\.papers\[(\d+)\])?(?:\.(\w+))?", message)
    if place is None:
        return 1
    unknown = re.search(r"unknown field `(\w+)`", message)
    key = unknown[1] if unknown else place[2] or ""
    return _line(text, key, int(place[1]) if place[1] else None)

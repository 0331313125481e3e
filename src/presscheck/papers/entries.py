"""One entry of a daily list as a Paper, in the service's form or as a row of an archive.

The service nests: ``{"paper": {"id", "title", "summary", "authors", "upvotes", …}, …}``.
An archive is flat: ``{"date", "id", "title", "authors", "summary", "upvotes", …}``.
``ai_summary`` is a model's text and is never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from presscheck.errors import BadInput
from presscheck.papers.days import DAY, parse_time, stamp
from presscheck.papers.decode import kind_of
from presscheck.papers.ids import parse_arxiv
from presscheck.papers.literal import parse_literal
from presscheck.papers.paper import make_paper
from presscheck.types import Author, Paper, Problem

NAMES = {
    "published": ("publishedAt", "published_at"),
    "listed": ("submittedOnDailyAt", "submitted_on_daily_at"),
    "code": ("githubRepo", "github_repo"),
    "project": ("projectPage", "project_page"),
    "withdrawn": ("withdrawnAt", "withdrawn_at"),
}
"""Our field → its name at the service and in archives."""


def read_entries(
    entries: Iterable[tuple[str, object]], *, date: str, votes_at: str, problems: list[Problem]
) -> list[Paper]:
    """The papers of a list, in its order; a bad or repeated one becomes a problem.

    Args:
        entries: each with its place, such as ``$[3]``.
        date: the day of the list; an archive's row may name its own.
        votes_at: when the votes were counted; empty if that is not known.
        problems: what is wrong with single entries is added here.

    Raises:
        BadInput: if no entry at all can be read: then it is some other file.
    """
    papers: list[Paper] = []
    seen: set[tuple[str, str]] = set()
    first: BadInput | None = None
    for place, entry in entries:
        try:
            paper = read_entry(entry, place, date=date, votes_at=votes_at, problems=problems)
        except BadInput as error:
            first = first or error
            problems.append(Problem(where=_name(entry) or place, what=error.message, kind="bad paper"))
            continue
        if (paper.date, paper.id) in seen:
            problems.append(duplicate(paper.id, place))
            continue
        seen.add((paper.date, paper.id))
        papers.append(paper)
    if first and not papers:
        raise BadInput(
            f"not a list of papers: {first.message}",
            hint="needed is an answer of the daily-papers API, or rows with `id`, `title` and `authors`",
        )
    return papers


def duplicate(paper: str, place: str) -> Problem:
    """The problem of a paper that stands in a list twice."""
    return Problem(where=paper, what=f"listed again at {place}; the first entry is kept", kind="duplicate")


def read_entry(entry: object, place: str, *, date: str, votes_at: str, problems: list[Problem]) -> Paper:
    """One entry as a Paper; an entry stored as a Python text is read as what it stands for.

    Raises:
        BadInput: if a field is missing or of another type; the message names it by its place.
    """
    outer = _table(parse_literal(entry, place) if isinstance(entry, str) else entry, place)
    nested = "paper" in outer
    inner, inside = (_table(outer["paper"], f"{place}.paper"), f"{place}.paper") if nested else (outer, place)
    if "id" not in inner:
        raise BadInput(f"{inside}.id is missing")
    paper_id, version = parse_arxiv(_text(inner, "id", inside))
    title = _text(inner, "title", inside) or (_text(outer, "title", place) if nested else "")
    if not title.strip():
        raise BadInput(f"{inside}.title is missing")
    found: list[Problem] = []
    fields = {name: _either(inner, keys, inside) for name, keys in NAMES.items()}
    listed = fields["listed"] or (_text(outer, "publishedAt", place) if nested else "")
    if fields["withdrawn"]:
        found.append(Problem(where=paper_id, what=f"withdrawn at {fields['withdrawn'][:40]}"))
    votes = _votes(inner, inside, paper_id, found)
    paper = make_paper(
        id=paper_id,
        title=title,
        abstract=_text(inner, "summary", inside),
        authors=_authors(inner, inside, paper_id, found),
        problems=found,
        version=version,
        source="huggingface" if nested else "file",
        date=date if nested else (_row_date(outer, place) or date),
        published=_time(fields["published"]),
        listed=_time(listed),
        votes=votes,
        votes_at=votes_at if votes is not None else "",
        code=_link(fields["code"], paper_id, found),
        project=_link(fields["project"], paper_id, found),
    )
    problems.extend(found)
    return paper


def _name(entry: object) -> str:
    """The id of an entry that could not be read, where it has one."""
    inner = entry.get("paper", entry) if isinstance(entry, dict) else None
    name = inner.get("id") if isinstance(inner, dict) else None
    return name[:60] if isinstance(name, str) else ""


def _table(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{place} is {kind_of(value)}: it has to be an object")
    return value


def _text(table: dict[str, Any], key: str, place: str) -> str:
    """A text field; missing and null are empty."""
    value = table.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{place}.{key} is {kind_of(value)}: it has to be text")
    return value


def _either(table: dict[str, Any], keys: tuple[str, str], place: str) -> str:
    return _text(table, keys[0], place) or _text(table, keys[1], place)


def _authors(table: dict[str, Any], place: str, paper: str, problems: list[Problem]) -> list[Author]:
    """All authors in order, hidden ones too; one without a name is told, since the list is then short."""
    value = table.get("authors")
    if not isinstance(value, list):
        what = "is missing" if value is None else f"is {kind_of(value)}: it has to be a list"
        raise BadInput(f"{place}.authors {what}")
    authors = []
    for number, item in enumerate(value):
        where = f"{place}.authors[{number}]"
        name = item if isinstance(item, str) else _text(_table(item, where), "name", where)
        if not name.strip():
            what = f"{where} has no name: the author list is not complete"
            problems.append(Problem(where=paper, what=what))
            continue
        hidden = isinstance(item, dict) and item.get("hidden") is True
        authors.append(Author(name=name, hidden=hidden))
    return authors


def _votes(table: dict[str, Any], place: str, paper: str, problems: list[Problem]) -> int | None:
    """Votes as they stand: 0 is a fact, negative happens, and missing is not 0."""
    value = table.get("upvotes")
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**9:
        what = f"{place}.upvotes is {kind_of(value)}: it has to be a count; taken as not known"
        problems.append(Problem(where=paper, what=what))
        return None
    return value


def _time(text: str) -> str:
    """A time in our form; empty if it is none."""
    moment = parse_time(text)
    return stamp(moment) if moment else ""


def _row_date(row: dict[str, Any], place: str) -> str:
    date = _text(row, "date", place)
    if date and not DAY.fullmatch(date):
        raise BadInput(f"{place}.date is `{date[:40]}`: it has to be YYYY-MM-DD")
    return date


def _link(text: str, paper: str, problems: list[Problem]) -> str:
    """A web address; anything else in its place, such as a script, is dropped and told."""
    address = re.sub(r"[\t\r\n]", "", text).strip()  # as browsers do; line breaks come from forms
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or len(address) > 2000 or not address.isprintable() or any(c in address for c in " \"'<>`\\"):
        problems.append(Problem(where=paper, what=f"{address[:60]!r} is no web address; left out"))
        return ""
    return address


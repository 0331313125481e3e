"""Where the archive's papers come from: files, editions, and the daily list day by day."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path

import msgspec

from presscheck.archive.store import Archive, Counts
from presscheck.errors import BadInput
from presscheck.papers.daily import load_day
from presscheck.papers.days import parse_day, utc_now
from presscheck.papers.files import iter_papers, read_papers
from presscheck.papers.http import Client
from presscheck.papers.library import Library
from presscheck.types import SCHEMA, Edition, Paper, Problem

MOST_DAYS = 3660
EDITION = "edition.json"


Read = Callable[[Path | str, list[Problem]], Iterator[Paper]]


def add_path(
    archive: Archive,
    path: Path | str,
    client: Client | None,
    problems: list[Problem],
    read: Read = iter_papers,
) -> Iterator[Counts]:
    """Add what a file or folder holds: papers in any form that is read, or editions.

    Args:
        archive: takes them.
        path: a file, a folder of papers or of editions, or ``-``.
        client: fetches the papers of a list of ids; None refuses such a list.
        problems: takes what is wrong with single papers.
        read: reads a file's papers; ``bulk.read_bulk`` does so on many processes.

    Yields:
        The counts of each transaction.

    Raises:
        BadInput: if it cannot be read, or the archive not written; what was added before is kept.
    """
    editions = _editions(path)
    for file in editions:
        yield archive.add_edition(_read_edition(file))
    if editions:
        return
    papers = read(path, problems)
    try:
        first = list(islice(papers, 1))
    except BadInput:
        if client is None:
            raise
        day = read_papers(path, client)
        problems.extend(day.problems)
        first, papers = list(day.papers[:1]), iter(day.papers[1:])
    yield from archive.adding(_usable(chain(first, papers), problems))


def add_days(
    archive: Archive, days: list[str], client: Client, library: Library, problems: list[Problem]
) -> Iterator[tuple[str, Counts]]:
    """Add the daily lists of some days; what the library holds of a day that is over is not fetched again.

    Yields:
        Each day with its counts, once it is added.

    Raises:
        Unreachable: if the service does not answer; days before are added.
    """
    for date in days:
        day = load_day(date, library=library, client=client)
        problems.extend(day.problems)
        yield date, archive.add(_usable(iter(day.papers), problems), date=date)


def span(first: str, last: str | None) -> list[str]:
    """The days from one to another, both included; without a last one, until yesterday.

    Raises:
        BadInput: if one is no day, in the future, or the span is turned round or too long.
    """
    today = utc_now().date()
    start = parse_day(first)
    end = parse_day(last) if last else max(start, today - timedelta(days=1))
    if end < start:
        raise BadInput(f"--to {end} is before --from {start}")
    if end > today:
        raise BadInput(f"{end} is in the future: the daily list ends with {today}")
    count = (end - start).days + 1
    if count > MOST_DAYS:
        raise BadInput(f"{count} days are too many at once: at most {MOST_DAYS}")
    return [(start + timedelta(days=number)).isoformat() for number in range(count)]


def add_snapshots(archive: Archive, library: Library, problems: list[Problem]) -> Iterator[Counts]:
    """Add every list that the library has fetched, all counts of votes included."""
    from presscheck.papers.huggingface import day_of
    from presscheck.papers.snapshots import decode_snapshot

    for date in library.days():
        for path in library.snapshots(date):
            try:
                day = day_of(decode_snapshot(path.read_bytes(), str(path)))
            except BadInput as error:
                problems.append(Problem(where=str(path), what=f"passed over: {error.message}"))
                continue
            yield archive.add(_usable(iter(day.papers), problems), date=date)


def _usable(papers: Iterator[Paper], problems: list[Problem]) -> Iterator[Paper]:
    """The papers with a title; the others are told of."""
    for paper in papers:
        if paper.id and paper.title:
            yield paper
        else:
            problems.append(
                Problem(where=paper.id or "a paper", what="left out: it has no title", kind="bad paper")
            )


def _editions(path: Path | str) -> list[Path]:
    """The edition files that a path names: itself, or those of a folder and of its days' folders."""
    if str(path) == "-":
        return []
    place = Path(path)
    if place.is_dir():
        return sorted([*place.glob(EDITION), *place.glob(f"*/{EDITION}")])
    return [place] if place.name == EDITION else []


def _read_edition(path: Path) -> Edition:
    """An edition.json.

    Raises:
        BadInput: if it is none.
    """
    try:
        data = path.read_bytes()
        if int(json.loads(data).get("schema", SCHEMA)) > SCHEMA:
            raise BadInput(f"{path} is of a newer presscheck: this one reads schema {SCHEMA}")
        return msgspec.json.decode(data, type=Edition)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, AttributeError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        raise BadInput(f"{path} is no edition: {error}") from None

"""Papers of many days, sorted into days on disk, so that memory holds one day at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.files import iter_papers
from presscheck.papers.whole import cannot_write, make_folder
from presscheck.types import Day, Paper, Problem

PREFIX = "days-"


class Spool:
    """A folder of its own with a file of papers for each day; use it as a context manager.

    Args:
        cache: the folder to make it in. What a killed process left there is cleared.

    Raises:
        BadInput: if nothing can be written there.
    """

    def __init__(self, cache: Path) -> None:
        make_folder(cache)
        _clear(cache)
        self._folder = cache / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self._folder.mkdir()
            self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # ends with the process, so a held one is alive
        self._count: dict[str, int] = {}
        self.problems: list[Problem] = []
        """What was wrong with single papers, and papers that have no day."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def fill(self, paths: Iterable[Path | str]) -> Iterator[int]:
        """Read every file.

        Yields:
            The number of papers so far, for a progress bar.

        Raises:
            BadInput: if a file cannot be read, or the temporary folder is full.
        """
        total = 0
        for path in paths:
            for paper in iter_papers(path, self.problems):
                if not paper.date:
                    what = "left out: it does not say which day's list it was on"
                    self.problems.append(Problem(where=paper.id, what=what))
                    continue
                self._add(paper)
                total += 1
                yield total

    def _add(self, paper: Paper) -> None:
        file = self._folder / f"{paper.date}.jsonl"
        try:
            with file.open("ab") as out:
                out.write(msgspec.json.encode(paper) + b"\n")
        except OSError as error:
            raise cannot_write(file, error) from error
        self._count[paper.date] = self._count.get(paper.date, 0) + 1

    def dates(self) -> list[str]:
        """The days, oldest first."""
        return sorted(self._count)

    def days(self, source: str) -> Iterator[Day]:
        """One day after the other, oldest first; a paper that is on a day's list twice counts once."""
        decoder = msgspec.json.Decoder(Paper)
        for date in self.dates():
            file = self._folder / f"{date}.jsonl"
            papers: dict[str, Paper] = {}
            for paper in map(decoder.decode, file.read_bytes().splitlines()):
                papers.setdefault(paper.id, paper)
            yield Day(date=date, taken="", source=source, papers=tuple(papers.values()))


def _clear(cache: Path) -> None:
    """Remove the folders of processes that were killed: nobody holds their lock."""
    for left in cache.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def papers_of_day(day: Day, date: str) -> Day:
    """The part of a list that is of this day; papers that name no day belong to any.

    Raises:
        BadInput: if all of its papers are of other days.
    """
    papers = tuple(paper for paper in day.papers if paper.date in ("", date))
    if day.papers and not papers:
        dates = sorted({paper.date for paper in day.papers})
        span = dates[0] if len(dates) == 1 else f"{len(dates)} days from {dates[0]} to {dates[-1]}"
        raise BadInput(
            f"{day.source} has no paper of {date}: it holds {span}",
            hint=f"for example `presscheck edition {dates[-1]} --papers …`, or `all` for every day",
        )
    return msgspec.structs.replace(day, date=date, papers=papers)

"""What a reader has read and starred: one file of the library, each mark with its paper's text.

A mark keeps the paper as it was known when it was marked, so that what I like does
not depend on a list of that day still being at hand. ``reading.json`` in the
library's folder is the whole of it; merging two is joining their marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.days import stamp, utc_now
from presscheck.papers.whole import write_whole
from presscheck.types import SCHEMA, Paper, Problem, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presscheck.papers.library import Library

NAME = "reading.json"
MOST = 100_000
"""Marks of one library; more is no list of what a person has read."""

State = Literal["read", "starred"]


class Mark(Struct, frozen=True, kw_only=True):
    """One paper that was marked."""

    paper: Paper
    """With its title and abstract where they were known; an id alone has an empty title."""
    state: State = "read"
    at: str
    """When it was marked, or when it was added to the collection that it was imported from."""
    source: str = ""
    """The file it was imported from; empty for one that was marked by hand."""


class _File(Struct, frozen=True, kw_only=True):
    schema: int = SCHEMA
    marks: tuple[Mark, ...] = ()


class Reading:
    """The marks of a library.

    Args:
        library: where ``reading.json`` is.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.path = library.home / NAME

    def marks(self) -> list[Mark]:
        """All marks, newest first.

        Raises:
            BadInput: if the file is there and cannot be read; it is never taken as empty.
        """
        return sorted(_read(self.path).values(), key=lambda mark: (mark.at, mark.paper.id), reverse=True)

    def add(self, marks: Iterable[Mark]) -> tuple[int, int]:
        """Add marks; one that is there already keeps its time, and a star is never lost by it.

        Returns:
            How many are new, and how many were there.

        Raises:
            BadInput: if the file cannot be read or written.
        """
        new = old = 0
        with self._changed() as held:
            for mark in marks:
                before = held.get(mark.paper.id)
                held[mark.paper.id] = mark if before is None else _joined(before, mark)
                new, old = new + (before is None), old + (before is not None)
            if len(held) > MOST:
                raise BadInput(f"{len(held):,} marks: a library holds {MOST:,} at most")
        return new, old

    def remove(self, ids: Sequence[str]) -> list[str]:
        """Take marks away.

        Returns:
            The ids that had none.
        """
        with self._changed() as held:
            return [one for one in ids if held.pop(one, None) is None]

    def complete(self, find: Callable[[Sequence[str]], dict[str, Paper]]) -> list[Mark]:
        """Look up the papers of marks that are an id alone, and keep what was found.

        Args:
            find: ids → the papers that are at hand.

        Returns:
            All marks, newest first.
        """
        bare = [mark.paper.id for mark in self.marks() if not mark.paper.title]
        found = find(bare) if bare else {}
        if found:
            with self._changed() as held:
                for one, paper in found.items():
                    if one in held:
                        held[one] = msgspec.structs.replace(held[one], paper=paper)
        return self.marks()

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Mark]]:
        """The marks by id, written back if nothing goes wrong, one process at a time."""
        with self._library.lock("reading"):
            held = _read(self.path)
            before = dict(held)
            yield held
            if held != before:
                data = msgspec.json.encode(_File(marks=tuple(held.values())))
                write_whole(self.path, msgspec.json.format(data, indent=1) + b"\n")


def mark_of(paper: Paper, *, star: bool, at: str = "", source: str = "") -> Mark:
    """A mark made now, unless a time is given.

    Args:
        paper: what is marked; what changes from day to day (votes, the list's day) is left out.
        star: starred, or only read.
        at: when; empty for now.
        source: the file that it comes from.
    """
    still = msgspec.structs.replace(paper, votes=None, votes_at="", related=())
    return Mark(paper=still, state="starred" if star else "read", at=at or stamp(utc_now()), source=source)


def _joined(before: Mark, after: Mark) -> Mark:
    """A paper marked twice: the first time counts, the star and the longer text win."""
    richer = before.paper if len(before.paper.abstract) >= len(after.paper.abstract) else after.paper
    if not richer.title:
        richer = before.paper if before.paper.title else after.paper
    starred = "starred" in (before.state, after.state)
    return msgspec.structs.replace(before, paper=richer, state="starred" if starred else "read")


def _read(path: Path) -> dict[str, Mark]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            f"{path} cannot be read: {error}", hint="put it right or move it away: it is not overwritten"
        ) from None
    if file.schema != SCHEMA:
        raise BadInput(f"{path} is of schema {file.schema}: this presscheck reads {SCHEMA}")
    return {mark.paper.id: mark for mark in file.marks}


class Imported(Struct, frozen=True, kw_only=True):
    """What a file names: papers with their text, and ids that have to be looked up."""

    marks: tuple[Mark, ...] = ()
    ids: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_import(path: str, *, star: bool) -> Imported:
    """The papers of a BibTeX, RIS, CSL JSON or Zotero CSV file, of any file of papers, or of a list of ids.

    Args:
        path: the file, or ``-`` for standard input.
        star: whether they count as starred.

    Raises:
        BadInput: if it cannot be read or is of no known kind.
    """
    from presscheck.papers.decode import decode_text
    from presscheck.papers.exports import read_export
    from presscheck.papers.files import IdList, read_bytes
    from presscheck.papers.rows import Source

    with Source(path) as source:
        data, name = source.all(), source.name
    short = Path(name).name or name
    problems: list[Problem] = []
    items = read_export(decode_text(data, name), name, problems)
    if items is not None:
        marks = (mark_of(item.paper, star=star, at=item.added, source=short) for item in items)
        return Imported(marks=tuple(marks), problems=tuple(problems))
    found = read_bytes(data, name)
    if isinstance(found, IdList):
        return Imported(ids=tuple(one.id for one in found.ids), problems=found.problems)
    papers = tuple(mark_of(paper, star=star, source=short) for paper in found.papers)
    return Imported(marks=papers, problems=found.problems)

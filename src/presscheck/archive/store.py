"""The archive's papers: one SQLite file, written in transactions, that everything else is made from.

``archive/papers.db`` of the library is the truth: papers (each once), the days on
whose lists they were, their votes as a time series, and what editions say about
them. Indexes lie beside it and can be deleted at any time. Each change of a paper
gets the next number of one counter, so an index knows what it has not seen.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from presscheck.archive.database import connect, told, transaction
from presscheck.archive.merge import keys_of, merged, same
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.types import ARXIV_ID, Edition, Paper, Struct

BATCH = 500
"""Papers a transaction: what a killed process can lose of its own work."""
SCHEMA = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS papers (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    change INTEGER NOT NULL, paper BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS papers_change ON papers (change);
CREATE TABLE IF NOT EXISTS gone (n INTEGER PRIMARY KEY, change INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (key, n)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_n ON keys (n);
CREATE TABLE IF NOT EXISTS days (date TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (date, n)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS days_n ON days (n);
CREATE TABLE IF NOT EXISTS votes (
    n INTEGER NOT NULL, at TEXT NOT NULL, votes INTEGER NOT NULL, PRIMARY KEY (n, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    n INTEGER NOT NULL, language TEXT NOT NULL, style TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (n, language, style)) WITHOUT ROWID;
"""


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the papers that were added."""

    new: int = 0
    changed: int = 0
    """Held before; now with more or newer text, votes or days."""
    unchanged: int = 0

    @property
    def total(self) -> int:
        """All papers that were given."""
        return self.new + self.changed + self.unchanged

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            new=self.new + other.new,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


class Row(NamedTuple):
    """A paper with its number in the archive and the counter's value of its last change."""

    n: int
    change: int
    paper: Paper


class Archive:
    """The papers of a library.

    Several processes and threads may use one archive at once: readers never wait,
    writers wait for each other, and what was added before a crash is there after it.

    Args:
        library: whose ``archive`` folder it is; nothing is written until something is added.

    Example:
        >>> archive = Archive(Library())
        >>> archive.add(papers)                    # doctest: +SKIP
        Counts(new=2, changed=0, unchanged=0)
        >>> for paper in archive: ...              # doctest: +SKIP
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.folder = library.home / "archive"
        self.path = self.folder / "papers.db"
        self._local = threading.local()

    def add(self, papers: Iterable[Paper], *, date: str = "") -> Counts:
        """Add papers; one that is held already is brought up to date.

        Written in transactions of 500 papers, so adding the same again after a crash
        goes on where it stopped.

        Args:
            papers: with id and title; others may be empty.
            date: the day of the list, for papers that name none.

        Returns:
            How many were new, changed and unchanged.

        Raises:
            BadInput: if the disk is full, the archive damaged, or another writer does not end.
        """
        counts = Counts()
        for batch in self.adding(papers, date=date):
            counts += batch
        return counts

    def adding(self, papers: Iterable[Paper], *, date: str = "") -> Iterator[Counts]:
        """Like ``add``, with the counts of each transaction as it is done, for a progress bar."""
        waiting = iter(papers)
        while batch := list(islice(waiting, BATCH)):
            tally = {"new": 0, "changed": 0, "unchanged": 0}
            with transaction(self._write(), self.path):
                for paper in batch:
                    if date and not paper.date:
                        paper = msgspec.structs.replace(paper, date=date)
                    tally[self._add(paper)] += 1
            yield Counts(**tally)

    def add_edition(self, edition: Edition) -> Counts:
        """Add an edition: its papers, and the text of its entries, so that words of them are found.

        Raises:
            BadInput: as ``add``.
        """
        counts = self.add(edition.papers, date=edition.date)
        database = self._write()
        with transaction(database, self.path):
            for entry in edition.entries:
                told = [s.statements for s in entry.sections if s.key != "fields"]
                text = "\n".join(statement.text for statements in told for statement in statements)
                held = self._numbers([entry.paper]).get(entry.paper)
                if held is None or not text:
                    continue
                key = (held, entry.language, entry.style)
                query = "SELECT text FROM entries WHERE n = ? AND language = ? AND style = ?"
                if database.execute(query, key).fetchone() == (text,):
                    continue
                database.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (*key, text))
                database.execute("UPDATE papers SET change = ? WHERE n = ?", (self._tick(), held))
        return counts

    def papers(self, ids: Sequence[str]) -> list[Paper]:
        """The papers of these ids, in this order; ids that the archive does not hold are left out.

        Args:
            ids: arXiv ids without version, ``doi:…`` or ``key:…``; also ids that a paper had
                before it was found to be another's.
        """
        numbers = self._numbers(ids)
        held = self.by_number(numbers.values())
        return [held[numbers[one]] for one in ids if one in numbers and numbers[one] in held]

    def __contains__(self, paper: object) -> bool:
        return isinstance(paper, str) and bool(self._numbers([paper]))

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM papers") or 0)

    def __iter__(self) -> Iterator[Paper]:
        """All papers, in the order in which they were added."""
        for row in self.rows():
            yield row.paper

    def days(self) -> dict[str, int]:
        """How many papers were on the list of each day, oldest day first."""
        return dict(self._all("SELECT date, count(*) FROM days GROUP BY date ORDER BY date"))

    def of_day(self, date: str) -> list[Paper]:
        """The papers that were on the list of a day, in the order in which they were added."""
        query = "SELECT paper FROM papers JOIN days USING (n) WHERE date = ? ORDER BY n"
        return [_decode(blob) for (blob,) in self._all(query, date)]

    def dates(self, paper: str) -> list[str]:
        """The days on whose lists a paper was, oldest first."""
        n = self._numbers([paper]).get(paper, -1)
        return [date for (date,) in self._all("SELECT date FROM days WHERE n = ? ORDER BY date", n)]

    def votes(self, paper: str) -> list[tuple[str, int]]:
        """How many votes a paper had at which time, oldest first; no time ("") where none was given."""
        n = self._numbers([paper]).get(paper, -1)
        return list(self._all("SELECT at, votes FROM votes WHERE n = ? ORDER BY at", n))

    # What indexes are made from ---------------------------------------------------------------

    def identity(self) -> str:
        """What this archive is called, whatever is added to it; an index of another one is of no use."""
        return str(self._one("SELECT value FROM facts WHERE name = 'identity'") or "")

    def change(self) -> int:
        """The counter: how many changes there were."""
        return int(self._one("SELECT value FROM facts WHERE name = 'change'") or 0)

    def rows(self, after: int = -1) -> Iterator[Row]:
        """The papers that changed after the counter had this value, with their numbers."""
        last = 0
        while True:
            query = "SELECT n, change, paper FROM papers WHERE n > ? AND change > ? ORDER BY n LIMIT 1000"
            found = self._all(query, last, after)
            for n, change, blob in found:
                yield Row(n, change, _decode(blob))
            if not found:
                return
            last = found[-1][0]

    def gone(self, after: int = -1) -> list[int]:
        """The numbers of papers that were found to be another one after the counter had this value."""
        return [n for (n,) in self._all("SELECT n FROM gone WHERE change > ?", after)]

    def by_number(self, numbers: Collection[int]) -> dict[int, Paper]:
        """Papers by their numbers; those that are gone are left out."""
        found: dict[int, Paper] = {}
        waiting = iter(set(numbers))
        while some := list(islice(waiting, 500)):
            query = f"SELECT n, paper FROM papers WHERE n IN ({','.join('?' * len(some))})"
            found.update((n, _decode(blob)) for n, blob in self._all(query, *some))
        return found

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        """The numbers of papers by their ids; ids that are not held are left out."""
        return self._numbers(ids)

    def entries(self, after: int = -1) -> dict[int, dict[str, str]]:
        """What editions say, by number and language, of papers that changed after this."""
        found: dict[int, dict[str, str]] = {}
        query = (
            "SELECT n, language, text FROM entries JOIN papers USING (n) WHERE change > ? "
            "ORDER BY n, language, style"
        )
        for n, language, text in self._all(query, after):
            held = found.setdefault(n, {})
            held[language] = f"{held[language]}\n{text}" if language in held else text
        return found

    def close(self) -> None:
        """Close this thread's connection; the archive can be used again."""
        if database := getattr(self._local, "database", None):
            database.close()
            self._local.database = None

    # Inside -----------------------------------------------------------------------------------

    def _add(self, paper: Paper) -> str:
        """Add one paper inside a transaction; returns what it was: new, changed or unchanged."""
        if not paper.id or not paper.title:
            what = "a title" if paper.id else "an id"
            raise BadInput(f"a paper without {what} cannot be kept: {paper.id!r}")
        database = self._write()
        twins = self._twins(paper)
        state = "changed"
        if not twins:
            cursor = database.execute(
                "INSERT INTO papers (id, change, paper) VALUES (?, ?, ?)",
                (paper.id, self._tick(), msgspec.json.encode(paper)),
            )
            n, state = int(cursor.lastrowid or 0), "new"
        else:
            (n, held), *others = sorted(twins.items())
            whole = held
            for other, twin in others:
                whole = merged(whole, twin)
                self._move(other, n)
            whole = merged(whole, paper)
            if whole == held and not self._more(n, paper):
                return "unchanged"
            database.execute(
                "UPDATE papers SET id = ?, change = ?, paper = ? WHERE n = ?",
                (whole.id, self._tick(), msgspec.json.encode(whole), n),
            )
            database.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", [(k, n) for k in keys_of(whole)])
        database.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", [(k, n) for k in keys_of(paper)])
        if paper.date:
            database.execute("INSERT OR IGNORE INTO days VALUES (?, ?)", (paper.date, n))
        if paper.votes is not None:
            database.execute(
                "INSERT INTO votes VALUES (?, ?, ?) "
                "ON CONFLICT (n, at) DO UPDATE SET votes = max(votes, excluded.votes)",
                (n, paper.votes_at, paper.votes),
            )
        return state

    def _twins(self, paper: Paper) -> dict[int, Paper]:
        """The held records that are this paper, by number."""
        found: dict[int, Paper] = {}
        for key in keys_of(paper):
            query = "SELECT n, paper FROM papers JOIN keys USING (n) WHERE key = ?"
            for n, blob in self._write().execute(query, (key,)).fetchall():
                if n not in found and same(held := _decode(blob), paper):
                    found[n] = held
        # Two records of different papers can each resemble a third; then the stronger key decides.
        arxiv = {held.arxiv for held in found.values() if held.arxiv}
        if len(arxiv) > 1:
            first = next(iter(found))
            return {first: found[first]}
        return found

    def _more(self, n: int, paper: Paper) -> bool:
        """Whether a paper that says nothing new brings a day or a count of votes."""
        database = self._write()
        new_day = (
            paper.date
            and not database.execute(
                "SELECT 1 FROM days WHERE n = ? AND date = ?", (n, paper.date)
            ).fetchone()
        )
        new_votes = (
            paper.votes is not None
            and not database.execute(
                "SELECT 1 FROM votes WHERE n = ? AND at = ? AND votes >= ?", (n, paper.votes_at, paper.votes)
            ).fetchone()
        )
        return bool(new_day or new_votes)

    def _move(self, old: int, new: int) -> None:
        """Give what belongs to one record to another that is the same paper."""
        database = self._write()
        for table in ("keys", "days", "votes", "entries"):
            database.execute(f"UPDATE OR IGNORE {table} SET n = ? WHERE n = ?", (new, old))
            database.execute(f"DELETE FROM {table} WHERE n = ?", (old,))
        database.execute("DELETE FROM papers WHERE n = ?", (old,))
        database.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (old, self._tick()))

    def _tick(self) -> int:
        """The next value of the counter."""
        query = "UPDATE facts SET value = value + 1 WHERE name = 'change' RETURNING value"
        return int(self._write().execute(query).fetchone()[0])

    def _numbers(self, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in dict.fromkeys(ids):
            bare = one.split("v")[0] if ARXIV_ID.fullmatch(one.split("v")[0]) else one
            n = self._one("SELECT n FROM papers WHERE id = ?", bare)
            if n is None and not bare.startswith("title:"):
                n = self._one("SELECT min(n) FROM keys WHERE key = ?", bare)
            if n is not None:
                found[one] = n
        return found

    def _one(self, query: str, *values: object) -> int | None:
        rows = self._all(query, *values)
        return rows[0][0] if rows else None

    def _all(self, query: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        """The rows of a query; none where there is no archive yet."""
        database = self._open(write=False)
        if database is None:
            return []
        with told(self.path):
            return database.execute(query, values).fetchall()

    def _write(self) -> sqlite3.Connection:
        database = self._open(write=True)
        if database is None:
            raise BadInput(f"cannot open {self.path}")
        return database

    def _open(self, *, write: bool) -> sqlite3.Connection | None:
        """This thread's connection; a reader makes no file."""
        held: sqlite3.Connection | None = getattr(self._local, "database", None)
        if held is not None:
            return held
        if not write and not self.path.exists():
            return None
        database = connect(self.path)
        try:
            _prepare(database, self.path)
        except BaseException:
            database.close()
            raise
        self._local.database = database
        return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables where they are missing.

    Raises:
        BadInput: if the archive is of a newer presscheck.
    """
    with told(path):
        version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA:
        return
    if version > SCHEMA:
        raise BadInput(f"{path} is of schema {version}: this presscheck reads up to {SCHEMA}")
    with transaction(database, path):
        for statement in _TABLES.split(";"):
            database.execute(statement)
        name = secrets.token_hex(8)
        database.execute("INSERT OR IGNORE INTO facts VALUES ('identity', ?)", (name,))
        database.execute("INSERT OR IGNORE INTO facts VALUES ('change', 0)")
        database.execute(f"PRAGMA user_version = {SCHEMA}")


def _decode(blob: bytes) -> Paper:
    return _DECODER.decode(blob)


_DECODER = msgspec.json.Decoder(Paper)

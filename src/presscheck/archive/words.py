"""The index of words: SQLite's FTS5 over titles, abstracts and what editions say, made from the archive.

It holds nothing of its own: where it is missing, broken, of another archive or
another version it is made anew, and where the archive has changed since, only the
papers that changed are taken in again.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from presscheck.archive.database import Damaged, connect, told, transaction
from presscheck.archive.korean import HANGUL, segmented, tokenizer
from presscheck.archive.store import Archive
from presscheck.papers.whole import cannot_write
from presscheck.types import Paper

VERSION = 1
BATCH = 500
MOST_TERMS = 40
"""Words of a query that are looked up; a query of 10 kB is somebody's paste."""
MOST_COUNTS = 20_000
"""Words of which it is remembered how many papers have them."""
COMMON = 0.1
"""Share of the papers from which on a word only helps to rank what rarer words have found."""
WEIGHTS = (2.5, 1.0, 0.6)
"""Of a word in the title, in the abstract, and in what an edition says."""

_TOKEN = re.compile(r"[^\W_]+")
_STOP = frozenset(
    "a an and are as at be by for from how in into is it its of on or our that the their this to using via "
    "we what which with".split()
)
_RANKED = f"SELECT rowid, bm25(words, {', '.join(map(str, WEIGHTS))}) AS score FROM words WHERE words MATCH ?"
_TABLES = """
CREATE TABLE made (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE facts (n INTEGER PRIMARY KEY, id TEXT NOT NULL, date TEXT NOT NULL, fields TEXT NOT NULL,
    languages TEXT NOT NULL, system INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(
    title, abstract, said, tokenize = "porter unicode61 remove_diacritics 2")
"""


class Facts(NamedTuple):
    """What papers are filtered by."""

    id: str
    date: str
    fields: tuple[str, ...]
    """English names."""
    languages: tuple[str, ...]
    """Languages that something of it is there in: its own text, or an edition's."""
    system: bool
    """Whether it names a runnable system."""


class WordIndex:
    """Words of an archive's papers.

    Args:
        archive: what it is made from.
        path: its file; by default in the archive's folder.
    """

    def __init__(self, archive: Archive, path: Path | None = None) -> None:
        self._archive = archive
        self.path = path if path is not None else archive.folder / "words.db"
        self._how = tokenizer()
        self._local = threading.local()
        self._counts: dict[str, int] = {}
        self._counted: object = None
        """The archive's counter when words were counted."""
        self._papers = 0
        self.rebuilt = ""
        """Why the index was made anew in this process; empty if it was not."""

    def update(self) -> Iterator[int]:
        """Take in what changed in the archive since the last time.

        Yields:
            How many papers were taken in so far, after each transaction.

        Raises:
            BadInput: if it cannot be written.
        """
        with self._archive.library.lock("archive-words"):
            try:
                yield from self._update()
            except (Damaged, sqlite3.DatabaseError) as error:
                self.drop(f"{self.path.name} was damaged ({error})")
                yield from self._update()

    def drop(self, why: str) -> None:
        """Remove the index, so that the next update makes it anew."""
        self.rebuilt = why
        self.close()
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                try:
                    self.path.with_name(self.path.name + end).unlink()
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise cannot_write(self.path, error) from error

    def search(
        self, terms: Sequence[str], limit: int, among: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The papers that have any of these words, by bm25.

        Words that more than ``COMMON`` of the papers have are looked up alone where the others
        find too few; else they count in the scores of what the others have found.

        Args:
            terms: words or phrases; every mark in them is a space.
            limit: how many at most.
            among: numbers of the papers to look at; None for all.

        Returns:
            Number and score of each, the best first; scores are above 0.
        """
        phrases = [" ".join(found) for term in terms if (found := _TOKEN.findall(term))]
        if not phrases or limit < 1:
            return []
        phrases = list(dict.fromkeys(phrases[:MOST_TERMS]))
        try:
            rows = self._ranked(phrases, limit, among)
        except (Damaged, sqlite3.DatabaseError) as error:
            # A broken page shows only when it is read.
            self.drop(f"{self.path.name} was damaged ({error})")
            for _ in self.update():
                pass
            rows = self._ranked(phrases, limit, among)
        return [(int(n), -float(score)) for n, score in rows]

    def _ranked(
        self, phrases: list[str], limit: int, among: Collection[int] | None
    ) -> list[tuple[int, float]]:
        """Numbers and bm25 scores as SQLite has them, below 0, the best first."""
        with told(self.path):
            database = self._open()
            if among is not None:
                rows = database.execute(f"{_RANKED} ORDER BY score", (_any_of(phrases),)).fetchall()
                return [row for row in rows if row[0] in among][:limit]
            # The score of every paper that has a common word would be most of the time.
            if rarer := self._rarer(database, phrases):
                found = database.execute(f"{_RANKED} ORDER BY score LIMIT ?", (_any_of(rarer), limit))
                numbers = [int(row[0]) for row in found]
                if len(numbers) == limit:
                    # The plus keeps SQLite from looking each number up by a search of its own.
                    of_these = f"{_RANKED} AND +rowid IN ({', '.join(map(str, numbers))}) ORDER BY score"
                    return database.execute(of_these, (_any_of(phrases),)).fetchall()
            every = database.execute(f"{_RANKED} ORDER BY score LIMIT ?", (_any_of(phrases), limit))
            return every.fetchall()

    def _rarer(self, database: sqlite3.Connection, phrases: list[str]) -> list[str]:
        """Those that are not common; none where all are of one kind."""
        change = database.execute("SELECT value FROM made WHERE name = 'change'").fetchone()[0]
        if self._counted != change:
            self._counted, self._counts = change, {}
            self._papers = int(database.execute("SELECT count(*) FROM facts").fetchone()[0])
        counts = self._counts
        if len(counts) > MOST_COUNTS:
            counts.clear()
        for phrase in phrases:
            if phrase not in counts:
                asked = "SELECT count(*) FROM words WHERE words MATCH ?"
                counts[phrase] = int(database.execute(asked, (_any_of([phrase]),)).fetchone()[0])
        rarer = [phrase for phrase in phrases if counts.get(phrase, 0) <= COMMON * self._papers]
        return rarer if len(rarer) < len(phrases) else []

    def terms(self, query: str) -> list[str]:
        """The words of a query as the index has them, without those that say nothing."""
        words = _TOKEN.findall(segmented(query, self._how))
        telling = [word for word in words if word.lower() not in _STOP]
        return list(dict.fromkeys(telling or words))[:MOST_TERMS]

    def facts(self) -> dict[int, Facts]:
        """What papers are filtered by, by number."""
        with told(self.path):
            rows = self._open().execute("SELECT * FROM facts ORDER BY n").fetchall()
        return {
            n: Facts(id, date, tuple(filter(None, fields.split("|"))), tuple(languages.split()), bool(system))
            for n, id, date, fields, languages, system in rows
        }

    def seen(self) -> int:
        """The archive's counter when the last update ended; -1 if there was none."""
        if not self.path.exists():
            return -1
        try:
            return int(self._made().get("change", -1))
        except (Damaged, sqlite3.DatabaseError):
            return -1

    def close(self) -> None:
        """Close this thread's connection."""
        if database := getattr(self._local, "database", None):
            database.close()
            self._local.database = None

    def _update(self) -> Iterator[int]:
        made = self._made()
        fits = {"version": VERSION, "archive": self._archive.identity(), "how": self._how}
        if made and {name: made.get(name) for name in fits} != fits:
            self.drop("it was made by another version, or of another archive")
            made = {}
        if not made:
            self._create(fits)
        after, target = int(self._made()["change"]), self._archive.change()
        if after > target:
            self.drop("the archive is older than it")
            self._create(fits)
            after = -1
        if after == target:
            return
        database = self._open()
        gone = self._archive.gone(after)
        said = self._archive.entries(after)
        done = 0
        # Papers come by number and the counter is set at the end: what a killed run took in is
        # taken in again, which changes nothing.
        batch: list[tuple[int, Paper]] = []
        for row in self._archive.rows(after):
            batch.append((row.n, row.paper))
            if len(batch) == BATCH:
                self._take(database, batch, said)
                done += len(batch)
                batch = []
                yield done
        with transaction(database, self.path):
            self._put(database, batch, said)
            for n in gone:
                database.execute("DELETE FROM facts WHERE n = ?", (n,))
                database.execute("DELETE FROM words WHERE rowid = ?", (n,))
            database.execute("UPDATE made SET value = ? WHERE name = 'change'", (target,))
        yield done + len(batch)

    def _take(
        self, database: sqlite3.Connection, batch: list[tuple[int, Paper]], said: dict[int, dict[str, str]]
    ) -> None:
        with transaction(database, self.path):
            self._put(database, batch, said)

    def _put(
        self, database: sqlite3.Connection, batch: list[tuple[int, Paper]], said: dict[int, dict[str, str]]
    ) -> None:
        from presscheck.digest.fields import fields

        for n, paper in batch:
            texts = said.get(n, {})
            names = "|".join(field.text for field in fields(paper, "en"))
            own = "ko" if _is_korean(f"{paper.title} {paper.abstract}") else "en"
            spoken = " ".join(dict.fromkeys([own, *texts]))
            database.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)",
                (n, paper.id, paper.date or paper.published[:10], names, spoken, bool(paper.system)),
            )
            database.execute("DELETE FROM words WHERE rowid = ?", (n,))
            columns = (paper.title, paper.abstract, "\n".join(texts.values()))
            database.execute(
                "INSERT INTO words (rowid, title, abstract, said) VALUES (?, ?, ?, ?)",
                (n, *(segmented(text, self._how) for text in columns)),
            )

    def _create(self, fits: dict[str, object]) -> None:
        database = self._open()
        with transaction(database, self.path):
            for statement in _TABLES.strip().split(";"):
                database.execute(statement)
            database.executemany("INSERT INTO made VALUES (?, ?)", [*fits.items(), ("change", -1)])

    def _made(self) -> dict[str, Any]:
        """What the index says about itself; empty if it was just made."""
        with told(self.path):
            database = self._open()
            known = database.execute("SELECT name FROM sqlite_master WHERE name = 'made'").fetchone()
            return dict(database.execute("SELECT name, value FROM made").fetchall()) if known else {}

    def _open(self) -> sqlite3.Connection:
        held: sqlite3.Connection | None = getattr(self._local, "database", None)
        if held is None:
            held = self._local.database = connect(self.path)
        return held


def _any_of(phrases: Sequence[str]) -> str:
    """A query of FTS5; in quotes nothing is an operator, and tokens hold no quotes."""
    return " OR ".join(f'"{phrase}"' for phrase in phrases)


def _is_korean(text: str) -> bool:
    """Whether more of the letters are Hangul than a name or two would make."""
    hangul = sum(len(match[0]) for match in HANGUL.finditer(text))
    return hangul * 5 > sum(character.isalpha() for character in text)

"""SQLite files of the archive: opened for two writers at once, and their errors in plain words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from presscheck.errors import BadInput
from presscheck.papers.whole import make_folder

PATIENCE = 60.0
"""Seconds to wait for another writer: its longest transaction takes under one."""


class Damaged(BadInput):
    """A file that SQLite cannot read as its own."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a database that readers and one writer use at the same time.

    Raises:
        Damaged: if the file is none, or a broken one.
        BadInput: if it cannot be opened or written.
    """
    make_folder(path.parent)
    with told(path):
        database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            # With a log beside it, readers never wait, and what was committed outlives a killed process.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            database.close()
            raise
    return database


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All of it or none; other writers wait until it is over.

    Raises:
        BadInput: if it could not be written; then nothing of it was.
    """
    with told(path):
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into what a user can act on.

    Raises:
        Damaged: if the file is broken.
        BadInput: for any other trouble with the file.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL"):
            raise BadInput(
                f"cannot write {path}: the disk is full; what was added before is kept",
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        if name.startswith("SQLITE_IOERR"):
            raise BadInput(
                f"cannot write {path}: the disk is full or does not answer ({name}); "
                "what was added before is kept",
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise BadInput(
                f"another presscheck has been writing {path} for {PATIENCE:.0f} s",
                hint="run the same command again when it is done",
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise BadInput(
                f"cannot write {path}: it may not be written", hint="choose another library (PRESSCHECK_HOME)"
            ) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Damaged(
                f"{path} is damaged: {error}",
                hint="move it away, then `presscheck archive rebuild --snapshots` fills a new one",
            ) from error
        raise

"""JSON Lines as papers, one line at a time, from plain or gzipped files of any length."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from presscheck.errors import BadInput
from presscheck.papers.decode import decode_json, decode_text
from presscheck.papers.entries import duplicate, read_entry
from presscheck.types import Paper, Problem

HEAD = 65536
LARGEST = 256 * 2**20
"""Bytes of a file that has to be read whole, unpacked."""
LONGEST = 8 * 2**20
"""Bytes of one line: the longest of the archive has a quarter of a million."""


class _Rest(RawIOBase):
    """A stream with the bytes put back that were read from it."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)]
        self._start = self._start[len(buffer) :]
        data = data or self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Source:
    """A file, standard input (``-``) or bytes in memory, unpacked; use it as a context manager.

    Args:
        path: the file, or the name for messages where ``stream`` is given.
        stream: read this instead.

    Raises:
        BadInput: if it cannot be opened.
    """

    def __init__(self, path: Path | str, stream: IO[bytes] | None = None) -> None:
        self.name = "standard input" if str(path) == "-" and stream is None else str(path)
        self._opened: IO[bytes] | None = None
        if stream is None and str(path) != "-":
            stream = self._opened = self._open(Path(path))
        raw = stream if stream is not None else sys.stdin.buffer
        try:
            start = raw.read(2)
        except OSError as error:
            raise self._unreadable(error) from error
        whole: IO[bytes] = BufferedReader(_Rest(start, raw), HEAD)
        if start == b"\x1f\x8b":
            whole = cast("IO[bytes]", gzip.GzipFile(fileobj=whole))
        self._stream = whole
        self._head: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    def head(self) -> bytes:
        """The first ``HEAD`` bytes, without taking them."""
        if self._head is None:
            try:
                self._head = self._stream.read(HEAD)
            except (OSError, EOFError, zlib.error) as error:
                raise self._unreadable(error) from error
            self._stream = BufferedReader(_Rest(self._head, self._stream), HEAD)
        return self._head

    def all(self) -> bytes:
        """Everything.

        Raises:
            BadInput: if it is cut, broken, or more than ``LARGEST``.
        """
        try:
            data = self._stream.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error
        if len(data) > LARGEST:
            raise BadInput(
                f"{self.name} has more than {LARGEST // 2**20} MB",
                hint="lists of that length are read as JSON Lines, one paper a line",
            )
        return data

    def lines(self) -> Iterator[bytes]:
        """Line by line.

        Raises:
            BadInput: if it is cut or broken, or a line is longer than ``LONGEST``.
        """
        number = 0
        while True:
            number += 1
            try:
                line = self._stream.readline(LONGEST + 1)
            except (OSError, EOFError, zlib.error) as error:
                raise self._unreadable(error, f" after line {number - 1}") from error
            if not line:
                return
            if len(line) > LONGEST:
                raise BadInput(f"{self.name}: line {number} has more than {LONGEST // 2**20} MB")
            yield line

    def _open(self, path: Path) -> IO[bytes]:
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise BadInput(f"there is no file {path}", hint="`-` reads standard input") from None
        except IsADirectoryError:
            raise BadInput(f"{path} is a folder, needed is a file") from None
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error

    def _unreadable(self, error: Exception, where: str = "") -> BadInput:
        if isinstance(error, EOFError):
            return BadInput(
                f"{self.name} is a gzip file that was cut{where}", hint="copy or download it again"
            )
        if isinstance(error, (gzip.BadGzipFile, zlib.error)):
            return BadInput(f"{self.name} is a broken gzip file{where}: {error}")
        return BadInput(f"cannot read {self.name}: {getattr(error, 'strerror', None) or error}")


def is_rows(head: bytes) -> bool:
    """Whether a file is JSON Lines: its first line is an object by itself, and no answer or snapshot."""
    line, newline, rest = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not line.startswith(b"{"):
        return False
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        # A first line longer than what was peeked at: a whole object on it still starts a row.
        return not newline and len(head) >= HEAD // 2 and b'"id"' in line[:4096]
    known = isinstance(first, dict) and "error" not in first and "pages" not in first
    return known and ("id" in first or "paper" in first or bool(rest.strip()))


def read_rows(
    source: Source, problems: list[Problem], wanted: Callable[[bytes], object] | None = None
) -> Iterator[Paper]:
    """The papers of a file of JSON Lines; a bad or repeated one becomes a problem.

    Args:
        source: the file.
        problems: what is wrong with single lines is added here.
        wanted: says of a raw line whether to read it at all; cleaning is what takes the time.

    Raises:
        BadInput: if the file is cut or broken, or no line of it is a paper.
    """
    seen: set[tuple[str, str]] = set()
    first: BadInput | None = None
    for number, line in enumerate(source.lines(), 1):
        place = f"{source.name}, line {number}"
        if not line.strip() or (wanted is not None and not wanted(line)):
            continue
        try:
            row = decode_json(decode_text(line, place), place)
            paper = read_entry(row, f"{place}: $", date="", votes_at="", problems=problems)
        except BadInput as error:
            first = first or error
            problems.append(Problem(where=place, what=error.message, kind="bad paper"))
            continue
        if (paper.date, paper.id) in seen:
            problems.append(duplicate(paper.id, place))
            continue
        seen.add((paper.date, paper.id))
        yield paper
    if first and not seen:
        raise BadInput(f"not a list of papers: {first.message}", hint=first.hint)

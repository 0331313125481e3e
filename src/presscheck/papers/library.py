"""The library: what was fetched and made, on disk, in one folder that can be moved.

``snapshots/huggingface/<day>/<time>.json`` are the lists as they were given; such a
file is created whole and never written again, so votes are a time series.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.days import DAY, parse_day, parse_time
from presscheck.papers.lock import file_lock
from presscheck.papers.snapshots import Snapshot, decode_snapshot, encode_snapshot
from presscheck.papers.whole import cannot_write, create_whole, make_folder
from presscheck.papers.whole import write_whole as write_whole
from presscheck.types import Day, Problem

SNAPSHOT = re.compile(r"([0-9]{8}T[0-9]{6}Z)(?:-([0-9]{1,4}))?\.json")
WAIT = 180.0
"""Seconds to wait for another process: longer than a fetch with all its retries."""


class Library:
    """The library's folder. Nothing is written until something is kept.

    Args:
        home: the folder; None takes ``PRESSCHECK_HOME``, else the system's place for user data.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = home if home is not None else default_home()

    @property
    def editions_folder(self) -> Path:
        """Where editions are written unless the user names a folder."""
        return self.home / "editions"

    @property
    def cache_folder(self) -> Path:
        """What can be deleted at any time."""
        return self.home / "cache"

    @property
    def snapshots_folder(self) -> Path:
        """One folder a day."""
        return self.home / "snapshots" / "huggingface"

    def keep(self, snapshot: Snapshot) -> Path:
        """Add a snapshot beside those that are there.

        Raises:
            BadInput: if it cannot be written.
        """
        folder = self.snapshots_folder / snapshot.date
        name = re.sub(r"[-:]", "", snapshot.taken)
        data = encode_snapshot(snapshot)
        for number in range(1, 10_000):
            path = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
            if create_whole(path, data):
                return path
        raise BadInput(f"{folder} has ten thousand snapshots of one second", hint="remove some of them")

    def snapshots(self, date: str) -> list[Path]:
        """The snapshot files of a day, oldest first."""
        folder = self.snapshots_folder / parse_day(date).isoformat()
        named = [(match, path) for path in _entries(folder) if (match := SNAPSHOT.fullmatch(path.name))]
        return [path for match, path in sorted(named, key=lambda pair: (pair[0][1], int(pair[0][2] or 1)))]

    def day(self, date: str) -> Day | None:
        """The newest list of a day that can be read; None if there is none.

        A broken snapshot is passed over, and the Day's problems say so.
        """
        # Here, since it brings all that cleans a text, and most who ask for a folder need none of it.
        from presscheck.papers.huggingface import day_of

        broken: list[Problem] = []
        for path in reversed(self.snapshots(date)):
            try:
                snapshot = decode_snapshot(_read(path), str(path))
                if snapshot.date != parse_day(date).isoformat():
                    raise BadInput(f"{path} is of {snapshot.date}: it lies in the folder of another day")
                day = day_of(snapshot)
            except BadInput as error:
                broken.append(Problem(where=str(path), what=f"passed over: {error.message}"))
                continue
            return msgspec.structs.replace(day, problems=(*broken, *day.problems))
        return None

    def days(self) -> list[str]:
        """The days that have a snapshot, oldest first."""
        found = [path.name for path in _entries(self.snapshots_folder) if DAY.fullmatch(path.name)]
        return sorted(name for name in found if _is_day(name) and self.snapshots(name))

    def votes(self, paper: str) -> list[tuple[str, int]]:
        """How many votes a paper had at which time, over all snapshots, oldest first."""
        from presscheck.papers.huggingface import day_of

        series: set[tuple[str, int]] = set()
        mark = paper.encode()
        for date in self.days():
            for path in self.snapshots(date):
                try:
                    data = _read(path)
                    if mark not in data:
                        continue
                    day = day_of(decode_snapshot(data, str(path)))
                except BadInput:
                    continue  # `day` tells of broken snapshots
                for one in day.papers:
                    if one.id == paper and one.votes is not None:
                        series.add((one.votes_at, one.votes))
        return sorted(series)

    @contextmanager
    def lock(self, name: str, wait: float = WAIT) -> Iterator[None]:
        """Be the only one to do something, over all processes that use this library.

        Args:
            name: what is done, such as ``day-2024-07-31``.
            wait: seconds to wait for another holder.

        Raises:
            BadInput: if another holder keeps it longer, or the library cannot be written.
        """
        folder = self.home / "locks"
        make_folder(folder)
        path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:100]}.lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(path, wait=wait, what=name))
            except OSError as error:
                raise cannot_write(path, error) from error
            yield


def default_home() -> Path:
    """``PRESSCHECK_HOME``, else the system's place for user data."""
    if home := os.environ.get("PRESSCHECK_HOME", "").strip():
        return Path(home).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("presscheck", appauthor=False)


def newest_first(days: list[str], most: int = 5) -> str:
    """The days of a library in a few words, for a hint."""
    if not days:
        return "the library holds no day yet"
    shown = ", ".join(reversed(days[-most:]))
    more = f" and {len(days) - most} more" if len(days) > most else ""
    return f"the library holds {shown}{more}"


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; one that is missing holds nothing."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BadInput(f"cannot read the library: {folder}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error


def _is_day(name: str) -> bool:
    try:
        parse_day(name)
    except BadInput:
        return False
    return parse_time(f"{name}T00:00:00Z") is not None

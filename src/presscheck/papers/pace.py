"""The rate limit: one lock and one clock a service, shared by threads and processes.

arXiv asks for one request every three seconds on one connection, over all of its
hosts together. The clock is the time at which the last answer ended, or its request
began if it has not, kept in a file where there is a cache folder, so that two
processes do not halve the interval.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from presscheck.errors import Unreachable
from presscheck.papers.lock import file_lock

PATIENCE = 120.0
"""Seconds to wait for another holder: longer than any one request may take."""

_locks: dict[str, threading.Lock] = {}
_clocks: dict[str, float] = {}
_guard = threading.Lock()


@contextmanager
def turn(service: str, interval: float, folder: Path | None) -> Iterator[None]:
    """Wait for one's turn at a service and keep it until the answer is read.

    Args:
        service: the name under which its hosts share a clock.
        interval: seconds from the end of one answer to the start of the next request.
        folder: where the clock is kept for other processes; None keeps it here only.
    """
    with _guard:
        lock = _locks.setdefault(service, threading.Lock())
    if not lock.acquire(timeout=PATIENCE):
        raise Unreachable(f"{service} is kept busy by another part of this program for {PATIENCE:.0f} s")
    with ExitStack() as stack:
        stack.callback(lock.release)
        clock = _shared_clock(stack, service, folder)
        last = _clocks.get(service, 0.0)
        if clock is not None:
            last = max(last, _read(clock))
        # A clock that was set back would else make everyone wait until it catches up.
        time.sleep(min(max(0.0, last + interval - time.time()), interval))
        _set(service, clock)
        try:
            yield
        finally:
            _set(service, clock)


def _set(service: str, clock: int | None) -> None:
    """Put the clock to now; where the disk is full it stays in memory."""
    _clocks[service] = time.time()
    if clock is not None:
        with suppress(OSError):
            os.pwrite(clock, f"{_clocks[service]:20.6f}".encode(), 0)


def _shared_clock(stack: ExitStack, service: str, folder: Path | None) -> int | None:
    """The clock file, locked; None where there can be none (a folder that cannot be written)."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = service.replace(":", "_").replace("/", "_") + ".pace"
        return stack.enter_context(file_lock(folder / name, wait=PATIENCE, what=service))
    except OSError:
        return None


def _read(clock: int) -> float:
    """The time in a clock file; a new or a broken one says never."""
    try:
        return float(os.pread(clock, 40, 0))
    except ValueError:
        return 0.0

"""One holder at a time of a named file, over threads and processes of one machine."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from presscheck.errors import BadInput

POLL = 0.05
"""Seconds between two looks; ``flock`` itself cannot wait for a bounded time."""


@contextmanager
def file_lock(path: Path, *, wait: float, what: str) -> Iterator[int]:
    """Hold an exclusive lock; the file stays, and the lock ends with its process.

    Args:
        path: the lock's file; its folder must exist.
        wait: seconds to wait for another holder.
        what: what the other holder is doing, for the message.

    Yields:
        The open file's descriptor.

    Raises:
        BadInput: if another holder keeps it for longer than ``wait``.
        OSError: if the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if time.monotonic() >= deadline:
                    raise BadInput(
                        f"another presscheck has been busy with {what} for {wait:.0f} s",
                        hint=f"try again when it is done; its lock is {path}",
                    ) from None
                time.sleep(POLL)
        yield descriptor
    finally:
        os.close(descriptor)

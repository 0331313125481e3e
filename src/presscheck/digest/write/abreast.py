"""Jobs side by side in threads that a stopped run need not wait for."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")

LEAVE = 3.0
"""Seconds that threads get to end by themselves. One that waits for a server's answer cannot
be woken; the threads of an executor would hold the process until that answer comes."""


def abreast(
    jobs: Sequence[J], work: Callable[[J], R], at_once: int, stop: threading.Event
) -> Generator[tuple[J, R], None, None]:
    """Do jobs in threads, so many at once.

    Args:
        jobs: In the order in which they are begun.
        work: Does one.
        at_once: Threads.
        stop: Set when the iteration ends, for whatever reason; no job is begun after it.

    Yields:
        Each job with its result, as they end.

    Raises:
        Exception: the first that a job raises.
    """
    waiting: queue.SimpleQueue[J] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    done: queue.SimpleQueue[tuple[J, R] | BaseException] = queue.SimpleQueue()

    def loop() -> None:
        while not stop.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((job, work(job)))
            except BaseException as error:  # it is raised where the results are taken
                done.put(error)
                return

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(at_once, len(jobs)))]
    try:
        for thread in threads:
            thread.start()
        for _ in jobs:
            one = _next(done)
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        stop.set()
        until = time.monotonic() + LEAVE
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _next(done: queue.SimpleQueue[tuple[J, R] | BaseException]) -> tuple[J, R] | BaseException:
    """The next result; a wait without end would not hear Ctrl-C."""
    while True:
        try:
            return done.get(timeout=0.5)
        except queue.Empty:
            continue

"""Days → published editions: one after the other or side by side, and again from where it stopped.

What is published is the state: a day whose edition in the folder was made from the
same inputs is not written again, so an interrupted build goes on with the next.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from presscheck.catalog import with_systems
from presscheck.edition.assemble import Writer, assemble, inputs_hash
from presscheck.edition.measured import made_from
from presscheck.errors import BadInput
from presscheck.types import Day, Edition, Language, Problem, Struct, Style

if TYPE_CHECKING:
    from presscheck.edition.against import Against

WINDOW = 128
"""Days that are spread at a time."""


class Order(Struct, frozen=True, kw_only=True):
    """How editions are wanted."""

    out: Path
    languages: tuple[Language, ...]
    styles: tuple[Style, ...]
    thumbnails: bool = False
    refresh: bool = False
    """Write anew even what is published from the same inputs."""
    against: Against | None = None
    """Digests of the day to set beside the edition."""
    writer: Writer | None = None
    """None for the extractive one."""


class Built(Struct, frozen=True, kw_only=True):
    """What became of one day."""

    date: str
    taken: str
    state: str
    papers: int
    written: int
    """Papers with a written entry in at least one language and style."""
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    again: bool = False
    """True if it was published before from the same inputs, and left as it is."""


class _Published(msgspec.Struct):
    """The one field of a published edition that says what it was made from."""

    inputs: str = ""


def published_inputs(out: Path, date: str) -> str:
    """The inputs of the edition of this day in the folder; empty if there is none that can be read."""
    try:
        return msgspec.json.decode((out / date / "edition.json").read_bytes(), type=_Published).inputs
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def build_edition(edition: Edition, order: Order) -> Built:
    """Check one edition and publish it, without the index and the feed.

    Raises:
        BadInput: if the folder cannot be written, or a digest does not fit beside the edition;
            nothing is left behind.
    """
    from presscheck.digest.check.annotate import annotate

    return _published(edition, order) or _publish(annotate(edition), order)


def _publish(edition: Edition, order: Order) -> Built:
    """Publish an edition that is checked."""
    from presscheck.edition.publish import publish_edition

    edition = msgspec.structs.replace(edition, inputs=made_from(edition.inputs, edition.papers))
    beside = order.against.beside(edition) if order.against else ()
    written = publish_edition(edition, order.out, thumbnails=order.thumbnails, against=beside)
    return _built(edition, tuple(written))


def _published(edition: Edition, order: Order) -> Built | None:
    """What the folder has of an edition, if it was made from the same inputs and measurements.

    A comparison is always made, since its digest may be new.
    """
    if order.refresh or order.against is not None or not edition.inputs:
        return None
    if published_inputs(order.out, edition.date) != made_from(edition.inputs, edition.papers):
        return None
    files = tuple(sorted(path for path in (order.out / edition.date).iterdir() if path.is_file()))
    return _built(edition, files, again=True)


def build_day(day: Day, order: Order) -> Built:
    """Write and publish one day, or leave what is there if it was made from the same inputs."""
    return _again(day, order) or build_edition(
        assemble(day, order.languages, order.styles, order.writer), order
    )


def _again(day: Day, order: Order) -> Built | None:
    """What there is of a day that is published from the same inputs; else None."""
    told = {name: getattr(day, name) for name in ("date", "taken", "state", "problems")}
    inputs = inputs_hash(day, order.languages, order.styles, order.writer)
    return _published(Edition(**told, papers=with_systems(day.papers), inputs=inputs), order)


class Spread(Protocol):
    """Runs a task over days on other processes or machines, as ``archive.spread.map_items`` does."""

    def __call__(
        self, days: Iterable[bytes], task: Callable[[Sequence[bytes]], list[bytes]]
    ) -> Iterator[bytes]:
        """The results in the order of the days, which are JSON as they come and go."""
        ...


def write_days(
    days: Sequence[bytes], languages: tuple[Language, ...], styles: tuple[Style, ...]
) -> list[bytes]:
    """Days as JSON → their editions by the extractive writer, checked, as JSON: a task to spread."""
    from presscheck.digest.check.annotate import annotate

    read = msgspec.json.Decoder(Day).decode
    return [msgspec.json.encode(annotate(assemble(read(day), languages, styles))) for day in days]


def build_spread(days: Iterable[Day], order: Order, spread: Spread) -> Generator[Built]:
    """Write many days elsewhere and publish them here, so that workers need no folder in common.

    Args:
        days: Read as they are needed.
        order: How they are wanted; without a model.
        spread: Runs the writing.

    Yields:
        What became of each day, in the order of ``days``.

    Raises:
        BadInput: if a model is to write: it is one for all days.
    """
    if order.writer is not None:
        raise BadInput("a model's writing is not spread", hint="leave out --on, or --writer")
    task = functools.partial(write_days, languages=order.languages, styles=order.styles)
    rest = iter(days)
    while window := list(itertools.islice(rest, WINDOW)):
        again = {day.date: built for day in window if (built := _again(day, order))}
        made = spread((msgspec.json.encode(day) for day in window if day.date not in again), task)
        for day in window:
            known = again.get(day.date)
            yield known or _publish(msgspec.json.decode(next(made), type=Edition), order)


def build_days(days: Iterable[Day], order: Order, workers: int | None = None) -> Generator[Built]:
    """Write and publish many days on all cores, in flat memory.

    At most two days a worker are under way, so a long archive streams through.

    Args:
        days: Read as they are needed.
        order: How they are wanted.
        workers: Processes; None for one a core, 1 for this process alone.

    Yields:
        What became of each day, in the order of ``days``.
    """
    # A model is one for all days: it has its own limit of how much runs side by side.
    workers = 1 if order.writer else workers or os.cpu_count() or 1
    if workers == 1:
        for day in days:
            yield build_day(day, order)
        return
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, since a fork of a process that has BLAS threads can hang.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread)
    waiting: deque[Future[Built]] = deque()
    try:
        for day in days:
            with no_interrupt():  # this is where workers are started
                waiting.append(pool.submit(_build_packed, msgspec.json.encode(day), order))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Put Ctrl-C off; a process that is started meanwhile never gets it, and what it asks for comes after.

    A terminal sends it to all processes: a worker that had not yet come to ignore it
    would die with a traceback, and take the pool with it.
    """
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _build_packed(day: bytes, order: Order) -> Built:
    """``build_day`` of a day as JSON: a pickled one writes out defaults that one made here leaves out."""
    return build_day(msgspec.json.decode(day, type=Day), order)


def _one_thread() -> None:
    """A worker has one core; Ctrl-C is the parent's to handle, after the day in work."""
    from presscheck.digest.vectors import use_threads

    use_threads(1)


def _built(edition: Edition, files: Sequence[Path], *, again: bool = False) -> Built:
    """The line about an edition."""
    unwritten = {entry.paper for entry in edition.entries if entry.status != "written"}
    return Built(
        date=edition.date,
        taken=edition.taken,
        state=edition.state,
        papers=len(edition.papers),
        written=len(edition.papers) - len(unwritten),
        problems=edition.problems,
        files=tuple(files),
        again=again,
    )

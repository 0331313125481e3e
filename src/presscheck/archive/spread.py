"""Work on many papers over several processes of this machine, or over a Ray cluster, with the same results.

A *task* is a function of a module, from a batch of items to one result each, in
order; items and results are bytes or what encodes as JSON. It must not depend on
which items share its batch. Locally batches go to a pool of processes; on Ray they
go through Ray Data, which sends them to any machine of the cluster. A worker that is
killed costs its batches a second run, not the result: locally the pool is made anew,
on Ray the batch is run by another worker. Results come in the order of the items.

Ray is the extra ``ray``. ``RAY_ADDRESS`` names a running cluster, on whose machines
presscheck must be installed; without it a cluster of ``workers`` processes is started
on this machine and ended again.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from presscheck.errors import BadInput, PresscheckError, Unreachable
from presscheck.types import Paper

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Where = Literal["local", "ray"]
A = TypeVar("A")
B = TypeVar("B")
Task = Callable[[Sequence[A]], Sequence[B]]

BATCH = 32
"""Items of one call: some seconds of encoding, so that a killed worker loses little."""
WINDOW = 4096
"""Items that are on Ray at a time, so that memory does not grow with the archive."""
LOST = 3
"""Times that a batch may lose its worker before it is given up: then it is what kills them."""


def map_papers(
    papers: Iterable[Paper],
    task: Task[Paper, B],
    *,
    on: Where = "local",
    workers: int = 2,
    batch: int = BATCH,
) -> Iterator[B]:
    """Run a task over papers.

    Args:
        papers: read as they are needed.
        task: a function of a module: a batch of papers → one result each.
        on: ``local`` for processes of this machine, ``ray`` for Ray Data.
        workers: processes; on a running Ray cluster the calls at a time.
        batch: papers of one call.

    Yields:
        The results, in the order of the papers.

    Raises:
        BadInput: if Ray is not installed, or the task gives another number of results than it got papers.
        Unreachable: if workers are killed again and again, or the cluster cannot be reached.
    """
    return map_items(papers, task, on=on, workers=workers, batch=batch)


def map_items(
    items: Iterable[A], task: Task[A, B], *, on: Where = "local", workers: int = 2, batch: int = BATCH
) -> Iterator[B]:
    """The same for items of any kind that can be sent to another process."""
    if workers < 1 or batch < 1:
        raise BadInput(f"workers is {workers} and batch {batch}: both have to be 1 or more")
    if on == "ray":
        return _on_ray(items, task, workers, batch)
    if workers == 1:
        return (one for group in _batches(items, batch) for one in _checked(task, group))
    return _local(items, task, workers, batch)


def _batches(items: Iterable[A], size: int) -> Iterator[list[A]]:
    """Lists of ``size`` items; the last may be shorter."""
    rest = iter(items)
    while group := list(itertools.islice(rest, size)):
        yield group


def _checked(task: Task[A, B], group: Sequence[A]) -> list[B]:
    made = list(task(group))
    if len(made) != len(group):
        name = getattr(task, "__name__", str(task))
        raise BadInput(f"{name} gave {len(made)} results for {len(group)} items: need one each")
    return made


# This machine ------------------------------------------------------------------


def _local(items: Iterable[A], task: Task[A, B], workers: int, batch: int) -> Iterator[B]:
    """On a pool of processes, twice as many batches under way as there are workers."""
    from collections import deque
    from concurrent.futures.process import BrokenProcessPool

    groups = _batches(items, batch)
    waiting: deque[tuple[list[A], Future[list[B]]]] = deque()
    pool = _pool(workers)
    lost = 0
    try:
        while True:
            while len(waiting) < 2 * workers and (group := next(groups, None)) is not None:
                waiting.append((group, _submit(pool, task, group)))
            if not waiting:
                return
            try:
                made = waiting[0][1].result()
            except BrokenProcessPool:
                lost += 1
                if lost >= LOST:
                    raise _given_up(lost) from None
                pool.shutdown(wait=True, cancel_futures=True)
                pool = _pool(workers)
                # What was finished stays; the others begin again.
                waiting = deque(
                    (group, done if _finished(done) else _submit(pool, task, group))
                    for group, done in waiting
                )
                continue
            lost = 0
            waiting.popleft()
            yield from made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, task: Task[A, B], group: list[A]) -> Future[list[B]]:
    """Hand over a batch; a pool that has just broken fails the batch, not the caller."""
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    try:
        return pool.submit(_checked, task, group)
    except BrokenProcessPool as error:
        failed: Future[list[B]] = Future()
        failed.set_exception(error)
        return failed


def _finished(done: Future[Any]) -> bool:
    return done.done() and not done.cancelled() and done.exception() is None


def _pool(workers: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, since a fork of a process that has BLAS threads can hang.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    """A worker has one core; Ctrl-C is the parent's to handle."""
    import signal

    from presscheck.digest.vectors import use_threads

    use_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _given_up(times: int) -> Unreachable:
    return Unreachable(
        f"workers were killed {times} times over the same papers",
        hint="is there enough memory? fewer workers need less",
    )


# Ray ---------------------------------------------------------------------------


def _on_ray(items: Iterable[A], task: Task[A, B], workers: int, batch: int) -> Iterator[B]:
    """Through Ray Data, one window after the other."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise _no_ray() from None
    with _cluster(workers):
        for group in _batches(items, WINDOW):
            yield from _window(ray, group, task, workers, batch)


def _window(ray: Any, group: list[A], task: Task[A, B], workers: int, batch: int) -> Iterator[B]:
    """One window as a data set: numbered batches in, numbered results out, put in order here.

    A row is a whole batch, so that Ray's own cutting of blocks decides where a batch
    runs and never what is in it.
    """
    packed = [{"number": n, "batch": _Packed(part)} for n, part in enumerate(_batches(group, batch))]
    rows = ray.data.from_items(packed, override_num_blocks=len(packed))
    with warnings.catch_warnings():
        # No other way to bound the retries is known; from Ray 2.64 on it may have to be found.
        warnings.filterwarnings("ignore", message=".*ray_remote_args_fn")
        done = rows.map(
            _Run(task),
            compute=ray.data.TaskPoolStrategy(size=min(workers, len(packed))),
            num_cpus=1,
            ray_remote_args_fn=_patience,
        )
    results: dict[int, list[B]] = {}
    try:
        for row in done.iter_rows():
            made = row["made"].content
            if isinstance(made, PresscheckError):
                raise made
            results[row["number"]] = made
    except ray.exceptions.RayError as error:
        if _is_lost(ray, error):
            raise _given_up(LOST) from error
        raise
    if len(results) != len(packed):
        raise Unreachable(f"Ray gave {len(results)} of {len(packed)} batches back")
    for n in range(len(packed)):
        yield from results[n]


class _Packed:
    """Anything as one opaque value: Ray Data would else make columns of lists and structs of it."""

    def __init__(self, content: Any) -> None:
        self.content = content


class _Run:
    """A task over a row; a class, so that it is sent by name and not by value."""

    def __init__(self, task: Task[Any, Any]) -> None:
        self._task = task
        self.__name__ = getattr(task, "__name__", "task")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            made: Any = _checked(self._task, row["batch"].content)
        except PresscheckError as error:
            # Sent as a value: Ray would wrap it until nobody knows it again.
            made = error
        return {"number": row["number"], "made": _Packed(made)}


def _patience() -> dict[str, Any]:
    """How often Ray gives a lost batch to another worker; of itself it never stops."""
    return {"max_retries": LOST - 1}


def _is_lost(ray: Any, error: BaseException) -> bool:
    """Whether a worker or its machine was lost, and not only what ran on it failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ray.exceptions.WorkerCrashedError | ray.exceptions.NodeDiedError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextmanager
def cluster(on: Where, workers: int) -> Iterator[None]:
    """Keep one Ray cluster for several calls, since starting one takes seconds; nothing for ``local``."""
    if on == "local":
        yield
        return
    try:
        import ray.data  # noqa: F401 - asked only whether it is there
    except ImportError:
        raise _no_ray() from None
    with _cluster(workers):
        yield


def _no_ray() -> BadInput:
    return BadInput("`--on ray` needs Ray", hint="`pip install 'presscheck[ray]'`")


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """A running cluster, else one of our own that ends with the work."""
    import logging

    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    if os.environ.get("RAY_ADDRESS"):
        local = {}  # a running cluster says itself what it has
    try:
        ray.init(runtime_env={"env_vars": threads}, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise Unreachable(f"no Ray cluster: {' '.join(str(error).split())[:300]}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()

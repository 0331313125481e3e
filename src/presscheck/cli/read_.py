"""`presscheck read`: what I have read and starred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from presscheck.errors import BadInput, PresscheckError

if TYPE_CHECKING:
    from presscheck.archive.reading import Mark, Reading
    from presscheck.papers.library import Library
    from presscheck.types import Paper


@click.command(short_help="Mark papers as read or starred")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--star", is_flag=True, help="Starred: counts double for `for-me`.")
@click.option("--remove", is_flag=True, help="Take the mark away.")
@click.option(
    "--import",
    "files",
    multiple=True,
    metavar="FILE",
    help="Mark all papers of a file (- for standard input); may be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
def command(ids: tuple[str, ...], star: bool, remove: bool, files: tuple[str, ...], as_json: bool) -> int:
    """Mark papers as read or starred; without an ID, list what is marked.

    An ID is an arXiv id in any form, `doi:…`, or `key:…` of an import. A FILE is
    BibTeX, RIS, CSL JSON or CSV as Zotero and others export them, any file that
    `edition --papers` reads, or a list of arXiv ids.

    \b
    presscheck read 2407.21018 --star
    presscheck read --import zotero.bib
    presscheck read 2407.21018 --remove

    Marks are kept in reading.json in the library (PRESSCHECK_HOME) and go nowhere.
    `presscheck for-me` ranks a day by them.

    Exit status: 0 done; 1 done, but an item of a file could not be used, or a mark
    to remove was not there.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.archive.reading import Reading, mark_of, read_import
    from presscheck.papers.library import Library
    from presscheck.types import Paper

    if remove and (star or files):
        raise BadInput(
            "--remove goes with ids alone", hint="for example `presscheck read 2407.21018 --remove`"
        )
    library = Library()
    reading = Reading(library)
    if not ids and not files:
        if remove:
            raise BadInput("--remove needs the ids to remove")
        _list(reading.marks(), as_json)
        return 0
    wanted = [_id(one) for one in ids]
    if remove:
        absent = reading.remove(wanted)
        for one in absent:
            click.echo(f"Note: {one}: was not marked", err=True)
        click.echo(f"{len(wanted) - len(absent)} removed")
        return 1 if absent else 0
    marks: list[Mark] = []
    bad = 0
    for file in files:
        imported = read_import(file, star=star)
        marks.extend(imported.marks)
        wanted.extend(imported.ids)
        bad += _warn(imported.problems)
    held = {mark.paper.id for mark in reading.marks() if mark.paper.title}
    known = find([one for one in wanted if one not in held], library)
    marks.extend(mark_of(known.get(one, Paper(id=one, title="")), star=star) for one in dict.fromkeys(wanted))
    new, old = reading.add(marks)
    _told(reading, marks, new, old, star, as_json)
    return 1 if bad else 0


def find(ids: Sequence[str], library: Library) -> dict[str, Paper]:
    """Papers by id: from the library's lists, the shipped editions, else from arXiv if it can be reached."""
    from presscheck.archive.at_hand import papers_at_hand
    from presscheck.edition.shipped import load_shipped, shipped_dates
    from presscheck.papers.ids import parse_arxiv

    found = papers_at_hand(library, ids)
    missing = [one for one in ids if one not in found]
    bare: dict[str, Paper] = {}
    if missing:
        shipped = {paper.id: paper for date in shipped_dates() for paper in load_shipped(date).papers}
        bare = {one: shipped[one] for one in missing if one in shipped}
    remote = [parse_arxiv(one) for one in missing if not one.startswith(("doi:", "key:"))]
    if remote:
        from presscheck.papers.arxiv import fetch_ids
        from presscheck.papers.http import Client
        from presscheck.papers.settings import load_settings

        try:
            with Client(library.cache_folder, load_settings(library.home)) as client:
                found |= {paper.id: paper for paper in fetch_ids(remote, client).papers}
        except PresscheckError as error:
            # The mark counts all the same; its text is looked up again by `for-me`.
            without = [one for one in missing if one not in bare]
            if without:
                click.echo(f"Note: {', '.join(without[:5])}: text not at hand ({error.message})", err=True)
    return bare | found


def _id(text: str) -> str:
    from presscheck.papers.ids import parse_arxiv

    if text.startswith(("doi:", "key:")):
        return text
    return parse_arxiv(text).id


def _warn(problems: Sequence[object]) -> int:
    from presscheck.cli.edition_print import warn

    return warn(problems)


def _told(reading: Reading, marks: list[Mark], new: int, old: int, star: bool, as_json: bool) -> None:
    """What was marked: each by name where they are few."""
    held = {mark.paper.id: mark for mark in reading.marks()}
    made = [held[one] for one in dict.fromkeys(mark.paper.id for mark in marks)]
    if as_json:
        _list(made, as_json)
        return
    if len(made) <= 5:
        for mark in made:
            click.echo(f"{_sign(mark)} {mark.paper.id}  {mark.paper.title or '(title not known yet)'}")
    word = "starred" if star else "marked as read"
    again = f", {old} marked before" if old else ""
    click.echo(f"{new} {word}{again} · {len(held)} in all")


def _list(marks: Sequence[Mark], as_json: bool) -> None:
    import json

    if not marks and not as_json:
        click.echo(
            "Nothing is marked yet.\n\nhint: `presscheck read 2407.21018 --star`, or `--import library.bib`"
        )
    for mark in marks:
        if as_json:
            row = {"id": mark.paper.id, "title": mark.paper.title, "state": mark.state, "at": mark.at}
            click.echo(json.dumps(row | {"source": mark.source}, ensure_ascii=False))
        else:
            title = mark.paper.title or "(title not known yet)"
            click.echo(f"{_sign(mark)} {mark.at[:10]}  {mark.paper.id}  {title}")


def _sign(mark: Mark) -> str:
    return "★" if mark.state == "starred" else "·"

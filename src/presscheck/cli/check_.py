"""`presscheck check`: a digest with what is wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.digest.check.report import DigestReport


@click.command(short_help="Hold a digest against its papers")
@click.argument("digests", nargs=-1, metavar="DIGEST…")
@click.option(
    "--papers",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Papers: a file or a folder; may be given more than once.",
)
@click.option(
    "--text", type=click.Path(path_type=Path), metavar="DIR", help="Full texts as ARXIV-ID.txt or .md."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--brief", is_flag=True, help="Print only what was found, not the whole digest.")
@click.option("--keys", is_flag=True, help="Print the key of each finding, for overruling it.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything contradicts its paper.")
@click.option("--encoder", metavar="NAME", help="A sentence-transformers model by name.")
@click.option("--explain", metavar="KIND", help="Say what a kind of finding means, with an example.")
def command(
    digests: tuple[str, ...],
    paths: tuple[str, ...],
    text: Path | None,
    as_json: bool,
    brief: bool,
    keys: bool,
    strict: bool,
    encoder: str | None,
    explain: str | None,
) -> int:
    """Hold every statement of a digest against its paper.

    DIGEST is Markdown in either of presscheck's formats (its own or anybody's
    in that form, Korean or English), an edition.json, or - for standard input.
    Papers come from --papers, from the edition itself, or from the library.

    \b
    presscheck check digest.md --papers 2024-07-31.json
    presscheck check editions/2024-07-31/*.md --strict
    presscheck check --explain magnitude

    A statement is supported, in conflict with the source, unsupported (nothing
    in the source carries it), or beyond the abstract (it reads like a detail of
    the full text, which was not given).

    To set a finding aside, write its key (--keys) and the reason into a file
    beside the digest: for digest.md it is digest.overrules.toml.

    Exit status: 0 done; 1 with --strict, if anything contradicts its paper (a
    statement, the authors, an entry of another paper; form and leftovers do not);
    2 no check.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    if explain is not None:
        from presscheck.digest.check.kinds import explain as explained

        click.echo(explained(explain), nl=False)
        return 0
    if not digests:
        raise BadInput(
            "no digest was given", hint="for example `presscheck check digest.md --papers day.json`"
        )
    from presscheck.digest.check.check import check_digest
    from presscheck.digest.check.encoders import Matched, sentence_transformer
    from presscheck.digest.check.gather import gather, read_named
    from presscheck.digest.check.overrule import overrules_beside
    from presscheck.digest.check.report import Report, contradicts, to_json
    from presscheck.papers.library import Library
    from presscheck.types import Problem

    named = [one for path in digests for one in read_named(path)]
    problems: list[Problem] = []
    papers = gather(named, paths, Library(), texts=text, problems=problems)
    chosen = None
    if encoder:
        from presscheck.digest.vectors import encode

        chosen = Matched(sentence_transformer(encoder), known_statements(), encode)
    reports = tuple(
        check_digest(
            one.digest,
            papers,
            name=one.file,
            encoder=chosen,
            background=chosen.background({entry.paper for entry in one.digest.entries}) if chosen else None,
            overruled=overrules_beside(one.file),
        )
        for one in named
    )
    if as_json:
        click.echo(to_json(Report(digests=reports)), nl=False)
    else:
        from presscheck.cli.check_print import Printer

        printer = Printer(brief=brief, keys=keys)
        for one, report in zip(named, reports, strict=True):
            printer.digest(report, one.digest)
        printer.total(reports)
    _missing(reports)
    return 1 if strict and any(contradicts(report) for report in reports) else 0


def known_statements() -> dict[str, list[str]]:
    """English statements of the shipped editions by paper, for matching another encoder."""
    from presscheck.edition.shipped import load_shipped, shipped_dates

    found: dict[str, list[str]] = {}
    for date in shipped_dates():
        for entry in load_shipped(date).entries:
            if entry.language == "en":
                found.setdefault(entry.paper, []).extend(
                    statement.text
                    for section in entry.sections
                    if section.key != "fields"
                    for statement in section.statements
                )
    return found


def _missing(reports: tuple[DigestReport, ...]) -> None:
    """Say on standard error which papers were not given."""
    absent = [
        entry.paper or entry.title
        for report in reports
        for entry in report.entries
        if entry.verdict == "no source"
    ]
    if absent:
        shown = ", ".join(absent[:6]) + (f" and {len(absent) - 6} more" if len(absent) > 6 else "")
        click.echo(f"\nNot checked, since the paper was not given: {shown}", err=True)
        click.echo("\nhint: name a file that has it with --papers", err=True)

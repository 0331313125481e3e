"""`presscheck new`: start a system from a paper."""

from __future__ import annotations

from pathlib import Path

import click

from presscheck.errors import BadInput


@click.command(short_help="Start a new system from a paper")
@click.argument("arxiv", metavar="ARXIV")
@click.option("--slug", metavar="NAME", help="Name of the folder: small letters, digits and _.")
@click.option("--title", metavar="TITLE", help="Of the paper, where no list on this machine has it.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Where to put it."
)
def command(arxiv: str, slug: str | None, title: str | None, out: Path) -> None:
    """Start the folder of a system: claims, experiment, method, README and a test.

    \b
    presscheck new 2407.21018            one of the papers that `presscheck list` shows
    presscheck new 2503.01234 --slug prune --title "Pruning, Again"
    presscheck run ./prune               says what is still to be written

    `presscheck.testing.check_system("./prune")` holds it against the contract. To let
    presscheck find it, name it in your package's pyproject.toml:

    \b
    [project.entry-points."presscheck.systems"]
    prune = "mylab.prune"
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    import re

    from presscheck.papers.ids import parse_arxiv
    from presscheck.papers.whole import write_whole

    arxiv = parse_arxiv(arxiv).id
    known_slug, known_title = _known(arxiv)
    slug, title = slug or known_slug, title or known_title
    if not slug:
        raise BadInput(f"{arxiv} is in no list on this machine", hint="name the folder with --slug")
    if not title:
        raise BadInput(f"the title of {arxiv} is in no list on this machine", hint="give it with --title")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        raise BadInput(f"--slug is `{slug}`: need small letters, digits and _, a letter first")
    folder = out.expanduser() / slug
    if folder.exists():
        raise BadInput(f"{folder} is there already", hint="choose another --slug or --out")
    for name, text in _files(arxiv, title, slug).items():
        write_whole(folder / name, text.encode())
        click.echo(folder / name)
    click.echo(
        f"\nnext: write {slug}.py and the arms of experiment.py, then `presscheck run {folder.absolute()}`"
    )


def _known(arxiv: str) -> tuple[str, str]:
    """Slug and title, as far as the editions or the library know them."""
    from presscheck.catalog import planned
    from presscheck.papers.library import Library

    for paper in planned():
        if paper.arxiv == arxiv:
            return paper.slug, paper.title
    library = Library()
    for date in library.days():
        day = library.day(date)
        for one in day.papers if day else ():
            if one.id == arxiv:
                return "", one.title
    return "", ""


def _files(arxiv: str, title: str, slug: str) -> dict[str, str]:
    """The files of a system, each saying what goes where."""
    import json

    quoted = json.dumps(title, ensure_ascii=False)  # a JSON string is a TOML string
    name = "".join(part.capitalize() for part in slug.split("_"))
    return {
        "__init__.py": f'"""{slug}: what it is for."""\n\nfrom .{slug} import {name} as {name}\n',
        f"{slug}.py": f'''"""{slug}: what it does, in a line.

Reference: arXiv {arxiv}, section N. Differences: none known.
"""

from __future__ import annotations


class {name}:
    """The method, in its field's protocol; it imports nothing of presscheck."""
''',
        "claims.toml": f"""schema = 1

[paper]
arxiv = "{arxiv}"
title = {quoted}

[system]
summary = "What it does, in a line"
imports = "{slug}:{name}"
extras = []                  # torch, tabular, science
baseline = "baseline"
peers = {{}}                   # name = ["package==1.2.3"]

[[claims]]
id = "headline"
text = "What the paper claims, in your words."
source = "abstract"
reported = "its figure, with the conditions"
metric = "error"             # a metric that the arms yield
arm = "{slug}"
against = "baseline"
compare = "ratio"            # ratio | difference | value
holds_if = "<= 1.00"         # the whole 95 % interval must lie inside; set it before the first run
beyond_our_scale = "What your machine cannot show."
""",
        "experiment.py": f'''"""What is measured: the claims of arXiv {arxiv}."""

from __future__ import annotations

from presscheck.bench.run import Arm, Run, Unavailable

SIZES = {{"smoke": 10, "quick": 1000, "full": 10_000}}


def arms(run: Run) -> dict[str, Arm]:
    """One contender each; all get the same seed in a round, and a seed draws other data."""

    def unwritten(seed: int):
        raise Unavailable("this arm is still to be written: yield (metric, value, unit)")

    return {{"baseline": unwritten, "{slug}": unwritten}}
''',
        "README.md": f"# {slug}: {title}\n\n## Use\n\n## What differs from the paper\n\n"
        "## What our scale cannot show\n\n## Measured\n\n<!-- measured -->\n<!-- /measured -->\n",
        f"test_{slug}.py": f"""from pathlib import Path

from presscheck.testing import check_system


def test_{slug}_keeps_the_contract():
    check_system(str(Path(__file__).parent))
""",
    }

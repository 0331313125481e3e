"""`presscheck site`: all editions as static files that any host serves."""

from __future__ import annotations

from pathlib import Path

import click

from presscheck.errors import BadInput


@click.command(short_help="Build all editions into a static site")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder of the site."
)
@click.option(
    "--editions",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of published editions beside your own; may be given more than once.",
)
@click.option("--shipped/--no-shipped", default=True, help="With the editions that presscheck ships.")
@click.option("--archive", is_flag=True, help="Write an edition of every day of the archive that has none.")
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="Where the site will be found: for its sitemap, the pictures of previews, and the feeds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(
    out: Path, folders: tuple[Path, ...], shipped: bool, archive: bool, url: str, as_json: bool
) -> int:
    """Build all editions into a static site.

    Every edition of your editions folder, and those that presscheck ships: front page,
    editions, a page for each paper with its JSON and BibTeX, systems with what was
    measured, search, feeds. The files work on any host, and opened from disk. What has
    not changed since the last build is left alone; pages that nothing makes any more go.

    \b
    presscheck site --out public
    presscheck site --out public --url https://papers.example.org/

    Exit status: 0 done; 1 built, but an edition could not be read; 2 nothing built.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.cli.edition_print import progress, warn
    from presscheck.site.build import build_site
    from presscheck.site.place import order_of, write_archive_days

    order = order_of(out, folders, shipped=shipped, url=address(url))
    if archive:
        write_archive_days()
    built = build_site(order, progress)
    warn(built.problems)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(built).decode())
    else:
        gone = f", {built.removed:,} removed" if built.removed else ""
        click.echo(
            f"{built.editions} editions, {built.papers} papers, {built.systems} systems: "
            f"{built.files:,} files, {built.written:,} made anew{gone}"
        )
        if not url:
            click.echo("without --url there is no sitemap, and previews have no picture")
        click.echo(f"\nopen {(out / 'index.html').absolute().as_uri()}")
    return 1 if built.problems else 0


def address(url: str) -> str:
    """A site's address with a slash at its end.

    Raises:
        BadInput: if it is none of the web.
    """
    from urllib.parse import urlsplit

    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https") and bool(parts.netloc) and not (parts.query or parts.fragment)
        )
    except ValueError:
        good = False
    if not good or any(letter.isspace() or letter in "<>\"'\\" for letter in url):
        raise BadInput(
            f"--url is {url[:80]!r}: need the site's address", hint="for example https://papers.example.org/"
        )
    return url if url.endswith("/") else url + "/"

"""`presscheck serve`: the site, the search and runs in a local web page."""

from __future__ import annotations

from pathlib import Path

import click

from presscheck.errors import BadInput


@click.command(short_help="Browse editions, search and runs in a local web page")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
)
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
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
@click.option(
    "--allow-host", "names", multiple=True, metavar="NAME", help="A name that the server is called by."
)
def command(host: str, port: int, folders: tuple[Path, ...], shipped: bool, names: tuple[str, ...]) -> int:
    """Browse editions, papers and systems in a local web page.

    The site of `presscheck site`, with a search that knows the archive's vectors, a JSON
    interface (/api/editions, /api/papers/ID, /api/search?q=, /api/systems), and a button
    that measures a system's claims on this machine. It answers this machine alone unless
    --host says otherwise; then no page can start a measurement.

    \b
    presscheck serve
    presscheck serve --port 0 --editions ~/editions

    Ctrl-C stops it, and a run that it has started.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    import contextlib
    import socket

    import uvicorn

    from presscheck.papers.library import Library
    from presscheck.site.place import order_of
    from presscheck.site.server import LOCAL, Served, make_app

    library = Library()
    local = host in LOCAL
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise BadInput(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="`--port 0` takes a free port" if port else "is the address one of this machine?",
        ) from error
    order = order_of(library.cache_folder / "served", folders, shipped=shipped, url="")
    served = Served(order, library, may_run=local)
    number = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"{served.built.editions} editions, {served.built.papers} papers: http://{shown}:{number}/")
    if not local:
        click.echo("Note: everyone who reaches this address can read it.", err=True)
    app = make_app(served, LOCAL | {host.lower()} | {name.lower() for name in names})
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=15,
        timeout_graceful_shutdown=3, limit_concurrency=2000,
    )  # fmt: skip
    with listening, contextlib.suppress(KeyboardInterrupt):  # raised again once all is closed
        uvicorn.Server(config).run(sockets=[listening])
    return 0

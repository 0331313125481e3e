"""The local server: the site's files, the search with vectors, the JSON interface, and runs as they go."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from presscheck.papers.library import Library
from presscheck.site import api
from presscheck.site.build import Order, build_site, read_days
from presscheck.site.facts import DayFacts
from presscheck.site.finding import Asked, Meaning, Words, fused
from presscheck.site.guard import Guard
from presscheck.site.runs import Runs

if TYPE_CHECKING:
    from starlette.requests import Request

    from presscheck.bench.standing import Standing

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Served:
    """What the server knows.

    Args:
        order: The site that it serves; it is built, or brought up to date.
        library: Whose archive is asked for vectors.
        may_run: Whether its pages may start measurements.
    """

    def __init__(self, order: Order, library: Library, *, may_run: bool) -> None:
        from presscheck.site.build import newest_of

        self.built = build_site(order)
        self.folder, self.may_run, self.runs = order.out, may_run, Runs()
        self._lock = threading.Lock()
        days, _ = read_days(order)
        self.days: list[DayFacts] = [days[date] for date in sorted(days, reverse=True)]
        self._papers = newest_of(days)
        self.pages: dict[str, bytes] = {}
        self._standings: dict[str, Standing] = {}
        self.refresh()
        self.words = Words(self._papers, frozenset(self._standings))
        papers = [one.manifest.paper.arxiv for one in self._standings.values() if one.manifest]
        self.meaning = Meaning.of(library, papers)

    def standings(self) -> dict[str, Standing]:
        """Systems with their newest records, as of the last run."""
        return self._standings

    def refresh(self) -> None:
        """Look for new records, and make the pages that show them."""
        from presscheck.site.shared import search_page
        from presscheck.site.systems import all_standings, system_files

        with self._lock:
            self._standings = all_standings()
            known = frozenset(paper.id for _, paper in self._papers)
            pages = system_files(self._standings, known, live=True) if self.may_run else {}
            self.pages = {**pages, "search.html": search_page(live=True)}

    def search(self, asked: Asked) -> tuple[str, list[dict[str, Any]]]:
        """How it was searched, and what was found."""
        found = self.words.search(asked)
        near = self.meaning.search(asked, self.words) if self.meaning else None
        if near is None:
            return "words", found
        return "words and meaning", fused(near, found, asked.limit)


def make_app(served: Served, names: frozenset[str] = LOCAL) -> Starlette:
    """The application.

    Args:
        served: What it shows.
        names: Host names that it answers to, beside addresses.
    """

    def live(request: Request) -> Response:
        name = request.url.path.lstrip("/")
        data = served.pages.get(name)
        if data is None:
            return HTMLResponse(b"<!doctype html><title>404</title>", 404)
        kind = {"svg": "image/svg+xml", "json": "application/json"}.get(name.rpartition(".")[2], "text/html")
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await served.runs.stop()

    pages = [Route(f"/{name}", live) for name in ("search.html",)]
    if served.may_run:
        pages.append(Route("/systems/{name}", live))
    return Starlette(
        routes=[
            *api.routes(served),
            *pages,
            Mount("/", Files(directory=served.folder, html=True)),
        ],
        middleware=[Middleware(Guard, names=names)],
        lifespan=lifespan,
    )


class Files(StaticFiles):
    """The site's files; the manifest and what starts with a dot are none of them."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """A file, or 404."""
        from presscheck.site.store import MANIFEST

        if path == MANIFEST or any(part.startswith(".") and part != "." for part in Path(path).parts):
            from starlette.exceptions import HTTPException

            raise HTTPException(404)
        return await super().get_response(path, scope)

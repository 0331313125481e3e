"""The JSON interface: what the site shows, for programs."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from presscheck.errors import BadInput
from presscheck.site.finding import Asked
from presscheck.site.guard import from_our_page
from presscheck.site.names import slug_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from presscheck.site.server import Served

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOST = 100
"""Papers in one answer."""
SIZES = ("smoke", "quick", "full")


def routes(served: Served) -> list[Route]:
    """The routes below ``/api/``."""
    given = functools.partial(functools.partial, served=served)
    return [
        Route("/api/editions", given(editions)),
        Route("/api/papers/{id:path}", given(paper)),
        Route("/api/search", given(search)),
        Route("/api/similar/{id:path}", given(similar)),
        Route("/api/systems", given(systems)),
        Route("/api/systems/{slug}", given(system)),
        Route("/api/runs", given(runs), methods=["GET", "POST", "DELETE"]),
        Route("/api/runs/events", given(events)),
    ]


def wrong(message: str, status: int = 400) -> JSONResponse:
    """An error as JSON."""
    return JSONResponse({"error": message}, status)


async def editions(request: Request, served: Served) -> Response:
    """Every edition, newest first."""
    return JSONResponse(
        {
            "editions": [
                {"date": day.date, "taken": day.taken, "state": day.state, "languages": day.languages,
                 "papers": [paper.id for paper in day.papers]}
                for day in served.days
            ]
        }
    )  # fmt: skip


async def paper(request: Request, served: Served) -> Response:
    """A paper with its entries, the editions that it is in, and its claims."""
    id_ = request.path_params["id"]
    at = served.words.place(id_)
    if at is None:
        return wrong("there is no such paper here", 404)
    path = served.folder / "papers" / f"{slug_of(id_)}.json"
    try:
        data = await asyncio.to_thread(path.read_bytes)
    except OSError:
        return wrong("this paper has no form in JSON", 404)
    return Response(data, media_type="application/json")


async def search(request: Request, served: Served) -> Response:
    """Papers by words, and by meaning where the archive has vectors."""
    values = request.query_params
    since = values.get("since", "")
    if since and not _DAY.fullmatch(since):
        return wrong("since: need a day, YYYY-MM-DD")
    limit = values.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MOST:
        return wrong(f"limit: need a number from 1 to {MOST}")
    asked = Asked(
        query=values.get("q", ""),
        since=since,
        field=values.get("field", ""),
        claims=values.get("claims", "") not in ("", "0"),
        limit=int(limit),
    )
    by, found = await asyncio.to_thread(served.search, asked)
    return JSONResponse({"query": asked.query[:1000], "by": by, "papers": found})


async def similar(request: Request, served: Served) -> Response:
    """The papers nearest in meaning to one, by the archive's vectors."""
    meaning = served.meaning
    if meaning is None or not meaning.ready.is_set():
        return wrong("the archive has no vectors yet", 503)
    found = await asyncio.to_thread(meaning.similar, request.path_params["id"], 10, served.words)
    return wrong("the archive has no such paper", 404) if found is None else JSONResponse({"papers": found})


async def systems(request: Request, served: Served) -> Response:
    """The systems that can be run, with the verdict on each claim."""
    found = await asyncio.to_thread(served.standings)
    return JSONResponse({"systems": [_told(slug, one) for slug, one in found.items()]})


async def system(request: Request, served: Served) -> Response:
    """One system, with its claims whole."""
    slug = request.path_params["slug"]
    one = (await asyncio.to_thread(served.standings)).get(slug)
    if one is None or one.manifest is None:
        return wrong("there is no such system here", 404)
    told = _told(slug, one)
    told["claims"] = [
        {**msgspec.to_builtins(claim), **msgspec.to_builtins(verdict)} for claim, verdict in one.pairs
    ]
    return JSONResponse(told)


def _told(slug: str, one: Any) -> dict[str, Any]:
    return {
        "slug": slug,
        "paper": one.manifest.paper.arxiv,
        "title": one.manifest.paper.title,
        "summary": one.manifest.system.summary,
        "record": Path(one.path).stem if one.path else "",
        "stale": list(one.stale),
        "claims": {verdict.claim: verdict.answer for verdict in one.verdicts},
    }


async def runs(request: Request, served: Served) -> Response:
    """What is being measured; POST starts a run of a known system, DELETE stops it."""
    if request.method == "GET":
        return JSONResponse(served.runs.state())
    if not served.may_run:
        return wrong("runs can be started on this machine alone: serve was told another address", 403)
    if not from_our_page(request):
        return wrong("a run can be started from a page of this server alone", 403)
    if request.method == "DELETE":
        await served.runs.stop()
        await asyncio.to_thread(served.refresh)
        return JSONResponse(served.runs.state())
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > 4096:
            return wrong("need a small JSON object", 413)
    try:
        asked = msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return wrong('need {"system": SLUG, "size": "quick"}')
    slug, size = asked.get("system", ""), asked.get("size", "quick")
    if slug not in await asyncio.to_thread(served.standings):
        return wrong("there is no such system here", 404)
    if size not in SIZES:
        return wrong(f"size: need one of {', '.join(SIZES)}")
    try:
        await served.runs.start(slug, size)
    except BadInput as error:
        return wrong(error.message, 409)
    return JSONResponse(served.runs.state(), 202)


async def events(request: Request, served: Served) -> Response:
    """The run as server-sent events, from its start to its end."""

    async def lines() -> AsyncIterator[bytes]:
        async for told in served.runs.events():
            if "ended" in told:
                await asyncio.to_thread(served.refresh)
            yield b"id: %d\ndata: %s\n\n" % (told["number"], msgspec.json.encode(told))
        yield b"event: end\ndata: {}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})

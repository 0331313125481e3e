"""What every answer of the server carries, and whom it answers.

A page of another site must not read what is served here (its name made to point at this
machine), nor start anything. So the Host has to be one of ours, and what changes
something has to come from our own page.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
OWN = "x-presscheck"
"""A header that a form of another site cannot send, and a script of one may not."""


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if ":" in header else header.lower()


def is_ours(header: str, names: frozenset[str]) -> bool:
    """Whether a Host is an address or a name of ours.

    An address is always let through: what a foreign page makes this machine answer to is a name.
    """
    host = host_of(header)
    if host in names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def from_our_page(request: Request) -> bool:
    """Whether a request that changes something comes from a page of this server."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return request.headers.get(OWN) == "1" and site == "same-origin" and origin in ("", own)


class Guard:
    """Middleware: the Host check before, the headers after.

    Args:
        app: What it guards.
        names: Host names to answer to, beside addresses.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.encode() not in held
                    ),
                ]
            await send(message)

        if len(hosts) != 1 or not is_ours(hosts[0], self._names):
            refusal = JSONResponse({"error": "this server does not answer to that name"}, 421)
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

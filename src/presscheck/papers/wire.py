"""The transport under the cache: name resolution in bounded time, proxies, the rate limit.

It stands below the cache so that a cached answer costs no turn.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from presscheck.papers.pace import turn
from presscheck.papers.settings import Settings

ARXIV_INTERVAL = 3.0
RESOLVE = 3.5
"""Seconds for a name to be resolved; the system's own limit can be half a minute."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class TooSlow(httpx2.TransportError):
    """The answer was not complete by its deadline, though bytes kept coming."""


class Wire(httpx2.BaseTransport):
    """Sends a request when it is its turn.

    Args:
        settings: where the services are.
        connect: seconds for one try to connect, shared out over the host's addresses.
        folder: where the rate limit's clock is kept; None keeps it in memory.
    """

    def __init__(self, settings: Settings, connect: float, folder: Path | None) -> None:
        self._settings = settings
        self._connect = connect
        self._folder = folder
        self._transports: dict[tuple[str, str], httpx2.HTTPTransport] = {}
        self._addresses: dict[tuple[str, int], int] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send; the turn is kept until the answer's body is closed."""
        proxy = _proxy(request.url)
        target = httpx2.URL(proxy) if proxy else request.url
        self._limit_connect(request, target)
        with ExitStack() as stack:
            service, interval = self._service(request.url)
            if interval > 0:
                stack.enter_context(turn(service, interval, self._folder))
            response = self._transport(proxy, request.url.scheme).handle_request(request)
            body = response.stream
            if not isinstance(body, httpx2.SyncByteStream):
                raise TypeError(f"a transport answered with {type(body).__name__}")
            return httpx2.Response(
                response.status_code,
                headers=response.headers.raw,
                stream=_Body(body, stack.pop_all(), request.extensions.get("deadline", math.inf)),
                extensions=response.extensions,
            )

    def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            transport.close()

    def _transport(self, proxy: str, scheme: str) -> httpx2.HTTPTransport:
        """One pool a proxy and scheme; certificates are loaded only where there is TLS."""
        key = (proxy, scheme)
        if key not in self._transports:
            limits = httpx2.Limits(max_connections=2, max_keepalive_connections=2)
            verify = scheme == "https" or proxy.startswith("https")
            self._transports[key] = httpx2.HTTPTransport(verify=verify, proxy=proxy or None, limits=limits)
        return self._transports[key]

    def _service(self, url: httpx2.URL) -> tuple[str, float]:
        """Whose clock a request is on, and its interval in seconds."""
        if url.host == "arxiv.org" or url.host.endswith(".arxiv.org"):
            return "arxiv.org", max(ARXIV_INTERVAL, self._settings.arxiv_interval)
        if str(url).startswith(self._settings.arxiv_url.rstrip("/") + "/"):
            return urlsplit(self._settings.arxiv_url).netloc, self._settings.arxiv_interval
        return url.host, 0.0

    def _limit_connect(self, request: httpx2.Request, target: httpx2.URL) -> None:
        """Resolve in bounded time, and share the time to connect out over the addresses.

        The socket library gives every address of a host the whole time; eight
        addresses behind a firewall that drops packets would take eight times it.
        """
        port = target.port or (443 if target.scheme == "https" else 80)
        key = (target.host, port)
        if key not in self._addresses:
            self._addresses[key] = _count_addresses(*key)
        timeout = dict(request.extensions.get("timeout", {}))
        timeout["connect"] = max(self._connect / self._addresses[key], min(0.4, self._connect))
        request.extensions = {**request.extensions, "timeout": timeout}


class _Body(httpx2.SyncByteStream):
    """An answer's body that keeps its deadline and gives the turn back when it is closed.

    The deadline is looked at here, since every layer above gathers small pieces first.
    """

    def __init__(self, body: httpx2.SyncByteStream, held: ExitStack, deadline: float) -> None:
        self._body = body
        self._held = held
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            if time.monotonic() > self._deadline:
                raise TooSlow("the answer came too slowly")
            yield piece

    def close(self) -> None:
        """Close the connection's stream and end the turn."""
        with self._held:
            self._body.close()


def _proxy(url: httpx2.URL) -> str:
    """The proxy for a URL by the environment's rules; empty for none."""
    if url.host in LOOPBACK or proxy_bypass(url.host):
        return ""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all") or ""
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _count_addresses(host: str, port: int) -> int:
    """How many addresses a host has.

    Raises:
        httpx2.ConnectError: if it has none, or none is found within ``RESOLVE`` seconds.
    """
    found: list[int] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.append(len({info[4] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else socket.gaierror(str(error)))

    # getaddrinfo takes no timeout; the thread is left behind when it takes too long.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(RESOLVE)
    if failed or not found:
        error = failed[0] if failed else socket.gaierror("no answer from the name server")
        raise httpx2.ConnectError(str(error)) from error
    return max(found[0], 1)

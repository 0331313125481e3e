"""The transport under the openai SDK: an answer has one deadline, however it drips."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2


class TooSlow(httpx2.TransportError):
    """The answer was not complete by its deadline, though bytes kept coming."""


class Wire(httpx2.BaseTransport):
    """Sends requests to one host, by the environment's proxy for it.

    Args:
        url: Of the endpoint.
        total: Seconds from a request to the last byte of its answer.
    """

    def __init__(self, url: str, total: float) -> None:
        self._total = total
        self._transport = httpx2.HTTPTransport(proxy=_proxy(url) or None)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send; the deadline counts from here."""
        deadline = time.monotonic() + self._total
        response = self._transport.handle_request(request)
        body = response.stream
        if not isinstance(body, httpx2.SyncByteStream):
            raise TypeError(f"a transport answered with {type(body).__name__}")
        return httpx2.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Body(body, deadline),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()


class _Body(httpx2.SyncByteStream):
    """An answer's body that keeps its deadline, looked at for every piece that comes."""

    def __init__(self, body: httpx2.SyncByteStream, deadline: float) -> None:
        self._body, self._deadline = body, deadline

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            if time.monotonic() > self._deadline:
                raise TooSlow("the answer came too slowly")
            yield piece

    def close(self) -> None:
        """Close the connection's stream."""
        self._body.close()


def _proxy(url: str) -> str:
    """The proxy for a URL by the environment's rules; empty for none, as for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1") or proxy_bypass(host):
        return ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"

"""One client for all services: cache, retries, rate limit, and errors that say what happened.

Retried, at most ``Manners.attempts`` times and within ``Manners.total`` seconds: 429,
500, 502 to 504, timeouts and cut connections. Not retried: a host that is not found
or refuses, since a machine without a network must say so at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from presscheck import __version__
from presscheck.errors import BadInput, Unreachable
from presscheck.papers.replies import reason, refusal, retry_after
from presscheck.papers.settings import Settings, load_settings
from presscheck.types import Struct

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

USER_AGENT = f"presscheck/{__version__}"
CONNECT_AGAIN = 0.2
"""Seconds before the second and last try to connect: a missing network is told within five."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class Manners(Struct, frozen=True, kw_only=True):
    """How long and how often a service is asked before it counts as unreachable."""

    connect: float = 2.0
    """Seconds for one try to connect, over all addresses of the host."""
    read: float = 20.0
    """Seconds without a byte."""
    attempts: int = 5
    total: float = 90.0
    """Seconds for all tries of one request together."""
    wait_initial: float = 0.5
    wait_max: float = 8.0
    jitter: float = 1.0
    longest_wait: float = 60.0
    """A ``Retry-After`` beyond this is told to the user instead of waited for."""
    largest: int = 64 * 2**20
    """Bytes of an answer, unpacked."""


class _Again(Exception):
    """A failure that may pass: what it was, and how long the service wants us to wait."""

    def __init__(self, what: str, *, wait: float | None = None, connecting: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.wait = wait
        self.connecting = connecting


class Client:
    """Asks services, politely; use it as a context manager.

    Args:
        cache: folder of the cache and of the rate limit's clock; None keeps neither.
        settings: where the services are; None reads the environment.
        manners: retries and limits.
    """

    def __init__(
        self, cache: Path | None = None, settings: Settings | None = None, manners: Manners | None = None
    ) -> None:
        self.settings = settings if settings is not None else load_settings()
        self.manners = manners if manners is not None else Manners()
        self._folder = cache
        self._storage: Any = None
        self._client: httpx2.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the cache."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(
        self,
        url: str,
        query: dict[str, str | int],
        read: Callable[[bytes], T],
        *,
        keep: float | None = None,
        fresh: bool = False,
    ) -> T:
        """Ask and read the answer.

        Args:
            url: without its query.
            query: the query, in order.
            read: turns the body into what is wanted; raises BadInput where it cannot,
                and such an answer is not kept in the cache.
            keep: seconds for which the cache may answer; None follows HTTP's own rules.
            fresh: ask even where the cache could answer.

        Raises:
            Unreachable: after the last try; the message says what happened.
            Refused: if the service says that the request is wrong.
            BadInput: if ``read`` cannot use the answer.
        """
        import sqlite3

        whole = f"{url}?{urlencode(query)}"
        try:
            body = self._retried(whole, keep, fresh)
        except sqlite3.Error:
            # The cache saves work; a broken or locked one must not cost the answer.
            self._without_cache()
            body = self._retried(whole, None, True)
        try:
            return read(body)
        except BadInput:
            self._forget(whole)
            raise

    def _retried(self, url: str, keep: float | None, fresh: bool) -> bytes:
        """Ask until there is an answer or the manners end it."""
        import stamina

        host = urlsplit(url).hostname or url
        deadline = time.monotonic() + self.manners.total
        tries = 0

        def again(error: Exception) -> bool | float:
            """Whether, and after which wait, to try once more."""
            if not isinstance(error, _Again):
                return False
            if error.connecting:
                return CONNECT_AGAIN if tries < 2 else False
            if error.wait is None:
                return True
            return False if error.wait > self._patience(deadline) else max(error.wait, 0.0)

        try:
            for attempt in stamina.retry_context(
                on=again,
                attempts=self.manners.attempts,
                timeout=self.manners.total,
                wait_initial=self.manners.wait_initial,
                wait_max=self.manners.wait_max,
                wait_jitter=self.manners.jitter,
            ):
                with attempt:
                    tries += 1
                    return self._once(url, host, keep, fresh, deadline)
        except _Again as error:
            if error.wait is not None and error.wait > self._patience(deadline):
                raise Unreachable(
                    f"{host} answered {error.what} and asks to wait {error.wait:.0f} s: "
                    f"that is longer than presscheck waits ({self.manners.longest_wait:.0f} s)",
                    hint="run the same command again after that time",
                ) from error
            plural = "try" if tries == 1 else "tries"
            raise Unreachable(f"{host} could not be read: {error.what}, after {tries} {plural}") from error
        raise AssertionError("stamina ends with an answer or an error")

    def _patience(self, deadline: float) -> float:
        """The longest wait that is still sensible."""
        return min(self.manners.longest_wait, deadline - time.monotonic())

    def _once(self, url: str, host: str, keep: float | None, fresh: bool, deadline: float) -> bytes:
        """One try. Failures that may pass come as ``_Again``, others as they are shown."""
        import httpx2

        from presscheck.papers.wire import TooSlow

        client = self._open()
        terms = self._cache_terms(url, keep, fresh)
        terms.setdefault("extensions", {})["deadline"] = deadline
        try:
            with client.stream("GET", url, **terms) as response:
                if response.status_code in RETRIED:
                    what = f"HTTP {response.status_code}"
                    raise _Again(what, wait=retry_after(response.headers.get("Retry-After", "")))
                limit = self.manners.largest
                body = bytearray()
                for chunk in response.iter_bytes(65536):
                    body += chunk
                    if len(body) > limit:
                        raise BadInput(f"{host} sent more than {limit // 2**20} MB: no list is that long")
                if response.status_code != 200:
                    raise refusal(host, response.status_code, bytes(body))
                return bytes(body)
        except TooSlow as error:
            what = f"the answer was not complete after {self.manners.total:g} s"
            raise Unreachable(f"{host} sends too slowly: {what}") from error
        except httpx2.ConnectTimeout as error:
            raise _Again("no connection in time", connecting=True) from error
        except httpx2.ConnectError as error:
            raise Unreachable(f"{host} cannot be reached: {reason(error)}") from error
        except httpx2.TimeoutException as error:
            raise _Again(f"no answer within {self.manners.read:g} s") from error
        except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
            raise _Again("the connection was cut") from error
        except httpx2.DecodingError as error:
            raise BadInput(f"{host} sent an answer that cannot be unpacked: {error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{host} could not be asked: {error}") from error

    def _cache_terms(self, url: str, keep: float | None, fresh: bool) -> dict[str, Any]:
        """What the cache needs to know of one request."""
        if self._storage is None:
            return {}
        if keep is None:
            return {"headers": {"Cache-Control": "no-cache"}} if fresh else {}
        if fresh:
            self._forget(url)
        return {"extensions": {"caching": {"rfc": False, "ttl": keep, "key": f"kept {url}"}}}

    def _forget(self, url: str) -> None:
        """Drop what the cache holds for a URL."""
        import hashlib
        import sqlite3

        if self._storage is None:
            return
        with suppress(sqlite3.Error):
            for key in (f"kept {url}", hashlib.sha256(f"RFC {url}".encode()).hexdigest()):
                for entry in self._storage.get_entries(key):
                    self._storage.remove_entry(entry.id)

    def _open(self) -> httpx2.Client:
        """The client, made on first use."""
        if self._client is None:
            import logging

            import httpx2

            from presscheck.papers.wire import Wire

            # Else Python's handler of last resort prints each retry to the terminal.
            logging.getLogger("stamina").addHandler(logging.NullHandler())
            wire: httpx2.BaseTransport = Wire(self.settings, self.manners.connect, self._folder)
            if self._folder is not None:
                wire = self._cached(wire, self._folder)
            self._client = httpx2.Client(
                transport=wire,
                headers={"User-Agent": USER_AGENT},
                timeout=httpx2.Timeout(self.manners.read, connect=self.manners.connect),
                follow_redirects=True,
                max_redirects=5,
            )
        return self._client

    def _cached(self, wire: httpx2.BaseTransport, folder: Path) -> httpx2.BaseTransport:
        """The wire behind the cache; without it where the folder cannot be written."""
        import sqlite3

        from hishel import CacheOptions, SqliteStorage
        from hishel.httpx2 import CacheTransport

        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._storage = SqliteStorage(database_path=folder / "http.db", max_size=256 * 2**20)
            self._storage.get_entries("is it usable")
        except (OSError, sqlite3.Error):
            self._storage = None
            return wire
        return CacheTransport(wire, self._storage, rfc=CacheOptions(shared=False))

    def _without_cache(self) -> None:
        """Go on without the cache for the rest of this client's life."""
        self.close()
        self._storage = None
        self._folder = None

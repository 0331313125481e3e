"""Posting JSON to Slack, Discord and Telegram: waits when told to, and says what was answered.

Waited for are 429 and 503 with a ``Retry-After`` (Discord also gives ``retry_after`` in
its body, Telegram ``parameters.retry_after``). What may have been posted already (no
answer, or a fault of the server) is never posted again. Addresses and tokens are
secret: only the host appears in a message, and what a server says is scrubbed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from presscheck import __version__
from presscheck.errors import BadInput, Unreachable
from presscheck.papers.replies import reason, retry_after
from presscheck.site.send.outcome import NotKnown

CONNECT, READ = 5.0, 30.0
PATIENCE = 180.0
"""Seconds of waiting for one message in all, as the server asks."""
TRIES = 6
LARGEST = 65536
"""Bytes of an answer that are read."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_address(address: str, name: str) -> None:
    """Whether an address can be posted to: https, or this machine.

    Raises:
        BadInput: without the address, since it is secret.
    """
    try:
        parts = urlsplit(address)
        good = bool(parts.hostname) and address.isprintable() and " " not in address
        good = good and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))
    except ValueError:
        good = False
    if not good:
        raise BadInput(
            f"the address of {name} is no https address", hint="copy it from the service as it stands"
        )


def scrub(text: str, secrets: Sequence[str]) -> str:
    """A text without anything secret in it."""
    for secret in sorted((one for one in secrets if len(one) >= 4), key=len, reverse=True):
        text = text.replace(secret, "•••")
    return text


def post(
    address: str,
    body: dict[str, Any],
    secrets: Sequence[str],
    wait: Callable[[float], None] = time.sleep,
) -> bytes:
    """Post one message and return what was answered.

    Args:
        address: secret.
        body: sent as JSON.
        secrets: what no message may show, beside the address.
        wait: waits for some seconds.

    Raises:
        BadInput: if the service refuses: nothing was posted.
        Unreachable: if it cannot be asked, or asks to wait longer than ``PATIENCE``: nothing was posted.
        NotKnown: if it did not answer, or with a fault of its own.
    """
    import httpx2

    hidden = [address, urlsplit(address).path.strip("/"), *secrets]
    host = urlsplit(address).hostname or ""
    waited = 0.0
    timeout = httpx2.Timeout(READ, connect=CONNECT)
    with httpx2.Client(timeout=timeout, headers={"User-Agent": f"presscheck/{__version__}"}) as client:
        for _ in range(TRIES):
            try:
                with client.stream("POST", address, json=body) as response:
                    answer = _read(response)
                    status = response.status_code
                    header = response.headers.get("Retry-After", "")
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                raise Unreachable(f"{host} cannot be reached: {scrub(reason(error), hidden)}") from None
            except httpx2.TimeoutException:
                raise NotKnown(f"{host} did not answer within {READ:g} s") from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise NotKnown(f"{host}: the connection was cut ({type(error).__name__})") from None
            if 200 <= status < 300:
                return answer
            pause = _pause(answer, header)
            if status == 429 or (status == 503 and pause is not None):
                pause = 1.0 if pause is None else pause
                if waited + pause > PATIENCE:
                    raise Unreachable(
                        f"{host} asks to wait {pause:.0f} s: longer than presscheck waits",
                        hint="run the same command again after that time; what was sent is not sent again",
                    )
                wait(pause)
                waited += pause
                continue
            said = scrub(_said(answer), hidden)
            if status >= 500:
                raise NotKnown(f"{host} answered HTTP {status}{said}")
            raise BadInput(f"{host} refused the message: HTTP {status}{said}", hint=_hint(status))
    raise Unreachable(f"{host} asked to wait {TRIES} times in a row", hint="run the same command again later")


def _read(response: Any) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes(16384):
        body += chunk
        if len(body) > LARGEST:
            break
    return bytes(body[:LARGEST])


def _pause(answer: bytes, header: str) -> float | None:
    """Seconds to wait: the longest of what head and body say; None if neither says."""
    said = [retry_after(header)] if header else []
    with suppress(ValueError, RecursionError):
        value = json.loads(answer)
        if isinstance(value, dict):
            inner = value.get("parameters")
            for number in (
                value.get("retry_after"),
                inner.get("retry_after") if isinstance(inner, dict) else None,
            ):
                if isinstance(number, int | float) and not isinstance(number, bool) and number >= 0:
                    said.append(float(number))
    return max((one for one in said if one is not None), default=None)


def _said(answer: bytes) -> str:
    """What the service says of the fault, on one short line."""
    text = answer.decode(errors="replace")
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            text = str(value.get("description") or value.get("message") or value.get("error") or "")
    flat = " ".join(text.split())
    return f": {flat[:200]}" if flat and not flat.startswith("<") else ""


def _hint(status: int) -> str:
    return {
        401: "is the token the one that the service gave?",
        403: "the webhook or the bot may have been taken away or have no right to write there",
        404: "the webhook may have been deleted, or the token is not right: make a new one",
        410: "the channel is gone or archived",
    }.get(status, "")


def ask(address: str, secrets: Sequence[str], name: str) -> None:
    """Ask whether an address is known, without posting.

    Raises:
        BadInput: if the service does not know it.
        Unreachable: if it does not answer.
    """
    import httpx2

    host = urlsplit(address).hostname or ""
    hidden = [address, urlsplit(address).path.strip("/"), *secrets]
    try:
        with httpx2.Client(timeout=httpx2.Timeout(10.0, connect=CONNECT)) as client:
            response = client.get(address)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable(f"{host} cannot be reached: {scrub(reason(error), hidden)}") from None
    if response.status_code != 200:
        said = scrub(_said(response.content[:LARGEST]), hidden)
        raise BadInput(f"{name} answered HTTP {response.status_code}{said}", hint=_hint(response.status_code))

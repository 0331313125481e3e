"""What a service's refusal or silence means, in plain words."""

from __future__ import annotations

import json
import math
import socket
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime

from presscheck.errors import BadInput, Unreachable
from presscheck.papers.days import utc_now


class Refused(BadInput):
    """The service says that the request itself is wrong."""


def retry_after(value: str) -> float | None:
    """Seconds of a ``Retry-After`` header, given as seconds or as a date; None if it says nothing."""
    value = value.strip()
    try:
        seconds = float(value)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max((moment - utc_now()).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def refusal(host: str, status: int, body: bytes) -> BadInput | Unreachable:
    """The error for a status that no second try would change."""
    message = ""
    with suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            message = f": {answer['error'][:300]}"
    if status in (401, 403, 407) or status >= 500 or status < 400:
        return Unreachable(f"{host} answered HTTP {status}{message}")
    return Refused(f"{host} refused the request with HTTP {status}{message}")


def reason(error: BaseException) -> str:
    """Why a connection could not be made, in plain words."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "its name could not be resolved; is there a network?"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(cause, ssl.SSLError):
            return f"its certificate was not accepted ({cause.reason or cause})"
        cause = cause.__cause__ or cause.__context__
    return str(error)[:200] or "the connection failed"

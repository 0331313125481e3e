"""What an endpoint's refusal means: ask again, ask for less, or tell the user what to put right."""

from __future__ import annotations

import re

from presscheck.digest.write.model import NoAnswer, TooLong
from presscheck.errors import BadInput, PresscheckError, Unreachable
from presscheck.papers.replies import reason, retry_after

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window)|maximum context|exceed\w* (?:the )?(?:available )?context"
    r"|too many tokens|prompt is too long|input is too long|reduce the length",
    re.IGNORECASE,
)
_OPTIONS = (
    # (what to leave out next, how the refusal names it)
    ("json_schema", r"json_schema|response_format|schema|grammar|structured"),
    ("stream_options", r"stream_options|include_usage"),
    ("temperature", r"temperature"),
    ("max_tokens", r"max_tokens|max_completion_tokens"),
)


class Again(Exception):
    """A failure that may pass.

    Args:
        what: What it was.
        wait: Seconds that the service wants us to wait.
        gone: Nobody is there at all.
        without: What to leave out of the next request.
    """

    def __init__(
        self, what: str, *, wait: float | None = None, gone: bool = False, without: str = ""
    ) -> None:
        super().__init__(what)
        self.what, self.wait, self.gone, self.without = what, wait, gone, without


def translate(
    error: Exception, model: str, base_url: str, key_name: str, without: set[str]
) -> Again | PresscheckError:
    """An SDK's error as what to do about it.

    Args:
        error: Anything that a request raised.
        model: Its name.
        base_url: Of the endpoint.
        key_name: Where the key is from.
        without: What is left out of requests already.
    """
    import json

    import httpx2
    import openai

    from presscheck.digest.write.wire import TooSlow

    if isinstance(error, openai.APIStatusError):
        return _status(error, model, base_url, key_name, without)
    if isinstance(error, openai.APITimeoutError | httpx2.ConnectTimeout):
        connecting = isinstance(error.__cause__ or error, httpx2.ConnectTimeout)
        return Again("no connection in time" if connecting else "no answer in time", gone=connecting)
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, TooSlow):
            return Again("the answer came too slowly")
        if isinstance(chain, httpx2.ConnectError):
            return Again(f"cannot be reached: {reason(chain)}", gone=True)
        if isinstance(chain, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
            return BadInput(f"`{base_url[:80]}` is not a URL that can be asked", hint="as in http://host/v1")
        chain = chain.__cause__
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return Again("the connection was cut")
    if isinstance(error, openai.APIError):
        return _told(error.message, getattr(error, "code", None))
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | openai.OpenAIError | ValueError):
        return Again("the answer is not of the protocol")
    return NoAnswer(f"{base_url}: {type(error).__name__}: {str(error)[:200]}")


def _told(message: str, code: object) -> Again | PresscheckError:
    """An error that comes inside of a stream."""
    if _TOO_LONG.search(message) or "context" in str(code):
        return TooLong(_over(message, {}), message[:300])
    return Again(f"the server broke off: {message[:200]}")


def _status(
    error: object, model: str, base_url: str, key_name: str, without: set[str]
) -> Again | PresscheckError:
    """An HTTP status that is no answer."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        raise TypeError(type(error).__name__)
    status, said = error.status_code, _message(error)
    body = error.body if isinstance(error.body, dict) else {}
    code = str(body.get("code") or body.get("type") or "")
    if "insufficient_quota" in code or "billing" in code:
        return BadInput(f"{base_url}: the account has no credit left: {said}")
    if _TOO_LONG.search(said) or "context" in code and status in (400, 413, 422):
        return TooLong(_over(said, body), f"{model}: {said}")
    if status in _AGAIN:
        return Again(f"HTTP {status}", wait=retry_after(error.response.headers.get("Retry-After", "")))
    if status in (401, 403):
        hint = f"set {key_name}" if key_name else "name the variable that has the key"
        return BadInput(f"{base_url} refused the key (HTTP {status}): {said}", hint=hint)
    if status == 404:
        return BadInput(
            f"{base_url} has no model `{model}`, or is no endpoint of this protocol: {said}",
            hint="the base URL mostly ends in /v1; ask the server for its models with GET …/models",
        )
    if status in (400, 422):
        for name, pattern in _OPTIONS:
            if re.search(pattern, said, re.IGNORECASE):
                if name not in without:
                    return Again(said, without=name)
                if name == "json_schema" and "response_format" not in without:
                    return Again(said, without="response_format")
        return NoAnswer(f"{base_url} refused the request (HTTP {status}): {said}")
    if 300 <= status < 400:
        return BadInput(f"{base_url} leads elsewhere (HTTP {status})", hint="give the address it leads to")
    return Unreachable(f"{base_url} answered HTTP {status}: {said}")


def _message(error: object) -> str:
    """What a service says, short and in one line."""
    body = getattr(error, "body", None)
    said = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(said or getattr(error, "message", ""))[:300].split())


def _over(said: str, body: dict[str, object]) -> int:
    """By how many tokens a question is too long, as far as the refusal tells."""
    asked, room = body.get("n_prompt_tokens"), body.get("n_ctx")
    if isinstance(asked, int) and isinstance(room, int):
        return max(1, asked - room)
    numbers = sorted(int(number.replace(",", "")) for number in re.findall(r"\d[\d,]{2,}", said))
    return max(1, numbers[-1] - numbers[0]) if len(numbers) > 1 else 200

"""A model behind an OpenAI-protocol endpoint: a vendor, Ollama, vLLM, llama.cpp.

Answers are streamed, so that one without end, one that drips and a run that is stopped
are cut off in time. What a server does not know (a schema, token counts, a parameter)
is left out of the next request; a server that may be asked again later is, with the
pause that it asks for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from presscheck.digest.write.model import NoAnswer, Question, Reply, Stopped, TooLong
from presscheck.digest.write.refusals import Again, translate
from presscheck.errors import BadInput, Unreachable
from presscheck.types import Struct

if TYPE_CHECKING:
    import openai

LETTERS_A_TOKEN = 4
"""Characters that a token has where the server does not count them."""
LONGEST_TOKEN = 12
"""Characters of an answer for each token that was asked for; beyond, it is cut off."""


class Patience(Struct, frozen=True, kw_only=True):
    """How long and how often an endpoint is asked."""

    connect: float = 5.0
    total: float = 180.0
    """Seconds for one answer, from the request to its last byte."""
    attempts: int = 5
    wait_initial: float = 1.0
    wait_max: float = 30.0
    jitter: float = 1.0
    longest_wait: float = 120.0
    """A ``Retry-After`` beyond this is told instead of waited for."""


class Endpoint:
    """A model by its name at a base URL.

    Args:
        model: As the server calls it.
        base_url: With its version, as in ``http://127.0.0.1:11434/v1``.
        key: Sent as bearer token.
        key_name: Where the key is from, for messages; never the key itself.
        at_once: Requests side by side.
        price: US dollars for a million tokens read and written; None if not known.
        patience: Limits.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        key: str,
        key_name: str,
        at_once: int = 4,
        price: tuple[float, float] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.name = model
        self.identity = f"{base_url.rstrip('/')} {model}"
        self.at_once = at_once
        self.price = price or (0.0, 0.0)
        self.priced = price is not None
        self._model, self._base_url, self._key, self._key_name = model, base_url, key, key_name
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None
        self._not_before = 0.0
        self._without: set[str] = set()
        """What this server has said that it does not know."""

    def ask(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        """See ``model.Model.ask``."""
        tries = 0
        begun = time.monotonic()
        while True:
            self._pause(stopped)
            tries += 1
            try:
                reply = self._once(question, stopped)
            except Again as error:
                if error.without and error.without not in self._without:
                    self._without.add(error.without)
                    tries -= 1
                    continue
                wait = self._wait(error, tries)
                if wait is None:
                    plural = "try" if tries == 1 else "tries"
                    asks = (
                        f" and asks to wait {error.wait:.0f} s"
                        if error.wait and error.wait > self._patience.longest_wait
                        else ""
                    )
                    message = f"{self._base_url}: {error.what}{asks}, after {tries} {plural}"
                    if error.gone:
                        raise Unreachable(message, hint=f"is the server of {self._model} running?") from error
                    raise NoAnswer(message) from error
                with self._lock:
                    if error.wait is not None:
                        # The service said it to all of us.
                        self._not_before = max(self._not_before, time.monotonic() + wait)
                        wait = 0.0
                self._sleep(wait, stopped)
                continue
            return Reply(
                text=reply.text,
                finish=reply.finish,
                read=reply.read,
                written=reply.written,
                counted=reply.counted,
                seconds=time.monotonic() - begun,
                requests=tries,
            )

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _wait(self, error: Again, tries: int) -> float | None:
        """Seconds before the next try; None if there is none."""
        import random

        patience = self._patience
        if error.gone:
            return 0.2 if tries < 2 else None
        if tries >= patience.attempts:
            return None
        if error.wait is not None:
            return error.wait if error.wait <= patience.longest_wait else None
        backoff: float = min(patience.wait_max, patience.wait_initial * 2.0 ** (tries - 1))
        return backoff + random.uniform(0, patience.jitter * min(1.0, backoff))

    def _pause(self, stopped: Callable[[], bool]) -> None:
        """Wait until the service wants to be asked again."""
        while (left := self._not_before - time.monotonic()) > 0:
            self._sleep(left, stopped)

    @staticmethod
    def _sleep(seconds: float, stopped: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if stopped():
                raise Stopped
            time.sleep(min(left, 0.1))

    def _once(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        """One request. Failures that may pass come as ``Again``, others as they are shown."""
        client = self._open()  # importing the SDK is not the server's time
        deadline = time.monotonic() + self._patience.total
        try:
            with client.chat.completions.create(**self._request(question)) as stream:
                return self._read(stream, question, deadline, stopped)
        except (Stopped, TooLong, BadInput, Again):
            raise
        except Exception as error:
            # The SDK raises its own errors, those of its transport and of its JSON reader.
            raise translate(error, self._model, self._base_url, self._key_name, self._without) from error

    def _request(self, question: Question) -> dict[str, Any]:
        """The request, without what the server has refused."""
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": one.role, "content": one.content} for one in question.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "max_tokens": question.most,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "facts", "strict": True, "schema": question.schema},
            },
        }
        for name in ("stream_options", "temperature"):
            if name in self._without:
                del request[name]
        if "json_schema" in self._without:
            request["response_format"] = {"type": "json_object"}
        if "response_format" in self._without:
            del request["response_format"]
        if "max_tokens" in self._without:
            request["max_completion_tokens"] = request.pop("max_tokens")
        return request

    def _read(self, stream: Any, question: Question, deadline: float, stopped: Callable[[], bool]) -> Reply:
        """The answer, as far as it is wanted."""
        parts: list[str] = []
        letters, finish, refused, usage = 0, "", False, None
        most = question.most * LONGEST_TOKEN
        for chunk in stream:
            if stopped():
                raise Stopped
            if time.monotonic() > deadline:
                raise Again(f"the answer was not complete after {self._patience.total:g} s")
            usage = getattr(chunk, "usage", None) or usage
            for choice in getattr(chunk, "choices", None) or ():
                finish = choice.finish_reason or finish
                delta = choice.delta
                refused = refused or bool(getattr(delta, "refusal", None))
                if delta is not None and delta.content:
                    parts.append(delta.content)
                    letters += len(delta.content)
            if letters > most:
                finish = "length"
                break
        text = "".join(parts)
        if not finish:
            raise Again("the answer broke off")
        if not text.strip() and not refused and finish not in ("content_filter", "length"):
            raise Again("the answer was empty")
        return Reply(
            text=text,
            finish="refused"
            if refused or finish == "content_filter"
            else "length"
            if finish == "length"
            else "stop",
            read=usage.prompt_tokens if usage else question.letters // LETTERS_A_TOKEN,
            written=usage.completion_tokens if usage else letters // LETTERS_A_TOKEN,
            counted=usage is not None,
        )

    def _open(self) -> openai.OpenAI:
        """The client, made on first use."""
        with self._lock:
            if self._client is None:
                try:
                    import httpx2
                    import openai
                except ImportError as error:
                    raise BadInput(
                        "a model at an endpoint needs openai", hint="`pip install 'presscheck[llm]'`"
                    ) from error
                from presscheck.digest.write.wire import Wire

                limits = httpx2.Timeout(self._patience.total, connect=self._patience.connect)
                self._client = openai.OpenAI(
                    api_key=self._key,
                    base_url=self._base_url,
                    max_retries=0,
                    http_client=httpx2.Client(
                        transport=Wire(self._base_url, self._patience.total),
                        timeout=limits,
                        follow_redirects=False,
                    ),
                )
            return self._client

"""A model in a GGUF file, run in this process by llama.cpp (xllamacpp)."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from presscheck.digest.write.gguf import check_gguf, load
from presscheck.digest.write.model import NoAnswer, Question, Reply, Stopped, TooLong

CONTEXT = 8192
"""Tokens of question and answer together, unless the user says otherwise."""
_NO_LOOPS = {"dry_multiplier": 0.8, "dry_allowed_length": 6, "dry_penalty_last_n": 96}
"""llama.cpp's sampler against repetition: small models go round in circles until the answer is full. Six
tokens in a row may come again, so that names do, and only the answer's last stretch counts, so that the
paper's words may be used."""


class Local:
    """A model in a file. It is loaded on the first question, and answers one at a time.

    Args:
        path: Of the GGUF file.
        context: Tokens of question and answer together.
        threads: Of the processor; None takes ``spare_threads``.
        total: Seconds for one answer.

    Raises:
        BadInput: if there is no such file, or it is no GGUF file.
    """

    at_once = 1
    price = (0.0, 0.0)
    priced = True

    def __init__(
        self, path: Path, *, context: int = CONTEXT, threads: int | None = None, total: float = 600.0
    ) -> None:
        check_gguf(path)
        self.name = path.name
        self._path, self._context, self._total = path, context, total
        self._threads = threads or spare_threads()
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def identity(self) -> str:
        """The file by its content, as far as it can be told quickly: size, and a hash of both ends."""
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            ends = file.read(1 << 20)
            file.seek(max(0, size - (1 << 20)))
            ends += file.read()
        return f"gguf {self.name} {size} {hashlib.sha256(ends).hexdigest()[:16]} {self._context}"

    def ask(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        """See ``model.Model.ask``."""
        with self._lock:
            if stopped():
                raise Stopped
            return self._ask(question, stopped)

    def _ask(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        begun = time.monotonic()
        parts: list[str] = []
        seen: dict[str, Any] = {}

        def take(chunk: Any) -> bool:
            """Called for each piece; True ends the answer."""
            if isinstance(chunk, dict):
                seen["error"] = chunk.get("error") or seen.get("error")
                seen["usage"] = chunk.get("usage") or seen.get("usage")
                for choice in chunk.get("choices") or ():
                    seen["finish"] = choice.get("finish_reason") or seen.get("finish")
                    parts.append((choice.get("delta") or {}).get("content") or "")
            if stopped():
                seen["stopped"] = True
                return True
            if time.monotonic() - begun > self._total:
                seen["finish"] = "length"
                return True
            return False

        request = {
            "messages": [{"role": one.role, "content": one.content} for one in question.messages],
            "max_tokens": question.most,
            "temperature": 0,
            **_NO_LOOPS,
            "stream": True,
            "stream_options": {"include_usage": True},
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "facts", "strict": True, "schema": question.schema},
            },
        }
        answer = self._open().handle_chat_completions(request, take)
        if isinstance(answer, dict) and answer.get("error"):
            seen["error"] = answer["error"]
        if seen.get("stopped"):
            raise Stopped
        if error := seen.get("error"):
            raise _failure(error, self.name)
        text = "".join(parts)
        usage = seen.get("usage") or {}
        return Reply(
            text=text,
            finish="length" if seen.get("finish") == "length" else "stop",
            read=usage.get("prompt_tokens", question.letters // 4),
            written=usage.get("completion_tokens", len(text) // 4),
            counted=bool(usage),
            seconds=time.monotonic() - begun,
        )

    def close(self) -> None:
        """Free the model's memory."""
        with self._lock:
            self._server = None

    def _open(self) -> Any:
        """The model, loaded on first use."""
        if self._server is None:
            # It also listens on this machine; with a key that nobody knows, nobody can ask it.
            key = secrets.token_hex(16)
            self._server = load(self._path, context=self._context, threads=self._threads, key=key)
        return self._server


def spare_threads() -> int:
    """The processors that this process may use, but one.

    llama.cpp's threads wait for each other awake, so where one of them has to share its
    processor all stand still: on two busy ones two threads wrote 5 tokens a second, one wrote 44.
    """
    return max(1, len(os.sched_getaffinity(0)) - 1)


def _failure(error: Any, name: str) -> TooLong | NoAnswer:
    """What llama.cpp says went wrong."""
    said = str(error.get("message", error) if isinstance(error, dict) else error)[:300]
    if isinstance(error, dict) and "context" in f"{error.get('type')} {said}":
        asked, room = error.get("n_prompt_tokens"), error.get("n_ctx")
        over = asked - room if isinstance(asked, int) and isinstance(room, int) else 1
        return TooLong(max(1, over), f"{name}: {said}")
    return NoAnswer(f"{name}: {said}")

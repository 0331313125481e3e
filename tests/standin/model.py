"""A server of ours that speaks the OpenAI protocol and says what a test has written for it.

A script is called with the request's body (and how many came before) and gives an
``Act``: what to answer, and how badly.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass
class Act:
    """One answer."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    """The ``error`` object of a status that is no answer."""
    finish: str = "stop"
    refusal: str = ""
    cut_after: int = -1
    """Pieces after which the connection is closed; -1 for never."""
    drip: float = 0.0
    """Seconds between two bytes of comment, for ever."""
    endless: bool = False
    pause: float = 0.0
    """Seconds before the answer begins."""
    usage: bool = True
    raw: bytes | None = None
    """The body as it is, whatever it is."""
    stream_error: dict[str, Any] = field(default_factory=dict)


Script = Callable[[dict[str, Any], int], Act]


def data_of(body: dict[str, Any]) -> dict[str, Any]:
    """The paper that a request shows."""
    return json.loads(body["messages"][-1]["content"])


def facts(*given: dict[str, Any]) -> str:
    """An answer with these facts; what they leave out is empty."""
    blank = {"section": "whats_new", "sentences": [1], "quantities": [], "en": "", "ko": ""}
    return json.dumps({"facts": [{**blank, **one} for one in given]}, ensure_ascii=False)


def amount(value: str, unit: str = "", scale: str = "", hedge: str = "") -> dict[str, str]:
    """A quantity as a model gives it."""
    return {"value": value, "unit": unit, "scale": scale, "hedge": hedge, "condition": "", "subject": ""}


class ScriptedModel:
    """The server; use it as a context manager."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.answered = 0
        """Requests whose answer was sent to its end."""
        self.keys: list[str] = []
        self.resumed = False
        """For scripts: whether the run that they wait for has begun."""
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with owner._lock:
                    number = len(owner.requests)
                    owner.requests.append(body)
                    owner.keys.append(self.headers.get("Authorization", ""))
                    owner.at_once += 1
                    owner.most_at_once = max(owner.most_at_once, owner.at_once)
                try:
                    act = owner.script(body, number)
                    # Counted before the last byte goes out: who is answered may be killed at once.
                    with contextlib.suppress(OSError):
                        owner._play(self, act, body)
                finally:
                    with owner._lock:
                        owner.at_once -= 1

        return Handler

    def _play(self, handler: BaseHTTPRequestHandler, act: Act, body: dict[str, Any]) -> None:
        if act.pause:
            self.closing.wait(act.pause)
        if act.raw is not None or act.status != 200:
            sent = act.raw if act.raw is not None else json.dumps({"error": act.error}).encode()
            handler.send_response(act.status)
            for name, value in {"Content-Type": "application/json", **act.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(sent)))
            handler.end_headers()
            handler.wfile.write(sent)
            return
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()

        def send(value: dict[str, Any] | str) -> None:
            line = value if isinstance(value, str) else json.dumps(value)
            handler.wfile.write(f"data: {line}\n\n".encode())
            handler.wfile.flush()

        def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
            return {
                "id": "c", "object": "chat.completion.chunk", "created": 0, "model": body["model"],
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }  # fmt: skip

        while act.drip and not self.closing.is_set():
            handler.wfile.write(b": still here\n\n")
            handler.wfile.flush()
            time.sleep(act.drip)
        while act.endless and not self.closing.is_set():
            send(chunk({"content": "and so on " * 20}))
        pieces = [act.text[i : i + 40] for i in range(0, len(act.text), 40)]
        for count, piece in enumerate(pieces):
            if count == act.cut_after:
                return
            send(chunk({"content": piece}))
        if act.stream_error:
            send({"error": act.stream_error})
            return
        if act.refusal:
            send(chunk({"refusal": act.refusal}))
        with self._lock:
            self.answered += 1
        send(chunk({}, act.finish))
        if act.usage and "stream_options" in body:
            letters = sum(len(message["content"]) for message in body["messages"])
            usage = {"prompt_tokens": letters // 4, "completion_tokens": len(act.text) // 4}
            send({**chunk({}), "choices": [], "usage": usage})
        send("[DONE]")

"""Real local servers: SMTP with TLS by aiosmtpd, and HTTP that answers as the chat services document."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Answer:
    """One answer of a service."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Take the request, then close without an answer."""


SLACK_OK = Answer(200, b"ok", {"Content-Type": "text/html"})
DISCORD_OK = Answer(204)
TELEGRAM_OK = Answer(200, b'{"ok":true,"result":{"message_id":7,"chat":{"id":1},"date":1,"text":"x"}}')


class Service:
    """A local HTTP server that gives prepared answers, then ``usual``."""

    def __init__(self, usual: Answer) -> None:
        self.usual = usual
        self.queue: list[Answer] = []
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                service.bodies.append(json.loads(self.rfile.read(length)))
                service.paths.append(self.path)
                self.answer()

            def do_GET(self) -> None:
                service.paths.append(self.path)
                self.answer()

            def answer(self) -> None:
                answer = service.queue.pop(0) if service.queue else service.usual
                if answer.cut:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def service(usual: Answer) -> Iterator[Service]:
    running = Service(usual)
    try:
        yield running
    finally:
        running.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


class Mailbox:
    """What a mail server took, and whom it refuses."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.refused: set[str] = set()
        self.data = "250 Message accepted for delivery"
        self.logins: list[tuple[bytes, bytes]] = []
        self.secured: list[bool] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.secured.append(session.ssl is not None)
        if self.data.startswith("250"):
            self.mails.append((list(envelope.rcpt_tos), envelope.content))
        return self.data


@contextmanager
def smtp(mailbox: Mailbox, folder: Path, security: str) -> Iterator[int]:
    """A mail server on 127.0.0.1; yields its port. ``user`` with ``right password`` may write."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        mailbox.logins.append((data.login, data.password))
        good = (data.login, data.password) == (b"user", b"right password")
        return AuthResult(success=good, handled=False)

    given: dict[str, Any] = {}
    context = None
    if security != "none":
        cert, key = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        given = {"authenticator": authenticate, "auth_required": True}
        given |= {"require_starttls": True} if security == "starttls" else {"auth_require_tls": False}

    class Server(Controller):
        def factory(self) -> SMTP:
            inside = context if security == "starttls" else None
            return SMTP(self.handler, tls_context=inside, hostname="localhost", **given)

    outside = {"ssl_context": context} if security == "tls" else {}
    running = Server(mailbox, hostname="127.0.0.1", port=0, **outside)
    # Port 0 is taken by the system; the controller asks itself whether it runs on `port`.
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        running.port = free.getsockname()[1]
    running.start()
    try:
        yield running.port
    finally:
        running.stop()

"""A local server that plays Hugging Face and arXiv, and their faults.

In a test::

    with StandIn() as service:
        service.fault("429", times=2)
        ... service.hf_url, service.arxiv_url, service.asked ...

In a shell: ``python tests/standin/server.py --fault hf:500`` prints the two variables
to set. It listens on 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

if __package__:
    from tests.standin.papers import atom_entry, atom_error, atom_feed, daily_list
else:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.standin.papers import atom_entry, atom_error, atom_feed, daily_list

FAULTS = {
    "429": "too many requests, with Retry-After (option retry_after)",
    "500": "a fault of the server",
    "503": "the server is busy",
    "404": "refused, with a JSON error",
    "403": "forbidden",
    "html": "an HTML page with status 200",
    "no data": "an answer that is neither JSON nor XML",
    "shape": "JSON of another shape (arXiv: another XML)",
    "field": "a list whose entries all lack a field",
    "error": "an error object (arXiv: an error entry)",
    "one": "the number 1, as some collections store an empty day",
    "texts": "a list of Python texts",
    "empty": "an empty list",
    "bad paper": "one entry of the list has no id",
    "twice": "one entry of the list stands there twice",
    "stall": "the head of an answer, then nothing",
    "silence": "the request is taken, then nothing",
    "cut": "the connection is cut in the middle of the body",
    "gzip cut": "a gzip body that ends early",
    "drip": "a byte now and then",
    "huge": "an answer without end",
    "entities": "XML that declares entities",
}
GATEWAY = "<!DOCTYPE html>\n<html><head><title>502 Bad gateway</title></head><body>Try later.</body></html>"


@dataclass
class Asked:
    """One request that came in."""

    service: str
    query: dict[str, str]
    agent: str
    conditional: bool
    """Whether the client holds an answer and asks if it is still good."""
    at: float


@dataclass
class Fault:
    """A fault and how often it still happens; None is for ever."""

    name: str
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


class StandIn:
    """Both services on a free port.

    Args:
        papers: papers of each weekday, where ``days`` does not say otherwise.
        today: the newest day that has a list; None takes the clock's.
        port: 0 takes a free one.
    """

    def __init__(self, *, papers: int = 12, today: date | None = None, port: int = 0) -> None:
        self.papers = papers
        self.today = today
        self.days: dict[str, int] = {}
        self.more_votes = 0
        self.missing: set[str] = set()
        self.refused: set[str] = set()
        self.largest_page = 100
        self.shift = 0
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()
        standin = self

        class Handler(_Handler):
            service = standin

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def hf_url(self) -> str:
        return f"{self.url}/hf"

    @property
    def arxiv_url(self) -> str:
        return f"{self.url}/arxiv"

    def fault(self, name: str, *, service: str = "hf", times: int | None = None, **options: Any) -> None:
        """Switch a fault on."""
        if name not in FAULTS:
            raise ValueError(f"no fault called {name}: there are {', '.join(FAULTS)}")
        self._faults[service] = Fault(name, times, options)

    def well(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def count(self, service: str = "hf") -> int:
        """How often a service was asked."""
        return sum(asked.service == service for asked in self.asked)

    def take_fault(self, service: str) -> Fault | None:
        """The fault of this request."""
        with self._lock:
            fault = self._faults.get(service)
            if fault is None or fault.times == 0:
                return None
            if fault.times is not None:
                fault.times -= 1
            return fault

    def list_of(self, day: str) -> list[dict[str, Any]]:
        """The whole list of a day."""
        weekend = date.fromisoformat(day).weekday() >= 5
        count = self.days.get(day, 0 if weekend else self.papers)
        return daily_list(day, count, self.more_votes)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Does not wait for stalled answers, and takes a client that hangs up as it comes."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    service: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what was asked is in ``asked``."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        name = "hf" if parts.path == "/hf/api/daily_papers" else "arxiv"
        if name == "arxiv" and parts.path != "/arxiv/api/query":
            self._send(404, b'{"error": "no such page"}', "application/json")
            return
        agent, conditional = self.headers.get("User-Agent", ""), "If-None-Match" in self.headers
        self.service.asked.append(Asked(name, query, agent, conditional, time.monotonic()))
        fault = self.service.take_fault(name)
        try:
            if fault is None or not self._play(name, fault, query):
                status, body, kind = self._hf(query) if name == "hf" else self._arxiv(query)
                self._send(status, body, kind)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _hf(self, query: dict[str, str]) -> tuple[int, bytes, str]:
        kind = "application/json; charset=utf-8"
        day = query.get("date", "")
        today = self.service.today or datetime.now(UTC).date()
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", day) or date.fromisoformat(day) > today:
            return 400, b'{"error": "Invalid date"}', kind
        limit = min(int(query.get("limit", 50)), self.service.largest_page)
        start = limit * int(query.get("p", 0))
        if start:
            start -= self.service.shift  # entries that moved down between two requests
        page = self.service.list_of(day)[start : start + limit]
        return 200, json.dumps(page, ensure_ascii=False).encode(), kind

    def _arxiv(self, query: dict[str, str]) -> tuple[int, bytes, str]:
        kind = "application/atom+xml; charset=utf-8"
        start, most = int(query.get("start", 0)), int(query.get("max_results", 10))
        if "id_list" in query:
            asked = query["id_list"].split(",")
            if bad := [one for one in asked if one in self.service.refused]:
                return 400, atom_error(f"incorrect id format for {bad[0]}").encode(), kind
            wanted = [re.fullmatch(r"(.*?)(?:v(\d+))?", one) for one in asked]
            known = [m for m in wanted if m and m[1] not in self.service.missing]
            # The API answers in an order of its own.
            entries = [atom_entry(m[1], int(m[2] or 3)) for m in reversed(known)]
        else:
            found = re.search(r"submittedDate:\[(\d{4})(\d\d)(\d\d)", query.get("search_query", ""))
            day = "-".join(found.groups()) if found else ""
            listed = self.service.list_of(day) if day else []
            entries = [atom_entry(entry["paper"]["id"]) for entry in listed]
        return 200, atom_feed(entries[start : start + most], len(entries)).encode(), kind

    def _play(self, name: str, fault: Fault, query: dict[str, str]) -> bool:
        """Do what the fault does; False where the answer is an ordinary one."""
        status, body, kind = self._hf(query) if name == "hf" else self._arxiv(query)
        page = json.loads(body) if name == "hf" and status == 200 else []
        match fault.name:
            case "429" | "500" | "503" | "403" | "404":
                head = {"Retry-After": str(fault.options["retry_after"])} if fault.options else {}
                self._send(int(fault.name), b'{"error": "said the stand-in"}', "application/json", head)
            case "html":
                self._send(200, GATEWAY.encode(), "text/html")
            case "no data":
                self._send(200, body[: len(body) // 2], kind)
            case "shape":
                self._send(200, b'{"papers": []}' if name == "hf" else b"<rss><channel/></rss>", kind)
            case "field":
                for entry in page:
                    del entry["paper"]["id"]
                self._send(200, json.dumps(page).encode(), kind)
            case "error":
                told = b'{"error": "the list is being made"}' if name == "hf" else atom_error("no").encode()
                self._send(200, told, kind)
            case "one":
                self._send(200, b"1", kind)
            case "texts":
                self._send(200, json.dumps([repr(entry) for entry in page]).encode(), kind)
            case "empty":
                self._send(200, b"[]", kind)
            case "bad paper":
                del page[len(page) // 2]["paper"]["id"]
                self._send(200, json.dumps(page).encode(), kind)
            case "twice":
                self._send(200, json.dumps([*page, page[0]]).encode(), kind)
            case "entities":
                bomb = '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
                self._send(200, body.replace(b"<feed", bomb.encode() + b"<feed", 1), kind)
            case _:
                self._break(fault, body, kind)
        return True

    def _break(self, fault: Fault, body: bytes, kind: str) -> None:
        """The faults of a connection."""
        self.close_connection = True
        if fault.name == "silence":
            self.service.stopping.wait(60)
            return
        packed = gzip.compress(body)
        if fault.name == "gzip cut":
            half = packed[: len(packed) // 2]
            self._send(200, half, kind, {"Content-Encoding": "gzip"})
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if fault.name != "huge":
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        match fault.name:
            case "stall":
                self.service.stopping.wait(60)
            case "cut":
                self.wfile.write(body[: len(body) // 2])
            case "drip":
                for index in range(len(body)):
                    self.wfile.write(body[index : index + 1])
                    self.wfile.flush()
                    if self.service.stopping.wait(0.05):
                        return
            case "huge":
                while not self.service.stopping.is_set():
                    self.wfile.write(b" " * 2**20)

    def _send(self, status: int, body: bytes, kind: str, head: dict[str, str] | None = None) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("ETag", tag)
        if status in (200, 304):
            self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (head or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Plays Hugging Face Daily Papers and the arXiv API.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--papers", type=int, default=12, help="papers of each weekday")
    parser.add_argument("--fault", action="append", default=[], metavar="SERVICE:NAME[:TIMES]")
    parser.add_argument("--retry-after", help="for the fault 429")
    parser.add_argument("--list", action="store_true", help="list the faults")
    options = parser.parse_args()
    if options.list:
        for name, what in FAULTS.items():
            print(f"{name:10} {what}")
        return
    with StandIn(papers=options.papers, port=options.port) as service:
        for text in options.fault:
            where, name, *times = text.split(":")
            extra = {"retry_after": options.retry_after} if options.retry_after else {}
            service.fault(name, service=where, times=int(times[0]) if times else None, **extra)
        print(f"export PRESSCHECK_HF_URL={service.hf_url}")
        print(f"export PRESSCHECK_ARXIV_URL={service.arxiv_url} PRESSCHECK_ARXIV_INTERVAL=0", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()

"""The client against a server that plays the services' faults."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest

from presscheck import __version__
from presscheck.errors import BadInput, PresscheckError, Unreachable
from presscheck.papers import wire
from presscheck.papers.days import utc_now
from presscheck.papers.http import CONNECT_AGAIN, Client, Manners
from presscheck.papers.huggingface import fetch_day
from presscheck.papers.replies import retry_after
from presscheck.papers.settings import Settings
from tests.standin.client import client_for
from tests.standin.server import StandIn

DAY = "2026-01-07"  # a Wednesday
NOWHERE = Settings(hf_url="http://papers.invalid")


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


FAULTS = [
    # fault, error, words of its message, requests
    ("429", Unreachable, "HTTP 429, after 3 tries", 3),
    ("500", Unreachable, "HTTP 500, after 3 tries", 3),
    ("503", Unreachable, "HTTP 503, after 3 tries", 3),
    ("403", Unreachable, "HTTP 403", 1),
    ("404", BadInput, "HTTP 404: said the stand-in", 1),
    ("html", BadInput, "is an HTML page (“502 Bad gateway”), not JSON", 1),
    ("no data", BadInput, "is not JSON: ", 1),
    ("shape", BadInput, "`$` is an object: it has to be a list of papers", 1),
    ("field", BadInput, "$[0].paper.id is missing", 1),
    ("error", BadInput, "the list is being made", 1),
    ("stall", Unreachable, "no answer within 0.3 s, after 3 tries", 3),
    ("silence", Unreachable, "no answer within 0.3 s, after 3 tries", 3),
    ("cut", Unreachable, "the connection was cut, after 3 tries", 3),
    ("gzip cut", BadInput, "is not JSON: ", 1),
    ("drip", Unreachable, "sends too slowly: the answer was not complete after 1.5 s", 1),
    ("huge", BadInput, "sent more than 64 MB", 1),
]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(("fault", "error", "words", "asked"), FAULTS, ids=[row[0] for row in FAULTS])
def test_each_fault_is_told_after_a_bounded_number_of_tries_and_seconds(
    service: StandIn, tmp_path: Path, fault: str, error: type, words: str, asked: int, cached: bool
) -> None:
    service.fault(fault)
    start = time.monotonic()
    with client_for(service, tmp_path if cached else None) as client, pytest.raises(error) as caught:
        fetch_day(DAY, client)
    assert words in caught.value.message
    assert service.count() == asked
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("fault", ["429", "500", "503", "stall", "cut"])
def test_a_fault_that_passes_costs_a_retry_and_no_paper(service: StandIn, fault: str) -> None:
    service.fault(fault, times=2)
    with client_for(service) as client:
        assert len(fetch_day(DAY, client).papers) == 12
    assert service.count() == 3


def test_retry_after_is_waited_for(service: StandIn) -> None:
    service.fault("429", times=1, retry_after=1)
    start = time.monotonic()
    with client_for(service, total=5.0) as client:
        fetch_day(DAY, client)
    assert time.monotonic() - start >= 1.0


def test_a_retry_after_beyond_the_cap_is_told_instead_of_waited_for(service: StandIn) -> None:
    service.fault("429", retry_after=3600)
    with client_for(service) as client, pytest.raises(Unreachable, match="asks to wait 3600 s") as error:
        fetch_day(DAY, client)
    assert "after that time" in error.value.hint
    assert service.count() == 1


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after("") is None
    assert retry_after("soon") is None
    assert retry_after("nan") is None
    later = format_datetime(utc_now() + timedelta(seconds=90), usegmt=True)
    assert 85 <= (retry_after(later) or 0) <= 90
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_name_that_does_not_resolve_is_told_at_once_and_not_retried(
    service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def nowhere(host: str, *rest: object, **more: object) -> list[object]:
        looked.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with Client(None, NOWHERE) as client, pytest.raises(Unreachable) as error:
        fetch_day(DAY, client)
    assert error.value.message.startswith("papers.invalid cannot be reached: its name could not be resolved")
    assert looked == ["papers.invalid"]


def test_a_name_server_that_stays_silent_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: done.wait(20) and [])
    monkeypatch.setattr(wire, "RESOLVE", 0.2)
    start = time.monotonic()
    with Client(None, NOWHERE) as client, pytest.raises(Unreachable):
        fetch_day(DAY, client)
    done.set()
    assert time.monotonic() - start < 2


def test_by_default_a_missing_network_is_told_within_five_seconds() -> None:
    assert wire.RESOLVE < 5
    assert 2 * Manners().connect + CONNECT_AGAIN < 5


def test_a_host_that_drops_packets_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def drop(self: wire.Wire, request: httpx2.Request) -> httpx2.Response:
        tried.append(request.url)
        raise httpx2.ConnectTimeout("timed out")

    monkeypatch.setattr(wire.Wire, "handle_request", drop)
    start = time.monotonic()
    with Client(None, NOWHERE) as client, pytest.raises(Unreachable) as error:
        fetch_day(DAY, client)
    assert error.value.message == "papers.invalid could not be read: no connection in time, after 2 tries"
    assert len(tried) == 2
    assert time.monotonic() - start < 1


def test_a_refused_connection_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with Client(None, Settings(hf_url=url)) as client, pytest.raises(Unreachable, match="refused"):
            fetch_day(DAY, client)
    assert time.monotonic() - start < 2


def test_the_time_to_connect_is_shared_by_the_addresses_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_count_addresses", lambda host, port: 4)
    request = httpx2.Request("GET", "https://papers.invalid/", extensions={"timeout": {"read": 9.0}})
    wire.Wire(Settings(), 2.0, None)._limit_connect(request, request.url)
    assert request.extensions["timeout"] == {"read": 9.0, "connect": 0.5}


def test_the_service_learns_who_asks(service: StandIn) -> None:
    with client_for(service) as client:
        fetch_day(DAY, client)
    assert service.asked[0].agent == f"presscheck/{__version__}"


def test_an_answer_that_is_kept_is_not_asked_for_again(service: StandIn, tmp_path: Path) -> None:
    url = f"{service.arxiv_url}/api/query"
    query: dict[str, str | int] = {"id_list": "2401.00501"}
    for _ in range(2):
        with client_for(service, tmp_path) as client:
            body = client.get(url, query, bytes, keep=60)
    assert b"2401.00501" in body
    assert service.count("arxiv") == 1
    with client_for(service, tmp_path) as client:
        client.get(url, query, bytes, keep=60, fresh=True)
    assert service.count("arxiv") == 2


def test_an_answer_that_cannot_be_read_is_not_kept(service: StandIn, tmp_path: Path) -> None:
    def refuse(body: bytes) -> bytes:
        if b"<feed" not in body:
            raise BadInput("no feed")
        return body

    service.fault("html", service="arxiv", times=1)
    url = f"{service.arxiv_url}/api/query"
    with client_for(service, tmp_path) as client:
        with pytest.raises(BadInput):
            client.get(url, {"id_list": "2401.00501"}, refuse, keep=60)
        assert b"2401.00501" in client.get(url, {"id_list": "2401.00501"}, refuse, keep=60)


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_broken_cache_does_not_cost_the_answer(service: StandIn, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "http.db").write_bytes(content)
    with client_for(service, tmp_path) as client:
        assert len(fetch_day(DAY, client).papers) == 12


def test_a_cache_that_cannot_be_made_does_not_cost_the_answer(service: StandIn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with client_for(service, tmp_path / "file" / "cache") as client:
        assert len(fetch_day(DAY, client).papers) == 12


def test_arxiv_is_never_asked_more_often_than_every_three_seconds() -> None:
    hurried = wire.Wire(Settings(arxiv_url="https://export.arxiv.org", arxiv_interval=0.0), 1.0, None)
    assert hurried._service(httpx2.URL("https://export.arxiv.org/api/query")) == ("arxiv.org", 3.0)
    assert hurried._service(httpx2.URL("http://rss.arxiv.org/atom/cs.CL")) == ("arxiv.org", 3.0)
    own = wire.Wire(Settings(arxiv_url="http://127.0.0.1:8/arxiv", arxiv_interval=0.5), 1.0, None)
    assert own._service(httpx2.URL("http://127.0.0.1:8/arxiv/api/query")) == ("127.0.0.1:8", 0.5)
    assert own._service(httpx2.URL("http://127.0.0.1:8/hf/api/daily_papers"))[1] == 0
    assert own._service(httpx2.URL("https://notarxiv.org/"))[1] == 0


def test_threads_share_one_clock_and_one_connection(service: StandIn) -> None:
    settings = Settings(arxiv_url=service.arxiv_url, arxiv_interval=0.15)

    def ask(number: int) -> None:
        with Client(None, settings) as client:
            client.get(f"{service.arxiv_url}/api/query", {"id_list": f"2401.{501 + number:05d}"}, bytes)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(asked.at for asked in service.asked)
    assert len(times) == 4
    assert min(late - early for early, late in zip(times, times[1:], strict=False)) >= 0.15


ASK = """
import sys
from pathlib import Path
from presscheck.papers.http import Client
from presscheck.papers.replies import retry_after
from presscheck.papers.settings import Settings
url, folder, first = sys.argv[1:]
with Client(Path(folder), Settings(arxiv_url=url, arxiv_interval=0.6)) as client:
    for number in range(2):
        client.get(f"{url}/api/query", {"id_list": f"2401.005{first}{number}"}, bytes)
"""


def test_processes_share_the_clock_too(service: StandIn, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK, service.arxiv_url, str(tmp_path)]
    running = [subprocess.Popen([*command, str(first)]) for first in range(2)]
    assert [process.wait(30) for process in running] == [0, 0]
    times = sorted(asked.at for asked in service.asked)
    assert len(times) == 4
    assert min(late - early for early, late in zip(times, times[1:], strict=False)) >= 0.6


def test_a_turn_is_given_back_after_a_fault(service: StandIn, tmp_path: Path) -> None:
    service.fault("cut", service="arxiv", times=4)
    url = f"{service.arxiv_url}/api/query"
    settings = Settings(arxiv_url=service.arxiv_url, arxiv_interval=0.01)
    with Client(tmp_path, settings, Manners(wait_initial=0, wait_max=0, jitter=0, attempts=4)) as client:
        with pytest.raises(PresscheckError):
            client.get(url, {"id_list": "2401.00501"}, bytes)
        assert client.get(url, {"id_list": "2401.00501"}, bytes)

"""When the library is enough, when a service is asked, and what is said when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from presscheck.errors import BadInput, Unreachable
from presscheck.papers.daily import load_day, load_newest
from presscheck.papers.http import Client
from presscheck.papers.library import Library
from presscheck.papers.settings import Settings
from tests.standin.client import client_for
from tests.standin.server import StandIn

DAY = "2026-01-07"
MORNING = datetime(2026, 1, 7, 9, tzinfo=UTC)
EVENING = datetime(2026, 1, 7, 21, tzinfo=UTC)
AFTER = datetime(2026, 1, 8, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 9, 1, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def client(service: StandIn, library: Library) -> Iterator[Client]:
    with client_for(service, library.cache_folder) as running:
        yield running


def test_a_closed_day_is_fetched_once(service: StandIn, library: Library, client: Client) -> None:
    first = load_day(DAY, library=library, client=client, now=AFTER)
    again = load_day(DAY, library=library, client=client, now=LATER)
    assert service.count() == 1
    assert again == first
    assert again.state == "closed"


def test_an_open_day_is_used_while_it_is_open_and_asked_again_when_it_is_over(
    service: StandIn, library: Library, client: Client
) -> None:
    service.days[DAY] = 5
    assert load_day(DAY, library=library, client=client, now=MORNING).state == "open"
    service.days[DAY] = 9
    assert len(load_day(DAY, library=library, client=client, now=EVENING).papers) == 5
    assert service.count() == 1
    closed = load_day(DAY, library=library, client=client, now=AFTER)
    assert (closed.state, len(closed.papers)) == ("closed", 9)
    assert len(library.snapshots(DAY)) == 2


def test_a_list_that_did_not_change_is_checked_and_not_sent_again(
    service: StandIn, library: Library, client: Client
) -> None:
    for now in (AFTER, LATER):
        load_day(DAY, refresh=True, library=library, client=client, now=now)
    assert [asked.conditional for asked in service.asked] == [False, True]
    assert [len(library.snapshots(DAY))] == [2]


def test_a_refresh_asks_again_and_keeps_the_earlier_votes(
    service: StandIn, library: Library, client: Client
) -> None:
    first = load_day(DAY, library=library, client=client, now=AFTER)
    service.more_votes = 4
    second = load_day(DAY, refresh=True, library=library, client=client, now=LATER)
    name, votes = first.papers[0].id, first.papers[0].votes or 0
    assert second.papers[0].votes == votes + 4
    assert library.votes(name) == [("2026-01-08T01:00:00Z", votes), ("2026-01-09T01:00:00Z", votes + 4)]


@pytest.mark.parametrize("fault", ["500", "html", "cut"])
@pytest.mark.parametrize("refresh", [False, True])
def test_when_the_service_fails_the_held_list_is_used_and_told(
    service: StandIn, library: Library, client: Client, fault: str, refresh: bool
) -> None:
    held = load_day(DAY, library=library, client=client, now=MORNING)
    service.fault(fault)
    day = load_day(DAY, refresh=refresh, library=library, client=client, now=AFTER)
    assert (day.papers, day.taken, day.state) == (held.papers, held.taken, "open")
    assert "the list of 2026-01-07T09:00:00Z is used" in day.problems[-1].what
    assert len(library.snapshots(DAY)) == 1


def test_without_a_network_and_a_list_the_hint_says_what_is_held(library: Library, service: StandIn) -> None:
    with client_for(service) as client:
        for date in ("2026-01-05", "2026-01-06"):
            load_day(date, library=library, client=client, now=AFTER)
    with Client(None, Settings(hf_url="http://127.0.0.1:9")) as nowhere, pytest.raises(Unreachable) as error:
        load_day(DAY, library=library, client=nowhere, now=AFTER)
    assert "refused" in error.value.message
    assert error.value.hint == "the library holds 2026-01-06, 2026-01-05"


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    with Client(None, Settings(hf_url="http://127.0.0.1:9")) as nowhere, pytest.raises(Unreachable) as error:
        load_day(DAY, library=Library(tmp_path), client=nowhere, now=AFTER)
    assert error.value.hint == "the library holds no day yet"


@pytest.mark.parametrize("fault", ["html", "no data", "shape", "field", "error"])
def test_an_answer_that_cannot_be_used_is_not_kept(
    service: StandIn, library: Library, client: Client, fault: str
) -> None:
    service.fault(fault)
    with pytest.raises(BadInput):
        load_day(DAY, library=library, client=client, now=AFTER)
    assert library.days() == []


def test_a_day_with_one_bad_paper_is_kept_and_told_each_time(
    service: StandIn, library: Library, client: Client
) -> None:
    service.fault("bad paper")
    first = load_day(DAY, library=library, client=client, now=AFTER)
    again = load_day(DAY, library=library, client=client, now=LATER)
    assert len(first.papers) == 11
    assert [problem.kind for problem in first.problems] == ["bad paper"]
    assert again == first


def test_the_newest_closed_day_comes_through_the_library(
    service: StandIn, library: Library, client: Client
) -> None:
    monday = datetime(2026, 1, 12, 8, tzinfo=UTC)
    day = load_newest(library=library, client=client, now=monday)
    assert day.date == "2026-01-09"
    asked = service.count()
    assert load_newest(library=library, client=client, now=monday) == day
    assert service.count() == asked == 3  # Sunday, Saturday, Friday: each once


def test_two_at_once_fetch_a_day_once(service: StandIn, library: Library) -> None:
    days = []

    def load() -> None:
        with client_for(service) as client:
            days.append(load_day(DAY, library=library, client=client, now=AFTER))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(days) == 3
    assert days[0] == days[1] == days[2]
    assert service.count() == 1


def test_a_library_that_cannot_be_written_is_told_before_anything_is_fetched(
    service: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file")
    with client_for(service) as client, pytest.raises(BadInput, match="cannot write"):
        load_day(DAY, library=Library(tmp_path / "home"), client=client, now=AFTER)
    assert service.asked == []

"""The daily list: paging, states, votes, authors, and what is wrong with single entries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from presscheck.errors import BadInput
from presscheck.papers.http import Client
from presscheck.papers.huggingface import day_of, fetch_day, newest_closed_day
from presscheck.papers.snapshots import Snapshot
from tests.standin.client import client_for
from tests.standin.papers import daily_entry
from tests.standin.server import StandIn

DAY = "2026-01-07"  # a Wednesday
DURING = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)
AFTER = datetime(2026, 1, 8, 0, 0, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def client(service: StandIn) -> Iterator[Client]:
    with client_for(service) as running:
        yield running


def day_from(*entries: Any, date: str = DAY) -> Any:
    return day_of(Snapshot(date=date, taken="2026-01-08T00:00:00Z", pages=(list(entries),)))


@pytest.mark.parametrize("largest_page", [50, 100])
@pytest.mark.parametrize("count", [1, 49, 50, 51, 99, 100, 101, 120])
def test_a_list_of_any_length_comes_whole_and_in_order(
    service: StandIn, client: Client, count: int, largest_page: int
) -> None:
    service.largest_page = largest_page  # a service that honours no limit above 50 must lose nothing either
    service.days[DAY] = count
    day = fetch_day(DAY, client)
    assert [paper.id for paper in day.papers] == [entry["paper"]["id"] for entry in service.list_of(DAY)]
    assert day.problems == ()


def test_a_short_list_costs_one_request(service: StandIn, client: Client) -> None:
    fetch_day(DAY, client)
    assert service.count() == 1


def test_entries_that_move_to_the_next_page_are_not_listed_twice(service: StandIn, client: Client) -> None:
    service.days[DAY] = 120
    service.shift = 3
    day = fetch_day(DAY, client)
    assert len({paper.id for paper in day.papers}) == len(day.papers) == 120
    assert [problem.kind for problem in day.problems] == ["warning"]
    assert "3 entries came on two pages" in day.problems[0].what


def test_a_day_is_open_until_its_end_in_utc(client: Client) -> None:
    assert fetch_day(DAY, client, DURING).state == "open"
    assert fetch_day(DAY, client, AFTER).state == "closed"


def test_votes_carry_the_time_they_were_counted(client: Client) -> None:
    day = fetch_day(DAY, client, DURING)
    assert day.taken == "2026-01-07T09:30:00Z"
    assert {paper.votes_at for paper in day.papers} == {day.taken}


@pytest.mark.parametrize(
    ("upvotes", "votes"), [(0, 0), (-2, -2), (41, 41), (7.0, 7), (None, None), ("many", None), (True, None)]
)
def test_votes_are_a_fact_also_when_zero_or_negative(upvotes: object, votes: int | None) -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["upvotes"] = upvotes
    paper = day_from(entry).papers[0]
    assert paper.votes == votes
    assert bool(paper.votes_at) == (votes is not None)


def test_missing_votes_are_not_zero_and_top_level_votes_do_not_count() -> None:
    entry = daily_entry(DAY, 1)
    del entry["paper"]["upvotes"]
    entry["upvotes"] = 9
    assert day_from(entry).papers[0].votes is None


def test_authors_are_complete_and_in_order_hidden_ones_too() -> None:
    entry = daily_entry(DAY, 1)
    names = ["Zoë Young", "Ada Ng", "Zoë Young", "Bo Li"]  # no set, no sorting
    entry["paper"]["authors"] = [{"name": name, "hidden": name == "Bo Li"} for name in names]
    authors = day_from(entry).papers[0].authors
    assert [author.name for author in authors] == names
    assert [author.hidden for author in authors] == [False, False, False, True]


def test_three_thousand_authors_come_whole() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["authors"] = [{"name": f"Ada Number{chr(97 + n % 26)} Ng"} for n in range(3303)]
    assert len(day_from(entry).papers[0].authors) == 3303


def test_an_author_without_a_name_is_told() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["authors"] = [{"name": "Ada Ng"}, {"_id": "1"}]
    day = day_from(entry)
    assert [author.name for author in day.papers[0].authors] == ["Ada Ng"]
    assert "authors[1] has no name" in day.problems[0].what


def test_the_text_of_a_model_is_never_read() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["summary"] = ""
    entry["paper"]["abstract"] = entry["paper"]["ai_summary"]
    assert day_from(entry).papers[0].abstract == ""


def test_the_title_as_published_is_kept_beside_the_clean_one() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["title"] = "Larkspur: A\n  Method"
    paper = day_from(entry).papers[0]
    assert (paper.title, paper.title_original) == ("Larkspur: A Method", "Larkspur: A\n  Method")


def test_times_code_and_project_come_along() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"] |= {"projectPage": "https://example.org/p", "publishedAt": "2026-01-05T19:00:00.123+02:00"}
    paper = day_from(entry).papers[0]
    assert paper.published == "2026-01-05T17:00:00Z"
    assert paper.listed == "2026-01-07T00:03:00Z"
    assert paper.code.startswith("https://github.com/example/")
    assert paper.project == "https://example.org/p"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//example.org", "https://a b", 'https://x/"><script>'])
def test_a_link_that_is_no_web_address_is_dropped_and_told(link: str) -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["projectPage"] = link
    day = day_from(entry)
    assert day.papers[0].project == ""
    assert "no web address" in day.problems[0].what


def test_a_withdrawn_paper_is_told() -> None:
    entry = daily_entry(DAY, 1)
    entry["paper"]["withdrawnAt"] = "2026-01-07T10:00:00.000Z"
    assert "withdrawn at 2026-01-07" in day_from(entry).problems[0].what


BROKEN: list[tuple[Any, str]] = [
    (lambda e: e.pop("paper"), "$[1].id is missing"),
    (lambda e: e["paper"].pop("id"), "$[1].paper.id is missing"),
    (lambda e: e["paper"].update(id=7), "$[1].paper.id is a number: it has to be text"),
    (lambda e: e["paper"].update(id="../etc"), "`../etc` is not an arXiv id"),
    (lambda e: e["paper"].update(summary=["a"]), "$[1].paper.summary is a list: it has to be text"),
    (lambda e: e["paper"].update(authors="A, B"), "$[1].paper.authors is text: it has to be a list"),
    (lambda e: e["paper"].update(authors=[3]), "$[1].paper.authors[0] is a number: it has to be an object"),
    (lambda e: e["paper"].pop("authors"), "$[1].paper.authors is missing"),
    (lambda e: (e["paper"].pop("title"), e.pop("title")), "$[1].paper.title is missing"),
    (lambda e: e.update(paper=None), "$[1].paper is null: it has to be an object"),
]


@pytest.mark.parametrize(("spoil", "why"), BROKEN, ids=[row[1] for row in BROKEN])
def test_one_bad_paper_of_fifty_costs_only_itself_and_is_named(spoil: Any, why: str) -> None:
    entries = [daily_entry(DAY, number) for number in range(50)]
    spoil(entries[1])
    day = day_from(*entries)
    assert len(day.papers) == 49
    assert [(problem.kind, problem.what) for problem in day.problems] == [("bad paper", why)]


def test_a_paper_listed_twice_is_kept_once_and_told() -> None:
    first, second = daily_entry(DAY, 1), daily_entry(DAY, 1, more_votes=5)
    day = day_from(first, daily_entry(DAY, 2), second)
    assert len(day.papers) == 2
    assert day.papers[0].votes == first["paper"]["upvotes"]
    assert [(p.kind, p.where) for p in day.problems] == [("duplicate", first["paper"]["id"])]


@pytest.mark.parametrize(("date", "problems"), [("2026-01-10", 0), ("2026-01-11", 0), ("2026-01-09", 1)])
def test_an_empty_list_is_worth_a_warning_on_weekdays_only(date: str, problems: int) -> None:
    day = day_from(date=date)
    assert day.papers == ()
    assert [problem.kind for problem in day.problems] == ["warning"] * problems


@pytest.mark.parametrize("date", ["2026-01-08", "2026-13-01", "yesterday", "2026-02-30", "2026-1-7", ""])
def test_a_day_that_cannot_be_is_refused_without_asking(service: StandIn, client: Client, date: str) -> None:
    with pytest.raises(BadInput):
        fetch_day(date, client, DURING)
    assert service.asked == []


def test_the_newest_closed_day_is_before_today_and_not_empty(service: StandIn, client: Client) -> None:
    service.days["2026-01-09"] = 0  # a holiday
    monday = datetime(2026, 1, 12, 8, 0, tzinfo=UTC)
    assert fetch_day("2026-01-12", client, monday).papers  # today has papers, and is not over
    assert newest_closed_day(client, monday).date == "2026-01-08"


def test_the_search_for_a_day_with_papers_ends(service: StandIn, client: Client) -> None:
    service.papers = 0
    with pytest.raises(BadInput, match="all 10 days from 2026-01-02 on are empty"):
        newest_closed_day(client, datetime(2026, 1, 12, tzinfo=UTC))
    assert service.count() == 10

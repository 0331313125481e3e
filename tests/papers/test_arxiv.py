"""The arXiv API: batches matched by id, categories by day, and XML that is not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from presscheck.errors import BadInput, Unreachable
from presscheck.papers.arxiv import fetch_category, fetch_ids
from presscheck.papers.atom import parse_feed
from presscheck.papers.http import Client
from presscheck.types import Problem
from tests.standin.client import client_for
from tests.standin.papers import arxiv_id, atom_entry, atom_feed
from tests.standin.server import StandIn

DAY = "2026-01-07"
IDS = [arxiv_id(DAY, number) for number in range(250)]


@pytest.fixture
def service() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def client(service: StandIn) -> Iterator[Client]:
    with client_for(service) as running:
        yield running


def test_papers_come_in_the_order_asked_for_in_few_requests(service: StandIn, client: Client) -> None:
    day = fetch_ids(IDS, client)  # the stand-in answers each batch backwards
    assert [paper.id for paper in day.papers] == IDS
    assert service.count("arxiv") == 3


def test_an_id_that_arxiv_lacks_is_named_and_shifts_no_other(service: StandIn, client: Client) -> None:
    service.missing = {IDS[1]}
    day = fetch_ids(IDS[:4], client)
    assert [paper.id for paper in day.papers] == [IDS[0], IDS[2], IDS[3]]
    assert [(p.kind, p.where) for p in day.problems] == [("bad paper", IDS[1])]


def test_a_version_that_was_asked_for_is_the_one_that_comes(client: Client) -> None:
    day = fetch_ids([f"{IDS[0]}v2", IDS[0], f"arXiv:{IDS[1]}"], client)
    assert [(p.id, p.version) for p in day.papers] == [(IDS[0], "v2"), (IDS[0], "v3"), (IDS[1], "v3")]


def test_an_id_asked_for_twice_comes_once(service: StandIn, client: Client) -> None:
    day = fetch_ids([IDS[0], f"https://arxiv.org/abs/{IDS[0]}"], client)
    assert len(day.papers) == 1
    assert [problem.kind for problem in day.problems] == ["duplicate"]


def test_one_refused_id_does_not_cost_its_batch(service: StandIn, client: Client) -> None:
    service.refused = {IDS[17]}
    day = fetch_ids(IDS[:100], client)
    assert [paper.id for paper in day.papers] == IDS[:17] + IDS[18:100]
    assert [(p.kind, p.where) for p in day.problems] == [("bad paper", IDS[17])]
    assert service.count("arxiv") <= 15  # 1 + 2 log2(100)


def test_what_is_no_id_is_refused_before_arxiv_is_asked(service: StandIn, client: Client) -> None:
    with pytest.raises(BadInput, match="not an arXiv id"):
        fetch_ids([IDS[0], "hello"], client)
    assert service.asked == []


def test_an_entry_has_what_arxiv_says() -> None:
    problems: list[Problem] = []
    extra = '<arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1/x</arxiv:doi>'
    extra += '<arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">J. Tests 3</arxiv:journal_ref>'
    entry = atom_entry(IDS[0], 4).replace("</entry>", f"{extra}</entry>")
    paper = parse_feed(atom_feed([entry]), "x", problems).papers[0]
    assert (paper.id, paper.version, paper.source) == (IDS[0], "v4", "arxiv")
    assert paper.categories == ("cs.LG", "cs.CL")
    assert (paper.doi, paper.journal) == ("10.1/x", "J. Tests 3")
    assert paper.published == "2026-01-05T17:00:00Z"
    assert "\n" in paper.title_original
    assert problems == []


def test_a_category_of_a_day_comes_over_all_pages(
    service: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presscheck.papers.arxiv.PAGE", 50)
    service.days[DAY] = 120
    day = fetch_category("cs.CL", DAY, client)
    assert len(day.papers) == 120
    assert service.count("arxiv") == 3
    assert {paper.date for paper in day.papers} == {DAY}


def test_a_list_that_ends_early_is_told(
    service: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = atom_feed([atom_entry(IDS[0])], total=9)
    answers = iter([feed, atom_feed([], total=9), atom_feed([], total=9)])
    monkeypatch.setattr(client, "get", lambda url, query, read, **more: read(next(answers).encode()))
    day = fetch_category("cs.CL", DAY, client)
    assert "ends early: 1 of 9 papers came" in day.problems[0].what


def test_a_category_closes_when_its_last_papers_are_announced(client: Client) -> None:
    assert fetch_category("cs.CL", DAY, client, datetime(2026, 1, 9, tzinfo=UTC)).state == "open"
    assert fetch_category("cs.CL", DAY, client, datetime(2026, 1, 12, tzinfo=UTC)).state == "closed"


@pytest.mark.parametrize("category", ["", "cs.CL OR all:x", "CS", "cs.", "../x", "cs.CL]"])
def test_a_category_cannot_smuggle_a_query(service: StandIn, client: Client, category: str) -> None:
    with pytest.raises(BadInput, match="not a category"):
        fetch_category(category, DAY, client)
    assert service.asked == []


@pytest.mark.parametrize("category", ["cs.CL", "hep-th", "cond-mat.mes-hall", "q-bio.NC", "physics.ao-ph"])
def test_categories_of_every_archive_are_known(client: Client, category: str) -> None:
    assert fetch_category(category, DAY, client).papers


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("500", Unreachable, "HTTP 500, after 3 tries"),
        ("429", Unreachable, "HTTP 429, after 3 tries"),
        ("html", BadInput, "is an HTML page"),
        ("no data", BadInput, "is not XML"),
        ("shape", BadInput, "its root is `rss`"),
        ("entities", BadInput, "declares a document type or entities"),
        ("cut", Unreachable, "cut"),
    ],
)
def test_faults_are_told(service: StandIn, client: Client, fault: str, error: type, words: str) -> None:
    service.fault(fault, service="arxiv")
    with pytest.raises(error) as caught:
        fetch_ids(IDS[:2], client)
    assert words in caught.value.message


def test_xml_that_is_too_deep_is_refused_before_it_is_built() -> None:
    with pytest.raises(BadInput, match="16 deep"):
        parse_feed("<feed>" + "<a>" * 200_000, "x", [])

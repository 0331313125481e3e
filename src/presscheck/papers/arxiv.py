"""The arXiv API: papers by id, and a category's papers of a day.

``GET {base}/api/query``, Atom. Batches are the cheap way, since requests are three
seconds apart; answers come in an order of their own and may lack ids, so papers are
matched by id. Metadata is CC0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.atom import Feed, parse_feed
from presscheck.papers.days import parse_day, stamp, state_of, utc_now
from presscheck.papers.decode import decode_text
from presscheck.papers.http import Client
from presscheck.papers.ids import ArxivId, parse_arxiv
from presscheck.papers.replies import Refused
from presscheck.types import Day, Paper, Problem

SOURCE = "arXiv"
BATCH = 100
PAGE = 500
KEEP = 24 * 3600.0
"""Seconds for which an answer is kept: the API's own data changes once a day."""
MOST = 30_000
"""Papers that one query can give at all."""
CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]{2}|\.[a-z]+(?:-[a-z]+)*)?")
SETTLES = timedelta(days=4)
"""A paper is announced up to four days after it was submitted (over a weekend with a holiday)."""


def fetch_ids(ids: Iterable[str | ArxivId], client: Client, now: datetime | None = None) -> Day:
    """Papers by id, in the order asked for; a missing one is a problem, not an error.

    Args:
        ids: ids in any form, with a version where that version is meant.
        client: asks.
        now: the time; None takes the clock's.

    Raises:
        BadInput: if an id is none, or arXiv answers with something else than a feed.
        Unreachable: if arXiv does not answer.
    """
    asked = [id if isinstance(id, ArxivId) else parse_arxiv(id) for id in ids]
    problems: list[Problem] = []
    wanted: dict[ArxivId, None] = {}
    for one in asked:
        if one in wanted:
            what = "asked for twice; fetched once"
            problems.append(Problem(where="".join(one), what=what, kind="duplicate"))
        wanted[one] = None
    found: dict[str, Paper] = {}
    unique = list(wanted)
    for start in range(0, len(unique), BATCH):
        for paper in _batch(unique[start : start + BATCH], client, problems):
            found[paper.id + paper.version] = paper
            found.setdefault(paper.id, paper)
    papers = []
    told = {problem.where for problem in problems if problem.kind == "bad paper"}
    for one in unique:
        paper_or_none = found.get(one.id + one.version)
        if paper_or_none is not None:
            papers.append(paper_or_none)
        elif "".join(one) not in told:
            problems.append(Problem(where="".join(one), what="arXiv has no such paper", kind="bad paper"))
    taken = stamp(now or utc_now())
    return Day(date="", taken=taken, source=SOURCE, papers=tuple(papers), problems=tuple(problems))


def _batch(ids: list[ArxivId], client: Client, problems: list[Problem]) -> list[Paper]:
    """One request. One id that arXiv refuses fails its whole batch, so such a batch is halved."""
    names = ",".join(map("".join, ids))
    query: dict[str, str | int] = {"id_list": names, "start": 0, "max_results": len(ids)}
    found: list[Problem] = []
    try:
        feed = _ask(query, client, found)
    except Refused as error:
        if len(ids) == 1:
            problems.append(Problem(where="".join(ids[0]), what=error.message, kind="bad paper"))
            return []
        half = len(ids) // 2
        return _batch(ids[:half], client, problems) + _batch(ids[half:], client, problems)
    problems.extend(found)
    return feed.papers


def fetch_category(category: str, date: str, client: Client, now: datetime | None = None) -> Day:
    """The papers of a category that were first submitted on a day (UTC), oldest first.

    Args:
        category: such as cs.CL; papers cross-listed there are included.
        date: the day.
        client: asks.
        now: the time; None takes the clock's.

    Raises:
        BadInput: if the category is not written like one, or the day is in the future.
        Unreachable: if arXiv does not answer.
    """
    moment = now or utc_now()
    day = parse_day(date)
    if not CATEGORY.fullmatch(category):
        raise BadInput(
            f"`{category[:40]}` is not a category of arXiv",
            hint="for example cs.CL, stat.ML or hep-th",
        )
    if day > moment.date():
        raise BadInput(f"{day} is in the future: today is {moment.date()} in UTC")
    taken = stamp(moment)
    state = state_of(day.isoformat(), taken, SETTLES)
    problems: list[Problem] = []
    papers: dict[str, Paper] = {}
    start = 0
    while start < MOST:
        query: dict[str, str | int] = {
            "search_query": f"cat:{category} AND submittedDate:[{day:%Y%m%d}0000 TO {day:%Y%m%d}2359]",
            "start": start,
            "max_results": PAGE,
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
        }
        feed = _page(query, client, problems, fresh=state != "closed")
        for paper in feed.papers:
            papers.setdefault(paper.id, msgspec.structs.replace(paper, date=day.isoformat()))
        start += feed.entries
        if not feed.entries or start >= feed.total:
            if start < feed.total:
                what = f"the list of {category} ends early: {start} of {feed.total} papers came"
                problems.append(Problem(where=SOURCE, what=what))
            break
    return Day(
        date=day.isoformat(),
        taken=taken,
        state=state,
        source=f"{SOURCE} {category}",
        papers=tuple(papers.values()),
        problems=tuple(problems),
    )


def _page(query: dict[str, str | int], client: Client, problems: list[Problem], *, fresh: bool) -> Feed:
    """A page of a list; an empty one where more is due is a known slip, so it is asked for once more."""
    feed = _ask(query, client, problems, fresh=fresh)
    if not feed.entries and int(query["start"]) < feed.total:
        feed = _ask(query, client, problems, fresh=True)
    return feed


def _ask(
    query: dict[str, str | int], client: Client, problems: list[Problem], *, fresh: bool = False
) -> Feed:
    """One request to the API."""
    base = client.settings.arxiv_url.rstrip("/")

    def read(body: bytes) -> Feed:
        where = f"the answer of {base}"
        return parse_feed(decode_text(body, where), where, problems)

    return client.get(f"{base}/api/query", query, read, keep=KEEP, fresh=fresh)

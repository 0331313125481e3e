"""Hugging Face Daily Papers: a day's list, its state, and the newest day that is over.

``GET {base}/api/daily_papers?date=YYYY-MM-DD&limit=100&p=0``. A page holds 50 entries
unless more are asked for, at most 100. Days are UTC; a list fills up during its day.
Lists of Saturdays, Sundays and some holidays are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Any

from presscheck.errors import BadInput
from presscheck.papers.days import parse_day, stamp, state_of, utc_now
from presscheck.papers.decode import decode_json, decode_text, kind_of
from presscheck.papers.entries import read_entries
from presscheck.papers.http import Client
from presscheck.papers.snapshots import Snapshot
from presscheck.types import Day, Problem

SOURCE = "Hugging Face Daily Papers"
ASKED = 100
FULL = 50
"""A page with fewer entries than this is the last, whatever ``limit`` the service honours."""
MOST_PAGES = 40


def fetch_day(date: str, client: Client, now: datetime | None = None) -> Day:
    """The list of a day, all pages, as it is now.

    Raises:
        BadInput: if the day is in the future or the answer is no list of papers.
        Unreachable: if the service does not answer.
    """
    return day_of(fetch_snapshot(date, client, now))


def fetch_snapshot(date: str, client: Client, now: datetime | None = None) -> Snapshot:
    """The raw pages of a day, as they are now: an answer that the cache may hold is checked first.

    Args:
        date: the day, in UTC.
        client: asks.
        now: the time of the snapshot; None takes the clock's.

    Raises:
        BadInput: if the day is in the future or the answer is no list.
        Unreachable: if the service does not answer.
    """
    moment = now or utc_now()
    day = parse_day(date)
    if day > moment.date():
        raise BadInput(
            f"{day} is in the future: today is {moment.date()} in UTC",
            hint="`latest` is the newest day that is over",
        )
    base = client.settings.hf_url.rstrip("/")
    pages: list[list[Any]] = []
    known: set[str] = set()
    for number in range(MOST_PAGES):
        query: dict[str, str | int] = {"date": day.isoformat(), "limit": ASKED, "p": number}
        page = client.get(f"{base}/api/daily_papers", query, lambda body: read_page(body, base), fresh=True)
        names = {_id_of(entry) for entry in page}
        if not page or (pages and names <= known):
            break
        pages.append(page)
        known |= names
        if len(page) < FULL:
            break
    return Snapshot(date=day.isoformat(), taken=stamp(moment), pages=tuple(pages))


def read_page(body: bytes, where: str) -> list[Any]:
    """The entries of one answer.

    Raises:
        BadInput: if it is HTML, no JSON, an error object, or JSON of another shape.
    """
    answer = f"the answer of {where}"
    return entries_of(decode_json(decode_text(body, answer), answer), answer)


def entries_of(answer: Any, where: str) -> list[Any]:
    """The entries of an answer in any of the shapes found: objects, Python texts, 1, an error.

    Entries are looked at later, one by one, so that a bad one does not cost the others.

    Raises:
        BadInput: if it is an error object or another shape.
    """
    if isinstance(answer, list):
        return answer
    if answer == 1 and not isinstance(answer, bool):
        return []  # what some collections store for an empty day
    if isinstance(answer, dict) and "error" in answer:
        error = answer["error"]
        message = error if isinstance(error, str) else kind_of(error)
        raise BadInput(f"{where} holds an error in place of a list: {message[:300]}")
    raise BadInput(f"{where}: `$` is {kind_of(answer)}: it has to be a list of papers")


def day_of(snapshot: Snapshot, source: str = SOURCE) -> Day:
    """A snapshot as a Day; what is wrong with single entries is among its problems.

    Raises:
        BadInput: if no entry at all can be read.
    """
    problems: list[Problem] = []
    entries: list[tuple[str, object]] = []
    seen: set[str] = set()
    shifted = 0
    for number, page in enumerate(snapshot.pages):
        listed = entries_of(page, f"page {number}")
        before = frozenset(seen)
        for index, entry in enumerate(listed):
            place = f"$[{index}]" if len(snapshot.pages) == 1 else f"page {number} $[{index}]"
            name = _id_of(entry)
            if name and name in before:
                shifted += 1  # the list moved between two requests; not a double entry
                continue
            seen.add(name)
            entries.append((place, entry))
    if shifted:
        what = f"the list changed while it was read: {shifted} entries came on two pages"
        problems.append(Problem(where=source, what=what))
    papers = read_entries(entries, date=snapshot.date, votes_at=snapshot.taken, problems=problems)
    state = state_of(snapshot.date, snapshot.taken)
    if not entries and Date.fromisoformat(snapshot.date).weekday() < 5:
        why = "it may be a holiday or a fault" if state == "closed" else "it may still fill up"
        what = f"the list of {snapshot.date}, a weekday, is empty: {why}"
        problems.append(Problem(where=source, what=what))
    return Day(
        date=snapshot.date,
        taken=snapshot.taken,
        state=state,
        source=source,
        papers=tuple(papers),
        problems=tuple(problems),
    )


def newest_closed_day(
    client: Client, now: datetime | None = None, *, back: int = 10, load: Callable[[str], Day] | None = None
) -> Day:
    """The newest day that is over and has papers: yesterday, or the last one before that.

    Args:
        client: asks.
        now: the time; None takes the clock's.
        back: how many days to look back, so that a service without lists is not asked for ever.
        load: gets a day; None fetches it.

    Raises:
        BadInput: if all of these days are empty.
        Unreachable: if the service does not answer.
    """
    moment = now or utc_now()
    get = load or (lambda date: fetch_day(date, client, moment))
    for days in range(1, back + 1):
        day = get((moment.date() - timedelta(days=days)).isoformat())
        if day.papers:
            return day
    oldest = moment.date() - timedelta(days=back)
    raise BadInput(
        f"the lists of all {back} days from {oldest} on are empty",
        hint="name a day, for example `presscheck edition 2024-07-31`",
    )


def _id_of(entry: Any) -> str:
    """The id of a raw entry, or an empty string."""
    inner = entry.get("paper", entry) if isinstance(entry, dict) else None
    name = inner.get("id") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""

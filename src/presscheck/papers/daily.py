"""A day's list from the library or the network: fetched once, kept, and asked again when it pays."""

from __future__ import annotations

from datetime import datetime

import msgspec

from presscheck.errors import PresscheckError, Unreachable
from presscheck.papers.days import parse_day, stamp, state_of, utc_now
from presscheck.papers.http import Client
from presscheck.papers.huggingface import day_of, fetch_snapshot, newest_closed_day
from presscheck.papers.library import Library, newest_first
from presscheck.types import Day, Problem


def load_day(
    date: str, *, refresh: bool = False, library: Library, client: Client, now: datetime | None = None
) -> Day:
    """The list of a day.

    What the library holds is used, unless it was taken while the day was still open
    and the day is over by now, or a refresh is asked for. Then it is fetched; the
    earlier snapshot stays. Where the service fails, what is held is used and a
    problem says so.

    Args:
        date: the day, in UTC.
        refresh: ask the service whatever the library holds.
        library: where snapshots are.
        client: asks.
        now: the time; None takes the clock's.

    Raises:
        Unreachable: if the service does not answer and the library has no list of the day.
        BadInput: if the day is in the future, the answer cannot be used, or the library
            cannot be written.
    """
    moment = now or utc_now()
    day = parse_day(date).isoformat()
    held = library.day(day)
    if held and not refresh and _will_do(held, moment):
        return held
    try:
        return _fetch(day, refresh, library, client, moment)
    except PresscheckError as error:
        if held:
            what = f"not asked again, the list of {held.taken} is used: {error.message}"
            told = Problem(where=held.source, what=what)
            return msgspec.structs.replace(held, problems=(*held.problems, told))
        if isinstance(error, Unreachable):
            raise Unreachable(error.message, hint=newest_first(library.days())) from error
        raise


def _fetch(day: str, refresh: bool, library: Library, client: Client, now: datetime) -> Day:
    """Ask and keep, one process at a time."""
    before = library.snapshots(day)
    with library.lock(f"day-{day}"):
        if not refresh and library.snapshots(day) != before:
            # Another process fetched it while this one waited.
            held = library.day(day)
            if held and _will_do(held, now):
                return held
        snapshot = fetch_snapshot(day, client, now)
        fetched = day_of(snapshot)
        library.keep(snapshot)
        return fetched


def load_newest(
    *, refresh: bool = False, library: Library, client: Client, now: datetime | None = None
) -> Day:
    """The newest day that is over and has papers, through the library.

    Raises:
        Unreachable: if the service does not answer for a day that the library does not hold.
        BadInput: if no day of the last ten has papers.
    """
    moment = now or utc_now()
    return newest_closed_day(
        client,
        moment,
        load=lambda date: load_day(date, refresh=refresh, library=library, client=client, now=moment),
    )


def _will_do(held: Day, now: datetime) -> bool:
    """Whether asking again would bring nothing but newer votes."""
    return held.state == "closed" or state_of(held.date, stamp(now)) == "open"

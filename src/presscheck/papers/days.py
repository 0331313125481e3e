"""Days and times: UTC throughout, days as ``YYYY-MM-DD``, times as ``YYYY-MM-DDTHH:MM:SSZ``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from presscheck.errors import BadInput

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9:]{5})?"
)


def parse_day(text: str) -> date:
    """Read a day.

    Raises:
        BadInput: if it is not written ``YYYY-MM-DD`` or is not in the calendar.
    """
    try:
        if DAY.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise BadInput(
        f"`{text[:40]}` is not a day: it has to be a date of the calendar, written YYYY-MM-DD",
        hint="for example 2024-07-31; days are counted in UTC",
    )


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A time as it is written everywhere; the seconds are cut, not rounded."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime | None:
    """Read a time of one of the services; without a zone it is UTC. None if it is none."""
    if not TIME.fullmatch(text.strip()):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def state_of(day: str, taken: str, settles: timedelta = timedelta(0)) -> Literal["open", "closed", "unknown"]:
    """Whether a day's list could still grow when it was taken.

    Args:
        day: the day of the list.
        taken: when the list was taken.
        settles: how long after the day's end members are still added.
    """
    moment = parse_time(taken)
    if moment is None or not DAY.fullmatch(day):
        return "unknown"
    try:
        midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
        return "closed" if moment >= midnight + timedelta(days=1) + settles else "open"
    except (ValueError, OverflowError):
        return "unknown"

"""What lies in a folder of published editions, read without reading more of it than is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from presscheck.errors import BadInput
from presscheck.types import LANGUAGES, SCHEMA, Edition, Language, Problem

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
JSON_NAME = "edition.json"


class _Counted(msgspec.Struct):
    """A paper of which only its being there is of interest."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An edition as the calendar shows it. Fields of the file that are not here are passed over."""

    date: str
    schema: int = SCHEMA
    taken: str = ""
    state: Literal["open", "closed", "unknown"] = "unknown"
    languages: tuple[Language, ...] = LANGUAGES
    papers: tuple[_Counted, ...] = ()


class Listing(NamedTuple):
    """The editions of a folder, newest first, and the files that are none."""

    editions: list[Listed]
    problems: list[Problem]


def list_editions(out: Path) -> Listing:
    """Look through ``out/*/edition.json``.

    A file that cannot be read, or is not the edition of its folder's day, is
    passed over with a problem that says why.
    """
    decoder = msgspec.json.Decoder(Listed)
    found = Listing([], [])
    for name in sorted(_days(out), reverse=True):
        path = out / name / JSON_NAME
        try:
            edition = decoder.decode(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            found.problems.append(_passed_over(path, str(error)))
            continue
        if edition.schema != SCHEMA:
            found.problems.append(_passed_over(path, f"schema {edition.schema}, need {SCHEMA}"))
        elif edition.date != name:
            found.problems.append(_passed_over(path, f"it is the edition of {edition.date[:40]!r}"))
        else:
            found.editions.append(edition)
    return found


def read_editions(out: Path, listing: Listing, most: int) -> list[Edition]:
    """The newest editions whole; one that is broken below its surface is a problem and leaves the list."""
    from presscheck.digest.jsonfile import edition_from_json

    whole: list[Edition] = []
    for listed in list(listing.editions):
        if len(whole) == most:
            break
        path = out / listed.date / JSON_NAME
        try:
            whole.append(edition_from_json(path.read_bytes(), str(path)))
        except (OSError, BadInput) as error:
            listing.problems.append(_passed_over(path, str(error)))
            listing.editions.remove(listed)
    return whole


def _days(out: Path) -> list[str]:
    try:
        return [path.name for path in out.iterdir() if DATE.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def _passed_over(path: Path, why: str) -> Problem:
    return Problem(where=str(path), what=f"passed over: {why}")

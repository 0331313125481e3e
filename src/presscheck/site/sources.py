"""Where a site's editions come from: folders of published editions, then those that ship."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from presscheck.edition.published import DATE, JSON_NAME
from presscheck.errors import BadInput
from presscheck.types import Edition, Problem


class Source(NamedTuple):
    """An edition, and the hash of what it is read from."""

    date: str
    path: str
    """Its ``edition.json``; empty for one that ships."""
    hash: str


def find_editions(folders: Sequence[Path], *, shipped: bool) -> tuple[list[Source], list[Problem]]:
    """Every day once, oldest first: from the first folder that has it, else from what ships.

    Returns:
        The editions, and the folders that cannot be read.
    """
    found: dict[str, Source] = {}
    problems: list[Problem] = []
    for folder in folders:
        for path in _files(folder):
            date = path.parent.name
            if date in found:
                continue
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.append(Problem(where=str(path), what=f"passed over: {error.strerror}"))
                continue
            found[date] = Source(date, str(path), hashlib.sha256(data).hexdigest()[:16])
    if shipped:
        from presscheck.edition.shipped import load_shipped, shipped_dates

        for date in shipped_dates():
            if date not in found:
                found[date] = Source(date, "", load_shipped(date).inputs)
    return [found[date] for date in sorted(found)], problems


def _files(folder: Path) -> Iterator[Path]:
    try:
        days = sorted(path for path in folder.iterdir() if DATE.fullmatch(path.name))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"cannot read {folder}: {error.strerror}") from error
    yield from (day / JSON_NAME for day in days)


def load(source: Source) -> Edition:
    """The edition itself.

    Raises:
        BadInput: if the file is no edition, or that of another day.
    """
    if not source.path:
        from presscheck.edition.shipped import load_shipped

        return load_shipped(source.date)
    from presscheck.digest.jsonfile import edition_from_json

    try:
        data = Path(source.path).read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {source.path}: {error.strerror}") from error
    edition = edition_from_json(data, source.path)
    if edition.date != source.date:
        raise BadInput(f"{source.path} is the edition of {edition.date[:40]!r}")
    return edition

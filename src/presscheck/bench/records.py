"""Records on disk: one JSON file a run, created once and never written again.

A run that is under way keeps its finished rounds beside them in a file of its own
(``….partial``), so that neither Ctrl-C nor a killed process loses them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from presscheck.claims import RECORD_SCHEMA, SIZES, Record, encode
from presscheck.errors import BadInput
from presscheck.papers.whole import create_whole, write_whole

SHIPPED = Path(__file__).parents[1] / "content" / "records"
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Schema → the function that makes it one newer, raw JSON to raw JSON."""


def file_name(record: Record) -> str:
    """``<UTC>-<size>-<hex>.json``."""
    return f"{record.started.replace(':', '').replace('-', '')}-{record.size}-{secrets.token_hex(3)}.json"


def append(record: Record, root: Path, name: str = "") -> Path:
    """Keep a record under ``root/<system>/``.

    Raises:
        BadInput: if it cannot be written; nothing of it is left then.
    """
    path = root / record.system / (name or file_name(record))
    if not create_whole(path, encode(record)):
        raise BadInput(f"{path} is there already: records are never written again")
    return path


def load(path: Path) -> Record:
    """Read a record of any schema that there has been.

    Raises:
        BadInput: if the file cannot be read, was cut short, or is of a newer presscheck.
    """
    try:
        return _decode(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is no record that can be read: {error}", hint="delete it, or restore it from a copy"
        ) from None


def _decode(data: bytes) -> Record:
    raw = msgspec.json.decode(data)
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
        raise ValueError("it has no schema number")
    while (step := UPGRADES.get(raw["schema"])) is not None:
        raw = step(raw)
    if raw["schema"] != RECORD_SCHEMA:
        raise ValueError(f"its schema is {raw['schema']}, this presscheck reads up to {RECORD_SCHEMA}")
    return msgspec.convert(raw, Record)


def all_of(slug: str, root: Path) -> tuple[list[tuple[Path, Record]], list[str]]:
    """The records of a system, oldest first, and what is wrong with those that cannot be read."""
    found, wrong = [], []
    for path in sorted((root / slug).glob("*.json")):
        try:
            found.append((path, load(path)))
        except BadInput as error:
            wrong.append(error.message)
    return sorted(found, key=lambda pair: (pair[1].started, SIZES.index(pair[1].size))), wrong


# Runs under way -------------------------------------------------------------------


def partial_name(name: str) -> str:
    """The name of a record's file while its run is under way."""
    return f"{name}.partial"


def keep_partial(record: Record, root: Path, name: str) -> None:
    """Write down what a run has so far."""
    write_whole(root / record.system / partial_name(name), encode(record))


def drop_partial(slug: str, root: Path, name: str) -> None:
    """Remove the file of a run under way, once its record is there."""
    (root / slug / partial_name(name)).unlink(missing_ok=True)


def newest_partial(like: Record, root: Path) -> tuple[str, Record] | None:
    """The newest unfinished run of the same code, claims, size, parameters and seeds.

    Returns:
        The name of the record's file, and the rounds that are done.
    """
    for path in sorted((root / like.system).glob("*.json.partial"), reverse=True):
        try:
            record = load(path)
        except BadInput:
            continue  # a partial file is written whole; one that is not is not ours
        same = ("size", "params", "seeds")
        hashes = ("claims", "folder")
        if all(getattr(record, field) == getattr(like, field) for field in same) and all(
            record.code.get(field) == like.code.get(field) for field in hashes
        ):
            return path.name.removesuffix(".partial"), record
    return None

"""A day's list as the service gave it, with the time it was taken: what the library keeps."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.days import DAY, parse_time
from presscheck.papers.decode import decode_json, decode_text
from presscheck.types import SCHEMA, Struct


class Snapshot(Struct, frozen=True, kw_only=True):
    """Raw answer pages of one day."""

    schema: int = SCHEMA
    source: Literal["huggingface"] = "huggingface"
    date: str
    taken: str
    pages: tuple[Any, ...] = ()
    """Each page as the service answered it, as JSON values."""


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """A snapshot as a JSON file."""
    # The standard library's writer, since pages are the service's and may hold integers beyond 64 bits.
    table = {"schema": snapshot.schema, "source": snapshot.source, "date": snapshot.date}
    table |= {"taken": snapshot.taken, "pages": snapshot.pages}
    return (json.dumps(table, ensure_ascii=False, indent=1) + "\n").encode()


def decode_snapshot(data: bytes, where: str) -> Snapshot:
    """Read a snapshot file.

    Raises:
        BadInput: if it is none, or of a newer presscheck.
    """
    return snapshot_of(decode_json(decode_text(data, where), where), where)


def snapshot_of(value: Any, where: str) -> Snapshot:
    """A decoded JSON value as a snapshot.

    Raises:
        BadInput: if it is none, or of a newer presscheck.
    """
    if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA:
        raise BadInput(f"{where} is of schema {value['schema']}: this presscheck reads up to {SCHEMA}")
    try:
        snapshot = msgspec.convert(value, Snapshot)
    except msgspec.ValidationError as error:
        raise BadInput(f"{where} is not a snapshot: {error}") from None
    except RecursionError:
        raise BadInput(f"{where} is nested too deeply to be a snapshot") from None
    if not DAY.fullmatch(snapshot.date) or parse_time(snapshot.taken) is None:
        raise BadInput(f"{where} is not a snapshot: `date` or `taken` is no day or time")
    return snapshot

"""Any bytes are a Day, a list of ids or a clear error, in bounded time; see ``fuzz_readers.py`` too."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presscheck.errors import PresscheckError
from presscheck.papers.entries import read_entry
from presscheck.papers.literal import parse_literal
from presscheck.types import Problem
from tests.fuzz.readers import LIST, ROW, SEEDS, read_any

BOUNDED = settings(deadline=timedelta(seconds=2), suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    ["[", "]", "{", "}", "(", ")", "'", '"', "\\", ",", ":", "=", "#", "@article", "<", ">", "&", "\n",
     " and ", "paper", "id", "title", "2601.03501", "nan", "\ud800", "\x00", "é", "<feed", "<entry>",
     "%", "$", "~"]
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A good file, cut, with a piece taken out, doubled, or written over."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 60)))
        piece = draw(st.binary(max_size=8) | PIECES.map(lambda p: p.encode("utf-8", "surrogatepass")))
        data[start:end] = draw(st.sampled_from([piece, bytes(data[start:end]) * 2, b""]))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_are_read_as_they_are(seed: bytes) -> None:
    read_any(seed)


@given(st.binary(max_size=300))
@BOUNDED
def test_any_bytes_are_papers_or_an_error(data: bytes) -> None:
    read_any(data)


@given(spoiled())
@settings(BOUNDED, max_examples=300)
def test_a_spoiled_file_is_papers_or_an_error(data: bytes) -> None:
    read_any(data)


@given(st.lists(PIECES, max_size=60).map("".join))
@settings(BOUNDED, max_examples=200)
def test_any_marks_are_papers_or_an_error(text: str) -> None:
    read_any(text.encode("utf-8", "surrogatepass"))


@given(JSON)
@BOUNDED
def test_any_json_is_papers_or_an_error(value: Any) -> None:
    read_any(json.dumps(value).encode())


@given(st.sampled_from(sorted(LIST[0]["paper"])), JSON, st.booleans())
@settings(BOUNDED, max_examples=200)
def test_any_value_in_any_field_is_a_paper_or_an_error(field: str, value: Any, nested: bool) -> None:
    entry = {**LIST[0], "paper": {**LIST[0]["paper"], field: value}} if nested else {**ROW, field: value}
    problems: list[Problem] = []
    try:
        read_entry(entry, "$[0]", date="", votes_at="", problems=problems)
    except PresscheckError as error:
        assert error.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**300), 10**300) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
@BOUNDED
def test_what_python_writes_is_read_back(value: Any) -> None:
    try:
        assert parse_literal(repr(value), "x") == value
    except PresscheckError:
        # The digits of a number are bounded; nothing else that repr writes of these is refused.
        assert any(len(part) > 300 for part in repr(value).split())


@pytest.mark.parametrize(
    "data",
    [b"[" * 10**6, b'{"a":' * 10**5, b"[[" + b'"",' * 10**6, b"<feed>" + b"<a>" * 10**5, b"'" * 10**6,
     json.dumps(["{'a': " * 10**5]).encode(), json.dumps(["'" * 10**6]).encode(), b"2601.03501 " * 10**5,
     b"9" * 10**6, b"[" + b"9" * 10**6 + b"]", b"\n" * 10**6 + b"x", b"@a{" * 3 * 10**5,
     b'{"id": "2601.03501"}\n' * 10**4, json.dumps(["At': '" * 10**5]).encode()],
    ids=range(14),
)  # fmt: skip
def test_hostile_megabytes_end_in_seconds(data: bytes) -> None:
    start = time.monotonic()
    read_any(data)
    assert time.monotonic() - start < 8

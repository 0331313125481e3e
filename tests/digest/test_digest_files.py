"""Digests from files: what kind each is, and what is said when it is none."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.files import read_digest_file, read_digests
from presscheck.digest.jsonfile import edition_to_json
from presscheck.digest.markdown.write import to_markdown
from presscheck.errors import BadInput
from presscheck.types import Edition, Paper
from tests.digest.digests import FRAGMENTS, RAW, digests
from tests.fuzz.fuzz_digest import read_any_bytes

MARKDOWN = "### [A](https://arxiv.org/abs/2407.12345)\nVote: 1\n"


def test_markdown_is_one_digest_and_an_edition_one_for_each_style_and_language(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + MARKDOWN.encode())
    edition = Edition(date="2024-07-31", languages=("ko",), papers=(Paper(id="2407.12345", title="A"),))
    (tmp_path / "edition").write_bytes(b"\xef\xbb\xbf" + edition_to_json(edition))
    assert [one.style for one in read_digest_file(tmp_path / "a.txt")] == ["detailed"]
    assert [(one.style, one.language) for one in read_digest_file(str(tmp_path / "edition"))] == [
        ("detailed", "ko"),
        ("easy", "ko"),
    ]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(MARKDOWN.encode())))
    assert len(read_digest_file("-")) == 1
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(BadInput, match="standard input is empty"):
        read_digest_file("-")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.md cannot be read: No such file"):
        read_digest_file(tmp_path / "gone.md")
    with pytest.raises(BadInput, match="is a folder"):
        read_digest_file(tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_digest_file("a\0b")


def test_text_that_is_not_utf8_is_named_by_its_place() -> None:
    with pytest.raises(BadInput, match=r"a\.md is not UTF-8: byte 0xff at offset 4 \(line 2\)"):
        read_digests(b"abc\n\xff", name="a.md")
    with pytest.raises(BadInput, match="not UTF-8: byte 0xff at offset 0"):
        read_digests(MARKDOWN.encode("utf-16"), name="a.md")


LINES = [
    "### [A](https://arxiv.org/abs/2407.12345)", "## 제목:", "## Title: B", "- **What's New**: ",
    "**요약**:", "**X**: ", "- **Left out**: a <!-- ev: title -->", "Vote: 3", "**Votes**:",
    "Authors: a, b", "**PDF**: ![x](https://a.b)", "![](https://a.b/c.png)", "---",
    "# Daily Papers (2024-07-31)", "<!-- presscheck: detailed en -->", "<!-- presscheck: easy ko -->",
    '<!-- entry: paper="x" -->', "Snapshot: 2024-07-31 01:00 UTC, day closed", "*none* <!-- absent -->",
    "a <!-- ev: abstract v1 s1 0:3 ab -->", "**Not summarised**: ", "- **Press notes**: n",
]  # fmt: skip


@given(
    st.lists(st.one_of(st.sampled_from(LINES), st.sampled_from(FRAGMENTS + RAW)), max_size=12), st.booleans()
)
def test_any_lines_are_a_digest_or_an_error(lines: list[str], glued: bool) -> None:
    read_any_bytes(("" if glued else "\n").join(lines).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_digest_or_an_error(data: bytes) -> None:
    read_any_bytes(data)


@given(digests(), st.data())
def test_a_damaged_digest_is_a_digest_or_an_error(digest, data) -> None:  # type: ignore[no-untyped-def]
    written = bytearray(to_markdown(digest).encode())
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(written) - 1))
        written[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=4))
    read_any_bytes(bytes(written))

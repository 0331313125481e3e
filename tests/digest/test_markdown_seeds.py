"""The five digests that began it: each entry is read with all that is printed in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from presscheck.digest.files import read_digest_file
from presscheck.digest.markdown.read import read_markdown
from presscheck.digest.markdown.write import as_printed, to_markdown
from presscheck.types import Digest, Entry

pytestmark = pytest.mark.shared

ENTRIES = {"000": 3, "001": 4, "002": 10, "003": 16, "004": 16}


@pytest.fixture
def seeds(shared_data: Path) -> list[tuple[str, Digest]]:
    found = sorted((shared_data.parent / "seeds").glob("*.txt"))
    if not found:
        pytest.skip(f"needs the digests in {shared_data.parent / 'seeds'}")
    return [(path.read_text(encoding="utf-8"), read_digest_file(path)[0]) for path in found]


def blocks(text: str, digest: Digest) -> Iterator[tuple[str, Entry]]:
    """Each entry's own text, cut by the headings alone, beside what was read of it."""
    cut = re.split(r"(?m)^### " if digest.style == "detailed" else r"(?m)^!\[Image\]", text)[1:]
    assert len(cut) == len(digest.entries)
    return zip(cut, digest.entries, strict=True)


def test_every_entry_is_read(seeds: list[tuple[str, Digest]]) -> None:
    assert {f"{number:03}": len(digest.entries) for number, (_, digest) in enumerate(seeds)} == ENTRIES
    assert len({entry.paper for _, digest in seeds for entry in digest.entries}) == 49
    assert [digest.style for _, digest in seeds] == ["easy"] * 2 + ["detailed"] * 3
    assert [digest.date for _, digest in seeds] == ["", "", "2024-07-31", "2024-07-22", "2024-10-07"]
    assert {digest.language for _, digest in seeds} == {"ko"}


def test_every_author_vote_title_and_link_is_read(seeds: list[tuple[str, Digest]]) -> None:
    authors = 0
    for text, digest in seeds:
        for raw, entry in blocks(text, digest):
            head = entry.head
            assert head is not None and entry.paper in raw
            assert head.title and f"{head.title}\n" in raw or f"[{head.title}](" in raw
            if digest.style == "detailed":
                printed = re.findall(r"(?m)^Authors: (.*)$", raw)[0].split(", ")
                assert list(head.authors) == printed
                authors += len(printed)
                assert str(head.votes) == re.findall(r"(?m)^Vote: (\d+)$", raw)[0]
            else:
                assert str(head.votes) == re.findall(r"추천수\*\*:\n(\d+)", raw)[0]
                assert head.pdf_is_image and f"]({head.pdf})" in raw
            assert f"({head.thumbnail})" in raw
    assert authors == 303


def test_every_section_is_read_with_all_its_words(seeds: list[tuple[str, Digest]]) -> None:
    for text, digest in seeds:
        for raw, entry in blocks(text, digest):
            if digest.style == "detailed":
                printed = re.findall(r"(?m)^- \*\*.+?\*\*: (.*)$", raw)
            else:
                printed = re.findall(r"\*\*(?:요약|쉬운설명|관련분야)\*\*:\n(.*)", raw)
            assert len(entry.sections) == len(printed)
            for section, words in zip(entry.sections, printed, strict=True):
                joined = "".join(one.text for one in section.statements)
                assert re.sub(r"[\s,]", "", joined) == re.sub(r"[\s,]", "", words)
                assert section.statements


def test_sections_that_the_format_has_not_keep_their_headings(seeds: list[tuple[str, Digest]]) -> None:
    known = {"whats_new", "technical_details", "performance_highlights", "summary", "plain", "fields"}
    others = [section.key for _, digest in seeds for entry in digest.entries for section in entry.sections]
    assert [key for key in others if key not in known] == [
        "Conclusion and Future Work",
        "Limitations",
        "Ethical Considerations",
    ]


def test_statements_are_counted_as_people_counted_them(
    seeds: list[tuple[str, Digest]], shared_data: Path
) -> None:
    """Two of the 23 may differ: one label lacks a sentence, one entry quotes two questions."""
    labels = [
        json.loads(line) for line in (shared_data / "seed_errors_dev.jsonl").read_text("utf-8").splitlines()
    ]
    read = {
        entry.paper: sum(len(section.statements) for section in entry.sections if section.key != "fields")
        for _, digest in seeds
        for entry in digest.entries
    }
    differing = {label["arxiv"] for label in labels if label["statements"] != read[label["arxiv"]]}
    assert len(labels) == 23
    assert differing <= {"2410.17250", "2412.17483"}


def test_what_is_read_can_be_printed_and_read_again(seeds: list[tuple[str, Digest]]) -> None:
    for _, digest in seeds:
        assert read_markdown(to_markdown(digest)) == as_printed(digest)

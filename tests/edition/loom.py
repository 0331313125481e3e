"""A shipped edition of one invented paper, in the format and as the source that it points to."""

from __future__ import annotations

from pathlib import Path

from presscheck.papers.paper import make_paper
from presscheck.types import LANGUAGES, Author, Day, Paper

TITLE = "Weaver: A Loom"
ABSTRACT = "Weaver is a loom.  It weaves\n2.5 million threads. It is fast."
TEXT = f"""# {TITLE}

## What's New
- One. [t a1]
- Two. [a2]

## Technical Details
- Three. [p:"Table 2"]

## Performance Highlights
absent: the abstract measures nothing

## Summary
- Four [sic] is here. [a1 a3]

## In Plain Words
- Five. [r:"src/loom.py"]

## Fields
- Weaving [t]

## Press Note
- Six. [p:"Section 1"]
"""


def source() -> Day:
    """The day as a reader holds it, with the abstract."""
    paper = make_paper(
        id="2401.00001",
        title=TITLE,
        abstract=ABSTRACT,
        authors=["Ada Loom", Author(name="Bo Thread", hidden=True)],
        version="v1",
        published="2024-01-01T00:00:00Z",
        listed="2024-01-02T00:00:00Z",
        votes=0,
    )
    return Day(date="2024-01-02", taken="2024-01-02T01:00:00Z", papers=(paper,))


def table(paper: Paper) -> str:
    """What ``edition.toml`` says of it."""
    rows = ",\n".join(f'  [{s.number}, {s.start}, {s.end}, "{s.hash}"]' for s in paper.sentences)
    return f"""schema = 1
date = "2024-01-02"
taken = "2024-01-02T01:00:00Z"
state = "closed"
source = "a list"

[[papers]]
arxiv = "2401.00001"
version = "v1"
title = "{TITLE}"
authors = ["Ada Loom", {{ name = "Bo Thread", hidden = true }}]
published = "2024-01-01T00:00:00Z"
listed = "2024-01-02T00:00:00Z"
votes = 0
code = "https://example.org/loom"
sentences = [
{rows}
]
"""


def write_loom(root: Path) -> Path:
    """The edition as a folder of files."""
    made = root / "2024-01-02"
    made.mkdir()
    (made / "edition.toml").write_text(table(source().papers[0]))
    for language in LANGUAGES:
        (made / f"2401.00001.{language}.md").write_text(TEXT)
    return made


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))

"""Fill the paper tables of a shipped edition from the data: ``stamp_content.py DATE --papers PATH``.

An editor writes ``arxiv`` and, by hand, ``version``, ``system``, ``related`` and
``code``; everything that the source says itself (title, authors, times, votes,
where each sentence of the abstract stands and its hash) is taken from the data,
so that nobody types it. A paper that no data have is kept as it stands, after the
others, if its title and authors are set by hand; it has no sentences to point to.
Refuses, and writes nothing, if a paper is in neither case or a pointer names a
sentence that does not exist.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from presscheck.edition.shipped import read_folder
from presscheck.errors import BadInput, PresscheckError
from presscheck.papers.files import read_papers
from presscheck.papers.whole import write_whole
from presscheck.types import Author, Day, Paper

EDITIONS = Path(__file__).resolve().parents[1] / "src" / "presscheck" / "content" / "editions"
HEAD = ("schema", "date", "taken", "state", "source")
BY_HAND = ("version", "system", "related", "code")
KEYS = ("arxiv", "version", "title", "authors", "published", "listed", "votes", "system", "related", "code")


def value(given: Any) -> str:
    """A TOML value; TOML's basic strings escape as JSON's do, but for DEL."""
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(given, dict):
        return "{ " + ", ".join(f"{key} = {value(item)}" for key, item in given.items()) + " }"
    if isinstance(given, list | tuple):
        return "[" + ", ".join(value(item) for item in given) + "]"
    return json.dumps(given)


def author(name: Author) -> str | dict[str, Any]:
    """A name, or a table where it is more than a name."""
    marks = {key: True for key in ("hidden", "group") if getattr(name, key)}
    return {"name": name.name, **marks} if marks else name.name


def stamp(table: dict[str, Any], paper: Paper) -> dict[str, Any]:
    """The table of one paper: by hand what is ours to say, from the data what is not."""
    said = {key: table[key] for key in BY_HAND if key in table}
    said.update(
        arxiv=paper.id,
        title=paper.title,
        authors=[author(name) for name in paper.authors],
        published=paper.published,
        listed=paper.listed,
        votes=paper.votes,
        sentences=[(item.number, item.start, item.end, item.hash) for item in paper.sentences],
    )
    return said


def render(edition: dict[str, Any], papers: list[dict[str, Any]]) -> str:
    """The whole file; one key a line and one sentence a line, so that a change is a readable diff."""
    lines = [f"{key} = {value(edition[key])}" for key in HEAD]
    for paper in papers:
        lines += ["", "[[papers]]"]
        lines += [f"{key} = {value(paper[key])}" for key in KEYS if paper.get(key) is not None]
        if sentences := paper.get("sentences"):
            lines += ["sentences = [", *(f"  {value(item)}," for item in sentences), "]"]
    return "\n".join(lines) + "\n"


def stamped(folder: Path, day: Day) -> str:
    """The new ``edition.toml`` of a folder, in the order of the list.

    Raises:
        BadInput: if a paper of the edition is not in the data.
    """
    edition = tomllib.loads((folder / "edition.toml").read_text(encoding="utf-8"))
    tables = {table["arxiv"]: table for table in edition.get("papers", [])}
    held = {paper.id: paper for paper in day.papers}
    unlisted = [table for id, table in tables.items() if id not in held]
    if missing := sorted(table["arxiv"] for table in unlisted if not _by_hand(table)):
        raise BadInput(
            f"not in the data: {', '.join(missing)}",
            hint="give --papers that day's list, or set `title` and `authors` by hand, without `sentences`",
        )
    edition = {"schema": 1, "date": folder.name, "state": day.state, "source": day.source, **edition}
    # The data bear no time of their own: their latest timestamp is the earliest time at which they can
    # have been taken.
    edition["taken"] = day.taken or edition.get("taken", "")
    listed = [stamp(tables[paper.id], paper) for paper in day.papers if paper.id in tables]
    return render(edition, listed + unlisted)


def _by_hand(table: dict[str, Any]) -> bool:
    """Whether a paper that no data have is told by its editor instead."""
    return bool(table.get("title") and table.get("authors") and not table.get("sentences"))


def check(folder: Path, text: str) -> None:
    """Read the edition back as users will, from a copy; raises ``BadInput`` where a pointer leads nowhere."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        copy.mkdir()
        for file in folder.glob("*.md"):
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / "edition.toml").write_text(text, encoding="utf-8")
        read_folder(copy)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("date", help="day of the edition, YYYY-MM-DD")
    parser.add_argument(
        "--papers", required=True, type=Path, help="file with that day's papers and abstracts"
    )
    parser.add_argument("--editions", type=Path, default=EDITIONS, help="folder of the editions")
    given = parser.parse_args()
    folder = given.editions / given.date
    try:
        if not (folder / "edition.toml").is_file():
            raise BadInput(f"no {folder / 'edition.toml'}", hint="begin it with `[[papers]]` and `arxiv = …`")
        text = stamped(folder, read_papers(given.papers))
        check(folder, text)
        write_whole(folder / "edition.toml", text.encode())
    except PresscheckError as error:
        print(f"Error: {error.message}" + (f"\n\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return 2
    print(f"{folder / 'edition.toml'}: {text.count('[[papers]]')} papers stamped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

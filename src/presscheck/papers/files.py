"""Papers from files: what each kind of file is, by its content and not by its name.

Read are answers of the daily-papers API in every shape in which people kept them,
snapshots of the library, JSON Lines (also .gz), BibTeX, Atom of the arXiv API, and
lists of arXiv ids. A file does not say when its votes were counted: the latest time
inside an answer is taken, and is to be read as "not before".
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from presscheck.errors import BadInput, PresscheckError
from presscheck.papers.atom import parse_feed
from presscheck.papers.bibtex import looks_like_bibtex, read_bibtex
from presscheck.papers.days import DAY, parse_time, stamp, state_of, utc_now
from presscheck.papers.decode import decode_json, decode_text, refuse_html
from presscheck.papers.entries import duplicate, read_entries
from presscheck.papers.http import Client
from presscheck.papers.huggingface import day_of, entries_of
from presscheck.papers.ids import ArxivId, parse_arxiv
from presscheck.papers.literal import parse_literal
from presscheck.papers.rows import Source, is_rows, read_rows
from presscheck.papers.snapshots import snapshot_of
from presscheck.types import Day, Paper, Problem, Struct

KNOWN = (
    "needed is an answer of the daily-papers API, JSON Lines (also .gz), BibTeX, Atom of the arXiv API, "
    "or a list of arXiv ids"
)
AT = re.compile(r"""([A-Za-z]{1,40}At)\\?["']\s{0,4}:\s{0,4}\\?["']([0-9T:.Z+ -]{16,35})\\?["']""")
DAY_IN_NAME = re.compile(rf"(?<![0-9]){DAY.pattern}(?![0-9])")


class IdList(Struct, frozen=True, kw_only=True):
    """A file that names papers without holding them: they have to be fetched."""

    source: str
    ids: tuple[ArxivId, ...]
    problems: tuple[Problem, ...] = ()


def read_papers(path: Path | str, client: Client | None = None) -> Day:
    """All papers of a file, of a folder's files, or of standard input (``-``).

    Args:
        path: the file.
        client: fetches the papers of a list of ids; without one such a list is an error.

    Raises:
        BadInput: if it cannot be read or is of no known kind.
        Unreachable: if a list of ids could not be fetched.
    """
    if str(path) != "-" and Path(path).is_dir():
        return _read_folder(Path(path), client)
    found = read_file(path)
    if isinstance(found, Day):
        return found
    if client is None:
        raise BadInput(f"{found.source} is a list of arXiv ids: these papers have to be fetched first")
    from presscheck.papers.arxiv import fetch_ids

    day = fetch_ids(found.ids, client)
    return msgspec.structs.replace(day, problems=found.problems + day.problems)


def iter_papers(
    path: Path | str,
    problems: list[Problem] | None = None,
    wanted: Callable[[bytes], object] | None = None,
) -> Iterator[Paper]:
    """The papers one by one: JSON Lines in flat memory, other files whole.

    Args:
        path: a file, a folder or ``-``.
        problems: what is wrong with single entries is added here.
        wanted: says of a raw line of JSON Lines whether to read it at all.

    Raises:
        BadInput: if it cannot be read, also after some papers (a gzip file that was cut).
    """
    told = problems if problems is not None else []
    if str(path) != "-" and Path(path).is_dir():
        for file in _files_of(Path(path)):
            yield from iter_papers(file, told, wanted)
        return
    with Source(path) as source:
        if is_rows(source.head()):
            yield from read_rows(source, told, wanted)
            return
        found = _recognised(source)
    told.extend(found.problems)
    if isinstance(found, IdList):
        raise BadInput(f"{found.source} is a list of arXiv ids: these papers have to be fetched first")
    yield from found.papers


def read_file(path: Path | str) -> Day | IdList:
    """What one file holds.

    Raises:
        BadInput: if it cannot be read or is of no known kind.
    """
    with Source(path) as source:
        return _read(source)


def read_bytes(data: bytes, name: str) -> Day | IdList:
    """What these bytes hold, as if they were a file.

    Args:
        data: the content.
        name: what it is called in messages; a date in it may date the list.

    Raises:
        BadInput: if it is of no known kind.
    """
    with Source(name, io.BytesIO(data)) as source:
        return _read(source)


def _read(source: Source) -> Day | IdList:
    """JSON Lines line by line, anything else whole."""
    if not is_rows(source.head()):
        return _recognised(source)
    problems: list[Problem] = []
    papers = tuple(read_rows(source, problems))
    dates = {paper.date for paper in papers}
    date = dates.pop() if len(dates) == 1 else ""
    return Day(date=date, taken="", source=source.name, papers=papers, problems=tuple(problems))


def _read_folder(folder: Path, client: Client | None) -> Day:
    """All files of a folder as one list; one that is of no known kind is a problem."""
    problems: list[Problem] = []
    papers: dict[tuple[str, str], Paper] = {}
    days: list[Day] = []
    first: PresscheckError | None = None
    for file in _files_of(folder):
        try:
            day = read_papers(file, client)
        except BadInput as error:
            first = first or error
            problems.append(Problem(where=file.name, what=error.message))
            continue
        days.append(day)
        problems.extend(day.problems)
        for paper in day.papers:
            if papers.setdefault((paper.date, paper.id), paper) is not paper:
                problems.append(duplicate(paper.id, file.name))
    if not days:
        raise first or BadInput(f"{folder} has no files", hint=KNOWN)
    dates = {day.date for day in days}
    return Day(
        date=days[0].date if len(dates) == 1 else "",
        taken=days[0].taken if len(days) == 1 else "",
        state=days[0].state if len(days) == 1 else "unknown",
        source=str(folder),
        papers=tuple(papers.values()),
        problems=tuple(problems),
    )


def _files_of(folder: Path) -> list[Path]:
    """The files of a folder by name; hidden ones are editors' and systems'."""
    try:
        found = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError as error:
        raise BadInput(f"cannot read {folder}: {error.strerror}") from error
    if not found:
        raise BadInput(f"{folder} has no files", hint=KNOWN)
    return found


def _recognised(source: Source) -> Day | IdList:
    """A whole file by its first characters."""
    name = source.name
    text = decode_text(source.all(), name)
    start = text.lstrip()[:1]
    if start == "<":
        return _feed(text, name)
    if looks_like_bibtex(text):
        problems: list[Problem] = []
        papers = read_bibtex(text, name, problems)
        return Day(date="", taken="", source=name, papers=tuple(papers), problems=tuple(problems))
    if start in ("[", "{", '"') or text.strip() == "1":
        return _answer(text, name)
    return read_ids(text, name)


def _feed(text: str, name: str) -> Day:
    """An Atom feed as a Day; its own ``updated`` is when it was taken."""
    refuse_html(text, name, "papers")
    problems: list[Problem] = []
    feed = parse_feed(text, name, problems)
    papers: dict[str, Paper] = {}
    for paper in feed.papers:
        if papers.setdefault(paper.id, paper) is not paper:
            problems.append(duplicate(paper.id, name))
    return Day(
        date="", taken=feed.updated, source=name, papers=tuple(papers.values()), problems=tuple(problems)
    )


def _answer(text: str, name: str) -> Day:
    """An answer of the daily-papers API, or a snapshot of it."""
    answer = _json_or_literal(text, name)
    if isinstance(answer, dict) and "pages" in answer:
        return day_of(snapshot_of(answer, name), name)
    entries = entries_of(answer, name)
    moments, listed = _times(text, utc_now())
    date = _date(listed, name)
    taken = stamp(max(moments)) if moments else ""
    problems: list[Problem] = []
    places = ((f"{name}: $[{number}]", entry) for number, entry in enumerate(entries))
    papers = read_entries(places, date=date, votes_at=taken, problems=problems)
    if not date:
        date = _date_of(papers)
        papers = [msgspec.structs.replace(paper, date=paper.date or date) for paper in papers]
    return Day(
        date=date,
        taken=taken,
        # It was taken at `taken` or later: that can show that the day was over, never that it was not.
        state="closed" if state_of(date, taken) == "closed" else "unknown",
        source=name,
        papers=tuple(papers),
        problems=tuple(problems),
    )


def _json_or_literal(text: str, name: str) -> Any:
    """JSON; a file that was written with ``repr`` as a whole is read as that."""
    try:
        return decode_json(text, name)
    except BadInput as error:
        if not re.match(r"\s*(?:\[\s*)?\{\s*'", text):
            raise
        try:
            return parse_literal(text.strip(), name)
        except BadInput:
            raise error from None


def _times(text: str, now: datetime) -> tuple[list[datetime], Counter[str]]:
    """All times in an answer that have passed, and the days of ``submittedOnDailyAt``.

    The text is searched and not the values, since one expression serves all shapes.
    """
    moments = []
    listed: Counter[str] = Counter()
    for name, value in AT.findall(text):
        moment = parse_time(value)
        if moment is None or moment > now:
            continue
        moments.append(moment)
        if name == "submittedOnDailyAt":
            listed[stamp(moment)[:10]] += 1
    return moments, listed


def _date(listed: Counter[str], name: str) -> str:
    """The day of a list: by its entries, else by the file's name."""
    if listed:
        return listed.most_common(1)[0][0]
    in_name = DAY_IN_NAME.findall(Path(name).name)
    return str(in_name[-1]) if in_name else ""


def _date_of(papers: list[Paper]) -> str:
    """The last day on which a paper was put on the list: people submit on the evening before, too."""
    return max((paper.listed[:10] for paper in papers), default="")


def read_ids(text: str, name: str) -> IdList:
    """A list of arXiv ids, one a line in any form; what follows an id on its line is a note.

    Raises:
        BadInput: if no line starts with an id: then it is some other file.
    """
    ids: dict[ArxivId, None] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        content = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if not content:
            continue
        words = [word for word in re.split(r"[\s,;]+", content[:2000]) if word]
        found = [arxiv for word in words if (arxiv := _id_or_none(word))]
        if not words or _id_or_none(words[0]) is None:
            what = f"line {number} does not start with an arXiv id: `{content[:60]}`"
            problems.append(Problem(where=name, what=what, kind="bad paper"))
            continue
        for arxiv in found:
            if arxiv in ids:
                problems.append(duplicate(arxiv.id, f"{name}, line {number}"))
            ids[arxiv] = None
    if not ids:
        raise BadInput(f"{name} is of no known kind", hint=KNOWN)
    return IdList(source=name, ids=tuple(ids), problems=tuple(problems))


def _id_or_none(word: str) -> ArxivId | None:
    try:
        return parse_arxiv(word)
    except BadInput:
        return None

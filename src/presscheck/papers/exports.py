"""What reference managers export, as Papers: RIS, CSL JSON and Zotero's CSV.

Read is what names a paper (title, authors, abstract, identifiers) and when it was
added; everything else of an item is passed over. BibTeX has a module of its own.
Sources: the RIS tags as Zotero, Mendeley and EndNote write them; the Citation Style
Language's data schema 1.0.2; the header of Zotero's CSV export.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from presscheck.errors import BadInput
from presscheck.papers.bibtex import DOI
from presscheck.papers.days import parse_time, stamp
from presscheck.papers.decode import decode_json
from presscheck.papers.ids import ArxivId, parse_arxiv
from presscheck.papers.paper import make_paper
from presscheck.types import Author, Paper, Problem

RIS_LINE = re.compile(r"^([A-Z][A-Z0-9])  ?-(?: (.*))?$")
_CSL_KEY = re.compile(r'"(?:citation-key|family|issued|citation-label)"\s*:')
CSV_COLUMNS = ("Title", "Item Type")
IN_TEXT = re.compile(r"(?i)\barxiv\s*(?:id)?\s*:\s*(\S+)|\b(\S*arxiv\.org/\S+)")
LONGEST_FIELD = 1_000_000
"""Characters of one CSV field."""


class Item(NamedTuple):
    """A paper of an export, and when it was added to the collection; empty if that is not said."""

    paper: Paper
    added: str


class _Fields(NamedTuple):
    """What an item says, whatever its format."""

    key: str
    title: str
    abstract: str
    authors: list[Author | str]
    journal: str
    doi: str
    links: list[str]
    added: str


def looks_like_ris(text: str) -> bool:
    """Whether the first line that is not empty opens a RIS item."""
    return re.match(r"\ufeff?\s*TY  ?- ", text) is not None


def looks_like_csv(text: str) -> bool:
    """Whether the first line is the header of Zotero's CSV export."""
    head = text.lstrip("\ufeff").split("\n", 1)[0]
    return all(name in head for name in CSV_COLUMNS) and "," in head


def looks_like_csl(text: str) -> bool:
    """Whether it begins as a list of CSL items and not as an answer of the daily-papers API."""
    head = text.lstrip("\ufeff \t\r\n")[:4000]
    return head.startswith(("[", "{")) and _CSL_KEY.search(head) is not None


def read_export(text: str, where: str, problems: list[Problem]) -> list[Item] | None:
    """The items of an export in its order; None if it is of none of the three kinds.

    Args:
        text: the file.
        where: its name, for messages.
        problems: what is wrong with single items is added here.

    Raises:
        BadInput: if it is of a kind but no item of it can be read.
    """
    for looks, read in ((looks_like_ris, _ris), (looks_like_csv, _csv), (looks_like_csl, _csl)):
        if looks(text):
            return _items(read, text, where, problems)
    return None


def _items(
    read: Callable[[str, str], Iterable[tuple[str, _Fields | BadInput]]],
    text: str,
    where: str,
    problems: list[Problem],
) -> list[Item]:
    items: dict[str, Item] = {}
    first: BadInput | None = None
    for place, fields in read(text, where):
        try:
            if isinstance(fields, BadInput):
                raise fields
            item = _item(fields, place, problems)
        except BadInput as error:
            first = first or error
            problems.append(Problem(where=place, what=error.message, kind="bad paper"))
            continue
        items.setdefault(item.paper.id, item)
    if not items:
        raise BadInput(first.message if first else f"{where} has no item with a title")
    return list(items.values())


def _item(fields: _Fields, place: str, problems: list[Problem]) -> Item:
    """One item, named by its arXiv id, else its DOI, else its key, else its title."""
    title = " ".join(fields.title.split())
    if not title:
        raise BadInput(f"{place} has no title")
    arxiv = _arxiv([fields.doi, *fields.links])
    match = DOI.search(fields.doi)
    doi = match[0].rstrip(".,;").lower() if match else ""
    key = re.sub(r"[^\w.:/-]+", "-", fields.key or title.lower()).strip("-")[:80]
    paper = make_paper(
        id=arxiv.id if arxiv else f"doi:{doi}" if doi else f"key:{key}",
        title=title,
        abstract=fields.abstract,
        authors=fields.authors,
        problems=problems,
        version=arxiv.version if arxiv else "",
        source="file",
        doi=doi,
        journal=" ".join(fields.journal.split()),
    )
    moment = parse_time(fields.added)
    return Item(paper, stamp(moment) if moment else "")


def _arxiv(candidates: list[str]) -> ArxivId | None:
    """The first arXiv id among texts that may be one or hold one."""
    for text in candidates:
        found = [text.strip(), *(match[1] or match[2] for match in IN_TEXT.finditer(text[:20_000]))]
        for one in found:
            # A bare number in a URL or a note is no id: only what says arXiv is read from those.
            if one == text.strip() and "arxiv" not in one.lower():
                continue
            with suppress(BadInput):
                return parse_arxiv(one.rstrip(".,;)"))
    return None


def _in_order(name: str) -> str:
    """``Last, First`` as ``First Last``."""
    last, comma, first = name.partition(",")
    return " ".join(f"{first} {last}".split()) if comma else " ".join(name.split())


def _ris(text: str, where: str) -> Iterator[tuple[str, _Fields | BadInput]]:
    """Items from ``TY`` to ``ER``; a line without a tag goes on with the field before."""
    tags: dict[str, list[str]] = {}
    number, last = 0, ""
    for line in [*text.lstrip("\ufeff").splitlines(), "ER  - "]:
        match = RIS_LINE.match(line)
        if not match:
            if last and line.strip():
                tags[last][-1] += f" {line.strip()}"
            continue
        tag, value = match[1], (match[2] or "").strip()
        if tag in ("TY", "ER") and tags:
            number += 1
            yield f"{where}, item {number}", _ris_fields(tags)
            tags, last = {}, ""
        if tag not in ("TY", "ER"):
            tags.setdefault(tag, []).append(value)
            last = tag


def _ris_fields(tags: dict[str, list[str]]) -> _Fields:
    def first(*names: str) -> str:
        return next((tags[name][0] for name in names if tags.get(name)), "")

    links = [
        value for name in ("UR", "L1", "L2", "AN", "M1", "M3", "N1", "C1") for value in tags.get(name, [])
    ]
    added = first("DA").replace("/", "-").strip("-")
    return _Fields(
        key=first("ID"),
        title=first("TI", "T1", "CT"),
        abstract=first("AB", "N2"),
        authors=[_in_order(name) for tag in ("AU", "A1") for name in tags.get(tag, [])],
        journal=first("JO", "JF", "T2", "JA"),
        doi=first("DO"),
        links=links,
        added=f"{added}T00:00" if len(added) == 10 else "",
    )


def _csv(text: str, where: str) -> Iterator[tuple[str, _Fields | BadInput]]:
    """Rows of Zotero's CSV, by the names in its header."""
    csv.field_size_limit(LONGEST_FIELD)
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    number = 1
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"{where}, row {number}", BadInput(f"{where}, row {number}: {error}")
            return

        def get(name: str, row: dict[str | Any, str | Any] = row) -> str:
            value = row.get(name)
            return value if isinstance(value, str) else ""

        yield (
            f"{where}, row {number}",
            _Fields(
                key=get("Key"),
                title=get("Title"),
                abstract=get("Abstract Note"),
                authors=[_in_order(name) for name in get("Author").split(";") if name.strip()],
                journal=get("Publication Title"),
                doi=get("DOI"),
                links=[get("Url"), get("Extra"), get("Archive Location"), get("Number")],
                added=get("Date Added"),
            ),
        )


def _csl(text: str, where: str) -> Iterator[tuple[str, _Fields | BadInput]]:
    """Items of CSL JSON: a list, or Better BibTeX's object with ``items``."""
    value = decode_json(text, where)
    if isinstance(value, dict):
        value = value.get("items", [value])
    if not isinstance(value, list):
        raise BadInput(f"{where} is not a list of CSL items")
    for number, item in enumerate(value):
        place = f"{where}, item {number + 1}"
        if not isinstance(item, dict):
            yield place, BadInput(f"{place} is not an object")
            continue

        def get(name: str, item: dict[str, Any] = item) -> str:
            got = item.get(name)
            return got if isinstance(got, str) else ""

        yield (
            place,
            _Fields(
                key=get("citation-key") or get("id"),
                title=get("title"),
                abstract=get("abstract"),
                authors=_csl_authors(item.get("author")),
                journal=get("container-title"),
                doi=get("DOI"),
                links=[get(name) for name in ("URL", "number", "note", "archive_location")],
                added=get("dateAdded"),
            ),
        )


def _csl_authors(value: object) -> list[Author | str]:
    authors: list[Author | str] = []
    for one in value if isinstance(value, list) else []:
        if not isinstance(one, dict):
            continue
        parts = [one.get(name) for name in ("given", "non-dropping-particle", "family", "suffix")]
        name = " ".join(part for part in parts if isinstance(part, str))
        literal = one.get("literal")
        if name.strip():
            authors.append(name)
        elif isinstance(literal, str) and literal.strip():
            authors.append(Author(name=literal, group=True))
    return authors

"""Atom of the arXiv API as Papers. No document type, no entities, bounded depth and size."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree

from presscheck.errors import BadInput
from presscheck.papers.days import parse_time, stamp
from presscheck.papers.decode import refuse_html
from presscheck.papers.ids import parse_arxiv
from presscheck.papers.paper import make_paper
from presscheck.papers.replies import Refused
from presscheck.types import Author, Paper, Problem

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
DEEPEST = 16
MOST = 2_000_000
"""Elements: thirty thousand papers, the most that one query can give, have about a million."""
DECLARED = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class Feed(NamedTuple):
    """One answer."""

    papers: list[Paper]
    total: int
    """How many papers the whole query has, by the service's count; -1 if it does not say."""
    updated: str
    """When the answer was made; empty if it does not say."""
    entries: int
    """How many entries the answer holds, readable or not."""


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree, within bounds."""

    depth = 0
    count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        self.count += 1
        if self.depth > DEEPEST or self.count > MOST:
            raise BadInput(f"an Atom feed of papers is not {DEEPEST} deep, nor has it {MOST} elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def parse_feed(text: str, where: str, problems: list[Problem]) -> Feed:
    """Read an answer of the arXiv API.

    Args:
        text: the XML.
        where: the file or service, for messages.
        problems: what is wrong with single entries is added here.

    Raises:
        BadInput: if it is HTML, no XML, another XML, declares entities, or says "Error".
    """
    refuse_html(text, where, "an Atom feed")
    if DECLARED.search(text):
        raise BadInput(f"{where} declares a document type or entities: an Atom feed has none")
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        parser.feed(text)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise BadInput(f"{where} is not XML: {error.msg}") from None
    except ValueError as error:
        raise BadInput(f"{where} is not XML: {error}") from None
    if root.tag != f"{ATOM}feed":
        raise BadInput(f"{where} is not an Atom feed: its root is `{root.tag[:80]}`")
    papers = []
    entries = root.findall(f"{ATOM}entry")
    for number, entry in enumerate(entries):
        place = f"entry {number + 1}"
        _refuse_error(entry, where)
        try:
            papers.append(_paper(entry, place, problems))
        except BadInput as error:
            name = _text(entry, f"{ATOM}id").rpartition("/abs/")[2][:60] or f"{where}, {place}"
            problems.append(Problem(where=name, what=error.message, kind="bad paper"))
    total = _text(root, f"{OPENSEARCH}totalResults")
    return Feed(
        papers, int(total) if re.fullmatch("[0-9]{1,9}", total) else -1, _time(root, "updated"), len(entries)
    )


def _refuse_error(entry: ElementTree.Element, where: str) -> None:
    """The API tells an error as an entry that looks like a paper."""
    if "/api/errors" in _text(entry, f"{ATOM}id") or (
        _text(entry, f"{ATOM}title") == "Error" and entry.find(f"{ATOM}published") is None
    ):
        raise Refused(f"{where} is an error: {_text(entry, f'{ATOM}summary')[:300]}")


def _paper(entry: ElementTree.Element, place: str, problems: list[Problem]) -> Paper:
    """One entry as a Paper."""
    paper_id, version = parse_arxiv(_text(entry, f"{ATOM}id"))
    title = _raw(entry, f"{ATOM}title")
    if not title.strip():
        raise BadInput(f"{place} has no title")
    names = [_text(author, f"{ATOM}name") for author in entry.findall(f"{ATOM}author")]
    if not all(names):
        what = "an author has no name: the author list is not complete"
        problems.append(Problem(where=paper_id, what=what))
    return make_paper(
        id=paper_id,
        title=title,
        abstract=_raw(entry, f"{ATOM}summary"),
        authors=[Author(name=name) for name in names if name],
        problems=problems,
        version=version,
        source="arxiv",
        published=_time(entry, "published"),
        categories=_categories(entry),
        doi=_text(entry, f"{ARXIV}doi"),
        journal=_text(entry, f"{ARXIV}journal_ref"),
    )


def _categories(entry: ElementTree.Element) -> tuple[str, ...]:
    """The primary category first, the others in their order, each once."""
    primary = entry.find(f"{ARXIV}primary_category")
    terms = [] if primary is None else [primary.get("term", "")]
    terms += [category.get("term", "") for category in entry.findall(f"{ATOM}category")]
    return tuple(dict.fromkeys(term for term in terms if term))


def _raw(parent: ElementTree.Element, tag: str) -> str:
    child = parent.find(tag)
    return "" if child is None else "".join(child.itertext())


def _text(parent: ElementTree.Element, tag: str) -> str:
    return " ".join(_raw(parent, tag).split())


def _time(parent: ElementTree.Element, tag: str) -> str:
    moment = parse_time(_text(parent, ATOM + tag))
    return stamp(moment) if moment else ""

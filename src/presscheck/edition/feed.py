"""The Atom feed: one entry an edition, its content HTML that is built, never pasted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from presscheck.edition.references import source_address
from presscheck.edition.view import html_ids, language_of
from presscheck.edition.words import count, day_in_words, say
from presscheck.types import SECTIONS, Edition, Entry, Language, Paper

ATOM = "http://www.w3.org/2005/Atom"
TAG = "tag:presscheck,2026:"
"""What every id of the feed starts with (RFC 4151); ids never change once they are out."""

NEVER = "1970-01-01T00:00:00Z"
"""When a feed without an entry was updated."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def render_feed(
    editions: Sequence[Edition],
    language: Language | None = None,
    *,
    url: str = "",
    page_of: Callable[[str], str] | None = None,
) -> bytes:
    """The feed over some editions, newest first as they come.

    Args:
        editions: The editions to announce.
        language: Of the entries; None for the first of each edition.
        url: Where the feed's folder will be found, with a slash at its end, where that is known.
        page_of: Paper id → the address of its page; None where papers have no pages.

    Returns:
        An Atom document, UTF-8. Without a url its links are relative: it works wherever the folder is put.
    """
    spoken = language or (editions[0].languages[0] if editions and editions[0].languages else "en")
    name = f"feed.{language}.atom" if language else "feed.atom"
    id_ = TAG + "editions" + (f"/{language}" if language else "")
    feed = head(
        id_, "presscheck", spoken, name, "index.html", max(map(_updated, editions), default=NEVER), url
    )
    for edition in editions:
        feed.append(_entry(edition, language, page_of))
    return document(feed)


def head(
    id_: str, title: str, language: str, name: str, page: str, updated: str, url: str = ""
) -> ET.Element:
    """A feed without its entries.

    Args:
        id_: For ever.
        title: Of the feed.
        language: Of its words.
        name: Address of the feed, as seen from the url, or from its own folder where there is none.
        page: Address of the page that it follows, the same way.
        updated: Time of its newest entry.
        url: What addresses start from; empty where the feed does not know where it will be.
    """
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": language, **({"xml:base": url} if url else {})})
    _add(feed, "id", id_)
    _add(feed, "title", title)
    _add(feed, "subtitle", say("tagline", "ko" if language == "ko" else "en"))
    _add(feed, "updated", updated)
    _add(_add(feed, "author"), "name", "presscheck")
    _add(feed, "link", rel="self", type="application/atom+xml", href=url + name)
    _add(feed, "link", rel="alternate", type="text/html", href=url + page)
    return feed


def entry_of(
    feed: ET.Element, id_: str, title: str, language: str, updated: str, page: str, paragraphs: Sequence[str]
) -> None:
    """Add an entry of a few paragraphs to a feed."""
    entry = _add(feed, "entry")
    entry.set("xml:lang", language)
    _add(entry, "id", id_)
    _add(entry, "title", title)
    _add(entry, "updated", updated)
    _add(entry, "link", rel="alternate", type="text/html", href=page)
    root = ET.Element("div", {"lang": language})
    for text in paragraphs:
        _add(root, "p", text)
    _add(entry, "content", ET.tostring(root, encoding="unicode", method="html")).set("type", "html")


def document(feed: ET.Element) -> bytes:
    """A feed as a file."""
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _entry(edition: Edition, wanted: Language | None, page_of: Callable[[str], str] | None) -> ET.Element:
    language = wanted or (edition.languages[0] if edition.languages else "en")
    entry = ET.Element("entry", {"xml:lang": language})
    _add(entry, "id", TAG + "edition/" + edition.date)
    title = f"{day_in_words(edition.date, language)}: {count('paper', len(edition.papers), language)}"
    _add(entry, "title", title)
    _add(entry, "updated", _updated(edition))
    _add(entry, "link", rel="alternate", type="text/html", href=f"{edition.date}/index.html")
    content = _add(entry, "content", _content(edition, language, page_of))
    content.set("type", "html")
    return entry


def _content(edition: Edition, language: Language, page_of: Callable[[str], str] | None) -> str:
    """The papers of an edition, each with what is new in it, as HTML in a string."""
    page = f"{edition.date}/index.html"
    chosen = {entry.paper: entry for entry in reversed(_leading(edition, language))}
    root = ET.Element("div", {"lang": language})
    for paper, anchor in zip(edition.papers, html_ids(edition.papers), strict=True):
        heading = _add(root, "h2")
        href = page_of(paper.id) if page_of else f"{page}#{anchor}"
        _add(heading, "a", paper.title, href=href, lang=language_of(paper.title))
        for text in first_words(chosen.get(paper.id), language):
            _add(root, "p", text)
        _add_source(root, paper, language)
    return ET.tostring(root, encoding="unicode", method="html")


def _leading(edition: Edition, language: Language) -> list[Entry]:
    """The entries in the first style of the edition and this language."""
    style = edition.styles[0] if edition.styles else "detailed"
    return [entry for entry in edition.entries if entry.language == language and entry.style == style]


def first_words(entry: Entry | None, language: Language) -> list[str]:
    """What the first part of an entry says, or why there is nothing."""
    if entry is None:
        return [say("no_entry", language)]
    if entry.status == "not summarised":
        return [f"{say('not_summarised', language)}: {entry.reason}"]
    first = SECTIONS[entry.style][0]
    for section in entry.sections:
        if section.key == first:
            return [statement.text for statement in section.statements] or [section.absent]
    return []


def _add_source(root: ET.Element, paper: Paper, language: Language) -> None:
    address = source_address(paper, paper.version)
    if address:
        _add(_add(root, "p"), "a", say("source_page", language), href=address)


def _updated(edition: Edition) -> str:
    return updated_of(edition.date, edition.taken)


def updated_of(date: str, taken: str) -> str:
    """When the list was taken, else the start of its day."""
    return taken if _TIME.fullmatch(taken) else f"{date}T00:00:00Z"


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    """A child element; characters that XML may not have are left out of it."""
    element = ET.SubElement(parent, name, {key: _NOT_XML.sub("", value) for key, value in attributes.items()})
    element.text = _NOT_XML.sub("", text)
    return element

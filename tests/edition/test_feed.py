"""The Atom feed, read back by a feed reader."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import feedparser
import html5lib
import msgspec
from editions import HOSTILE, full_edition
from hypothesis import given
from hypothesis import strategies as st

from presscheck.edition.feed import render_feed
from presscheck.types import Edition, Paper


def read(*editions: Edition) -> feedparser.FeedParserDict:
    feed = feedparser.parse(render_feed(editions))
    assert feed.bozo == 0, feed.get("bozo_exception")
    assert feed.version == "atom10"
    return feed


def test_one_entry_an_edition_in_the_order_given():
    feed = read(full_edition("2024-08-01"), full_edition("2024-07-31"))
    assert [entry.title for entry in feed.entries] == [
        "Thursday, 1 August 2024: 5 papers",
        "Wednesday, 31 July 2024: 5 papers",
    ]
    assert feed.entries[0].updated == feed.feed.updated == "2024-08-01T01:00:00Z"
    assert feed.entries[0].links[0].href == "2024-08-01/index.html"


def test_an_edition_keeps_its_id_when_it_is_taken_again():
    again = msgspec.structs.replace(full_edition(), taken="2024-07-31T23:00:00Z", papers=())
    (one,), (other,) = read(full_edition()).entries, read(again).entries
    assert one.id == other.id == "tag:presscheck,2026:edition/2024-07-31"
    assert one.updated < other.updated


def test_required_elements_of_atom_are_there():
    root = ET.fromstring(render_feed([full_edition()]))
    atom = "{http://www.w3.org/2005/Atom}"
    for parent in (root, root.find(f"{atom}entry")):
        for name in ("id", "title", "updated"):
            assert len(parent.findall(atom + name)) == 1
    assert root.find(f"{atom}author/{atom}name").text


def test_the_content_is_html_without_any_script():
    root = ET.fromstring(render_feed([full_edition()]))
    content = root.find(".//{http://www.w3.org/2005/Atom}content")
    assert content.get("type") == "html"
    fragment = html5lib.parseFragment(content.text, namespaceHTMLElements=False)
    assert {node.tag for node in fragment.iter()} == {"DOCUMENT_FRAGMENT", "div", "h2", "a", "p"}
    assert {name for node in fragment.iter() for name in node.attrib} == {"lang", "href"}
    words = "".join(fragment.itertext())
    assert HOSTILE in words and "Larch prunes attention heads" in words
    assert "Not summarised: the source gives no abstract" in words


def test_links_of_the_content_lead_to_the_papers_on_the_page():
    from presscheck.edition.page import render_edition

    edition = full_edition()
    root = ET.fromstring(render_feed([edition]))
    content = root.find(".//{http://www.w3.org/2005/Atom}content").text
    fragment = html5lib.parseFragment(content, namespaceHTMLElements=False)
    targets = [node.get("href").partition("#")[2] for node in fragment.iter("a") if "#" in node.get("href")]
    assert len(targets) == 5
    page = render_edition(edition)
    assert all(f'id="{target}"' in page for target in targets)


def test_korean_speaks_when_it_is_the_first_language():
    edition = msgspec.structs.replace(full_edition(), languages=("ko", "en"))
    (entry,) = read(edition).entries
    assert entry.title == "2024년 7월 31일 수요일: 논문 5편"
    assert "어텐션 헤드를 가지치기합니다" in entry.content[0].value
    assert entry.content[0].language == "ko"


def test_no_editions_give_a_feed_of_none():
    assert read().entries == []


def test_an_edition_without_a_time_is_dated_by_its_day():
    (entry,) = read(Edition(date="2024-07-31")).entries
    assert entry.updated == "2024-07-31T00:00:00Z"


@given(st.text())
def test_any_title_gives_well_formed_xml(title):
    read(Edition(date="2024-07-31", papers=(Paper(id="2407.00001", title=title),)))

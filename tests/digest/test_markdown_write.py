"""What is printed: exactly the text, no markup out of it, and everything comes back."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from presscheck.digest.markdown.inline import address, escape, one_line, plain
from presscheck.digest.markdown.read import read_markdown
from presscheck.digest.markdown.write import as_printed, to_markdown
from presscheck.errors import BadInput
from presscheck.types import Digest, Entry, Evidence, Head, LeftOut, Section, Statement
from tests.digest.digests import digests, raw_texts, texts, with_texts

COMMONMARK = MarkdownIt("commonmark")  # with html=True
WITH_TABLES = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Page(HTMLParser):
    """A rendered page taken apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.comments: list[str] = []
        self._data: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(f"{name}={value}" for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self._data.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self._data).split())


@given(digests())
def test_a_digest_comes_back_as_it_was(digest: Digest) -> None:
    assert read_markdown(to_markdown(digest)) == digest


@given(digests(raw_texts, exact=False))
def test_any_text_comes_back_as_it_is_printed(digest: Digest) -> None:
    printed = as_printed(digest)
    assert as_printed(printed) == printed
    assert read_markdown(to_markdown(digest)) == printed


@given(digests(), st.sampled_from(["\r\n", "\r"]))
def test_line_ends_and_a_byte_order_mark_change_nothing(digest: Digest, end: str) -> None:
    assert read_markdown("\ufeff" + to_markdown(digest).replace("\n", f"  {end}")) == digest


@given(digests(), st.sampled_from([COMMONMARK, WITH_TABLES]))
def test_text_is_shown_as_it_is_and_changes_no_tag(digest: Digest, renderer: MarkdownIt) -> None:
    """The page of a digest is the page of the same digest with each text replaced by a plain word."""
    found: list[str] = []

    def word(text: str) -> str:
        found.append(one_line(text))
        return f"q{len(found) - 1}z" if found[-1] else ""

    tame = Page(renderer.render(to_markdown(with_texts(digest, word))))
    page = Page(renderer.render(to_markdown(digest)))
    assert page.tags == tame.tags
    assert len(page.comments) == len(tame.comments)
    expected = re.sub(r"q([0-9]+)z", lambda token: found[int(token[1])], tame.words)
    assert page.words == " ".join(expected.split())


@given(texts)
@settings(max_examples=300)
def test_escaped_text_is_shown_as_it_is_wherever_it_stands(text: str) -> None:
    assert plain(escape(text)) == text
    places = [("", "", ""), ("# ", "", ""), ("*", "*", ""), ("[", "](https://a.b)", "")]
    for before, after, shown in [*places, ("- **a**: ", "", "a: "), ("a\n", "", "a ")]:
        page = Page(COMMONMARK.render(before + escape(text) + after))
        assert page.words == shown + text, (before, page.tags)
        assert not page.comments
        allowed = {"p", "h1", "ul", "li", "strong", "em", "a"}
        assert {tag[0].lstrip("/") for tag in page.tags} <= allowed


@given(raw_texts)
def test_an_address_stays_inside_its_link(tail: str) -> None:
    url = address(f"https://example.org/{tail}")
    digest = _digest(url=url)
    page = Page(COMMONMARK.render(to_markdown(digest)))
    assert [tag[0] for tag in page.tags].count("a") == 1
    assert read_markdown(to_markdown(digest)) == digest


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//example.org/x", "ftp://a.b", "x", "JAVASCRIPT:x"]
)
def test_an_address_that_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="need one that starts with https://"):
        to_markdown(_digest(url=url))


def test_the_pdf_is_a_link_and_the_thumbnail_an_image() -> None:
    page = Page(COMMONMARK.render(to_markdown(_digest())))
    assert ("a", "href=https://arxiv.org/pdf/2407.21018") in page.tags
    assert [tag for tag in page.tags if tag[0] == "img"] == [("img", "src=https://example.org/t.png", "alt=")]


def test_the_detailed_format_reads_as_its_readers_know_it() -> None:
    markdown = to_markdown(_digest())
    shown = [line for line in markdown.splitlines() if line and not line.startswith("<!--")]
    assert shown[:6] == [
        "## Daily Papers (2024-07-31)",
        "Snapshot: 2024-07-31 01:00 UTC, day still open, the list may grow",
        "### [A Paper](https://arxiv.org/abs/2407.21018)",
        "![](https://example.org/t.png)",
        "Vote: 53 (2024-07-31 01:00 UTC)",
        "Authors: Ann Lee, Bo Kim",
    ]
    marks = '<!-- ev: abstract v1 s3 89:210 3f2a; paper at="Table 2" -->'
    assert f"- **What's New**: It is new. {marks} It helps. <!-- ev: -->" in shown
    assert "- **Technical Details**: *the abstract has none* <!-- absent -->" in shown
    assert "- **Left out**: Sentence 5 of the abstract: no measured result <!-- ev: abstract s5 -->" in shown
    assert '- **Press notes**: 0.1 and 0.2 <!-- ev: repository at="README.md" -->' in shown


def test_the_easy_format_in_korean_has_the_labels_its_readers_know() -> None:
    entry = Entry(
        paper="2407.21018",
        language="ko",
        style="easy",
        sections=(
            Section(key="summary", statements=(Statement(text="새 방법입니다."),)),
            Section(key="plain", absent="쉬운 설명이 없습니다"),
            Section(key="fields", statements=(Statement(text="압축"), Statement(text="언어 모델"))),
        ),
        head=Head(title="A Paper", votes=None, authors=("Ann Lee",), pdf="https://arxiv.org/pdf/2407.21018"),
    )
    markdown = to_markdown(Digest(style="easy", language="ko", entries=(entry,)))
    labels = re.findall(r"^(?:## |\*\*)(.+?)(?:\*\*)?:$", markdown, re.MULTILINE)
    assert labels == ["제목", "요약", "쉬운설명", "관련분야", "추천수", "저자", "PDF"]
    assert "압축<!-- ev: -->, 언어 모델<!-- ev: -->" in markdown
    assert "\n미상\n" in markdown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"language": "ko"}, "holds only its own"),
        ({"style": "easy"}, "holds only its own"),
        ({"head": None}, "no head"),
        ({"head": Head(title="x", votes=10**18)}, "votes"),
        ({"head": Head(title="x", votes_at="yesterday")}, "YYYY-MM-DDTHH:MM:SSZ"),
        ({"reason": "too short"}, "a reason goes with"),
        ({"status": "not summarised"}, "a reason goes with"),
        ({"sections": (Section(key="Authors"),)}, "need one of whats_new"),
        ({"sections": (Section(key=" "),)}, "need one of whats_new"),
        (
            {"sections": (Section(key="x", statements=(Statement(text="a"),), absent="b"),)},
            "says that it has none",
        ),
        ({"notes": (Statement(text="a", evidence=(Evidence(source="title", start=10**18),)),)}, "19 digits"),
    ],
)
def test_what_is_no_digest_is_refused_and_named(change: dict[str, object], said: str) -> None:
    from msgspec.structs import replace

    digest = _digest()
    broken = replace(digest, entries=(replace(digest.entries[0], **change),))
    with pytest.raises(BadInput, match=said):
        to_markdown(broken)


def _digest(url: str = "https://arxiv.org/abs/2407.21018") -> Digest:
    table = Evidence(source="paper", place="Table 2")
    abstract = Evidence(source="abstract", version="v1", sentence=3, start=89, end=210, hash="3f2a")
    entry = Entry(
        paper="2407.21018",
        language="en",
        style="detailed",
        writer="extractive",
        sections=(
            Section(
                key="whats_new",
                statements=(
                    Statement(text="It is new.", evidence=(abstract, table)),
                    Statement(text="It helps."),
                ),
            ),
            Section(key="technical_details", absent="the abstract has none"),
        ),
        left_out=(LeftOut(evidence=Evidence(source="abstract", sentence=5), reason="no measured result"),),
        notes=(Statement(text="0.1 and 0.2", evidence=(Evidence(source="repository", place="README.md"),)),),
        head=Head(
            title="A Paper",
            url=url,
            thumbnail="https://example.org/t.png",
            votes=53,
            votes_at="2024-07-31T01:00:00Z",
            authors=("Ann Lee", "Bo Kim"),
            pdf="" if "example" in url else "https://arxiv.org/pdf/2407.21018",
        ),
    )
    return Digest(
        style="detailed",
        language="en",
        date="2024-07-31",
        taken="2024-07-31T01:00:00Z",
        state="open",
        entries=(entry,),
    )

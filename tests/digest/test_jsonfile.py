"""Editions as JSON: they come back, and what is no edition is named by file, field and place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.jsonfile import digest_of, edition_from_json, edition_to_json
from presscheck.digest.markdown.read import read_markdown
from presscheck.digest.markdown.write import to_markdown
from presscheck.errors import BadInput
from presscheck.types import (
    SECTIONS,
    Author,
    Edition,
    Entry,
    Evidence,
    Language,
    LeftOut,
    Paper,
    Section,
    Sentence,
    Statement,
    Style,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
whole = st.integers(-(2**62), 2**62)
evidence = st.builds(
    Evidence,
    source=st.sampled_from(["abstract", "title", "paper", "repository"]),
    version=text,
    sentence=st.one_of(st.none(), whole),
    place=text,
)
statements = st.lists(
    st.builds(Statement, text=text, evidence=st.lists(evidence, max_size=2).map(tuple)), max_size=2
).map(tuple)
entries = st.builds(
    Entry,
    paper=text,
    language=st.sampled_from(["en", "ko"]),
    style=st.sampled_from(["detailed", "easy"]),
    writer=text,
    status=st.sampled_from(["written", "not summarised"]),
    reason=text,
    sections=st.lists(st.builds(Section, key=text, statements=statements, absent=text), max_size=2).map(
        tuple
    ),
    left_out=st.lists(st.builds(LeftOut, evidence=evidence, reason=text), max_size=2).map(tuple),
    notes=statements,
    head=st.none(),
)
papers = st.builds(
    Paper,
    id=text,
    title=text,
    abstract=text,
    sentences=st.lists(st.builds(Sentence, number=whole, start=whole, end=whole, hash=text), max_size=2).map(
        tuple
    ),
    authors=st.lists(st.builds(Author, name=text, hidden=st.booleans(), group=st.booleans()), max_size=2).map(
        tuple
    ),
    votes=st.one_of(st.none(), whole),
    categories=st.lists(text, max_size=2).map(tuple),
)
editions = st.builds(
    Edition,
    date=text,
    taken=text,
    state=st.sampled_from(["open", "closed", "unknown"]),
    papers=st.lists(papers, max_size=2).map(tuple),
    entries=st.lists(entries, max_size=3).map(tuple),
)


@given(editions)
def test_an_edition_comes_back_as_it_was(edition: Edition) -> None:
    assert edition_from_json(edition_to_json(edition), "edition.json") == edition


def test_the_schema_is_always_written() -> None:
    assert json.loads(edition_to_json(Edition(date="2024-07-31")))["schema"] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "e.json is empty"),
        (
            b'{"schema": 2, "date": "2024-07-31", "new": 1}',
            r"e\.json has schema 2, this version of presscheck reads 1",
        ),
        (b'{"schema": "one"}', r"Expected `int`, got `str` - at `\$\.schema`"),
        (b"{}", "missing required field `date`"),
        (b'{"date": "2024-07-31", "dates": 1}', "unknown field `dates`"),
        (b'{"date": "2024-07-31", "papers": [{"id": "1", "title": 3}]}', r"at `\$\.papers\[0\]\.title`"),
        (b'{"date": "2024-07-31",\n  nope}', r"e\.json is not JSON: .*line 2, byte 3"),
        (b'{"date": "2024-', "truncated"),
        (b'{"date": "\xff"}', "e.json is not JSON: .*utf-8"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"x": ' + b"[" * 200_000, "nested too deeply|truncated"),
    ],
)
def test_what_is_no_edition_is_named(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        edition_from_json(data, "e.json")


def test_text_that_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(BadInput, match="cannot be written as JSON"):
        edition_to_json(Edition(date="2024-07-31", source="\ud800"))


def paper(number: int) -> Paper:
    return Paper(
        id=f"2407.0000{number}",
        title=f"Paper {number}",
        authors=(
            Author(name="Ann Lee"),
            Author(name="Bo Kim", hidden=True),
            Author(name="Owl Team", group=True),
        ),
        votes=0,
        votes_at="2024-07-31T01:00:00Z",
    )


def entry(of: Paper, style: Style, language: Language) -> Entry:
    said = Statement(text=f"{of.title} in {language}.", evidence=(Evidence(source="title", sentence=1),))
    return Entry(
        paper=of.id,
        language=language,
        style=style,
        writer="editors",
        sections=tuple(Section(key=key, statements=(said,)) for key in SECTIONS[style]),
    )


def edition(*languages: Language) -> Edition:
    papers = (paper(1), paper(2))
    made = [
        entry(of, style, language)
        for of in reversed(papers)
        for style in ("detailed", "easy")
        for language in languages
    ]
    return Edition(date="2024-07-31", taken="2024-07-31T01:00:00Z", papers=papers, entries=tuple(made))


def test_a_digest_has_the_edition_s_order_and_the_papers_heads() -> None:
    digest = digest_of(edition("en", "ko"), "easy", "ko")
    assert [one.paper for one in digest.entries] == ["2407.00001", "2407.00002"]
    assert {(one.style, one.language) for one in digest.entries} == {("easy", "ko")}
    head = digest.entries[0].head
    assert head is not None
    assert head.authors == ("Ann Lee", "Bo Kim", "Owl Team")
    assert (head.votes, head.pdf) == (0, "https://arxiv.org/pdf/2407.00001")
    assert head.thumbnail.endswith("/social-thumbnails/papers/2407.00001.png")


@pytest.mark.parametrize("style", ["detailed", "easy"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_way_over_json_and_markdown_loses_nothing(style: Style, language: Language) -> None:
    made = edition("en", "ko")
    digest = digest_of(edition_from_json(edition_to_json(made), "edition.json"), style, language)
    assert read_markdown(to_markdown(digest)) == digest == digest_of(made, style, language)


def test_a_paper_without_an_entry_is_not_lost() -> None:
    made = edition("en")
    digest = digest_of(made, "detailed", "ko")
    assert [one.status for one in digest.entries] == ["not summarised", "not summarised"]
    assert all(one.reason for one in digest.entries)
    assert "요약 없음" in to_markdown(digest)


def test_a_digest_that_the_edition_was_not_made_in_is_refused() -> None:
    with pytest.raises(BadInput, match="no digest easy, ko: it has detailed, easy in en"):
        digest_of(Edition(date="2024-07-31", languages=("en",)), "easy", "ko")

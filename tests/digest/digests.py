"""Digests that hypothesis makes, with text that would rather be markup."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from presscheck.digest.markdown.inline import address, one_line
from presscheck.digest.markdown.labels import ROLES, fold
from presscheck.types import (
    LANGUAGES,
    SECTIONS,
    STYLES,
    Digest,
    Entry,
    Evidence,
    Head,
    LeftOut,
    Section,
    Statement,
)

FRAGMENTS = [
    "-->", "<!--", "<!-- ev: -->", "<!-- absent -->", "<!-- presscheck: easy ko -->", "<!-- entry: -->",
    "**", "__", "*", "_", "`", "```", "~~", "~~~", "[", "]", "](", "![", "![]( x )", "[a](b)", "(", ")",
    "<", ">", "<script>alert(1)</script>", "<b>", "</p>", "<http://a.b>", "https://a.b/c", "www.a.b",
    "&amp;", "&#60;", "&", "&lt", "\\", "\\\\", "\\*", "|", "| a | b |", "$x^2$", "#", "##", "# a",
    "1.", "1) ", "10. a", "- a", "+", "-", "---", "===", ":", "：", "::", ",", "、", "，", ";", "!",
    "?", ".", "\"", "'", "%", "^", "{", "}", "@a", "Vote: 3", "Authors: x", "PDF:", "제목", "**요약**:",
    "What's New", "Title", "Snapshot: x", "Daily Papers", "https://arxiv.org/abs/2407.21018",
    "2024-07-31", "unknown", "*unknown*", "x", "word", "B", "2.42B", "+8", "논문", "요약합니다.",
    "日本語。", "עברית", "العربية", "\u202e", "\u200b", "\ufeff", "\u200d", "👩‍🔬", "é", "e\u0301",
    " ", " ", "  ",
]  # fmt: skip
RAW = [
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\x00",
    "\x1b",
    "\x85",
    "\u2028",
    "\u00a0",
    "\u3000",
    "\ud800",
    "    code",
    "\n# ",
]

raw_texts = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS + RAW), st.text(max_size=4), st.characters(exclude_categories=())),
    max_size=8,
).map("".join)
"""Any string at all."""

texts = raw_texts.map(lambda text: one_line(text) or "x")
"""A string as it is printed."""

numbers = st.one_of(st.none(), st.integers(0, 10**6), st.integers(-(10**17), 10**17))
evidence = st.builds(
    Evidence,
    source=st.sampled_from(["abstract", "title", "paper", "repository"]),
    version=st.one_of(st.sampled_from(["", "v1", "v12"]), raw_texts),
    sentence=numbers,
    start=numbers,
    end=numbers,
    hash=st.one_of(st.sampled_from(["", "3f2a9c0011223344", "12"]), raw_texts),
    place=st.one_of(st.sampled_from(["", "Table 2"]), raw_texts),
)
evidences = st.lists(evidence, max_size=3).map(tuple)
times = st.one_of(
    st.just(""), st.datetimes().map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"))
)
days = st.one_of(st.just(""), st.dates().map(lambda day: day.isoformat()))


def _addresses(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    made = text.map(lambda tail: f"https://example.org/{tail}")
    return st.one_of(
        st.just(""), st.just("https://arxiv.org/abs/2407.21018"), st.just("/avatars/a.svg"), made
    )


@st.composite
def digests(draw: st.DrawFn, text: st.SearchStrategy[str] = texts, *, exact: bool = True) -> Digest:
    """A digest; with ``exact`` one that is printed without any change."""
    style, language = draw(st.sampled_from(STYLES)), draw(st.sampled_from(LANGUAGES))
    links = _addresses(text).map(address) if exact else _addresses(text)
    statements = st.lists(st.builds(Statement, text=text, evidence=evidences), max_size=3).map(tuple)
    own = texts.map(lambda key: f"{key}." if fold(key) in ROLES[style] or key in SECTIONS[style] else key)
    keys = st.one_of(st.sampled_from(SECTIONS[style]), own)
    sections = st.one_of(
        st.builds(Section, key=keys, statements=statements),
        st.builds(Section, key=keys, absent=st.one_of(st.just(""), text)),
    )
    heads = st.builds(
        Head,
        title=st.one_of(st.just(""), text),
        url=links,
        thumbnail=links,
        votes=numbers,
        votes_at=times,
        authors=st.lists(text, max_size=4).map(tuple),
        pdf=links,
    )

    def entry(reason: str) -> st.SearchStrategy[Entry]:
        return st.builds(
            Entry,
            paper=st.one_of(st.sampled_from(["2407.21018", "doi:10.1/a", ""]), raw_texts),
            language=st.just(language),
            style=st.just(style),
            writer=st.one_of(st.sampled_from(["", "extractive"]), raw_texts),
            status=st.just("not summarised" if one_line(reason) else "written"),
            reason=st.just(reason),
            sections=st.lists(sections, max_size=4).map(tuple),
            left_out=st.lists(st.builds(LeftOut, evidence=evidence, reason=text), max_size=2).map(tuple),
            notes=statements,
            head=heads,
        )

    return draw(
        st.builds(
            Digest,
            style=st.just(style),
            language=st.just(language),
            date=days,
            taken=times,
            state=st.sampled_from(["open", "closed", "unknown"]),
            entries=st.lists(st.one_of(st.just(""), text).flatmap(entry), max_size=3).map(tuple),
        )
    )


def with_texts(digest: Digest, change: Callable[[str], str]) -> Digest:
    """The digest with every printed text put through a function, in the order of print within an entry."""
    replace = msgspec.structs.replace

    def statements(of: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(replace(one, text=change(one.text)) for one in of)

    def one(entry: Entry) -> Entry:
        head = entry.head or Head(title="")
        return replace(
            entry,
            reason=change(entry.reason),
            sections=tuple(
                replace(
                    section,
                    key=section.key if section.key in SECTIONS[entry.style] else change(section.key),
                    statements=statements(section.statements),
                    absent=change(section.absent),
                )
                for section in entry.sections
            ),
            left_out=tuple(
                LeftOut(
                    evidence=replace(left.evidence, place=change(left.evidence.place)),
                    reason=change(left.reason),
                )
                for left in entry.left_out
            ),
            notes=statements(entry.notes),
            head=replace(head, title=change(head.title), authors=tuple(map(change, head.authors))),
        )

    return replace(digest, entries=tuple(map(one, digest.entries)))

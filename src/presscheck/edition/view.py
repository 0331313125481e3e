"""Edition → what the page's template prints: papers in order, each with its styles, parts and voices.

A *voice* is what one language says in one place of the page. Both languages
share the frame of an entry (its head, its parts), so that a reader who changes
language stays at the part that is being read.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import NamedTuple

from presscheck.edition.claims import Claims
from presscheck.edition.marks import Cite, Mark, mark_of, marks_of_entry, slips
from presscheck.edition.references import Reference, Referrer, source_address, web_address
from presscheck.edition.words import say
from presscheck.types import SECTIONS, Edition, Entry, Evidence, Language, Paper, Section, Statement, Style

OPEN_AUTHORS = 60
"""A longer list stands on the paper's own page, where there is one."""
FIRST_AUTHORS = 3
"""Authors that stand in the open; the others are shown on request."""


class Line(NamedTuple):
    """A statement, or a result left out, with what carries it."""

    text: str
    references: tuple[Reference, ...]
    mark: Mark | None = None
    pieces: tuple[tuple[str, bool], ...] = ()
    """The text in pieces where a fragment of it is off: each with whether it is that."""


class Voice(NamedTuple):
    """What one language says in one part."""

    language: Language
    lines: tuple[Line, ...] = ()
    absent: str = ""
    left_out: tuple[Line, ...] = ()


class Part(NamedTuple):
    """One section of an entry, in every language that has something to say in it."""

    key: str
    heading: str
    """Set for a part that our formats do not have: its own heading, as it came."""
    voices: tuple[Voice, ...]


class Remark(NamedTuple):
    """A sentence of the page about an entry: not summarised, no entry, nothing for any part."""

    language: Language
    key: str
    reason: str = ""


class Block(NamedTuple):
    """An entry in one style."""

    style: Style
    remarks: tuple[Remark, ...]
    parts: tuple[Part, ...]
    notes: tuple[Voice, ...]
    writers: tuple[tuple[Language, str], ...]
    marks: tuple[tuple[Language, tuple[Mark, ...]], ...] = ()
    """What the check says of an entry as a whole."""


class Link(NamedTuple):
    """A link of an entry's head: its word, and the text that follows it; one or the other may be empty."""

    word: str
    href: str
    text: str = ""


class Item(NamedTuple):
    """A paper with its entries."""

    number: int
    anchor: str
    id: str
    paper: Paper
    name: str
    """The system's name at the head of the title, once the system can be run; else empty."""
    rest: str
    """The title, or what follows the name."""
    source: str
    links: tuple[Link, ...]
    sentences: tuple[str, ...]
    blocks: tuple[Block, ...]
    page: str = ""
    """Address of the paper's own page where that is another one: it has the abstract and all authors."""
    claims: Claims | None = None


@functools.cache
def _can_be_run(slug: str) -> bool:
    """Whether the package holds the system: a folder with a claims.toml."""
    return bool(slug) and (resources.files("presscheck") / "systems" / slug / "claims.toml").is_file()


def language_of(text: str) -> str:
    """``ko`` where there is Hangul, ``en`` where most letters are Latin, else empty: not known."""
    if any("\uac00" <= letter <= "\ud7a3" for letter in text):
        return "ko"
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" for letter in letters)
    return "en" if not letters or 2 * latin > len(letters) else ""


def runs_left(text: str) -> bool:
    """Whether a text can turn the direction of what stands beside it, and so needs an isolate."""
    return not text.isascii() and any(unicodedata.bidirectional(letter) in _TURNING for letter in text)


_TURNING = frozenset({"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"})


def items(
    edition: Edition,
    pages: Mapping[str, str] | None = None,
    claims: Mapping[str, Claims] | None = None,
    styles: Sequence[Style] | None = None,
) -> list[Item]:
    """The papers of an edition in the order of its list, as the template prints them.

    Args:
        edition: Papers and entries.
        pages: Paper → address of its own page as seen from this one, where papers have pages.
        claims: System → its claims.
        styles: Those to print; None for all of the edition.
    """
    pages, claims = pages or {}, claims or {}
    styles = edition.styles if styles is None else styles
    entries = {(entry.paper, entry.language, entry.style): entry for entry in edition.entries}
    ids = html_ids(edition.papers)
    first: dict[str, str] = {}
    for paper, html_id in zip(edition.papers, ids, strict=True):
        first.setdefault(paper.id, html_id)
    return [
        _item(
            edition,
            entries,
            first,
            paper,
            number,
            html_id,
            pages,
            styles,
            paper.system in claims or _can_be_run(paper.system),
        )._replace(claims=claims.get(paper.system))
        for number, (paper, html_id) in enumerate(zip(edition.papers, ids, strict=True), start=1)
    ]


def html_ids(papers: Sequence[Paper]) -> list[str]:
    """The id of each paper on the page: its arXiv id where it has one, and no id twice."""
    seen: set[str] = set()
    ids = []
    for number, paper in enumerate(papers, start=1):
        html_id = paper.arxiv if paper.arxiv not in seen else ""
        seen.add(html_id)
        ids.append(html_id or f"paper-{number}")
    return ids


def _item(
    edition: Edition,
    entries: dict[tuple[str, Language, Style], Entry],
    ids: dict[str, str],
    paper: Paper,
    number: int,
    html_id: str,
    pages: Mapping[str, str],
    styles: Sequence[Style],
    runs: bool,
) -> Item:
    anchor = f"p{number}"
    sentences = sentences_held(paper)
    page = pages.get(paper.id, "")
    refer = Referrer(paper, anchor, sentences, page)
    name, colon, rest = paper.title.partition(":") if runs else ("", "", paper.title)
    blocks = tuple(
        _block(refer, style, [(lang, entries.get((paper.id, lang, style))) for lang in edition.languages])
        for style in styles
    )
    return Item(
        number=number,
        anchor=anchor,
        id=html_id,
        paper=paper,
        name=name if colon else "",
        rest=colon + rest if colon else paper.title,
        source=source_address(paper, paper.version),
        links=_links(paper, ids, pages),
        sentences=sentences,
        blocks=blocks,
        page=page,
    )


def sentences_held(paper: Paper) -> tuple[str, ...]:
    """Clean text of the abstract's sentences, where the edition has the abstract."""
    if not paper.abstract:
        return ()
    from presscheck.papers.sentences import sentence_texts

    return tuple(sentence_texts(paper))


def _links(paper: Paper, ids: dict[str, str], pages: Mapping[str, str]) -> tuple[Link, ...]:
    found = [
        Link("source_page", source_address(paper, paper.version)),
        Link("pdf", paper.pdf + paper.version if paper.pdf else ""),
        Link("code", web_address(paper.code)),
        Link("project", web_address(paper.project)),
        Link("thumbnail", paper.thumbnail),
    ]
    related = [
        (f"#{ids[other]}" if other in ids else pages.get(other) or Paper(id=other, title="").url, other)
        for other in paper.related
    ]
    for href, other in related:
        if href:
            found.append(Link("" if found[-1].text else "related", href, other))
    return tuple(link for link in found if link.href)


def _block(refer: Referrer, style: Style, entries: Sequence[tuple[Language, Entry | None]]) -> Block:
    remarks: list[Remark] = []
    notes: list[Voice] = []
    writers: list[tuple[Language, str]] = []
    marks: list[tuple[Language, tuple[Mark, ...]]] = []
    sections: dict[str, dict[Language, Voice]] = {key: {} for key in SECTIONS[style]}
    for language, entry in entries:
        if entry is None:
            remarks.append(Remark(language, "no_entry"))
            continue
        if entry.status == "not summarised":
            remarks.append(Remark(language, "not_summarised", entry.reason))
        if entry.written is not None:
            remarks.extend(Remark(language, "", said) for said in written_in_words(entry))
        disowned = any(finding.kind == "not_this_paper" for finding in entry.findings)
        same = _same_reason(entry.sections)
        if same:
            remarks.append(Remark(language, "", same))
        for section in entry.sections:
            if same and section.absent == same:
                continue
            lines = _lines(refer, section.statements, language, disowned=disowned)
            voice = Voice(language, lines, section.absent)
            sections.setdefault(section.key, {})[language] = voice
        if entry.left_out:
            _leave_out(refer, entry, sections)
        if entry.notes:
            notes.append(Voice(language, _lines(refer, entry.notes, language)))
        if entry.writer:
            writers.append((language, entry.writer))
        if entry.findings:
            marks.append((language, marks_of_entry(entry, _citing(refer, language))))
    parts = tuple(
        Part(key, "" if key in SECTIONS[style] else key, tuple(voices.values()))
        for key, voices in sections.items()
        if voices
    )
    return Block(style, tuple(remarks), parts, tuple(notes), tuple(writers), tuple(marks))


def _same_reason(sections: Sequence[Section]) -> str:
    """The reason that two or more absent parts share: it is said once, not under each heading."""
    reasons = [section.absent for section in sections if section.absent and not section.statements]
    return reasons[0] if len(reasons) > 1 and len(set(reasons)) == 1 else ""


def _lines(
    refer: Referrer, statements: Sequence[Statement], language: Language, *, disowned: bool = False
) -> tuple[Line, ...]:
    cite = _citing(refer, language)
    return tuple(
        Line(
            said.text,
            tuple(refer(evidence, said.text, language) for evidence in said.evidence),
            mark_of(said, language, cite, disowned=disowned),
            slips(said) if said.findings else (),
        )
        for said in statements
    )


def _citing(refer: Referrer, language: Language) -> Cite:
    """Refers to a sentence of the abstract as the check read it: the one that is held."""

    def cite(number: int) -> Reference:
        held = refer.paper.sentences[number - 1 : number] if number > 0 else ()
        version, key = refer.paper.version, held[0].hash if held else ""
        return refer(Evidence(source="abstract", version=version, sentence=number, hash=key), "", language)

    return cite


def _leave_out(refer: Referrer, entry: Entry, sections: dict[str, dict[Language, Voice]]) -> None:
    """Put the results that are left out where they would have stood."""
    last = "performance_highlights" if entry.style == "detailed" else "summary"
    voice = sections[last].get(entry.language, Voice(entry.language))
    lines = tuple(Line(left.reason, (refer(left.evidence, "", entry.language),)) for left in entry.left_out)
    sections[last][entry.language] = voice._replace(left_out=lines)


def written_in_words(entry: Entry) -> tuple[str, ...]:
    """What became of a model's statements, and what else the reader should know of how it was written."""
    if entry.written is None:
        return ()
    counts = {
        name: getattr(entry.written, name) for name in ("kept", "repaired", "replaced", "added", "dropped")
    }
    said = say("written", entry.language, name=entry.writer, **counts) if any(counts.values()) else ""
    return tuple(text for text in (said, *entry.written.notes) if text)


def writer_in_words(writer: str, language: Language) -> str:
    """How an entry's writer is named: our two by what they do, a model by its name."""
    if writer in {"extractive", "editors"}:
        return say(writer, language)
    return say("writer", language, name=writer)

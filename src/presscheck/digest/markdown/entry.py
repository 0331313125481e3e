"""One entry while it is read: its lines by part, then the ``Entry`` that they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from presscheck.digest.markdown import marks
from presscheck.digest.markdown.inline import one_line, plain, read_link
from presscheck.digest.markdown.labels import LABELS, SECTION_KEYS, place_of
from presscheck.errors import BadInput
from presscheck.types import ARXIV_ID, Entry, Evidence, Head, Language, LeftOut, Section, Statement, Style

UNTITLED = "untitled"
"""The key of words that stand under no heading."""

_PAPER = re.compile(rf"(?:arxiv\.org/(?:abs|pdf|html)/|/papers/)({ARXIV_ID.pattern})", re.IGNORECASE)
_DOI = re.compile(r"doi\.org/(10\.\S+)")
_VOTES = re.compile(r"([-+\u2212]?[0-9][0-9,]{0,24})(?![0-9])")
_TIME = re.compile(r"\(([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2})(:[0-9]{2})? UTC\)")
_COMMA = re.compile(r"\\.|([,，、])|([(（\[])|([)）\]])", re.DOTALL)
_BETWEEN = re.compile(r"^\s*,")


@dataclass
class Part:
    """The lines under one label, in blocks: a paragraph or an item of a list each."""

    label: str
    role: str | None
    number: int
    """The line that it begins in."""
    blocks: list[list[str]] = field(default_factory=list)
    _ended: bool = True

    def add(self, written: str) -> None:
        """Add a line to the open block, or begin one."""
        if self._ended:
            self.blocks.append([])
            self._ended = False
        self.blocks[-1].append(written)

    def end_block(self) -> None:
        """Let the next line begin a block."""
        self._ended = True


@dataclass
class Draft:
    """An entry whose lines are still coming."""

    level: int
    ours: bool
    thumbnail: str = ""
    paper: str = ""
    writer: str = ""
    title: str = ""
    url: str = ""
    linked: bool = False
    """Its heading is a link."""
    head: dict[str, list[str]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    @property
    def has_content(self) -> bool:
        """Whether anything stands under a label; a heading alone makes no entry."""
        return bool(self.head) or any(part.label for part in self.parts)

    def take_title(self, written: str) -> None:
        """Take the title's line: text, or a link to the paper."""
        link = read_link(written)
        self.title, self.url = (link[0], link[1]) if link else (plain(written), "")

    def words(self) -> Iterator[str]:
        """Give the lines of the sections, as they are written."""
        return (line for part in self.parts for block in part.blocks for line in block)

    def entry(self, style: Style, language: Language, *, strict: bool) -> Entry:
        """Say what the lines say.

        Args:
            style: of the digest.
            language: of the digest.
            strict: the file is ours, so a damaged mark is an error and not somebody's comment.
        """
        head = self._head(style, language)
        sections: list[Section] = []
        reason, left_out, notes = "", [], ()  # type: str, list[LeftOut], tuple[Statement, ...]
        for part in self.parts:
            if part.role == "not_summarised":
                reason = plain(" ".join(line for block in part.blocks for line in block))
                continue
            try:
                found, absent = _statements(part, strict=strict)
            except BadInput as error:
                raise BadInput(f"the part that begins in line {part.number}: {error.message}") from None
            if part.role == "notes":
                notes += found
            elif part.role == "left_out":
                left_out += [_left_out(one, pointer, language) for one in found for pointer in one.evidence]
            else:
                key = part.role if part.role in SECTION_KEYS[style] else part.label or UNTITLED
                sections.append(Section(key=key or UNTITLED, statements=found, absent=absent))
        return Entry(
            paper=self.paper or ("" if self.ours else _paper(head)),
            language=language,
            style=style,
            writer=self.writer,
            status="not summarised" if reason else "written",
            reason=reason,
            sections=tuple(sections),
            left_out=tuple(left_out),
            notes=notes,
            head=head,
        )

    def _head(self, style: Style, language: Language) -> Head:
        votes, votes_at = _votes(" ".join(self.head.get("votes", ())))
        link = _address(" ".join(self.head.get("pdf", ())))
        names = " ".join(self.head.get("authors", ()))
        unknown = {f"*{labels.unknown}*" for labels in LABELS.values()}
        return Head(
            title=self.title,
            url=self.url,
            thumbnail=self.thumbnail,
            votes=votes,
            votes_at=votes_at,
            authors=() if names in unknown else tuple(_listed(names)),
            pdf=link[0],
            pdf_is_image=link[1],
        )


def _paper(head: Head) -> str:
    """Tell by its links which paper an entry is about."""
    for url in (head.url, head.pdf, head.thumbnail):
        if found := _PAPER.search(url):
            return found[1]
    doi = _DOI.search(head.url)
    return f"doi:{doi[1]}" if doi else ""


def _votes(written: str) -> tuple[int | None, str]:
    count, time = _VOTES.match(written), _TIME.search(written)
    digits = count[1].replace(",", "").replace("\u2212", "-") if count else ""
    return int(digits) if 0 < len(
        digits.lstrip("+-")
    ) < 19 else None, f"{time[1]}T{time[2]}{time[3] or ':00'}Z" if time else ""


def _address(written: str) -> tuple[str, bool]:
    link = read_link(written)
    if link:
        return link[1], link[2]
    bare = re.match(r"<?(https?://[^\s<>]+)", written)
    return (bare[1] if bare else "", False)


def _listed(written: str, *, brackets: bool = False) -> Iterator[str]:
    """Divide a list at its commas, but those that are escaped or, if asked, inside brackets that close."""
    depth = 0
    outside: list[int] = []
    all_: list[int] = []
    for sign in _COMMA.finditer(written):
        if sign[2]:
            depth += 1
        elif sign[3]:
            depth = max(0, depth - 1)
        elif sign[1]:
            all_.append(sign.start())
            if not depth:
                outside.append(sign.start())
    begin = 0
    for end in [*(outside if brackets and not depth else all_), len(written)]:
        if item := plain(written[begin:end]):
            yield item
        begin = end + 1


def _fields(written: str) -> Iterator[str]:
    return _listed(written, brackets=True)


def _statements(part: Part, *, strict: bool) -> tuple[tuple[Statement, ...], str]:
    """Divide a part into statements: at its marks, and where it has none, into sentences."""
    statements: list[Statement] = []
    absent = ""
    fields = part.role == "fields"
    divide: Callable[[str], Iterator[str]] = _fields if fields else _sentences
    for block in part.blocks:
        for written, mark in marks.split(" ".join(block)):
            if mark is not None and mark.name == "absent":
                emphasis = re.fullmatch(r"\s*\*(.*)\*\s*", written, re.DOTALL)
                absent = plain(emphasis[1] if emphasis else written)
                continue
            try:
                evidence = marks.read_evidence(mark) if mark is not None and mark.name == "ev" else None
            except BadInput:
                if strict:
                    raise
                evidence = None
            if evidence is None and written.strip():
                statements += [Statement(text=text) for text in divide(written)]
            elif evidence is None:
                continue
            elif text := plain(_BETWEEN.sub("", written, count=1) if fields else written):
                statements.append(Statement(text=text, evidence=evidence))
            elif strict:
                raise BadInput("a mark of evidence has no statement before it")
    if absent and statements:
        if strict:
            raise BadInput(f"it has statements and says that it has none: {absent[:80]!r}")
        statements, absent = [*statements, Statement(text=absent)], ""
    return tuple(statements), absent


def _sentences(written: str) -> Iterator[str]:
    from presscheck.papers.sentences import split

    text = plain(written)
    return (text[start:end] for start, end in split(text))


def _left_out(one: Statement, evidence: Evidence, language: Language) -> LeftOut:
    """Take the place, which is printed for people, from the reason again."""
    place = one_line(f"{place_of(evidence, language)}:")
    return LeftOut(evidence=evidence, reason=one.text.removeprefix(place).strip())

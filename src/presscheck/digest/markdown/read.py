"""A digest from Markdown: ours back as it was, anyone's statement by statement.

Two formats are known. *Detailed*: a heading that is a link to the paper, then
thumbnail, votes, authors, and a list whose items begin with a bold label.
*Easy*: a heading 제목 or Title with the title under it, then paragraphs under
bold labels, votes and the PDF among them.

What is printed is kept as it is printed: authors in their order with whatever
stands among them, a thumbnail that is an avatar, a PDF link that is an image
(``Head.pdf_is_image``), sections that the formats do not have under their own
heading. Text without marks is divided into sentences. Parts may be missing.
Nothing is fetched.
"""

from __future__ import annotations

import re

from presscheck.digest.markdown import marks
from presscheck.digest.markdown.entry import Draft, Part
from presscheck.digest.markdown.inline import plain, read_link
from presscheck.digest.markdown.labels import (
    HEAD_ROLES,
    HEADING,
    LABELS,
    ROLES,
    SECTION_KEYS,
    SNAPSHOTS,
    State,
    fold,
)
from presscheck.digest.markdown.lines import Line, lines, text_of
from presscheck.errors import BadInput
from presscheck.types import STYLES, Digest, Entry, Language, Style

_DATE = re.compile(r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2})(:[0-9]{2})? UTC")
_OF_DIGEST = re.compile(rf"{HEADING}|{_DATE.pattern}", re.IGNORECASE)
_NUMBERED = re.compile(r"^[0-9]{1,9}[.)]\s+")
_LOOKED_FOR = (
    "looked for entries under a heading that links to the paper, with **What's New** or another bold label "
    "(detailed), or under a heading 제목 or Title, with **요약** or **Summary** (easy)"
)
# Enough to tell the language of a digest, however long one of its statements is.
_SAMPLE = 20_000


def read_markdown(text: str, *, name: str = "<digest>") -> Digest:
    """Read a digest in either format, with or without marks.

    Args:
        text: the file's text; a byte order mark and any line ends are fine.
        name: what to call the file in an error.

    Raises:
        BadInput: if nothing in it is an entry, or if a mark of ours was damaged.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise BadInput(f"{name} is empty: need a digest", hint=_LOOKED_FOR)
    marked = _style_by_mark(text, name)
    style = marked[0] if marked else _style_by_labels(text)
    reader = _Reader(style, strict=marked is not None, name=name)
    for line in lines(text, style):
        try:
            reader.take(line)
        except BadInput as error:
            raise BadInput(f"{name}, line {line.number}: {error.message}", hint=error.hint) from None
    drafts = reader.drafts
    if marked is None and not any(draft.has_content for draft in drafts):
        raise BadInput(f"{name} is no digest that presscheck knows", hint=_LOOKED_FOR)
    language = marked[1] if marked else _language(drafts, text)
    entries: list[Entry] = []
    for draft in drafts:
        if draft.ours or draft.linked or draft.has_content:
            try:
                entries.append(draft.entry(style, language, strict=marked is not None))
            except BadInput as error:
                raise BadInput(f"{name}, {error.message}", hint=error.hint) from None
    return Digest(
        style=style,
        language=language,
        date=reader.date,
        taken=reader.taken,
        state=reader.state,
        entries=tuple(entries),
    )


def _style_by_mark(text: str, name: str) -> tuple[Style, Language] | None:
    """Read the mark of the file, which stands before everything but its heading."""
    for line in lines(text, "detailed"):
        if line.kind == "mark" and line.mark and line.mark.name == "presscheck":
            try:
                return marks.read_style(line.mark)
            except BadInput as error:
                raise BadInput(f"{name}, line {line.number}: {error.message}") from None
        if line.kind not in ("blank", "heading"):
            return None
    return None


def _style_by_labels(text: str) -> Style:
    """Tell the style of a file without a mark by what it has more of."""
    counts: dict[Style, int] = {}
    for style in STYLES:
        known = SECTION_KEYS[style] | {"title"}
        count = 0
        for line in lines(text, style):
            linked = line.kind == "heading" and style == "detailed" and read_link(line.text) is not None
            count += linked or ROLES[style].get(fold(line.label)) in known
        counts[style] = count
    return "easy" if counts["easy"] > counts["detailed"] else "detailed"


def _language(drafts: list[Draft], text: str) -> Language:
    """Tell Korean from English by the share of Hangul in the sections, or in the file if they are empty."""
    sample = "".join(words[:_SAMPLE] for draft in drafts for words in draft.words())[: 50 * _SAMPLE]
    sample = sample or text[:_SAMPLE]
    hangul, latin = len(re.findall(r"[가-힣]", sample)), len(re.findall(r"[A-Za-z]", sample))
    return "ko" if hangul and hangul >= 0.1 * (hangul + latin) else "en"


class _Reader:
    """Takes the lines in order and hands each to the entry, and the part of it, that it belongs to."""

    def __init__(self, style: Style, *, strict: bool, name: str) -> None:
        self.style = style
        self.strict = strict
        self.name = name
        self.drafts: list[Draft] = []
        self.date = ""
        self.taken = ""
        self.state: State = "unknown"
        self._entry: Draft | None = None
        self._part: Part | None = None
        self._head: str = ""
        """The role of the head's label whose value is still open."""
        self._mark: dict[str, str] | None = None
        self._thumbnail = ""

    def take(self, line: Line) -> None:
        """Take the next line."""
        match line.kind:
            case "blank":
                self._blank()
            case "rule":
                self._close()
            case "mark":
                self._take_mark(line)
            case "image":
                self._image(line)
            case "heading":
                self._heading(line)
            case "label":
                self._label(line)
            case _:
                self._text(line)

    def _close(self) -> None:
        self._entry, self._part, self._head = None, None, ""

    def _begin(self, title: str, *, level: int) -> None:
        self._close()
        link = read_link(title)
        draft = Draft(level=level, ours=self._mark is not None, thumbnail=self._thumbnail)
        if self._mark is not None:
            draft.paper, draft.writer = self._mark.get("paper", ""), self._mark.get("writer", "")
        if title:
            draft.take_title(title)
        draft.linked = link is not None
        self._entry, self._mark, self._thumbnail = draft, None, ""
        self.drafts.append(draft)

    def _take_mark(self, line: Line) -> None:
        if line.mark is None or line.mark.name != "entry":
            return
        self._close()
        try:
            self._mark = marks.read_fields(line.mark)
        except BadInput:
            if self.strict:
                raise

    def _blank(self) -> None:
        if self._part:
            self._part.end_block()
        elif self._entry and self._head and self._head != "title" and self._entry.head.get(self._head):
            self._head = ""

    def _image(self, line: Line) -> None:
        link = read_link(line.text)
        if self._head == "pdf":
            self._text(line)
        elif self._entry and not self._entry.thumbnail and not self._part and not self._entry.parts:
            self._entry.thumbnail = link[1] if link else ""
        elif self.style == "easy":  # it stands before the heading of the next entry
            self._thumbnail = link[1] if link else ""
        else:
            self._text(line)

    def _heading(self, line: Line) -> None:
        linked = read_link(_NUMBERED.sub("", line.text)) is not None
        role = ROLES[self.style].get(fold(line.label)) if line.label else None
        if self.style == "easy" and role == "title":
            self._begin("", level=line.level)
            self._open(line.label, role, line.rest, line.number)
        elif self._mark is not None and self.style == "detailed":
            self._begin(line.text, level=line.level)
        elif role is not None and self._entry:
            self._open(line.label, role, line.rest, line.number)
        elif not self.drafts and not linked and _OF_DIGEST.search(line.text):
            found = _DATE.search(line.text)
            self.date = found[0] if found else ""
        elif self._entry and self._is_inside(line, linked=linked):
            self._open(plain(line.text), None, "", line.number)
        elif self.style == "detailed" or linked:
            self._begin(_NUMBERED.sub("", line.text) if linked else line.text, level=line.level)

    def _is_inside(self, line: Line, *, linked: bool) -> bool:
        """Whether a heading that nobody knows is a section of the open entry, or begins the next one."""
        if self._entry is None:
            return False
        if self.style == "easy":
            return not linked
        return line.level > self._entry.level and (self._entry.linked or self._entry.has_content)

    def _label(self, line: Line) -> None:
        role = ROLES[self.style].get(fold(line.label))
        if not line.bold and fold(line.label) in SNAPSHOTS and not self.drafts:
            self._snapshot(line.rest)
            return
        if self.style == "easy" and role == "title" and line.bold:
            self._begin("", level=0)
            self._open(line.label, role, line.rest, line.number)
            return
        if self._entry is None:
            return
        inside = self._part is not None
        if line.bold:
            opens = role is not None or not (inside and line.indent >= 2)
        else:
            awaited = bool(self._head) and not self._entry.head.get(self._head)
            opens = role in HEAD_ROLES and not inside and not awaited
        if opens:
            self._open(line.label, role, line.rest, line.number)
        else:
            self._text(line)

    def _snapshot(self, value: str) -> None:
        found = _TIME.search(value)
        if found:
            self.taken = f"{found[1]}T{found[2]}{found[3] or ':00'}Z"
        for labels in LABELS.values():
            for state, words in labels.states.items():
                if value.endswith(f", {words}"):
                    self.state = state

    def _open(self, label: str, role: str | None, rest: str, number: int) -> None:
        """Open a part of the entry, or a line of its head."""
        if self._entry is None:
            return
        self._part, self._head = None, ""
        if role in HEAD_ROLES:
            self._head = str(role)
            if rest:
                self._text_of_head(rest)
        elif label:
            self._part = Part(label, role, number)
            self._entry.parts.append(self._part)
            if rest:
                self._part.add(rest)

    def _text_of_head(self, written: str) -> None:
        if self._entry is None:
            return
        if self._head == "title":
            self._entry.take_title(written)
            self._head = ""
        else:
            self._entry.head.setdefault(self._head, []).append(written)

    def _text(self, line: Line) -> None:
        if self._entry is None:
            return
        if self._head:
            self._text_of_head(line.text)
            return
        if self._part is None:
            # Words under no heading: still words that the digest prints.
            self._part = Part("", None, line.number)
            self._entry.parts.append(self._part)
        written, item = text_of(line.text)
        if item:
            self._part.end_block()
        self._part.add(written)

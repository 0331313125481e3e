"""The nouns of presscheck as immutable values. No I/O, no third-party import but msgspec.

Offsets count Unicode code points, start at 0 and exclude their end, as Python
slices do. Sentence numbers start at 1, as readers count. Times are UTC,
``YYYY-MM-DDTHH:MM:SSZ``; days are ``YYYY-MM-DD``, also UTC. An empty string
means "not known" for text; ``None`` means "not known" for numbers, since 0 votes
are a fact.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

SCHEMA = 1

Language = Literal["en", "ko"]
Style = Literal["detailed", "easy"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")
STYLES: tuple[Style, ...] = ("detailed", "easy")

SECTIONS: dict[Style, tuple[str, ...]] = {
    "detailed": ("whats_new", "technical_details", "performance_highlights"),
    "easy": ("summary", "plain", "fields"),
}
"""The sections of each style, by key, in the order of print."""

ARXIV_ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})")
"""An arXiv id without its version: 2407.21018, 0704.0001, cs/0112017, math.GT/0309136."""


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Immutable value; an unknown field in a file is an error, not a shrug."""


# Papers -----------------------------------------------------------------------


class Author(Struct, frozen=True, kw_only=True):
    """One name of an author list, in the order of the paper."""

    name: str
    hidden: bool = False
    """Hidden on the daily list's page; still an author, and still counted."""
    group: bool = False
    """A collaboration or team that signs as one ("ATLAS Collaboration")."""


class Sentence(Struct, frozen=True, kw_only=True):
    """Where a sentence of a source stands, without its text.

    ``start`` and ``end`` are offsets into the source as it was published
    (``Paper.abstract_original``), so that anyone who holds it can look.
    """

    number: int
    start: int
    end: int
    hash: str
    """First 16 hex digits of SHA-256 over the cleaned sentence (``papers.sentences.digest``)."""


class Paper(Struct, frozen=True, kw_only=True):
    """A paper as a source gives it: cleaned text, the original beside it."""

    id: str
    """arXiv id without version; else ``doi:…``; else ``key:…`` of a BibTeX entry."""
    title: str
    abstract: str = ""
    title_original: str = ""
    abstract_original: str = ""
    sentences: tuple[Sentence, ...] = ()
    """The sentences of the abstract. A shipped paper has these and no abstract."""
    authors: tuple[Author, ...] = ()
    version: str = ""
    """``v1``, ``v2``, … of the abstract; empty where the source does not say."""
    source: Literal["huggingface", "arxiv", "file", "shipped"] = "file"
    date: str = ""
    """Day of the daily list that it is on."""
    published: str = ""
    """Time of its first version."""
    listed: str = ""
    """Time when it was put on the daily list."""
    votes: int | None = None
    votes_at: str = ""
    """When the votes were counted."""
    categories: tuple[str, ...] = ()
    doi: str = ""
    journal: str = ""
    code: str = ""
    project: str = ""
    system: str = ""
    """Slug of the runnable system of this paper, where there is one."""
    related: tuple[str, ...] = ()
    """Ids of papers that a reader of this one would want."""

    @property
    def arxiv(self) -> str:
        """The arXiv id without version, or an empty string."""
        return self.id if ARXIV_ID.fullmatch(self.id) else ""

    @property
    def url(self) -> str:
        """The page of the abstract."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.id}"
        return f"https://doi.org/{self.doi}" if self.doi else ""

    @property
    def pdf(self) -> str:
        """The PDF, by arXiv's rule."""
        return f"https://arxiv.org/pdf/{self.id}" if self.arxiv else ""

    @property
    def thumbnail(self) -> str:
        """The social thumbnail, by Hugging Face's rule: from the id, never from a page."""
        if not self.arxiv or "/" in self.id:
            return ""
        return f"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/{self.id}.png"


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that did not go as it should, and that the reader is told about."""

    where: str
    """A paper's id, a file with its place, or a service."""
    what: str
    kind: Literal["bad paper", "duplicate", "warning"] = "warning"


class Day(Struct, frozen=True, kw_only=True):
    """A list of papers as one source gave it at one time."""

    date: str
    """The day of the list; empty for a file that does not say."""
    taken: str
    """When the list was taken: votes and members are those of that time."""
    state: Literal["open", "closed", "unknown"] = "unknown"
    """Open: the day was not over when the list was taken, so it may still grow."""
    source: str = ""
    """"Hugging Face Daily Papers", "arXiv", or the file's name."""
    papers: tuple[Paper, ...] = ()
    problems: tuple[Problem, ...] = ()


# Entries ----------------------------------------------------------------------


class Evidence(Struct, frozen=True, kw_only=True):
    """Where a statement can be looked up."""

    source: Literal["abstract", "title", "paper", "repository"]
    version: str = ""
    sentence: int | None = None
    """Number of the sentence, for ``abstract`` (``title``: 1)."""
    start: int | None = None
    end: int | None = None
    """Offsets into the source as published; a clause may be narrower than its sentence."""
    hash: str = ""
    """Hash of the whole sentence, so that a changed source is noticed."""
    place: str = ""
    """Section or table of the full text, or the file of a repository: "Table 2"."""


class Statement(Struct, frozen=True, kw_only=True):
    """One sentence of an entry, with what carries it."""

    text: str
    evidence: tuple[Evidence, ...] = ()
    verdict: Literal["", "supported", "conflict", "unsupported", "beyond"] = ""
    """What the check says; empty where it has not run or had no source. Not printed in Markdown."""
    findings: tuple[Finding, ...] = ()


class Section(Struct, frozen=True, kw_only=True):
    """One part of an entry. Without statements it says why it has none."""

    key: str
    """One of ``SECTIONS``; for a part that our formats do not have, its own heading."""
    statements: tuple[Statement, ...] = ()
    absent: str = ""


class LeftOut(Struct, frozen=True, kw_only=True):
    """A headline result that an entry does not print, and why."""

    evidence: Evidence
    reason: str


class Head(Struct, frozen=True, kw_only=True):
    """What a printed digest says about a paper above the entry's text."""

    title: str
    url: str = ""
    thumbnail: str = ""
    votes: int | None = None
    votes_at: str = ""
    authors: tuple[str, ...] = ()
    pdf: str = ""
    pdf_is_image: bool = False
    """A digest that was read shows the PDF as an image instead of linking to it."""


class Written(Struct, frozen=True, kw_only=True):
    """What became of a language model's statements on their way into an entry."""

    kept: int = 0
    """Printed as the model first wrote them."""
    repaired: int = 0
    """Printed as the model wrote them once it was told what was off."""
    replaced: int = 0
    """Given up for a sentence of the abstract."""
    dropped: int = 0
    added: int = 0
    """Sentences of the abstract with a result that the model left out."""
    notes: tuple[str, ...] = ()
    """Why nothing of the model was used, which sentences it was not given, and the like."""


class Entry(Struct, frozen=True, kw_only=True):
    """What a digest says about one paper, in one language and one style."""

    paper: str
    language: Language
    style: Style
    writer: str = ""
    """``extractive``, ``editors``, or a model's name; empty for a digest read from a file."""
    status: Literal["written", "not summarised"] = "written"
    reason: str = ""
    """Why it is not summarised."""
    written: Written | None = None
    """Set where a language model wrote. Not printed in Markdown."""
    sections: tuple[Section, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Statement, ...] = ()
    """Press notes: where the paper is wrong or in conflict with itself."""
    findings: tuple[Finding, ...] = ()
    """What the check says of the entry as a whole."""
    head: Head | None = None
    """Set in a ``Digest``; an ``Edition`` has the ``Paper`` instead."""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that is off in a digest, and what the source says instead."""

    kind: str
    """``magnitude``, ``number``, ``name``, ``author_order``, …: `presscheck check --explain KIND`."""
    text: str = ""
    """The fragment that is off, as it stands in the statement."""
    start: int = 0
    end: int = 0
    """Offsets of the fragment in the statement's text."""
    expected: str = ""
    """What it should read by the source."""
    why: str = ""
    sure: float = 1.0
    """0 to 1."""


class Digest(Struct, frozen=True, kw_only=True):
    """One printed file: the entries of a day in one language and one style."""

    style: Style
    language: Language
    date: str = ""
    taken: str = ""
    state: Literal["open", "closed", "unknown"] = "unknown"
    entries: tuple[Entry, ...] = ()


class Edition(Struct, frozen=True, kw_only=True):
    """A day's papers with their entries in every language and style that was asked for."""

    schema: int = SCHEMA
    date: str
    taken: str = ""
    state: Literal["open", "closed", "unknown"] = "unknown"
    source: str = ""
    languages: tuple[Language, ...] = LANGUAGES
    styles: tuple[Style, ...] = STYLES
    inputs: str = ""
    """Hash of what it was made from, so that an interrupted build can go on where it stopped."""
    papers: tuple[Paper, ...] = ()
    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()

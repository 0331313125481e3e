"""Evidence → what a reader can follow: a mark, where it leads, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from presscheck.edition.words import say
from presscheck.types import Evidence, Language, Paper

ONLY = "p1"
"""What ids start with on a page of one paper."""


class Reference(NamedTuple):
    """One pointer as it is printed."""

    mark: str
    """What stands behind the statement: the sentence's number, or a word."""
    href: str
    """The sentence on this page where we hold its words, else the source; empty where there is none."""
    title: str
    """The pointer in words."""
    span: str = ""
    """``start:end`` in the clean sentence, where the evidence is narrower than it."""


def web_address(text: str) -> str:
    """The address if it is one of the web, else nothing: no ``javascript:``, no ``file:``."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme in {"http", "https"} and parts.netloc else ""


def source_address(paper: Paper, version: str = "") -> str:
    """The page of the abstract, of the version that was read where arXiv keeps it."""
    return paper.url + version if paper.arxiv and paper.url else paper.url


class Referrer:
    """Turns the evidence of one paper's statements into references.

    Args:
        paper: The paper that the statements are about.
        anchor: What the ids of this paper on the page start with.
        sentences: Clean text of the abstract's sentences; empty where the edition has no abstract.
        page: Address of the page that holds the sentences, if it is another one.
    """

    def __init__(self, paper: Paper, anchor: str, sentences: Sequence[str], page: str = "") -> None:
        self.paper = paper
        self.anchor = anchor
        self.sentences = sentences
        self.held_at = f"{page}#{ONLY}s" if page else f"#{anchor}s"

    def __call__(self, evidence: Evidence, statement: str, language: Language) -> Reference:
        """The reference of one piece of evidence, named in the language of the statement."""
        by_source: dict[str, Callable[[Evidence, str, Language], Reference]] = {
            "abstract": self._abstract,
            "title": self._title,
            "paper": self._full_text,
            "repository": self._repository,
        }
        return by_source[evidence.source](evidence, statement, language)

    def _abstract(self, evidence: Evidence, statement: str, language: Language) -> Reference:
        number = evidence.sentence
        source = source_address(self.paper, evidence.version)
        if number is None:
            title = say("at_abstract_whole", language, version=evidence.version)
            return Reference(say("mark_abstract", language), source, title)
        title = say("at_abstract", language, version=evidence.version, n=number)
        if not self.sentences:
            return Reference(str(number), source, title)
        if not self._is_held(evidence, number):
            return Reference(str(number), source, f"{title} ({say('reworded', language)})")
        span = self._span(evidence, statement, number)
        return Reference(str(number), f"{self.held_at}{number}", title, span)

    def _is_held(self, evidence: Evidence, number: int) -> bool:
        """Whether the sentence on this page is the one that the evidence was taken from."""
        if not 1 <= number <= min(len(self.sentences), len(self.paper.sentences)):
            return False
        if evidence.hash:
            return self.paper.sentences[number - 1].hash == evidence.hash
        return evidence.version == self.paper.version

    def _span(self, evidence: Evidence, statement: str, number: int) -> str:
        """Where a clause lies in its clean sentence; empty for the whole sentence."""
        whole = self.paper.sentences[number - 1]
        if evidence.start is None or evidence.end is None:
            return ""
        if (evidence.start, evidence.end) == (whole.start, whole.end):
            return ""
        sentence = self.sentences[number - 1]
        clause = statement
        at = sentence.find(clause) if clause else -1
        if at < 0:  # the statement is in words of its own: look for the source's
            from presscheck.papers.clean import clean

            clause = clean(self.paper.abstract_original[evidence.start : evidence.end]).text
            at = sentence.find(clause) if clause else -1
        if at < 0 or clause == sentence:
            return ""
        return f"{at}:{at + len(clause)}"

    def _title(self, evidence: Evidence, statement: str, language: Language) -> Reference:
        return Reference(say("mark_title", language), f"#{self.anchor}t", say("at_title", language))

    def _full_text(self, evidence: Evidence, statement: str, language: Language) -> Reference:
        pdf = self.paper.pdf + evidence.version if self.paper.pdf else self.paper.url
        title = say("at_paper", language, version=evidence.version, place=evidence.place)
        return Reference(evidence.place or say("mark_paper", language), pdf, title)

    def _repository(self, evidence: Evidence, statement: str, language: Language) -> Reference:
        title = say("at_repository", language, place=evidence.place)
        mark = evidence.place or say("mark_repository", language)
        return Reference(mark, web_address(self.paper.code), title)

"""What a digest is held against: a paper's title, authors and abstract, and its full text where given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from presscheck.digest.check.encoders import Encoder
from presscheck.digest.check.evidence import Source
from presscheck.digest.check.names import SourceNames
from presscheck.papers.sentences import sentence_texts, split
from presscheck.types import Paper

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_OF_FULL_TEXT = 3000
"""Sentences of a full text that are read: a long paper with appendix has about half."""

SHORTEST_QUOTE = 20
"""Characters from which on equal words are no accident."""


class PaperSource:
    """A paper as a source, prepared once for all entries about it.

    Sentences are those of the abstract, then those of the full text; offsets count
    in the cleaned abstract and in the full text as it was given.
    """

    def __init__(self, paper: Paper, full_text: str = "") -> None:
        self.paper = paper
        self.abstract = sentence_texts(paper)
        spans = split(full_text)[:MOST_OF_FULL_TEXT] if full_text else []
        self.full = [" ".join(full_text[start:end].split()) for start, end in spans]
        self.texts = [*self.abstract, *self.full]
        self.spans = [*_spans(paper.abstract, self.abstract), *spans]
        self.names = SourceNames(self.texts, paper.title, (author.name for author in paper.authors))
        self.evidence: Source | None = None

    def quotes(self, statement: str) -> int | None:
        """The index of the sentence that has this statement word for word; None if none has."""
        if len(statement) < SHORTEST_QUOTE:
            return None
        return next((n for n, sentence in enumerate(self.texts) if statement in sentence), None)

    @property
    def complete(self) -> bool:
        """Whether the full text was given."""
        return bool(self.full)

    @property
    def places(self) -> list[str]:
        """What to call each of `texts`, and the title after them, in a message."""
        abstract = [f"sentence {n}" for n in range(1, len(self.abstract) + 1)]
        full = [f"sentence {n} of the full text" for n in range(1, len(self.full) + 1)]
        return [*abstract, *full, "title"]

    @property
    def to_encode(self) -> list[str]:
        """The texts whose vectors `take_vectors` wants: sentences, then the title."""
        return [*self.texts, self.paper.title or (self.texts[0] if self.texts else "")]

    def take_vectors(self, vectors: NDArray[Any]) -> None:
        """Prepare the search for evidence; rows as in `to_encode`."""
        self.evidence = Source(self.texts, self.paper.title, vectors=vectors)


def _spans(text: str, sentences: Sequence[str]) -> list[tuple[int, int]]:
    """Where each sentence stands in the cleaned abstract."""
    spans, at = [], 0
    for sentence in sentences:
        start = text.find(sentence, at)
        start = at if start < 0 else start
        at = start + len(sentence)
        spans.append((start, at))
    return spans


def encode_all(sources: Iterable[PaperSource], statements: Sequence[str], encoder: Encoder) -> NDArray[Any]:
    """Encode every source and all statements in one call, since the encoder works in batches.

    Returns:
        The statements' vectors; the sources have taken theirs.
    """
    waiting = [source for source in sources if source.evidence is None and source.texts]
    texts = [text for source in waiting for text in source.to_encode]
    vectors = encoder([*texts, *statements])
    at = 0
    for source in waiting:
        count = len(source.to_encode)
        source.take_vectors(vectors[at : at + count])
        at += count
    rest: NDArray[Any] = vectors[at:]
    return rest

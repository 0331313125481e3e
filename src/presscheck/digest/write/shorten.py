"""A paper that does not fit into a model's context → as much of it as does, and never a silent cut.

Whole sentences go, by what they are for: what the field has been comes first, the
results last. The entry names the sentences that the model was not given.
"""

from __future__ import annotations

import msgspec

from presscheck.digest.headline import is_headline
from presscheck.digest.roles import ROLES, choose, probabilities
from presscheck.digest.vectors import encode
from presscheck.digest.write.prompt import Shown
from presscheck.digest.write.source import Source

LETTERS_A_TOKEN = 3
"""Characters that a token is reckoned to have: few, so that one step is mostly enough."""
_FIRST_TO_GO = ("background", "other", "method", "objective", "result")


def shorten(shown: Shown, over: int, source: Source) -> Shown | None:
    """Leave out glossary rows, then sentences, until so many tokens are saved.

    Args:
        shown: What did not fit.
        over: Tokens too many.
        source: The paper, for what its sentences are for.

    Returns:
        Less of it; None if nothing more can go.
    """
    if shown.terms:
        return msgspec.structs.replace(shown, terms=())
    if len(shown.sentences) <= 1:
        return None
    roles = choose(probabilities(source.texts, encode(source.texts)))
    order = {role: place for place, role in enumerate(_FIRST_TO_GO)}
    if set(order) != set(ROLES):
        raise ValueError(f"roles are {ROLES}, and the order of leaving has {_FIRST_TO_GO}")

    def rank(sentence: tuple[int, str]) -> tuple[bool, int, int]:
        number, text = sentence
        return is_headline(text), order[roles[number - 1]], -number

    kept = dict(shown.sentences)
    saved = 0
    for number, text in sorted(shown.sentences, key=rank):
        if saved >= over or len(kept) == 1:
            break
        del kept[number]
        saved += len(text) // LETTERS_A_TOKEN + 8
    return msgspec.structs.replace(shown, sentences=tuple(kept.items()))

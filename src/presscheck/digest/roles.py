"""What each sentence of an abstract is for: background, objective, method, result, other.

A linear-chain conditional random field: a sentence's words (one to three in a
row, digits masked), its neighbours' words, its place, and the sentence vectors
of itself, its neighbours and the whole abstract score each role; a 5 x 5 matrix
scores which role follows which. Each sentence gets the role with the highest
marginal probability, after a correction for roles that annotators give rarely
and a plain maximum would hardly ever choose. ``scripts/train_roles.py`` learns the weights on
CSAbstruct's train split; ``benchmarks/roles.md`` says how well it does.

Shapes: n sentences, R = 5 roles, W = 512 numbers of a vector, B buckets of word features.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from presscheck.digest.vectors import LONGEST, encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["background", "objective", "method", "result", "other"]
ROLES: tuple[Role, ...] = get_args(Role)
BUCKETS = 1 << 14
WEIGHTS = "roles.npz"

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[%©:?()\[\]$&=<>;]")


class Weights(msgspec.Struct, frozen=True):
    """What was learnt."""

    words: NDArray[np.float32]
    """(B, R), one row for each bucket of word and place features."""
    vectors: NDArray[np.float32]
    """(4 W, R): the sentence, the one before, the one after, the mean of all."""
    follows: NDArray[np.float64]
    """(R, R): row, the role before; column, the role after."""
    first: NDArray[np.float64]
    """(R,), of the first sentence."""
    last: NDArray[np.float64]
    """(R,), of the last sentence."""
    lean: NDArray[np.float64]
    """(R,), added to the log probabilities before the role is chosen."""


@lru_cache(maxsize=1)
def _weights() -> Weights:
    """The weights that come with the package; plain arrays, nothing is unpickled."""
    import numpy as np

    with (
        files("presscheck.digest").joinpath(WEIGHTS).open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        return Weights(
            words=stored["words"].astype(np.float32),
            vectors=stored["vectors"].astype(np.float32),
            follows=stored["follows"].astype(np.float64),
            first=stored["first"].astype(np.float64),
            last=stored["last"].astype(np.float64),
            lean=stored["lean"].astype(np.float64),
        )


def _tokens(sentence: str) -> list[str]:
    """Lower-case words and telling signs; every number is ``#``."""
    found: list[str] = _WORD.findall(sentence[:LONGEST].lower())
    return ["#" if token[0].isdigit() else token for token in found]


def _place(tokens: list[str], position: int, count: int) -> Iterator[str]:
    """Where the sentence stands, how it begins, how long it is."""
    for width in (1, 2, 3):
        yield f"begins {width} " + " ".join(tokens[:width])
    yield "ends " + " ".join(tokens[-1:])
    yield f"from start {min(position, 9)}"
    yield f"from end {min(count - 1 - position, 9)}"
    yield f"tenth {10 * position // count}"
    yield f"of {min(count, 14)}"
    yield f"corner {min(position, 3)} {min(count - 1 - position, 3)}"
    yield f"length {min(len(tokens) // 5, 8)}"
    yield "any"


def features(sentences: Sequence[str]) -> list[NDArray[np.int64]]:
    """The buckets of each sentence's words and place, sorted, without repeats.

    Args:
        sentences: All sentences of one abstract, in order.

    Returns:
        One array for each sentence, values in [0, B).
    """
    import numpy as np

    tokens = [_tokens(sentence) for sentence in sentences]
    short = [
        {f"1 {a}" for a in found} | {f"2 {a} {b}" for a, b in zip(found, found[1:], strict=False)}
        for found in tokens
    ]
    rows = []
    for i, found in enumerate(tokens):
        names = short[i] | set(_place(found, i, len(sentences)))
        names |= {f"3 {a} {b} {c}" for a, b, c in zip(found, found[1:], found[2:], strict=False)}
        if i:
            names |= {f"< {name}" for name in short[i - 1]}
        if i + 1 < len(tokens):
            names |= {f"> {name}" for name in short[i + 1]}
        rows.append(np.unique([zlib.crc32(name.encode()) % BUCKETS for name in names]))
    return rows


def in_context(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, W) → (n, 4 W): each sentence's vector, its neighbours' (zero beyond the ends), the mean."""
    import numpy as np

    before, after = np.zeros_like(vectors), np.zeros_like(vectors)
    before[1:], after[:-1] = vectors[:-1], vectors[1:]
    mean = np.broadcast_to(vectors.mean(0), vectors.shape)
    return np.hstack([vectors, before, after, mean])


def _log_sum(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Log of the sum of exp, without overflow."""
    import numpy as np

    top: NDArray[np.float64] = values.max(axis)
    total: NDArray[np.float64] = top + np.log(np.exp(values - np.expand_dims(top, axis)).sum(axis))
    return total


def probabilities(
    sentences: Sequence[str], vectors: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """The probability of each role for each sentence.

    Args:
        sentences: All sentences of one abstract, in order.
        vectors: (n, W), where the caller has them already (``vectors.encode``).

    Returns:
        (n, R), rows sum to 1, columns as in ``ROLES``.

    Raises:
        ValueError: if the vectors do not fit the sentences.
    """
    import numpy as np

    if not len(sentences):
        return np.zeros((0, len(ROLES)))
    if vectors is None:
        vectors = encode(sentences)
    if len(vectors) != len(sentences):
        raise ValueError(f"got {len(vectors)} vectors for {len(sentences)} sentences: need one for each")
    learnt = _weights()
    scores = (in_context(vectors) @ learnt.vectors).astype(np.float64)
    for row, found in zip(scores, features(sentences), strict=True):
        row += learnt.words[found].sum(0) / np.sqrt(len(found))

    forward, backward = scores.copy(), np.zeros_like(scores)
    forward[0] += learnt.first
    for i in range(1, len(scores)):
        forward[i] += _log_sum(forward[i - 1][:, None] + learnt.follows, 0)
    backward[-1] = learnt.last
    for i in range(len(scores) - 2, -1, -1):
        backward[i] = _log_sum(learnt.follows + (scores[i + 1] + backward[i + 1]), 1)
    joint = forward + backward
    marginal: NDArray[np.float64] = np.exp(joint - _log_sum(joint, 1)[:, None])
    return marginal


def choose(given: NDArray[np.float64]) -> list[Role]:
    """The role of each sentence.

    Args:
        given: (n, R), as ``probabilities`` gives them.
    """
    import numpy as np

    if not len(given):
        return []
    return [ROLES[best] for best in (np.log(given + 1e-12) + _weights().lean).argmax(1)]


def classify(sentences: Sequence[str], vectors: NDArray[np.float32] | None = None) -> list[Role]:
    """The role of each sentence; arguments as in ``probabilities``."""
    return choose(probabilities(sentences, vectors))

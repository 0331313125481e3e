"""Sentence encoders other than the built-in one, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from presscheck.errors import BadInput

Encoder = Callable[[Sequence[str]], Any]
"""Texts in, (n, width) unit rows out."""


def sentence_transformer(name: str) -> Encoder:
    """An encoder by the name of any sentence-transformers model.

    Raises:
        BadInput: if the package is not installed or has no such model.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise BadInput(
            f"the encoder `{name}` needs sentence-transformers, which is not installed",
            hint="`pip install sentence-transformers`, or leave the encoder out for the one that is built in",
        ) from error
    try:
        loaded = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"no sentence-transformers model called `{name}`: {str(error)[:200]}",
            hint="give a name on the hub or the folder of a model",
        ) from error

    def encode(texts: Sequence[str]) -> Any:
        return loaded.encode(list(texts), normalize_embeddings=True, convert_to_numpy=True)

    return encode

"""Sentence encoders other than the built-in one, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from presscheck.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


MATCHED_ON = 600
"""Texts on which two encoders are matched: 180,000 pairs, of which mean and spread are read."""


class Matched:
    """Another encoder, its cosines on the scale of the one that the evidence models were fitted on.

    Encoders put unrelated sentences at a cosine of 0.1 or of 0.8. The mean vector is taken
    away, which takes the common part out of every cosine; then a factor and a constant give
    the cosines of known texts the mean and the spread that the reference gives them. Both
    are written into the rows, so that products of rows are what is asked for.
    """

    def __init__(self, encoder: Encoder, texts: Mapping[str, Sequence[str]], reference: Encoder) -> None:
        """Match the two.

        Args:
            encoder: Texts in, unit rows out.
            texts: English statements by the paper that they are about.
            reference: The encoder whose cosines the models know.

        Raises:
            BadInput: if the encoder gives all texts the same vector.
        """
        import numpy as np

        every = [text for each in texts.values() for text in each]
        some = every[:: max(1, len(every) // MATCHED_ON)]
        pairs = np.triu_indices(len(some), 1)
        known, raw = np.asarray(reference(some)), np.asarray(encoder(some), dtype=np.float32)
        self._encoder, self._middle = encoder, raw.mean(axis=0)
        rows = self._centred(raw)
        wanted, cosines = (known @ known.T)[pairs], (rows @ rows.T)[pairs]
        if len(some) < 3 or float(cosines.std()) < 1e-6:
            raise BadInput("the encoder gives every text the same vector", hint="try another model")
        self._factor = float(wanted.std() / cosines.std())
        self._constant = max(0.0, float(wanted.mean() - self._factor * cosines.mean()))
        self._about = [paper for paper, each in texts.items() for _ in each]
        self._rows = self(every)

    def __call__(self, texts: Sequence[str]) -> NDArray[Any]:
        """A row a text; products of rows stand for cosines of the reference."""
        import numpy as np

        rows = self._centred(np.asarray(self._encoder(texts), dtype=np.float32)) * self._factor**0.5
        constant = np.full((len(rows), 1), self._constant**0.5, dtype=np.float32)
        matched: NDArray[Any] = np.hstack([rows, constant])
        return matched

    def background(self, without: Collection[str]) -> NDArray[Any]:
        """The rows of the known texts, those about some papers left out; all if none would be left."""
        kept = [n for n, paper in enumerate(self._about) if paper not in without]
        return self._rows[kept] if kept else self._rows

    def _centred(self, rows: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        rows = rows - self._middle
        centred: NDArray[Any] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return centred

"""Encoders for measuring: one that remembers, since the same sentences come again in every pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Encoder = Callable[[Sequence[str]], Any]


class Remembering:
    """An encoder that makes each text's vector once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._rows: dict[str, Any] = {}

    def __call__(self, texts: Sequence[str]) -> Any:
        """A row a text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new:
            self._rows.update(zip(new, self._encoder(new), strict=True))
        return np.stack([self._rows[text] for text in texts])

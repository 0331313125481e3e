"""What `evidence` learned: two kinds of logistic model and the background, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]
    Floats: TypeAlias = NDArray[np.float64]

MODELS = ("en", "ko", "en_entry", "ko_entry")
"""Belonging of a statement alone, and with the rest of its entry, for each language."""


@dataclass(frozen=True)
class Weights:
    """A logistic model: centre and scale of the features, then a weight for each."""

    centre: Floats
    scale: Floats
    weight: Floats
    bias: float
    threshold: float = 0.5
    """The probability under which "about this paper" is denied; `belongs` moves it to one half."""

    def logits(self, features: Floats) -> Floats:
        """The log-odds of each row of features."""
        logits: Floats = (features - self.centre) / self.scale @ self.weight + self.bias
        return logits


@dataclass(frozen=True)
class Model:
    """What the package learned: ranking, and belonging for each language."""

    rank: Weights
    belongs: dict[str, Weights]
    background: Vectors


@lru_cache(maxsize=1)
def model() -> Model:
    """The model that comes with the package."""
    import numpy as np

    file = resources.files("presscheck.digest.check") / "evidence.npz"
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as data:

        def weights(name: str) -> Weights:
            centre, scale, weight = (data[name][row].astype(np.float64) for row in range(3))
            bias, threshold = data[f"{name}_end"].tolist()
            return Weights(centre, scale, weight, bias, threshold)

        background = data["background"].astype(np.float32)
        background /= np.linalg.norm(background, axis=1, keepdims=True)
        return Model(weights("rank"), {one: weights(f"belongs_{one}") for one in MODELS}, background)

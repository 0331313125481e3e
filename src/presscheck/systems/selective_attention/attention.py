"""Selective attention in the place of ``scaled_dot_product_attention``, whole or in blocks of rows.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 3: softmax(Z - F), where F sums up the
positive logits of one head over earlier queries. No parameter is added. Differences: in grouped-query
models, which the paper leaves out, the selector is a query head with the keys of its group.
Shapes: B batch, H query heads, G key-value heads (H = G * r), N tokens, R rows of a block, E keys up to
its end, D channels of one head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .mask import accumulation_dtype, cast_votes, opening_keys, refuse_looking_ahead, visible_pairs

Allowed = Callable[[int, int], tuple[Tensor, Tensor | None]]
"""Rows from, to → (B or 1, H or 1, R, E) of pairs that are seen, and a bias of that shape or None."""


def selective_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = True,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    documents: Tensor | None = None,
    selector_head: int = 0,
    return_mask: bool = False,
    block_rows: int | None = None,
) -> Any:
    """As ``torch.nn.functional.scaled_dot_product_attention``, with the selective mask subtracted.

    Args:
        query: (B, H, N, D).
        key: (B, G, N, D). Fewer queries than keys are refused: the votes of earlier queries would be
            missing, and it takes a ``SelectiveKVCache`` to keep them.
        value: (B, G, N, D').
        attn_mask: Broadcast to (B, H, N, N): True where a key is seen, or numbers that are added
            to the logits. A query that may not see itself is padding: it casts no votes.
        dropout_p: Share of attention weights that is dropped; always, as there.
        is_causal: Hide later keys. False needs an `attn_mask` that hides them.
        scale: Of the logits, 1/sqrt(D) by default.
        enable_gqa: Allow G < H.
        documents: (B, N) numbers of the documents packed into a row, whose tokens see their own only.
        selector_head: The query head whose logits are the votes; it attends as well.
        return_mask: Also return F.
        block_rows: Compute this many rows at a time, and again in the backward pass, so that no more
            than R x N logits a head exist at once; None for all at once.

    Returns:
        (B, H, N, D'), and F, (B, N, N), if asked for.

    Raises:
        ValueError: for a use that is not causal, a head that is not there, shapes that do not fit.
    """
    B, H, N, D = query.shape
    G = key.shape[1]
    if key.shape[2] != N or value.shape[2] != N:
        raise ValueError(
            f"{N} queries for {key.shape[2]} keys and {value.shape[2]} values: the votes of earlier queries "
            "would be missing; decode with a SelectiveKVCache, which keeps them"
        )
    if H % G or key.shape[3] != D or value.shape[1] != G:
        raise ValueError(
            f"queries {tuple(query.shape)}, keys {tuple(key.shape)} and values {tuple(value.shape)} do not "
            "fit: need as many key as value heads, a divisor of the query heads, and the queries' channels"
        )
    if G != H and not enable_gqa:
        raise ValueError(f"{H} query heads share {G} key-value heads: say enable_gqa=True if that is meant")
    if not 0 <= selector_head < H:
        raise ValueError(
            f"selector_head must be one of the {H} query heads, 0 to {H - 1}, got {selector_head}"
        )
    if block_rows is not None and block_rows < 1:
        raise ValueError(
            f"block_rows must be at least 1, got {block_rows}: it is the rows computed at a time"
        )
    if not is_causal and attn_mask is None:
        raise ValueError(
            "selective attention is causal, since a vote masks a key for later queries; got is_causal=False "
            "and no attn_mask that hides later keys"
        )
    if documents is not None and tuple(documents.shape) != (B, N):
        raise ValueError(f"documents must be ({B}, {N}), a number a token, got {tuple(documents.shape)}")
    pairs = _pairs(attn_mask, is_causal, documents, query)
    masked = attn_mask is not None
    scale = D**-0.5 if scale is None else scale
    rows = N if block_rows is None else block_rows
    carried = query.new_zeros(B, 0, dtype=accumulation_dtype(query.dtype))
    opening = torch.zeros(1, 0, dtype=torch.bool, device=query.device)
    outputs, masks = [], []
    for start in range(0, N, rows):
        stop = min(start + rows, N)
        arguments = (
            query[:, :, start:stop], key[:, :, :stop], value[:, :, :stop], carried, opening, pairs, start,
            scale, selector_head, dropout_p, masked,
        )  # fmt: skip
        if block_rows is not None and torch.is_grad_enabled():
            output, mask, carried, opening = checkpoint(attend_rows, *arguments, use_reentrant=False)
        else:
            output, mask, carried, opening = attend_rows(*arguments)
        outputs.append(output)
        if return_mask:
            masks.append(nn.functional.pad(mask, (0, N - stop)))
    whole = torch.cat(outputs, dim=2) if len(outputs) > 1 else outputs[0]
    return (whole, torch.cat(masks, dim=1)) if return_mask else whole


def attend_rows(
    query: Tensor, key: Tensor, value: Tensor, carried: Tensor, opening: Tensor, pairs: Allowed, start: int,
    scale: float, selector_head: int, dropout_p: float, masked: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Rows `start` and on, given the votes cast before them.

    Args:
        query: (B, H, R, D).
        key: (B, G, E, D).
        value: (B, G, E, D').
        carried: (B, start) votes so far.
        opening: (B or 1, start), keys that cannot be voted against.
        pairs: What rows may see; asked here, so that it need not be kept for the backward pass.
        start: Key of the first row.
        scale: Of the logits.
        selector_head: A query head.
        dropout_p: Share of weights dropped.
        masked: Whether a row may see nothing at all; its output is then 0.

    Returns:
        (B, H, R, D'), F of these rows (B, R, E), the votes after them (B, E), and `opening` (B or 1, E).
    """
    R = query.shape[2]
    allowed, bias = pairs(start, start + R)
    voting = allowed[:, selector_head if allowed.shape[1] > 1 else 0]
    new = opening_keys(voting, start)
    opening = torch.cat([opening.expand(new.shape[0], -1), new], dim=1)
    carried = nn.functional.pad(carried, (0, R))
    logits = grouped_logits(query * scale, key).to(carried.dtype)
    if bias is not None:
        logits = logits + bias
    votes = cast_votes(logits[:, selector_head], voting, start, opening)
    after = votes.cumsum(-2) + carried[:, None]
    mask = torch.cat([carried[:, None], after[:, :-1]], dim=1)
    # One subtraction hides what is not allowed and takes the votes off.
    weights = (logits - torch.where(allowed, mask[:, None], torch.finfo(logits.dtype).max / 4)).softmax(-1)
    if masked:
        weights = weights.masked_fill(~allowed, 0.0)
    weights = weights.to(value.dtype)
    if dropout_p:
        weights = nn.functional.dropout(weights, dropout_p)
    # A copy: a view would keep the votes of all rows of the block.
    return weighted_values(weights, value), mask, after[:, -1].clone(), opening


def grouped_logits(query: Tensor, key: Tensor) -> Tensor:
    """(B, H, R, D) on (B, G, E, D) → (B, H, R, E), without repeating keys."""
    B, H, R, D = query.shape
    G = key.shape[1]
    return (query.reshape(B, G, H // G * R, D) @ key.mT).view(B, H, R, -1)


def weighted_values(weights: Tensor, value: Tensor) -> Tensor:
    """(B, H, R, E) on (B, G, E, D') → (B, H, R, D'), without repeating values."""
    B, H, R, E = weights.shape
    G = value.shape[1]
    return (weights.reshape(B, G, H // G * R, E) @ value).view(B, H, R, -1)


def _pairs(attn_mask: Tensor | None, is_causal: bool, documents: Tensor | None, query: Tensor) -> Allowed:
    """What each block of rows may see, made block by block."""
    B, H, N, _ = query.shape
    if attn_mask is not None:
        try:
            B_, H_, Q_, S_ = torch.broadcast_shapes(attn_mask.shape, (1, 1, 1, 1))
            fits = B_ in (1, B) and H_ in (1, H) and Q_ in (1, N) and S_ in (1, N)
        except (RuntimeError, ValueError):
            fits = False
        if not fits:
            raise ValueError(f"attn_mask {tuple(attn_mask.shape)} does not broadcast to {(B, H, N, N)}")
        attn_mask = attn_mask.expand(B_, H_, N, N)
        if not is_causal:
            refuse_looking_ahead(_seen(attn_mask), 0)

    def pairs(start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        allowed = visible_pairs(start, stop, stop, documents, None, query.device)[:, None]
        if attn_mask is None:
            return allowed, None
        block = attn_mask[:, :, start:stop, :stop]
        seen = _seen(block)
        bias = None
        if block.dtype != torch.bool:
            # What hides a key hides it by `allowed`; its huge number must not reach the votes.
            bias = block.masked_fill(~seen, 0.0)
        return allowed & seen, bias

    return pairs


def _seen(mask: Tensor) -> Tensor:
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


class SelectiveAttention(nn.Module):
    """Multi-head selective self-attention: the four projections of an ordinary one, and nothing else.

    Args:
        width: Of the residual stream.
        heads: H.
        kv_heads: G, H by default.
        head_dim: D, width / heads by default.
        selector_head: The head that votes.
        rotate: Applied to queries and keys, (B, heads, N, D), such as a rotary embedding.
        dropout: Of attention weights, in training.
        block_rows: As for ``selective_attention``.

    Raises:
        ValueError: if the heads do not divide the width or each other, or there is no such selector.
    """

    def __init__(
        self, width: int, heads: int, *, kv_heads: int | None = None, head_dim: int | None = None,
        selector_head: int = 0, rotate: Callable[[Tensor], Tensor] | None = None, dropout: float = 0.0,
        block_rows: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        kv_heads = heads if kv_heads is None else kv_heads
        if (head_dim is None and width % heads) or heads % kv_heads:
            raise ValueError(
                f"{heads} heads must divide the width {width}, and {kv_heads} key-value heads the heads"
            )
        if not 0 <= selector_head < heads:
            raise ValueError(
                f"selector_head must be one of the {heads} heads, 0 to {heads - 1}, got {selector_head}"
            )
        D = width // heads if head_dim is None else head_dim
        self.head_dim, self.selector_head, self.rotate = D, selector_head, rotate
        self.dropout, self.block_rows = dropout, block_rows
        self.q_proj = nn.Linear(width, heads * D, bias=False)
        self.k_proj = nn.Linear(width, kv_heads * D, bias=False)
        self.v_proj = nn.Linear(width, kv_heads * D, bias=False)
        self.o_proj = nn.Linear(heads * D, width, bias=False)

    def forward(
        self, x: Tensor, attn_mask: Tensor | None = None, *, documents: Tensor | None = None,
        return_mask: bool = False,
    ) -> Any:  # fmt: skip
        """(B, N, width) → the same, and F (B, N, N) if asked for."""
        B, N, _ = x.shape
        query, key, value = (
            project(x).view(B, N, -1, self.head_dim).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.rotate is not None:
            query, key = self.rotate(query), self.rotate(key)
        found = selective_attention(
            query, key, value, attn_mask, self.dropout if self.training else 0.0, enable_gqa=True,
            documents=documents, selector_head=self.selector_head, return_mask=True,
            block_rows=self.block_rows,
        )  # fmt: skip
        output = self.o_proj(found[0].transpose(1, 2).flatten(2))
        return (output, found[1]) if return_mask else output

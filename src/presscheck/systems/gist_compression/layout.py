"""Where gists stand among raw tokens, and who may see whom.

Reference: Deng et al., arXiv 2412.17483, section 2. Gist g stands for raw tokens g * r to
(g + 1) * r - 1, whether it comes right behind them (fine) or behind their segment (coarse).
Shapes: B batch, T raw tokens, N tokens with gists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import GistConfig

IGNORED = -100
"""The label of a place that predicts nothing, as in ``torch.nn.functional.cross_entropy``."""


@dataclass(frozen=True)
class Layout:
    """A stretch of a sequence with its gists, in order. All of shape (N,)."""

    is_gist: Tensor
    """Bool."""
    segment_id: Tensor
    position: Tensor
    """For the rotary embedding."""
    source: Tensor
    """Index of the raw token within the stretch; for a gist, how many raw tokens the stretch has."""


def layout(start: int, stop: int, config: GistConfig, device: torch.device | str = "cpu") -> Layout:
    """Raw tokens `start` to `stop` - 1 of a sequence, with the gists that come right behind each of them.

    Stretches put behind each other are the layout of the whole, which is why reading bit by bit
    gives what reading at once gives.

    Raises:
        ValueError: if the stretch is empty.
    """
    if not 0 <= start < stop:
        raise ValueError(f"need at least one token, got those from {start} to before {stop}")
    raw = torch.arange(start, stop, device=device)
    t, L, r = config.gists, config.segment_len, config.ratio
    # `behind`: gists that follow each raw token; `before`: gists in front of it.
    if config.granularity == "fine":
        behind, before = ((raw + 1) % r == 0).long(), raw // r
    else:
        behind, before = ((raw + 1) % L == 0).long() * t, raw // L * t
    repeats = 1 + behind
    token = raw.repeat_interleave(repeats)
    first = repeats.cumsum(0) - repeats
    rank = torch.arange(len(token), device=device) - first.repeat_interleave(repeats)  # 0 for the raw token
    is_gist = rank > 0
    if config.positions == "own":
        position = (raw + before).repeat_interleave(repeats) + rank
    else:
        gist = before.repeat_interleave(repeats) + rank - 1
        position = torch.where(is_gist, (gist + 1) * r - 1, token)
    source = torch.where(is_gist, stop - start, token - start)
    return Layout(is_gist, token // L, position, source)


def insert_gists(
    ids: Tensor, config: GistConfig, gist_id: int, labels: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Put gists into sequences.

    Args:
        ids: (B, T) raw tokens.
        config: Where gists go.
        gist_id: Written where a gist is.
        labels: (B, T) tokens as they are to be predicted, ``IGNORED`` where not; `ids` if None.

    Returns:
        ids (B, N); is_gist (N,); segment_id (N,); and labels (B, N), *already shifted*: each raw
        token has the next raw token, even if a gist stands between them; gists and the last
        token have ``IGNORED``.

    Raises:
        ValueError: for another shape.
    """
    if ids.dim() != 2 or ids.shape[1] == 0:
        raise ValueError(f"ids must be (batch, tokens) with at least one token, got {tuple(ids.shape)}")
    labels = ids if labels is None else labels
    if labels.shape != ids.shape:
        raise ValueError(
            f"labels {tuple(labels.shape)} do not fit ids {tuple(ids.shape)}: one for each token"
        )
    place = layout(0, ids.shape[1], config, ids.device)
    column = ids.new_full((len(ids), 1), gist_id)
    ignored = labels.new_full((len(ids), 1), IGNORED)
    shifted = torch.cat([labels[:, 1:], ignored, ignored], dim=1)  # (B, T + 1): the last for gists
    with_gists = torch.cat([ids, column], dim=1)[:, place.source]
    return with_gists, place.is_gist, place.segment_id, shifted[:, place.source]


def gist_attention_mask(is_gist: Tensor, segment_id: Tensor) -> Tensor:
    """Who may see whom: i sees j <= i if both are of one segment, or j is a gist.

    So raw tokens see the gists of their own segment that stand before them, and gists see their
    segment's earlier tokens and all earlier gists.

    Args:
        is_gist: (N,) bool.
        segment_id: (N,).

    Returns:
        (N, N) bool; row i is what i sees.
    """
    same = segment_id[:, None] == segment_id
    causal = torch.ones_like(same).tril()
    return causal & (same | is_gist)


def gist_mask_mod(is_gist: Tensor, segment_id: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """The same mask as a ``mask_mod`` for ``torch.nn.attention.flex_attention.create_block_mask``."""

    def mask_mod(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & ((segment_id[query] == segment_id[key]) | is_gist[key])

    return mask_mod


def additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool mask as what is added to attention logits, (1, 1, Q, K)."""
    mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[None, None]

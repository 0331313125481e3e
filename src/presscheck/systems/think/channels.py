"""ThinK: key-cache channels pruned by how much the recent queries use them.

Reference: Xu et al., arXiv 2407.21018, section 3. Differences: channels are chosen per
key-value head, so that a grouped cache stays grouped; see the README for the others.
Shapes: B batch, H query heads, G key-value heads (H = G * r), S tokens, W tokens of the
query window, D channels of one head, T channels kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Criterion = Literal["query-key", "key", "query", "random"]


@dataclass(frozen=True, kw_only=True)
class ThinKConfig:
    """What is pruned, evicted and quantised, once, when the prompt has been read.

    Raises:
        ValueError: if a setting is out of its range; the message names it.
    """

    key_ratio: float = 0.4
    """Share of the key channels that goes."""
    value_ratio: float = 0.0
    """Share of the value channels that goes."""
    query_window: int = 32
    """Last queries of the prompt, which decide."""
    recent_window: int = 32
    """Last tokens of the prompt, which keep all channels."""
    group_reduce: Literal["mean", "max"] = "mean"
    """How query heads that share a key-value head are joined."""
    criterion: Criterion = "query-key"
    """What ranks key channels; all but the first are there to compare with."""
    eviction: Literal["snapkv", "h2o"] | None = None
    """What chooses the tokens that stay, before channels are chosen."""
    capacity: int | None = None
    """Tokens that stay, the recent ones included; needed with an eviction."""
    kernel: int = 5
    """Neighbours over which SnapKV averages."""
    bits: Literal[2] | None = None
    """2 to quantise all but the residual."""
    group: int = 32
    """Tokens (keys) or channels (values) that share a scale."""
    residual: int = 128
    """Last tokens that stay in full precision when the rest is quantised."""
    seed: int = 0
    """Of the criterion `random`."""

    def __post_init__(self) -> None:
        for name in ("key_ratio", "value_ratio"):
            ratio = getattr(self, name)
            if not 0 <= ratio < 1:
                raise ValueError(f"{name} must be in [0, 1), got {ratio}: the share of channels pruned")
        for name, least in (("query_window", 1), ("recent_window", 0), ("residual", 0), ("group", 4)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.group % 4:
            raise ValueError(f"group must be a multiple of 4, got {self.group}: four codes share a byte")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}: it is centred on a token")
        for name, allowed in (
            ("group_reduce", ("mean", "max")),
            ("criterion", ("query-key", "key", "query", "random")),
            ("eviction", (None, "snapkv", "h2o")),
            ("bits", (None, 2)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if (self.eviction is None) != (self.capacity is None):
            raise ValueError(
                f"eviction {self.eviction!r} with capacity {self.capacity}: need both, a way to choose "
                "tokens and how many stay, or neither"
            )
        if self.capacity is not None and self.capacity <= self.protected:
            raise ValueError(
                f"capacity {self.capacity} must exceed the {self.protected} last tokens, which always stay"
            )

    @property
    def tail(self) -> int:
        """Last tokens that keep all channels and full precision."""
        return max(self.recent_window, self.residual) if self.bits else self.recent_window

    @property
    def protected(self) -> int:
        """Last tokens that are never evicted."""
        return max(self.tail, self.query_window)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.key_ratio or self.value_ratio or self.eviction or self.bits)


def channel_scores(
    queries: Tensor,
    keys: Tensor,
    *,
    reduce: str = "mean",
    criterion: Criterion = "query-key",
    real: Tensor | None = None,
    valid: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Score each key channel by the attention logits it carries for these queries.

    Channel d scores mean(Q[:, d]**2) * mean(K[:, d]**2), which orders channels as
    ||Q[:, d]|| * ||K[:, d]|| does, the Frobenius norm of the rank-one term that d adds to
    Q @ K.T (section 3.2). Query heads that share a key-value head share its channels:
    their energies are averaged, or the largest counts.

    Args:
        queries: (B, H, W, D), after rotary embedding.
        keys: (B, G, S, D), after rotary embedding.
        reduce: ``mean`` or ``max`` over the query heads of a group.
        criterion: ``key`` and ``query`` leave the other factor out; ``random`` both.
        real: (B, W), False where a query is of padding.
        valid: (B, S) or (B, G, S), False where a key is padding.
        seed: Of ``random``.

    Returns:
        (B, G, D), float32, in squared attention logits before the 1/sqrt(D).

    Raises:
        ValueError: if H is no multiple of G, or D differs.
    """
    B, H, _, D = queries.shape
    G = keys.shape[1]
    if H % G or keys.shape[3] != D:
        raise ValueError(
            f"queries {tuple(queries.shape)} do not fit keys {tuple(keys.shape)}: "
            "need (B, H, W, D) and (B, G, S, D) with H a multiple of G"
        )
    if criterion == "random":
        draw = torch.Generator().manual_seed(seed)
        return torch.rand(B, G, D, generator=draw).to(keys.device)
    grouped = _energy(queries, None if real is None else real[:, None]).view(B, G, H // G, D)
    query = grouped.amax(2) if reduce == "max" else grouped.mean(2)
    shown = valid[:, None] if valid is not None and valid.dim() == 2 else valid
    key = _energy(keys, shown)
    return {"query-key": query * key, "key": key, "query": query}[criterion]


def value_scores(weights: Tensor, values: Tensor, *, reduce: str = "mean") -> Tensor:
    """Score each value channel by what it adds to the window's attention output.

    Args:
        weights: (B, G, r, W, N): attention of the window's queries to the tokens to be pruned.
        values: (B, G, N, D).
        reduce: ``mean`` or ``max`` over the query heads of a group.

    Returns:
        (B, G, D), float32: mean over the window of (weights @ values)[:, d]**2.
    """
    output = weights.flatten(2, 3) @ values.float()  # (B, G, r * W, D)
    energy = output.unflatten(2, weights.shape[2:4]).pow(2).mean(3)
    return energy.amax(2) if reduce == "max" else energy.mean(2)


def _energy(states: Tensor, shown: Tensor | None) -> Tensor:
    """Mean square of each channel over the tokens shown: (B, heads, n, D) → (B, heads, D)."""
    squares = states.float().pow(2)
    if shown is None:
        return squares.mean(2)
    weight = shown[..., None].float()
    return (squares * weight).sum(2) / weight.sum(2).clamp_min(1)


def top_channels(scores: Tensor, ratio: float) -> Tensor:
    """The D - floor(ratio * D) best channels, ascending: (B, G, D) → (B, G, T)."""
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio must be in [0, 1), got {ratio}: it is the share of channels pruned")
    D = scores.shape[-1]
    return scores.topk(D - int(ratio * D), dim=-1).indices.sort(dim=-1).values


def select_channels(queries: Tensor, keys: Tensor, ratio: float, *, reduce: str = "mean") -> Tensor:
    """The key channels that ThinK keeps.

    Args:
        queries: (B, H, W, D), after rotary embedding.
        keys: (B, G, S, D), after rotary embedding.
        ratio: Share of channels that goes, in [0, 1).
        reduce: ``mean`` or ``max`` over the query heads of a group.

    Returns:
        (B, G, T) indices, ascending, T = D - floor(ratio * D).

    Raises:
        ValueError: if shapes do not fit or the ratio is out of range.
    """
    return top_channels(channel_scores(queries, keys, reduce=reduce), ratio)

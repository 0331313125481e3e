"""What selective eviction is measured against: H2O, TOVA and a recent window, on an ordinary model.

References: Zhang et al., arXiv 2306.14048 (H2O: keys with least attention received so far leave, half of
the budget is recent keys, each head for itself); Oren et al., arXiv 2401.06104 (TOVA: the key that the
newest query attends to least leaves, one choice a layer); Xiao et al., arXiv 2309.17453 (the first key and
a window).
A text is read in one pass in which each token finds the keys that decoding it would find.
Shapes: B batch, H heads, N tokens, D channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .attention import grouped_logits, weighted_values

POLICIES = ("h2o", "tova", "recent")
NAME = "evicting"


class EvictingCache(Cache):
    """Reads one text of an ordinary model under a budget; for measurements, not for decoding.

    Args:
        budget: Keys that each query may find, its own included.
        policy: One of ``POLICIES``.

    Raises:
        ValueError: for another policy, or a budget below 2.
    """

    def __init__(self, budget: int, policy: str) -> None:
        if policy not in POLICIES or budget < 2:
            raise ValueError(
                f"need a budget of at least 2 and one of {', '.join(POLICIES)}, got {budget}, {policy}"
            )
        self.budget, self.policy = budget, policy
        super().__init__(layer_class_to_replicate=DynamicLayer)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """As ``Cache.update``; tells the attention of the policy."""
        keys, values = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        keys = keys.view(keys.shape)
        keys.evicting = (self.budget, self.policy)
        return keys, values


def evicting_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    scaling: float | None = None, **kwargs: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention of one text under the policy of its ``EvictingCache``; full without one."""
    if attention_mask is not None or key.shape[2] != query.shape[2]:
        raise ValueError("an EvictingCache reads whole texts without padding")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    logits = grouped_logits(query * scale, key)
    N = logits.shape[-1]
    causal = torch.ones(N, N, dtype=torch.bool, device=key.device).tril()
    budget, policy = getattr(key, "evicting", (N, "recent"))
    seen = causal if budget >= N else surviving(logits, budget, policy)
    weights = logits.masked_fill(~seen, torch.finfo(logits.dtype).min).softmax(-1)
    return weighted_values(weights, value).transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(NAME, evicting_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


@torch.no_grad()
def surviving(logits: Tensor, budget: int, policy: str) -> Tensor:
    """(N, N) or (B, H or 1, N, N): True where a query finds a key.

    The first key and the newest always stay. A full cache lets one key go before the next comes in.

    Args:
        logits: (B, H, N, N), not masked.
        budget: Keys that a query may find.
        policy: One of ``POLICIES``.
    """
    B, H, N, _ = logits.shape
    places = torch.arange(N, device=logits.device)
    if policy == "recent":
        distance = places[:, None] - places
        return (distance >= 0) & ((distance < budget - 1) | (places == 0))
    heads = H if policy == "h2o" else 1
    alive = torch.zeros(B, heads, N, dtype=torch.bool, device=logits.device)
    found = torch.zeros(B, heads, N, N, dtype=torch.bool, device=logits.device)
    received = logits.new_zeros(B, heads, N)
    for i in range(N):
        if i >= budget:
            # H2O: half of what is found are the newest keys, which cannot leave, the coming one among them.
            recent = budget // 2 if policy == "h2o" else 1
            movable = alive & (places > 0) & (places <= i - recent)
            victim = received.masked_fill(~movable, torch.inf).argmin(-1, keepdim=True)
            alive.scatter_(-1, victim, False)
        alive[..., i] = True
        found[:, :, i] = alive
        weights = logits[:, :, i].masked_fill(~alive, -torch.inf).softmax(-1)
        received = received + weights if policy == "h2o" else weights.mean(1, keepdim=True)
    return found

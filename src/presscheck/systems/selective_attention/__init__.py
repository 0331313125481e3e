"""Selective attention: tokens vote that an earlier token is no longer needed by anyone after them.

The votes are the positive logits of one head; their running sum is subtracted from the logits of all heads,
without a parameter more. Keys with most votes can leave the cache for good, within a budget for each layer.
Source: Leviathan, Kalman and Matias, arXiv 2410.02703.
"""

from .attach import check_model, recorded_masks, selective
from .attention import SelectiveAttention, selective_attention
from .budgets import Allocation, allocate_budgets, loss_with_budgets
from .cache import SelectiveKVCache, SelectiveLayer
from .mask import memory_loss, selective_mask

__all__ = [
    "Allocation",
    "SelectiveAttention",
    "SelectiveKVCache",
    "SelectiveLayer",
    "allocate_budgets",
    "check_model",
    "loss_with_budgets",
    "memory_loss",
    "recorded_masks",
    "selective",
    "selective_attention",
    "selective_mask",
]

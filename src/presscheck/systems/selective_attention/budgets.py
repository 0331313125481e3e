"""Budgets for each layer's cache, cut greedily as long as the loss stays where it should.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 5: budgets start full, and again and
again the layer is cut whose cut hurts least. Differences: the cut is a share of what is left, not a
fixed number of keys, so that small budgets are searched as finely as large ones.
Shapes: B batch, N tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .cache import SelectiveKVCache


@dataclass(frozen=True)
class Allocation:
    """Budgets, and what they cost on the data they were chosen on."""

    budgets: list[int]
    loss: float
    """Nats per token."""
    path: list[tuple[list[int], float]]
    """Budgets and loss of each cut on the way, the full cache first."""

    @property
    def mean(self) -> float:
        """Keys a layer, on average."""
        return sum(self.budgets) / len(self.budgets)


@torch.no_grad()
def loss_with_budgets(
    model: Any, ids: Tensor, budgets: int | Sequence[int | None] | None, batch: int = 32
) -> float:
    """Nats per token of a model that reads through a pruned cache.

    The text is read in one pass, in which each token finds the keys that decoding it would find.

    Args:
        model: One that uses selective attention.
        ids: (B, N).
        budgets: As for ``SelectiveKVCache``.
        batch: Rows at a time.
    """
    total = 0.0
    for rows in ids.split(batch):
        logits = model(input_ids=rows, cache=SelectiveKVCache(budgets), use_cache=True).logits[:, :-1]
        total += torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), rows[:, 1:].flatten(), reduction="sum"
        ).item()
    return total / ids[:, 1:].numel()


def allocate_budgets(
    model: Any, data: Tensor, target_loss: float, *, shrink: float = 0.5, smallest: int = 2, batch: int = 32
) -> Allocation:
    """Cut layers greedily while the loss is at most the target.

    In each step every layer is tried with a smaller budget, and the one with the lowest loss is cut.
    When no cut of that size is possible, cuts of half that size are tried, down to an eighth.

    Args:
        model: One that uses selective attention, in evaluation mode.
        data: (B, N) token ids to choose on; measure on others.
        target_loss: Nats per token.
        shrink: Share of a layer's budget that a cut takes, above 0 and below 1.
        smallest: No budget goes below it; at least 2.
        batch: Rows at a time.

    Returns:
        The budgets.

    Raises:
        ValueError: if the full cache misses the target already, or for settings out of range.
    """
    if not 0 < shrink < 1:
        raise ValueError(f"shrink must be above 0 and below 1, got {shrink}: it is the share of a budget cut")
    if smallest < 2:
        raise ValueError(f"smallest must be at least 2, got {smallest}: the first token and the newest stay")
    layers, tokens = int(model.config.num_hidden_layers), data.shape[1]
    budgets = [max(tokens, smallest)] * layers
    loss = loss_with_budgets(model, data, budgets, batch)
    if loss > target_loss:
        raise ValueError(
            f"with all {tokens} keys the loss is {loss:.4f}, above the target of {target_loss:.4f}: no "
            "budget meets it"
        )
    path = [(budgets, loss)]
    share = shrink
    while share >= shrink / 8:
        tried = []
        for layer, budget in enumerate(budgets):
            less = max(smallest, int(budget * (1 - share)))
            if less < budget:
                cut = [*budgets[:layer], less, *budgets[layer + 1 :]]
                tried.append((loss_with_budgets(model, data, cut, batch), cut))
        best = min(tried, default=None)
        if best is None or best[0] > target_loss:
            share /= 2
            continue
        loss, budgets = best
        path.append((budgets, loss))
    return Allocation(budgets, loss, path)

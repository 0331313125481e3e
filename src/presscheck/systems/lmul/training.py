"""A small language model trained with every product replaced, results rounded to 8 bits.

Reference: Luo and Sun, arXiv 2410.00907, Table 6. Differences: a two-layer model from
scratch on bytes, not Gemma-2-2b; the paper does not say after which addition its fp8 accumulators round,
here each finished sum is rounded once. Gradients are those of the exact products (straight through).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .attention import LMulAttention, Matmul, attention_by, linears_by
from .casts import cast

VALIDATION = 64


def rounded_sums(matmul: Matmul, name: str) -> Matmul:
    """A matrix product whose results are kept in an 8-bit format, with the exact gradient.

    Args:
        matmul: Of float32.
        name: ``e4m3`` or ``e5m2``.
    """

    def product(a: Tensor, b: Tensor) -> Tensor:
        out = matmul(a, b)
        return out + (cast(out.detach(), name) - out.detach())

    return product


def validation_loss(
    model: Any, text: Tensor, matmul: Matmul, *, steps: int, batch: int = 8, seq_len: int = 64, seed: int = 0
) -> float:
    """Train on the first nine tenths of a text, and give the loss on the rest.

    Args:
        model: A transformers causal language model; it is changed.
        text: (T,) token ids, T at least 20 * seq_len.
        matmul: Used for every product in forward passes, in training and in validation.
        steps: Of AdamW, learning rate 3e-3 falling to 0 in a line.
        batch: Sequences a step.
        seq_len: Tokens of a sequence.
        seed: Of the sequences drawn.

    Returns:
        Nats per token of the first sequences there, at most ``VALIDATION``.

    Raises:
        ValueError: if the text is too short.
    """
    if len(text) < 20 * seq_len:
        raise ValueError(f"the text has {len(text)} tokens, need at least {20 * seq_len}: 20 sequences")
    cut = len(text) * 9 // 10
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)

    def loss_of(rows: Tensor) -> Tensor:
        logits = model(input_ids=rows[:, :-1], use_cache=False).logits
        loss: Tensor = nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        return loss

    with attention_by(model, LMulAttention(matmul)), linears_by(model, matmul):
        model.train()
        for _ in range(steps):
            starts = torch.randint(cut - seq_len, (batch,), generator=draw)
            loss = loss_of(torch.stack([text[i : i + seq_len + 1] for i in starts.tolist()]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        rows = text[cut:].unfold(0, seq_len + 1, seq_len)[:VALIDATION]
        with torch.no_grad():
            return loss_of(rows).item()

"""Small decoders trained from scratch, alike in everything but their attention.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 4: decoder-only, RMSNorm, SwiGLU, no
biases, rotary positions. Differences: no normalisation of queries and keys, narrower heads.
Shapes: B batch, N tokens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .attach import recorded_masks
from .mask import memory_loss

Batches = Callable[[int], tuple[Tensor, Tensor]]
"""Step → ids (B, N) and labels (B, N), -100 where nothing is asked."""


@dataclass(frozen=True)
class Shape:
    """A decoder."""

    vocab: int
    width: int
    layers: int
    heads: int
    head_dim: int

    @property
    def hidden(self) -> int:
        """Of the SwiGLU: two and two thirds of the width, in steps of 16."""
        return 16 * round(self.width * 8 / 3 / 16)


@dataclass
class Trained:
    """A model and how it came about."""

    model: Any
    losses: list[float]
    """Training loss of each step, nats per label, without the memory loss."""
    seconds: float
    """Median of a step."""
    scores: list[tuple[int, float]] = field(default_factory=list)
    """Steps taken and what `score` said then."""


def build(shape: Shape, attention: str, seed: int, *, double_heads: bool = False, device: str = "cpu") -> Any:
    """A Llama of transformers with random weights.

    Args:
        shape: Of the decoder.
        attention: ``selective`` or ``sdpa``: the weights of a seed are the same.
        seed: Of the weights.
        double_heads: Twice the heads of the same size, so twice the parameters of attention.
        device: As torch writes it.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    heads = shape.heads * (2 if double_heads else 1)
    config = LlamaConfig(
        vocab_size=shape.vocab, hidden_size=shape.width, intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers, num_attention_heads=heads, num_key_value_heads=heads,
        head_dim=shape.head_dim, max_position_embeddings=8192, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=0, pad_token_id=None, attn_implementation=attention,
    )  # fmt: skip
    torch.manual_seed(seed)
    return LlamaForCausalLM(config).to(device)


def train(
    model: Any, batches: Batches, steps: int, *, peak: float = 3e-3, eps: float = 0.0, tau: float = 1.0,
    logits: Callable[[Any, Tensor], Tensor] | None = None, score: Callable[[Any], float] | None = None,
    every: int = 0,
) -> Trained:  # fmt: skip
    """Train with AdamW, a tenth of the steps to warm up, then a cosine to a tenth of the peak.

    Args:
        model: Is changed, and left in evaluation mode.
        batches: Data of each step.
        steps: How many.
        peak: Learning rate.
        eps: Weight of the memory loss; above 0 the model has to use selective attention.
        tau: Of the memory loss.
        logits: Model, ids → (B, N, V), if the model is not one of transformers.
        score: Asked after every `every` steps, the model in evaluation mode.
        every: Steps between scores; 0 for none.

    Returns:
        The model with its losses.
    """
    logits = _logits if logits is None else logits
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95))
    trained, seconds = Trained(model, [], 0.0), []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = peak * rate(step, steps)
        ids, labels = batches(step)
        start = time.perf_counter()
        if eps:
            with recorded_masks(model) as masks:
                loss = cross_entropy(logits(model, ids), labels)
                whole = loss + memory_loss([masks[layer] for layer in sorted(masks)], tau, eps)
        else:
            whole = loss = cross_entropy(logits(model, ids), labels)
        optimizer.zero_grad()
        whole.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        trained.losses.append(loss.item())
        if score is not None and every and (step + 1) % every == 0:
            model.eval()
            trained.scores.append((step + 1, score(model)))
            model.train()
    model.eval()
    trained.seconds = sorted(seconds)[len(seconds) // 2]
    return trained


def rate(step: int, steps: int) -> float:
    """The learning rate of a step, as a share of its peak."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats per label; logits (B, N, V) and labels (B, N) are aligned."""
    return nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())


def _logits(model: Any, ids: Tensor) -> Tensor:
    found: Tensor = model(input_ids=ids, use_cache=False).logits
    return found


def parameters_of(model: Any) -> int:
    """Numbers that are trained, shared ones once."""
    return sum(p.numel() for p in model.parameters())

"""Training small models from scratch: a base with full attention, then every arm on the same rows.

Reference: Deng et al., arXiv 2412.17483, section 2: compressed models go on from a pre-trained one
with the loss on raw tokens, and full attention is trained on the same data for comparison.
Differences: everything here is small, and trained from nothing. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .config import GistConfig
from .importance import token_importance
from .model import GistCausalLM, next_token_loss
from .tasks import VOCABULARY, Form, Rows, drill_rows, joined, prose_rows, recall_rows


def small_llama(width: int, layers: int, heads: int, seed: int = 0) -> Any:
    """A Llama of random weights over ``tasks.VOCABULARY``."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=4096,
        initializer_range=0.1,  # at the usual 0.02 so narrow a model takes long to begin
        tie_word_embeddings=True,  # what is copied is said as it was read
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def batches(
    form: Form,
    text: Tensor | None,
    steps: int,
    batch: int,
    seed: int,
    *,
    prose: float = 0.5,
    drill: float = 0.0,
) -> Iterator[Rows]:
    """The rows of each step.

    Args:
        form: Of a row.
        text: For prose rows; None for none.
        steps: How many times.
        batch: Rows of a step.
        seed: Of what is drawn.
        prose: Share of prose rows, if there is a text.
        drill: Share of ``tasks.drill_rows``; the rest is ``tasks.recall_rows``.
    """
    draw = torch.Generator().manual_seed(seed)
    of_text, of_drill = 0 if text is None else round(prose * batch), round(drill * batch)
    for _ in range(steps):
        parts = []
        if text is not None and of_text:
            parts.append(prose_rows(text, form, of_text, draw))
        if of_drill:
            parts.append(drill_rows(form, of_drill, draw))
        if batch > of_text + of_drill:
            parts.append(recall_rows(form, batch - of_text - of_drill, draw))
        yield joined(*parts)


def train(
    parameters: list[nn.Parameter], loss_of: Callable[[int, Rows], Tensor], rows: Iterator[Rows] | list[Rows],
    *, steps: int, learning_rate: float, warmup: int = 0,
) -> float:  # fmt: skip
    """AdamW with the learning rate falling to a tenth in a cosine.

    Args:
        parameters: That are trained.
        loss_of: Step and rows → loss.
        rows: One `Rows` a step.
        steps: How many.
        learning_rate: The highest.
        warmup: Steps over which it rises from 0.

    Returns:
        The mean loss of the last tenth of the steps, in nats.
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    last: list[float] = []
    for step, batch in zip(range(steps), rows, strict=False):
        turn = torch.tensor(torch.pi * step / max(1, steps))
        scale = min(1.0, (step + 1) / max(1, warmup)) * (0.55 + 0.45 * torch.cos(turn).item())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * scale
        loss = loss_of(step, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step >= steps - max(1, steps // 10):
            last.append(loss.item())
    return sum(last) / max(1, len(last))


def train_full(
    model: Any, rows: Iterator[Rows] | list[Rows], *, steps: int, learning_rate: float, warmup: int = 0
) -> float:
    """Train a model with full attention; it is changed. As ``train``."""

    def loss_of(step: int, batch: Rows) -> Tensor:
        return next_token_loss(model(batch.ids, use_cache=False).logits, batch.labels)

    model.train()
    last = train(
        list(model.parameters()), loss_of, rows, steps=steps, learning_rate=learning_rate, warmup=warmup
    )
    model.eval()
    return last


def train_gist(
    base: Any, config: GistConfig, rows: list[Rows], *, steps: int, learning_rate: float, warmup: int = 0,
    weights: list[Tensor] | None = None, seed: int = 0,
) -> GistCausalLM:  # fmt: skip
    """A gist model that goes on from a base, which is not changed.

    Args:
        base: Trained with full attention.
        config: Of the gists; with ``tie_alpha`` and no `weights` the base weighs the tokens.
        rows: One `Rows` a step.
        steps: How many.
        learning_rate: The highest.
        warmup: Steps over which it rises.
        weights: Of the tokens' losses, one tensor a step, if they are made already.
        seed: Of the decoder's first weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lm = GistCausalLM(copy.deepcopy(base), config)

    def loss_of(step: int, batch: Rows) -> Tensor:
        weight = None
        if config.tie_alpha:
            weight = weights[step] if weights else importance_of(base, config, batch)
        loss = lm(batch.ids, batch.labels, weight).loss
        return loss

    lm.train()
    train(list(lm.parameters()), loss_of, rows, steps=steps, learning_rate=learning_rate, warmup=warmup)
    return lm.eval()


def importance_of(base: Any, config: GistConfig, batch: Rows) -> Tensor:
    """The tokens' weights in a batch, (B, T)."""
    return token_importance(base, batch.ids, config.segment_len, config.tie_alpha, batch.labels)

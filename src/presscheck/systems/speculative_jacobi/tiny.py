"""A small class-conditional autoregressive model of images, trained where it is used.

It is a Llama of Hugging Face's over image codes 0, ..., K - 1, classes K, ..., K + c - 1 and, for guidance,
one token for no class. A sequence is a class token and then the codes row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

DROP = 0.1
"""Share of training sequences whose class is hidden, as guidance needs."""


@dataclass(frozen=True)
class TinyImageGPT:
    """A trained model, and how much better than context-free guesses it is."""

    model: Any
    codes: int
    """K."""
    classes: int
    rows: int
    columns: int
    nats: float
    """Per token on held-out images."""
    unigram: float
    """Entropy of codes, places ignored: nats per token."""
    by_place: float
    """Cross-entropy of held-out codes under each place's own frequencies, nothing else known."""

    @property
    def tokens(self) -> int:
        """Tokens of an image."""
        return self.rows * self.columns

    def prompt(self, label: int) -> Tensor:
        """(1,): the token of a class."""
        return torch.tensor([self.codes + label])

    @property
    def null(self) -> Tensor:
        """(1,): the token of no class."""
        return torch.tensor([self.codes + self.classes])

    @torch.no_grad()
    def nll(self, images: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of each image's tokens: (N, rows, columns), (N,) → (N,) nats."""
        where = self.model.device
        losses = _loss(self.model, images.flatten(1).to(where), (labels + self.codes).to(where), self.codes)
        return losses.mean(1).cpu()


def llama(vocab_size: int, tokens: int, width: int, layers: int, seed: int) -> Any:
    """A Llama from scratch with heads of 32 channels; `width` is a multiple of 32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    heads = max(1, width // 32)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocab_size,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=tokens + 1,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
        )
    )


def train(
    images: Tensor, labels: Tensor, held_out: Tensor, held_out_labels: Tensor, *, codes: int, classes: int,
    width: int = 96, layers: int = 4, steps: int = 900, batch: int = 32, seed: int = 0, lr: float = 3e-3,
) -> TinyImageGPT:  # fmt: skip
    """Train a model on coded images.

    Args:
        images: (N, rows, columns) codes.
        labels: (N,).
        held_out: (M, rows, columns) codes, for the loss that is reported.
        held_out_labels: (M,).
        codes: K.
        classes: How many labels there are.
        width: Channels; a multiple of 32.
        layers: Of the Llama.
        steps: Of AdamW; the rate rises over a tenth of them and falls to 0.
        batch: Images a step.
        seed: Of weights and batches.
        lr: The highest learning rate.

    Raises:
        ValueError: if codes or labels are out of range.
    """
    if int(images.max()) >= codes or int(labels.max()) >= classes:
        raise ValueError(
            f"codes to {int(images.max())} and labels to {int(labels.max())} do not fit {codes} codes "
            f"and {classes} classes"
        )
    rows, columns = images.shape[1:]
    model = llama(codes + classes + 1, rows * columns, width, layers, seed)
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.1)
    flat = images.flatten(1)
    model.train()
    for _ in range(steps):
        pick = torch.randint(len(flat), (batch,), generator=rng)
        hidden = torch.rand(batch, generator=rng) < DROP
        prompts = torch.where(hidden, codes + classes, codes + labels[pick])
        loss = _loss(model, flat[pick], prompts, codes).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        losses = [
            _loss(model, h.flatten(1), codes + y, codes).mean(1)
            for h, y in zip(held_out.split(64), held_out_labels.split(64), strict=True)
        ]
    return TinyImageGPT(
        model, codes, classes, rows, columns, float(torch.cat(losses).mean()),
        *context_free(flat, held_out.flatten(1), codes),
    )  # fmt: skip


def context_free(images: Tensor, held_out: Tensor, codes: int) -> tuple[float, float]:
    """Nats per held-out token under frequencies of all places together, and of each place.

    Args:
        images: (N, T) codes, of which the frequencies are taken, one added to each count.
        held_out: (M, T) codes.
        codes: K.
    """
    counts = nn.functional.one_hot(images, codes).sum(0).double() + 1  # (T, K)
    place = (counts / counts.sum(1, keepdim=True)).log()
    total = counts.sum(0)
    everywhere = (total / total.sum()).log()
    return (
        -float(everywhere[held_out].mean()),
        -float(place.gather(1, held_out.T).mean()),
    )


def _loss(model: Any, images: Tensor, prompts: Tensor, codes: int) -> Tensor:
    """(N, T) nats of each token, among image codes only, as samples are drawn."""
    ids = torch.cat([prompts[:, None], images], dim=1)
    logits = model(ids[:, :-1], use_cache=False).logits[..., :codes]
    loss: Tensor = nn.functional.cross_entropy(logits.transpose(1, 2), images, reduction="none")
    return loss

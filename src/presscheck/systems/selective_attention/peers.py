"""The arm that runs in x-transformers' own environment: its decoder with ``attn_selective=True``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def selective_decoder(seed: int, *, size: str, long: bool = False) -> Iterator[tuple[str, float, str]]:
    """A decoder of x-transformers of the same size, trained by the same loop on the same windows.

    Args:
        seed: Of weights and windows.
        size: A key of the experiment's ``SIZES``.
        long: The longer context.

    Yields:
        ``nll``, ``parameters``, ``step_seconds``, and ``mask_error``: the largest difference between our F
        and what its function takes off the same logits, in float64.
    """
    from .experiment import PEAK, SIZES, Language
    from .mask import selective_mask
    from .training import parameters_of, train

    # Not `import x_transformers`: it is in the peer's environment only.
    library: Any = importlib.import_module("x_transformers")
    attend: Any = importlib.import_module("x_transformers.attend")
    language = Language(SIZES[size], seed, SIZES[size].long if long else SIZES[size].context)
    shape = language.shape
    torch.manual_seed(seed)
    layers = library.Decoder(
        dim=shape.width, depth=shape.layers, heads=shape.heads, attn_dim_head=shape.head_dim,
        attn_selective=True, rotary_pos_emb=True, rotary_emb_dim=shape.head_dim, use_rmsnorm=True,
        ff_glu=True, ff_swish=True, ff_mult=shape.hidden / shape.width, ff_no_bias=True,
    )  # fmt: skip
    model = library.TransformerWrapper(
        num_tokens=shape.vocab, max_seq_len=language.context, attn_layers=layers, use_abs_pos_emb=False,
        tie_embedding=True,
    )  # fmt: skip

    def logits(model: Any, ids: Tensor) -> Tensor:
        found: Tensor = model(ids)
        return found

    # Embeddings of ours begin at a deviation of 0.02, and the head is tied to them.
    torch.nn.init.normal_(model.token_emb.emb.weight, std=0.02)
    trained = train(model, language.batches, language.steps, peak=PEAK["text"], logits=logits)
    yield "nll", language.loss(trained.model, language.test, logits), "nat"
    yield "parameters", parameters_of(model), "1"
    yield "step_seconds", trained.seconds, "s"
    yield "mask_error", mask_error(attend.selective_attn, selective_mask, seed), "1"


def mask_error(theirs: Any, ours: Any, seed: int) -> float:
    """The largest difference between the masks, on logits that the seed draws."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, 48, 48, generator=draw, dtype=torch.float64)
    later = torch.ones(48, 48, dtype=torch.bool).triu(1)
    hidden = logits.masked_fill(later, -torch.finfo(torch.float64).max)
    taken = (hidden - theirs(hidden)).masked_fill(later, 0.0)
    worst: float = (taken - ours(logits[:, 0])[:, None].masked_fill(later, 0.0)).abs().max().item()
    return worst

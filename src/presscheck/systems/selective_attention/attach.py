"""Selective attention under the name ``selective`` among the attention functions of transformers.

A model made with ``attn_implementation="selective"`` trains and decodes with it; ``with selective(model)``
lends it to a model for as long as a block lasts. Names in the state dict stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .attention import selective_attention
from .cache import SelectiveLayer

NAME = "selective"
MODELS = ("llama", "mistral", "qwen2", "qwen3", "phi3", "granite", "olmo2")
"""``model_type`` of the decoders whose attention is plain softmax over one key and value cache."""
REFUSED = {
    "softcap": "a soft cap on its logits",
    "sliding_window": "a sliding window",
    "s_aux": "attention sinks of its own",
}
"""What an attention of transformers may be handed that selective attention has no place for."""

_recording: ContextVar[tuple[frozenset[int], dict[int, Tensor]] | None] = ContextVar("masks", default=None)


def selective_attention_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    scaling: float | None = None, dropout: float = 0.0, **kwargs: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The attention function that transformers calls: (B, H, N, D) in, (B, N, H, D) out.

    ``module.config.selector_head`` (0) and ``module.config.selective_block_rows`` (None) are read from
    the model's configuration, where they can be set.

    Raises:
        ValueError: if the model wants something that selective attention has no place for, or
            decodes with a cache that does not keep votes.
    """
    for name, what in REFUSED.items():
        if kwargs.get(name) is not None:
            raise ValueError(
                f"{type(module).__name__} has {what}, which selective attention does not support"
            )
    if not getattr(module, "is_causal", True) or not getattr(module.config, "is_causal", True):
        raise ValueError(f"{type(module).__name__} is not causal: a vote masks a key for later queries only")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    head = int(getattr(module.config, "selector_head", 0))
    layer: SelectiveLayer | None = getattr(key, "selective_layer", None)
    if layer is not None:
        _check_selector(head, query.shape[1])
        return layer.attend(query, attention_mask, scale, head), None
    if key.shape[2] != query.shape[2]:
        raise ValueError(
            f"{query.shape[2]} queries for {key.shape[2]} keys: this cache does not keep the votes of "
            "earlier tokens; give the model cache=SelectiveKVCache()"
        )
    recording = _recording.get()
    wanted = recording is not None and id(module) in recording[0]
    output = selective_attention(
        query, key, value, attention_mask, dropout, attention_mask is None, scale, True,
        selector_head=head, return_mask=wanted,
        block_rows=getattr(module.config, "selective_block_rows", None),
    )  # fmt: skip
    if wanted and recording is not None:
        output, recording[1][module.layer_idx] = output
    return output.transpose(1, 2).contiguous(), None


def _check_selector(head: int, heads: int) -> None:
    if not 0 <= head < heads:
        raise ValueError(
            f"selector_head must be one of the {heads} query heads, 0 to {heads - 1}, got {head}"
        )


# Without a mask function of that name transformers would hand over no mask at all, padding included.
ALL_ATTENTION_FUNCTIONS.register(NAME, selective_attention_forward)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


@contextmanager
def selective(model: Any) -> Iterator[Any]:
    """Let a model use selective attention inside a ``with`` block, and leave it as it was.

    It is an attention to train with: a model that was trained without it has no use for its votes.

    Args:
        model: A decoder of ``transformers`` of one of ``MODELS``.

    Yields:
        The model.

    Raises:
        TypeError: if it is no such model.
        ValueError: naming the model and what does not fit, before anything is changed.
    """
    way = check_model(model)
    try:
        model.config._attn_implementation = NAME
        yield model
    finally:
        model.config._attn_implementation = way


def check_model(model: Any) -> str:
    """The attention implementation of a model that can have selective attention.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings: Any = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"selective attention needs a decoder of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    if kind not in MODELS:
        raise ValueError(f"{name} is not supported: need one of {', '.join(MODELS)}")
    way = str(getattr(settings, "_attn_implementation", None))
    if way not in ("sdpa", "eager", NAME):
        raise ValueError(
            f"{name} uses the attention `{way}`, a fused kernel or another replacement: votes are read from "
            "the logits, which it does not show; load the model with attn_implementation='sdpa', 'eager' "
            "or 'selective'"
        )
    types = set(getattr(settings, "layer_types", None) or ())
    window = getattr(settings, "sliding_window", None)
    slides = not types and window is not None and bool(getattr(settings, "use_sliding_window", True))
    if types - {"full_attention"} or slides:
        raise ValueError(
            f"{name} has sliding-window layers, which forget keys themselves; need full attention in every "
            "layer (sliding_window=None)"
        )
    head = int(getattr(settings, "selector_head", 0))
    if not 0 <= head < settings.num_attention_heads:
        raise ValueError(
            f"{name} has selector_head={head} in its configuration: need one of its "
            f"{settings.num_attention_heads} query heads, 0 to {settings.num_attention_heads - 1}"
        )
    return way


@contextmanager
def recorded_masks(model: Any) -> Iterator[dict[int, Tensor]]:
    """Collect F of each layer of one model's forward passes, for ``memory_loss``.

    Args:
        model: One that uses selective attention.

    Yields:
        Layer → F (B, N, N) of the latest pass, part of its graph.

    Raises:
        ValueError: if the model uses another attention.
    """
    way = getattr(getattr(model, "config", None), "_attn_implementation", None)
    if way != NAME:
        raise ValueError(
            f"{type(model).__name__} uses the attention `{way}`, which has no votes: need "
            "attn_implementation='selective', or `with selective(model)` around this"
        )
    masks: dict[int, Tensor] = {}
    token = _recording.set((frozenset(id(module) for module in model.modules()), masks))
    try:
        yield masks
    finally:
        _recording.reset(token)

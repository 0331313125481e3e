"""Puts ThinK into a Hugging Face decoder for as long as a ``with`` block lasts.

The model's attention is asked for by name in its configuration; inside the block the name is
ours. Ours hands everything to the model's own attention until a ``ThinKLayer`` is compressed,
so a prompt is read exactly as without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .cache import ThinKCache, ThinKLayer
from .channels import ThinKConfig

MODELS = ("llama", "mistral", "qwen2", "qwen3", "phi3", "granite", "olmo2")
"""``model_type`` of the decoders whose attention is plain softmax over one key and value cache."""
WAYS = ("sdpa", "eager")
"""Attention implementations whose masks we can read."""
PREFIX = "think-"


@contextmanager
def think(
    model: Any, config: ThinKConfig | None = None, *, cache: ThinKCache | None = None, **settings: Any
) -> Iterator[ThinKCache]:
    """Let a model prune its key cache inside a ``with`` block.

    The first forward pass with the cache is the prompt and must be whole; after it the
    cache is pruned, layer by layer. One cache is one conversation; ``cache.reset()`` begins
    another. On leaving, also by an exception, the model is as it was.

    Args:
        model: A decoder of ``transformers`` of one of ``MODELS``.
        config: What is pruned; or give its fields as keywords.
        cache: One of an earlier block, to go on with.
        **settings: Fields of ``ThinKConfig``, if no `config` is given.

    Yields:
        The cache, to be given to ``model(..., cache=cache)`` or ``model.generate``.

    Raises:
        TypeError: if both `config` and keywords are given, or `model` is no such model.
        ValueError: if the model's attention or cache is not supported, before anything is changed.
    """
    if settings and (config is not None or cache is not None):
        raise TypeError("give a ThinKConfig or its fields as keywords, not both")
    if cache is not None and config is not None and config != cache.config:
        raise TypeError("the cache has a configuration already; give one or the other")
    if cache is None:
        cache = ThinKCache(config or ThinKConfig(**settings))
    elif cache.inside:
        raise ValueError("this cache is in use by another `with think(...)`")
    way = check_model(model)
    ours = PREFIX + way
    ALL_ATTENTION_FUNCTIONS.register(ours, _attention(way))
    ALL_MASK_ATTENTION_FUNCTIONS.register(ours, ALL_MASK_ATTENTION_FUNCTIONS[way])
    try:
        model.config._attn_implementation = ours
        cache.inside = True
        yield cache
    finally:
        cache.inside = False
        model.config._attn_implementation = way


def check_model(model: Any) -> str:
    """The attention implementation of a model that is supported.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"think needs a decoder of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    if kind not in MODELS:
        raise ValueError(f"{name} is not supported: need one of {', '.join(MODELS)}")
    way = str(getattr(settings, "_attn_implementation", None))
    if way.startswith(PREFIX):
        raise ValueError(f"{name} is inside `with think(...)` already: one at a time")
    if way not in WAYS:
        raise ValueError(
            f"{name} uses the attention `{way}`, whose mask cannot be read: load it with "
            "attn_implementation='sdpa' or 'eager'"
        )
    types = set(getattr(settings, "layer_types", None) or ())
    window = getattr(settings, "sliding_window", None)
    if types - {"full_attention"} or (not types and window is not None and _slides(settings)):
        raise ValueError(
            f"{name} has sliding-window layers, which forget keys themselves; need full attention "
            "in every layer (sliding_window=None)"
        )
    if model.training:
        raise ValueError(f"{name} is in training mode: a cache is for inference, call model.eval()")
    return way


def _slides(settings: Any) -> bool:
    return bool(getattr(settings, "use_sliding_window", True))


def _attention(way: str) -> Callable[..., tuple[Tensor, Tensor | None]]:
    def think_attention(
        module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
        scaling: float | None = None, **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The model's own attention, or ours over a layer that is compressed."""
        layer: ThinKLayer | None = getattr(key, "think_layer", None)
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        if layer is not None and layer.compressed:
            return layer.attend(query, attention_mask, scale), None
        own = (
            sys.modules[type(module).__module__].eager_attention_forward
            if way == "eager"
            else ALL_ATTENTION_FUNCTIONS[way]
        )
        output: tuple[Tensor, Tensor | None] = own(
            module, query, key, value, attention_mask, scaling=scale, **kwargs
        )
        if layer is not None and not layer.settled:
            layer.compress(query, scaling=scale, valid=_valid(attention_mask, query.shape[0]))
        return output

    return think_attention


def _valid(mask: Tensor | None, batch: int) -> Tensor | None:
    """(B, S), False at padding: what the last token of the prompt may see."""
    if mask is None:
        return None
    last = mask[:, 0, -1]
    valid = last if last.dtype == torch.bool else last > torch.finfo(last.dtype).min / 2
    return valid.expand(batch, -1)

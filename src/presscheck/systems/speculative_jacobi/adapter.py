"""A causal language model of Hugging Face's as a step over a cache that is cropped, and as ``generate``.

After each pass the keys and values of drafts that were refused are cut off, so the cache holds accepted
tokens only. Classifier-free guidance runs the conditional and the unconditional prompt as two rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.generation import logits_process as processors

FREE = tuple(
    getattr(processors, name)
    for name in (
        "TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper", "MinPLogitsWarper",
        "TypicalLogitsWarper", "EpsilonLogitsWarper", "EtaLogitsWarper", "SuppressTokensLogitsProcessor",
        "InfNanRemoveLogitsProcessor", "LogitNormalization",
    )
)  # fmt: skip
"""Processors that look at one row of scores and nothing before it: all rows of a window at once."""
REFUSED = ("UnbatchedClassifierFreeGuidanceLogitsProcessor", "SynthIDTextWatermarkLogitsProcessor")
"""Processors that remember their last call, which here may have been about drafts that were refused."""


class CausalLMStep:
    """A model with its cache; see ``from_causal_lm``."""

    def __init__(
        self, model: Any, cfg_scale: float | None, unconditional: Tensor | None, logits_processor: Any
    ) -> None:
        self.model, self.cfg_scale = model, cfg_scale
        self.unconditional, self.processors = unconditional, list(logits_processor or [])
        self.cache = DynamicCache(config=_text_config(model))
        self.tokens = torch.zeros(0, dtype=torch.long)
        self.padding: Tensor | None = None

    @property
    def vocab_size(self) -> int:
        """V."""
        return int(_text_config(self.model).vocab_size)

    @torch.no_grad()
    def __call__(self, tokens: Tensor, past: int) -> Tensor:
        """(m, V) logits of what follows (m,) tokens; after a prompt, (1, V) of what follows its last.

        Raises:
            ValueError: if a token is outside of the vocabulary, or `past` beyond what was given.
        """
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocab_size:
            raise ValueError(f"tokens must lie in 0 to {self.vocab_size - 1}, the model's vocabulary")
        if past > len(self.tokens):
            raise ValueError(f"the model was given {len(self.tokens)} tokens, cannot go on after {past}")
        if past == 0:
            logits = self._read(tokens)
        else:
            surplus = len(self.tokens) - past
            if surplus:
                self.cache.crop(-surplus)
            logits = self._forward(tokens.expand(self._rows, -1), keep=len(tokens))
        self.tokens = torch.cat([self.tokens.to(tokens.device)[:past], tokens])
        logits = logits.float()
        if self.cfg_scale is not None:
            conditional, unconditional = logits
            logits = self.cfg_scale * (conditional - unconditional) + unconditional
        else:
            logits = logits[0]
        return self._processed(logits)

    @property
    def _rows(self) -> int:
        return 1 if self.cfg_scale is None else 2

    def _read(self, prompt: Tensor) -> Tensor:
        """A new sequence: shorter prompts are padded on the left, as rows share the cache's columns."""
        self.cache = DynamicCache(config=_text_config(self.model))
        self.padding, rows = None, prompt[None]
        if self.unconditional is not None:
            other = self.unconditional.to(prompt.device)
            length = max(len(prompt), len(other))
            rows = torch.stack([torch.cat([r.new_zeros(length - len(r)), r]) for r in (prompt, other)])
            padding = torch.tensor([length - len(prompt), length - len(other)], device=prompt.device)
            self.padding = padding.to(self.model.device) if len(prompt) != len(other) else None
        return self._forward(rows, keep=1)

    def _forward(self, rows: Tensor, keep: int) -> Tensor:
        rows, more = rows.to(self.model.device), {}
        if self.padding is not None:
            before = self.cache.get_seq_length()
            columns = torch.arange(before + rows.shape[1], device=rows.device)
            places = columns - self.padding[:, None]
            more["attention_mask"] = (places >= 0).long()
            more["position_ids"] = places[:, before:].clamp(min=0)
        output = self.model(rows, cache=self.cache, use_cache=True, logits_to_keep=keep, **more)
        logits: Tensor = output.logits[:, -keep:]
        return logits

    def _processed(self, logits: Tensor) -> Tensor:
        """Each row under the tokens before it, drafts among them, as if they had come one by one."""
        given = self.tokens.to(logits.device)
        for one in self.processors:
            if isinstance(one, FREE):
                logits = one(given[None], logits)
            else:
                first = len(given) - len(logits) + 1
                rows = [one(given[None, : first + i], row[None]) for i, row in enumerate(logits)]
                logits = torch.cat(rows)
        return logits


def from_causal_lm(
    model: Any,
    *,
    cfg_scale: float | None = None,
    unconditional: Tensor | Sequence[int] | None = None,
    logits_processor: Any = None,
) -> CausalLMStep:
    """A step for ``SpeculativeJacobiSampler`` from a decoder of ``transformers``; the model is not changed.

    Args:
        model: With a language-modelling head, in evaluation mode.
        cfg_scale: Strength s of guidance: logits are s * (conditional - unconditional) + unconditional.
        unconditional: (u,) the prompt without its condition; needed with `cfg_scale`.
        logits_processor: Processors of ``transformers``, applied after guidance, to every row with the
            tokens before it.

    Raises:
        TypeError: if `model` is no model of ``transformers``.
        ValueError: naming the model and what does not fit, before anything is done.
    """
    check_model(model)
    if (cfg_scale is None) != (unconditional is None):
        raise ValueError("guidance needs both cfg_scale and the unconditional prompt, or neither")
    other = None if unconditional is None else torch.as_tensor(unconditional, dtype=torch.long)
    if other is not None and (other.dim() != 1 or len(other) == 0):
        raise ValueError(f"the unconditional prompt must be (u,), u at least 1, got {tuple(other.shape)}")
    for one in logits_processor or []:
        if type(one).__name__ in REFUSED:
            raise ValueError(f"{type(one).__name__} remembers its last call and cannot be asked about drafts")
    return CausalLMStep(model, cfg_scale, other, logits_processor)


def check_model(model: Any) -> None:
    """Refuse what cannot be cropped.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"need a causal language model of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    if getattr(settings, "is_encoder_decoder", False):
        raise ValueError(f"{name} has an encoder: need a decoder alone")
    if not hasattr(model, "lm_head") and model.get_output_embeddings() is None:
        raise ValueError(f"{name} has no head over the vocabulary: load it as a model for causal language")
    takes = inspect.signature(model.forward).parameters
    if getattr(model, "_is_stateful", False) or not {"cache", "logits_to_keep"} <= takes.keys():
        raise ValueError(f"{name} keeps no cache of keys and values whose last tokens can be cut off")
    for index, layer in enumerate(DynamicCache(config=_text_config(model)).layers):
        if getattr(layer, "is_sliding", False):
            raise ValueError(
                f"{name} has sliding-window attention in layer {index}: what has slid out cannot be put "
                "back after a refusal; need full attention in every layer (sliding_window=None)"
            )
        if not layer.is_croppable:
            raise ValueError(f"{name} has a layer {index} ({type(layer).__name__}) that cannot be cropped")
    if model.training:
        raise ValueError(f"{name} is in training mode: dropout would make verdicts random, call model.eval()")


def _text_config(model: Any) -> Any:
    return model.config.get_text_config(decoder=True)

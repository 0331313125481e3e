"""A causal language model that reads a context through gists.

Reference: Deng et al., arXiv 2412.17483, section 2. The three architectures there: coarse-grained
recurrent, coarse-grained KV, fine-grained KV. The wrapped model keeps its vocabulary: the gist is one
embedding of the wrapper's. Shapes: B batch, T raw tokens, N tokens with gists, V vocabulary, E channels,
M gists remembered.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .autoencoding import WeakDecoder
from .cache import GistCache
from .config import GistConfig
from .layout import IGNORED, additive, gist_attention_mask, layout

MODELS = ("llama", "mistral", "qwen2", "qwen3", "phi3", "olmo2")
"""``model_type`` of the decoders whose attention is softmax over all that they are given."""
WAYS = ("sdpa", "eager")
"""Attention implementations that take a mask of our making."""
FILES = ("gist_config.json", "gist.safetensors")


@dataclass(frozen=True)
class GistOutput:
    """What a forward pass gives."""

    logits: Tensor
    """(B, T, V): at each raw token, of the next raw token."""
    gists: Tensor
    """(B, M, E): last hidden states of the gists of all intervals that are complete."""
    loss: Tensor | None = None
    """What to train on: ``lm_loss`` plus the weighted ``ae_loss``."""
    lm_loss: Tensor | None = None
    ae_loss: Tensor | None = None


def check_model(model: Any) -> None:
    """Whether gists can be put into a model.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, nn.Module):
        raise TypeError(f"GistCausalLM needs a decoder of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    if kind not in MODELS:
        raise ValueError(f"{name} is not supported: need one of {', '.join(MODELS)}")
    if not hasattr(model, "get_decoder") or model.get_output_embeddings() is None:
        raise ValueError(
            f"{name} has no head that gives logits: need a causal language model, not its body alone"
        )
    way = str(getattr(settings, "_attn_implementation", None))
    if way not in WAYS:
        raise ValueError(
            f"{name} uses the attention `{way}`, which takes no mask of ours: load it with "
            "attn_implementation='sdpa' or 'eager'"
        )
    types = set(getattr(settings, "layer_types", None) or ())
    window = getattr(settings, "sliding_window", None)
    slides = window is not None and bool(getattr(settings, "use_sliding_window", True))
    if types - {"full_attention"} or (not types and slides):
        raise ValueError(
            f"{name} has sliding-window layers, which forget gists; need full attention in every layer "
            "(sliding_window=None)"
        )


class GistCausalLM(nn.Module):
    """A decoder of ``transformers`` with gists.

    In training a whole sequence is read at once (KV memory, by one mask) or segment by segment with
    gradients through the memory (recurrent). ``read`` and ``generate`` keep a ``GistCache``.

    Args:
        model: A causal language model of one of ``MODELS``. It is not changed, until it is trained.
        config: How the context is compressed.

    Raises:
        TypeError: if `model` is no model of ``transformers``.
        ValueError: if its attention does not fit, or the token of ``gist_init`` does not exist.
    """

    def __init__(self, model: Any, config: GistConfig) -> None:
        super().__init__()
        check_model(model)
        self.model, self.config = model, config
        self.gist = nn.Parameter(_first_gist(model.get_input_embeddings().weight.detach(), config.gist_init))
        self.decoder: WeakDecoder | None = None
        if config.ae_weight:
            E = self.gist.shape[0]
            self.decoder = WeakDecoder(E, config.ratio).to(self.gist.device, self.gist.dtype)

    def forward(
        self, input_ids: Tensor, labels: Tensor | None = None, weights: Tensor | None = None
    ) -> GistOutput:
        """Read sequences, each from its first token.

        Args:
            input_ids: (B, T) raw tokens, without padding.
            labels: (B, T) tokens to be predicted, not shifted, ``IGNORED`` where not: the place
                before a token predicts it. None for no loss.
            weights: (B, T) of the tokens' losses, as from ``token_importance``; None for 1.

        Raises:
            ValueError: if shapes do not fit.
        """
        if input_ids.dim() != 2 or input_ids.shape[1] == 0:
            raise ValueError(f"input_ids must be (batch, tokens) with a token, got {tuple(input_ids.shape)}")
        recurrent = self.config.memory == "recurrent"
        hidden, gists = self._by_segments(input_ids) if recurrent else self._at_once(input_ids)
        logits = self.model.get_output_embeddings()(hidden)
        if labels is None:
            return GistOutput(logits, gists)
        lm_loss = next_token_loss(logits, labels, weights)
        if self.decoder is None:
            return GistOutput(logits, gists, lm_loss, lm_loss)
        ae_loss = self.decoder.loss(gists, input_ids, self.model)
        return GistOutput(logits, gists, lm_loss + self.config.ae_weight * ae_loss, lm_loss, ae_loss)

    def _embed(self, ids: Tensor, source: Tensor) -> Tensor:
        """(B, N, E): raw tokens and gists as ``Layout.source`` orders them."""
        raw = self.model.get_input_embeddings()(ids)
        gist = self.gist.to(raw.dtype).expand(len(ids), 1, -1)
        return torch.cat([raw, gist], dim=1)[:, source]

    def _at_once(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        place = layout(0, ids.shape[1], self.config, ids.device)
        embeds = self._embed(ids, place.source)
        mask = additive(gist_attention_mask(place.is_gist, place.segment_id), embeds.dtype)
        hidden = self._body(embeds, mask, place.position)
        return hidden[:, ~place.is_gist], hidden[:, place.is_gist]

    def _by_segments(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        outputs: list[Tensor] = []
        memory: list[Tensor] = []
        for start in range(0, ids.shape[1], self.config.segment_len):
            piece = ids[:, start : start + self.config.segment_len]
            # A layout that begins at 0: places count from the front of memory, not of the text.
            place = layout(0, piece.shape[1], self.config, ids.device)
            embeds = torch.cat([*memory, self._embed(piece, place.source)], dim=1)
            hidden = self._body(embeds, None, torch.arange(embeds.shape[1], device=ids.device))
            hidden = hidden[:, embeds.shape[1] - len(place.is_gist) :]
            outputs.append(hidden[:, ~place.is_gist])
            memory.append(hidden[:, place.is_gist])
        return torch.cat(outputs, dim=1), torch.cat(memory, dim=1)

    def _body(self, embeds: Tensor, mask: Tensor | None, position: Tensor, cache: Any = None) -> Tensor:
        body = self.model.get_decoder()
        output = body(
            inputs_embeds=embeds, attention_mask=mask, position_ids=position[None], cache=cache,
            use_cache=cache is not None,
        )  # fmt: skip
        hidden: Tensor = output.last_hidden_state
        return hidden

    # Inference ------------------------------------------------------------------------

    def new_cache(self) -> GistCache:
        """An empty cache for ``read`` or ``generate``: one conversation."""
        return GistCache(self.config)

    @torch.no_grad()
    def read(self, ids: Tensor, cache: GistCache) -> Tensor:
        """Read on, segment by segment, forgetting raw tokens at the end of each.

        Args:
            ids: (B, Q) raw tokens that follow those already read.
            cache: From ``new_cache``.

        Returns:
            (B, Q, V) logits, those of ``forward`` on the whole text at these tokens.

        Raises:
            ValueError: if the cache is of another configuration, or there is no token.
        """
        if cache.gist_config != self.config:
            raise ValueError("the cache was made for another GistConfig: use `new_cache()` of this model")
        if ids.dim() != 2 or ids.shape[1] == 0:
            raise ValueError(f"ids must be (batch, tokens) with at least one token, got {tuple(ids.shape)}")
        found = []
        with _reading(cache):
            while ids.shape[1]:
                taken = min(ids.shape[1], cache.room)
                found.append(self._read_in_segment(ids[:, :taken], cache))
                ids = ids[:, taken:]
        return torch.cat(found, dim=1)

    def _read_in_segment(self, ids: Tensor, cache: GistCache) -> Tensor:
        start = cache.raw_seen
        if self.config.memory == "recurrent":
            start %= self.config.segment_len
        place = layout(start, start + ids.shape[1], self.config, ids.device)
        embeds, is_gist, position = self._embed(ids, place.source), place.is_gist, place.position
        remembered = 0
        if cache.memory is not None:
            remembered = cache.memory.shape[1]
            position = position + remembered
            if start == 0:  # a segment begins: the memory is read in front of it
                embeds = torch.cat([cache.memory, embeds], dim=1)
                position = torch.arange(embeds.shape[1], device=ids.device)
                is_gist = torch.cat([is_gist.new_ones(remembered), is_gist])
        old, new = cache.tokens, embeds.shape[1]
        allowed = torch.ones(new, old + new, dtype=torch.bool, device=ids.device).tril(old)
        hidden = self._body(embeds, additive(allowed, embeds.dtype), position, cache)
        hidden = hidden[:, new - len(place.is_gist) :]
        cache.note(is_gist, ids.shape[1])
        if cache.room == self.config.segment_len:
            cache.end_segment(hidden[:, place.is_gist] if self.config.memory == "recurrent" else None)
        logits: Tensor = self.model.get_output_embeddings()(hidden[:, ~place.is_gist])
        return logits

    @torch.no_grad()
    def generate(
        self, input_ids: Tensor, *, max_new_tokens: int, cache: GistCache | None = None,
        temperature: float = 0.0, generator: torch.Generator | None = None, eos_token_id: int | None = None,
    ) -> Tensor:  # fmt: skip
        """Go on with a text, keeping the compressed context only.

        Args:
            input_ids: (B, T) of the prompt, or what follows what `cache` has read.
            max_new_tokens: At most so many.
            cache: To go on with, or to look at afterwards; a new one if None.
            temperature: 0 for the likeliest token each time.
            generator: For drawing, at a temperature above 0.
            eos_token_id: Rows that have said it go on with it; generation ends when all have.

        Returns:
            (B, T + new).

        Raises:
            ValueError: if a setting is out of range.

        Warns:
            UserWarning: if the prompt is shorter than a segment: nothing of it is compressed.
        """
        if max_new_tokens < 1 or not temperature >= 0:
            raise ValueError(
                f"need max_new_tokens of at least 1 and a temperature of at least 0, got {max_new_tokens} "
                f"and {temperature}"
            )
        cache = self.new_cache() if cache is None else cache
        if cache.raw_seen + input_ids.shape[1] < self.config.segment_len:
            warnings.warn(
                f"a prompt of {cache.raw_seen + input_ids.shape[1]} tokens is not compressed: it is shorter "
                f"than a segment of {self.config.segment_len}",
                stacklevel=2,
            )
        logits = self.read(input_ids, cache)[:, -1]
        done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for step in range(max_new_tokens):
            if temperature:
                chance = (logits.float() / temperature).softmax(-1)
                token = torch.multinomial(chance, 1, generator=generator)
            else:
                token = logits.argmax(-1, keepdim=True)
            if eos_token_id is not None:
                token = torch.where(done[:, None], eos_token_id, token)
                done |= token[:, 0] == eos_token_id
            input_ids = torch.cat([input_ids, token], dim=1)
            if done.all() or step + 1 == max_new_tokens:
                break
            logits = self.read(token, cache)[:, -1]
        return input_ids

    # On disk --------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write the model as ``save_pretrained`` does, and gist, decoder and settings beside it."""
        from safetensors.torch import save_file

        folder = Path(folder)
        self.model.save_pretrained(folder)
        own = {name: value.contiguous() for name, value in self.state_dict().items() if _ours(name)}
        save_file(own, folder / FILES[1])
        (folder / FILES[0]).write_text(json.dumps(asdict(self.config), indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> GistCausalLM:
        """Read what ``save`` wrote.

        Args:
            folder: Of the model.
            options: Handed to ``AutoModelForCausalLM.from_pretrained``, such as ``dtype``.

        Raises:
            FileNotFoundError: if the folder holds no gist model.
        """
        from safetensors.torch import load_file
        from transformers import AutoModelForCausalLM

        folder = Path(folder)
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} holds no {missing[0]}: need a folder that GistCausalLM.save wrote"
            )
        config = GistConfig(**json.loads((folder / FILES[0]).read_text("utf-8")))
        found = cls(AutoModelForCausalLM.from_pretrained(folder, **options), config)
        found.load_state_dict(load_file(folder / FILES[1]), strict=False)
        return found.eval()


def next_token_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of raw tokens, each predicted at the place before it.

    Args:
        logits: (B, T, V).
        labels: (B, T), not shifted, ``IGNORED`` where there is no loss.
        weights: (B, T) or None.

    Raises:
        ValueError: if shapes do not fit.
    """
    if labels.shape != logits.shape[:2] or (weights is not None and weights.shape != labels.shape):
        shape = None if weights is None else tuple(weights.shape)
        raise ValueError(
            f"labels {tuple(labels.shape)} and weights {shape} must have one entry for each of the "
            f"{tuple(logits.shape[:2])} tokens"
        )
    target = labels[:, 1:].flatten()
    loss = nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), target, ignore_index=IGNORED, reduction="none"
    )
    if weights is not None:
        loss = loss * weights[:, 1:].flatten()
    return loss.sum() / (target != IGNORED).sum().clamp(min=1)


def _first_gist(embeddings: Tensor, init: str | int) -> Tensor:
    if isinstance(init, int):
        if init >= len(embeddings):
            raise ValueError(f"gist_init is token {init}, the model has {len(embeddings)} tokens")
        return embeddings[init].clone()
    mean = embeddings.float().mean(0)
    if init == "random":
        mean = mean + torch.randn_like(mean) * embeddings.float().std(0)
    return mean.to(embeddings.dtype)


def _ours(name: str) -> bool:
    return not name.startswith("model.")


@contextmanager
def _reading(cache: GistCache) -> Iterator[None]:
    cache.reading = True
    try:
        yield
    finally:
        cache.reading = False

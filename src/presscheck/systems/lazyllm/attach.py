"""Puts LazyLLM into a Hugging Face decoder for as long as a ``with`` block lasts.

Inside the block the decoder's forward is ours, which hands every call without a ``LazyCache`` on
to the model's own. Layers, attention, embedding and norm are the model's modules; what differs is
which tokens they are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .schedule import PruneSchedule
from .state import LazyCache, token_importance

MODELS = ("llama", "mistral", "qwen2", "qwen3")
"""``model_type`` of decoders that are an embedding, rotary positions, equal layers and a norm."""
WAYS = ("sdpa", "eager")
ROPES = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose angles do not change as the text grows."""
OURS = "lazyllm"


@contextmanager
def lazyllm(
    model: Any,
    schedule: PruneSchedule | None = None,
    *,
    cache: LazyCache | None = None,
    budget: float | None = None,
    **settings: Any,
) -> Iterator[LazyCache]:
    """Let a model prune tokens layer by layer inside a ``with`` block.

    The first forward pass with the cache is the prompt; logits come for its last token alone,
    since others may not reach the last layer. One cache is one conversation. On leaving, also
    by an exception, the model is as it was.

    Args:
        model: A causal language model of ``transformers`` of one of ``MODELS``.
        schedule: Who is left out where; or give its fields as keywords.
        cache: One of an earlier block, to go on with.
        budget: The share of a prompt's (token, layer) pairs to compute, instead of the field
            ``keep``: ``PruneSchedule.for_budget`` for this model's depth.
        **settings: Fields of ``PruneSchedule``, if no `schedule` is given.

    Yields:
        The cache, to be given to ``model(..., cache=cache)`` or ``model.generate``.

    Raises:
        TypeError: if more than one of them is given, or none, or `model` is no such model.
        ValueError: if the model is not supported, before anything is changed.
    """
    if sum((bool(settings) or budget is not None, schedule is not None, cache is not None)) != 1:
        raise TypeError(
            "give a PruneSchedule, its fields or a budget as keywords, or a cache: one of the three"
        )
    if budget is not None and "keep" in settings:
        raise TypeError("give `keep` or a `budget`: a budget makes the schedule that `keep` would be")
    decoder = check_model(model)
    depth = int(model.config.num_hidden_layers)
    if cache is None:
        if budget is not None:
            schedule = PruneSchedule.for_budget(budget, depth, **settings)
        cache = LazyCache(schedule or PruneSchedule(**settings), depth)
    elif cache.inside:
        raise ValueError("this cache is in use by another `with lazyllm(...)`")
    if cache.depth != depth:
        raise ValueError(f"the cache is of a model with {cache.depth} layers, this one has {depth}")
    deepest = cache.schedule.deepest
    if deepest >= depth:
        raise ValueError(f"keep names layer {deepest}: {type(model).__name__} has layers 0 to {depth - 1}")
    own = decoder.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        """Ours for the cache of this block, else the model's own."""
        given = args[3] if len(args) > 3 else kwargs.get("cache")
        if isinstance(given, LazyCache):
            if given is not cache:
                raise ValueError("this cache is not of the `with lazyllm(...)` that the model is in")
            return _forward(decoder, *args, **kwargs)
        return own(*args, **kwargs)

    before = vars(decoder).get("forward")
    ALL_ATTENTION_FUNCTIONS.register(OURS, _attention)
    try:
        cache.inside = True
        decoder.forward = forward
        yield cache
    finally:
        cache.inside = False
        del decoder.forward
        if before is not None:
            decoder.forward = before


def check_model(model: Any) -> Any:
    """The decoder inside a model that is supported.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"lazyllm needs a decoder of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    decoder = getattr(model, "model", None)
    if kind not in MODELS or not hasattr(decoder, "layers") or not hasattr(model, "lm_head"):
        raise ValueError(f"{name} is not supported: need a causal language model of {', '.join(MODELS)}")
    if getattr(vars(decoder).get("forward"), "__module__", None) == __name__:
        raise ValueError(f"{name} is inside `with lazyllm(...)` already: one at a time")
    way = str(getattr(settings, "_attn_implementation", None))
    if way not in WAYS:
        raise ValueError(
            f"{name} uses the attention `{way}`, which cannot be replaced by ours: load it with "
            "attn_implementation='sdpa' or 'eager'"
        )
    types = set(getattr(settings, "layer_types", None) or ())
    slides = getattr(settings, "sliding_window", None) is not None and getattr(
        settings, "use_sliding_window", True
    )
    if types - {"full_attention"} or (not types and slides):
        raise ValueError(
            f"{name} has sliding-window layers, whose windows count tokens that are not there; need full "
            "attention in every layer (sliding_window=None)"
        )
    rope = (getattr(settings, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope not in ROPES:
        raise ValueError(f"{name} has rotary positions of the type `{rope}`: need one of {', '.join(ROPES)}")
    if model.training:
        raise ValueError(f"{name} is in training mode: a cache is for inference, call model.eval()")
    return decoder


def _forward(
    decoder: Any,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    position_ids: Tensor | None = None,
    cache: Any = None,
    inputs_embeds: Tensor | None = None,
    use_cache: bool | None = None,
    **kwargs: Any,
) -> BaseModelOutputWithPast:
    """The decoder over one sequence: the prompt at once, later tokens one by one.

    Returns:
        Hidden states (1, 1, E) of the last token of a prompt, or (1, n, E) of n later tokens.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give exactly one of input_ids and inputs_embeds")
    if inputs_embeds is None:
        inputs_embeds = decoder.embed_tokens(input_ids)
    if inputs_embeds.dim() != 3 or inputs_embeds.shape[0] != 1 or inputs_embeds.shape[1] == 0:
        shape = tuple(inputs_embeds.shape[:-1])
        raise ValueError(
            f"got tokens of the shape {shape}: need one sequence, (1, tokens), of at least one token, since "
            "each sequence of a batch would keep tokens of its own"
        )
    tokens = inputs_embeds.shape[1]
    if attention_mask is not None and (attention_mask.dim() != 2 or not bool(attention_mask.bool().all())):
        raise ValueError("the attention mask hides tokens: need one sequence without padding")
    expected = torch.arange(cache.seen, cache.seen + tokens, device=inputs_embeds.device)
    if position_ids is not None and not torch.equal(position_ids.view(-1), expected):
        raise ValueError(f"position_ids must count on from the {cache.seen} tokens seen")
    for name in ("output_attentions", "output_hidden_states"):
        if kwargs.get(name) or getattr(decoder.config, name, False):
            raise ValueError(f"{name} is not supported: layers differ in how many tokens they read")
    if cache.broken:
        raise ValueError("an earlier pass over this cache was broken off half-way: call cache.reset()")
    way = decoder.config._attn_implementation
    cache.broken = cache.running = True
    try:
        decoder.config._attn_implementation = OURS
        pieces = [inputs_embeds] if cache.seen == 0 else inputs_embeds.split(1, dim=1)
        last = torch.cat([_step(decoder, cache, piece) for piece in pieces], dim=1)
    finally:
        cache.running = False
        decoder.config._attn_implementation = way
    cache.broken = False
    return BaseModelOutputWithPast(last_hidden_state=decoder.norm(last), cache=cache)


def _step(decoder: Any, cache: LazyCache, hidden: Tensor) -> Tensor:
    """All layers over new tokens (1, n, E), section 3.3; gives the last layer's (1, 1, E) of the last.

    Every layer computes the tokens that it reads and has no keys of: those that the layer before
    computed in this step, and those whose output of it is parked. Since layers read ever fewer,
    one of the two is always the case, and no pair of token and layer is computed twice.
    """
    start, device = cache.seen, hidden.device
    cache.begin(hidden.shape[1])
    everything = torch.arange(cache.seen, device=device)
    cosines, sines = decoder.rotary_emb(hidden, position_ids=everything[None])
    cache.reads, cache.positions = everything, everything[start:]
    rotated, angles = None, (cosines, sines)
    for index, layer in enumerate(decoder.layers[: cache.depth]):
        if index and cache.schedule.prunes(index):
            hidden = _prune(cache, index, hidden)
        elif index:
            hidden = _revive(cache, index, hidden)
        positions = cache.positions
        if positions is not rotated:
            rotated, angles = positions, (cosines[:, positions], sines[:, positions])
        hidden = layer(
            hidden,
            attention_mask=_mask(positions, cache.reads),
            position_embeddings=angles,
            position_ids=positions[None],
            cache=cache,
            use_cache=True,
            lazy=cache if cache.schedule.prunes(index + 1) else None,
        )
    return hidden[:, -1:]


def _prune(cache: LazyCache, index: int, hidden: Tensor) -> Tensor:
    """Choose what layer `index` reads; park the others' outputs of the layer before; revive."""
    reads = cache.choose(index)
    stays = torch.isin(cache.positions, reads)
    if not bool(stays.all()):
        cache.lazy[index - 1].park(cache.positions[~stays], hidden[0, ~stays], cache.room)
        hidden, cache.positions = hidden[:, stays], cache.positions[stays]
    cache.reads = reads
    return _revive(cache, index, hidden)


def _revive(cache: LazyCache, index: int, hidden: Tensor) -> Tensor:
    """Add to the tokens on their way those that layer `index` reads and has never computed."""
    present = cache.lazy[index].present
    if cache.computed[index] + cache.positions.shape[0] == cache.computed[index - 1]:
        # A layer has computed no token that the one before has not, so with equal counts they
        # are the same tokens, and none waits between the two: nearly always, and in every prompt
        # before its first choice.
        return hidden
    if present.shape[0] == 0:  # the prompt: what is read is on its way
        return hidden
    reads = cache.reads[cache.reads < present.shape[0]]
    missing = reads[~present[reads]]
    back = missing[~torch.isin(missing, cache.positions)]
    if back.shape[0] == 0:
        return hidden
    cache.revived[-1] += back.shape[0]
    rows = torch.cat([hidden[0], cache.lazy[index - 1].fetch(back)])
    cache.positions, order = torch.cat([cache.positions, back]).sort()
    return rows[None, order]


def _mask(positions: Tensor, reads: Tensor) -> Tensor | None:
    """(1, 1, n, S), True where a token may look: not ahead of its own position.

    None where torch's causal flag says the same (all that is read is computed) or there is
    nothing to hide (one token, the newest).
    """
    if positions.shape[0] in (1, reads.shape[0]):
        return None
    return (reads[None] <= positions[:, None])[None, None]


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    scaling: float | None = None, lazy: LazyCache | None = None, **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The fused attention, and beside it the newest token's row where the next layer prunes by it."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if lazy is not None and lazy.schedule.choose == "attention":
        lazy.scores = token_importance(query[0, :, -1], key[0], scale)
    kwargs.pop("sliding_window", None)
    fused = ALL_ATTENTION_FUNCTIONS["sdpa"]
    output: tuple[Tensor, Tensor | None] = fused(
        module, query, key, value, attention_mask, scaling=scale, **kwargs
    )
    return output

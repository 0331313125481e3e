"""The cache that is really smaller: narrow keys, an unpruned tail, and attention over both.

Reference: Xu et al., arXiv 2407.21018, section 3. A layer behaves as ``DynamicLayer`` while
the prompt is read; ``compress`` then replaces its keys and values by what ThinK keeps.
Shapes: B batch, H query heads, G key-value heads (H = G * r), N old tokens, L tokens of the
tail, T key channels kept, Q new tokens, D channels of one head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from .channels import ThinKConfig, channel_scores, top_channels, value_scores
from .eviction import attention, h2o_scores, keep_tokens, snapkv_scores
from .kivi import Packed, pack

GROW = 64
"""Tokens by which the tail's room grows, so that a new token does not copy the tail."""


def take(states: Tensor, index: Tensor) -> Tensor:
    """Channels of states: (B, heads, n, D) at (B, heads, T) → (B, heads, n, T), a copy."""
    return states.gather(-1, index.long()[:, :, None].expand(-1, -1, states.shape[2], -1))


class ThinKLayer(DynamicLayer):
    """Keys and values of one layer.

    Before ``compress``: ``keys`` and ``values``, (B, G, S, D), as in ``DynamicLayer``.
    After it those two are None, and there are:

    - ``old_keys`` (B, G, N, T) and ``old_values`` (B, G, N, T'), or ``Packed``, keys transposed;
    - ``key_index`` (B, G, T) and ``value_index`` (B, G, T'), int16, None where nothing is pruned;
    - ``places`` (B, G, N), int32: where evicted tokens leave gaps, the place of each that stayed;
    - ``tail_keys`` and ``tail_values``, (B, G, room, D), of which ``length`` tokens are used.
    """

    def __init__(self, config: ThinKConfig | None = None) -> None:
        super().__init__()
        self.config = config or ThinKConfig()
        self._clear()

    def _clear(self) -> None:
        self.settled = False
        self.compressed = False
        self.seen = self.length = 0
        self.old_keys: Tensor | Packed | None = None
        self.old_values: Tensor | Packed | None = None
        self.key_index: Tensor | None = None
        self.value_index: Tensor | None = None
        self.places: Tensor | None = None
        self.tail_keys: Tensor | None = None
        self.tail_values: Tensor | None = None

    # What transformers asks of a layer ------------------------------------------------

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take in new tokens, (B, G, Q, D) each.

        Returns:
            All keys and values until compression; after it the new ones only, since
            ``attend`` reads the rest where it lies.
        """
        if not self.compressed:
            return super().update(key_states, value_states, *args, **kwargs)
        self._flush()
        new = key_states.shape[2]
        self.tail_keys = _append(self.tail_keys, self.length, key_states)
        self.tail_values = _append(self.tail_values, self.length, value_states)
        self.length += new
        self.seen += new
        return key_states, value_states

    def get_seq_length(self) -> int:
        """Tokens seen, evicted ones included: the place of the next token."""
        return self.seen if self.compressed else super().get_seq_length()

    def reset(self) -> None:
        """Forget everything; the next forward pass is a prompt again."""
        self._clear()
        self.keys = self.values = None
        self.is_initialized = False

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens; a negative number, as for ``DynamicLayer``.

        Raises:
            ValueError: beyond the tail: older tokens have lost channels for good.
        """
        if not self.compressed:
            return super().crop(tokens_to_remove)
        if tokens_to_remove > 0:
            raise ValueError(f"crop takes how many tokens go as a negative number, got {tokens_to_remove}")
        if -tokens_to_remove > self.length:
            raise ValueError(
                f"cannot crop {-tokens_to_remove} tokens: only the last {self.length} are kept whole, "
                "older ones are pruned for good"
            )
        self.length += tokens_to_remove
        self.seen += tokens_to_remove

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Put the rows of the batch in the order of beams: indices move with their keys."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows of the batch."""
        self._each(lambda tensor: tensor[indices.to(tensor.device)])

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row of the batch."""
        self._each(lambda tensor: tensor.repeat_interleave(repeats, dim=0))

    def offload(self) -> None:
        """Move everything to the CPU."""
        self._each(lambda tensor: tensor.to("cpu", non_blocking=True))

    def prefetch(self) -> None:
        """Move everything back."""
        if self.is_initialized:
            self._each(lambda tensor: tensor.to(self.device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> None:
        packed = [old for old in (self.old_keys, self.old_values) if isinstance(old, Packed)]
        for holder in (self, *packed):
            # A list of names would forget the next tensor that is added: all go along.
            for name, tensor in list(vars(holder).items()):
                if isinstance(tensor, Tensor) and tensor.dim() > 1:
                    setattr(holder, name, change(tensor))

    def nbytes(self) -> int:
        """Bytes of the storage behind everything that is kept: indices, scales and spare room too."""
        found: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
            return tensor

        self._each(count)
        return sum(found.values())

    # ThinK ----------------------------------------------------------------------------

    def compress(self, queries: Tensor, *, scaling: float | None = None, valid: Tensor | None = None) -> None:
        """Evict tokens, prune channels and quantise, in this order, once.

        Args:
            queries: (B, H, S, D) of the prompt, after rotary embedding; (B, H, W, D) is enough
                unless tokens are evicted by H2O.
            scaling: Of attention logits; 1/sqrt(D) if None.
            valid: (B, S), False at padding; None for no padding.

        Warns:
            UserWarning: if the prompt is too short to be split; it then stays as it is.
        """
        config = self.config
        if self.settled or config.idle or self.keys is None:
            self.settled = True
            return
        self.settled = True
        keys, values = self.keys, self.values
        S, D = keys.shape[2:]
        if config.query_window + config.recent_window > S or config.tail >= S:
            warnings.warn(
                f"a prompt of {S} tokens is left unpruned: it is shorter than the windows of "
                f"{config.query_window} queries and {config.tail} recent tokens together",
                stacklevel=2,
            )
            return
        scaling = D**-0.5 if scaling is None else scaling
        W = config.query_window
        window = queries[:, :, -W:]
        real = None if valid is None else valid[:, -W:]
        places = self._evict(queries, window, keys, scaling, valid, real)
        at = torch.arange(S, device=keys.device)
        shown = None if valid is None else valid[:, None].expand(-1, keys.shape[1], -1)
        if places is not None:
            spread = places[..., None].expand(-1, -1, -1, D)
            keys = keys.gather(2, spread)
            values = values.gather(2, places[..., None].expand(-1, -1, -1, values.shape[-1]))
            shown = None if shown is None else shown.gather(2, places)
            at = places
        old = keys.shape[2] - config.tail
        if config.bits:
            old -= old % config.group
        if config.key_ratio:
            scores = channel_scores(
                window, keys, reduce=config.group_reduce, criterion=config.criterion,
                real=real, valid=shown, seed=config.seed,
            )  # fmt: skip
            self.key_index = top_channels(scores, config.key_ratio).to(torch.int16)
        if config.value_ratio:
            weights = attention(window, keys, scaling, S - W, at, shown)
            if real is not None:
                weights = weights * real[:, None, None, :, None]
            scores = value_scores(weights[..., :old], values[:, :, :old], reduce=config.group_reduce)
            self.value_index = top_channels(scores, config.value_ratio).to(torch.int16)
        # Copies, never views: a view would keep the whole prompt alive behind it.
        self.old_keys, self.old_values = self._thin(keys[:, :, :old], values[:, :, :old])
        self.tail_keys, self.tail_values = keys[:, :, old:].clone(), values[:, :, old:].clone()
        self.places = None if places is None else places[..., :old].to(torch.int32, copy=True)
        self.seen, self.length = S, keys.shape[2] - old
        self.compressed = True
        self.keys = self.values = None

    def _evict(
        self, queries: Tensor, window: Tensor, keys: Tensor, scaling: float, valid: Tensor | None,
        real: Tensor | None,
    ) -> Tensor | None:  # fmt: skip
        config = self.config
        if config.capacity is None or config.capacity >= keys.shape[2]:
            return None
        if config.eviction == "h2o":
            scores = h2o_scores(queries, keys, scaling, valid=valid, real=valid)
        else:
            scores = snapkv_scores(window, keys, scaling, kernel=config.kernel, valid=valid, real=real)
        return keep_tokens(scores, config.capacity, config.protected, valid)

    def _thin(self, keys: Tensor, values: Tensor) -> tuple[Tensor | Packed, Tensor | Packed]:
        """What is stored of tokens that have left the tail."""
        keys = keys.clone() if self.key_index is None else take(keys, self.key_index)
        values = values.clone() if self.value_index is None else take(values, self.value_index)
        if not self.config.bits:
            return keys, values
        group = self.config.group
        channels = values.shape[-1]
        across = group if channels % group == 0 else channels
        # KIVI: keys share a scale along the tokens of a channel, values along the channels of a token.
        return pack(keys.mT.contiguous(), group), pack(values, across)

    def _flush(self) -> None:
        """Quantise the oldest groups of a tail that has outgrown the residual."""
        config = self.config
        ready = (self.length - config.tail) // config.group * config.group if config.bits else 0
        if ready <= 0:
            return
        assert self.tail_keys is not None and self.tail_values is not None
        assert isinstance(self.old_keys, Packed) and isinstance(self.old_values, Packed)
        keys, values = self._thin(self.tail_keys[:, :, :ready], self.tail_values[:, :, :ready])
        assert isinstance(keys, Packed) and isinstance(values, Packed)
        self.old_keys.append(keys)
        for name in ("codes", "scale", "zero"):  # values are packed along channels: tokens are axis 2
            both = [getattr(self.old_values, name), getattr(values, name)]
            setattr(self.old_values, name, torch.cat(both, dim=2))
        if self.places is not None:
            first = self.seen - self.length
            more = torch.arange(first, first + ready, dtype=torch.int32, device=self.places.device)
            self.places = torch.cat([self.places, more.expand(*self.places.shape[:2], -1)], dim=-1)
        self.tail_keys = self.tail_keys[:, :, ready : self.length].clone()
        self.tail_values = self.tail_values[:, :, ready : self.length].clone()
        self.length -= ready

    def attend(self, query: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        """Attention of the newest tokens over all that is kept.

        Logits of old tokens use the kept channels only; the divisor stays that of all D
        channels, since the logits approximate the unpruned ones (section 3.1).

        Args:
            query: (B, H, Q, D) of the last Q tokens that ``update`` took in.
            mask: None, or (B, 1, Q, tokens seen): True or 0 where a key may be seen.
            scaling: 1/sqrt(D).

        Returns:
            (B, Q, H, D').
        """
        assert self.tail_keys is not None and self.tail_values is not None
        assert self.old_keys is not None and self.old_values is not None
        B, H, Q, D = query.shape
        G = self.tail_keys.shape[1]
        grouped = query.reshape(B, G, H // G * Q, D)
        narrow = grouped if self.key_index is None else take(grouped, self.key_index)
        old_keys = self.old_keys.expand() if isinstance(self.old_keys, Packed) else self.old_keys.mT
        tail_keys, tail_values = self.tail_keys[:, :, : self.length], self.tail_values[:, :, : self.length]
        logits = torch.cat([narrow @ old_keys, grouped @ tail_keys.mT], dim=-1) * scaling
        allowed = self._allowed(mask, Q, old_keys.shape[-1], query.device)
        if allowed is not None:
            by_head = logits.view(B, G, H // G, Q, -1)
            logits = by_head.masked_fill(~allowed[:, :, None], torch.finfo(logits.dtype).min).view_as(logits)
        weights = logits.softmax(-1, dtype=torch.float32).to(query.dtype)
        old_values = self.old_values.expand() if isinstance(self.old_values, Packed) else self.old_values
        old = weights[..., : old_keys.shape[-1]] @ old_values
        output = weights[..., old_keys.shape[-1] :] @ tail_values
        if self.value_index is None:
            output = output + old
        else:
            index = self.value_index.long()[:, :, None].expand(-1, -1, output.shape[2], -1)
            output = output.scatter_add(-1, index, old)
        return output.view(B, H, Q, -1).transpose(1, 2).contiguous()

    def _allowed(self, mask: Tensor | None, Q: int, old: int, device: torch.device) -> Tensor | None:
        """Which stored key each new token may see: (B or 1, G or 1, Q, N + L), or None for all."""
        tail = torch.arange(self.seen - self.length, self.seen, device=device)
        if mask is None:
            if Q == 1:
                return None
            now = torch.arange(self.seen - Q, self.seen, device=device)
            causal = tail <= now[:, None]
            return torch.cat([causal.new_ones(Q, old), causal], dim=-1)[None, None]
        allowed = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        if self.places is None:
            seen_old = allowed[..., :old]
        else:
            index = self.places.long()[:, :, None].expand(-1, -1, Q, -1)
            wide = allowed.expand(self.places.shape[0], self.places.shape[1], -1, -1)
            seen_old = wide.gather(-1, index)
        seen_tail = allowed[..., self.seen - self.length : self.seen]
        return torch.cat([seen_old, seen_tail.expand(*seen_old.shape[:3], -1)], dim=-1)


class ThinKCache(Cache):
    """A cache of ``ThinKLayer``; it prunes itself inside ``with think(model, config)``.

    Args:
        config: What is pruned.
    """

    def __init__(self, config: ThinKConfig | None = None) -> None:
        self.config = config or ThinKConfig()
        self.inside = False
        super().__init__(layers=[])

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """As ``Cache.update``.

        Raises:
            RuntimeError: for a pruned cache outside ``with think(...)``: the model's own
                attention would read it wrongly.
        """
        while len(self.layers) <= layer_idx:
            self.layers.append(ThinKLayer(self.config))
        layer = self.layers[layer_idx]
        if layer.compressed and not self.inside:
            raise RuntimeError("a pruned cache can only be read inside `with think(model, cache=cache)`")
        keys, values = layer.update(key_states, value_states, *args, **kwargs)
        # Another object over the same storage, so that layer and tensor do not own each other.
        keys = keys.view(keys.shape)
        keys.think_layer = layer
        return keys, values

    def nbytes(self) -> int:
        """Bytes of all layers: keys, values, indices, scales, spare room."""
        return sum(layer.nbytes() for layer in self.layers)


def _append(buffer: Tensor | None, length: int, new: Tensor) -> Tensor:
    """Write tokens behind the first `length`; a buffer without room for them is copied into a larger one."""
    assert buffer is not None
    needed = length + new.shape[2]
    if needed > buffer.shape[2]:
        larger = new.new_empty((*new.shape[:2], needed + GROW, new.shape[3]))
        larger[:, :, :length] = buffer[:, :, :length]
        buffer = larger
    buffer[:, :, length:needed] = new
    return buffer

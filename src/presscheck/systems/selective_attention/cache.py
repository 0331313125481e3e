"""A key-value cache that carries the votes, and lets the key with most votes go when it is full.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 5. Differences: a prompt of many tokens
is pruned row by row inside one pass, so that it leaves what reading it token by token would leave.
Shapes: B batch, H query heads, G key-value heads, Q new tokens, S slots and new tokens, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from .attention import grouped_logits, weighted_values
from .mask import accumulation_dtype, cast_votes, first_to_go, kept_keys

GROW = 64
"""Slots by which a layer grows while it is below its budget."""
EMPTY = -1
"""Position of a slot that holds no token."""


class SelectiveLayer(DynamicLayer):
    """Keys, values, votes and positions of one layer, in slots whose order means nothing.

    Args:
        budget: Keys that a query may find, its own included; None for all.

    Of ``keys`` and ``values``, (B, G, room, D), ``votes`` (B, room) and ``positions`` (B, room), the
    first ``length`` slots are used.

    Raises:
        ValueError: for a budget below 2: the first token and the newest always stay.
    """

    is_croppable = False

    def __init__(self, budget: int | None = None) -> None:
        super().__init__()
        if budget is not None and budget < 2:
            raise ValueError(
                f"a budget must be at least 2, got {budget}: the first token and the newest stay"
            )
        self.budget = budget
        self._clear()

    def _clear(self) -> None:
        self.seen = self.length = 0
        self.votes: Tensor | None = None
        self.positions: Tensor | None = None
        self.first: Tensor | None = None
        self.pending: tuple[Tensor, Tensor] | None = None

    # What transformers asks of a layer ------------------------------------------------

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin with no slots."""
        B = key_states.shape[0]
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_empty((*key_states.shape[:2], 0, key_states.shape[3]))
        self.values = value_states.new_empty((*value_states.shape[:2], 0, value_states.shape[3]))
        self.votes = key_states.new_empty((B, 0), dtype=accumulation_dtype(key_states.dtype))
        self.positions = torch.empty((B, 0), dtype=torch.int32, device=self.device)
        self.first = torch.full((B,), EMPTY, dtype=torch.int32, device=self.device)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Announce new tokens, (B, G, Q, D) each; ``attend`` takes them in.

        Returns:
            The new keys and values only: the rest is read where it lies.

        Raises:
            RuntimeError: if the model's attention left the tokens before unread, or a graph is recorded.
        """
        if self.pending is not None:
            raise RuntimeError(UNREAD)
        if torch.is_grad_enabled() and (key_states.requires_grad or value_states.requires_grad):
            raise RuntimeError("a pruned cache records no graph: decode under torch.no_grad()")
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.pending = key_states, value_states
        return key_states, value_states

    def get_seq_length(self) -> int:
        """Tokens seen, those that have left included: the place of the next one."""
        return self.seen

    def reset(self) -> None:
        """Forget everything."""
        self._clear()
        self.keys = self.values = None
        self.is_initialized = False

    def crop(self, tokens_to_remove: int) -> None:
        """Refused, unless nothing is to go.

        Raises:
            ValueError: votes that have been cast cannot be taken back.
        """
        if tokens_to_remove:
            raise ValueError(
                f"cannot crop {abs(tokens_to_remove)} tokens: the votes they cast cannot be taken back"
            )

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Put the rows of the batch in the order of beams, votes with their keys."""
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
        self._each(lambda tensor: tensor.to(self.device, non_blocking=True))

    def _each(self, change: Any) -> None:
        for name in ("keys", "values", "votes", "positions", "first"):
            tensor = getattr(self, name)
            if tensor is not None:
                setattr(self, name, change(tensor))

    # What is ours -----------------------------------------------------------------------

    def kept(self) -> int:
        """Keys of the fullest row of the batch."""
        return 0 if self.positions is None else int(self._filled().sum(-1).max()) if self.length else 0

    def nbytes(self) -> int:
        """Bytes of keys, values, votes and positions, spare room included."""
        named = (self.keys, self.values, self.votes, self.positions, self.first)
        return sum(tensor.nbytes for tensor in named if tensor is not None)

    @torch.no_grad()
    def attend(self, query: Tensor, mask: Tensor | None, scaling: float, selector_head: int = 0) -> Tensor:
        """Attention of the tokens that ``update`` announced, which then stay or go by their votes.

        Args:
            query: (B, H, Q, D).
            mask: None, or (B or 1, 1, Q, tokens seen with these): True, or a number that is added, where
                a key may be seen. Causal with padding; nothing else fits a pruned cache.
            scaling: Of the logits.
            selector_head: The query head whose logits are the votes.

        Returns:
            (B, Q, H, D).

        Raises:
            RuntimeError: without tokens announced.
            ValueError: for a mask of another kind.
        """
        if self.pending is None:
            raise RuntimeError("no new tokens: a SelectiveLayer attends once after each update")
        (key, value), self.pending = self.pending, None
        arriving = self._arriving(mask, query)
        self._find_first(arriving)
        step = self._step if query.shape[2] == 1 else self._run
        output = step(query * scaling, key, value, arriving, selector_head)
        self.seen += query.shape[2]
        return output.transpose(1, 2).contiguous()

    def _step(
        self, query: Tensor, key: Tensor, value: Tensor, arriving: Tensor, selector_head: int
    ) -> Tensor:
        """One token: it takes a free slot, or that of the key with most votes."""
        filled, positions = self._filled(), self._used(self.positions)
        rows = torch.arange(len(arriving), device=query.device)
        if self.budget is None or self.length < self.budget:
            at = torch.full_like(rows, self.length)
            self._make_room(1)
            self.positions[:, self.length], self.votes[:, self.length] = EMPTY, 0.0  # type: ignore[index]
            self.length += 1
        else:
            free = torch.where(filled, self._used(self.votes), torch.inf)
            at = first_to_go(free, positions != self.first[:, None], positions)  # type: ignore[index]
        written = rows[arriving[:, 0]]
        slots = at[written]
        self.keys[written, :, slots] = key[written, :, 0]
        self.values[written, :, slots] = value[written, :, 0]
        self.votes[written, slots] = 0.0  # type: ignore[index]
        self.positions[written, slots] = self.seen  # type: ignore[index]

        filled, votes, positions = self._filled(), self._used(self.votes), self._used(self.positions)
        logits = grouped_logits(query, self._used(self.keys)).to(votes.dtype)
        hidden = torch.where(filled, votes, torch.finfo(votes.dtype).max / 4)
        weights = (logits - hidden[:, None, None]).softmax(-1).to(value.dtype)
        may = filled & (positions != self.seen) & (positions != self.first[:, None]) & arriving  # type: ignore[index]
        votes += torch.where(may, logits[:, selector_head, 0].relu(), 0.0)
        return weighted_values(weights, self._used(self.values))

    def _run(self, query: Tensor, key: Tensor, value: Tensor, arriving: Tensor, selector_head: int) -> Tensor:
        """Several tokens: what each of them would find if they came one by one."""
        B, _, Q, _ = query.shape
        n, device = self.length, query.device
        keys = torch.cat([self._used(self.keys), key], dim=2)
        values = torch.cat([self._used(self.values), value], dim=2)
        places = torch.arange(self.seen, self.seen + Q, dtype=torch.int32, device=device)
        new = torch.where(arriving, places, EMPTY)
        positions = torch.cat([self._used(self.positions), new], dim=1)
        alive = torch.cat([self._filled(), torch.zeros_like(arriving)], dim=1)
        before = torch.arange(n + Q, device=device) <= torch.arange(n, n + Q, device=device)[:, None]
        allowed = (positions != EMPTY)[:, None] & before & arriving[:, :, None]
        first = positions == self.first[:, None]  # type: ignore[index]

        logits = grouped_logits(query, keys)
        carried = torch.nn.functional.pad(self._used(self.votes), (0, Q))
        votes = cast_votes(logits[:, selector_head].to(carried.dtype), allowed, n, first)
        after = votes.cumsum(1) + carried[:, None]
        masks = torch.cat([carried[:, None], after[:, :-1]], dim=1)
        if self.budget is not None:
            kept = kept_keys(masks, self.budget, alive, arriving, first, positions)
            allowed = allowed & kept
            last = kept[:, -1]
        else:
            last = positions != EMPTY
        hidden = torch.where(allowed, masks, torch.finfo(masks.dtype).max / 4)
        weights = (logits.to(masks.dtype) - hidden[:, None]).softmax(-1).to(value.dtype)
        self._keep(keys, values, after[:, -1], positions, last)
        return weighted_values(weights, values)

    def _keep(self, keys: Tensor, values: Tensor, votes: Tensor, positions: Tensor, last: Tensor) -> None:
        """Store the tokens that are left, (B, S) True, each row's from its first slot on."""
        count = last.sum(-1)
        length = int(count.max())
        # A stable sort puts what stays in front, in the order of the text.
        order = (~last).to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
        spread = order[:, None, :, None]
        self.length = length
        # Gathered copies, never views: a view would keep everything alive behind it.
        self.keys = keys.gather(2, spread.expand(-1, keys.shape[1], -1, keys.shape[3]))
        self.values = values.gather(2, spread.expand(-1, values.shape[1], -1, values.shape[3]))
        self.votes = votes.gather(1, order)
        empty = torch.arange(length, device=keys.device) >= count[:, None]
        self.positions = positions.gather(1, order).masked_fill(empty, EMPTY)

    def _used(self, tensor: Tensor | None) -> Tensor:
        """The slots in use of a buffer, as a view."""
        assert tensor is not None
        return tensor[:, :, : self.length] if tensor.ndim == 4 else tensor[:, : self.length]

    def _filled(self) -> Tensor:
        return self._used(self.positions) != EMPTY

    def _make_room(self, new: int) -> None:
        needed = self.length + new
        room = self.keys.shape[2]
        if needed <= room:
            return
        spare = needed + GROW if self.budget is None else min(needed + GROW, self.budget)

        def wider(tensor: Tensor, axis: int) -> Tensor:
            shape = list(tensor.shape)
            shape[axis] = spare
            larger = tensor.new_zeros(shape)
            larger.narrow(axis, 0, room).copy_(tensor)
            return larger

        assert self.votes is not None and self.positions is not None
        self.keys, self.values = wider(self.keys, 2), wider(self.values, 2)
        self.votes, self.positions = wider(self.votes, 1), wider(self.positions, 1)

    def _find_first(self, arriving: Tensor) -> None:
        """Note the place of each row's first token, once it has come."""
        assert self.first is not None
        come = arriving.any(1) & (self.first == EMPTY)
        place = arriving.to(torch.uint8).argmax(1).to(torch.int32) + self.seen
        self.first = torch.where(come, place, self.first)

    def _arriving(self, mask: Tensor | None, query: Tensor) -> Tensor:
        """(B, Q), False at padding: a query of a real token sees itself."""
        B, _, Q, _ = query.shape
        if mask is None:
            return torch.ones(B, Q, dtype=torch.bool, device=query.device)
        if mask.ndim != 4 or mask.shape[1] != 1 or mask.shape[2:] != (Q, self.seen + Q):
            raise ValueError(
                f"the mask is {tuple(mask.shape)}; {Q} new tokens after {self.seen} need (batch, 1, {Q}, "
                f"{self.seen + Q}): the same for all heads"
            )
        seen = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        seen = seen[:, 0].expand(B, -1, -1)
        arriving = seen.diagonal(self.seen, 1, 2)
        positions = self._used(self.positions).long()
        old = seen.gather(2, positions.clamp(min=0)[:, None].expand(-1, Q, -1))
        wanted_old = self._filled()[:, None] & arriving[:, :, None]
        lower = torch.ones(Q, Q, dtype=torch.bool, device=query.device).tril()
        wanted_new = lower & arriving[:, None] & arriving[:, :, None]
        same_new = (seen[:, :, self.seen :] & arriving[:, :, None]) == wanted_new
        if not bool(same_new.all()) or not bool((old | ~wanted_old).all()):
            raise ValueError(
                "this mask is not causal with padding: in a pruned cache every token sees all that is kept, "
                "so windows, packed documents and custom masks are not supported"
            )
        return arriving


UNREAD = (
    "new tokens of a SelectiveKVCache were not read by selective attention: use it inside "
    "`with selective(model)`, or load the model with attn_implementation='selective'"
)


class SelectiveKVCache(Cache):
    """A cache for models with selective attention that keeps no more keys than its budgets.

    Args:
        budgets: Keys a layer, that of the newest token included: a number for all layers, one for
            each, or None for all keys.
    """

    def __init__(self, budgets: int | Sequence[int | None] | None = None) -> None:
        self.budgets = budgets if budgets is None or isinstance(budgets, int) else list(budgets)
        if isinstance(self.budgets, list) and not self.budgets:
            raise ValueError("budgets is empty: need one a layer, a single number, or None")
        for budget in self.budgets if isinstance(self.budgets, list) else [self.budgets]:
            SelectiveLayer(budget)  # says what is wrong with it
        self._latest: SelectiveLayer | None = None
        super().__init__(layers=[])

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """As ``Cache.update``; the model's attention has to be selective.

        Raises:
            RuntimeError: if the layer before was read by another attention.
            ValueError: for a layer without a budget.
        """
        if self._latest is not None and self._latest.pending is not None:
            raise RuntimeError(UNREAD)
        while len(self.layers) <= layer_idx:
            self.layers.append(SelectiveLayer(self._budget(len(self.layers))))
        layer = self.layers[layer_idx]
        keys, values = layer.update(key_states, value_states, *args, **kwargs)
        self._latest = layer
        # Another object over the same storage, so that layer and tensor do not own each other.
        keys = keys.view(keys.shape)
        keys.selective_layer = layer
        return keys, values

    def _budget(self, layer: int) -> int | None:
        if not isinstance(self.budgets, list):
            return self.budgets
        if layer >= len(self.budgets):
            raise ValueError(f"the model has more layers than the {len(self.budgets)} budgets given")
        return self.budgets[layer]

    def reset(self) -> None:
        """Forget everything, also what was left unread."""
        super().reset()
        self._latest = None

    def nbytes(self) -> int:
        """Bytes of all layers: keys, values, votes, positions, spare room."""
        return sum(layer.nbytes() for layer in self.layers)

    def kept(self) -> list[int]:
        """Keys kept, layer by layer, in the fullest row."""
        return [layer.kept() for layer in self.layers]

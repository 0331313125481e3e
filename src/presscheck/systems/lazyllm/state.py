"""What LazyLLM remembers: keys and values of what was computed, hidden states of what was left out.

Reference: Fu et al., arXiv 2407.14057, sections 3.2 and 3.3. Everything is indexed by absolute
position, so that a revived token falls into its place and rotary embeddings stay true.
Shapes: H query heads, G key-value heads (H = G * r), S tokens that a layer reads, n tokens
computed in this step, D channels of one head, E channels of the hidden state.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from .schedule import PruneSchedule

GROW = 64
"""Tokens of spare room, so that a new token does not copy everything."""


def token_importance(query: Tensor, keys: Tensor, scaling: float) -> Tensor:
    """How much the newest token attends to each token: s_i = mean over heads of A[h, last, i].

    Section 3.2, equation 1. Only the last row of the attention map is computed.

    Args:
        query: (H, D) of the newest token, after rotary embedding.
        keys: (G, S, D), after rotary embedding.
        scaling: Of attention logits.

    Returns:
        (S,), float32, sums to 1.

    Raises:
        ValueError: if H is no multiple of G, or D differs.
    """
    H, D = query.shape
    G = keys.shape[0]
    if H % G or keys.shape[2] != D:
        raise ValueError(
            f"query {tuple(query.shape)} does not fit keys {tuple(keys.shape)}: "
            "need (H, D) and (G, S, D) with H a multiple of G"
        )
    logits = query.view(G, H // G, D) @ keys.mT  # (G, r, S)
    return (logits.float() * scaling).softmax(-1).mean((0, 1))


class LazyLayer:
    """Keys, values and parked outputs of one layer, each at its absolute position.

    ``keys`` and ``values`` (G, room, D) hold a token where ``present`` (room,) is True.
    ``aux`` (room, E) holds the *output* of this layer, the input of the next, where ``parked``
    is True: for tokens that this layer computed and the next has not read yet.
    """

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.present = torch.zeros(0, dtype=torch.bool)
        self.aux: Tensor | None = None
        self.parked = torch.zeros(0, dtype=torch.bool)

    def insert(self, positions: Tensor, keys: Tensor, values: Tensor, room: int) -> None:
        """Put keys and values (G, n, D) at their positions (n,).

        Raises:
            RuntimeError: if one is there already: no (token, layer) pair is computed twice.
        """
        if self.keys is None or self.values is None:
            shape = (keys.shape[0], room, keys.shape[2])
            self.keys, self.values = keys.new_zeros(shape), values.new_zeros(shape)
            self.present = torch.zeros(room, dtype=torch.bool, device=keys.device)
        elif self.present.shape[0] < room:
            self.keys, self.values = _wider(self.keys, room, 1), _wider(self.values, room, 1)
            self.present = _wider(self.present, room, 0)
        if bool(self.present[positions].any()):
            raise RuntimeError(f"tokens at {positions.tolist()[:5]} … are computed twice in a layer")
        self.keys[:, positions], self.values[:, positions] = keys, values
        self.present[positions] = True

    def park(self, positions: Tensor, outputs: Tensor, room: int) -> None:
        """Keep outputs (n, E) of tokens that the next layer does not read in this step."""
        if self.aux is None:
            self.aux = outputs.new_zeros(room, outputs.shape[1])
            self.parked = torch.zeros(room, dtype=torch.bool, device=outputs.device)
        elif self.parked.shape[0] < room:
            self.aux, self.parked = _wider(self.aux, room, 0), _wider(self.parked, room, 0)
        self.aux[positions] = outputs
        self.parked[positions] = True

    def fetch(self, positions: Tensor) -> Tensor:
        """Take parked outputs (n, E) out again.

        Raises:
            RuntimeError: if one is not there.
        """
        if self.aux is None or not bool(self.parked[positions].all()):
            raise RuntimeError(f"no hidden states of the tokens at {positions.tolist()[:5]} … are parked")
        self.parked[positions] = False
        return self.aux[positions]


def _wider(tensor: Tensor, room: int, dim: int) -> Tensor:
    shape = list(tensor.shape)
    shape[dim] = room - shape[dim]
    return torch.cat([tensor, tensor.new_zeros(shape)], dim)


class LazyCache(Cache):
    """One conversation: give it to ``model(..., cache=cache)`` or ``generate`` inside the block.

    ``computed[l]`` counts the tokens that layer l has computed, each once at most; ``revived[t]``
    the tokens that step t has fetched from where they were parked, summed over the layers at which
    they were. Step 0 is the prompt. ``seen`` is the number of tokens so far.
    """

    def __init__(self, schedule: PruneSchedule, layers: int) -> None:
        super().__init__(layers=[])
        self.schedule = schedule
        self.depth = layers
        self.inside = False
        self.running = False
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next forward pass is a prompt again."""
        self.lazy = [LazyLayer() for _ in range(self.depth)]
        self.seen = 0
        self.broken = False
        self.computed = [0] * self.depth
        self.revived: list[int] = []
        self.lottery = torch.zeros(0)
        self._draw = torch.Generator().manual_seed(self.schedule.seed)

    # One layer of one step ------------------------------------------------------------

    def begin(self, new: int) -> None:
        """Make room for new tokens."""
        self.seen += new
        have = self.lazy[0].present.shape[0]
        self.room = have if self.seen <= have else self.seen + GROW
        self.reads = self.positions = torch.empty(0, dtype=torch.long)
        self.scores: Tensor | None = None
        self.revived.append(0)
        missing = self.seen - self.lottery.shape[0]
        if self.schedule.choose == "random" and missing > 0:
            self.lottery = torch.cat([self.lottery, torch.rand(missing, generator=self._draw)])

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Store what a layer has computed, (1, G, n, D) each; give all that it reads, (1, G, S, D).

        Raises:
            RuntimeError: outside of the ``with`` block, and where a decoder's pass is not ours.
        """
        if not self.running:
            raise RuntimeError(
                "this cache works inside `with lazyllm(model, cache=cache)` only, in that model's own pass"
            )
        layer = self.lazy[layer_idx]
        layer.insert(self.positions, key_states[0], value_states[0], self.room)
        self.computed[layer_idx] += key_states.shape[2]
        if self.positions.shape == self.reads.shape:  # nothing older is read: the prompt
            return key_states, value_states
        keys, values = layer.keys, layer.values
        assert keys is not None and values is not None  # insert has made them
        if self.reads.shape[0] == self.seen:
            return keys[None, :, : self.seen], values[None, :, : self.seen]
        return keys[None, :, self.reads], values[None, :, self.reads]

    def choose(self, layer: int) -> Tensor:
        """Positions, in order, that a layer reads: a choice among those that the one before it read."""
        if not self.schedule.prunes(layer):
            return self.reads
        reads, plan = self.reads, self.schedule
        if not plan.revive and len(self.revived) > 1:
            # Static: what the prompt left out stays out, and new tokens stay.
            present = self.lazy[layer].present
            old = reads[reads < present.shape[0]]
            known = torch.zeros_like(reads, dtype=torch.bool)
            known[: old.shape[0]] = present[old]
            return reads[known | torch.isin(reads, self.positions)]
        count = min(plan.count(layer, self.seen), reads.shape[0])
        if plan.choose == "attention":
            assert self.scores is not None  # the attention of the layer before has left them
            scores = self.scores
        elif plan.choose == "recent":
            scores = reads.float()
        else:
            scores = self.lottery.to(reads.device)[reads]
        always = (reads < plan.protect_first) | (reads >= self.seen - plan.protect_last)
        chosen = scores.masked_fill(always, torch.inf).topk(count).indices
        return reads[chosen.sort().values]

    # What transformers asks of a cache ------------------------------------------------

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen: the place of the next one."""
        return self.seen

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Length and offset of a mask, as if nothing were pruned."""
        return self.seen + query_length, 0

    def get_max_length(self, layer_idx: int | None = None) -> int:
        """No limit."""
        return -1

    @property
    def is_compileable(self) -> bool:
        """Shapes follow the data."""
        return False

    @property
    def is_croppable(self) -> bool:
        """What a token revived cannot be parked again."""
        return False

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise ValueError(
            "LazyLLM's cache is one sequence that only grows: beam search, several sequences and "
            "assisted generation, which crop or reorder a cache, are not supported"
        )

    crop = reorder_cache = batch_select_indices = batch_repeat_interleave = _refuse

    # What it costs --------------------------------------------------------------------

    def nbytes(self) -> dict[str, int]:
        """Bytes of all tensors kept: ``kv`` keys and values, ``aux`` parked hidden states, masks in each."""
        kv = aux = 0
        for layer in self.lazy:
            kv += sum(x.nbytes for x in (layer.keys, layer.values, layer.present) if x is not None)
            aux += sum(x.nbytes for x in (layer.aux, layer.parked) if x is not None)
        return {"kv": kv, "aux": aux}

    def work(self) -> float:
        """(token, layer) pairs computed so far, as a share of those of a model that prunes nothing."""
        return sum(self.computed) / max(1, self.seen * self.depth)

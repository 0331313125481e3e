"""How far a compressed model's predictions are from the uncompressed one's, with work shared.

Reference: Sieberling et al., arXiv 2410.14649, section 4: KL divergence, the targets computed once.
Ours is that candidates of one selection share their hidden states up to the first block in
which they differ: they are scored together, block by block, each distinct beginning once.
Shapes: S sequences of a batch, T tokens, V vocabulary, P profiles, D width of the model.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .space import Profile
from .units import ModelSpace, check_model


def divergence(dense: Tensor, compressed: Tensor, top_k: int | None = None) -> Tensor:
    """KL(dense || compressed) of next-token distributions, in nats.

    Args:
        dense: (..., V) logits of the uncompressed model.
        compressed: (..., V).
        top_k: Look only at the dense model's k likeliest tokens, both distributions renormalised
            over these same tokens; None for all.

    Returns:
        (...), float32.
    """
    if top_k is not None:
        index = dense.topk(top_k, dim=-1).indices
        dense, compressed = dense.gather(-1, index), compressed.gather(-1, index)
    p, q = dense.float().log_softmax(-1), compressed.float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


class KLFitness:
    """Mean KL divergence from the uncompressed model on calibration text.

    Args:
        space: A space over the model.
        calibration: (N, T) of token ids, sequences of equal length without padding.
        stride: Only every stride-th position is scored, the last one of each run of `stride`: the
            output layer is a large part of a small model's cost.
        top_k: As in ``divergence``.
        chunk: Sequences that go through a block at once.

    Raises:
        ValueError: if the model does not fit, or the text.
    """

    def __init__(
        self,
        space: ModelSpace,
        calibration: Tensor,
        *,
        stride: int = 1,
        top_k: int | None = None,
        chunk: int = 16,
    ) -> None:
        check_model(space.model)
        if calibration.dim() != 2 or not calibration.numel():
            raise ValueError(f"calibration must be (N, T) token ids, got shape {tuple(calibration.shape)}")
        if not 1 <= stride <= calibration.shape[1]:
            raise ValueError(
                f"stride must be in 1..{calibration.shape[1]}, the sequence length; got {stride}"
            )
        vocabulary = space.model.config.vocab_size
        if top_k is not None and not 1 <= top_k <= vocabulary:
            raise ValueError(f"top_k must be in 1..{vocabulary}, the vocabulary; got {top_k}")
        self.space, self.calibration = space, calibration
        self.stride, self.top_k, self.chunk = stride, top_k, chunk
        self._dense: dict[int, Tensor] = {}
        self.blocks_run = 0
        """Passes of one sequence through one block so far: what sharing saves shows here."""

    def over(self, space: ModelSpace) -> KLFitness:
        """The same text and targets for another space over the same model.

        Raises:
            ValueError: if it is of another model.
        """
        if space.model is not self.space.model:
            raise ValueError("the other space is of another model: its targets would be other ones")
        other = copy.copy(self)
        other.space = space
        return other

    def draw(self, rng: random.Random, tokens: int) -> tuple[int, ...]:
        """Sequences drawn without replacement.

        Raises:
            ValueError: if `tokens` is no multiple of the sequence length, or more than there are.
        """
        N, T = self.calibration.shape
        if tokens % T or not 0 < tokens <= N * T:
            raise ValueError(
                f"a batch of {tokens} tokens cannot be drawn from {N} sequences of {T}: need a "
                f"multiple of {T} up to {N * T}"
            )
        return tuple(rng.sample(range(N), tokens // T))

    def __call__(self, profiles: Sequence[Profile], batch: tuple[int, ...]) -> list[float]:
        """KL(dense || compressed), mean over the scored positions of a batch, in nats."""
        found = self.per_position(profiles, batch).double().mean((1, 2)).tolist()
        return [float(value) for value in found]

    @torch.no_grad()
    def per_position(self, profiles: Sequence[Profile], batch: tuple[int, ...]) -> Tensor:
        """(P, S, scored positions): the divergences that a score is the mean of."""
        missing = [i for i in dict.fromkeys(batch) if i not in self._dense]
        if missing:
            for i, hidden in zip(missing, self._entry(missing)[0].split(1), strict=True):
                self._dense[i] = self._logits(self._through([None], hidden, i)[0])
        hidden, _ = self._entry(batch)
        ends = self._through([self.space.check(profile) for profile in profiles], hidden, batch[0])
        dense = torch.cat([self._dense[i] for i in batch])
        rows = {id(end): divergence(dense, self._logits(end), self.top_k) for end in ends}
        return torch.stack([rows[id(end)] for end in ends])

    def logits(self, profile: Profile | None, batch: tuple[int, ...]) -> Tensor:
        """(S, scored positions, V) under a profile; None for the uncompressed model."""
        with torch.no_grad():
            hidden, _ = self._entry(batch)
            return self._logits(self._through([profile], hidden, batch[0])[0])

    def _entry(self, batch: Sequence[int]) -> tuple[Tensor, dict[str, Any]]:
        """What the model hands to its first block: (S, T, D), and the mask and places beside it."""
        caught: list[tuple[Tensor, dict[str, Any]]] = []

        def catch(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            named = dict(named)
            hidden = given[0] if given else named.pop("hidden_states")
            caught.append((hidden, named))
            raise _Caught

        handle = self.space.blocks[0].register_forward_pre_hook(catch, with_kwargs=True)
        try:
            self.space.model.model(self.calibration[list(batch)], use_cache=False)
        except _Caught:
            pass
        finally:
            handle.remove()
        return caught[0]

    def _through(self, profiles: Sequence[Profile | None], hidden: Tensor, sequence: int) -> list[Tensor]:
        """(S, T, D) behind the last block for each profile, each distinct beginning computed once."""
        # Masks and places of one sequence serve all: they have one length and no padding.
        _, named = self._entry([sequence])
        states: list[Tensor] = [hidden]
        at = [0] * len(profiles)
        for block, module in enumerate(self.space.blocks):
            # Setting of this block → beginnings that meet it, in order.
            wanted: dict[tuple[int, ...] | None, dict[int, None]] = {}
            settings = [None if p is None else self.space.setting(p, block) for p in profiles]
            for place, setting in zip(at, settings, strict=True):
                wanted.setdefault(setting, {})[place] = None
            after: list[Tensor] = []
            number: dict[tuple[int, tuple[int, ...] | None], int] = {}
            for setting, places in wanted.items():
                before = [states[place] for place in places]
                if setting is not None and self.space.skips(block, setting):
                    results = before
                elif setting is None:
                    results = self._run(module, before, named)
                else:
                    with self.space.enter(block, setting):
                        results = self._run(module, before, named)
                for place, result in zip(places, results, strict=True):
                    number[place, setting] = len(after)
                    after.append(result)
            at = [number[place, setting] for place, setting in zip(at, settings, strict=True)]
            states = after
        return [states[place] for place in at]

    def _run(self, module: Any, before: list[Tensor], named: dict[str, Any]) -> list[Tensor]:
        joined = torch.cat(before)
        self.blocks_run += len(joined)
        done = torch.cat([module(part, **named) for part in joined.split(self.chunk)])
        return list(done.split(before[0].shape[0]))

    def _logits(self, hidden: Tensor) -> Tensor:
        scored = hidden[:, self.stride - 1 :: self.stride]
        return self.space.model.lm_head(self.space.model.model.norm(scored))


class _Caught(Exception):
    """Ends a forward pass at the first block."""

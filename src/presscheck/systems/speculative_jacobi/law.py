"""The exact distribution of what a sampler gives out, all its random choices enumerated.

A run of the sampler is repeated once for every outcome of every draw and every accept test, so the
probabilities of its outputs are known up to rounding, and not up to the noise of a sample. Small tables only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from . import criterion
from .sampler import Step, from_logits

Law = dict[tuple[int, ...], float]
"""Probability of each sequence."""

MISTAKES = ("no residual", "stale drafts")


class Table:
    """A random autoregressive model over a small vocabulary: its logits depend on all tokens before.

    Args:
        vocab_size: V.
        length: Tokens of a sequence.
        seed: Of the logits, normal with standard deviation 1.5.
    """

    def __init__(self, vocab_size: int, length: int, seed: int = 0) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.vocab_size, self.length = vocab_size, length
        self.logits = {
            prefix: 1.5 * torch.randn(vocab_size, generator=draw)
            for n in range(length)
            for prefix in itertools.product(range(vocab_size), repeat=n)
        }

    def step(self) -> Step:
        """A step over a prompt of the one token 0, which says nothing."""

        def rows(tokens: Tensor) -> Tensor:
            given = tokens.tolist()[1:]
            return torch.stack([self.logits[tuple(given[:n])] for n in range(len(given) + 1)])

        return from_logits(rows)

    def law(self, filter: Any = None) -> Law:
        """Probability of each sequence, by the product of its conditionals after a filter."""
        found: Law = {}
        for sequence in itertools.product(range(self.vocab_size), repeat=self.length):
            chance = 1.0
            for n, token in enumerate(sequence):
                logits = self.logits[sequence[:n]][None]
                if filter is not None:
                    logits = filter(torch.tensor([n]), logits)
                chance *= float(criterion.probabilities(logits)[0, token])
            found[sequence] = chance
        return found


def total_variation(one: Law, other: Law) -> float:
    """Half the sum of absolute differences: 0 for equal laws, 1 for disjoint ones."""
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in one.keys() | other.keys()) / 2


class _Choices:
    """Takes every path through a tree of weighted choices, one a run."""

    def __init__(self) -> None:
        self.path: list[list[int]] = []  # options that are left at each choice; the first is the one taken
        self.chance, self.depth = 1.0, 0

    def choose(self, weights: Sequence[float]) -> int:
        if self.depth == len(self.path):
            self.path.append([i for i, weight in enumerate(weights) if weight > 0])
        taken = self.path[self.depth][0]
        self.depth += 1
        self.chance *= weights[taken] / sum(weights)
        return taken

    def next(self) -> bool:
        """Turn to the next path; whether there is one."""
        self.chance, self.depth = 1.0, 0
        while self.path:
            self.path[-1].pop(0)
            if self.path[-1]:
                return True
            self.path.pop()
        return False


def enumerate_law(sample: Callable[[], Sequence[int]], mistake: str | None = None) -> Law:
    """The law of a function that draws through ``criterion`` only.

    Args:
        sample: One run of the sampler, with an `init` that draws through ``criterion`` or not at all.
        mistake: One of ``MISTAKES``, made on purpose, to see whether it shows.

    Returns:
        The probability of each output; they sum to 1.
    """
    choices, found = _Choices(), Law()
    with _chosen(choices, mistake):
        more = True
        while more:
            sequence = tuple(int(token) for token in sample())
            found[sequence] = found.get(sequence, 0.0) + choices.chance
            more = choices.next()
    return found


def frequencies(sample: Callable[[], Sequence[int]], draws: int, mistake: str | None = None) -> Law:
    """Shares of sequences in real draws."""
    found = Law()
    with _mistaken(mistake):
        for _ in range(draws):
            sequence = tuple(int(token) for token in sample())
            found[sequence] = found.get(sequence, 0.0) + 1 / draws
    return found


@contextmanager
def _chosen(choices: _Choices, mistake: str | None) -> Iterator[None]:
    own = criterion.draw, criterion.accept_prefix

    def draw(p: Tensor, rng: Any) -> Tensor:
        return torch.tensor([choices.choose(row) for row in p.tolist()], dtype=torch.long)

    def accept_prefix(p: Tensor, q: Tensor, x: Tensor, rng: Any) -> int:
        for kept, chance in enumerate(criterion.acceptance(p, q, x).tolist()):
            if choices.choose([chance, 1 - chance]) == 1:
                return kept
        return len(x)

    criterion.draw, criterion.accept_prefix = draw, accept_prefix
    try:
        with _mistaken(mistake):
            yield
    finally:
        criterion.draw, criterion.accept_prefix = own


@contextmanager
def _mistaken(mistake: str | None) -> Iterator[None]:
    own = criterion.residual, criterion.redraw
    if mistake == "no residual":
        criterion.residual = lambda p, q: p
    elif mistake == "stale drafts":
        criterion.redraw = lambda p, old, rng: torch.cat([old, criterion.draw(p[len(old) :], rng)])
    elif mistake is not None:
        raise ValueError(f"mistake must be one of {', '.join(MISTAKES)}, got {mistake!r}")
    try:
        yield
    finally:
        criterion.residual, criterion.redraw = own

"""Filters of logits that know where they are: a function of positions and logits.

Positions count generated tokens from 0, however long the prompt. A filter is applied to the model's
logits before every test and every draw, so that drafts and verdicts come from the same distribution.
Shapes: m positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Filter = Callable[[Tensor, Tensor], Tensor]
"""(m,) positions and (m, V) logits to (m, V) logits; -inf takes a token out."""


@runtime_checkable
class Forcing(Protocol):
    """A filter that leaves one token at some positions and says so, so that no draft is wasted there."""

    def token_at(self, position: int) -> int | None:
        """The only token of a position, or None."""


def temperature(value: float) -> Filter:
    """Divide logits by a temperature; 0 leaves the most likely token alone.

    Raises:
        ValueError: below 0.
    """
    if value < 0:
        raise ValueError(f"temperature must be at least 0, got {value}: 0 is greedy")

    def cooled(positions: Tensor, logits: Tensor) -> Tensor:
        if value > 0:
            return logits / value
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter_(1, best, 0.0)

    return cooled


def top_k(k: int) -> Filter:
    """Keep the k most likely tokens of each position; of equals at the edge, all stay.

    Raises:
        ValueError: if k is below 1.
    """
    if k < 1:
        raise ValueError(f"top_k must be at least 1, got {k}: it is the number of tokens kept")

    def kept(positions: Tensor, logits: Tensor) -> Tensor:
        if k >= logits.shape[1]:
            return logits
        edge = logits.topk(k, dim=-1).values[:, -1:]
        return logits.masked_fill(logits < edge, -torch.inf)

    return kept


def only(low: int, high: int) -> Filter:
    """Keep the tokens low, ..., high - 1: the image's part of a vocabulary.

    Raises:
        ValueError: if that is empty, or, when applied, outside of the vocabulary.
    """
    if not 0 <= low < high:
        raise ValueError(f"only({low}, {high}) keeps nothing: need 0 <= low < high, high excluded")

    def inside(positions: Tensor, logits: Tensor) -> Tensor:
        if high > logits.shape[1]:
            raise ValueError(f"only({low}, {high}) is outside of a vocabulary of {logits.shape[1]}")
        out = torch.full_like(logits, -torch.inf)
        out[:, low:high] = logits[:, low:high]
        return out

    return inside


class Rows:
    """An image of rows that each end in a separator, perhaps with tokens before and after.

    Positions ``start``, ``start + 1``, ... hold `rows` rows of `columns` image tokens and one separator.
    Image tokens cannot be drawn at separators nor separators elsewhere; positions outside are free.

    Args:
        rows: Of the image.
        columns: Image tokens of a row, separator not counted.
        separator: Token that ends a row; None for rows without one.
        low: First image token.
        high: One beyond the last image token.
        start: Position of the first image token.

    Raises:
        ValueError: if a number is out of range, or the separator is an image token.
    """

    def __init__(
        self, rows: int, columns: int, separator: int | None, *, low: int, high: int, start: int = 0
    ) -> None:
        if rows < 1 or columns < 1 or start < 0 or not 0 <= low < high:
            raise ValueError(
                f"no grid: {rows} rows of {columns} tokens from position {start}, tokens {low} to {high}"
            )
        if separator is not None and (separator < 0 or low <= separator < high):
            raise ValueError(f"the separator {separator} must be a token outside of {low} to {high - 1}")
        self.rows, self.columns, self.separator = rows, columns, separator
        self.low, self.high, self.start = low, high, start

    @property
    def width(self) -> int:
        """Tokens of a row, the separator included: what ``grid_width`` means."""
        return self.columns + (self.separator is not None)

    @property
    def tokens(self) -> int:
        """Tokens of the image, separators included."""
        return self.rows * self.width

    def token_at(self, position: int) -> int | None:
        """The separator where one has to be, else None."""
        place = position - self.start
        if self.separator is None or not 0 <= place < self.tokens:
            return None
        return self.separator if place % self.width == self.columns else None

    def image(self, tokens: Tensor) -> Tensor:
        """The image's codes of generated tokens: (n,) → (rows, columns), from 0.

        Raises:
            ValueError: if they are too few.
        """
        if len(tokens) < self.start + self.tokens:
            raise ValueError(f"the image ends at {self.start + self.tokens} tokens, got {len(tokens)}")
        grid = tokens[self.start : self.start + self.tokens].view(self.rows, self.width)
        return grid[:, : self.columns] - self.low

    def __call__(self, positions: Tensor, logits: Tensor) -> Tensor:
        """Mask (m, V) logits at (m,) positions."""
        if max(self.high, (self.separator or 0) + 1) > logits.shape[1]:
            raise ValueError(
                f"image tokens to {self.high - 1} and the separator {self.separator} do not fit a "
                f"vocabulary of {logits.shape[1]}"
            )
        place = (positions - self.start).to(logits.device)
        inside = (place >= 0) & (place < self.tokens)
        ends = inside & (place % self.width == self.columns)  # never, if there is no separator
        token = torch.arange(logits.shape[1], device=logits.device)
        image = (token >= self.low) & (token < self.high)
        forced = torch.zeros_like(image) if self.separator is None else token == self.separator
        allowed = torch.where(ends[:, None], forced[None], image[None] | ~inside[:, None])
        # A separator that the model finds impossible is forced all the same.
        return torch.where(ends[:, None] & forced[None], 0.0, logits.masked_fill(~allowed, -torch.inf))


class Chain:
    """Filters one after another; forced tokens are those of the first that forces any."""

    def __init__(self, *filters: Filter) -> None:
        self.filters = filters

    def __call__(self, positions: Tensor, logits: Tensor) -> Tensor:
        """Apply all, in order, to (m, V) logits."""
        for one in self.filters:
            logits = one(positions, logits)
        return logits

    def token_at(self, position: int) -> int | None:
        """The only token of a position, or None."""
        for one in self.filters:
            if isinstance(one, Forcing):
                token = one.token_at(position)
                if token is not None:
                    return token
        return None

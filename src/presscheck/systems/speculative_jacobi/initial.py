"""Tokens that start a draft where the model has said nothing yet, and their distributions.

Reference: Teng et al., arXiv 2410.01699, section 4.3 (initialisation by spatial neighbours).
The official code gives every initial token a distribution that is sure of it, however it was drawn.
That is exact; so is the distribution it was drawn from (``draft_q="proposal"``), which accepts more:
the sum of min(p, 1/V) instead of 1/V for uniform tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import criterion


@dataclass(frozen=True)
class Window:
    """What an initial token may depend on."""

    tokens: Tensor
    """(n,) generated tokens, the accepted and then the pending drafts."""
    law: Tensor
    """(V,): distribution that the last of these tokens came from."""
    position: int
    """Of the token to be made, counted in generated tokens; equals n."""
    grid_width: int | None
    """Tokens of a row."""
    low: int
    high: int
    """Random tokens lie in low, ..., high - 1."""
    rng: torch.Generator | None


Init = Callable[[Window], int]
"""A rule of the user's: the initial token of a position. Its distribution is sure of it."""

NAMES = ("random", "repeat_left", "repeat_above", "sample_left")


def initial(name: str | Init, window: Window, vocab_size: int, proposal: bool) -> tuple[int, Tensor]:
    """An initial token and the distribution that it counts as drawn from.

    - ``random``: evenly from the image's tokens;
    - ``repeat_left``: the token before it, also across the end of a row;
    - ``repeat_above``: the token a row before it; in the first row as ``repeat_left``;
    - ``sample_left``: drawn from the distribution of the token before it.

    Args:
        name: One of ``NAMES``, or the user's rule.
        window: Where it stands.
        vocab_size: V.
        proposal: Whether a token that was drawn carries what it was drawn from.

    Returns:
        The token, and (V,) float64.

    Raises:
        ValueError: if a rule of the user's gives no token of the vocabulary.
    """
    device = window.tokens.device
    law: Tensor | None = None
    if callable(name):
        token = int(name(window))
        if not 0 <= token < vocab_size:
            raise ValueError(
                f"init gave the token {token} for position {window.position}: the vocabulary has {vocab_size}"
            )
    elif name == "random":
        span = window.high - window.low
        token = window.low + int(torch.randint(span, (1,), generator=window.rng, device=device))
        if proposal:
            law = torch.zeros(vocab_size, dtype=torch.float64, device=device)
            law[window.low : window.high] = 1 / span
    elif name == "sample_left":
        law = window.law if proposal else None
        token = int(criterion.draw(window.law[None], window.rng))
    else:
        back = window.grid_width or 1
        back = back if name == "repeat_above" and window.position >= back else 1
        token = int(window.tokens[-back])
    if law is None:
        law = criterion.one_hot(torch.tensor([token], device=device), vocab_size)[0]
    return token, law

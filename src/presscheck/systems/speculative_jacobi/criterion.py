"""What decides about drafts: the accept test, the residual, and how tokens are drawn.

Reference: Teng et al., arXiv 2410.01699, section 4.2; the test is that of speculative sampling
(Leviathan et al., arXiv 2211.17192). Everything is float64: a ratio of float32
probabilities is not exact enough at vocabularies of many thousands.
Shapes: m tokens of a window, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor, first: int = 0) -> Tensor:
    """Softmax of filtered logits, in float64.

    Args:
        logits: (m, V); -inf takes a token out.
        first: Position of row 0, for the message.

    Returns:
        (m, V), float64, rows that sum to 1.

    Raises:
        ValueError: if a row has no token left, or is no number.
    """
    p = logits.double().softmax(-1)
    bad = torch.isnan(p[:, 0])
    if bad.any():
        row = int(bad.nonzero()[0])
        empty = bool((logits[row] == -torch.inf).all())
        what = "no token left after filtering" if empty else "logits that are no numbers (nan or +inf)"
        raise ValueError(f"position {first + row} has {what}: every position needs a token of finite logit")
    return p


def draw(p: Tensor, rng: torch.Generator | None) -> Tensor:
    """One token a row, drawn from unnormalised probabilities.

    Args:
        p: (m, V), none negative, each row with a positive sum.
        rng: Source of randomness; None for torch's own.

    Returns:
        (m,), int64.
    """
    return torch.multinomial(p, 1, generator=rng)[:, 0]


def acceptance(p: Tensor, q: Tensor, x: Tensor) -> Tensor:
    """Chance that each draft is kept, min(1, p[x] / q[x]): (m, V), (m, V), (m,) → (m,)."""
    index = x[:, None]
    smallest = torch.finfo(q.dtype).tiny  # a draft that q gives nothing to can be there by underflow only
    chance: Tensor = p.gather(1, index)[:, 0] / q.gather(1, index)[:, 0].clamp(min=smallest)
    return chance.clamp(max=1)


def accept_prefix(p: Tensor, q: Tensor, x: Tensor, rng: torch.Generator | None) -> int:
    """How many drafts are kept: each with probability min(1, p[x] / q[x]), up to the first refusal.

    Exact only if ``x`` was drawn from ``q``, and ``p`` and ``q`` both come after all filters.

    Args:
        p: (m, V) what the model says now, float64.
        q: (m, V) what the drafts were drawn from, float64.
        x: (m,) drafts.
        rng: Source of randomness; None for torch's own.

    Returns:
        A number from 0 to m.
    """
    if len(x) == 0:
        return 0
    uniform = torch.rand(len(x), generator=rng, dtype=torch.float64, device=x.device)
    refused = uniform >= acceptance(p, q, x)
    return int(torch.cat([refused, refused.new_ones(1)]).int().argmax())


def redraw(p: Tensor, old: Tensor, rng: torch.Generator | None) -> Tensor:
    """Drafts behind a refusal, drawn from what the model has just said about their places.

    Args:
        p: (m, V), conditioned on the drafts that were tested, refused ones among them.
        old: The drafts that stood there. They are not used: kept beside the new p, they would not have
            been drawn from it, and the test would no longer be exact.
        rng: Source of randomness.

    Returns:
        (m,).
    """
    return draw(p, rng) if len(p) else torch.zeros(0, dtype=torch.long, device=p.device)


def residual(p: Tensor, q: Tensor) -> Tensor:
    """What a refused draft is replaced from: max(0, p - q), normalised; p itself where that is empty.

    The difference is empty only if p = q up to rounding, where no refusal has probability above rounding.
    No temperature or filter may be applied to it again.

    Args:
        p: (V,), float64.
        q: (V,), float64.

    Returns:
        (V,), sums to 1.
    """
    rest = (p - q).clamp(min=0)
    total = rest.sum()
    return rest / total if total > 0 else p


def one_hot(x: Tensor, vocab_size: int) -> Tensor:
    """(m,) tokens as (m, V) distributions that are sure of them, float64."""
    q = torch.zeros(len(x), vocab_size, dtype=torch.float64, device=x.device)
    return q.scatter_(1, x[:, None], 1.0)

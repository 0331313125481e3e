"""Where a compressed context loses: at a segment's start, along a string, on surprises.

Reference: Deng et al., arXiv 2412.17483, section 4. All probes take `logits_of`: a function of (B, T)
ids that gives (B, T, V) logits, so that gist models, full attention and caches of raw tokens
are measured alike. Shapes: B batch, T raw tokens, V vocabulary, L tokens of a segment, n tokens of a string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .autoencoding import WeakDecoder, intervals
from .layout import IGNORED

LogitsOf = Callable[[Tensor], Tensor]


@torch.no_grad()
def token_losses(logits_of: LogitsOf, ids: Tensor, labels: Tensor | None = None) -> Tensor:
    """(B, T - 1): nats of each token but the first, by the place that predicts it; nan where ``IGNORED``."""
    logits = logits_of(ids)[:, :-1].float()
    losses = nn.functional.cross_entropy(logits.mT, ids[:, 1:], reduction="none")
    return losses if labels is None else losses.masked_fill(labels[:, 1:] == IGNORED, torch.nan)


def position_curve(logits_of: LogitsOf, reference: LogitsOf, ids: Tensor, segment_len: int) -> Tensor:
    """Excess loss over a reference by the offset of the *predicting* token in its segment.

    At offset 0 only one raw token and the gists are there; the first token of a segment is not
    such a place, since the segment before it is still raw when it is predicted. The first segment, with
    nothing compressed before it, is left out.

    Args:
        logits_of: Of the compressed model.
        reference: Of the model with full attention.
        ids: (B, T), T a multiple of L and at least two segments.
        segment_len: L.

    Returns:
        (L,) in nats; the last offset has one row of segments less.

    Raises:
        ValueError: if T does not fit.
    """
    T = ids.shape[1]
    if T % segment_len or 2 * segment_len > T:
        raise ValueError(f"need whole segments of {segment_len} tokens, two at least, got {T} tokens")
    excess = token_losses(logits_of, ids) - token_losses(reference, ids)
    excess = excess[:, segment_len:]
    # The last token predicts nothing here.
    padded = nn.functional.pad(excess, (0, 1), value=float("nan"))
    return padded.view(-1, segment_len).nanmean(0)


def boundary_ratio(curve: Tensor) -> float:
    """Excess in the first eighth of a segment over that in the last eighth."""
    eighth = max(1, len(curve) // 8)
    return (curve[:eighth].mean() / curve[-eighth:].mean()).item()


def right(logits_of: LogitsOf, ids: Tensor) -> Tensor:
    """(B, T) bool: tokens that are the likeliest ones; False for the first."""
    with torch.no_grad():
        found = logits_of(ids)[:, :-1].argmax(-1) == ids[:, 1:]
    return nn.functional.pad(found, (1, 0))


def recall_probe(logits_of: LogitsOf, ids: Tensor, asked: Tensor) -> float:
    """Share of the tokens asked for, (B, T) bool, that are the likeliest."""
    if not asked.any():
        raise ValueError("recall_probe needs at least one token that is asked for")
    return right(logits_of, ids)[asked].float().mean().item()


def surprise_probe(logits_of: LogitsOf, ids: Tensor, asked: Tensor, related: Tensor) -> tuple[float, float]:
    """Recall of what is related to its surroundings, and of what is not.

    Args:
        logits_of: Of the model.
        ids: (B, T).
        asked: (B, T) bool.
        related: (B, T) bool, among `asked`.
    """
    found = right(logits_of, ids)
    surprises = asked & ~related
    if not related.any() or not surprises.any():
        raise ValueError("surprise_probe needs related tokens and surprises among those asked for")
    return found[related].float().mean().item(), found[surprises].float().mean().item()


def uuid_prefix_curve(write_on: Callable[[Tensor, int], Tensor], ids: Tensor, string: Tensor) -> Tensor:
    """How far a string is repeated: each of its tokens, the model writing on its own from the first.

    Args:
        write_on: (B', P) ids and a number of tokens → (B', P + number).
        ids: (B, T).
        string: (B, T) bool: n tokens a row, in one run, which repeat something said before.

    Returns:
        (n,) share of rows in which the token is right.

    Raises:
        ValueError: if rows have no string or strings of unlike lengths.
    """
    lengths = string.sum(1)
    n = int(lengths[0])
    if n == 0 or not bool((lengths == n).all()):
        raise ValueError(f"each row needs a string of one length, got {sorted(set(lengths.tolist()))}")
    starts = string.int().argmax(1)
    found = torch.zeros(n)
    for start in starts.unique().tolist():
        rows = ids[starts == start]
        written = write_on(rows[:, :start], n)[:, start:]
        found += (written == rows[:, start : start + n]).float().sum(0)
    return found / len(ids)


def slope(curve: Tensor) -> float:
    """Least-squares slope of a curve, in its unit per place."""
    x = torch.arange(len(curve), dtype=torch.float64)
    x, y = x - x.mean(), curve.double() - curve.double().mean()
    return ((x * y).sum() / (x * x).sum()).item()


def reconstruction_accuracy(decoder: WeakDecoder, lm: Any, ids: Tensor) -> float:
    """Share of raw tokens that a decoder rebuilds, each in its place, from the gists alone.

    Args:
        decoder: Trained for `lm`.
        lm: A ``GistCausalLM``.
        ids: (B, T), at least one complete interval.
    """
    with torch.no_grad():
        gists = lm(ids).gists
    if gists.shape[1] == 0:
        raise ValueError(f"no gist stands in {ids.shape[1]} tokens at {lm.config}")
    rebuilt = decoder.rebuild(gists, lm.model).view(-1, decoder.ratio)
    return (rebuilt == intervals(ids, gists, decoder.ratio)).float().mean().item()

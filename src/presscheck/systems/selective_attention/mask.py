"""The mask that tokens vote for: what each key has lost by the time a query looks at it.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 3 (the mask), section 5 (pruning
and the memory loss). Shapes: B batch, N tokens, Q queries, S keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """What votes are summed in: float32 at least, since a sum in bfloat16 stops growing."""
    return torch.promote_types(dtype, torch.float32)


def selective_mask(
    logits: Tensor,
    causal: bool = True,
    *,
    allowed: Tensor | None = None,
    documents: Tensor | None = None,
    valid: Tensor | None = None,
) -> Tensor:
    """What is subtracted from all heads' logits: F[i, j], the votes against key j cast before query i.

    S[k, j] = relu(logits[k, j]) for j < k, and 0 where j opens its document;
    F[i, j] = sum of S[k, j] over k < i. F never falls from one row to the next.

    Args:
        logits: (B, N, N) of the selecting head, scaled, not masked.
        causal: False is refused: a vote needs an order of tokens.
        allowed: (B or 1, N, N), True where a query may see a key. It may not look ahead.
        documents: (B, N) numbers, where several documents are packed into a row: votes stay
            inside a document, and the first token of each cannot be voted against.
        valid: (B, N), False at padding: it casts no votes, and nobody sees it.

    Returns:
        (B, N, N), float32, or float64 for float64 logits.

    Raises:
        ValueError: for a use that is not causal, or shapes that do not fit.
    """
    if not causal:
        raise ValueError(
            "selective attention is causal: a vote masks a key for later queries; got causal=False"
        )
    if logits.ndim != 3 or logits.shape[1] != logits.shape[2]:
        raise ValueError(f"logits must be (batch, tokens, tokens) of one head, got {tuple(logits.shape)}")
    B, N, _ = logits.shape
    _check_rows(documents, valid, B, N)
    seen = visible_pairs(0, N, N, documents, valid, logits.device)
    if allowed is not None:
        refuse_looking_ahead(allowed, 0)
        seen = seen & allowed
    votes = cast_votes(logits.to(accumulation_dtype(logits.dtype)), seen, 0, opening_keys(seen, 0))
    nothing = votes.new_zeros(B, 1, N)
    return torch.cat([nothing, votes.cumsum(-2)[:, :-1]], dim=1)


def visible_pairs(
    start: int, stop: int, keys: int, documents: Tensor | None, valid: Tensor | None, device: torch.device
) -> Tensor:
    """(B or 1, stop - start, keys): True where a query of these rows may see a key of the first `keys`."""
    rows = torch.arange(start, stop, device=device)[:, None]
    pairs = (torch.arange(keys, device=device) <= rows)[None]
    if documents is not None:
        pairs = pairs & (documents[:, start:stop, None] == documents[:, None, :keys])
    if valid is not None:
        # A query of padding sees nothing, so it has nothing to vote on.
        pairs = pairs & valid[:, None, :keys] & valid[:, start:stop, None]
    return pairs


def refuse_looking_ahead(allowed: Tensor, start: int) -> None:
    """Raise if a mask, (..., Q, S) with its first query at key `start`, lets a query see a later key."""
    Q, S = allowed.shape[-2:]
    rows = torch.arange(start, start + Q, device=allowed.device)[:, None]
    ahead = allowed & (torch.arange(S, device=allowed.device) > rows)
    if bool(ahead.any()):
        place = ahead.nonzero()[0].tolist()
        raise ValueError(
            f"the mask lets query {place[-2] + start} see key {place[-1]}, which comes later: selective "
            "attention is causal, since a vote masks a key for later queries only"
        )


def opening_keys(allowed: Tensor, start: int) -> Tensor:
    """(B or 1, Q): True where a row sees no key before its own: the first token of a document, or padding."""
    Q, S = allowed.shape[-2:]
    rows = torch.arange(start, start + Q, device=allowed.device)[:, None]
    return ~(allowed & (torch.arange(S, device=allowed.device) < rows)).any(-1)


def cast_votes(selector: Tensor, allowed: Tensor, start: int, opening: Tensor) -> Tensor:
    """S of the paper: relu of the logits, where a vote may be cast at all.

    Args:
        selector: (B, Q, S) logits of the selecting head.
        allowed: (B or 1, Q, S), causal. Logits that are not allowed must not leak in through the relu.
        start: Key of the first query.
        opening: (B or 1, S), keys that cannot be voted against.

    Returns:
        (B, Q, S).
    """
    Q, S = selector.shape[-2:]
    rows = torch.arange(start, start + Q, device=selector.device)[:, None]
    others = torch.arange(S, device=selector.device) != rows
    own = allowed.diagonal(start, -2, -1)  # a query that may not see itself is padding
    may = allowed & others & ~opening[:, None] & own[..., None]
    return torch.where(may, selector.relu(), 0.0)


def memory_loss(
    masks: Sequence[Tensor], tau: float = 1.0, eps: float = 0.1, *, allowed: Tensor | None = None
) -> Tensor:
    """What training pays for keys that stay unmasked: eps * sum over layers of max_i M[i] / (L * N).

    M[i] = sum over j <= i of 1 - min(F[i, j], tau) / tau, the keys that query i still sees.

    Args:
        masks: F of each layer, (B, N, N).
        tau: Votes at which a key counts as masked, in logits.
        eps: Weight beside the language modelling loss.
        allowed: (B or 1, N, N), where not all earlier keys are seen: padding, packed documents.
            N is then the number of tokens that see themselves.

    Returns:
        The loss, averaged over the batch.

    Raises:
        ValueError: without a layer, or for `tau` or `eps` that make no sense.
    """
    if not masks:
        raise ValueError("memory_loss needs the mask of at least one layer, got none")
    if not tau > 0 or eps < 0:
        raise ValueError(f"tau must be above 0 and eps not below, got tau={tau} and eps={eps}")
    N = masks[0].shape[-1]
    seen = visible_pairs(0, N, N, None, None, masks[0].device)
    if allowed is not None:
        seen = seen & allowed
    tokens = seen.diagonal(0, -2, -1).sum(-1).clamp(min=1)
    unmasked = [torch.where(seen, 1 - mask.clamp(max=tau) / tau, 0.0).sum(-1).amax(-1) for mask in masks]
    return eps * (torch.stack(unmasked).mean(0) / tokens).mean()


# Which keys are kept ----------------------------------------------------------------


def first_to_go(votes: Tensor, open_to: Tensor, positions: Tensor) -> Tensor:
    """(B,): the key with most votes among those open to eviction; of equals, the oldest.

    Args:
        votes: (B, S).
        open_to: (B, S), True where a key may go.
        positions: (B, S), place of each key in the text.
    """
    score = votes.masked_fill(~open_to, -torch.inf)
    best = score == score.amax(-1, keepdim=True)
    return positions.masked_fill(~best, torch.iinfo(positions.dtype).max).argmin(-1)


@torch.no_grad()
def kept_keys(
    masks: Tensor, budget: int, alive: Tensor, arriving: Tensor, protected: Tensor, positions: Tensor
) -> Tensor:
    """Which keys each query of a run finds in a cache of `budget` keys.

    Before a new key comes into a full cache, the key with most votes so far leaves it for good.

    Args:
        masks: (B, Q, S): F of each query. The last Q keys are the queries' own, one each.
        budget: Keys kept, that of the query included; at least 2.
        alive: (B, S), True for the keys that are there before the run.
        arriving: (B, Q), False at padding, which takes no room.
        protected: (B, S), keys that stay whatever happens.
        positions: (B, S), places in the text.

    Returns:
        (B, Q, S).
    """
    B, Q, S = masks.shape
    start, rows = S - Q, torch.arange(B, device=masks.device)
    places = torch.arange(S, device=masks.device)
    newest = (places == torch.arange(start, S, device=masks.device)[:, None]) & arriving[:, :, None]
    # Nothing can go before the cache is full, so these rows need no loop.
    easy = min(Q, max(0, budget - start))
    kept = alive[:, None] | newest.cumsum(1).bool()
    alive = kept[:, easy - 1].clone() if easy else alive.clone()
    for q in range(easy, Q):
        goes = arriving[:, q] & (alive.sum(-1) >= budget)
        victim = first_to_go(masks[:, q], alive & ~protected, positions)
        alive[rows, victim] &= ~goes
        alive[:, start + q] = arriving[:, q]
        kept[:, q] = alive
    return kept


def _check_rows(documents: Tensor | None, valid: Tensor | None, batch: int, tokens: int) -> None:
    for name, given in (("documents", documents), ("valid", valid)):
        if given is not None and tuple(given.shape) != (batch, tokens):
            raise ValueError(
                f"{name} must be ({batch}, {tokens}), a number a token, got {tuple(given.shape)}"
            )

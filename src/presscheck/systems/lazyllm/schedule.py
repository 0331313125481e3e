"""How many tokens each layer reads, and what that costs.

Reference: Fu et al., arXiv 2407.14057, section 3.2: tokens are pruned progressively, so that
early layers read all of them and deeper ones fewer and fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CHOICES = ("attention", "random", "recent")


@dataclass(frozen=True)
class PruneSchedule:
    """Which share of all tokens a layer reads, and who chooses them.

    Args:
        keep: (layer, share) pairs: from this layer on, counted from 0, that share of all tokens
            seen is read. Layers rise, shares do not. Layer 0 always reads everything.
        min_tokens: Fewer are never left.
        protect_first: So many tokens at the start are always kept.
        protect_last: So many at the end; the newest always is.
        choose: ``attention`` of the newest token (the paper), or, to compare with,
            ``random`` (drawn once a position) and ``recent``.
        revive: Whether a token that was left out can come back at a later step. Without it
            the choice made for the prompt stays, which is static pruning.
        seed: Of ``random``.

    Raises:
        ValueError: naming the field that does not fit.
    """

    keep: Sequence[tuple[int, float]]
    min_tokens: int = 16
    protect_first: int = 0
    protect_last: int = 1
    choose: str = "attention"
    revive: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", _pairs(self.keep))
        before, limit = 0, 1.0
        for layer, share in self.keep:
            if layer <= before:
                raise ValueError(
                    f"keep has layer {layer} after {before}: layers must rise from 1, since layer 0 "
                    "reads everything and a layer's tokens are chosen by the one before it"
                )
            if not 0 < share <= 1:
                raise ValueError(
                    f"keep must have shares in (0, 1], got {share}: it is the share kept, not pruned"
                )
            if share > limit:
                raise ValueError(
                    f"keep rises from {limit} to {share} at layer {layer}: a token that one layer has "
                    "not read cannot enter the next, so shares must not rise"
                )
            before, limit = layer, share
        for name, least in (("min_tokens", 1), ("protect_first", 0), ("protect_last", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of tokens from {least} up, got {value!r}")
        if self.choose not in CHOICES:
            raise ValueError(f"choose must be one of {', '.join(CHOICES)}, got {self.choose!r}")

    @classmethod
    def for_budget(cls, budget: float, layers: int, **settings: object) -> PruneSchedule:
        """A progressive schedule that computes a given share of the token-layer pairs of a prompt.

        Down to 0.7 the first half of the layers reads everything; below that pruning starts
        after a fifth, below 0.5 after an eighth. The rest falls in three equal steps.

        Raises:
            ValueError: if the budget cannot be met in this way, or there are fewer than 6 layers.
        """
        if layers < 6:
            raise ValueError(f"a schedule for a budget needs at least 6 layers, got {layers}: give `keep`")
        if budget == 1:
            return cls((), **settings)  # type: ignore[arg-type]
        start = max(1, layers // (2 if budget >= 0.7 else 5 if budget >= 0.5 else 8))
        edges = [start + round(step * (layers - start) / 3) for step in range(4)]
        long = [edges[i + 1] - edges[i] for i in range(3)]
        room = budget * layers - start
        mean = room / (layers - start)
        spread = min((1 - mean) / 2, mean - 0.1)
        if not 0.1 < mean < 1 or spread <= 0:
            raise ValueError(
                f"budget must lie in about [0.3, 1), got {budget}: the share of work that is left"
            )
        # Steps differ by a layer where three does not divide: the mean is set for the sum to fit.
        mean = (room - spread * (long[0] - long[2])) / (layers - start)
        shares = (mean + spread, mean, mean - spread)
        return cls(tuple(zip(edges[:3], shares, strict=True)), **settings)  # type: ignore[arg-type]

    @property
    def deepest(self) -> int:
        """The last layer that the schedule names; 0 if it names none."""
        return self.keep[-1][0] if self.keep else 0

    def share(self, layer: int) -> float:
        """The share of all tokens that a layer reads."""
        return next((share for start, share in reversed(self.keep) if start <= layer), 1.0)

    def prunes(self, layer: int) -> bool:
        """Whether tokens are chosen anew for this layer."""
        return any(start == layer for start, share in self.keep if share < 1)

    def count(self, layer: int, tokens: int) -> int:
        """Tokens that a layer reads of so many seen."""
        share = self.share(layer)
        if share == 1:
            return tokens
        # 0.7 * 10 is a little more than 7 in floating point, and would round up to 8.
        wanted = math.ceil(share * tokens - 1e-9)
        return min(tokens, max(wanted, self.min_tokens, self.protect_first + self.protect_last))

    def work(self, tokens: int, layers: int) -> float:
        """Share of the (token, layer) pairs of a prompt that are computed: sum of n_l over N * L."""
        return sum(self.count(layer, tokens) for layer in range(layers)) / (tokens * layers)

    def attention_work(self, tokens: int, layers: int) -> float:
        """The same for query-key pairs, which grow with the square: sum of n_l (n_l + 1)."""
        pairs = sum(n * (n + 1) for n in (self.count(layer, tokens) for layer in range(layers)))
        return pairs / (layers * tokens * (tokens + 1))


def _pairs(keep: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    try:
        pairs = tuple((layer, float(share)) for layer, share in keep)
        whole = all(int(layer) == layer for layer, _ in pairs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"keep must be (layer, share) pairs, as in [(15, 0.8)], got {keep!r}") from error
    if not whole:
        raise ValueError(f"keep must name layers by whole numbers, got {keep!r}")
    return tuple((int(layer), share) for layer, share in pairs)

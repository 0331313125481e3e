"""What the search is held against: choices by scores of single units, which add up as if independent.

Cosine: a block that hardly turns the residual stream is dropped (ShortGPT, arXiv 2403.03853); window
cosine: the run of blocks that turns it least (Gromov et al., arXiv 2403.17887). Removal: each
unit dropped alone. Greedy: one unit after another. Dynamic programming: the least sum
of layer errors within the cost.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .search import Result
from .space import CompressionSpace, Profile
from .units import DepthSpace


@torch.no_grad()
def _streams(space: DepthSpace, ids: Tensor) -> list[Tensor]:
    """(B * T, D) of the residual stream before each block and half block, and at the end."""
    seen: list[Tensor] = []
    handles = []

    def keep(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        hidden = given[0] if given else named["hidden_states"]
        seen.append(hidden.float().flatten(0, -2))

    def halfway(_: Any, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        seen.append(seen[-1] + output[0].float().flatten(0, -2))

    try:
        for block in space.blocks:
            handles.append(block.register_forward_pre_hook(keep, with_kwargs=True))
            handles.append(block.self_attn.register_forward_hook(halfway, with_kwargs=True))
        last = space.blocks[-1].register_forward_hook(
            lambda _, given, output: seen.append(
                (output[0] if isinstance(output, tuple) else output).float().flatten(0, -2)
            )
        )
        handles.append(last)
        space.model.model(ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _turn(before: Tensor, after: Tensor) -> float:
    return 1.0 - torch.nn.functional.cosine_similarity(before, after, dim=-1).mean().item()


def cosine_scores(space: DepthSpace, ids: Tensor) -> list[float]:
    """How far each unit turns the residual stream: 1 - cosine of before and after, mean over tokens.

    Args:
        space: Blocks, spans of blocks, or sub-blocks.
        ids: (B, T) of token ids.

    Returns:
        One number a unit; the least goes first.
    """
    seen = _streams(space, ids)
    if space.granularity == "subblock":
        # In the order of units: attention and MLP of a span, each summed over the span's blocks.
        each = 2 * space.span
        found = []
        for start in range(0, len(seen) - 1, each):
            for half in (0, 1):
                found.append(sum(_turn(seen[i], seen[i + 1]) for i in range(start + half, start + each, 2)))
        return found
    return [_turn(seen[i], seen[i + 2 * space.span]) for i in range(0, len(seen) - 1, 2 * space.span)]


def drop_least(space: DepthSpace, scores: Sequence[float]) -> Profile:
    """The profile that drops the units of least score, of each type as many as the budget says."""
    profile = [1] * len(space.units)
    for group, members in space.members.items():
        order = sorted(members, key=lambda unit: scores[unit])
        for unit in order[: len(members) - space.totals[group]]:
            profile[unit] = 0
    return space.check(profile)


def window_cosine(space: DepthSpace, ids: Tensor) -> Profile:
    """Drop the run of units, as long as the budget says, that turns the residual stream least.

    Raises:
        ValueError: for sub-blocks, of which a run has no meaning here.
    """
    if space.granularity == "subblock":
        raise ValueError("window cosine drops a run of blocks; need granularity='block'")
    seen, span = _streams(space, ids)[::2], space.span
    width = space.dropped * span
    turns = [_turn(seen[i], seen[i + width]) for i in range(0, len(seen) - width, span)]
    first = min(range(len(turns)), key=turns.__getitem__)
    return space.check([int(not first <= i < first + space.dropped) for i in range(len(space.units))])


def removals(space: DepthSpace, fitness: Any, batch: Any) -> list[float]:
    """Fitness with each unit dropped alone.

    Args:
        space: Of the units; how many it drops does not matter.
        fitness: A ``KLFitness`` over it, or a ``TableFitness`` that has these profiles.
        batch: Drawn from the fitness.

    Returns:
        One number a unit; the least goes first.
    """
    n = len(space.units)
    if space.granularity == "subblock":
        raise ValueError("a sub-block cannot be dropped alone in a space that drops as many of each type")
    profiles = [tuple(int(i != unit) for i in range(n)) for unit in range(n)]
    return list(fitness.over(space.dropping(1))(profiles, batch))


def dynamic_programming(
    errors: Sequence[Sequence[float]], cost: Sequence[Sequence[int]], budget: int
) -> Profile:
    """The levels of least summed error whose summed cost is at most the budget.

    Exact: a table over units and costs, in steps of the greatest common divisor of all costs.

    Args:
        errors: Unit → error at each level.
        cost: Unit → cost at each level, whole numbers.
        budget: Of the sum.

    Raises:
        ValueError: if even the cheapest levels cost more.
    """
    least = sum(min(row) for row in cost)
    if least > budget:
        raise ValueError(f"infeasible budget: {budget}, the cheapest levels cost {least}")
    step = int(np.gcd.reduce([value for row in cost for value in row]))
    room = budget // step
    best = np.zeros(room + 1)
    choice = np.zeros((len(cost), room + 1), dtype=np.int16)
    for unit, (row, prices) in enumerate(zip(errors, cost, strict=True)):
        following = np.full(room + 1, np.inf)
        for level, (error, price) in enumerate(zip(row, prices, strict=True)):
            price //= step
            if price > room:
                continue
            candidate = np.full(room + 1, np.inf)
            candidate[price:] = best[: room + 1 - price] + error
            better = candidate < following
            following[better] = candidate[better]
            choice[unit][better] = level
        best = following
    profile, left = [], room
    for unit in reversed(range(len(cost))):
        level = int(choice[unit][left])
        profile.append(level)
        left -= cost[unit][level] // step
    return tuple(reversed(profile))


def allocate(space: CompressionSpace, errors: Sequence[Sequence[float]]) -> Profile:
    """Dynamic programming within each group of a space, so that the search could choose the same.

    Over all layers at once the sum of relative errors starves large layers to feed many small ones.

    Args:
        space: Of the units.
        errors: Unit → error at each level.
    """
    profile = [0] * len(space.units)
    for group, members in space.members.items():
        steps = [range(len(space.levels))] * len(members)
        found = dynamic_programming([errors[i] for i in members], steps, space.totals[group])
        for unit, level in zip(members, found, strict=True):
            profile[unit] = level
    # Where errors do not fall with the level, the cheapest sum may leave steps over: they are handed on.
    for group, members in space.members.items():
        for unit in members:
            left = space.totals[group] - sum(profile[i] for i in members)
            profile[unit] += min(left, len(space.levels) - 1 - profile[unit])
    return space.check(profile)


def greedy(space: DepthSpace, fitness: Any, *, max_tokens: int, tokens: int, seed: int = 0) -> Result:
    """Drop one unit after another, each time the one whose loss costs least.

    Args:
        space: Of the units to be dropped.
        fitness: A ``KLFitness`` over it, or a ``TableFitness`` that has all profiles on the way.
        max_tokens: As many tokens may be read.
        tokens: Smallest batch, such as one sequence; a round takes the largest multiple that fits.
        seed: Of the batches.

    Raises:
        ValueError: for sub-blocks, or if the budget does not pay for a round on `tokens` each.
    """
    if space.granularity == "subblock":
        raise ValueError("greedy removal drops units of one type; need granularity='block'")
    n = len(space.units)
    scorings = sum(n - already for already in range(space.dropped))
    batch_tokens = max_tokens // scorings // tokens * tokens
    if batch_tokens < tokens:
        raise ValueError(
            f"greedy removal scores {scorings} profiles, which max_tokens={max_tokens} pays for on "
            f"{max_tokens // scorings} tokens each; need at least {tokens}"
        )
    rng = random.Random(f"greedy {seed}")
    profile, result = (1,) * n, Result((), float("inf"))
    for already in range(space.dropped):
        kept = [unit for unit in range(n) if profile[unit]]
        profiles = [(*profile[:unit], 0, *profile[unit + 1 :]) for unit in kept]
        stage = fitness.over(space.dropping(already + 1))
        scores = stage(profiles, stage.draw(rng, batch_tokens))
        result.evaluations += len(profiles)
        result.tokens += len(profiles) * batch_tokens
        result.fitness, profile = min(zip(scores, profiles, strict=True))
    result.best = space.check(profile)
    return result

"""The search: offspring by level switches, selected in steps on more and more tokens.

Reference: Sieberling et al., arXiv 2410.14649, section 3 and algorithm 1; numbers of the official
scripts as defaults. Every stage draws calibration text anew, all its candidates see the same
text, and the parent is scored again in the last stage: a parent's lucky score of another
batch must not outlive its offspring.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .space import CompressionSpace, Profile, switches


class Fitness(Protocol):
    """Scores profiles on a batch of calibration text; lower is better."""

    def draw(self, rng: random.Random, tokens: int) -> Any:
        """A batch of so many tokens."""

    def __call__(self, profiles: Sequence[Profile], batch: Any) -> list[float]:
        """One score a profile, all on the same batch."""


class TableFitness:
    """Fitness looked up in a table of profiles already scored: search costs nothing."""

    def __init__(self, table: Mapping[Profile, float]) -> None:
        self.table = table

    def over(self, space: Any) -> TableFitness:
        """Itself: a table has what it has."""
        return self

    def draw(self, rng: random.Random, tokens: int) -> None:
        """There is one batch, the table's."""

    def __call__(self, profiles: Sequence[Profile], batch: Any = None) -> list[float]:
        """The scores of the table."""
        return [self.table[profile] for profile in profiles]


@dataclass(frozen=True)
class Step:
    """Where a search stood."""

    evaluations: int
    """Scorings of a profile so far, repeated ones included."""
    tokens: int
    """Tokens these scorings read."""
    fitness: float
    """Of the profile held, on the batch of its selection."""
    profile: Profile


@dataclass
class Result:
    """What a search found."""

    best: Profile
    fitness: float
    """Of the best, on the batch on which it was selected."""
    evaluations: int = 0
    tokens: int = 0
    history: list[Step] = field(default_factory=list)

    def evaluations_to(self, target: float) -> int | None:
        """Evaluations until a profile at least as good as `target` was held; None if never.

        It compares fitness and not profiles, since tables have ties. It makes sense only where
        all batches are one.
        """
        return next((step.evaluations for step in self.history if step.fitness <= target), None)


class _Budget:
    """Counts what is scored."""

    def __init__(self, fitness: Fitness, most: int | None) -> None:
        self.fitness, self.most = fitness, most
        self.evaluations = self.tokens = 0

    def fits(self, tokens: int) -> bool:
        return self.most is None or self.tokens + tokens <= self.most

    def score(self, profiles: Sequence[Profile], rng: random.Random, tokens: int) -> list[float]:
        batch = self.fitness.draw(rng, tokens)
        found = [float(value) for value in self.fitness(profiles, batch)]
        if len(found) != len(profiles):
            raise ValueError(f"the fitness gave {len(found)} scores for {len(profiles)} profiles")
        self.evaluations += len(profiles)
        self.tokens += len(profiles) * tokens
        return found


class EvoPress:
    """(1 + offspring) evolutionary search over a space.

    Args:
        space: The profiles.
        fitness: Scores them, lower is better.
        offspring: Children a generation.
        stages: (survivors, tokens) of each selection; the last keeps 1.
        generations: At most so many.
        initial: Random profiles of which the best becomes the parent; 0 with `start`.
        initial_tokens: Tokens these are scored on.
        start: Profiles that join the initial ones, such as a score's choice or the uniform one.
        max_tokens: Tokens all scorings together may read; a generation that would pass it is not begun.
        seed: Of profiles, mutations and batches.

    Raises:
        ValueError: if the numbers make no search, or the initial profiles alone pass `max_tokens`.
    """

    def __init__(
        self,
        space: CompressionSpace,
        fitness: Fitness,
        *,
        offspring: int = 32,
        stages: Sequence[tuple[int, int]] = ((2, 2048), (1, 32768)),
        generations: int = 160,
        initial: int = 64,
        initial_tokens: int = 2048,
        start: Sequence[Profile] = (),
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        kept = [survivors for survivors, _ in stages]
        if not kept or kept[-1] != 1:
            raise ValueError(f"the last stage must keep 1 survivor, the next parent; got survivors {kept}")
        if any(after > before for before, after in zip([offspring, *kept], kept, strict=False)):
            raise ValueError(f"survivors cannot grow: {offspring} offspring, then {kept}")
        if min(tokens for _, tokens in stages) < 1 or offspring < 1 or generations < 0 or initial < 0:
            raise ValueError(
                "offspring and tokens of stages must be positive, generations and initial not less than 0"
            )
        self.space, self.fitness = space, fitness
        self.offspring, self.stages, self.generations = offspring, tuple(stages), generations
        self.initial, self.initial_tokens = initial, initial_tokens
        self.start = [space.check(profile) for profile in start]
        self.max_tokens, self.seed = max_tokens, seed
        first = initial + len(self.start)
        if not first:
            raise ValueError("a search needs initial profiles: initial > 0 or a start")
        # A single profile is the parent without being scored.
        if max_tokens is not None and first > 1 and first * initial_tokens > max_tokens:
            raise ValueError(
                f"{first} initial profiles on {initial_tokens} tokens each pass max_tokens={max_tokens}"
            )

    def run(self) -> Result:
        """Search; the same seed gives the same result."""
        rng = random.Random(f"evopress {self.seed}")
        spent = _Budget(self.fitness, self.max_tokens)
        first = list(self.start)
        first += _distinct(self.space, rng, self.initial, set(first))
        history: list[Step] = []
        if len(first) == 1:
            parent, best = first[0], float("inf")
        else:
            scores = spent.score(first, rng, self.initial_tokens)
            best, parent = min(zip(scores, first, strict=True), key=lambda pair: pair[0])
            history.append(Step(spent.evaluations, spent.tokens, best, parent))
        for _ in range(self.generations):
            children = self._children(parent, rng)
            if not spent.fits(self._tokens(len(children))):
                break
            for number, (survivors, tokens) in enumerate(self.stages):
                last = number == len(self.stages) - 1
                # The parent comes last, so that an offspring as good takes its place: plateaus are crossed.
                field_ = [*children, parent] if last else children
                scores = spent.score(field_, rng, tokens)
                order = sorted(range(len(field_)), key=scores.__getitem__)[:survivors]
                children = [field_[i] for i in order]
                best = scores[order[0]]
            parent = children[0]
            history.append(Step(spent.evaluations, spent.tokens, best, parent))
        return Result(parent, best, spent.evaluations, spent.tokens, history)

    def _children(self, parent: Profile, rng: random.Random) -> list[Profile]:
        """Distinct offspring, none the parent; fewer where there are no more near it."""
        found: dict[Profile, None] = {}
        for _ in range(20 * self.offspring):
            child = self.space.mutate(parent, rng, switches(rng))
            if child != parent:
                found[child] = None
            if len(found) == self.offspring:
                break
        return list(found)

    def _tokens(self, children: int) -> int:
        """Tokens that a generation reads."""
        total, alive = 0, children
        for number, (survivors, tokens) in enumerate(self.stages):
            total += (alive + (number == len(self.stages) - 1)) * tokens
            alive = min(survivors, alive)
        return total


def random_search(
    space: CompressionSpace, fitness: Fitness, *, tokens: int, max_tokens: int, chunk: int = 16, seed: int = 0
) -> Result:
    """The best of random profiles, none twice, all scored on one batch of `tokens`, within `max_tokens`.

    One batch, since the best of scores on many batches would be the luckiest batch.
    """
    rng = random.Random(f"random {seed}")
    batch = fitness.draw(rng, tokens)
    seen: set[Profile] = set()
    left = max_tokens // tokens
    if left < 1:
        raise ValueError(f"max_tokens={max_tokens} pays for no profile on {tokens} tokens")
    found = Result((), float("inf"))
    while left:
        profiles = _distinct(space, rng, min(chunk, left), seen)
        if not profiles:
            break
        seen.update(profiles)
        for profile, score in zip(profiles, fitness(profiles, batch), strict=True):
            found.evaluations += 1
            found.tokens += tokens
            if score < found.fitness:
                found.best, found.fitness = profile, float(score)
                found.history.append(Step(found.evaluations, found.tokens, found.fitness, profile))
        left -= len(profiles)
    return found


def _distinct(space: CompressionSpace, rng: random.Random, number: int, seen: set[Profile]) -> list[Profile]:
    found: dict[Profile, None] = {}
    tries = 0
    while len(found) < number and tries < 200 * number:
        tries += 1
        profile = space.random_feasible(rng)
        if profile not in seen:
            found[profile] = None
    return list(found)

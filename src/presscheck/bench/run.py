"""Runs an experiment: every arm once a round, in shuffled order; rows out, nothing judged.

An arm is a function of a seed that yields readings (metric, value, unit). The loop
lives here, so that no experiment can favour an arm by the order it runs in: all arms
of a round get the same seed, the order is drawn anew each round, warm-up rounds are
dropped, and the garbage collector is off while a clock runs.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from presscheck.claims import Measurement, Size
from presscheck.errors import BadInput
from presscheck.types import Struct

Reading = tuple[str, float, str]
"""Metric, value, unit: ``("kv_bytes", 65536.0, "B")``."""

Arm = Callable[[int], Iterable[Reading]]
"""One contender: ours, a baseline or a peer. Takes a seed, yields readings."""

T = TypeVar("T")

ROUNDS: dict[Size, int] = {"smoke": 2, "quick": 5, "full": 5}
WARMUP: dict[Size, int] = {"smoke": 0, "quick": 1, "full": 1}


class Unavailable(Exception):
    """This arm cannot run here; the message says why, and what to do."""


class Run(Struct, frozen=True, kw_only=True):
    """What an experiment is given: how large, with which seeds, where."""

    size: Size = "quick"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    device: str = "cpu"
    model: str | None = None
    warmup: int = 1

    @staticmethod
    def time(call: Callable[[], T]) -> tuple[float, T]:
        """Seconds (wall clock) and result of one call, with garbage collection held off."""
        gc.collect()
        gc.disable()
        try:
            start = time.perf_counter()
            result = call()
            return time.perf_counter() - start, result
        finally:
            gc.enable()


class Rounds:
    """The rounds of an experiment, and what they have yielded so far.

    Args:
        arms: Name → arm, as the experiment gives them.
        run: Its seeds are the rounds.
        done: Readings of rounds that an earlier run has finished.
        skipped: Arms that it had to leave out.
    """

    def __init__(
        self,
        arms: Mapping[str, Arm],
        run: Run,
        done: Iterable[Measurement] = (),
        skipped: Mapping[str, str] | None = None,
    ) -> None:
        if not arms:
            raise BadInput("the experiment has no arm: `arms(run)` must give at least one")
        self.arms, self.run = arms, run
        self.rows = list(done)
        self.skipped = {name: why for name, why in (skipped or {}).items() if name in arms}
        self._first = 1 + max((row.round for row in self.rows), default=-1)

    @property
    def trials(self) -> int:
        """How many trials are still to come, warm-up included, if no arm drops out."""
        rounds = len(self.run.seeds) - self._first
        return (rounds + (self.run.warmup if rounds else 0)) * (len(self.arms) - len(self.skipped))

    def go(self, tick: Callable[[str], None], after: Callable[[], None]) -> None:
        """Run what is left.

        Args:
            tick: Is called with an arm's name after each trial.
            after: Is called after each round; ``rows`` then has all of that round.
        """
        seeds = list(enumerate(self.run.seeds))[self._first :]
        try:
            if seeds:
                for number in range(-self.run.warmup, 0):
                    self._round(number, self.run.seeds[0], tick)
            for number, seed in seeds:
                self.rows += self._round(number, seed, tick)
                after()
        finally:
            for arm in self.arms.values():
                close = getattr(arm, "close", None)
                if close is not None:
                    close()

    def _round(self, number: int, seed: int, tick: Callable[[str], None]) -> list[Measurement]:
        order = [name for name in self.arms if name not in self.skipped]
        random.Random(number).shuffle(order)
        rows: list[Measurement] = []
        for name in order:
            try:
                rows += _trial(name, self.arms[name], seed, number)
            except Unavailable as reason:
                self.skipped[name] = str(reason)
            except Exception as error:
                # One arm that fails must not take the readings of the others with it.
                self.skipped[name] = f"{type(error).__name__} in round {number}, seed {seed}: {error}"
            tick(name)
        return rows


def _trial(name: str, arm: Arm, seed: int, number: int) -> list[Measurement]:
    """The readings of one trial.

    Raises:
        Unavailable: if a reading is no finite number, or a metric comes twice.
    """
    rows: dict[str, Measurement] = {}
    for metric, value, unit in arm(seed):
        value = float(value)
        if not math.isfinite(value):
            raise Unavailable(f"{metric} of {name} is {value} in round {number}, seed {seed}")
        if metric in rows:
            raise Unavailable(f"{name} yields {metric} twice in a trial")
        rows[metric] = Measurement(arm=name, metric=metric, value=value, unit=unit, seed=seed, round=number)
    if not rows:
        raise Unavailable(f"{name} yields nothing")
    return list(rows.values())


def run_of(experiment: Any, size: Size, seeds: int | None, device: str, model: str | None) -> Run:
    """The run that an experiment's module asks for at a size."""
    rounds = seeds or {**ROUNDS, **getattr(experiment, "ROUNDS", {})}[size]
    warmup = {**WARMUP, **getattr(experiment, "WARMUP", {})}[size]
    return Run(size=size, seeds=tuple(range(rounds)), device=device, model=model, warmup=warmup)

"""Solvers whose errors are known: gold code in which each step is, with probability q, a mutant.

A draw says which steps of a problem are wrong. In gold mode a step's verdict hangs on
itself alone; in self mode it also hangs on the steps whose functions it calls, directly
or not, so verdicts are asked for by that part of the draw and kept.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .problems import SciCodeProblem

Passes = Callable[[SciCodeProblem, int, tuple[bool, ...]], bool]
"""Problem, index of the step, which steps up to it are mutants → whether the step passes."""


@dataclass(frozen=True)
class Rates:
    """What a simulated solver reaches."""

    main: float
    steps: float
    gap_in_half_widths: float
    """|main rate - product of step rates| over the half width of its 95 % binomial interval."""


def needs(problem: SciCodeProblem) -> list[frozenset[int]]:
    """For each step, the steps (from 0) that its code calls, and those that they call."""
    names = {step.name: index for index, step in enumerate(problem.steps)}
    found: list[frozenset[int]] = []
    for index, step in enumerate(problem.steps):
        used = {node.id for node in ast.walk(ast.parse(step.gold or "")) if isinstance(node, ast.Name)}
        # The tests of a step may call the steps before it as well.
        for test in step.tests:
            used |= {node.id for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)}
        direct = {names[name] for name in used if names.get(name, index) < index}
        found.append(frozenset(direct).union(*(found[one] for one in direct)))
    return found


@dataclass
class Simulation:
    """Draws and their verdicts.

    Args:
        passes: Asked once for each case that matters.
        mode: ``self`` or ``gold``.
    """

    passes: Passes
    mode: str
    _known: dict[tuple[str, int, tuple[bool, ...]], bool] = field(default_factory=dict)

    def step(
        self, problem: SciCodeProblem, index: int, wrong: tuple[bool, ...], need: frozenset[int]
    ) -> bool:
        """Whether a step passes in a draw."""
        matter = {index} if self.mode == "gold" else need | {index}
        case = tuple(wrong[i] and i in matter for i in range(index + 1))
        key = (problem.id, index, case)
        if key not in self._known:
            self._known[key] = self.passes(problem, index, case)
        return self._known[key]

    def rates(self, draws: Mapping[SciCodeProblem, np.ndarray]) -> Rates:
        """Rates over the draws.

        Args:
            draws: Problem → (draws, steps) of whether a step is a mutant.
        """
        mains, products, variances, passed, total = [], [], [], 0, 0
        for problem, table in draws.items():
            need = needs(problem)
            verdicts = np.array(
                [
                    [self.step(problem, i, tuple(map(bool, row)), need[i]) for i in range(len(need))]
                    for row in table
                ]
            )
            product = float(np.prod(verdicts.mean(axis=0)))
            mains.append(float(verdicts.all(axis=1).mean()))
            products.append(product)
            variances.append(product * (1.0 - product) / len(table))
            passed, total = passed + int(verdicts.sum()), total + verdicts.size
        half = 1.96 * math.sqrt(sum(variances)) / len(mains)
        gap = abs(float(np.mean(mains)) - float(np.mean(products)))
        return Rates(float(np.mean(mains)), passed / total, gap / half if half else 0.0)


def draw(
    problems: list[SciCodeProblem], share: float, draws: int, seed: int
) -> dict[SciCodeProblem, np.ndarray]:
    """Which steps are mutants in each draw, each with probability ``share``."""
    rng = np.random.default_rng([seed, round(1000 * share)])
    return {one: rng.random((draws, len(one.steps))) < share for one in problems}

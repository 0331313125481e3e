"""Grades attempts: a step passes if all its tests hold, a problem if all its graded steps do.

Reference: Tian et al., arXiv 2407.13168, section 3. Differences: the parent compares
values with their shapes (see ``compare`` and ``asserts``), a pass needs the run to end
as it should and not an exit status, and steps that are given count neither for nor
against a problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from .asserts import SplitTest, judge, split
from .compare import WRONG_ANSWER, WRONG_TYPE
from .problems import SciCodeProblem, SciCodeStep
from .prompts import Mode, Model, PromptBuilder, Solution, StepAttempt, solve
from .sandbox import ChildTest, Outcome, Sandbox, TestRun
from .targets import Targets

NO_CODE = "no code"
KINDS = (
    WRONG_ANSWER,
    WRONG_TYPE,
    "exception",
    "timeout",
    "memory",
    NO_CODE,
    "early exit",
    "tampering",
)
"""Why a step can fail."""

Verdict = tuple[str, str]
"""Failure kind (empty for a pass) and detail."""


@dataclass(frozen=True)
class StepVerdict:
    """Whether a step passes; if not, why."""

    number: str
    passed: bool
    kind: str = ""
    """One of `KINDS`, or empty."""
    detail: str = ""
    seconds: float = 0.0
    isolation: str = ""
    handed: bool = False
    """Whether a test had to be given its target inside the child, which is weaker."""
    depends_on_order: bool | None = None
    """Whether the verdict differs when each test has a process of its own; None if not looked at."""


@dataclass(frozen=True)
class ProblemVerdict:
    """A problem's graded steps."""

    id: str
    domain: str
    steps: tuple[StepVerdict, ...]

    @property
    def solved(self) -> bool:
        """Whether every graded step passes."""
        return bool(self.steps) and all(step.passed for step in self.steps)


@dataclass(frozen=True)
class Rate:
    """A share with its Wilson interval."""

    passed: int
    total: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.passed / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Of 95 %."""
        return wilson(self.passed, self.total)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.passed}/{self.total} = {self.value:.3f} [{low:.3f}, {high:.3f}]"


def wilson(passed: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a binomial share (Wilson 1927).

    Raises:
        ValueError: if not 0 <= passed <= total.
    """
    if not 0 <= passed <= total:
        raise ValueError(f"passed must be between 0 and total, got {passed} of {total}")
    if not total:
        return 0.0, 1.0
    share, scale = passed / total, 1.0 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    low = 0.0 if passed == 0 else max(0.0, middle - half)
    return low, 1.0 if passed == total else min(1.0, middle + half)


@dataclass(frozen=True)
class Report:
    """The result of an evaluation."""

    problems: tuple[ProblemVerdict, ...]
    mode: Mode
    with_background: bool
    isolation: str

    @property
    def main(self) -> Rate:
        """Main problems that are solved."""
        return Rate(sum(one.solved for one in self.problems), len(self.problems))

    @property
    def steps(self) -> Rate:
        """Steps that pass; given steps are not counted."""
        verdicts = [step for one in self.problems for step in one.steps]
        return Rate(sum(step.passed for step in verdicts), len(verdicts))

    @property
    def by_domain(self) -> dict[str, tuple[Rate, Rate]]:
        """Domain → main rate and step rate."""
        found = {}
        for domain in sorted({one.domain for one in self.problems}):
            part = [one for one in self.problems if one.domain == domain]
            report = Report(tuple(part), self.mode, self.with_background, self.isolation)
            found[domain] = (report.main, report.steps)
        return found

    @property
    def failures(self) -> dict[str, int]:
        """Failure kind → steps; every kind is listed."""
        counts = dict.fromkeys(KINDS, 0)
        for one in self.problems:
            for step in one.steps:
                if not step.passed:
                    counts[step.kind] += 1
        return counts

    def __str__(self) -> str:
        background = "with" if self.with_background else "without"
        earlier = "gold" if self.mode == "gold" else "the model's own"
        lines = [
            f"{background} background, {earlier} earlier steps, isolation: {self.isolation}",
            f"main problems {self.main}",
            f"steps         {self.steps}",
        ]
        lines += [f"  {name}: main {main}, steps {steps}" for name, (main, steps) in self.by_domain.items()]
        lines += [f"  {kind}: {number}" for kind, number in self.failures.items() if number]
        return "\n".join(lines)


@dataclass
class Grader:
    """Grades steps against their targets.

    Args:
        targets: What the tests should give.
        sandbox: Where code runs.
        strict_shape: False broadcasts as ``np.allclose`` does.
        check_order: Run each test in a process of its own as well, and flag a step whose verdict differs.
        workers: Steps graded at a time.
    """

    targets: Targets
    sandbox: Sandbox = field(default_factory=Sandbox)
    strict_shape: bool = True
    check_order: bool = False
    workers: int = 2
    _splits: dict[str, tuple[SplitTest, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        path = getattr(self.targets, "path", None)
        if path is not None and str(path) not in self.sandbox.hidden:
            # The sandbox shows Python's own folders; the file may lie in one.
            self.sandbox.hidden = (*self.sandbox.hidden, str(path.absolute()))

    def step(
        self, problem: SciCodeProblem, step: SciCodeStep, code: str | None, previous: Sequence[str] = ()
    ) -> StepVerdict:
        """Grade one step.

        Args:
            problem: That the step belongs to.
            step: To be graded.
            code: Of the attempt; None if there is none.
            previous: Code of the steps before.

        Raises:
            ValueError: if the step is none of the problem's, is given, or lacks targets.
        """
        if step not in problem.steps:
            raise ValueError(f"problem {problem.id} has no step {step.number} like this one")
        if step.given:
            raise ValueError(f"step {step.number} is given, so there is nothing to grade")
        targets = self.targets.targets(step.number, len(step.tests))
        if code is None or not code.strip():
            return StepVerdict(step.number, False, NO_CODE, "the reply has no code")
        tests = self._split(step)
        script = "\n\n".join([*previous, code])
        outcome = self._run(problem, script, tests, targets)
        kind, detail = self._verdict(outcome, tests, targets)
        differs: bool | None = None
        if self.check_order:
            alone = []
            for test, target in zip(tests, targets, strict=True):
                one = self._run(problem, script, (test,), [target])
                alone.append(self._verdict(one, (test,), [target])[0])
            differs = any(alone) != bool(kind)
        handed = any(test.handed for test in tests)
        level = outcome.isolation
        return StepVerdict(step.number, not kind, kind, detail, outcome.seconds, level, handed, differs)

    def _split(self, step: SciCodeStep) -> tuple[SplitTest, ...]:
        if step.number not in self._splits:
            self._splits[step.number] = tuple(
                split(test, where=f"test {index} of step {step.number}")
                for index, test in enumerate(step.tests, 1)
            )
        return self._splits[step.number]

    def _run(
        self, problem: SciCodeProblem, script: str, tests: Sequence[SplitTest], targets: Sequence[Any]
    ) -> Outcome:
        pairs = zip(tests, targets, strict=True)
        sent = [ChildTest(test.source, target, test.handed) for test, target in pairs]
        return self.sandbox.run(problem.dependencies, script, sent)

    def _verdict(self, outcome: Outcome, tests: Sequence[SplitTest], targets: Sequence[Any]) -> Verdict:
        if outcome.failure:
            kind, detail = outcome.failure
            return ("exception" if kind == "assert" else kind), detail
        for index, (run, test, target) in enumerate(zip(outcome.tests, tests, targets, strict=True), 1):
            kind, detail = self._test(run, test, target)
            if kind:
                return kind, f"test {index}: {detail}"
        return "", ""

    def _test(self, run: TestRun, test: SplitTest, target: Any) -> Verdict:
        # What was reported before a failure may already be wrong, and then says more than it.
        for index, values in run.reports:
            if not 0 <= index < len(test.residuals):
                return "tampering", f"there is no assertion {index}"
            found = judge(test.residuals[index], values, target, strict_shape=self.strict_shape)
            if not found:
                return found.kind, found.detail
        if run.failure:
            kind, detail = run.failure
            return (WRONG_ANSWER if kind == "assert" else kind), detail
        missing = test.certain - {index for index, _ in run.reports}
        if missing or (test.residuals and not run.reports):
            return "tampering", "an assertion was not reached"
        return "", ""

    def solution(self, problem: SciCodeProblem, solution: Solution) -> ProblemVerdict:
        """Grade every step of a solution that is not given.

        Raises:
            ValueError: if an attempt is missing: a step that was never generated is not a pass.
        """
        attempts = {attempt.number: attempt for attempt in solution.attempts}
        for step in problem.graded:
            if step.number not in attempts:
                raise ValueError(f"problem {problem.id}: no attempt at step {step.number}")
        jobs: list[tuple[SciCodeStep, StepAttempt]] = [(s, attempts[s.number]) for s in problem.graded]
        with ThreadPoolExecutor(self.workers) as pool:
            verdicts = pool.map(lambda job: self.step(problem, job[0], job[1].code, job[1].previous), jobs)
            return ProblemVerdict(problem.id, problem.domain, tuple(verdicts))


def grade_step(
    problem: SciCodeProblem,
    step: SciCodeStep,
    code: str | None,
    targets: Targets,
    *,
    previous: Sequence[str] = (),
    sandbox: Sandbox | None = None,
) -> StepVerdict:
    """Grade one step; see ``Grader.step``."""
    return Grader(targets, sandbox or Sandbox()).step(problem, step, code, previous)


def grade_problem(
    problem: SciCodeProblem, solution: Solution, targets: Targets, *, sandbox: Sandbox | None = None
) -> ProblemVerdict:
    """Grade a solution; see ``Grader.solution``."""
    return Grader(targets, sandbox or Sandbox()).solution(problem, solution)


def evaluate(
    problems: Iterable[SciCodeProblem],
    model: Model,
    targets: Targets,
    *,
    mode: Literal["self", "gold"] = "self",
    with_background: bool = False,
    grader: Grader | None = None,
    builder: PromptBuilder | None = None,
    progress: Callable[[ProblemVerdict], None] | None = None,
) -> Report:
    """Solve and grade.

    Args:
        problems: To solve.
        model: Any function from prompt to reply.
        targets: What the tests should give.
        mode: ``self`` goes on from the model's own steps (the paper's most realistic setting with no
            background), ``gold`` from the reference code.
        with_background: Whether prompts have the scientists' background.
        grader: Its targets, sandbox and strictness; made from ``targets`` if left out.
        builder: Of the prompts.
        progress: Is told each problem's verdict.

    Raises:
        ValueError: as ``solve`` and ``Grader.step`` do.
        IsolationError: if there is no isolation here and no ``grader`` that allows going without.
    """
    grader = grader or Grader(targets)
    verdicts = []
    for problem in problems:
        verdict = grader.solution(problem, solve(problem, model, mode, with_background, builder=builder))
        verdicts.append(verdict)
        if progress is not None:
            progress(verdict)
    background = builder.with_background if builder else with_background
    return Report(tuple(verdicts), mode, background, grader.sandbox.isolation.how)

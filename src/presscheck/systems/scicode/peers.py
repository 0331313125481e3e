"""The peer inspect-evals: its scorer, in its own environment, on the same solutions.

It runs code without isolation (``sandbox="local"``), so it is given gold code, mutants of
gold code and those adversaries that do nothing outside their own process.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Job = dict[str, Any]
"""``problem`` (a row), ``step`` (number), ``codes`` (one for each step up to it), ``kind``."""


def verdicts(jobs: list[Job], data: str, timeout: int) -> list[bool]:
    """Whether its scorer passes the last step of each job.

    Args:
        jobs: What to grade.
        data: Path of the file of targets.
        timeout: Seconds a step.
    """
    from inspect_ai import Task, eval  # type: ignore[import-not-found]
    from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
    from inspect_ai.model import ChatMessageAssistant  # type: ignore[import-not-found]
    from inspect_ai.scorer import Score, mean, scorer  # type: ignore[import-not-found]
    from inspect_ai.solver import solver  # type: ignore[import-not-found]
    from inspect_evals.scicode import process_data, test_util  # type: ignore[import-not-found]
    from inspect_evals.scicode.scorer import verify_subproblem  # type: ignore[import-not-found]

    @solver
    def answers() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            for code in state.metadata["codes"]:
                state.messages.append(ChatMessageAssistant(content=f"```python\n{code}\n```"))
            return state

        return solve

    @scorer(metrics=[mean()])
    def last_step() -> Any:
        async def score(state: Any, target: Any) -> Any:
            step = state.metadata["sub_steps"][-1]
            found = await verify_subproblem(step, timeout)(state, target)
            return Score(value=found.value[step["step_number"]])

        return score

    # What its Docker image would put beside the solution.
    files = {name: str(Path(module.__file__)) for name, module in
             (("process_data.py", process_data), ("test_util.py", test_util))}  # fmt: skip
    samples = []
    for index, job in enumerate(jobs):
        steps = list(job["problem"]["sub_steps"])[: len(job["codes"])]
        clean = [{**step, "test_cases": [_without_import(t) for t in step["test_cases"]]} for step in steps]
        metadata = {**job["problem"], "sub_steps": clean, "codes": job["codes"]}
        samples.append(
            Sample(input="-", id=index + 1, metadata=metadata, files={**files, "test_data.h5": data})
        )
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory() as folder:
        task = Task(dataset=samples, solver=answers(), scorer=last_step(), sandbox="local")
        [log] = eval(task, model="mockllm/model", log_dir=folder, display="none", max_sandboxes=2)
        # Its samples are read from that folder when they are asked for.
        if log.status != "success" or log.samples is None:
            raise RuntimeError(
                f"inspect ends with {log.status}: {log.error.message if log.error else ''}"[:300]
            )
        found = {int(one.id): bool(one.scores["last_step"].as_float()) for one in log.samples}
    return [found[index + 1] for index in range(len(jobs))]


def _without_import(test: str) -> str:
    """Its own loader takes these lines out of the published file."""
    return "\n".join(line for line in test.split("\n") if not line.startswith("from scicode.compare.cmp"))


def graded(
    seed: int, jobs: dict[str, list[Job]], data: str, timeout: int
) -> Iterator[tuple[str, float, str]]:
    """One trial: the jobs of this seed.

    Args:
        seed: Of the round.
        jobs: Seed as text → jobs.
        data: Path of the file of targets.
        timeout: Seconds a step.
    """
    mine = jobs[str(seed)]
    passed = dict(zip(range(len(mine)), verdicts(mine, data, timeout), strict=True))

    def of(kind: str) -> list[bool]:
        return [passed[index] for index, job in enumerate(mine) if job["kind"] == kind]

    mutants, gold, hostile = of("mutant"), of("gold"), of("adversary")
    yield "shared_mutants_rejected", 1.0 - sum(mutants) / len(mutants), "1"
    yield "shared_gold_passed", sum(gold) / len(gold), "1"
    yield "harmless_adversaries_accepted", float(sum(hostile)), "1"

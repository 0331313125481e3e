"""``scicode_mini``: ten problems of our own, 33 steps, in the published form.

Physics, chemistry, biology, materials, numerical mathematics, two problems each. The
sources are the TOML files in ``mini/``; headers, return lines and test strings are
derived from them, and ``mini/targets.h5`` is made from the gold code by ``build``.
None of it is taken from SciCode.
"""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path
from typing import Any

from .problems import SciCodeProblem, load_problems
from .sandbox import ChildTest, Sandbox
from .targets import TargetStore

FOLDER = Path(__file__).parent / "mini"
DOMAINS = ("physics", "chemistry", "biology", "materials", "mathematics")
TARGETS = FOLDER / "targets.h5"


def rows() -> list[dict[str, Any]]:
    """The problems as rows with the published field names (and ``domain`` besides)."""
    found = []
    for name in DOMAINS:
        file = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        found += [_row(problem, file["domain"]) for problem in file["problem"]]
    return found


def _row(problem: dict[str, Any], domain: str) -> dict[str, Any]:
    identity, steps = problem["problem_id"], problem["steps"]
    gold = [step["code"].strip() + "\n" for step in steps]
    return {
        "problem_name": problem["problem_name"],
        "problem_id": identity,
        "problem_description_main": problem["problem_description_main"],
        "problem_background_main": "",
        "problem_io": "",
        "required_dependencies": problem["required_dependencies"].strip(),
        "sub_steps": [_step(step, f"{identity}.{index}") for index, step in enumerate(steps, 1)],
        "general_solution": "\n\n".join(gold),
        "general_tests": [],
        "domain": domain,
    }


def _step(step: dict[str, Any], number: str) -> dict[str, Any]:
    code = step["code"].strip() + "\n"
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    docstring, last = function.body[0], function.body[-1]
    lines = code.splitlines()
    return {
        "step_number": number,
        "step_description_prompt": step["description"],
        "step_background": step["background"],
        "function_header": "\n".join(lines[: docstring.end_lineno]),
        "return_line": lines[last.lineno - 1],
        "ground_truth_code": code,
        "test_cases": [_test(step, call) for call in step["calls"]],
    }


def _test(step: dict[str, Any], call: str) -> str:
    compare, wrap = step.get("compare", "np.allclose"), step.get("wrap", "{}")
    setup = step.get("setup", "").strip()
    # Upstream's own test strings import their comparator from its package, so ours do too.
    first = f"from scicode.compare.cmp import {compare}\n" if compare == "cmp_tuple_or_list" else ""
    assertion = f"assert {compare}({wrap.format(call)}, {wrap.format('target')})"
    return first + (setup + "\n" if setup else "") + assertion


def calls() -> dict[str, list[tuple[str, str]]]:
    """Step number → (setup, expression) of each test: what the targets are made from."""
    found = {}
    for name in DOMAINS:
        for problem in tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["problem"]:
            for index, step in enumerate(problem["steps"], 1):
                setup = step.get("setup", "").strip()
                found[f"{problem['problem_id']}.{index}"] = [(setup, call) for call in step["calls"]]
    return found


def load_mini() -> list[SciCodeProblem]:
    """The problems of ``scicode_mini``, with gold code."""
    return load_problems(rows())


def mini_targets() -> TargetStore:
    """Their targets."""
    return TargetStore(TARGETS)


def write_jsonl(path: Path) -> None:
    """Write the problems as a published file would have them: one object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), encoding="utf-8")


def build(path: Path = TARGETS) -> None:
    """Make the file of targets: the gold code runs in a sandbox like any other, and its values are kept."""
    store, expressions, sandbox = TargetStore(path), calls(), Sandbox()
    for problem in load_mini():
        code = ""
        for step in problem.steps:
            code += f"\n{step.gold}"
            tests = [
                ChildTest(f"{setup}\n__report__(0, [{call}])") for setup, call in expressions[step.number]
            ]
            outcome = sandbox.run(problem.dependencies, code, tests)
            failures = [outcome.failure, *(test.failure for test in outcome.tests)]
            if any(failures):
                raise ValueError(f"gold code of step {step.number} fails: {failures}")
            store.write(step.number, [test.reports[0][1][0] for test in outcome.tests])


if __name__ == "__main__":
    TARGETS.unlink(missing_ok=True)
    build()

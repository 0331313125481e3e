"""What the upstream harness does, rebuilt, so that its verdicts can be set beside ours in one run.

The semantics, in our own words: a script of the solution, the reader of the targets and
the bare test strings; a pass is exit status 0. The functions below it behave as the
published ones do, defects included; each defect is named where it lives, and a test
holds it. Scripts run in our sandbox all the same.

This file is put beside the scripts, so it imports nothing of this package.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from .problems import SciCodeProblem, SciCodeStep
    from .sandbox import Sandbox

GIVEN = {("13", 5), ("62", 0), ("76", 2)}
DATA, MODULE = "test_data.h5", "upstream_harness"


def script(step: SciCodeStep, problem: SciCodeProblem, code: str, previous: tuple[str, ...]) -> str:
    """The script of a step: the target file lies beside it, readable (defect h)."""
    own = re.compile(r"^from scicode\.compare\.cmp import ", re.MULTILINE)
    parts = [problem.dependencies, *previous, code, f"from {MODULE} import read_targets"]
    parts.append(f"targets = read_targets({DATA!r}, {step.number!r}, {len(step.tests)})")
    for index, test in enumerate(step.tests):
        parts += [f"target = targets[{index}]", own.sub(f"from {MODULE} import ", test)]
    return "\n".join(parts) + "\n"


def passes(
    sandbox: Sandbox,
    data: bytes,
    problem: SciCodeProblem,
    step: SciCodeStep,
    code: str,
    previous: tuple[str, ...] = (),
) -> bool:
    """The upstream verdict: whether the process ends with status 0 (defect g: however it comes to that).

    Args:
        sandbox: Where the script runs.
        data: The file of targets.
        problem: That the step belongs to.
        step: To be graded.
        code: Of the attempt.
        previous: Code of the steps before.
    """
    with open(__file__, "rb") as file:  # noqa: PTH123 - this file is also run where nothing else is
        files = {DATA: data, f"{MODULE}.py": file.read()}
    return sandbox.script(script(step, problem, code, previous), files).status == 0


# Targets --------------------------------------------------------------------------------------


def read_targets(path: str, number: str, tests: int) -> list[Any]:
    """Targets as upstream reads them; names come in alphabetical order (defect d)."""
    found = []
    with h5py.File(path, "r") as file:
        for test in range(tests):
            group = file[f"{number}/test{test + 1}"]
            values = [_value(group[name]) for name in group]
            found.append(values[0] if len(values) == 1 else tuple(values))
    return found


def _value(node: Any) -> Any:
    if isinstance(node, h5py.Dataset):
        value = node[()]
        return value.decode("utf-8") if isinstance(value, bytes) else value
    first = next(iter(node))
    if first == "list":
        return [node["list"][name][()] for name in node["list"]]
    if first == "sparse_matrix":
        return read_sparse(node["sparse_matrix"])
    found: dict[Any, Any] = {}
    for name, child in node.items():
        if isinstance(child, h5py.Group):
            found[name] = read_sparse(child["sparse_matrix"])
            continue
        try:
            found[float(name)] = child[()]
        except ValueError:
            found[name] = _value(child)
    return found


def read_sparse(group: Any) -> Any:
    """Without a tag for its format, what was CSC is read as CSR: transposed (defect c)."""
    data, shape = group["data"][()], tuple(group["shape"][()])
    if "row" in group and "col" in group:
        return sparse.coo_matrix((data, (group["row"][()], group["col"][()])), shape=shape)
    indices, indptr = group["indices"][()], group["indptr"][()]
    if "blocksize" in group:
        return sparse.bsr_matrix(
            (data, indices, indptr), shape=shape, blocksize=tuple(group["blocksize"][()])
        )
    return sparse.csr_matrix((data, indices, indptr), shape=shape)


def write_dict(values: dict[Any, Any], group: Any) -> None:
    """Write a dict; the type of keys it asks for left NumPy with version 2 (defect e)."""
    for key, value in values.items():
        name = str(key) if isinstance(key, np.float_) else key  # type: ignore[attr-defined]  # noqa: NPY201
        group.create_dataset(name, data=value)


def write_sparse(value: Any, group: Any) -> None:
    """Write a sparse matrix; CSR and CSC look the same."""
    inner = group.create_group("sparse_matrix")
    for name in ("data", "shape", "indices", "indptr"):
        inner.create_dataset(name, data=getattr(value, name))


# Comparators ----------------------------------------------------------------------------------


def cmp_tuple_or_list(one: Any, other: Any) -> bool:
    """Item by item; ``np.allclose`` broadcasts (defect f)."""
    if len(one) != len(other):
        return False
    for mine, theirs in zip(one, other, strict=True):
        if isinstance(mine, dict):
            same = are_dicts_close(mine, theirs)
        elif sparse.issparse(mine):
            same = bool(np.allclose(mine.toarray(), theirs.toarray()))
        elif isinstance(mine, bool):
            same = bool(mine == theirs)
        else:
            same = _close(mine, theirs)
        if not same:
            return False
    return True


def are_dicts_close(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    """Value by value."""
    if one.keys() != other.keys():
        return False
    return all(
        one[key] == other[key] if isinstance(one[key], str) else _close(one[key], other[key]) for key in one
    )


def _close(one: Any, other: Any) -> bool:
    try:
        return bool(np.allclose(one, other))
    except ValueError:
        return bool(one == other)


# Bookkeeping ----------------------------------------------------------------------------------


def function_name(header: str) -> str:
    """The name that is looked for in a reply: the first ``def`` anywhere, then a class with parentheses."""
    for word in ("def", "class"):
        found = re.search(rf"\b{word}\s+(\w+)\s*\(", header)
        if found:
            return found[1]
    raise ValueError("neither a function nor a class in the header")


def kept_code(code: str, name: str) -> str | None:
    """What is kept of a step for the next ones: the one function of that name, nothing beside it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return ast.unparse(node)
    return None


def solved_by_inspect_scorer(problem_id: str, passed: dict[int, bool], steps: int) -> bool:
    """Passed steps against all, though given ones are not run: never solved (defect a).

    Args:
        problem_id: Of the main problem.
        passed: Index from 0 → whether the step passes.
        steps: How many the problem has.
    """
    return sum(passed[i] for i in range(steps) if (problem_id, i) not in GIVEN) == steps


def solved_by_script(passed: dict[int, bool]) -> bool:
    """All files found pass, and there is one; steps without a file are not missed (defect b).

    Args:
        passed: Index → whether the step passes, only for steps that have been generated.
    """
    return bool(passed) and all(passed.values())

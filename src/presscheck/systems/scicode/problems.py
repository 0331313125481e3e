"""SciCode's problems: chains of steps, each a function to write, in the published JSON.

Reference: Tian et al., arXiv 2407.13168, section 2 and the data files of its
repository. A main problem is an object with ``sub_steps``; a step is known by its
``step_number``, "77.10" for the tenth of problem 77, which is two integers and not a
decimal: as numbers, 77.1 and 77.10 would be one step.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIVEN_UPSTREAM = ("13.6", "62.1", "76.3")
"""Steps of the published test set whose code is shipped with the benchmark, so nobody is asked for it."""


@dataclass(frozen=True)
class SciCodeStep:
    """One step of a problem."""

    problem_id: str
    index: int
    """From 1, the second half of the step number."""
    description: str
    background: str
    header: str
    """Signature and docstring of what is to be written."""
    return_line: str
    tests: tuple[str, ...]
    """Python that ends in an assertion about ``target``."""
    gold: str | None = None
    """Reference code; published for the development split only."""
    given: bool = False
    """Whether it is part of the question: its code is handed out, and it is not graded."""

    @property
    def number(self) -> str:
        """As published: "77.10"."""
        return f"{self.problem_id}.{self.index}"

    @property
    def name(self) -> str:
        """Of the function or class that the header asks for."""
        return header_name(self.header, self.number)


@dataclass(frozen=True)
class SciCodeProblem:
    """One main problem."""

    id: str
    name: str
    description: str
    background: str
    io: str
    dependencies: str
    """Import lines that every script of the problem starts with."""
    steps: tuple[SciCodeStep, ...]
    domain: str = "unnamed"
    """The published files name none; give ``domains`` to ``load_problems``."""

    @property
    def graded(self) -> tuple[SciCodeStep, ...]:
        """Its steps without those that are given."""
        return tuple(step for step in self.steps if not step.given)

    def step(self, number: str) -> SciCodeStep:
        """A step by its number.

        Raises:
            ValueError: if there is none.
        """
        for step in self.steps:
            if parse_number(number) == parse_number(step.number):
                return step
        raise ValueError(f"problem {self.id} has no step {number}: it has 1 to {len(self.steps)}")


@dataclass(frozen=True)
class Counts:
    """How large a set is."""

    problems: int
    steps: int
    graded_steps: int


def count(problems: Iterable[SciCodeProblem]) -> Counts:
    """Problems, steps, and steps without those given."""
    chosen = list(problems)
    graded = sum(len(one.graded) for one in chosen)
    return Counts(len(chosen), sum(len(one.steps) for one in chosen), graded)


def parse_number(number: str) -> tuple[str, int]:
    """Problem and 1-based index of a step number.

    Raises:
        ValueError: if it is no text of the form "77.10". A float is refused: 77.10 has lost its zero.
    """
    match = re.fullmatch(r"([\w-]+)\.([1-9]\d*)", number) if isinstance(number, str) else None
    if match is None:
        raise ValueError(f'step number must be text like "77.10", got {number!r}')
    return match[1], int(match[2])


def header_name(header: str, where: str) -> str:
    """The name that a header defines: its first function or class at top level.

    What a docstring says, and the methods of a class, do not count.

    Raises:
        ValueError: if it defines none.
    """
    for tail in ("", "\n    pass", "\n    '''", '\n    """'):
        try:
            tree = ast.parse(header + tail)
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                return node.name
    match = re.search(r"^(?:async\s+def|def|class)\s+(\w+)", header, re.MULTILINE)
    if match is None:
        raise ValueError(f"the header of step {where} has neither def nor class: {header[:80]!r}")
    return match[1]


def load_problems(
    source: str | Path | Iterable[Mapping[str, Any]],
    *,
    given: Mapping[str, str] | None = None,
    domains: Mapping[str, str] | None = None,
) -> list[SciCodeProblem]:
    """Load problems in the published form.

    Args:
        source: A file with one object a line, or a JSON list, or rows of a data set.
        given: Step number → code of steps that are part of the question. The published
            files do not mark them; their code lies beside them as text. Without it, the
            three known steps are still not graded, but nothing after them can be solved.
        domains: Problem id → domain, for the report.

    Raises:
        ValueError: if the file is no such JSON, or a problem is malformed; it says which.
        OSError: if the file cannot be read.
    """
    rows = _read(Path(source)) if isinstance(source, (str, Path)) else list(source)
    problems = [_problem(row, given or {}, domains or {}) for row in rows]
    seen: set[str] = set()
    for one in problems:
        if one.id in seen:
            raise ValueError(f"problem {one.id} comes twice")
        seen.add(one.id)
    known = {step.number for one in problems for step in one.steps}
    unknown = sorted(set(given or {}) - known)
    if unknown:
        raise ValueError(f"given code for step {unknown[0]}, which no problem has")
    return problems


def _read(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise ValueError(f"{path} is no JSON Lines file of problems: {error}") from error
    if not rows:
        raise ValueError(f"{path} has no problem")
    return list(rows)


def _field(row: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ValueError(f"{where}: `{name}` must be text, got {type(value).__name__}")
    return value


def _problem(row: Any, given: Mapping[str, str], domains: Mapping[str, str]) -> SciCodeProblem:
    if not isinstance(row, Mapping):
        raise ValueError(f"a problem must be an object, got {type(row).__name__}")
    identity = row.get("problem_id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not re.fullmatch(r"[\w-]+", identity):
        raise ValueError(f'problem_id must be text like "77", got {identity!r}')
    where = f"problem {identity}"
    listed = row.get("sub_steps")
    if not isinstance(listed, (list, tuple)) or not listed:
        raise ValueError(f"{where}: `sub_steps` must be a list with at least one step")
    steps = [_step(one, identity, given) for one in listed]
    indices = [step.index for step in steps]
    for index in indices:
        if indices.count(index) > 1:
            raise ValueError(f"{where}: step number {identity}.{index} comes twice")
    steps.sort(key=lambda step: step.index)
    if [step.index for step in steps] != list(range(1, len(steps) + 1)):
        missing = min(set(range(1, len(steps) + 1)) - set(indices))
        raise ValueError(f"{where}: step {identity}.{missing} is missing among {sorted(indices)}")
    return SciCodeProblem(
        id=identity,
        name=_field(row, "problem_name", where, ""),
        description=_field(row, "problem_description_main", where, ""),
        background=_field(row, "problem_background_main", where, ""),
        io=_field(row, "problem_io", where, ""),
        dependencies=_field(row, "required_dependencies", where, ""),
        steps=tuple(steps),
        domain=domains.get(identity) or _field(row, "domain", where, "unnamed"),
    )


def _step(row: Any, problem: str, given: Mapping[str, str]) -> SciCodeStep:
    if not isinstance(row, Mapping):
        raise ValueError(f"problem {problem}: a step must be an object, got {type(row).__name__}")
    try:
        owner, index = parse_number(row.get("step_number", ""))
    except ValueError as error:
        raise ValueError(f"problem {problem}: {error}") from None
    number = f"{owner}.{index}"
    if owner != problem:
        raise ValueError(f"problem {problem}: step {number} belongs to another problem")
    tests = row.get("test_cases", ())
    if not isinstance(tests, (list, tuple)) or not all(isinstance(one, str) for one in tests):
        raise ValueError(f"step {number}: `test_cases` must be a list of text")
    where = f"step {number}"
    handed_out = given.get(number) or row.get("given_code")
    gold = row.get("ground_truth_code")
    step = SciCodeStep(
        problem_id=problem,
        index=index,
        description=_field(row, "step_description_prompt", where),
        background=_field(row, "step_background", where, ""),
        header=_field(row, "function_header", where),
        return_line=_field(row, "return_line", where, ""),
        tests=tuple(tests),
        gold=handed_out or (gold if isinstance(gold, str) and gold.strip() else None),
        given=bool(handed_out) or number in GIVEN_UPSTREAM,
    )
    header_name(step.header, number)
    if not step.given and not step.tests:
        raise ValueError(f"{where} has no test, so nothing could fail")
    return step

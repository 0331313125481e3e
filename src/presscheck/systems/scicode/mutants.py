"""Wrong versions of right code, to see whether tests notice.

Each mutant has one change: an operator swapped, a constant off by one, a term dropped,
another axis, a sign, another variable returned. A mutant that survives its tests is
compared with the original on jittered inputs; if they agree there, it is no mutant but
another way to write the same thing.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .asserts import split
from .compare import compare
from .problems import SciCodeProblem, SciCodeStep
from .sandbox import ChildTest, Outcome, Sandbox

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.Gt,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


@dataclass(frozen=True)
class Mutant:
    """A changed version of a step's code."""

    step: str
    operator: str
    line: int
    code: str


def mutate(code: str, step: str = "", seed: int = 0, most: int | None = None) -> list[Mutant]:
    """Mutants of some code, all different, in an order that the seed draws.

    Args:
        code: Python with at least one function.
        step: Number of the step, to be kept with each mutant.
        seed: Of the order.
        most: How many at most.
    """
    tree = ast.parse(code)
    original = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    for index, node in enumerate(ast.walk(tree)):
        for variant, (operator, _) in enumerate(_changes(node)):
            other = copy.deepcopy(tree)
            place = next(one for at, one in enumerate(ast.walk(other)) if at == index)
            change = list(_changes(place))[variant][1]
            for name, value in change.items():
                setattr(place, name, value)
            text = ast.unparse(ast.fix_missing_locations(other))
            if text != original and text not in found:
                found[text] = Mutant(step, operator, getattr(node, "lineno", 0), text)
    mutants = list(found.values())
    random.Random(f"mutants {step} {seed}").shuffle(mutants)
    return mutants[:most]


def _changes(node: ast.AST) -> Iterator[tuple[str, dict[str, object]]]:
    """What can be changed at a node: operator's name, fields to set."""
    match node:
        case ast.BinOp(op=op):
            if type(op) in SWAPS:
                yield "swap operator", {"op": SWAPS[type(op)]()}
            if isinstance(op, (ast.Add, ast.Sub)):
                yield "drop a term", {"right": ast.Constant(0.0)}
        case ast.AugAssign(op=op) if type(op) in SWAPS:
            yield "swap operator", {"op": SWAPS[type(op)]()}
        case ast.Compare(ops=[op, *rest]) if type(op) in SWAPS:
            yield "swap operator", {"ops": [SWAPS[type(op)](), *rest]}
        case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield "off by one", {"value": value + 1}
        case ast.keyword(arg="axis", value=ast.Constant(value=int(axis))):
            yield "wrong axis", {"value": ast.Constant(1 - axis if axis in (0, 1) else 0)}
        case ast.UnaryOp(op=ast.USub()):
            yield "sign", {"op": ast.UAdd()}
        case ast.Return(value=value) if value is not None:
            yield "sign", {"value": ast.UnaryOp(ast.USub(), value)}
        case ast.FunctionDef(body=body) if isinstance(body[-1], ast.Return):
            for name in _assigned(node, body[-1]):
                last = ast.Return(ast.Name(name, ast.Load()))
                yield "wrong variable", {"body": [*body[:-1], last]}


def _assigned(function: ast.FunctionDef, last: ast.Return) -> list[str]:
    names = []
    for statement in function.body:
        if isinstance(statement, ast.Assign):
            names += [one.id for one in ast.walk(statement.targets[0]) if isinstance(one, ast.Name)]
    returned = ast.unparse(last.value) if last.value else ""
    return [name for name in dict.fromkeys(names) if name != returned][-2:]


class _Jitter(ast.NodeTransformer):
    """Other numbers of the same kind: fractions scaled, seeds replaced; sizes and indices stay."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func).endswith("default_rng"):
            node.args = [ast.Constant(self.draw.randrange(1 << 30))]
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, float):
            return ast.copy_location(ast.Constant(node.value * self.draw.uniform(0.9, 1.1)), node)
        return node


def jittered(tests: Sequence[str], runs: int, seed: int = 0) -> list[str]:
    """The child's halves of tests, with inputs drawn anew."""
    draw = random.Random(f"jitter {seed}")
    sources = []
    for run in range(runs):
        tree = ast.parse(split(tests[run % len(tests)]).source)
        sources.append(ast.unparse(ast.fix_missing_locations(_Jitter(draw).visit(tree))))
    return sources


def equivalent(
    problem: SciCodeProblem,
    step: SciCodeStep,
    mutant: str,
    sandbox: Sandbox,
    *,
    runs: int = 50,
    seed: int = 0,
) -> bool:
    """Whether a mutant gives what gold code gives on jittered test inputs, to a relative 1e-5.

    Args:
        problem: With gold code.
        step: That is mutated.
        mutant: Its changed code.
        sandbox: Where both run.
        runs: Inputs that are tried.
        seed: Of the inputs.
    """
    tests = [ChildTest(source) for source in jittered(step.tests, runs, seed)]
    before = [earlier.gold or "" for earlier in problem.steps[: step.index - 1]]
    sides: list[Outcome] = []
    for code in (step.gold or "", mutant):
        sides.append(sandbox.run(problem.dependencies, "\n\n".join([*before, code]), tests))
    if any(side.failure for side in sides):
        return False
    for ours, theirs in zip(sides[0].tests, sides[1].tests, strict=True):
        if ours.failure is not None:
            continue  # an input that the original cannot take says nothing
        if theirs.failure is not None or len(ours.reports) != len(theirs.reports):
            return False
        pairs = zip(ours.reports, theirs.reports, strict=True)
        if not all(compare(other[1], one[1], equal_nan=True) for one, other in pairs):
            return False
    return True

"""Splits a test into what the child computes and what the parent compares.

``assert np.allclose(f(x), target)`` becomes ``__report__(0, [f(x)])`` in the child and
``np.allclose(<value 0>, target)`` in the parent, so a solution never sees a target and
cannot reach the comparison. The parent reads its half with the small interpreter
below: comparators, arithmetic, indexing; nothing else, and no ``eval``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .compare import SAME, WRONG_ANSWER, WRONG_TYPE, Comparison, compare
from .wire import Opaque

COMPARATORS = {
    "np.allclose",
    "numpy.allclose",
    "cmp_tuple_or_list",
    "are_dicts_close",
    "are_csc_matrix_close",
    "np.array_equal",
    "np.testing.assert_allclose",
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "len": len,
    "float": float,
    "bool": bool,
    "int": int,
    "all": lambda value: bool(np.all(value)),
    "max": np.max,
    "min": np.min,
    "np.isclose": np.isclose,
    "np.all": np.all,
    "np.abs": np.abs,
    "np.max": np.max,
    "np.min": np.min,
    "np.sum": np.sum,
    "np.sort": np.sort,
    "np.linalg.norm": np.linalg.norm,
    "np.array": np.array,
    "np.asarray": np.asarray,
}
METHODS: dict[str, Callable[..., Any]] = {"all": np.all, "max": np.max, "min": np.min, "sum": np.sum}
ATTRIBUTES = ("shape", "ndim", "size")
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
VALUE = "__value_{}__"


@dataclass(frozen=True)
class SplitTest:
    """A test in its two halves."""

    source: str
    """What the child runs."""
    residuals: tuple[ast.expr, ...]
    """What the parent evaluates, one for each assertion."""
    certain: frozenset[int]
    """Assertions that every complete run must report: those not inside a loop, branch or function."""
    handed: bool
    """Whether the target is used in ways that cannot be split, so that the child must be given it."""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return "?"


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))


class _Unsplittable(Exception):
    pass


class _Splitter(ast.NodeTransformer):
    """Replaces assertions by reports."""

    def __init__(self, constants: dict[str, ast.expr]) -> None:
        self.constants = constants
        self.residuals: list[ast.expr] = []

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        return self._report(node.test, node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        if isinstance(node.value, ast.Call) and _dotted(node.value.func) == "np.testing.assert_allclose":
            return self._report(node.value, node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        # Upstream's test strings import comparators from its own package.
        return ast.copy_location(ast.Pass(), node) if (node.module or "").startswith("scicode") else node

    def _report(self, test: ast.expr, node: ast.stmt) -> ast.stmt:
        values: list[ast.expr] = []
        self.residuals.append(self._residual(test, values))
        index = ast.Constant(len(self.residuals) - 1)
        call = ast.Call(ast.Name("__report__", ast.Load()), [index, ast.List(values, ast.Load())], [])
        return ast.copy_location(ast.Expr(call), node)

    def _residual(self, node: Any, values: list[ast.expr]) -> ast.expr:
        def go(one: ast.expr) -> ast.expr:
            return self._residual(one, values)

        match node:
            case ast.Constant():
                return node
            case ast.Name(id="target"):
                return node
            case ast.Name(id=name) if name in self.constants:
                return self.constants[name]
            case ast.BoolOp():
                return ast.BoolOp(node.op, [go(one) for one in node.values])
            case ast.UnaryOp():
                return ast.UnaryOp(node.op, go(node.operand))
            case ast.Compare() if all(type(one) in ORDER for one in node.ops):
                return ast.Compare(go(node.left), node.ops, [go(one) for one in node.comparators])
            case ast.BinOp() if type(node.op) in BINARY and _mentions(node, "target"):
                return ast.BinOp(go(node.left), node.op, go(node.right))
            case ast.Call() if _dotted(node.func) in COMPARATORS | FUNCTIONS.keys() and (
                _mentions(node, "target") or _dotted(node.func) in COMPARATORS
            ):
                words = [ast.keyword(one.arg, go(one.value)) for one in node.keywords]
                if any(one.arg is None for one in words):
                    raise _Unsplittable
                return ast.Call(node.func, [go(one) for one in node.args], words)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if (
                name in METHODS and not node.keywords and _mentions(node, "target")
            ):
                return ast.Call(ast.Attribute(go(owner), name, ast.Load()), node.args, [])
            case ast.Subscript() if _mentions(node.value, "target") and not _mentions(node.slice, "target"):
                return ast.Subscript(go(node.value), _constant_index(node.slice), ast.Load())
            case ast.Attribute(attr=name) if name in ATTRIBUTES and _mentions(node.value, "target"):
                return ast.Attribute(go(node.value), name, ast.Load())
            case ast.Tuple() | ast.List() if _mentions(node, "target"):
                return ast.Tuple([go(one) for one in node.elts], ast.Load())
        if _mentions(node, "target"):
            raise _Unsplittable
        values.append(node)
        return ast.Name(VALUE.format(len(values) - 1), ast.Load())


def _constant_index(node: ast.expr) -> ast.expr:
    try:
        ast.literal_eval(node)
    except ValueError:
        if not isinstance(node, ast.Slice):
            raise _Unsplittable from None
    return node


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that a test sets once, to a literal: tolerances above all, which the child must not choose."""
    stores: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores[node.id] = stores.get(node.id, 0) + 1
    found: dict[str, ast.expr] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value) if stores[name] == 1:
                found[name] = value
    return found


def split(test: str, *, where: str = "test") -> SplitTest:
    """Split a test string.

    Raises:
        ValueError: if it is no Python, or asserts nothing.
    """
    try:
        tree = ast.parse(test)
    except SyntaxError as error:
        raise ValueError(f"{where} is no Python: {error.msg}, line {error.lineno}") from error
    splitter = _Splitter(_constants(tree))
    certain: set[int] = set()
    try:
        body = []
        for statement in tree.body:
            first = len(splitter.residuals)
            body.append(splitter.visit(statement))
            if isinstance(statement, (ast.Assert, ast.Expr)):
                certain |= set(range(first, len(splitter.residuals)))
        tree.body = body
        handed = _mentions(tree, "target")
    except _Unsplittable:
        handed = True
    if handed:
        tree = ast.parse(test)
        if not any(isinstance(one, (ast.Assert, ast.Call)) for one in ast.walk(tree)):
            raise ValueError(f"{where} asserts nothing")
        tree = _StripImports().visit(tree)
        return SplitTest(ast.unparse(tree), (), frozenset(), True)
    if not splitter.residuals:
        raise ValueError(f"{where} asserts nothing")
    ast.fix_missing_locations(tree)
    return SplitTest(ast.unparse(tree), tuple(splitter.residuals), frozenset(certain), False)


class _StripImports(ast.NodeTransformer):
    visit_ImportFrom = _Splitter.visit_ImportFrom


def uses_target(test: str) -> bool:
    """Whether a test string mentions its target at all."""
    return _mentions(ast.parse(test), "target")


# The parent's half --------------------------------------------------------------------------


class _Judge:
    """Evaluates a residual; remembers the comparison that failed."""

    def __init__(self, values: list[Any], target: Any, strict_shape: bool) -> None:
        self.names = {VALUE.format(index): value for index, value in enumerate(values)}
        self.names["target"] = target
        self.strict = strict_shape
        self.failed: Comparison | None = None

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                found = self.names[node.id]
                if isinstance(found, Opaque):
                    self.failed = Comparison(False, WRONG_TYPE, f"{found!r} is no value")
                    raise TypeError(self.failed.detail)
                return found
            case ast.BoolOp(op=ast.And()):
                return all(self.truth(one) for one in node.values)
            case ast.BoolOp():
                return any(self.truth(one) for one in node.values)
            case ast.UnaryOp(op=ast.Not()):
                return not self.truth(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return -self.value(node.operand)
            case ast.UnaryOp(op=ast.Invert()):
                return ~self.value(node.operand)
            case ast.UnaryOp():
                return +self.value(node.operand)
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                self._same_shape(node.left, node.right, left, right, isinstance(node.op, ast.Sub))
                return BINARY[type(node.op)](left, right)
            case ast.Compare():
                return self._ordered(node)
            case ast.Call():
                return self._call(node)
            case ast.Subscript():
                return self.value(node.value)[self._index(node.slice)]
            case ast.Attribute():
                return getattr(np.asarray(self.value(node.value)), node.attr)
            case ast.Tuple():
                return tuple(self.value(one) for one in node.elts)
        raise TypeError(f"a test has a {type(node).__name__} where none is expected")

    def truth(self, node: ast.expr) -> bool:
        value = self.value(node)
        return bool(value) if not isinstance(value, np.ndarray) or value.size == 1 else self._ambiguous(value)

    def _ambiguous(self, value: Any) -> bool:
        raise TypeError(f"the truth of an array of shape {value.shape} is not defined")

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            return slice(*(None if one is None else ast.literal_eval(one) for one in parts))
        return ast.literal_eval(node)

    def _same_shape(self, one: ast.expr, other: ast.expr, left: Any, right: Any, matters: bool) -> None:
        """An elementwise comparison of a value with its target must not broadcast."""
        if not (self.strict and matters and _mentions(one, "target") != _mentions(other, "target")):
            return
        plain = other if _mentions(one, "target") else one
        if isinstance(plain, ast.Constant) or isinstance(left, str) or isinstance(right, str):
            return
        if np.shape(left) != np.shape(right):
            self.failed = Comparison(False, WRONG_TYPE, f"shapes {np.shape(left)} and {np.shape(right)}")
            raise ValueError(self.failed.detail)

    def _ordered(self, node: ast.Compare) -> Any:
        parts = [node.left, *node.comparators]
        values = [self.value(one) for one in parts]
        result: Any = True
        for index, op in enumerate(node.ops):
            left, right = values[index], values[index + 1]
            self._same_shape(parts[index], parts[index + 1], left, right, True)
            this = ORDER[type(op)](left, right)
            result = this if result is True else np.logical_and(result, this)
        return result

    def _call(self, node: ast.Call) -> Any:
        name = _dotted(node.func).replace("numpy.", "np.")
        if name in COMPARATORS:
            return self._comparator(name, node)
        if name in FUNCTIONS:
            args = [self.value(one) for one in node.args]
            if name == "np.isclose":
                self._same_shape(node.args[0], node.args[1], args[0], args[1], True)
            return FUNCTIONS[name](*args, **{str(one.arg): self.value(one.value) for one in node.keywords})
        assert isinstance(node.func, ast.Attribute)
        return METHODS[node.func.attr](self.value(node.func.value), *(self.value(one) for one in node.args))

    def _comparator(self, name: str, node: ast.Call) -> bool:
        words = {str(one.arg): self.value(one.value) for one in node.keywords}
        args = [words.pop(key) for key in ("a", "b", "actual", "desired") if key in words]
        args = [self.value(one) for one in node.args[: 2 - len(args)]] + args
        extra = [self.value(one) for one in node.args[2:]]
        order = ("atol", "rtol") if name == "are_dicts_close" else ("rtol", "atol", "equal_nan")
        words |= dict(zip(order, extra, strict=False))
        defaults = {"np.array_equal": (0.0, 0.0), "np.testing.assert_allclose": (1e-7, 0.0)}
        rtol, atol = defaults.get(name, (1e-5, 1e-8))
        if node.args and _mentions(node.args[0], "target") and not _mentions(node.args[-1], "target"):
            args.reverse()
        result = compare(
            args[0],
            args[1],
            float(words.get("rtol", rtol)),
            float(words.get("atol", atol)),
            strict_shape=self.strict,
            equal_nan=bool(words.get("equal_nan", name == "np.testing.assert_allclose")),
        )
        if not result:
            self.failed = result
        return bool(result)


def judge(residual: ast.expr, values: list[Any], target: Any, *, strict_shape: bool = True) -> Comparison:
    """Evaluate the parent's half of an assertion.

    Args:
        residual: Of a ``SplitTest``.
        values: What the child reported for it, decoded.
        target: Of this test.
        strict_shape: False broadcasts as upstream's harness does.
    """
    state = _Judge(values, target, strict_shape)
    try:
        with np.errstate(all="ignore"):
            ok = state.truth(residual)
    except Exception as error:  # whatever a strange value makes NumPy raise, the assertion has not held
        ok, other = False, Comparison(False, WRONG_TYPE, f"{type(error).__name__}: {error}"[:300])
    else:
        other = Comparison(False, WRONG_ANSWER, f"not true: {ast.unparse(residual)}"[:300])
    if ok:
        return SAME
    return other if state.failed is None else state.failed

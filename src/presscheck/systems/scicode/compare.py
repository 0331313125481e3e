"""Compares what a solution returned with its target, shape and type included.

The upstream harness leaves this to ``np.allclose``, which broadcasts: a scalar passes
for a whole array of equal values, and an empty array for anything that it broadcasts
with. Here shapes must be equal unless ``strict_shape=False`` asks for the old ways.

This file is also read inside the sandbox, by path, for the few tests that cannot be
split: standard library and NumPy, SciPy's types recognised by their module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

WRONG_ANSWER, WRONG_TYPE = "wrong answer", "wrong shape or type"


@dataclass(frozen=True)
class Comparison:
    """Whether two values agree; if not, how they differ and where."""

    ok: bool
    kind: str = ""
    """Empty, ``wrong answer`` or ``wrong shape or type``."""
    detail: str = ""

    def __bool__(self) -> bool:
        return self.ok


SAME = Comparison(True)


def compare(
    actual: Any,
    target: Any,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    *,
    strict_shape: bool = True,
    equal_nan: bool = False,
) -> Comparison:
    """Compare a value with its target: |actual - target| <= atol + rtol * |target|, elementwise.

    Lists and tuples stand for each other, and for arrays of the same shape, since a file
    of targets keeps lists of numbers as arrays. Booleans and text must be equal. A
    complex number with no imaginary part equals a real one. A masked array with masked
    entries equals only another with the same mask.

    Args:
        actual: What the solution returned.
        target: What it should be.
        rtol: Relative to the target.
        atol: Absolute.
        strict_shape: False broadcasts as ``np.allclose`` does.
        equal_nan: Whether NaN equals NaN.
    """
    return _compare(actual, target, (rtol, atol, strict_shape, equal_nan), "value")


def _wrong(where: str, detail: str) -> Comparison:
    return Comparison(False, WRONG_ANSWER, f"{where}: {detail}")


def _unlike(where: str, detail: str) -> Comparison:
    return Comparison(False, WRONG_TYPE, f"{where}: {detail}")


def is_sparse(value: Any) -> bool:
    """Whether it is one of SciPy's sparse matrices or arrays."""
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "toarray")


def _compare(actual: Any, target: Any, how: tuple[float, float, bool, bool], where: str) -> Comparison:
    if isinstance(target, np.ndarray) and target.dtype.kind in "OSU":
        target = target.tolist()
    if is_sparse(target) or is_sparse(actual):
        return _compare_sparse(actual, target, how, where)
    if isinstance(target, dict):
        return _compare_dicts(actual, target, how, where)
    if isinstance(target, (list, tuple)):
        return _compare_sequences(actual, target, how, where)
    if isinstance(target, (set, frozenset)):
        if not isinstance(actual, (set, frozenset)):
            return _unlike(where, f"a {type(actual).__name__}, not a set")
        return SAME if actual == target else _wrong(where, "another set")
    if target is None or isinstance(target, (str, bytes)):
        return _compare_exactly(actual, target, where)
    return _compare_numbers(actual, target, how, where)


def _compare_exactly(actual: Any, target: Any, where: str) -> Comparison:
    if isinstance(actual, np.ndarray) and actual.shape == ():
        actual = actual.item()
    if isinstance(target, (str, bytes)) and isinstance(actual, (str, bytes)):
        # A file of targets does not tell text from bytes; upstream reads both as text.
        left, right = (one.encode() if isinstance(one, str) else one for one in (actual, target))
        return SAME if left == right else _wrong(where, f"{actual!r:.60}, not {target!r:.60}")
    if type(actual) is type(target) and actual == target:
        return SAME
    return _unlike(where, f"a {type(actual).__name__}, not {target!r:.60}")


def _compare_dicts(actual: Any, target: Any, how: tuple[float, float, bool, bool], where: str) -> Comparison:
    if not isinstance(actual, dict):
        return _unlike(where, f"a {type(actual).__name__}, not a dict")
    mine = {_key(key): value for key, value in actual.items()}
    theirs = {_key(key): value for key, value in target.items()}
    if mine.keys() != theirs.keys():
        return _wrong(where, f"keys {sorted(map(str, mine))}, not {sorted(map(str, theirs))}"[:200])
    for key, value in theirs.items():
        found = _compare(mine[key], value, how, f"{where}[{key!r}]")
        if not found:
            return found
    return SAME


def _key(key: Any) -> Any:
    """Keys as a file of targets has them: numbers as numbers, symbols as their names."""
    if isinstance(key, (bool, str, bytes)) or key is None:
        return key
    if isinstance(key, tuple):
        return tuple(_key(one) for one in key)
    try:
        return float(key)
    except (TypeError, ValueError):
        return str(key)


def _compare_sequences(
    actual: Any, target: Any, how: tuple[float, float, bool, bool], where: str
) -> Comparison:
    if isinstance(actual, np.ndarray) and actual.ndim:
        actual = list(actual)
    if not isinstance(actual, (list, tuple)):
        return _unlike(where, f"a {type(actual).__name__}, not a list or tuple")
    if len(actual) != len(target):
        return _unlike(where, f"{len(actual)} items, not {len(target)}")
    for index, (mine, theirs) in enumerate(zip(actual, target, strict=True)):
        found = _compare(mine, theirs, how, f"{where}[{index}]")
        if not found:
            return found
    return SAME


def _compare_sparse(actual: Any, target: Any, how: tuple[float, float, bool, bool], where: str) -> Comparison:
    strict = how[2]
    if strict and is_sparse(actual) != is_sparse(target):
        return _unlike(where, f"{'sparse' if is_sparse(actual) else 'dense'}, not the other")
    left = actual.toarray() if is_sparse(actual) else actual
    right = target.toarray() if is_sparse(target) else target
    return _compare_numbers(left, right, how, where)


def _compare_numbers(
    actual: Any, target: Any, how: tuple[float, float, bool, bool], where: str
) -> Comparison:
    rtol, atol, strict, equal_nan = how
    numbers = (bool, int, float, complex, np.generic, np.ndarray, list, tuple)
    if not isinstance(actual, numbers):
        return _unlike(where, f"{actual!r:.60} is no number or array")
    try:
        mine: Any = np.ma.asanyarray(actual)
        theirs: Any = np.ma.asanyarray(target)
    except (ValueError, TypeError, OverflowError) as error:
        return _unlike(where, f"no array: {error}")
    if mine.dtype.kind not in "biufc":
        return _unlike(where, f"dtype {mine.dtype}, not {theirs.dtype}")
    masks = np.ma.getmaskarray(mine), np.ma.getmaskarray(theirs)
    if any(mask.any() for mask in masks) and not np.array_equal(*masks):
        return _unlike(where, "masked in other places")
    if strict and mine.shape != theirs.shape:
        return _unlike(where, f"shape {mine.shape}, not {theirs.shape}")
    if strict and (mine.dtype.kind == "b") != (theirs.dtype.kind == "b"):
        return _unlike(where, f"dtype {mine.dtype}, not {theirs.dtype}")
    left, right = np.ma.filled(mine, 0), np.ma.filled(theirs, 0)
    if left.dtype.kind == "b" and right.dtype.kind == "b":
        close = left == right
    else:
        try:
            with np.errstate(all="ignore"):
                close = np.isclose(left, right, rtol=rtol, atol=atol, equal_nan=equal_nan)
        except (ValueError, TypeError) as error:
            return _unlike(where, str(error))
    if np.all(close):
        return SAME
    if np.ndim(close) and left.shape == right.shape:
        index = tuple(int(i) for i in np.argwhere(~close)[0])
        share = f"{int(np.sum(~close))} of {np.size(close)} differ, first at {index}"
        return _wrong(where, f"{share}: {left[index]!s}, not {right[index]!s}")
    return _wrong(where, f"{left!s:.60}, not {right!s:.60}")


# The comparators that upstream's test strings name, for tests that cannot be split ---------


def cmp_tuple_or_list(one: Any, other: Any) -> bool:
    """Whether two sequences agree."""
    return bool(compare(one, other))


def are_dicts_close(one: Any, other: Any, atol: float = 1e-8, rtol: float = 1e-5) -> bool:
    """Whether two dicts agree."""
    return bool(compare(one, other, rtol, atol))


def are_csc_matrix_close(one: Any, other: Any) -> bool:
    """Whether two sparse matrices agree."""
    return bool(compare(one, other))

"""Tables to codes and back: the finite product domain that the model lives on.

Reference: Bravo, arXiv 2410.03535, section 3 (a product of finite sets) and the experiments' quantile
discretisation. Differences: a value frequent enough to fill a bin is a bin of its own, so point masses
(zeros, caps) survive the round trip; a bin predicts the mean of its training values, not its midpoint;
cells that are missing have code -1 instead of being refused.
Shapes: N rows, D columns, K_d values of column d.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = -1
MAX_LEVELS = 4096


@dataclass
class Column:
    """One column of the domain.

    `low`, `high` and `mean` (K,) describe each bin's training values; `edges` (K-1,) part neighbouring bins
    at the midpoint between them. A column of levels has `levels` (K,) instead of these.
    """

    name: Hashable
    kind: str  # "numeric", "ordered" (levels with an order) or "unordered"
    dtype: str
    levels: list[Any] = field(default_factory=list)
    low: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    high: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    mean: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    edges: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def size(self) -> int:
        """K_d, the number of values."""
        return len(self.mean) if self.kind == "numeric" else len(self.levels)

    @property
    def integer(self) -> bool:
        """Whether values are whole numbers, so that samples are rounded."""
        return self.kind == "numeric" and np.dtype(self.dtype).kind in "iu"


def _numeric_column(name: Hashable, values: NDArray[np.float64], dtype: str, max_bins: int) -> Column:
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= max_bins:
        first = np.arange(len(distinct))
    else:
        # A value that alone fills a bin gets one; what lies between is filled up to an equal share.
        share = len(values) / max_bins
        heavy = counts >= share
        target = counts[~heavy].sum() / max(1, max_bins - 2 * int(heavy.sum()))
        target = max(target, share)
        starts, filled = [0], int(counts[0])
        for i in range(1, len(distinct)):
            if heavy[i] or heavy[i - 1] or filled + counts[i] / 2 > target:
                starts.append(i)
                filled = 0
            filled += int(counts[i])
        first = np.asarray(starts)
    last = np.append(first[1:], len(distinct)) - 1
    total = np.add.reduceat(counts, first)
    # Offsets from the bin's lowest value keep the mean inside the bin however large the values are.
    low, high = distinct[first], distinct[last]
    spread = np.repeat(low, last - first + 1)
    mean = low + np.add.reduceat((distinct - spread) * counts, first) / total
    edges = high[:-1] + (low[1:] - high[:-1]) / 2
    return Column(name, "numeric", dtype, low=low, high=high, mean=mean, edges=edges)


def _plain(level: Any) -> Any:
    """A level as JSON can hold it."""
    return level.item() if isinstance(level, np.generic) else level


def as_frame(table: Any) -> pd.DataFrame:
    """A table as a DataFrame; an array's columns are named x0, x1, ….

    Raises:
        ValueError: if it is not two-dimensional or names a column twice.
    """
    if isinstance(table, pd.DataFrame):
        frame = table
    else:
        array = np.asarray(table)
        if array.ndim != 2:
            raise ValueError(
                f"a table has rows and columns, got an array of shape {array.shape}: "
                "reshape a single column with reshape(-1, 1)"
            )
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"column names must differ, got {twice[0]!r} twice: a model names its columns")
    return frame


class Binner:
    """Maps tables onto the finite domain and codes back onto tables.

    Args:
        max_bins: the most values a numeric column may have; more are binned by quantiles.
        unknown: what a category not seen in training becomes: "error", or "missing" to marginalise it.
    """

    def __init__(self, max_bins: int = 255, unknown: str = "error") -> None:
        if max_bins < 2:
            raise ValueError(f"max_bins must be at least 2, got {max_bins}: one bin tells nothing apart")
        if unknown not in ("error", "missing"):
            raise ValueError(f"unknown must be 'error' or 'missing', got {unknown!r}")
        self.max_bins, self.unknown = max_bins, unknown
        self.columns: list[Column] = []

    def fit(self, table: Any) -> Binner:
        """Learn bins and levels from the training rows alone.

        Raises:
            ValueError: on no rows, infinite values, a column without any value, or too many categories.
        """
        frame = as_frame(table)
        if not len(frame) or not len(frame.columns):
            raise ValueError(f"need at least one row and one column, got a table of shape {frame.shape}")
        self.columns = [self._learn(frame[name], name) for name in frame.columns]
        return self

    def _learn(self, series: pd.Series, name: Hashable) -> Column:
        present = series.dropna()
        if not len(present):
            raise ValueError(f"column {name!r} has no value at all: drop it before fitting")
        if isinstance(series.dtype, pd.CategoricalDtype):
            kind = "ordered" if series.dtype.ordered else "unordered"
            levels = [_plain(level) for level in series.dtype.categories]
        elif pd.api.types.is_bool_dtype(series) or not pd.api.types.is_numeric_dtype(series):
            kind, levels = "unordered", [_plain(v) for v in pd.unique(present)]
            with_order = sorted(levels, key=lambda v: (str(type(v)), v))
            levels = with_order
        else:
            values = present.to_numpy(np.float64)
            if not np.isfinite(values).all():
                raise ValueError(f"column {name!r} holds infinite values: a bin cannot reach infinity")
            dtype = str(present.to_numpy().dtype)
            return _numeric_column(name, values, dtype, self.max_bins)
        if len(levels) > MAX_LEVELS:
            raise ValueError(
                f"column {name!r} has {len(levels)} categories, more than {MAX_LEVELS}: "
                "group the rare ones, or drop it if it is an identifier"
            )
        return Column(name, kind, str(series.dtype), levels=levels)

    def index(self, name: Hashable) -> int:
        """The position of a column.

        Raises:
            ValueError: if no column is called so.
        """
        for i, column in enumerate(self.columns):
            if column.name == name:
                return i
        known = ", ".join(repr(c.name) for c in self.columns[:8])
        raise ValueError(f"no column {name!r} was there at fit: the model knows {known}")

    def encode_column(self, series: pd.Series, column: Column) -> NDArray[np.int16]:
        """Codes (N,) of one column; missing cells are -1.

        Numbers outside the training range are clipped to the first or last bin.

        Raises:
            ValueError: on infinite values, or a new category while `unknown` is "error".
        """
        missing = series.isna().to_numpy()
        codes = np.full(len(series), MISSING, dtype=np.int16)
        if column.kind == "numeric":
            try:
                values = series.to_numpy(np.float64, na_value=np.nan)
            except (TypeError, ValueError) as problem:
                raise ValueError(
                    f"column {column.name!r} was numeric at fit, got {series.dtype}"
                ) from problem
            if np.isinf(values).any():
                raise ValueError(f"column {column.name!r} holds infinite values")
            codes[~missing] = np.searchsorted(column.edges, values[~missing], side="right")
            return codes
        lookup = {level: code for code, level in enumerate(column.levels)}
        for i, value in enumerate(series.astype(object)):
            if missing[i]:
                continue
            code = lookup.get(value, MISSING)
            if code == MISSING and self.unknown == "error":
                raise ValueError(
                    f"column {column.name!r} holds {value!r}, a category not seen at fit: "
                    "unknown='missing' treats such cells as missing"
                )
            codes[i] = code
        return codes

    def encode(self, table: Any, absent: str = "error") -> NDArray[np.int16]:
        """Codes (N, D). A column that is not in the table is an error, or "missing" in every row.

        Raises:
            ValueError: on an absent or unexpected column, and as in `encode_column`.
        """
        if not isinstance(table, pd.DataFrame):
            frame = as_frame(table)
            if frame.shape[1] != len(self.columns):
                raise ValueError(f"got {frame.shape[1]} columns, the model was fitted on {len(self.columns)}")
            frame.columns = [c.name for c in self.columns]
        else:
            frame = as_frame(table)
        names = [c.name for c in self.columns]
        for name in frame.columns:
            if name not in names:
                raise ValueError(f"column {name!r} was not there at fit: drop it")
        codes = np.full((len(frame), len(names)), MISSING, dtype=np.int16)
        for d, column in enumerate(self.columns):
            if column.name in frame.columns:
                codes[:, d] = self.encode_column(frame[column.name], column)
            elif absent == "error":
                raise ValueError(f"column {column.name!r} of the fit is absent: give it, if only as NaN")
        return codes

    def decode(self, codes: NDArray[np.int16], rng: np.random.Generator) -> pd.DataFrame:
        """Rows (N, D) of values: numbers are drawn uniformly between their bin's ends."""
        out = {}
        for d, column in enumerate(self.columns):
            code = codes[:, d]
            if column.kind == "numeric":
                values = column.low[code] + rng.random(len(code)) * (column.high - column.low)[code]
                out[column.name] = np.rint(values).astype(column.dtype) if column.integer else values
            elif column.dtype == "category":
                out[column.name] = pd.Categorical.from_codes(
                    code.astype(np.intp), categories=pd.Index(column.levels), ordered=column.kind == "ordered"
                )
            else:
                series = pd.Series(np.array(column.levels, dtype=object)[code])
                out[column.name] = series.astype(column.dtype)
        return pd.DataFrame(out)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(D,) number of values a column."""
        return np.array([c.size for c in self.columns], dtype=np.int64)

    @property
    def ordered(self) -> NDArray[np.bool_]:
        """(D,) whether a column's values have an order."""
        return np.array([c.kind != "unordered" for c in self.columns])

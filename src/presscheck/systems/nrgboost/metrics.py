"""How good generated rows are: told apart from real ones, useful for training, not copies.

Sources: the classifier two-sample test (Lopez-Paz & Oquab, arXiv 1610.06545), train-on-synthetic
test-on-real ("machine learning efficacy") and distance to closest record, all common in the field and used by
Bravo, arXiv 2410.03535, section 5. Shapes: N real, M generated rows of one table.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def one_thread() -> Any:
    """Holds OpenMP to one thread: on tables this small, threads that wait for each other cost the most."""
    return threadpool_limits(1, user_api="openmp")


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)


def as_numbers(table: pd.DataFrame, levels: dict[Hashable, list[str]]) -> NDArray[np.float64]:
    """Numbers as they are, categories as their place in `levels`, -1 if it is not there."""
    columns = []
    for name in table.columns:
        if name in levels:
            place = {level: i for i, level in enumerate(levels[name])}
            columns.append(table[name].astype(str).map(place).fillna(-1).to_numpy(np.float64))
        else:
            columns.append(table[name].to_numpy(np.float64))
    return np.stack(columns, axis=1)


def category_levels(*tables: pd.DataFrame) -> dict[Hashable, list[str]]:
    """The levels of each categorical column over all tables."""
    return {
        name: sorted(set().union(*(set(t[name].astype(str)) for t in tables)))
        for name in tables[0].columns
        if not _is_number(tables[0][name])
    }


def _same_columns(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    if set(a.columns) != set(b.columns):
        raise ValueError(f"tables must have the same columns, got {list(a.columns)} and {list(b.columns)}")
    return b[a.columns]


def _places(table: pd.DataFrame, levels: dict[Hashable, list[str]]) -> NDArray[np.bool_]:
    return np.array([name in levels for name in table.columns])


def c2st_auc(real: pd.DataFrame, generated: pd.DataFrame, random_state: int = 0) -> float:
    """Cross-validated AUC of gradient boosting telling real rows from generated; 0.5 is best.

    Both are cut to the smaller number of rows.

    Raises:
        ValueError: if the columns differ or there are fewer than six rows a side.
    """
    generated = _same_columns(real, generated)
    n = min(len(real), len(generated))
    if n < 6:
        raise ValueError(f"need at least 6 rows a side for three folds, got {n}")
    levels = category_levels(real, generated)
    X = np.concatenate([as_numbers(real.iloc[:n], levels), as_numbers(generated.iloc[:n], levels)])
    y = np.repeat([0, 1], n)
    small = {d for d, is_category in enumerate(_places(real, levels)) if is_category}
    few = [d for d in small if len(levels[real.columns[d]]) <= 255]
    judge = HistGradientBoostingClassifier(
        max_iter=60, random_state=random_state, categorical_features=few or None, early_stopping=False
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=random_state)
    with one_thread():
        chance = cross_val_predict(judge, X, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, chance))


def skill(truth: Any, prediction: Any, classes: list[str] | None = None) -> float:
    """R2 of numbers (N,), or AUC of class probabilities (N, C), one against the rest if C > 2."""
    if classes is None:
        return float(r2_score(np.asarray(truth, dtype=np.float64), prediction))
    place = {level: i for i, level in enumerate(classes)}
    codes = pd.Series(truth).astype(str).map(place).to_numpy()
    per_class = []
    for c in range(len(classes)):
        if 0 < (codes == c).sum() < len(codes):
            per_class.append(roc_auc_score(codes == c, prediction[:, c]))
        if len(classes) == 2:
            break
    return float(np.mean(per_class)) if per_class else float("nan")


def ml_efficacy(train: pd.DataFrame, test: pd.DataFrame, target: Hashable, random_state: int = 0) -> float:
    """R2 or AUC on real test rows of gradient boosting trained on `train`, real or generated.

    A category of one class only in `train` scores 0.5.

    Raises:
        ValueError: if the columns differ.
    """
    test = _same_columns(train, test)
    levels = category_levels(train, test)
    inputs = [name for name in train.columns if name != target]
    X, Z = as_numbers(train[inputs], levels), as_numbers(test[inputs], levels)
    few = [d for d, name in enumerate(inputs) if name in levels and len(levels[name]) <= 255]
    if target not in levels:
        model = HistGradientBoostingRegressor(random_state=random_state, categorical_features=few or None)
        with one_thread():
            prediction = model.fit(X, train[target].to_numpy(np.float64)).predict(Z)
        return skill(test[target], prediction)
    y = train[target].astype(str)
    if y.nunique() < 2:
        return 0.5
    judge = HistGradientBoostingClassifier(random_state=random_state, categorical_features=few or None)
    chance = np.zeros((len(Z), len(levels[target])))
    with one_thread():
        judge.fit(X, y)
        chance[:, [levels[target].index(c) for c in judge.classes_]] = judge.predict_proba(Z)
    return skill(test[target], chance, levels[target])


def dcr(generated: pd.DataFrame, train: pd.DataFrame, holdout: pd.DataFrame) -> dict[str, float]:
    """Distance to the closest record: numbers over their range, categories 0 or 1, summed.

    Returns:
        `median`: the generated rows' median distance to training rows; `holdout_median`: that of real rows
        held out; `closer_to_train`: share of generated rows nearer to a training row than to a held-out one,
        both sides cut to equal size, ties counting half: 0.5 if nothing is copied.

    Raises:
        ValueError: if the columns differ.
    """
    generated, holdout = _same_columns(train, generated), _same_columns(train, holdout)
    levels = category_levels(train, generated, holdout)
    raw = [as_numbers(t, levels) for t in (train, generated, holdout)]
    is_category = _places(train, levels)
    low, high = raw[0].min(axis=0), raw[0].max(axis=0)
    parts: list[list[NDArray[np.float64]]] = [[], [], []]
    for d, category in enumerate(is_category):
        for side, values in zip(parts, raw, strict=True):
            if category:
                hot = values[:, d, None] == np.arange(len(levels[train.columns[d]]))
                side.append(hot * 0.5)
            else:
                width = max(float(high[d] - low[d]), 1e-300)
                side.append((values[:, d, None] - low[d]) / width)
    real, made, held = (np.concatenate(side, axis=1) for side in parts)
    n = min(len(real), len(held))

    def distance(base: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(base)
        return nearest.kneighbors(rows)[0][:, 0]

    to_train, to_held = distance(real[:n], made), distance(held[:n], made)
    closer = (to_train < to_held).mean() + 0.5 * (to_train == to_held).mean()
    return {
        "median": float(np.median(distance(real, made))),
        "holdout_median": float(np.median(distance(real, held))),
        "closer_to_train": float(closer),
    }

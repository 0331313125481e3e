"""Arms that run in a peer's own environment; see `experiment` for what they are compared on."""

from __future__ import annotations

import importlib
import os
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd

from . import metrics
from .tables import TABLES, split

Rows = list[tuple[str, float, str]]


def _means(rows: Rows, *names: str) -> Rows:
    out = list(rows)
    for name in names:
        out.append((name, float(np.mean([v for m, v, _ in rows if m.startswith(f"{name}_")])), "1"))
    return out


def _classes(frame: pd.DataFrame, target: str) -> list[str] | None:
    is_category = isinstance(frame[target].dtype, pd.CategoricalDtype)
    return [str(level) for level in frame[target].cat.categories] if is_category else None


_compiled = False


def official(
    seed: int, tables: list[str], rows: int, trees: int, leaves: int, pool: int, burn_in: int, threads: int
) -> Rows:
    """The authors' package at the settings of our `nrgboost-equal`."""
    global _compiled
    import numba

    nrgboost = importlib.import_module("nrgboost")

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    os.environ["OMP_NUM_THREADS"] = str(threads)

    def fit(frame: pd.DataFrame, count: int) -> Any:
        # A fresh dict each time: the package takes keys out of the one it is given.
        settings = {
            "num_trees": count, "max_leaves": leaves, "num_model_samples": pool, "burn_in": burn_in,
            "num_threads": threads,
        }  # fmt: skip
        return nrgboost.NRGBooster.fit(nrgboost.Dataset(frame), settings, seed=seed)

    if not _compiled:
        for name in tables:
            fit(split(name, rows, seed)[0], 3)
        _compiled = True
    out: Rows = []
    spent = 0.0
    for name in tables:
        train, _, test = split(name, rows, seed)
        target = TABLES[name].target
        start = time.perf_counter()
        model = fit(train, trees)
        spent += time.perf_counter() - start
        classes = _classes(train, target)
        prediction = model.predict(test, target)
        if classes is not None:
            prediction = np.exp(prediction)
        out.append((f"equal_skill_{name}", metrics.skill(test[target], prediction, classes), "1"))
    return [*_means(out, "equal_skill"), ("fit_seconds", spent, "s")]


def lightgbm(seed: int, tables: list[str], rows: int) -> Rows:
    """LightGBM, 300 rounds with early stopping on our validation rows."""
    import lightgbm as lgb

    out: Rows = []
    for name in tables:
        train, held_out, test = split(name, rows, seed)
        target = TABLES[name].target
        classes = _classes(train, target)
        X, V, Z = (frame.drop(columns=target) for frame in (train, held_out, test))
        settings = {
            "n_estimators": 300,
            "learning_rate": 0.1,
            "random_state": seed,
            "verbose": -1,
            "n_jobs": 1,
        }
        model = lgb.LGBMRegressor(**settings) if classes is None else lgb.LGBMClassifier(**settings)
        y = (frame[target] if classes is None else frame[target].cat.codes for frame in (train, held_out))
        stop = lgb.early_stopping(30, verbose=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, next(y), eval_set=[(V, next(y))], callbacks=[stop])
            prediction = model.predict(Z) if classes is None else model.predict_proba(Z)
        out.append((f"skill_{name}", metrics.skill(test[target], prediction, classes), "1"))
    return _means(out, "skill")


def arf_conditional(model: Any, parts: dict[str, Any], rows: pd.DataFrame, target: str) -> np.ndarray:
    """Mean (N,) or class probabilities (N, C) of one column given the others, from an ARF's leaves.

    The density is a mixture over all trees' leaves, each a product over columns; given the other columns, a
    leaf's weight is its coverage times the product of their densities there, and the target follows the
    leaf's truncated normal or class shares.
    """
    from scipy.stats import truncnorm

    leaves = model.bnds[["tree", "nodeid", "cvg"]].drop_duplicates().reset_index(drop=True)
    key = pd.MultiIndex.from_frame(leaves[["tree", "nodeid"]])
    log_weight = np.tile(np.log(leaves["cvg"].to_numpy()), (len(rows), 1))
    by_column = dict(iter(parts["cnt"].groupby("variable"))) if len(parts["cnt"]) else {}
    shares = dict(iter(parts["cat"].groupby("variable"))) if len(parts["cat"]) else {}

    def normal(column: str) -> tuple[np.ndarray, ...]:
        table = by_column[column].set_index(["tree", "nodeid"]).reindex(key)
        spread = np.maximum(
            table["sd"].fillna(0).to_numpy(), 1e-3 * max(float(model.x_real[column].std()), 1e-9)
        )
        mean = table["mean"].to_numpy()
        return (
            mean,
            spread,
            (table["min"] - mean).to_numpy() / spread,
            (table["max"] - mean).to_numpy() / spread,
        )

    def levels(column: str) -> np.ndarray:
        table = shares[column].drop_duplicates(["tree", "nodeid", "value"])
        wide = table.pivot(index=["tree", "nodeid"], columns="value", values="prob").reindex(key)
        return wide.reindex(columns=range(len(model.levels[column]))).fillna(0).to_numpy()

    for column in model.orig_colnames:
        if column == target:
            continue
        if model.factor_cols[column]:
            codes = pd.Categorical(rows[column], categories=model.levels[column]).codes
            log_weight += np.log(levels(column)[:, codes].T + 1e-6)
        else:
            mean, spread, low, high = normal(column)
            values = rows[column].to_numpy(float)[:, None]
            log_weight += truncnorm.logpdf(values, low, high, loc=mean, scale=spread).clip(-50, 50)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    if model.factor_cols[target]:
        return np.asarray(weight @ levels(target))
    mean, spread, low, high = normal(target)
    inside = truncnorm.mean(low, high, loc=mean, scale=spread)
    return np.asarray(weight @ np.where(np.isfinite(inside), inside, mean))


def arf(seed: int, tables: list[str], rows: int, drawn: int) -> Rows:
    """Adversarial random forests at their defaults; `skill_small` is the mean over these tables."""
    arfpy = importlib.import_module("arfpy.arf")

    out: Rows = []
    for name in tables:
        train, held_out, test = split(name, rows, seed)
        target = TABLES[name].target
        everything = pd.concat([train, held_out], ignore_index=True)
        np.random.seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = arfpy.arf(x=everything.copy(), verbose=False, random_state=seed)
            parts = model.forde()
            made = model.forge(drawn)
            prediction = arf_conditional(model, parts, test, target)
        made = _as_real(made, train)
        classes = _classes(train, target)
        out += [
            (f"skill_{name}", metrics.skill(test[target], prediction, classes), "1"),
            (f"c2st_{name}", metrics.c2st_auc(test, made), "1"),
            (f"efficacy_{name}", metrics.ml_efficacy(made, test, target), "1"),
        ]
    skill = float(np.mean([value for metric, value, _ in out if metric.startswith("skill_")]))
    return [*_means(out, "c2st", "efficacy"), ("skill_small", skill, "1")]


def _as_real(made: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Generated columns with the types of the real ones; whole numbers are rounded."""
    out = {}
    for column in train.columns:
        if isinstance(train[column].dtype, pd.CategoricalDtype):
            out[column] = pd.Categorical(made[column].astype(str), categories=train[column].cat.categories)
        else:
            values = made[column].astype(float)
            out[column] = values.round() if pd.api.types.is_integer_dtype(train[column]) else values
    return pd.DataFrame(out)


def ctgan(seed: int, tables: list[str], rows: int, drawn: int, epochs: int) -> Rows:
    """CTGAN at its defaults; `c2st_small` is that of the first table."""
    import torch

    out: Rows = []
    for name in tables:
        train, held_out, test = split(name, rows, seed)
        target = TABLES[name].target
        everything = pd.concat([train, held_out], ignore_index=True)
        discrete = [c for c in train.columns if isinstance(train[c].dtype, pd.CategoricalDtype)]
        torch.manual_seed(seed)
        np.random.seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = importlib.import_module("ctgan").CTGAN(epochs=epochs, verbose=False)
            start = time.perf_counter()
            model.fit(everything, discrete)
            seconds = time.perf_counter() - start
            made = _as_real(model.sample(drawn), train)
        out += [
            (f"c2st_{name}", metrics.c2st_auc(test, made), "1"),
            (f"efficacy_{name}", metrics.ml_efficacy(made, test, target), "1"),
            (f"seconds_{name}", seconds, "s"),
        ]
    return [*out, ("c2st_small", out[0][1], "1")]

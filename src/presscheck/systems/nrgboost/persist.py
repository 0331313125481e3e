"""Models as one npz file: arrays as arrays, the rest as JSON text inside; never a pickle."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .binning import Binner, Column
from .ensemble import Ensemble
from .estimator import NRGBoost
from .grow import Growth

FORMAT = "presscheck-nrgboost-1"
TREE_ARRAYS = ("feature", "threshold", "child", "leaf", "left_set", "box", "data_mass", "model_mass")


def save(model: NRGBoost, path: Path) -> None:
    """Write whole or not at all.

    Raises:
        ValueError: if a level or column name is nothing that JSON can hold, or random_state is an object.
    """
    arrays: dict[str, Any] = {}
    columns = []
    for d, column in enumerate(model.binner_.columns):
        columns.append(
            {"name": column.name, "kind": column.kind, "dtype": column.dtype, "levels": column.levels}
        )
        for part in ("low", "high", "mean", "edges"):
            arrays[f"column{d}_{part}"] = getattr(column, part)
        arrays[f"marginal{d}"] = model.model_.marginals[d]
    trees = model.model_.trees
    for part in TREE_ARRAYS:
        rows = [getattr(growth, part) for growth, _ in trees]
        arrays[f"tree_{part}"] = np.concatenate(rows) if rows else np.empty(0)
    arrays["tree_value"] = np.concatenate([values for _, values in trees]) if trees else np.empty(0)
    arrays["tree_nodes"] = np.array([len(g.feature) for g, _ in trees], dtype=np.int64)
    arrays["tree_leaves"] = np.array([len(v) for _, v in trees], dtype=np.int64)
    for part in ("train_gain_", "validation_loss_", "validation_gain_"):
        if hasattr(model, part):
            arrays[part] = getattr(model, part)
    head = {
        "format": FORMAT,
        "params": model.get_params(),
        "columns": columns,
        "best_iteration": int(model.best_iteration_),
        "n_gibbs_samples": int(model.n_gibbs_samples_),
        "named": hasattr(model, "feature_names_in_"),
    }
    try:
        text = json.dumps(head)
    except TypeError as problem:
        raise ValueError(f"this model cannot be saved as JSON: {problem}") from problem
    arrays["head"] = np.frombuffer(text.encode(), dtype=np.uint8)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path) -> NRGBoost:
    """Read a model.

    Raises:
        ValueError: if the file is not such a model or is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays["head"].tobytes())
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']!r} is not {FORMAT!r}")
        return _build(head, arrays)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as problem:
        raise ValueError(f"{path} is no saved NRGBoost model, or is damaged: {problem}") from problem


def _build(head: dict[str, Any], arrays: dict[str, Any]) -> NRGBoost:
    model = NRGBoost(**head["params"])
    binner = Binner(model.max_bins, model.unknown)
    for d, said in enumerate(head["columns"]):
        parts = {part: arrays[f"column{d}_{part}"] for part in ("low", "high", "mean", "edges")}
        binner.columns.append(Column(**said, **parts))
    marginals = [arrays[f"marginal{d}"] for d in range(len(binner.columns))]
    if any(len(m) != c.size for m, c in zip(marginals, binner.columns, strict=True)):
        raise ValueError("marginals and columns do not fit each other")
    count = len(arrays["tree_nodes"])
    ensemble = Ensemble(marginals, binner.ordered, model.max_leaves, capacity=max(1, count))
    node_ends, leaf_ends = np.cumsum(arrays["tree_nodes"]), np.cumsum(arrays["tree_leaves"])
    for t in range(count):
        nodes = slice(node_ends[t] - arrays["tree_nodes"][t], node_ends[t])
        leaves = slice(leaf_ends[t] - arrays["tree_leaves"][t], leaf_ends[t])
        kept = {
            part: arrays[f"tree_{part}"][leaves if part in ("box", "data_mass", "model_mass") else nodes]
            for part in TREE_ARRAYS
        }
        if kept["box"].shape != (len(arrays["tree_value"][leaves]), int(ensemble.offset[-1])):
            raise ValueError(f"tree {t} does not fit the domain")
        none = np.empty(0, np.int32)
        ensemble.add(Growth(**kept, data_leaf=none, pool_leaf=none), arrays["tree_value"][leaves])
    model.binner_, model.model_ = binner, ensemble
    model.n_trees_, model.best_iteration_ = count, head["best_iteration"]
    model.n_gibbs_samples_ = head["n_gibbs_samples"]
    model.n_features_in_ = len(binner.columns)
    if head["named"]:
        model.feature_names_in_ = np.array([c.name for c in binner.columns], dtype=object)
    for part in ("train_gain_", "validation_loss_", "validation_gain_"):
        if part in arrays:
            setattr(model, part, arrays[part])
    return model

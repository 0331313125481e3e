"""NRGBoost against gradient boosting, density forests, marginals and peers, on real tables.

Every seed splits the tables anew. `skill` is the mean over tables of R2 (a number) or AUC (a class) of the
target on test rows; `c2st` the mean AUC of a classifier that tells generated rows from test rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable

from . import metrics
from .density_forest import DensityForest
from .estimator import NRGBoost
from .tables import TABLES, split

PEERS = "presscheck.systems.nrgboost.peers"


@dataclass(frozen=True)
class Size:
    """Tables and settings; the `equal_` ones are those that peers get too."""

    tables: tuple[str, ...]
    rows: int
    trees: int
    leaves: int
    pool: int
    burn_in: int
    patience: int
    drawn: int
    sweeps: int
    equal_tables: tuple[str, ...]
    equal_trees: int
    equal_pool: int
    forest: int


SIZES = {
    "smoke": Size(("wine",), 100, 6, 8, 500, 2, 5, 40, 2, ("wine",), 4, 500, 5),
    "quick": Size(
        ("concrete", "churn", "diamonds"), 1500, 50, 64, 4000, 10, 20, 300, 15, ("concrete",), 20, 4000, 30
    ),
    "full": Size(
        ("concrete", "churn", "credit", "diamonds"), 3000, 200, 64, 8000, 20, 30, 500, 30,
        ("concrete", "churn"), 60, 8000, 60,
    ),
}  # fmt: skip
WARMUP = {"smoke": 0, "quick": 0, "full": 0}


def threads() -> int:
    """Threads that timed arms get: OMP_NUM_THREADS if it is set, else the processors we may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else len(os.sched_getaffinity(0))


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    return {**asdict(SIZES[run.size]), "threads": threads()}


def classes_of(train: pd.DataFrame, target: str) -> list[str] | None:
    """The levels of a categorical target, None of a numeric one."""
    if isinstance(train[target].dtype, pd.CategoricalDtype):
        return [str(level) for level in train[target].cat.categories]
    return None


def target_skill(model: NRGBoost | DensityForest, test: pd.DataFrame, target: str) -> float:
    """R2 or AUC of one column of the test rows."""
    if pd.api.types.is_numeric_dtype(test[target]):
        return metrics.skill(test[target], model.predict(test, target))
    levels = model.binner_.columns[model.binner_.index(target)].levels
    return metrics.skill(test[target], model.predict_proba(test, target), [str(level) for level in levels])


def column_skill(model: NRGBoost, test: pd.DataFrame) -> float:
    """Mean over columns of R2, or of twice the AUC less one; a column of one value is left out."""
    skills = []
    for column in test.columns:
        if test[column].nunique() < 2:
            continue
        value = target_skill(model, test, column)
        skills.append(value if pd.api.types.is_numeric_dtype(test[column]) else 2 * value - 1)
    return float(np.mean(skills))


def ood_auc(model: NRGBoost, test: pd.DataFrame, column: str, seed: int) -> float:
    """AUC of the energy telling test rows with one permuted column from the rows as they are."""
    from sklearn.metrics import roc_auc_score

    other = test.copy()
    order = np.random.default_rng(seed).permutation(len(test))
    other[column] = test[column].to_numpy()[order]
    changed = (other[column] != test[column]).to_numpy()
    energies: NDArray[np.float64] = np.concatenate([model.energy(test), model.energy(other[changed])])
    return float(roc_auc_score(np.repeat([0, 1], [len(test), int(changed.sum())]), energies))


def with_means(rows: list[Reading], names: tuple[str, ...]) -> list[Reading]:
    """Readings and, under each name, the mean of those called `<name>_<table>`."""
    out = list(rows)
    for name in names:
        values = [value for metric, value, _ in rows if metric.startswith(f"{name}_")]
        out.append((name, float(np.mean(values)), "1"))
    return out


def booster(size: Size, seed: int, **changes: Any) -> NRGBoost:
    """Our estimator at a size's settings."""
    settings: dict[str, Any] = {
        "n_trees": size.trees,
        "max_leaves": size.leaves,
        "n_model_samples": size.pool,
        "burn_in": size.burn_in,
        "early_stopping_rounds": size.patience,
        "n_jobs": threads(),
        "random_state": seed,
    }
    return NRGBoost(**{**settings, **changes})


def equal(size: Size, seed: int, p_refresh: float) -> NRGBoost:
    """Our estimator at the settings that the authors' package gets, without early stopping."""
    return booster(
        size,
        seed,
        n_trees=size.equal_trees,
        n_model_samples=size.equal_pool,
        early_stopping_rounds=None,
        p_refresh=p_refresh,
    )


def sampling(name: str, test: pd.DataFrame, rows: pd.DataFrame) -> list[Reading]:
    """What generated rows are worth."""
    return [
        (f"c2st_{name}", metrics.c2st_auc(test, rows), "1"),
        (f"efficacy_{name}", metrics.ml_efficacy(rows, test, TABLES[name].target), "1"),
    ]


def arms(run: Run) -> dict[str, Arm]:
    """Ours, baselines of ours, and peers in their own environments."""
    size = SIZES[run.size]
    try:
        for name in size.tables:
            split(name, 100, 0)
    except ImportError as problem:
        raise Unavailable(str(problem)) from None
    compile_kernels()

    def nrgboost(seed: int) -> Iterator[Reading]:
        out: list[Reading] = []
        for name in size.tables:
            train, held_out, test = split(name, size.rows, seed)
            target = TABLES[name].target
            model = booster(size, seed)
            seconds, _ = run.time(partial(model.fit, train, validation=held_out, target=target))
            out += [
                (f"skill_{name}", target_skill(model, test, target), "1"),
                (f"columns_{name}", column_skill(model, test), "1"),
                (f"unusual_{name}", ood_auc(model, test, TABLES[name].exchanged, seed), "1"),
                (f"seconds_{name}", seconds, "s"),
                (f"rounds_{name}", float(model.best_iteration_), "1"),
            ]
            took, rows = run.time(
                partial(model.sample, size.drawn, n_steps=size.sweeps, random_state=seed + 1)
            )
            out += sampling(name, test, rows)
            out.append((f"sample_{name}", took, "s"))
            closeness = metrics.dcr(rows, train, test)
            out.append((f"closer_to_train_{name}", closeness["closer_to_train"], "1"))
        out = with_means(out, ("skill", "c2st", "efficacy", "columns", "unusual"))
        skills = {metric: value for metric, value, _ in out}
        yield "skill_small", float(np.mean([skills[f"skill_{name}"] for name in size.equal_tables])), "1"
        rename = {"columns": "column_skill", "unusual": "ood_auc"}
        for metric, value, unit in out:
            yield rename.get(metric, metric), value, unit
            if metric == f"c2st_{size.tables[0]}":
                yield "c2st_small", value, unit

    def forest(seed: int) -> Iterator[Reading]:
        out: list[Reading] = []
        for name in size.tables:
            train, held_out, test = split(name, size.rows, seed)
            best, skill = None, -np.inf
            # The criterion and the leaves' size are chosen on the rows that stop ours early.
            for least in (2, 10):
                model = DensityForest(size.forest, max_leaves=1024, min_data_in_leaf=least, random_state=seed)
                value = target_skill(model.fit(train), held_out, TABLES[name].target)
                if best is None or value > skill:
                    best, skill = model, value
            assert best is not None
            out.append((f"skill_{name}", target_skill(best, test, TABLES[name].target), "1"))
            out += sampling(name, test, best.sample(size.drawn, random_state=seed + 1))
        yield from with_means(out, ("skill", "c2st", "efficacy"))

    def gbdt(seed: int) -> Iterator[Reading]:
        out: list[Reading] = []
        for name in size.tables:
            train, held_out, test = split(name, size.rows, seed)
            everything = pd.concat([train, held_out], ignore_index=True)
            out.append((f"skill_{name}", metrics.ml_efficacy(everything, test, TABLES[name].target), "1"))
        yield from with_means(out, ("skill",))

    def marginals(seed: int) -> Iterator[Reading]:
        out: list[Reading] = []
        for name in size.tables:
            train, _, test = split(name, size.rows, seed)
            rng = np.random.default_rng(seed)
            drawn = {c: train[c].iloc[rng.integers(len(train), size=size.drawn)].array for c in train.columns}
            out += sampling(name, test, pd.DataFrame(drawn))
        yield from with_means(out, ("c2st", "efficacy"))

    def at_equal_settings(p_refresh: float) -> Arm:
        def arm(seed: int) -> Iterator[Reading]:
            out: list[Reading] = []
            spent = 0.0
            for name in size.equal_tables:
                train, _, test = split(name, size.rows, seed)
                model = equal(size, seed, p_refresh)
                seconds, _ = run.time(partial(model.fit, train))
                spent += seconds
                out.append((f"equal_skill_{name}", target_skill(model, test, TABLES[name].target), "1"))
            yield from with_means(out, ("equal_skill",))
            yield "fit_seconds", spent, "s"

        return arm

    shared = {"rows": size.rows, "drawn": size.drawn}
    tables = list(size.tables)
    official = {
        "tables": list(size.equal_tables), "rows": size.rows, "trees": size.equal_trees,
        "leaves": size.leaves, "pool": size.equal_pool, "burn_in": size.burn_in, "threads": threads(),
    }  # fmt: skip
    peers: dict[str, Arm] = {
        "official": Peer("nrgboost", f"{PEERS}:official", official),
        "lightgbm": Peer("lightgbm", f"{PEERS}:lightgbm", {"tables": tables, "rows": size.rows}),
        "arf": Peer("arfpy", f"{PEERS}:arf", {"tables": list(size.equal_tables), **shared}),
        "ctgan": Peer("ctgan", f"{PEERS}:ctgan", {"tables": tables[:1], "epochs": 300, **shared}),
    }
    # Loading, compiling or training them takes longer than the smaller sizes may.
    absent = {"smoke": tuple(peers), "quick": ("arf", "ctgan"), "full": ()}[run.size]
    for name in absent:
        peer = peers[name]
        assert isinstance(peer, Peer)
        peers[name] = left_out(peer.name)
    return {
        "nrgboost": nrgboost,
        "def": forest,
        "gbdt": gbdt,
        "marginals": marginals,
        "nrgboost-equal": at_equal_settings(0.1),
        "refresh-all": at_equal_settings(1.0),
        **peers,
    }


def left_out(peer: str) -> Arm:
    """An arm that says that a peer does not run at this size."""

    def arm(seed: int) -> list[Reading]:
        raise Unavailable(f"{peer} does not run at this size, which is too short for it")

    return arm


def compile_kernels() -> None:
    """Compile, or load from numba's cache, what the timed calls use."""
    table = split("wine", 60, 0)[0]
    for p_refresh in (0.1, 1.0):
        model = NRGBoost(4, max_leaves=4, n_model_samples=64, n_chains=4, burn_in=1, p_refresh=p_refresh)
        model.fit(table, validation=table, target="cultivar").sample(4, n_steps=1)
        model.energy(table)

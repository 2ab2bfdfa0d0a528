"""The tables of ADBench (Han et al., NeurIPS 2022), cut, split and standardised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 4000


def rows_of(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a table, cut, and whether each is an anomaly."""
    table = np.load(path)
    X, y = table["X"].astype(np.float64), table["y"] == 1
    if len(X) > MAX_ROWS:
        kept = np.random.RandomState(seed).choice(len(X), MAX_ROWS, replace=False)
        X, y = X[kept], y[kept]
    return X, y


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and the held-out part of a table, standardised."""
    X, _ = rows_of(path, 0)
    train, test = train_test_split(X, test_size=0.25, random_state=0)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def paths_of(folder: Path, only: list[str]) -> list[Path]:
    """Return the tables whose name has one of the parts."""
    return [path for path in sorted(folder.glob("*.npz")) if any(p in path.stem for p in only)]


def pairs_of(folder: Path, only: list[str]) -> list[tuple[Path, int]]:
    """Return pairs of a table whose name has one of the parts, and a number of components."""
    pairs = []
    for path in paths_of(folder, only):
        n_features = np.load(path)["X"].shape[1]
        sizes = sorted({max(1, n_features // 4), max(1, n_features // 2)})
        pairs += [(path, k) for k in sizes]
    return pairs


def halves_of(of_tables: pd.DataFrame) -> list[tuple[pd.Series, pd.Series]]:
    """Return means over one half of the tables, every second one, beside those over the other.

    Rows are tables. Each half comes first once, as the one that judges what the other has chosen.
    """
    first, second = (of_tables.iloc[start::2].mean() for start in (0, 1))
    return [(first, second), (second, first)]

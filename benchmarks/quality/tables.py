"""The tables of ADBench (Han et al., NeurIPS 2022), cut, split and standardised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 4000


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and the held-out part of a table, standardised."""
    X = np.load(path)["X"].astype(np.float64)
    if len(X) > MAX_ROWS:
        X = X[np.random.RandomState(0).choice(len(X), MAX_ROWS, replace=False)]
    train, test = train_test_split(X, test_size=0.25, random_state=0)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def pairs_of(folder: Path, only: list[str]) -> list[tuple[Path, int]]:
    """Return pairs of a table whose name has one of the parts, and a number of components."""
    pairs = []
    for path in sorted(folder.glob("*.npz")):
        n_features = np.load(path)["X"].shape[1]
        if any(part in path.stem for part in only):
            sizes = sorted({max(1, n_features // 4), max(1, n_features // 2)})
            pairs += [(path, k) for k in sizes]
    return pairs

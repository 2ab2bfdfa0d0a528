"""Supervised codes: a linear head that predicts y from them, for the rows where y is known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import type_of_target

from sk_autoencoder._data import Data
from sk_autoencoder._nn.heads import UNLABELLED

# More whole numbers than this, of which each is in fewer rows on average, look like values.
MANY_CLASSES = 20
FEW_ROWS = 5

# Of what a later y does not suit, and what rows of the user's own do not, another remedy.
START_ANEW = ", or start anew: call fit with warm_start=False."


@dataclass(frozen=True)
class TargetEncoder:
    """How y is read: as classes that are numbered, or as values that are standardised.

    `share` is that of the rows where y is known, and `ignorance` the loss of a head that
    knows nothing but how often each class comes up.
    """

    encoder: LabelEncoder | StandardScaler
    n_outputs: int
    share: float
    ignorance: float

    @property
    def are_classes(self) -> bool:
        return isinstance(self.encoder, LabelEncoder)

    @classmethod
    def fit(cls, y: np.ndarray, weight: np.ndarray | None) -> TargetEncoder:
        """Tell from y what it is, as scikit-learn does, and learn how to number or scale it."""
        if _kind(y) == "values":
            known = ~_is_missing(y).reshape(len(y), -1)
            y = _as_columns(y)
            scaler = StandardScaler().fit(y, sample_weight=weight)
            share = np.average(known.mean(axis=1), weights=weight)
            return cls(scaler, y.shape[1], float(share), 1.0)
        rows = _is_labelled(y)
        encoder = LabelEncoder().fit(_plain(y[rows]))
        n_classes = len(encoder.classes_)
        if n_classes < 2:
            raise ValueError(
                f"y has {n_classes} classes among its {rows.sum()} labelled rows, but "
                "supervised_weight needs two. Label rows of another class, or set it to 0."
            )
        numbers = encoder.transform(_plain(y[rows]))
        counts = np.bincount(numbers, None if weight is None else weight[rows])
        share = np.average(rows, weights=weight)
        return cls(encoder, n_classes, float(share), float(stats.entropy(counts)))

    def check(self, y: np.ndarray, or_else: str = START_ANEW) -> None:
        """Refuse a later y that is not of the kind, the width and the classes of the first one.

        `or_else` ends the remedy.
        """
        if not self.are_classes:
            self._check_values(y, or_else)
            return
        rows = _is_labelled(y)
        if not rows.any():
            return
        seen = self.encoder.classes_.tolist()
        if _kind(y) == "values":
            raise ValueError(
                "y holds continuous values, but the first fit read it as classes, which were "
                f"{_some(seen)}. Pass classes{or_else}"
            )
        unseen = [label for label in dict.fromkeys(_plain(y[rows]).tolist()) if label not in seen]
        if unseen:
            raise ValueError(
                f"y has the classes {_some(unseen)}, but the first fit saw only {_some(seen)}. Set "
                f"such rows to {UNLABELLED}, which is no label{or_else}"
            )

    def _check_values(self, y: np.ndarray, or_else: str) -> None:
        cells = _plain(y[~_is_missing(y)])
        if len(cells) > 0 and cells.dtype.kind not in "iuf":
            raise ValueError(
                f"y has cells such as {cells.tolist()[0]!r}, but the first fit read it as "
                f"continuous values. Pass numbers{or_else}"
            )
        assert_all_finite(cells, input_name="y")
        n_columns = 1 if y.ndim == 1 else y.shape[1]
        if n_columns != self.n_outputs:
            raise ValueError(
                f"y has {n_columns} columns of values, but {self.n_outputs} in the first fit. "
                f"Pass as many{or_else}"
            )

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return numbers of classes, or standardised values; -1 or NaN where none is known."""
        if not self.are_classes:
            return self.encoder.transform(_as_columns(y)).astype(np.float32)
        rows = _is_labelled(y)
        numbers = np.full(len(y), UNLABELLED)
        if rows.any():
            numbers[rows] = self.encoder.transform(_plain(y[rows]))
        return numbers


def encode_target(data: Data, y, weight: float, before: TargetEncoder | None = None) -> Data:
    """Return the data with what y tells of their rows, read as in the first fit.

    Where `weight`, that of the supervised head, is 0, y may be anything. `before` is the encoder
    of the fit before.
    """
    if not weight:
        return data
    if y is None:
        raise ValueError(
            f"supervised_weight={weight:g} requires y to be passed, but the "
            "target y is None. Pass y to fit, with -1 (or NaN) for rows that have no label, or "
            "set supervised_weight=0."
        )
    known = _as_array(data.y)
    if before is None:
        encoder = TargetEncoder.fit(known, data.weight)
        _warn_of_many_classes(encoder, int(_is_labelled(known).sum()))
    else:
        encoder = before
        encoder.check(known)
    return replace(data, labels=encoder.encode(known), target=encoder)


def encode_validation_target(data: Data, y, encoder: TargetEncoder | None) -> Data:
    """Return the user's own validation rows with what y tells of them, read as in the fit."""
    if encoder is None:
        return data
    if y is None:
        raise ValueError(
            "supervised_weight needs the labels of X_val too, but y_val is None. Pass y_val, with "
            "-1 (or NaN) for rows that have no label."
        )
    try:
        known = _as_array(data.y)
        encoder.check(known, or_else=".")
    except ValueError as error:
        raise ValueError(f"y_val does not suit X_val and y: {error}") from error
    return replace(data, labels=encoder.encode(known), target=encoder)


def _warn_of_many_classes(encoder: TargetEncoder, n_labelled: int) -> None:
    """Warn of whole numbers that are read as classes, but look like values."""
    if not encoder.are_classes or encoder.n_outputs <= MANY_CLASSES:
        return
    is_text = encoder.encoder.classes_.dtype.kind not in "iuf"
    if is_text or n_labelled >= FEW_ROWS * encoder.n_outputs:
        return
    warnings.warn(
        f"y holds {encoder.n_outputs} different whole numbers in {n_labelled} labelled rows, and "
        "whole numbers are read as classes. If these are values, standardise y, as in "
        "(y - y.mean()) / y.std(), with NaN where they are not known.",
        UserWarning,
        stacklevel=6,  # behind read, _check, fit and its decorator
    )


def strata(data: Data, units: np.ndarray, n_least: int) -> np.ndarray | None:
    """Return the class of each unit by which to split them in two, where each part can have one.

    `units` holds the number of the unit of each row, whose class is that of most of its rows.
    `n_least` is the size of the smaller part. Rows without a label are a class of their own.
    """
    if data.labels is None or not data.target.are_classes:
        return None
    labels, numbers = np.unique(data.labels[data.rows], return_inverse=True)
    ones = np.ones(len(numbers), dtype=np.int64)
    counts = sparse.coo_array((ones, (units, numbers)), shape=(units.max() + 1, len(labels)))
    classes = labels[counts.tocsr().argmax(axis=1)]
    _, sizes = np.unique(classes, return_counts=True)
    return classes if sizes.min() >= 2 and n_least >= len(sizes) else None


def _some(labels: Sequence) -> str:
    """Return the first few of the labels as text."""
    shown = ", ".join(repr(label) for label in labels[:5])
    return shown if len(labels) <= 5 else f"{shown} and {len(labels) - 5} more"


def _as_array(y) -> np.ndarray:
    """Return y as an array, with a column of classes made flat."""
    y = np.asarray(y)
    if y.dtype.kind in "US" and np.isin(y, [str(UNLABELLED)]).any():
        raise ValueError(
            f"y is an array of strings, of which some are {str(UNLABELLED)!r}: nothing tells "
            "whether these are labels. Use dtype=object, and the number -1 for rows without one."
        )
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind != "f":
        y = column_or_1d(y, warn=True)
    return y


def _as_columns(y: np.ndarray) -> np.ndarray:
    return y.reshape(len(y), -1).astype(np.float64)


def _kind(y: np.ndarray) -> str:
    """Return whether y holds "classes" or "values", as scikit-learn tells them apart."""
    cells = _plain(y[~_is_missing(y)])
    if cells.dtype == object:
        cells = cells[_is_labelled(cells)]
    if len(cells) == 0:
        raise ValueError("y has no known label. Label some rows, or set supervised_weight=0.")
    kind = type_of_target(cells, input_name="y")
    if kind == "continuous":
        return "values"
    if kind not in ("binary", "multiclass") or y.ndim > 1:
        raise ValueError(
            f"y has cells of type {kind!r} (scikit-learn's type_of_target) in an array of shape "
            f"{y.shape}, but supervised_weight needs a class a row, or one or more continuous "
            "values. Pass y in one of these forms."
        )
    return "classes"


def _plain(y: np.ndarray) -> np.ndarray:
    """Return an array of objects as one of numbers, where all of them are."""
    if y.dtype != object:
        return y
    plain: Any = np.array(y.tolist())
    return plain if plain.dtype.kind in "biuf" else y


def _is_missing(y: np.ndarray) -> np.ndarray:
    return np.asarray(pd.isna(y))


def _is_labelled(y: np.ndarray) -> np.ndarray:
    """Say which rows of classes have one: not -1, and not missing."""
    labelled = ~_is_missing(y)
    labelled[labelled] = [label != UNLABELLED for label in y[labelled]]
    return labelled

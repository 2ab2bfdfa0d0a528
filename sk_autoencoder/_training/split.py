"""Which rows train and which judge: rows that depend on each other stay on one side."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from sk_autoencoder._combinations import gives_wide_codes_meaning
from sk_autoencoder._training.selection import ENOUGH_ROWS
from sk_autoencoder._training.setup import given_n_components, starts_at_pca
from sk_autoencoder._training.supervision import strata
from sk_autoencoder._utils.copies import are_copies, count_distinct, find_copies
from sk_autoencoder._validation import Data, rows_with_known_cells

VALIDATION_FRACTION = 0.1
MAX_VALIDATION_FRACTION = 1 / 3

# Of the rows: a group, or the copies of a row, that has more of them is not set aside.
MAX_SHARE_OF_GROUP = 0.5


class Part(NamedTuple):
    """Some of the rows of some data."""

    data: Data
    rows: np.ndarray


def split(estimator, data: Data, given: Data | None, rng) -> tuple[Data, np.ndarray, Part | None]:
    """Return the data with their copies found, their training rows, and the rows that judge.

    These are `given`, where the user has some, else validation rows of the data, or None.
    """
    if not estimator.early_stopping:
        return data, np.arange(len(data)), None
    data = replace(data, copies=find_copies(data.X))
    if given is not None:
        return data, np.arange(len(data)), _given_part(estimator, data, given)
    train, valid = split_rows(estimator, data, rng)
    return data, train, None if valid is None else Part(data, valid)


def _given_part(estimator, data: Data, given: Data) -> Part | None:
    """Return the rows of the user's own that judge: those that are no copies of training rows."""
    rows = rows_with_known_cells(given)
    if len(rows) == 0:
        raise ValueError("X_val has no row with a known cell. Pass rows that have some.")
    new = rows[~are_copies(given.X, data.X)[rows]]
    if len(new) == 0:
        warnings.warn(
            "Each row of X_val is a copy of a row of X, and so tells nothing of new rows. Pass "
            "rows that are not in X, or leave X_val out, so that rows of X are set aside.",
            UserWarning,
            stacklevel=5,  # behind split, fit and its decorator
        )
    rows = _new_or_all(estimator, new, rows)
    return None if len(rows) == 0 else Part(replace(given, copies=find_copies(given.X)), rows)


def _new_or_all(estimator, new: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows that are no copies of training rows; all, where none is and some have to be.

    Without rows that judge a start at PCA stays there, while others would stay untrained.
    """
    return rows if len(new) == 0 and not starts_at_pca(estimator) else new


def split_rows(estimator, data: Data, rng) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the indices of the training rows and of the validation rows, if there are any.

    Rows without a known cell are neither, unless all rows are to train on.

    Rows of a group, or without groups the exact copies of a row, stay on one side; what is
    drawn are groups. Of supervised classes both sides have the same shares. A start at PCA
    needs more distinct training rows than components: with fewer, PCA reconstructs them
    exactly, and no row is set aside, unless more than that is asked for.
    """
    everything, rows = np.arange(len(data)), rows_with_known_cells(data)
    units = np.arange(len(rows))
    if data.units is not None:
        units = np.unique(data.units[rows], return_inverse=True)[1]
    small = small_units(units)
    n_units = int(units.max(initial=-1)) + 1
    n_valid = _count_validation(estimator, n_units, grouped=data.groups is not None)
    if n_valid == 0 or len(small) == 0:
        return everything, None
    drawn = small
    if n_valid < len(small):
        known = None if data.known is None else data.known[rows]
        classes = strata(estimator, known, units, min(n_valid, len(small) - n_valid))
        classes = None if classes is None else classes[small]
        _, drawn = train_test_split(small, test_size=n_valid, random_state=rng, stratify=classes)
    is_drawn = np.zeros(n_units, dtype=bool)
    is_drawn[drawn] = True
    # By a mask, since to sort many rows takes as long as a part of their training.
    judges = is_drawn[units]
    train, valid = rows[~judges], rows[judges]
    valid = _new_or_all(estimator, _without_copies_of(data, valid, train), valid)
    if len(valid) == 0 or _are_copied(estimator, data, train):
        return everything, None
    return train, valid


def _are_copied(estimator, data: Data, train: np.ndarray) -> bool:
    """Whether PCA reconstructs the training rows exactly, as these are too few."""
    n_components = given_n_components(estimator, data)
    if n_components is None or not starts_at_pca(estimator) or gives_wide_codes_meaning(estimator):
        return False
    return count_distinct(data.copies, train) <= n_components


def rows_to_confirm(
    data: Data, train: np.ndarray, n_valid: int, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on, and others to ask whether the net beats PCA.

    As many are asked as judged it before. Those were already asked which epoch is best, and so
    flatter it: they are trained on now. `n_valid` counts groups, or distinct rows, and so do the
    rows that are drawn here, of which there may be none.
    """
    known = np.intersect1d(train, rows_with_known_cells(data))
    if data.units is None:
        asked = np.sort(rng.choice(known, min(n_valid, len(known) // 2), replace=False))
        return np.setdiff1d(np.arange(len(data)), asked), asked
    units = data.units[known]
    small = small_units(units)
    n_asked = min(n_valid, len(np.unique(units)) // 2, len(small))
    drawn = rng.choice(small, n_asked, replace=False)
    others = np.flatnonzero(~np.isin(data.units, drawn))
    return others, _without_copies_of(data, known[np.isin(units, drawn)], others)


def _count_validation(estimator, n_units: int, *, grouped: bool) -> int:
    """Return how many groups, or rows, to set aside; 0 where all rows are copies of one."""
    if n_units < 2 and not grouped:
        return 0
    fraction = estimator.validation_fraction
    if fraction == "auto":
        wanted = max(VALIDATION_FRACTION, ENOUGH_ROWS / max(n_units, 1))
        fraction = min(wanted, MAX_VALIDATION_FRACTION)
    n_valid = math.ceil(fraction * n_units)
    if n_valid < n_units:
        return n_valid
    what = "groups" if grouped else "rows"
    raise ValueError(
        f"validation_fraction={fraction:.3g} leaves none of the {n_units} {what} to train on. "
        f"Lower validation_fraction, pass more {what} or X_val, or set early_stopping=False."
    )


def small_units(units: np.ndarray) -> np.ndarray:
    """Return the groups that leave at least as many rows as they have."""
    sizes = np.bincount(units)
    return np.flatnonzero((sizes > 0) & (sizes <= MAX_SHARE_OF_GROUP * len(units)))


def _without_copies_of(data: Data, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the rows that are no copies of others, which groups may part from each other."""
    if data.groups is None or data.copies is None:
        return rows
    return rows[~np.isin(data.copies[rows], data.copies[others])]

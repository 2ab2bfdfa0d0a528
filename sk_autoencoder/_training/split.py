"""Which rows train and which judge: rows that depend on each other stay on one side."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import train_test_split

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._training.few_rows import judges_in_turn
from sk_autoencoder._training.selection import ENOUGH_ROWS
from sk_autoencoder._training.supervision import strata
from sk_autoencoder._utils.copies import are_copies, count_distinct, find_copies
from sk_autoencoder._utils.processes import Alone

VALIDATION_FRACTION = 0.1
MAX_VALIDATION_FRACTION = 1 / 3

# Frames between a warning and the line that calls `fit`.
WARNED_CALLER = 7

# Of the rows: a group, or the copies of a row, that has more of them is not set aside.
MAX_SHARE_OF_GROUP = 0.5


@dataclass(frozen=True)
class Split:
    """The rows of a fit, those that train and those that judge.

    `held_out` is None where no rows judge. `is_given` tells whether it holds rows of the user's
    own, which are none of `data`.
    """

    data: Data
    train: Data
    held_out: Data | None
    is_given: bool = False

    def share(self, processes: Alone) -> Split:
        """Return the part of the rows that this process trains on; all of them judge everywhere."""
        data, train = self.data.share(processes), self.train.share(processes)
        return replace(self, data=data, train=train)

    @property
    def judges(self) -> Data:
        """The rows that judge or, where there are none, those that train."""
        return self.train if self.held_out is None else self.held_out

    def judges_in_turn(self, config: Config) -> bool:
        """Whether the rows that train are asked as well, in trainings that leave them out."""
        some = self.held_out is not None and not self.is_given
        return some and judges_in_turn(config, self.data)


def split_rows(data: Data, given: Data | None, config: Config, rng) -> Split:
    """Return the data with their copies found, their training rows, and the rows that judge.

    These are `given`, where the user has some, else validation rows of the data, or None.
    """
    if not config.schedule.early_stopping:
        return Split(data, data, None)
    if not data.is_streamed:
        data = replace(data, copies=find_copies(data.X))
    if given is not None:
        return Split(data, data, _held_out_of(given, data, config), is_given=True)
    train, held_out = draw_rows(data, config, rng)
    return Split(data, train, held_out)


def _held_out_of(given: Data, data: Data, config: Config) -> Data | None:
    """Return the rows of the user's own that judge: those that are no copies of training rows."""
    rows = given.with_known_cells().rows
    if len(rows) == 0:
        raise ValueError("X_val has no row with a known cell. Pass rows that have some.")
    new = rows if data.is_streamed else rows[~are_copies(given.X, data.X)[rows]]
    if len(new) == 0:
        warnings.warn(
            "Each row of X_val is a copy of a row of X, and so tells nothing of new rows. Pass "
            "rows that are not in X, or leave X_val out, so that rows of X are set aside.",
            UserWarning,
            stacklevel=WARNED_CALLER,
        )
    rows = _new_or_all(new, rows, config)
    return None if len(rows) == 0 else replace(given, rows=rows, copies=find_copies(given.X))


def _new_or_all(new: np.ndarray, rows: np.ndarray, config: Config) -> np.ndarray:
    """Return the rows that are no copies of training rows; all, where none is and some have to be.

    Without rows that judge a start at PCA stays there, while others would stay untrained.
    """
    return rows if len(new) == 0 and not config.starts_at_pca else new


def draw_rows(data: Data, config: Config, rng) -> tuple[Data, Data | None]:
    """Return the training rows and the validation rows, if there are any.

    Rows without a known cell are neither, unless all rows are to train on.

    Rows of a group, or without groups the exact copies of a row, stay on one side; what is
    drawn are groups. Of supervised classes both sides have the same shares. A start at PCA
    needs more distinct training rows than components: with fewer, PCA reconstructs them
    exactly, and no row is set aside, unless more than that is asked for.
    """
    known = data.with_known_cells()
    rows, units = known.rows, np.arange(len(known))
    if data.units is not None:
        units = np.unique(data.units[rows], return_inverse=True)[1]
    small = small_units(units)
    n_units = int(units.max(initial=-1)) + 1
    n_valid = _count_validation(config, data, n_units)
    if n_valid == 0 or len(small) == 0:
        return data, None
    is_drawn = np.zeros(n_units, dtype=bool)
    is_drawn[_draw_units(known, units, n_valid, rng)] = True
    # By a mask, since to sort many rows takes as long as a part of their training.
    judges = is_drawn[units]
    train, valid = data.take(rows[~judges]), rows[judges]
    valid = _new_or_all(_without_copies_of(data, valid, train.rows), valid, config)
    if len(valid) == 0 or _are_copied(train, config):
        return data, None
    return train, data.take(valid)


def _draw_units(known: Data, units: np.ndarray, n_valid: int, rng) -> np.ndarray:
    """Return the numbers of the groups, or rows, that judge: `n_valid` of the small ones."""
    small = small_units(units)
    if n_valid >= len(small):
        return small
    classes = strata(known, units, min(n_valid, len(small) - n_valid))
    classes = None if classes is None else classes[small]
    return train_test_split(small, test_size=n_valid, random_state=rng, stratify=classes)[1]


def _are_copied(train: Data, config: Config) -> bool:
    """Return whether PCA reconstructs the training rows exactly, as these are too few."""
    n_components = config.code.n_components_of(*train.X.shape)
    if n_components is None or not config.starts_at_pca or config.gives_wide_codes_meaning:
        return False
    return count_distinct(train.copies, train.rows) <= n_components


def rows_to_confirm(split: Split, n_valid: int, rng) -> tuple[Data, Data]:
    """Return rows to train on, and others to ask whether the net beats PCA.

    Of the training rows of `split` as many are asked as judged it before; those that did are
    trained on now. `n_valid` counts groups, or distinct rows, and so do the rows that are drawn
    here, of which there may be none.
    """
    data = split.data
    known = np.intersect1d(split.train.rows, data.with_known_cells().rows)
    if data.units is None:
        n_asked = min(n_valid, len(known), len(data) // 2)
        asked = np.sort(rng.choice(known, n_asked, replace=False))
        return data.take(np.setdiff1d(data.rows, asked)), data.take(asked)
    units = data.units[known]
    small = small_units(data.units[data.rows])
    small = small[np.isin(small, units)]
    n_asked = min(n_valid, len(np.unique(data.units[data.rows])) // 2, len(small))
    drawn = rng.choice(small, n_asked, replace=False)
    others = np.flatnonzero(~np.isin(data.units, drawn))
    asked = _without_copies_of(data, known[np.isin(units, drawn)], others)
    return data.take(others), data.take(asked)


def _count_validation(config: Config, data: Data, n_units: int) -> int:
    """Return how many groups, or rows, to set aside; 0 where all rows are copies of one."""
    grouped = data.groups is not None
    if n_units < 2 and not grouped:
        return 0
    fraction = config.schedule.validation_fraction
    if fraction == "auto":
        wanted = max(VALIDATION_FRACTION, ENOUGH_ROWS / max(n_units, 1))
        if judges_in_turn(config, data):
            wanted = MAX_VALIDATION_FRACTION
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

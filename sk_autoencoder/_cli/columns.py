"""The columns of a file that a model was fitted with: found by name, all rows kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sk_autoencoder._cli.numeric_table import (
    check_finite,
    listed,
    name_of,
    refusal,
    to_numbers,
)


@dataclass(frozen=True)
class Columns:
    """What a model knows of its columns: their number, and their names or None."""

    n_columns: int
    names: tuple[str, ...] | None = None

    def of(self, X: pd.DataFrame, *, decimal: str = ".") -> tuple[pd.DataFrame, list[str]]:
        """Return the columns of a table in the order of the model, and notes on the others.

        What names the rows becomes the index. The errors go on from the name of the file.
        """
        if 0 in X.shape:
            raise ValueError(f"is empty: it has {X.shape[0]} rows and {X.shape[1]} columns")
        if self.names is not None:
            X = X.set_axis(X.columns.map(str), axis=1)
        X, left_out = self._chosen(self._with_row_names(X, decimal))
        X, odd = to_numbers(X, decimal)
        if odd:
            raise ValueError(refusal(X, odd, may_drop=False))
        check_finite(X)
        notes = [f"left out, as the model has no such column: {listed(left_out)}"]
        return X, notes if left_out else []

    def of_array(self, X: np.ndarray) -> pd.DataFrame | np.ndarray:
        """Return an array, with the names that the model knows its columns by."""
        self._check_number(X)
        return X if self.names is None else pd.DataFrame(X, columns=list(self.names))

    def _chosen(self, X: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Return the columns of the model, and the names of the others."""
        if self.names is None:
            self._check_number(X)
            return X, []
        found = list(X.columns)
        missing = [name for name in self.names if name not in found]
        if missing:
            raise ValueError(
                f"lacks columns that the model was fitted with: {listed([*map(repr, missing)])}. "
                f"The file has {listed([name_of(X, i) for i in range(X.shape[1])])}"
            )
        twice = [name for name in self.names if found.count(name) > 1]
        if twice:
            raise ValueError(f"has columns twice: {listed([*map(repr, twice)])}")
        others = [name_of(X, i) for i, name in enumerate(found) if name not in self.names]
        return X[list(self.names)], others

    def _with_row_names(self, X: pd.DataFrame, decimal: str) -> pd.DataFrame:
        """Return a table whose first column is its index where it has texts, and is no feature."""
        is_more = X.shape[1] == self.n_columns + 1 if self.names is None else True
        if X.shape[1] == 1 or not is_more or X.columns[0] in (self.names or ()):
            return X
        _, odd = to_numbers(X.iloc[:, :1], decimal)
        if not odd or odd[0].has_numbers:
            return X
        return X.iloc[:, 1:].set_axis(pd.Index(X.iloc[:, 0]), axis=0)

    def _check_number(self, X: pd.DataFrame | np.ndarray) -> None:
        if X.shape[1] != self.n_columns:
            raise ValueError(
                f"has {X.shape[1]} columns, but the model was fitted with {self.n_columns}"
            )


def row_names(X: pd.DataFrame | np.ndarray) -> pd.Index | None:
    """Return what names the rows of a table, None where nothing does."""
    if not isinstance(X, pd.DataFrame) or X.index.equals(pd.RangeIndex(len(X))):
        return None
    return X.index


def with_names(X: pd.DataFrame | np.ndarray) -> pd.DataFrame | np.ndarray:
    """Return a table to fit, whose columns get names where they are numbers with gaps.

    Columns between them were left out. A model then finds its columns by these names.
    """
    if not isinstance(X, pd.DataFrame) or not pd.api.types.is_integer_dtype(X.columns):
        return X
    if (np.diff(X.columns.to_numpy()) == 1).all():
        return X
    return X.set_axis(X.columns.map(str), axis=1)

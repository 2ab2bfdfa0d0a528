"""Tables that are larger than memory, transformed a block at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._reading import check_width
from sk_autoencoder._sources.files import ArrayInMemory
from sk_autoencoder._sources.find import find_source
from sk_autoencoder._sources.table import Table
from sk_autoencoder._sources.writing import Output, block_rows
from sk_autoencoder._validation import check_fitted

# Rows by which a table is known again.
N_HEAD = 16

METHODS = ("transform", "reconstruct", "score_samples")


class TransformToMixin:
    """What writes codes of a table that is larger than memory."""

    model_: FittedAutoencoder
    n_features_in_: int

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit to the rows of a matrix in memory, and return their codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as `fit` takes them.
        y : array-like, default=None
            As `fit` takes it.
        **fit_params : dict
            What else `fit` takes, such as `sample_weight`.

        Returns
        -------
        Z : ndarray of shape (n_samples, `n_components_`)
            What `fit(X).transform(X)` returns.
        """
        if find_source(X) is not None and not hasattr(X, "__array__"):
            raise TypeError(
                f"fit_transform takes rows in memory, but X is {type(X).__name__}, which is read a "
                "block at a time. Call fit(X), then transform_to(X, path), which writes the codes."
            )
        return super().fit_transform(X, y, **fit_params)  # type: ignore[misc]

    def transform_to(
        self, X: Any, path: str | os.PathLike[str], *, method: str = "transform"
    ) -> Path:
        """Encode the rows of a table, and write their codes, a block at a time.

        What was stopped goes on where it was, when it is called again: the rows that are written
        have another name until they are complete.

        Parameters
        ----------
        X : str, os.PathLike, array or source
            What `fit` takes as a table that is larger than memory: the path of a `.npy` file, of
            Parquet files or of a zarr array, a memory map, a data set of pyarrow, an array of
            zarr or dask, an iterable of blocks, a `Source`, or an array in memory.
        path : str or os.PathLike
            What to write: a `.npy` file, a folder of Parquet files that ends in `.parquet`, or a
            `.zarr` array. It must not be there yet.
        method : {"transform", "reconstruct", "score_samples"}, default="transform"
            Whose results to write.

        Returns
        -------
        path : pathlib.Path
            What was written, of shape (n_samples, `n_components_`), (n_samples,
            `n_features_in_`) or (n_samples, 1).

        Raises
        ------
        FileExistsError
            If there is something at `path`.
        ValueError
            If rows do not suit the fit, with the numbers of these rows; what was written before
            them is kept to go on from.
        """
        check_fitted(self)
        if method not in METHODS:
            raise ValueError(f"method={method!r} is none of {', '.join(map(repr, METHODS))}.")
        table = self._table(X)
        path = Path(path)
        names = self._names_of(method)
        head = table.head(N_HEAD)
        state = [weight.cpu().numpy() for weight in self.model_.module.state_dict().values()]
        origin = joblib.hash((state, self.model_.mean, method, table.shape, len(names), head))
        output = Output(path, origin)
        blocks = self._results(table, method, output.n_done)
        try:
            output.write(blocks, len(table), names)
        finally:
            table.close()
        return path

    def _table(self, X: Any) -> Table:
        """Return the rows to transform, whose columns are those of the fit."""
        source = find_source(X)
        table = Table.of(source or ArrayInMemory(X), may_miss=True)
        check_width(self, table)
        names = getattr(table.source, "feature_names", None)
        fitted = getattr(self, "feature_names_in_", None)
        if names is not None and fitted is not None and list(names) != list(fitted):
            others = [name for name in names if name not in set(fitted)] or list(names)
            raise ValueError(
                "The columns of X are not those of the fit, in their order: "
                f"{', '.join(map(repr, others[:5]))}. Write them as they were in fit."
            )
        return table

    def _names_of(self, method: str) -> list[str]:
        """Return the names of the columns of a result."""
        if method == "transform":
            return [str(name) for name in self.get_feature_names_out()]  # type: ignore[attr-defined]
        if method == "score_samples":
            return ["score"]
        names = getattr(self, "feature_names_in_", None)
        return [f"x{i}" for i in range(self.n_features_in_)] if names is None else list(names)

    def _results(self, table: Table, method: str, start: int) -> Iterator[np.ndarray]:
        """Yield what a method returns for blocks of rows, from a row on."""
        model = self.model_
        ask = {
            "transform": model.encode,
            "reconstruct": model.reconstruct,
            "score_samples": lambda rows: model.score_samples(rows)[:, None],
        }[method]
        size = block_rows(table.shape[1], table.dtype)
        for begin in range(start, len(table), size):
            yield ask(table[begin : begin + size])

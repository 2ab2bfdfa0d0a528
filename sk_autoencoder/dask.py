"""Autoencoders of dask collections, trained where their blocks lie.

As many processes train together as there are workers that hold blocks. Each reads its own, and no
block passes through the client. Gradients are summed by torch.distributed, which is started inside
of tasks of dask. Install what is needed by ``pip install "sk-autoencoder[dask]"``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, overload

import dask.array as da
import numpy as np
import pandas as pd
from distributed import futures_of, get_client
from sklearn.base import clone

from sk_autoencoder._dask.training import train_on_workers
from sk_autoencoder._saving.pickles import fitted_attributes, replace_fitted
from sk_autoencoder._transformer import AutoencoderTransformer
from sk_autoencoder._validation import check_fitted

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["DaskAutoencoderTransformer"]


class DaskAutoencoderTransformer(AutoencoderTransformer):
    """An `AutoencoderTransformer` of arrays and DataFrames of dask.

    It has the parameters and the attributes of `AutoencoderTransformer`. `fit` trains on the
    workers that hold the blocks, all of them at once, and what it is then asked of a dask
    collection stays lazy. Of rows in memory it answers at once.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client, LocalCluster
    >>> from sk_autoencoder.dask import DaskAutoencoderTransformer
    >>> with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster):
    ...     X = da.random.default_rng(0).normal(size=(8000, 5), chunks=(2000, 5))
    ...     autoencoder = DaskAutoencoderTransformer(2, max_epochs=2, random_state=0).fit(X)
    ...     codes = autoencoder.transform(X)
    ...     codes.shape, codes.compute().shape
    ((8000, 2), (8000, 2))
    """

    def fit(  # type: ignore[override]
        self, X: Any, y: Any = None, *, client: Any = None
    ) -> Self:
        """Train the autoencoder on the workers that hold the rows of X.

        Parameters
        ----------
        X : dask array or DataFrame of shape (n_samples, n_features)
            Training data without missing cells. Blocks are computed where they are not yet.
        y : Ignored
            Not used, present for consistency.
        client : distributed.Client, default=None
            The client of the cluster; None takes the one that was made last.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        TypeError
            If X is no dask collection.
        RuntimeError
            If a worker ends in the middle of the fit, which is then as if it had not begun.
        """
        if not _is_lazy(X):
            raise TypeError(
                f"X is {type(X).__name__}, but this fit takes an array or a DataFrame of dask. For "
                "rows in memory use AutoencoderTransformer."
            )
        if X.ndim != 2:
            raise ValueError(f"X has {X.ndim} dimensions, but a table has two.")
        client = get_client() if client is None else client
        if isinstance(X, da.Array):
            X = X.rechunk({1: -1})
        blocks = futures_of(client.persist(X))
        fitted = train_on_workers(clone(self.to_local()), blocks, client)
        replace_fitted(self, fitted_attributes(fitted))
        return self

    def to_local(self) -> AutoencoderTransformer:
        """Return an ordinary `AutoencoderTransformer` with the same parameters and the same fit.

        Returns
        -------
        estimator : AutoencoderTransformer
            Shares what was fitted with this one.
        """
        local = AutoencoderTransformer(**self.get_params(deep=False))
        replace_fitted(local, fitted_attributes(self))
        return local

    @overload
    def transform(self, X: da.Array) -> da.Array: ...
    @overload
    def transform(self, X: dd.DataFrame) -> dd.DataFrame: ...
    @overload
    def transform(self, X: Any) -> np.ndarray: ...
    def transform(self, X: Any) -> Any:
        """Encode the rows of X, lazily where it is lazy.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_new : dask array or DataFrame, or ndarray, of shape (n_samples, `n_components_`)
            Codes, a DataFrame for a DataFrame.
        """
        if not _is_lazy(X):
            return super().transform(X)
        return self._lazily("transform", X, list(self.get_feature_names_out()))

    @overload
    def inverse_transform(self, X: da.Array) -> da.Array: ...
    @overload
    def inverse_transform(self, X: dd.DataFrame) -> dd.DataFrame: ...
    @overload
    def inverse_transform(self, X: Any) -> np.ndarray: ...
    def inverse_transform(self, X: Any) -> Any:
        """Decode codes, lazily where they are lazy.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, `n_components_`)
            Codes.

        Returns
        -------
        X_original : dask array or DataFrame, or ndarray, of shape (n_samples, `n_features_in_`)
            The rows that they stand for.
        """
        if not _is_lazy(X):
            return super().inverse_transform(X)
        return self._lazily("inverse_transform", X, self._names_of("reconstruct"))

    @overload
    def reconstruct(self, X: da.Array) -> da.Array: ...
    @overload
    def reconstruct(self, X: dd.DataFrame) -> dd.DataFrame: ...
    @overload
    def reconstruct(self, X: Any) -> np.ndarray: ...
    def reconstruct(self, X: Any) -> Any:
        """Encode the rows of X and decode them again, lazily where it is lazy.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : dask array or DataFrame, or ndarray, of shape (n_samples, n_features)
            Their reconstructions.
        """
        if not _is_lazy(X):
            return super().reconstruct(X)
        return self._lazily("reconstruct", X, self._names_of("reconstruct"))

    @overload
    def score_samples(self, X: da.Array) -> da.Array: ...
    @overload
    def score_samples(self, X: dd.DataFrame) -> dd.Series: ...
    @overload
    def score_samples(self, X: Any) -> np.ndarray: ...
    def score_samples(self, X: Any) -> Any:
        """Return how normal the rows of X are, lazily where it is lazy.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Rows to look at.

        Returns
        -------
        scores : dask array or Series, or ndarray, of shape (n_samples,)
            Higher is more normal, float64.
        """
        if not _is_lazy(X):
            return super().score_samples(X)
        return self._lazily("score_samples", X, None)

    def _lazily(self, method: str, X, names: list[str] | None):
        """Return what a method gives of each block, as a collection that knows its shape."""
        check_fitted(self)
        ask: Callable[[Any], Any] = getattr(self.to_local(), method)
        if isinstance(X, da.Array):
            X = X.rechunk({1: -1})
            dtype = np.float32 if X.dtype == np.float32 and names is not None else np.float64
            if names is None:
                meta = np.empty(0, dtype=dtype)
                return X.map_blocks(ask, dtype=dtype, drop_axis=1, meta=meta)
            width = len(names)
            meta = np.empty((0, width), dtype=dtype)
            return X.map_blocks(ask, dtype=dtype, chunks=(X.chunks[0], (width,)), meta=meta)

        def of_frame(block: pd.DataFrame):
            dtype = np.float32 if (block.dtypes == np.float32).all() else np.float64
            found = ask(block) if len(block) else np.empty((0, len(names or ())), dtype=dtype)
            if names is None:
                return pd.Series(found.reshape(-1), index=block.index, name="score")
            return pd.DataFrame(found, index=block.index, columns=names)

        return X.map_partitions(of_frame, meta=of_frame(X._meta))


def _is_lazy(X: Any) -> bool:
    """Whether X is an array or a DataFrame of dask."""
    return isinstance(X, da.Array) or type(X).__module__.startswith(("dask.dataframe", "dask_expr"))

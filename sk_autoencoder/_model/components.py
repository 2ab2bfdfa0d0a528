"""What the components of a code are worth: their moments, and the variance they explain."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import numpy as np
import torch

from sk_autoencoder._data import Data
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._pca.principal_axes import (
    PrincipalAxes,
    explained_variance,
    pca_reconstructions,
)
from sk_autoencoder._utils.blocks import as_dense, batches, rows_a_block
from sk_autoencoder._utils.sizes import NotFiniteError

# Of a few rows of X, with one component, with two, and so on.
Reconstructions = Callable[[np.ndarray], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Moments:
    """Mean and scatter of codes, and how many rows, or how much of them, they are of."""

    n_rows: float
    mean: np.ndarray  # (n_components,)
    scatter: np.ndarray  # (n_components, n_components)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance with the degrees of freedom of PCA's; a weight of two is a row twice."""
        return self.scatter / max(self.n_rows - 1, self.n_rows / 2)

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub and LeVeque, 1983)."""
        n_rows = self.n_rows + other.n_rows
        step = other.mean - self.mean
        between = self.n_rows * other.n_rows / n_rows * np.outer(step, step)
        mean = self.mean + other.n_rows / n_rows * step
        return Moments(n_rows, mean, self.scatter + other.scatter + between)


def moments_of_fit(model: FittedAutoencoder, data: Data) -> Moments:
    """Return the moments of the codes of the rows of a fit, which diverged where one is none.

    `model` has all components, and does not whiten.
    """
    try:
        if model.output.ceiling is not None:
            for _ in model.reconstructions(data.X, data.has_missing):
                pass
        return moments(model, data)
    except NotFiniteError as error:
        raise ValueError(
            "The fit diverged: with its last weights codes or reconstructions of its own rows are "
            "not finite. Lower lr, or choose another optimizer or activation."
        ) from error


def moments(model: FittedAutoencoder, data: Data) -> Moments:
    """Return the moments of the codes of all rows of a table."""
    n_rows = data.X.shape[0]
    weight = torch.ones(n_rows, dtype=torch.float64)
    if data.weight is not None:
        weight = torch.from_numpy(data.weight)

    def of_block(rows: slice) -> Moments:
        codes = model.encode(data.X[rows], has_missing=data.has_missing)
        return _moments(torch.from_numpy(codes).double(), weight[rows])

    # Each part is added at once: one that is kept would pin the memory of its block beside it.
    blocks = batches(n_rows, rows_a_block(data.n_features))
    return reduce(operator.add, (of_block(rows) for rows in blocks))


def _moments(z: torch.Tensor, weight: torch.Tensor) -> Moments:
    """Return the moments of some codes, about their own mean: no variance is negative."""
    # In torch, as the codes: the threads of NumPy's products would stand in its way.
    n_rows = weight.sum()
    mean = weight @ z / n_rows
    z = z - mean
    # Once more, since what is left of a large offset is no longer about its mean.
    step = weight @ z / n_rows
    z -= step
    scatter = (weight[:, None] * z).T @ z
    return Moments(n_rows.item(), (mean + step).numpy(), scatter.numpy())


def explained(model: FittedAutoencoder, data: Data) -> float:
    """Return the share of the variance around the mean that reconstructions of a table explain."""
    loss = variance = 0.0
    suited = model.astype(data.X.dtype)
    for rows, error in suited.squared_errors(data.X, data.has_missing):
        weight = 1.0 if data.weight is None else data.weight[rows, None]
        loss += np.nansum(error * weight)
        variance += np.nansum(np.square(as_dense(data.X[rows]) - model.mean) * weight)
    return explained_variance(loss, variance)


def explained_by_each(reconstructions: Reconstructions, data: Data, mean) -> np.ndarray:
    """Return the share of the variance of some rows that each component adds to those before it."""
    losses, variance = [], 0.0
    for block in batches(len(data), rows_a_block(len(mean))):
        index = data.rows[block]
        x = as_dense(data.X[index])
        weight = 1.0 if data.weight is None else data.weight[index, None]
        variance += np.nansum(np.square(x - mean) * weight)
        backs = reconstructions(data.X[index])
        errors = (np.square(back - x, dtype=np.float64) for back in backs)
        losses.append([np.nansum(error * weight) for error in errors])
    cumulative = [explained_variance(loss, variance) for loss in np.sum(losses, axis=0)]
    return np.diff(cumulative, prepend=0.0)


def of_network(model: FittedAutoencoder, has_missing: bool) -> Reconstructions:
    """Return what reconstructs rows from the first components of a code."""

    @torch.inference_mode()
    def reconstructions(block) -> Iterator[np.ndarray]:
        z = model.module.encode(model.read(block, has_missing))
        for i in range(model.width):
            yield model.rows_of(first(z, i + 1)).cpu().numpy()

    return reconstructions


def of_pca(axes: PrincipalAxes, width: int, impute) -> Reconstructions:
    """Return what reconstructs rows, imputed before, from PCA's first components.

    A code wider than there are axes has nothing more.
    """
    sizes = range(1, width + 1)
    return lambda block: islice(pca_reconstructions(axes, impute(as_dense(block)), sizes), 1, None)


def fewest(share: np.ndarray, wanted: float) -> int:
    """Return the fewest components that explain a share of the variance, or all of them."""
    enough = np.flatnonzero(np.cumsum(share) >= wanted)
    return int(enough[0]) + 1 if len(enough) else len(share)

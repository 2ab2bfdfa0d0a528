"""What the components of a code are worth: their moments, and the variance they explain."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import numpy as np
import torch
from sklearn.utils import gen_batches

from sk_autoencoder._model.fitted import Network
from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._pca.principal_axes import PrincipalAxes, explained_variance
from sk_autoencoder._training.baseline import pca_reconstructions
from sk_autoencoder._training.batches import as_dense, rows_a_block
from sk_autoencoder._utils.sizes import NotFiniteError
from sk_autoencoder._validation import Data

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
        """Give the moments of both together (Chan, Golub and LeVeque, 1983)."""
        n_rows = self.n_rows + other.n_rows
        step = other.mean - self.mean
        between = self.n_rows * other.n_rows / n_rows * np.outer(step, step)
        mean = self.mean + other.n_rows / n_rows * step
        return Moments(n_rows, mean, self.scatter + other.scatter + between)


def moments_of_fit(network: Network, data: Data) -> Moments:
    """Return the moments of the codes of the rows of a fit, which diverged where one is none."""
    try:
        if network.output.ceiling is not None:
            for _ in network.reconstructions(data.X):
                pass
        return moments(network, data)
    except NotFiniteError as error:
        raise ValueError(
            "The fit diverged: with its last weights codes or reconstructions of its own rows are "
            "not finite. Lower lr, or choose another optimizer or activation."
        ) from error


def moments(network: Network, data: Data) -> Moments:
    """Moments of the codes of all rows."""
    weight = torch.ones(len(data), dtype=torch.float64)
    if data.weight is not None:
        weight = torch.from_numpy(data.weight)
    # Each part is added at once: one that is kept would pin the memory of its block beside it.
    return reduce(
        operator.add,
        (
            _moments(torch.from_numpy(network.encode(data.X[rows])).double(), weight[rows])
            for rows in gen_batches(len(data), rows_a_block(data.X.shape[1]))
        ),
    )


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


def explained(network: Network, data: Data, mean: np.ndarray) -> float:
    """Share of the variance around a mean that the reconstruction of some rows explains."""
    loss = variance = 0.0
    for rows, error in network.squared_errors(data.X):
        weight = 1.0 if data.weight is None else data.weight[rows, None]
        loss += np.nansum(error * weight)
        variance += np.nansum(np.square(as_dense(data.X[rows]) - mean) * weight)
    return explained_variance(loss, variance)


def explained_by_each(of: Reconstructions, data: Data, rows: np.ndarray, mean) -> np.ndarray:
    """Share of the variance of some rows that each component adds to those before it."""
    losses, variance = [], 0.0
    for block in gen_batches(len(rows), rows_a_block(len(mean))):
        index = rows[block]
        x = as_dense(data.X[index])
        weight = 1.0 if data.weight is None else data.weight[index, None]
        variance += np.nansum(np.square(x - mean) * weight)
        errors = (np.square(back - x, dtype=np.float64) for back in of(data.X[index]))
        losses.append([np.nansum(error * weight) for error in errors])
    cumulative = [explained_variance(loss, variance) for loss in np.sum(losses, axis=0)]
    return np.diff(cumulative, prepend=0.0)


def of_network(network: Network) -> Reconstructions:
    """Give what reconstructs rows from the first components of a network's code."""

    @torch.inference_mode()
    def reconstructions(block) -> Iterator[np.ndarray]:
        z = network.module.encode(network.read(block))
        for i in range(network.width):
            yield network.rows_of(first(z, i + 1)).cpu().numpy()

    return reconstructions


def of_pca(axes: PrincipalAxes, width: int, fill) -> Reconstructions:
    """Give what reconstructs rows, whose gaps are filled before, from PCA's first components.

    A code wider than there are axes has nothing more.
    """
    sizes = range(1, width + 1)
    return lambda block: islice(pca_reconstructions(axes, fill(as_dense(block)), sizes), 1, None)


def fewest(share: np.ndarray, wanted: float) -> int:
    """Give the fewest components that explain a share of the variance, or all of them."""
    enough = np.flatnonzero(np.cumsum(share) >= wanted)
    return int(enough[0]) + 1 if len(enough) else len(share)

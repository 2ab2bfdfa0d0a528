"""What the components of a code are worth: their moments, and the variance they explain."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import NamedTuple

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


class Codes(NamedTuple):
    """What is kept of the codes of the rows of a fit: their moments, and a sample of them."""

    moments: Moments
    sample: np.ndarray  # (n_sample, n_components)


def describe_codes(model: FittedAutoencoder, data: Data, sample: np.ndarray) -> Codes:
    """Return what is kept of the codes of the rows of a fit, which diverged where one is none.

    `model` has all components, and does not whiten. `sample` holds places in the rows of the data
    whose codes are kept.
    """
    try:
        if model.output.ceiling is not None:
            for _ in model.reconstructions(data.X, data.has_missing):
                pass
        return _describe(model, data, sample)
    except NotFiniteError as error:
        raise ValueError(
            "The fit diverged: with its last weights codes or reconstructions of its own rows are "
            "not finite. Lower lr, or choose another optimizer or activation."
        ) from error


def _describe(model: FittedAutoencoder, data: Data, sample: np.ndarray) -> Codes:
    """Return the moments of the codes of all rows, and some of these, of one pass over them."""
    kept = np.empty((len(sample), model.n_components), dtype=model.dtype)

    def of_block(block: slice) -> Moments:
        rows = data.rows[block]
        codes = model.encode(data.X[rows], has_missing=data.has_missing)
        inside = (sample >= block.start) & (sample < block.stop)
        kept[inside] = codes[sample[inside] - block.start]
        weight = np.ones(len(codes)) if data.weight is None else data.weight[rows]
        return _moments(torch.from_numpy(codes).double(), torch.from_numpy(weight))

    # Each part is added at once: one that is kept would pin the memory of its block beside it.
    blocks = batches(len(data), rows_a_block(data.n_features))
    moments = reduce(operator.add, (of_block(block) for block in blocks))
    of_all = data.processes.of_all((moments, kept))
    parts, samples = zip(*of_all, strict=True)
    return Codes(reduce(operator.add, parts), np.concatenate(samples))


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
    total, variance = data.processes.sum(np.sum(losses, axis=0), variance)
    cumulative = [explained_variance(loss, variance) for loss in total]
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

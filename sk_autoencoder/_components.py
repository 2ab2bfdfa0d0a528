"""What the components of a code are worth: their moments, and the variance they explain."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils import gen_batches

from sk_autoencoder._batches import as_dense, rows_a_block
from sk_autoencoder._inference import Network
from sk_autoencoder._nested import first
from sk_autoencoder._principal_axes import explained_variance
from sk_autoencoder._validation import Data


def moments(network: Network, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the codes of all rows, with as many degrees of freedom as PCA's."""
    weight = torch.ones(len(data), dtype=torch.float64)
    if data.weight is not None:
        weight = torch.from_numpy(data.weight)
    k = network.n_components
    total, products = torch.zeros(k, dtype=torch.float64), torch.zeros(k, k, dtype=torch.float64)
    shift = torch.zeros(k, dtype=torch.float64)
    for rows in gen_batches(len(data), rows_a_block(data.X.shape[1])):
        # In torch, as the codes: the threads of NumPy's products would stand in its way.
        z = torch.from_numpy(network.encode(data.X[rows])).double()
        # About a mean that is nearly theirs, so that an offset of the codes costs no digits.
        shift = z.mean(dim=0) if rows.start == 0 else shift
        z -= shift
        weighted = weight[rows, None] * z
        total += weighted.sum(dim=0)
        products += weighted.T @ z
    n_rows = weight.sum()
    mean = total / n_rows
    freedom = max(1.0 - (weight.square().sum() / n_rows**2).item(), np.finfo(float).tiny)
    covariance = (products / n_rows - torch.outer(mean, mean)) / freedom
    return (shift + mean).numpy(), covariance.numpy()


def explained(network: Network, data: Data, mean: np.ndarray) -> float:
    """Share of the variance around a mean that the reconstruction of some rows explains."""
    loss = variance = 0.0
    for rows, error in network.squared_errors(data.X):
        weight = 1.0 if data.weight is None else data.weight[rows, None]
        loss += np.nansum(error * weight)
        variance += np.nansum(np.square(as_dense(data.X[rows]) - mean) * weight)
    return explained_variance(loss, variance)


@torch.inference_mode()
def explained_by_each(network: Network, data: Data, rows: np.ndarray, mean) -> np.ndarray:
    """Share of the variance of some rows that each component adds to those before it."""
    loss, variance = np.zeros(network.width), 0.0
    for block in gen_batches(len(rows), rows_a_block(len(mean))):
        index = rows[block]
        x = as_dense(data.X[index])
        weight = 1.0 if data.weight is None else data.weight[index, None]
        variance += np.nansum(np.square(x - mean) * weight)
        z = network.module.encode(network.read(data.X[index]))
        for i in range(network.width):
            back = network.rows_of(first(z, i + 1)).cpu().numpy()
            loss[i] += np.nansum(np.square(back - x, dtype=np.float64) * weight)
    cumulative = [explained_variance(part, variance) for part in loss]
    return np.diff(cumulative, prepend=0.0)


def fewest(share: np.ndarray, wanted: float) -> int:
    """Give the fewest components that explain a share of the variance, or all of them."""
    enough = np.flatnonzero(np.cumsum(share) >= wanted)
    return int(enough[0]) + 1 if len(enough) else len(share)

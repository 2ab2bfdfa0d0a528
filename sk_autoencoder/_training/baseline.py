"""What PCA and the mean alone would lose: the yardsticks of a fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import gen_batches

from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._nn.losses import Criterion, Objective, Target, cell_losses
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training.batches import Batches, as_dense, rows_a_block
from sk_autoencoder._training.corruption import CorruptedRows
from sk_autoencoder._validation import Data

LARGEST_SEARCH = 20


def pca_and_mean(
    axes: PrincipalAxes, data: Data, index: np.ndarray, criterion: Criterion, sizes, fill
) -> tuple[float, float]:
    """Mean loss of some rows with PCA, on average over numbers of components, and with the mean.

    `fill` closes the gaps of a block of rows.
    """
    if criterion.output is None:
        pairs = [axes.leading(size).loss_and_variance(data.X, index, data.weight) for size in sizes]
        return float(np.mean([loss for loss, _ in pairs])), pairs[-1][1]
    totals = np.zeros(2)
    n_cells = 0.0
    for x, weight in _blocks(data, index):
        share = ~np.isnan(x) * weight
        mean, *reconstructions = pca_reconstructions(axes, fill(x), sizes)
        losses = [_cells(criterion.objective, back, x) for back in reconstructions]
        # A loss of the user's may be infinite: whether that matters is seen before the first step.
        with np.errstate(invalid="ignore"):
            totals[0] += (np.mean(losses, axis=0) * share).sum()
            totals[1] += (_cells(criterion.objective, mean, x) * share).sum()
        n_cells += share.sum()
    pca, mean = totals / max(n_cells, np.finfo(float).tiny)
    return float(pca), float(mean)


def pca_of_corrupted(axes: PrincipalAxes, rows: CorruptedRows, sizes) -> float:
    """Mean loss of PCA of corrupted rows against clean ones, over numbers of components."""
    coordinates, criterion = rows.rows.coordinates, rows.criterion
    # On its own axes PCA is a projection; else it is computed in X.
    on_axes = criterion.output is None and coordinates.components is not None
    total = 0.0
    for t, target in Batches(rows, rows_a_block(coordinates.n_features)):
        if on_axes:
            losses = [criterion.rows(first(t, size), target) for size in sizes]
        else:
            x = _clean(rows, target)
            corrupted = coordinates.inverse(t.to(coordinates.dtype)).double().cpu().numpy()
            _, *backs = pca_reconstructions(axes, corrupted, sizes)
            emphasis = 1.0 if target.emphasis is None else target.emphasis.cpu().numpy()
            cells = [emphasis * _cells(criterion.objective, back, x) for back in backs]
            losses = [torch.from_numpy(losses).mean(dim=1) for losses in cells]
        of_rows = torch.stack(losses).mean(dim=0).double().cpu()
        total += (of_rows if target.weight is None else of_rows * target.weight.cpu()).sum().item()
    mean = total / len(rows)
    return rows.in_units_of_X(mean) if on_axes else mean


def _clean(rows: CorruptedRows, target: Target) -> np.ndarray:
    """Rows of X that a target stands for, in a frame that is not rotated."""
    coordinates, x = rows.rows.coordinates, target.rows.double()
    if rows.criterion.output is None:
        x = coordinates.inverse(x)
    elif rows.criterion.objective.shift_free:
        x = x + coordinates.mean
    return x.cpu().numpy()


def best_slope(
    axes: PrincipalAxes, data: Data, index: np.ndarray, objective: Objective, slope: float, fill
) -> float:
    """Slope at which PCA's steps from the mean, before a link, lose least on some rows.

    It is the one given, or that halved until the loss, which is convex in it, falls no more: a
    step that an exponential takes far from the mean would lose more than it gains.
    """
    loss = _loss_with_slope(axes, data, index, objective, slope, fill)
    for _ in range(LARGEST_SEARCH):
        smaller = _loss_with_slope(axes, data, index, objective, slope / 2, fill)
        if loss <= smaller:
            break
        loss, slope = smaller, slope / 2
    return slope


def _loss_with_slope(axes, data: Data, index, objective: Objective, slope: float, fill) -> float:
    """Sum of the weighted losses of the cells, infinite where one of them is not finite."""
    assert objective.link is not None
    total = 0.0
    for x, weight in _blocks(data, index):
        mean, pca = pca_reconstructions(axes, fill(x), [len(axes.components)])
        losses = _cells_of_output(objective, objective.link.inverse(mean) + slope * (pca - mean), x)
        total += (losses * weight).sum()
    return float(np.nan_to_num(total, nan=np.inf))


def _blocks(data: Data, index: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray | float]]:
    """Give some rows in float64, a few at a time, and their weights as a column."""
    for block in gen_batches(len(index), rows_a_block(data.X.shape[1])):
        rows = index[block]
        weight = 1.0 if data.weight is None else data.weight[rows, None]
        yield as_dense(data.X[rows]).astype(np.float64), weight


def pca_reconstructions(axes: PrincipalAxes, x: np.ndarray, sizes) -> Iterator[np.ndarray]:
    """Give the mean of all rows, and the reconstructions of x from PCA of each size."""
    codes = (x - axes.mean) @ axes.components.T
    for size in (0, *sizes):
        yield codes[:, :size] @ axes.components[:size] + axes.mean


def _cells(objective: Objective, reconstruction: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Loss of each cell of a reconstruction in the units of X; 0 where X has a gap."""
    output = reconstruction if objective.link is None else objective.link.inverse(reconstruction)
    return _cells_of_output(objective, output, x)


def _cells_of_output(objective: Objective, output: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Loss of each cell of what is behind no link yet; 0 where X has a gap."""
    known = ~np.isnan(x)
    x = np.where(known, x, output)
    cells = cell_losses(objective, torch.from_numpy(output), torch.from_numpy(x))
    return np.where(known, cells.numpy(), 0.0)

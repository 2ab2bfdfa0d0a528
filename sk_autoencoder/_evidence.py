"""Whether a net is better than PCA, or was lucky: the gains of rows that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from sk_autoencoder._batches import Rows
from sk_autoencoder._corruption import CorruptedRows
from sk_autoencoder._nested import first
from sk_autoencoder._net import AutoencoderNet

# Fewer rows are not trusted alone.
ENOUGH_ROWS = 100

# What the gains over PCA have to show: how many standard errors their mean, and how little
# likely as many gains by chance. Few rows have to show more: their own standard error is
# uncertain, and which epoch is best was asked of them.
STANDARD_ERRORS, SIGNIFICANCE = 1.0, 0.05
STANDARD_ERRORS_OF_FEW, SIGNIFICANCE_OF_FEW = 2.0, 0.001


@dataclass(frozen=True)
class Kept:
    """The epoch whose weights were kept, and its validation loss in the units of X.

    `gains` are the validation rows' `gains_over_pca`, None where the net did not start there.
    """

    epoch: int
    loss: float
    gains: np.ndarray | None = None


def gains_over_pca(net: AutoencoderNet, rows: Rows | CorruptedRows) -> np.ndarray:
    """Give what the net saves of PCA's loss on each of the rows.

    On the principal axes that their coordinates are, PCA is a projection. Corrupted rows
    are so for both.
    """
    criterion = rows.criterion
    gains = []
    net.module_.eval()
    with torch.inference_mode():
        for t, target in net.get_iterator(rows, training=False):
            pca = [criterion.rows(first(t, size), target) for size in net.sizes]
            gain = torch.stack(pca).mean(dim=0) - net.row_losses(t, target)
            gains.append(gain if target.weight is None else gain * target.weight)
    return torch.cat(gains).double().cpu().numpy()


def better_than_chance(gains: np.ndarray, few: bool = False) -> bool:
    """Whether rows show that a net is better than PCA, and not that it was lucky.

    The mean gain has to exceed its standard error, the rule by which CART prefers the
    simpler model (Breiman et al., 1984), and more than a few rows have to gain: a one-sided
    signed-rank test (Wilcoxon, 1945). Few rows have to show more of both.
    """
    n_errors, level = STANDARD_ERRORS, SIGNIFICANCE
    if few:
        n_errors, level = STANDARD_ERRORS_OF_FEW, SIGNIFICANCE_OF_FEW
    if len(gains) < 2 or not gains.mean() * math.sqrt(len(gains)) > n_errors * gains.std(ddof=1):
        return False
    return bool(stats.wilcoxon(gains, alternative="greater").pvalue < level)


def is_unsettled(kept: Kept) -> bool:
    """Whether the validation rows are too few to tell a gain over PCA from luck at once."""
    return kept.epoch > 0 and kept.gains is not None and len(kept.gains) < ENOUGH_ROWS


def rows_to_confirm(kept: Kept, train: np.ndarray, rng) -> np.ndarray:
    """Give other rows to ask whether the net beats PCA, as many as the validation rows.

    Those were already asked which epoch is best, and so flatter it.
    """
    assert kept.gains is not None
    return np.sort(rng.choice(train, min(len(kept.gains), len(train) // 2), replace=False))

"""The threshold of scores: a fence that clean rows seldom exceed, and that parts no ties."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

# Quantiles of the distances that the fence is drawn from, the upper one below those of outliers
# where there may be some, and the share that it aims to leave beyond it. What comes of them is
# shown by `benchmarks.quality.false_alarms`.
QUANTILES = (0.15, 0.5, 0.85)
QUANTILES_OF_CLEAN = (0.05, 0.5, 0.95)
FALSE_ALARMS = 0.75 / 100

# The most skewness that is taken for that of clean rows, times a power of the number of features
# with which it falls, as distances of more features are less skewed. Outliers among the highest
# distances raise it, and with it the fence; of one feature clean rows are too skewed for less.
MAX_SKEWNESS = 0.325
MAX_SKEWNESS_OF_ONE_FEATURE = 1.1
SKEWNESS_POWER = -0.4

# Of a score. Rounding alone parts scores that differ by less.
TIE = 1e-9


def labels_of(decision: np.ndarray) -> np.ndarray:
    """Return -1 for each outlier and 1 for each inlier, by how far they are from the threshold."""
    return np.where(decision < 0, -1, 1)


def threshold(scores: np.ndarray, n_features: int, contamination, *, novelty: bool) -> float:
    """Return the score below which a row is an outlier.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Minus the squared distances of the training rows.
    n_features : int
    contamination : "auto" or float
        Share of outliers among the rows; "auto" draws a fence.
    novelty : bool
        Whether the rows are clean.
    """
    if contamination == "auto":
        most = MAX_SKEWNESS_OF_ONE_FEATURE if n_features == 1 else MAX_SKEWNESS
        most *= n_features**SKEWNESS_POWER
        quantiles = QUANTILES_OF_CLEAN if novelty else QUANTILES
        wanted = -np.square(fence(np.sqrt(-scores), quantiles, most))
    else:
        wanted = np.percentile(scores, 100 * contamination)
    return _between_ties(np.sort(scores), float(wanted))


def fence(distances: np.ndarray, shares: tuple[float, ...], max_skewness: float) -> float:
    """Return the distance that clean rows seldom exceed: a quantile of Tukey's g distribution.

    It has the median and the upper quantile of the distances, and a skewness g that follows
    from the lower one, exp(g z) being the ratio of their distances from the median.
    """
    lower, middle, upper = np.quantile(distances, shares)
    z, z_upper = ndtri(1 - FALSE_ALARMS), ndtri(shares[-1])
    if upper == middle:
        return upper
    if lower == middle:
        g = max_skewness
    else:
        g = (np.log(upper - middle) - np.log(middle - lower)) / z_upper
        g = np.clip(g, -max_skewness, max_skewness)
    stretch = np.expm1(g * z) / np.expm1(g * z_upper) if g else z / z_upper
    return middle + (upper - middle) * stretch


def _between_ties(scores: np.ndarray, wanted: float) -> float:
    """Return the threshold that is wanted, or the next lower one that parts no ties.

    `scores` are sorted and the highest is that of an inlier. What is returned keeps away from
    them, by more than they change with the rows that are searched together.
    """
    above = np.searchsorted(scores, wanted)
    cuts = np.append(0, 1 + np.flatnonzero(np.diff(scores) > TIE * np.abs(scores[:-1])))
    cut = cuts[np.searchsorted(cuts, above, side="right") - 1]
    highest = scores[cut] * (1 + TIE / 2)
    lowest = scores[cut - 1] * (1 - TIE / 2) if cut > 0 else -np.inf
    return float(max(min(wanted, highest), lowest))

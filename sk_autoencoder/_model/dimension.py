"""How many components a code needs: for a share of the variance, or for more than chance."""

from __future__ import annotations

import numpy as np

# Of the logarithm of how many values there are: two groups have two numbers more than one.
SIGNIFICANT = 3.0


def fewest(share: np.ndarray, wanted: float) -> int:
    """Return the fewest components that explain a share of the variance, or all of them."""
    enough = np.flatnonzero(np.cumsum(share) >= wanted)
    return int(enough[0]) + 1 if len(enough) else len(share)


def number_beyond_chance(shares: np.ndarray, n_features: int) -> int:
    """Return how many components explain more of the variance than chance would, at least one.

    The shares of the variance of rows not trained on, in their order, are split where two normal
    distributions of one variance have the largest likelihood, each with a mean of its own: that of
    the components that count, and that of chance (Zhu and Ghodsi, 2006 [1]_). Shares are sums of
    squares, whose cube roots are nearly normal (Wilson and Hilferty, 1931 [2]_). What is left of
    the variance is taken to lie evenly in the directions that are left, of which one is added as a
    last value of chance. Where one group explains the shares as well as two, none counts.

    Parameters
    ----------
    shares : ndarray of shape (n_components,)
        What each component adds to those before it; negative where it takes away.
    n_features : int

    References
    ----------
    .. [1] Zhu and Ghodsi (2006). Automatic dimensionality selection from the scree plot via the use
       of profile likelihood. Computational Statistics & Data Analysis 51(2), 918-930.
    .. [2] Wilson and Hilferty (1931). The distribution of chi-square. Proceedings of the National
       Academy of Sciences 17(12), 684-688.
    """
    n_left = n_features - len(shares)
    if n_left > 0:
        shares = np.append(shares, (1 - shares.sum()) / n_left)
    values = np.cbrt(shares.clip(min=0.0))
    sizes = range(1, len(values))
    splits = [(values[:size], values[size:]) for size in sizes]
    scatters = {
        size: _scatter(counts) + _scatter(chance)
        for size, (counts, chance) in zip(sizes, splits, strict=True)
        if counts.mean() > chance.mean()
    }
    if not scatters:
        return 1
    best = min(scatters, key=scatters.__getitem__)
    # Twice the gain of the likelihood, whose variance is that of the groups.
    two, one = np.log(np.maximum([scatters[best], _scatter(values)], np.finfo(float).tiny))
    gain = len(values) * (one - two)
    return best if gain > SIGNIFICANT * np.log(len(values)) else 1


def _scatter(values: np.ndarray) -> float:
    return float(np.square(values - values.mean()).sum())

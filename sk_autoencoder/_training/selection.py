"""Whether a net is better than PCA, or was lucky: the gains of rows that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

# Fewer rows are not trusted alone.
ENOUGH_ROWS = 100

# What the gains over PCA have to show: how many standard errors their mean, and how little
# likely as many gains by chance. Few rows have to show more: their own standard error is
# uncertain, and which point is best was asked of them.
STANDARD_ERRORS, SIGNIFICANCE = 1.0, 0.05
STANDARD_ERRORS_OF_FEW, SIGNIFICANCE_OF_FEW = 2.0, 0.001


@dataclass(frozen=True)
class Gains:
    """What rows save of PCA's loss, one number for each distinct row.

    `groups` has a number for each of them, the same for rows that depend on each other; None
    where each row is independent of the others.
    """

    of_each: np.ndarray  # (n_rows,)
    groups: np.ndarray | None = None  # (n_rows,), int

    @classmethod
    def of_rows(cls, values: np.ndarray, copies, groups) -> Gains:
        """Count copies of a row once: they are one observation, with the mean of their gains."""
        if copies is None:
            return cls(values, groups)
        _, first, copies = np.unique(copies, return_index=True, return_inverse=True)
        values = np.bincount(copies, values) / np.bincount(copies)
        return cls(values, None if groups is None else groups[first])

    def __add__(self, other: Gains) -> Gains:
        """Return the gains of both, whose groups are different ones."""
        values = np.append(self.of_each, other.of_each)
        if self.groups is None and other.groups is None:
            return Gains(values)
        groups, others = self.group_numbers(), other.group_numbers()
        return Gains(values, np.append(groups, others + groups.max(initial=-1) + 1))

    def __sub__(self, other: Gains) -> Gains:
        """Return what the same rows gain over another net."""
        return Gains(self.of_each - other.of_each, self.groups)

    def group_numbers(self) -> np.ndarray:
        """Return the number of each row's group, of its own where there are no groups."""
        return np.arange(len(self.of_each)) if self.groups is None else self.groups

    @property
    def n_independent(self) -> int:
        """How many of them do not depend on each other: rows, or groups."""
        return len(np.unique(self.group_numbers()))

    def standard_errors(self) -> float:
        """Return the mean gain, in standard errors of it.

        Those of groups are robust to what rows of a group share (Liang and Zeger, 1986). Of few
        groups the error itself is uncertain: the result is then as large as the one of many that
        is as likely by chance, by Student's distribution.
        """
        mean, n_rows = self.of_each.mean(), len(self.of_each)
        if self.groups is None:
            return _in_units_of(self.of_each.std(ddof=1) / math.sqrt(n_rows), mean)
        found, groups = np.unique(self.groups, return_inverse=True)
        n_groups = len(found)
        sums = np.bincount(groups, self.of_each - mean)
        error = math.sqrt(n_groups / (n_groups - 1) * np.square(sums).sum()) / n_rows
        t = _in_units_of(error, mean)
        return float(stats.norm.isf(stats.t.sf(t, n_groups - 1)))

    def bound(self, n_errors: float) -> float:
        """Return the mean gain less some standard errors of it, -inf where there is no gain."""
        found = self.standard_errors() if self.n_independent > 1 else 0.0
        if not found > 0:
            return -math.inf
        return float(self.of_each.mean()) * (1 - n_errors / found)


def _in_units_of(error: float, mean: float) -> float:
    """Return a mean as a multiple of its error, which may be 0."""
    if error > 0:
        return float(mean / error)
    return math.inf if mean > 0 else 0.0


def better_than_chance(gains: Gains, few: bool = False) -> bool:
    """Whether rows show that a net is better than PCA, and not that it was lucky.

    The mean gain has to exceed its standard error, the rule by which CART prefers the
    simpler model (Breiman et al., 1984), and more than a few rows have to gain: a one-sided
    signed-rank test (Wilcoxon, 1945). Few rows have to show more of both. That test takes the
    rows of a group for independent, so that there the mean itself has to pass at its level.
    """
    n_errors, level = STANDARD_ERRORS, SIGNIFICANCE
    if few:
        n_errors, level = STANDARD_ERRORS_OF_FEW, SIGNIFICANCE_OF_FEW
    if gains.groups is not None:
        n_errors = max(n_errors, stats.norm.isf(level))
    if gains.n_independent < 2 or not gains.standard_errors() > n_errors:
        return False
    return bool(stats.wilcoxon(gains.of_each, alternative="greater").pvalue < level)

"""Cells removed at random, for tests of rows with missing cells."""

import numpy as np


def with_missing(X, share=0.2, seed=0):
    """Give a copy of X with a share of its cells missing."""
    return np.where(np.random.RandomState(seed).uniform(size=X.shape) < share, np.nan, X)

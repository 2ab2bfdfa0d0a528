"""Random sources of our own."""

from __future__ import annotations

from numbers import Integral

import numpy as np


def check_random_source(random_state) -> np.random.RandomState:
    """Return a generator of our own, so that NumPy's global one is neither read nor moved."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.RandomState()
    if not isinstance(random_state, Integral) or not 0 <= int(random_state) < 2**32:
        raise ValueError(
            f"random_state={random_state!r} seeds no numpy.random.RandomState. Pass such a "
            "generator, a whole number from 0 to 2**32 - 1, or None."
        )
    return np.random.RandomState(int(random_state))

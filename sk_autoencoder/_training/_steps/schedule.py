"""The course of the learning rate."""

from __future__ import annotations

import numpy as np

# The share of the steps in which the rate rises, and where it begins and ends.
RISE = 0.3
FIRST = 1 / 25
LAST = 1 / 250_000


def one_cycle(n_steps: int) -> np.ndarray:
    """Return factors of the learning rate: half a cosine up, a longer one down to nearly nothing.

    The course of Smith and Topin (2018), as torch's `OneCycleLR` has it.
    """
    peak = max(RISE * n_steps - 1, 1e-9)
    steps = np.arange(n_steps)
    rise = (1 - np.cos(np.pi * np.minimum(steps / peak, 1))) / 2
    fall = (1 + np.cos(np.pi * np.clip((steps - peak) / max(n_steps - 1 - peak, 1e-9), 0, 1))) / 2
    return np.where(steps <= peak, FIRST + (1 - FIRST) * rise, LAST + (1 - LAST) * fall)

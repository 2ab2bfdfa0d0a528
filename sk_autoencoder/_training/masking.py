"""Known cells hidden in training, so that a net learns to fill the gaps of rows.

The loss of what it reads says nothing of how a net fills what it cannot read. So every other
row, drawn at random, is given the gaps of another one beside its own, and is compared with all
that is known of it: the masking of denoising autoencoders (Vincent et al., 2010), as the gaps of
X are. The rest stay as they are, since two rows together have more gaps than those to come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse
from torch import Generator, Tensor

from sk_autoencoder._nn.losses import Target
from sk_autoencoder._training.batches import Rows, at_most
from sk_autoencoder._training.corruption import Draws, noise_of
from sk_autoencoder._validation import Data

MOST_PATTERN_CELLS = 2**20

SHARE_OF_ROWS = 0.5

# Of the loss; Vincent et al. call it emphasis. Where fewer cells are hidden, each of them counts
# at most so many times the mean.
SHARE_OF_HIDDEN = 0.5
MOST_EMPHASIS = 10.0


@dataclass(frozen=True)
class HiddenCells:
    """The gaps of some rows, which are hidden in others; corrupts rows as a `Noise` does."""

    patterns: np.ndarray  # (n_patterns, n_features), bool
    hidden: float  # how much a hidden cell counts
    shown: float
    draws: Draws

    def corrupt(self, rows: Rows, chosen, t: Tensor, target: Target, generator: Generator):
        """Give input and target of the chosen rows; `t` are their coordinates, nothing hidden."""
        if sparse.issparse(rows.X):
            return t, target
        donors = torch.randint(len(self.patterns), (len(chosen),), generator=generator).numpy()
        chance = torch.rand(len(chosen), generator=generator).numpy()
        hidden = self.patterns[donors] & (chance < SHARE_OF_ROWS)[:, None]
        block = rows.X[rows.index[chosen]]
        # Nothing is learned from a row without any cell.
        hidden &= ~(hidden | np.isnan(block)).all(axis=1)[:, None]
        emphasis = torch.from_numpy(np.where(hidden, self.hidden, self.shown)).to(t)
        changed = np.flatnonzero(hidden.any(axis=1))
        gappy = np.where(hidden[changed], np.nan, block[changed])
        with torch.no_grad():
            t = t.clone()
            t[torch.from_numpy(changed)] = rows.coordinates.read(gappy).float()
        return t, target._replace(emphasis=emphasis)


def hidden_cells(data: Data, rows: np.ndarray, rng) -> HiddenCells | None:
    """Give what to hide in a fit on some rows; None where these have no gaps."""
    if sparse.issparse(data.X):
        return None
    n_patterns = max(1, MOST_PATTERN_CELLS // data.X.shape[1])
    patterns = np.isnan(data.X[at_most(n_patterns, rows, rng)])
    patterns = patterns[~patterns.all(axis=1)]
    if not patterns.any():
        return None
    share = SHARE_OF_ROWS * patterns.mean()
    hidden = min(max(SHARE_OF_HIDDEN / share, 1.0), MOST_EMPHASIS)
    shown = (1 - share * hidden) / (1 - share)
    return HiddenCells(patterns, hidden, shown, Draws.of(rng))


def noise_or_hidden_cells(estimator, mean: np.ndarray, data: Data, rows: np.ndarray, rng):
    """Give what changes rows before they are read: the corruption asked for, or hidden cells."""
    if estimator.corruption is None and data.gaps:
        return hidden_cells(data, rows, rng)
    return noise_of(estimator, mean, data, rows, rng)


def hidden_again(estimator, data: Data, rng):
    """Give what changes rows in a fit that goes on, on data with gaps: of those, theirs."""
    before = estimator._noise
    if estimator.corruption is not None:
        return before
    hides = hidden_cells(data, np.arange(len(data)), rng)
    if before is None or hides is None:
        return hides or before
    return replace(hides, draws=before.draws)

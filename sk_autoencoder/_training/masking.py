"""Known cells masked in training, so that a network learns to impute missing ones.

The loss of what it reads says nothing of how a network imputes what it cannot read. So every other
row, drawn at random, is given the missing cells of another one beside its own, and is compared with
all that is known of it: the masking of denoising autoencoders (Vincent et al., 2010), with the
patterns of X. The rest stay as they are, since two rows together miss more than those to come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from sk_autoencoder._config import CorruptionConfig
from sk_autoencoder._data import Data
from sk_autoencoder._nn.batch import Target
from sk_autoencoder._training.corruption import Clean, CorruptedRows, Draws, Noise, make_noise
from sk_autoencoder._training.rows import Rows
from sk_autoencoder._utils.blocks import at_most

MAX_PATTERN_CELLS = 2**20

SHARE_OF_ROWS = 0.5

# Of the loss; Vincent et al. call it emphasis. Where fewer cells are masked, each of them counts
# at most so many times the mean.
SHARE_OF_MASKED = 0.5
MAX_EMPHASIS = 10.0


@dataclass(frozen=True)
class MaskedCells:
    """The missing cells of some rows, which are masked in others; corrupts rows as a `Noise`."""

    patterns: np.ndarray  # (n_patterns, n_features), bool
    masked: float  # how much a masked cell counts
    shown: float
    draws: Draws
    changes_rows = True

    def of(self, rows: Rows, *, fixed: bool) -> CorruptedRows:
        """Return rows as they are read. `fixed` ones are masked alike in each pass."""
        return CorruptedRows(rows, self, fixed=fixed)

    def copy(self) -> MaskedCells:
        """Return a corruptor that goes on as this one would."""
        return replace(self, draws=self.draws.copy())

    def corrupt(self, rows: Rows, chosen, batch: tuple[Tensor, Target], generator: Generator):
        """Return input and target of the chosen rows, of which `batch` holds the clean ones."""
        t, target = batch
        if rows.data.is_sparse:
            return t, target
        donors = torch.randint(len(self.patterns), (len(t),), generator=generator).numpy()
        chance = torch.rand(len(t), generator=generator).numpy()
        masked = self.patterns[donors] & (chance < SHARE_OF_ROWS)[:, None]
        block = rows.block(chosen)
        # Nothing is learned from a row without any cell.
        masked &= ~(masked | np.isnan(block)).all(axis=1)[:, None]
        emphasis = torch.from_numpy(np.where(masked, self.masked, self.shown)).to(t)
        changed = np.flatnonzero(masked.any(axis=1))
        incomplete = np.where(masked[changed], np.nan, block[changed])
        with torch.no_grad():
            t = t.clone()
            t[torch.from_numpy(changed)] = rows.frame.read(incomplete).float()
        return t, target._replace(emphasis=emphasis)


def make_masks(data: Data, rng) -> MaskedCells | Clean:
    """Return what to mask in a fit on some rows: nothing where these miss nothing."""
    if data.is_sparse:
        return Clean()
    n_patterns = max(1, MAX_PATTERN_CELLS // data.n_features)
    patterns = np.isnan(data.X[at_most(n_patterns, data.rows, rng)])
    patterns = patterns[~patterns.all(axis=1)]
    if not patterns.any():
        return Clean()
    share = SHARE_OF_ROWS * patterns.mean()
    masked = min(max(SHARE_OF_MASKED / share, 1.0), MAX_EMPHASIS)
    shown = (1 - share * masked) / (1 - share)
    return MaskedCells(patterns, masked, shown, Draws.of(rng, data.processes.rank))


def make_corruptor(
    config: CorruptionConfig, mean: np.ndarray, data: Data, rng
) -> Noise | MaskedCells | Clean:
    """Return what changes rows before they are read: the corruption asked for, or masks."""
    if config.corruption is None and data.has_missing:
        return make_masks(data, rng)
    return make_noise(config, mean, data, rng)


def mask_again(before: Any, config: CorruptionConfig, data: Data, rng) -> Any:
    """Return what changes rows in a fit that goes on, on rows with missing cells: it masks theirs.

    `before` is the corruptor of the fit before.
    """
    if config.corruption is not None:
        return before
    masks: Any = make_masks(data, rng)
    if not masks.changes_rows:
        return before
    return replace(masks, draws=before.draws) if before.changes_rows else masks

"""Corrupted inputs with clean targets: what a denoising autoencoder is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from sk_autoencoder._config import CorruptionConfig
from sk_autoencoder._data import Data
from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.corruptions import Corruption, find_corruption
from sk_autoencoder._nn.frames import as_tensor
from sk_autoencoder._training.rows import Rows
from sk_autoencoder._utils.blocks import as_dense, batches, rows_a_block


def range_of(data: Data, mean: np.ndarray) -> np.ndarray:
    """Return the least and the greatest known value of each feature, (2, n_features).

    The mean is both where none is known.
    """
    least, greatest = np.full((2, len(mean)), np.nan)
    for some in batches(len(data), rows_a_block(len(mean))):
        block = as_dense(data.X[data.rows[some]])
        least = np.fmin(least, np.fmin.reduce(block, axis=0))
        greatest = np.fmax(greatest, np.fmax.reduce(block, axis=0))
    of_all = data.processes.of_all((least, greatest))
    least = np.fmin.reduce([least for least, _ in of_all])
    greatest = np.fmax.reduce([greatest for _, greatest in of_all])
    limits = np.stack([least, greatest])
    return np.where(np.isnan(limits), mean, limits)


@dataclass(frozen=True)
class Draws:
    """Where the corruption of a fit is drawn: for training rows anew in each step, else alike.

    `generator` draws the former; one with `seed`, made for each pass, the latter.
    """

    generator: Generator
    seed: int

    @classmethod
    def of(cls, rng, rank: int) -> Draws:
        """Return draws that two numbers of a random source determine, others for each process."""
        training, fixed = (int(seed) for seed in rng.randint(2**31, size=2))
        return cls(Generator().manual_seed(training + rank), fixed)

    def copy(self) -> Draws:
        """Return draws that go on as these would, without moving them."""
        return replace(self, generator=self.generator.clone_state())

    def for_pass(self, fixed: bool) -> Generator:
        """Return the generator of a pass over some rows."""
        return Generator().manual_seed(self.seed) if fixed else self.generator


@dataclass(frozen=True)
class Clean:
    """Leave rows as they are."""

    changes_rows = False

    def of(self, rows: Rows, *, fixed: bool) -> Rows:
        """Return rows as they are read: corrupted, unless the corruptor is clean.

        `fixed` rows are corrupted in the same way in each pass.
        """
        return rows

    def copy(self) -> Clean:
        """Return a corruptor that goes on as this one would."""
        return self


@dataclass(frozen=True)
class Noise:
    """The corruption of a fit.

    Isotropic noise is drawn in the network's coordinates, which a rotation has not changed;
    any other is applied to the rows of X themselves, missing values imputed.
    """

    corruption: Corruption
    level: float
    learned: Tensor
    draws: Draws
    changes_rows = True

    def of(self, rows: Rows, *, fixed: bool) -> CorruptedRows:
        """Return rows as they are read. `fixed` ones are corrupted alike in each pass."""
        return CorruptedRows(rows, self, fixed=fixed)

    def copy(self) -> Noise:
        """Return a corruptor that goes on as this one would."""
        return replace(self, draws=self.draws.copy())

    def corrupt(self, rows: Rows, chosen, batch: tuple[Tensor, Target], generator: Generator):
        """Return input and target of the chosen rows, of which `batch` holds the clean ones."""
        (t, target), frame, corruption = batch, rows.frame, self.corruption
        if corruption.is_isotropic:
            level = self.level / frame.scale
            return corruption.apply(t, level, generator, self.learned), target
        block = frame.impute(as_dense(rows.block(chosen)))
        x = as_tensor(block, frame.device)
        with torch.no_grad():
            corrupted = corruption.apply(x, self.level, generator, self.learned.to(x))
            return frame(corrupted).float().to(rows.device), target


class CorruptedRows(Dataset):
    """A `Rows` whose inputs are corrupted a batch at a time, and whose targets stay clean.

    `corruptor` has `draws` and `corrupt`, as `Noise` has.
    """

    def __init__(self, rows: Rows, corruptor: Any, *, fixed: bool):
        self.rows = rows
        self.corruptor = corruptor
        self.fixed = fixed
        self.data = rows.data
        self.frame = rows.frame
        self.error = rows.error
        self.in_units_of_X = rows.in_units_of_X
        self.block = rows.block
        self.n_batches = rows.n_batches
        self.tail = rows.tail

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows) -> tuple[Tensor, Target]:
        """Return input and target of the chosen rows as they are: batches alone are corrupted."""
        return self.rows[rows]

    def batches(self, rng, n_batches: int) -> Iterator[tuple[Any, tuple[Tensor, Target]]]:
        """Yield which rows a batch has, and the batch, as `Rows` does."""
        generator = self.corruptor.draws.for_pass(self.fixed)
        for chosen, batch in self.rows.batches(rng, n_batches):
            yield chosen, self.corruptor.corrupt(self.rows, chosen, batch, generator)


def make_noise(config: CorruptionConfig, mean: np.ndarray, data: Data, rng) -> Noise | Clean:
    """Return the corruptor that is asked for, for a fit on some rows."""
    corruption, level = config.corruption, float(config.corruption_level)
    if corruption is None:
        return Clean()
    found = find_corruption(corruption)
    if found.is_share and level > 1:
        raise ValueError(
            f"corruption_level={level:g} is no share of the cells, which corruption="
            f"{corruption!r} corrupts. Choose one from 0 to 1; only with 'gaussian' it is a "
            "standard deviation."
        )
    learned = torch.as_tensor(range_of(data, mean) if found.needs_range else mean)
    return Noise(found, level, learned, Draws.of(rng, data.processes.rank))

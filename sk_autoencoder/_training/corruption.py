"""Corrupted inputs with clean targets: what a denoising autoencoder is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import Generator, Tensor
from torch.utils.data import Dataset

from sk_autoencoder._nn.frames import as_tensor
from sk_autoencoder._nn.losses import Target
from sk_autoencoder._training.batches import Rows, as_dense, rows_a_block
from sk_autoencoder._validation import Data


def _mean(mean: np.ndarray, data: Data, rows: np.ndarray) -> np.ndarray:
    return mean


def _range(mean: np.ndarray, data: Data, rows: np.ndarray) -> np.ndarray:
    """Least and greatest known value of each feature of some rows, (2, n_features).

    The mean is both where none is known.
    """
    least, greatest = np.full((2, len(mean)), np.nan)
    for some in gen_batches(len(rows), rows_a_block(len(mean))):
        block = as_dense(data.X[rows[some]])
        least = np.fmin(least, np.fmin.reduce(block, axis=0))
        greatest = np.fmax(greatest, np.fmax.reduce(block, axis=0))
    limits = np.stack([least, greatest])
    return np.where(np.isnan(limits), mean, limits)


@dataclass(frozen=True)
class Corruption:
    """A way to corrupt a batch of rows, and how strongly.

    `apply` takes rows, level, generator, and what `learn` has found out from the mean and the
    rows of a fit: a number for each feature, or several. `is_share` says that the level is a
    share of the cells, `is_isotropic` that rows may be corrupted in rotated coordinates.
    """

    apply: Callable[[Tensor, float, Generator, Tensor], Tensor]
    learn: Callable[[np.ndarray, Data, np.ndarray], np.ndarray] = _mean
    is_share: bool = True
    is_isotropic: bool = False


def _gaussian(x: Tensor, level: float, generator: Generator, _) -> Tensor:
    noise = torch.randn(x.shape, dtype=x.dtype, generator=generator)
    return x + level * noise.to(x.device)


def _masking(x: Tensor, level: float, generator: Generator, mean: Tensor) -> Tensor:
    return torch.where(_uniform(x, generator) < level, mean, x)


def _salt_and_pepper(x: Tensor, level: float, generator: Generator, limits: Tensor) -> Tensor:
    u = _uniform(x, generator)
    x = torch.where(u < level, limits[1], x)
    return torch.where(u < level / 2, limits[0], x)


def _swap(x: Tensor, level: float, generator: Generator, _) -> Tensor:
    """Take cells from the same column of other rows; a row that is alone stays as it is."""
    if len(x) < 2:
        return x
    away = torch.randint(1, len(x), x.shape, generator=generator)
    others = (torch.arange(len(x))[:, None] + away) % len(x)
    return torch.where(_uniform(x, generator) < level, x.gather(0, others.to(x.device)), x)


def _uniform(x: Tensor, generator: Generator) -> Tensor:
    return torch.rand(x.shape, dtype=torch.float32, generator=generator).to(x.device)


@dataclass(frozen=True)
class OwnCorruption:
    """Gives a function of the user's the arguments of ours, and checks what it makes.

    A class and no closure, so that a fitted estimator can be pickled.
    """

    function: Callable[[Tensor, Generator], Tensor]

    def __call__(self, x: Tensor, level: float, generator: Generator, _) -> Tensor:
        corrupted = self.function(x, generator)
        shape = getattr(corrupted, "shape", None)
        if not isinstance(corrupted, Tensor) or shape != x.shape:
            raise ValueError(
                f"corruption gave {type(corrupted).__name__} of shape {shape} for a batch of shape "
                f"{tuple(x.shape)}. It has to give the corrupted rows, as a tensor of that shape."
            )
        corrupted = corrupted.to(x)
        if not corrupted.isfinite().all():
            raise ValueError(
                f"corruption gave cells that are NaN or infinite in {corrupted.dtype}, for a batch "
                f"of cells from {x.min():.3g} to {x.max():.3g}. It has to give finite ones."
            )
        return corrupted


CORRUPTIONS = {
    "gaussian": Corruption(_gaussian, is_share=False, is_isotropic=True),
    "masking": Corruption(_masking),
    "salt_and_pepper": Corruption(_salt_and_pepper, _range),
    "swap": Corruption(_swap),
}


@dataclass(frozen=True)
class Draws:
    """Where the corruption of a fit is drawn: for training rows anew in each step, else alike.

    `generator` draws the former; one with `seed`, made for each pass, the latter.
    """

    generator: Generator
    seed: int

    @classmethod
    def of(cls, rng) -> Draws:
        training, fixed = (int(seed) for seed in rng.randint(2**31, size=2))
        return cls(Generator().manual_seed(training), fixed)

    def for_pass(self, fixed: bool) -> Generator:
        """Give the generator of a pass over some rows."""
        return Generator().manual_seed(self.seed) if fixed else self.generator


@dataclass(frozen=True)
class Noise:
    """The corruption of a fit.

    Isotropic noise is drawn in the network's coordinates, which a rotation has not changed;
    any other is applied to the rows of X themselves, gaps filled.
    """

    corruption: Corruption
    level: float
    learned: Tensor
    draws: Draws

    def corrupt(self, rows: Rows, chosen, t: Tensor, target: Target, generator: Generator):
        """Give input and target of the chosen rows, whose coordinates are `t`."""
        coordinates, corruption = rows.coordinates, self.corruption
        if corruption.is_isotropic:
            level = self.level / coordinates.scale
            return corruption.apply(t, level, generator, self.learned), target
        block = coordinates.fill(as_dense(rows.X[rows.index[chosen]]))
        x = as_tensor(block, coordinates.mean.device)
        with torch.no_grad():
            corrupted = corruption.apply(x, self.level, generator, self.learned.to(x))
            return coordinates(corrupted).float(), target


class CorruptedRows(Dataset):
    """A `Rows` whose inputs are corrupted a batch at a time, and whose targets stay clean.

    `noise` has `draws` and `corrupt`, as `Noise` has.
    """

    def __init__(self, rows: Rows, noise, *, fixed: bool):
        self.rows = rows
        self.noise = noise
        self.fixed = fixed
        self.criterion = rows.criterion
        self.in_units_of_X = rows.in_units_of_X

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows) -> tuple[Tensor, Target]:
        """Input and target of the chosen rows as they are: only in batches they are corrupted."""
        return self.rows[rows]

    def batches(self, order: np.ndarray, n_batches: int) -> Iterator[tuple[Tensor, Target]]:
        """All rows in an order, in batches as those of `Rows`."""
        generator = self.noise.draws.for_pass(self.fixed)
        chosen = np.array_split(order, n_batches)
        for some, (t, target) in zip(chosen, self.rows.batches(order, n_batches), strict=True):
            yield self.noise.corrupt(self.rows, some, t, target, generator)


def noise_of(estimator, mean: np.ndarray, data: Data, rows: np.ndarray, rng) -> Noise | None:
    """Give the corruption that the estimator's parameters describe, for a fit on some rows."""
    corruption, level = estimator.corruption, float(estimator.corruption_level)
    if corruption is None:
        return None
    if callable(corruption):
        found = Corruption(OwnCorruption(corruption), is_share=False)
    else:
        found = CORRUPTIONS[corruption]
    if found.is_share and level > 1:
        raise ValueError(
            f"corruption_level={level:g} is no share of the cells, which corruption="
            f"{corruption!r} corrupts. Choose one from 0 to 1; only with 'gaussian' it is a "
            "standard deviation."
        )
    learned = torch.as_tensor(found.learn(mean, data, rows))
    return Noise(found, level, learned, Draws.of(rng))

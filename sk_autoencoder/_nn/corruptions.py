"""How rows of a batch are corrupted: one table of names, in torch alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Corruption:
    """A way to corrupt a batch of rows, and how strongly.

    `apply` takes rows, level, generator, and statistics of the features: their means or, where
    it `needs_range`, their least and greatest values, (2, n_features). `is_share` tells whether
    the level is a share of the cells, `is_isotropic` whether rows may be corrupted in rotated
    coordinates.
    """

    apply: Callable[[Tensor, float, Generator, Tensor], Tensor]
    needs_range: bool = False
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
    """Call a function of the user's with the arguments of ours, and check what it makes.

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
    "salt_and_pepper": Corruption(_salt_and_pepper, needs_range=True),
    "swap": Corruption(_swap),
}


def find_corruption(corruption) -> Corruption:
    """Return the corruption of a name, or that of a function of rows and a generator."""
    if callable(corruption):
        return Corruption(OwnCorruption(corruption), is_share=False)
    return CORRUPTIONS[corruption]

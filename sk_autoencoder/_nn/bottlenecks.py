"""Nested components: codes of which each beginning is a code too."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


class Prefixes:
    """Shortens codes, so that their components come to be ordered by what they explain.

    In training each row keeps its first components alone, as many as are drawn for it, and
    the others are zero: nested dropout (Rippel, Gelbart and Adams, 2014) [1]_.

    Parameters
    ----------
    n_components : int
    generator : torch.Generator
        Draws the sizes.

    References
    ----------
    .. [1] Rippel, Gelbart and Adams (2014). Learning ordered representations with nested
       dropout. ICML.
    """

    def __init__(self, n_components: int, generator: torch.Generator):
        self.n_components = n_components
        self.generator = generator

    def shorten(self, z: Tensor) -> Tensor:
        """Keep the first components of each row, as many as are drawn for it."""
        sizes = self._draw(len(z)).to(z.device)
        return z * (torch.arange(z.shape[1], device=z.device) < sizes[:, None])

    def _draw(self, n_rows: int) -> Tensor:
        """Sizes of codes: three in five of them whole, one short, one of any length.

        Whole ones keep the price of nesting small; short ones, uniform in their logarithm, put
        what explains most to the front.
        """
        k = self.n_components
        kind, share = torch.rand(2, n_rows, generator=self.generator)
        short = torch.exp(share * math.log(k + 1)).clamp(max=k)
        sizes = torch.where(kind < 0.2, short, (share * k + 1).clamp(max=k))
        return torch.where(kind < 0.4, sizes, float(k)).int()


def validated_sizes(n_components: int) -> tuple[int, ...]:
    """Sizes of the code that are validated: powers of two, and the whole."""
    powers = 2 ** np.arange(int(np.log2(n_components)) + 1)
    return tuple(sorted({*powers.tolist(), n_components}))


def first(z: Tensor, size: int) -> Tensor:
    """Keep the first components alone, if there are more; the others become zero."""
    kept = z[:, :size]
    return torch.nn.functional.pad(kept, (0, z.shape[1] - kept.shape[1]))

"""What a code goes through between encoder and decoder: one of three, in torch alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sk_autoencoder._nn.layers import linear

HIDDEN_WIDTH = 64
LOG_SHARES = (-30.0, 5.0)
VALIDATION_SEED = 0

NO_DIVERGENCE = torch.zeros(())


class Identity(nn.Module):
    """Leave codes as they are: the bottleneck of an ordinary autoencoder, and base of the others.

    Parameters
    ----------
    width : int
        Number of components of the code.

    Attributes
    ----------
    sizes : tuple of int
        Numbers of leading components with which a code is validated.
    is_plain : bool
        Whether a code comes out as it goes in or, in training, multiplied by a mask.
    mask : callable or None
        Returns the mask of codes, where they have one.
    has_prior : bool
        Whether codes come from a distribution that new ones can be drawn from.
    """

    is_plain = True
    mask: Callable[[Tensor], Tensor] | None = None
    has_prior = False

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.sizes: tuple[int, ...] = (width,)

    def forward(self, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code to decode, and its divergence from a prior.

        Parameters
        ----------
        t : tensor of shape (batch, n_inputs)
            What was encoded.
        z : tensor of shape (batch, width)
            What the encoder made of it.
        """
        return z, NO_DIVERGENCE

    def validated(self, z: Tensor) -> list[Tensor]:
        """Return the codes with which rows are judged: one for each of the sizes."""
        return [z]

    def start(self, module) -> None:
        """Change the first weights of the encoder, where the bottleneck asks for others."""


class NestedDropout(Identity):
    """Shorten codes in training, so that their components are ordered by what they explain.

    Each row keeps its first components alone, as many as are drawn for it; the others are zero
    (Rippel, Gelbart and Adams, 2014) [1]_.

    Parameters
    ----------
    width : int
        Number of components of the code.
    generator : torch.Generator
        Draws the sizes.

    References
    ----------
    .. [1] Rippel, Gelbart and Adams (2014). Learning ordered representations with nested
       dropout. ICML.
    """

    def __init__(self, width: int, generator: torch.Generator):
        super().__init__(width)
        self.sizes = validated_sizes(width)
        self.generator = generator

    def forward(self, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return (z * self.mask(z) if self.training else z), NO_DIVERGENCE

    def validated(self, z: Tensor) -> list[Tensor]:
        return [first(z, size) for size in self.sizes]

    def mask(self, z: Tensor) -> Tensor:
        """Return which components of codes are kept: the first, as many as are drawn for a row."""
        sizes = self._draw(len(z)).to(z.device)
        return torch.arange(z.shape[1], device=z.device) < sizes[:, None]

    def _draw(self, n_rows: int) -> Tensor:
        """Draw sizes of codes: three in five are whole, one is short, one has any length.

        Whole codes keep the price of nesting small. Short codes, uniform in their logarithm, put
        what explains most to the front.
        """
        k = self.width
        kind, share = torch.rand(2, n_rows, generator=self.generator)
        short = torch.exp(share * math.log(k + 1)).clamp(max=k)
        sizes = torch.where(kind < 0.2, short, (share * k + 1).clamp(max=k))
        return torch.where(kind < 0.4, sizes, float(k)).int()


class GaussianPosterior(Identity):
    """Draw codes from normal distributions, and measure how far these are from the prior.

    Kingma and Welling (2014). Auto-encoding variational Bayes. ICLR.

    Parameters
    ----------
    n_inputs : int
        Width of what is encoded.
    prior_scale : tensor of shape (width,)
        Standard deviations of the prior, a normal distribution around zero.
    share : tensor of shape (width,)
        Share of the prior's variance that is left around a code at the start.
    generator : torch.Generator
        Draws the first weights, and then the codes of training rows.
    shrinks : bool
        Whether a linear encoder is shrunken to the posterior mean of probabilistic PCA.
    """

    is_plain = False
    has_prior = True
    prior_scale: Tensor
    log_share: Tensor

    def __init__(self, n_inputs, prior_scale, share, generator, shrinks=False):
        super().__init__(len(prior_scale))
        self.generator = generator
        self.shrinks = shrinks
        self.stack = nn.Sequential(
            linear(n_inputs, HIDDEN_WIDTH, generator),
            nn.SiLU(),
            linear(HIDDEN_WIDTH, len(prior_scale), generator),
        )
        for parameter in self.stack[-1].parameters():
            nn.init.zeros_(parameter)
        self.start_share = share
        self.register_buffer("prior_scale", prior_scale.float())
        self.register_buffer("log_share", share.log().float())

    def forward(self, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn codes and divergences, of shapes (batch, width) and (batch,).

        Codes of validation rows are drawn with the same noise each time, so that epochs can be
        compared.
        """
        generator = self.generator
        if not self.training:
            generator = torch.Generator().manual_seed(VALIDATION_SEED)
        noise = torch.randn(z.shape, generator=generator).to(z)
        log_shares = self.log_shares(t)
        code = z + noise * self.prior_scale * (log_shares / 2).exp()
        return code, self.divergence(z, log_shares)

    def log_shares(self, t: Tensor) -> Tensor:
        """Return logarithms of the shares of the prior's variances that are left around codes."""
        return (self.log_share + self.stack(t)).clamp(*LOG_SHARES)  # (batch, width)

    def divergence(self, z: Tensor, log_shares: Tensor) -> Tensor:
        """Return the Kullback-Leibler divergence of codes with means z from the prior, in nats."""
        square = (z / self.prior_scale).square()
        return (log_shares.exp() + square - 1 - log_shares).sum(dim=1) / 2  # (batch,)

    @torch.no_grad()
    def start(self, module) -> None:
        if self.shrinks:
            weight = module.encoder_shortcut.weight
            weight.copy_(weight.cpu() * (1 - self.start_share[:, None]))


def validated_sizes(width: int) -> tuple[int, ...]:
    """Return the sizes of a nested code that are validated: powers of two, and the whole."""
    powers = 2 ** np.arange(int(np.log2(width)) + 1)
    return tuple(sorted({*powers.tolist(), width}))


def first(z: Tensor, size: int) -> Tensor:
    """Return codes with their first components alone; the others are zero."""
    kept = z[:, :size]
    return torch.nn.functional.pad(kept, (0, z.shape[1] - kept.shape[1]))

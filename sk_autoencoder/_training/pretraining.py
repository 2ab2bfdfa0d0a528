"""Greedy layerwise pretraining: each layer of a stack as an autoencoder of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, repeat

import numpy as np
import torch
from torch import nn

from sk_autoencoder._nn.layers import blocks
from sk_autoencoder._nn.optimizers import Adam
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training.batches import Batches
from sk_autoencoder._training.rows import Rows

LR = 3e-3
N_STEPS = 500  # of each layer, but for few rows fewer: so many for each sixteen of them
STEPS_OF_SIXTEEN = 100


@torch.enable_grad()  # whatever the caller has set
def pretrain_layerwise(module: StackedAutoencoder, rows: Rows, batch_size: int, seed: int) -> None:
    """Train each layer of the encoder, and its mirror, on what the layers below give.

    The greedy start of Bengio, Lamblin, Popovici and Larochelle (2007): the first pair of
    layers learns to reconstruct the rows, the next one their hidden code, and so on. Rows are
    clean, whatever the training after it will see.
    """
    encoder, decoder = blocks(module.encoder), blocks(module.decoder)
    module.train()
    for depth, (down, up) in enumerate(zip(encoder, reversed(decoder), strict=True)):
        below = nn.Sequential(*encoder[:depth]).eval()
        optimizer = Adam([*down.parameters(), *up.parameters()], lr=LR)
        batches = Batches(rows, batch_size, np.random.RandomState(seed))
        for t, target in _endless(batches, n_steps(len(rows))):
            with torch.no_grad():
                hidden = below(t)
            optimizer.zero_grad()
            losses = (up(down(hidden)) - hidden).square().mean(dim=1)
            (losses if target.weight is None else losses * target.weight).mean().backward()
            optimizer.step()
        below.train()


def n_steps(n_rows: int) -> int:
    """Return for how many steps a layer is trained: the more rows, the more there is to learn."""
    return min(N_STEPS, STEPS_OF_SIXTEEN * math.ceil(n_rows / 16))


def _endless(batches: Batches, n_batches: int) -> Iterator:
    """Return as many batches as there are steps, pass after pass."""
    passes = chain.from_iterable(repeat(batches))
    return (batch for batch, _ in zip(passes, range(n_batches), strict=False))

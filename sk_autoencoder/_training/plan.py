"""What a plan of a training holds, and the size of its batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import nn

from sk_autoencoder._config import Config
from sk_autoencoder._nn.stack import StackedAutoencoder

BATCHES_PER_EPOCH = 16
BATCH_SIZES = (16, 256)

# Of lr="auto", where it is not chosen to be higher.
LR = 5e-3

# Whose slope at 0 is 1, twice that of SiLU, so that a step of the same length does more.
STEEP, SHARE_OF_STEEP = ("celu", "elu"), 0.5


@dataclass(frozen=True)
class Plan:
    """How long to train, and how.

    `n_epochs` is the length of the schedule of the learning rate, whose peak is `lr`; training may
    be told to end after `last` epochs of it. `averages` tells whether weights are averaged, `clips`
    whether long gradients are cut, `grows` whether a longer one may follow, and `calms` whether
    one in larger batches may.
    """

    n_epochs: int
    batch_size: int
    lr_schedule: str
    lr: float
    averages: bool
    clips: bool = False
    grows: bool = False
    calms: bool = False
    last: int | None = None

    def grown(self, times: int) -> Plan:
        """Return the plan of so many times as many epochs, in as much larger batches if it may."""
        size = self.batch_size * (times if self.calms else 1)
        last = None if self.last is None else times * self.last
        return replace(self, n_epochs=times * self.n_epochs, batch_size=size, last=last)

    def until(self, epoch: int) -> Plan:
        """Return the same plan for the first epochs alone."""
        return replace(self, last=epoch)

    @property
    def length(self) -> int:
        """Number of epochs to train for."""
        return self.n_epochs if self.last is None else self.last


def share_of_lr(module: nn.Module) -> float:
    """Return what share of the learning rate that is chosen suits the activation of a module."""
    if not isinstance(module, StackedAutoencoder):
        return 1.0
    return SHARE_OF_STEEP if module.architecture["activation"] in STEEP else 1.0


def plan_one_epoch(config: Config, module: nn.Module, n_rows: int) -> Plan:
    """Return the plan of a single epoch at a constant learning rate."""
    lr = config.optimizer.lr
    if lr == "auto":
        lr = LR * share_of_lr(module)
    return Plan(1, batch_size(config, n_rows), "constant", lr, averages=False)


def batch_size(config: Config, n_rows: int) -> int:
    """Return the batch size asked for, or the power of two that makes some 16 batches an epoch."""
    if config.schedule.batch_size != "auto":
        size = min(config.schedule.batch_size, n_rows)
    else:
        least, most = BATCH_SIZES
        size = min(max(2 ** round(math.log2(n_rows / BATCHES_PER_EPOCH)), least), most)
    if config.network.normalization == "batch" and n_rows // math.ceil(n_rows / size) < 2:
        raise ValueError(
            f"normalization='batch' needs two rows in each batch, but {n_rows} rows in batches of "
            f"at most {size} leave one alone. Raise batch_size, pass more rows, or use "
            "normalization='layer'."
        )
    return size

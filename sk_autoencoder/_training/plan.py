"""How long to train, in which batches, and in which precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training._steps.precision import choose_precision
from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.copies import count_distinct
from sk_autoencoder._utils.threads import CallersThreads, OneThread, is_worth_threads

if TYPE_CHECKING:
    from sk_autoencoder._training.setup import Setup

# Distinct rows, which judge and train in turn.
FEW = 2000

BATCHES_PER_EPOCH = 16
BATCH_SIZES = (16, 256)
AUTO_EPOCHS = (12, 400)

# Of "auto": the learning rate, and the steps at that one. From PCA on the rate can be higher: that
# of Adam goes with one over the width of a layer (Yang et al., 2022). Few rows overfit sooner.
LR, LR_TIMES_WIDTH, MAX_LR = 5e-3, 2.56, 0.02
STEPS, SHARE_OF_FEW = 4000, 0.5
SMOOTH_LOSSES = ("squared_error", "huber")


@dataclass(frozen=True)
class Plan:
    """How long to train, and how.

    `n_epochs` is the length of the schedule of the learning rate, whose peak is `lr`; training may
    be told to end after `last` epochs of it. `averages` tells whether weights are averaged, `clips`
    whether long gradients are cut, and `grows` whether a longer one may follow.
    """

    n_epochs: int
    batch_size: int
    lr_schedule: str
    lr: float
    averages: bool
    clips: bool = False
    grows: bool = False
    last: int | None = None

    def twice(self) -> Plan:
        """Return the same plan for twice as many epochs."""
        return replace(self, n_epochs=2 * self.n_epochs)

    def until(self, epoch: int) -> Plan:
        """Return the same plan for the first epochs alone."""
        return replace(self, last=epoch)

    @property
    def length(self) -> int:
        """Number of epochs to train for."""
        return self.n_epochs if self.last is None else self.last


def make_plan(setup: Setup, n_rows: int, *, learns: bool, few: bool) -> Plan:
    """Return the plan of a fit on so many training rows, which has no epochs unless it learns.

    Where these are `few`, and not judged by others from then on, it is a short one to begin with.
    """
    config = setup.config
    schedule, size = config.schedule, batch_size(config, n_rows)
    lr, is_quick = config.optimizer.lr, _learns_quickly(setup)
    if lr == "auto":
        lr = _largest_lr(setup.net.module_) if is_quick else LR
    n_epochs = schedule.max_epochs
    is_short = n_epochs == "auto" and is_quick and few and n_rows < FEW
    if n_epochs == "auto":
        least, most = AUTO_EPOCHS
        n_steps = STEPS * math.sqrt(LR / lr) if is_quick else STEPS
        if is_short:
            n_steps *= SHARE_OF_FEW
        n_epochs = min(max(math.ceil(n_steps / math.ceil(n_rows / size)), least), most)
    n_epochs = n_epochs if learns else 0
    # The statistics of batch normalization are not those of averaged weights.
    averages = schedule.average and not config.network.has_own_module
    averages = averages and config.network.normalization != "batch"
    clips = lr > LR and is_quick
    return Plan(n_epochs, size, schedule.lr_schedule, lr, averages, clips, grows=is_short)


def plan_one_epoch(config: Config, n_rows: int) -> Plan:
    """Return the plan of a single epoch at a constant learning rate."""
    lr = LR if config.optimizer.lr == "auto" else config.optimizer.lr
    return Plan(1, batch_size(config, n_rows), "constant", lr, averages=False)


def _learns_quickly(setup: Setup) -> bool:
    """Whether the rate is chosen here, and can be high: steps of Adam from PCA on, that get short.

    Penalties and a bound ask for another network than the reconstruction, farther from PCA. Where
    gradients are noisy beside the choice of rows, or jump, more and smaller steps were better.
    """
    config = setup.config
    network, loss = config.network, config.objective.loss
    is_free = config.optimizer.lr == "auto" and config.schedule.lr_schedule == "one_cycle"
    is_adam = config.optimizer.made_by in (torch.optim.Adam, torch.optim.AdamW)
    is_noisy = network.dropout > 0 or network.normalization == "batch"
    is_noisy = is_noisy or setup.corruptor.changes_rows
    is_smooth = not callable(loss) and loss in SMOOTH_LOSSES and not is_noisy
    return is_free and is_adam and config.compares_with_pca and is_smooth


def _largest_lr(module: StackedAutoencoder) -> float:
    """Return the learning rate of a network that starts at PCA."""
    return min(max(LR_TIMES_WIDTH / module.encoder[0].out_features, LR), MAX_LR)


def trains_again(config: Config, data: Data) -> bool:
    """Whether to train again, to confirm a gain over PCA and on all rows.

    Callbacks of skorch watch one training, and a warm start goes on from its validated
    weights, so that with either there is no second one.
    """
    if config.runtime.callbacks or config.runtime.warm_start:
        return False
    if config.schedule.refit != "auto":
        return bool(config.schedule.refit)
    return _are_few(data)


def judges_in_turn(config: Config, data: Data) -> bool:
    """Whether rows are so few that each of them is asked whether the net beats PCA."""
    return config.compares_with_pca and trains_again(config, data) and _are_few(data)


def is_worth_sharing(data: Data) -> bool:
    """Whether rows are so many that processes train on parts of them, and not each on all."""
    return not (data.is_streamed or _are_few(data))


def _are_few(data: Data) -> bool:
    if data.is_streamed:
        return False
    return count_distinct(data.copies, np.arange(data.X.shape[0])) < FEW


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


@contextmanager
def quick_products(setup: Setup, size: int) -> Iterator[None]:
    """Multiply in the precision and with the threads that suit the batches of a training."""
    net, wanted = setup.net, setup.config.runtime.precision
    n_products = size * sum(weight.numel() for weight in net.parameters())
    left = setup.axes.share_left()
    precision = choose_precision(wanted, torch.device(net.device), left, n_products)
    net.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None
    threads = CallersThreads() if is_worth_threads(n_products) else OneThread()
    with cuda.tf32(precision == "tf32"), threads:
        yield

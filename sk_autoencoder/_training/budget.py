"""The plan of a fit: how many steps suit it, and at which learning rate."""

from __future__ import annotations

import math

import torch

from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training.few_rows import FEW, may_train_again
from sk_autoencoder._training.plan import BATCH_SIZES, LR, Plan, batch_size, share_of_lr
from sk_autoencoder._training.setup import Setup
from sk_autoencoder._training.split import Split

AUTO_EPOCHS = (12, 400)

# Of "auto": the highest learning rate, and the steps at `LR`. From PCA on the rate can be higher:
# that of Adam goes with one over the width of a layer (Yang et al., 2022). Few rows overfit sooner.
LR_TIMES_WIDTH, MAX_LR = 2.56, 0.02
STEPS, SHARE_OF_FEW = 4000, 0.5


def make_plan(setup: Setup, split: Split, *, learns: bool) -> Plan:
    """Return the plan of a fit, which has no epochs unless it learns.

    Where rows are few, and trained on again or not judged, it is a short one to begin with.
    """
    config, n_rows = setup.config, split.train.n_of_all
    schedule, size = config.schedule, batch_size(config, n_rows)
    is_quick, module = _learns_quickly(setup), setup.net.module_
    highest = _highest_lr(module) if is_quick else LR
    n_epochs = schedule.max_epochs
    is_short = n_epochs == "auto" and is_quick and n_rows < FEW
    is_short = is_short and (split.held_out is None or split.judges_in_turn(config))
    calms = n_epochs == schedule.batch_size == "auto" and is_quick and size < BATCH_SIZES[1]
    calms = calms and split.held_out is not None and may_train_again(config)
    if n_epochs == "auto":
        least, most = AUTO_EPOCHS
        n_steps = STEPS * math.sqrt(LR / highest) * (SHARE_OF_FEW if is_short else 1)
        n_epochs = min(max(math.ceil(n_steps / math.ceil(n_rows / size)), least), most)
    n_epochs = n_epochs if learns else 0
    # The statistics of batch normalization are not those of averaged weights.
    averages = schedule.average and not config.network.has_own_module
    averages = averages and config.network.normalization != "batch"
    lr, clips = config.optimizer.lr, highest > LR
    if lr == "auto":
        lr = highest * share_of_lr(module) if is_quick else LR
    course = schedule.lr_schedule
    return Plan(n_epochs, size, course, lr, averages, clips, grows=is_short, calms=calms)


def _learns_quickly(setup: Setup) -> bool:
    """Whether the rate is chosen here, and can be high: steps of Adam from PCA on, that get short.

    Where gradients are noisy beside the choice of rows, or jump, more and smaller steps were
    better.
    """
    config = setup.config
    is_free = config.optimizer.lr == "auto" and config.schedule.lr_schedule == "one_cycle"
    is_adam = config.optimizer.made_by in (torch.optim.Adam, torch.optim.AdamW)
    return is_free and is_adam and config.goes_on_smoothly and not setup.corruptor.changes_rows


def _highest_lr(module: StackedAutoencoder) -> float:
    """Return the learning rate of a network that starts at PCA."""
    return min(max(LR_TIMES_WIDTH / module.encoder[0].out_features, LR), MAX_LR)

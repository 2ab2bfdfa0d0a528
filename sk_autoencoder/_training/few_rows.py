"""What is done where rows are few: they judge in turn, and are trained on again."""

from __future__ import annotations

import numpy as np

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._utils.copies import count_distinct

# Distinct rows, which judge and train in turn.
FEW = 2000


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

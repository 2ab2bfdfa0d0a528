"""What is done where rows are few: they judge in turn, and are trained on again."""

from __future__ import annotations

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data

# Distinct rows, which judge and train in turn.
FEW = 2000

# Of "auto". New rows of small tables are reconstructed better with the first, while curves
# that many rows tell of are followed more closely with the second, whose slope has no corner.
ACTIVATION_OF_FEW, ACTIVATION = "elu", "silu"


def choose_activation(config: Config, data: Data, *, few: bool) -> str:
    """Return the activation of the stack on a table, of few rows or not, by name."""
    if config.network.activation != "auto":
        return config.network.activation
    is_smooth = config.goes_on_smoothly and not data.has_missing
    return ACTIVATION_OF_FEW if is_smooth and few else ACTIVATION


def may_train_again(config: Config) -> bool:
    """Whether there may be a second training.

    Callbacks of skorch watch one training, and a warm start goes on from its validated weights.
    """
    return not (config.runtime.callbacks or config.runtime.warm_start)


def trains_again(config: Config, data: Data) -> bool:
    """Whether to train again, to confirm a gain over PCA and on all rows."""
    if not may_train_again(config):
        return False
    if config.schedule.refit != "auto":
        return bool(config.schedule.refit)
    return are_few(data)


def judges_in_turn(config: Config, data: Data) -> bool:
    """Whether rows are so few that each of them is asked whether the net beats PCA."""
    return config.compares_with_pca and trains_again(config, data) and are_few(data)


def is_worth_sharing(data: Data) -> bool:
    """Whether rows are so many that processes train on parts of them, and not each on all."""
    return not (data.is_streamed or are_few(data))


def are_few(data: Data) -> bool:
    """Whether the table has few distinct rows; of those that are streamed there are many."""
    if data.is_streamed:
        return False
    n_distinct = data.X.shape[0] if data.copies is None else data.copies.max() + 1
    return bool(n_distinct < FEW)

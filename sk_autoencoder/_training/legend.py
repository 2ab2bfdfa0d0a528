"""What the losses of a history are, for whom plots them."""

from __future__ import annotations

from typing import Any

from sk_autoencoder._config import Config
from sk_autoencoder._training.net import AutoencoderNet


def legend(net: AutoencoderNet, config: Config) -> dict[str, Any]:
    """Return what row 0 of a history is, whether the losses start there, and their name."""
    row_0, starts_at_row_0 = _start(net, config)
    return {
        "row_0": row_0,
        "starts_at_row_0": starts_at_row_0,
        "loss_name": _loss_name(net, config),
    }


def _start(net: AutoencoderNet, config: Config) -> tuple[str, bool]:
    if not net.criterion_.is_mean_of_rows:
        return "start", True
    if net.penalties_:
        return "PCA, reconstruction alone", False
    return "PCA", config.starts_at_pca


def _loss_name(net: AutoencoderNet, config: Config) -> str:
    """Name the mean of a loss, which is a name or a function, where it is that and no more.

    It is not where penalties count in it, or where it is one of corrupted rows, of rows with
    masked cells, or of several sizes of the code.
    """
    loss = config.objective.loss
    is_changed = config.corruption.corruption is not None or config.code.nested
    if is_changed or net.error.takes_missing or not net.is_of_reconstruction:
        return "loss"
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "loss")
    return f"mean {name.replace('_', ' ')}"

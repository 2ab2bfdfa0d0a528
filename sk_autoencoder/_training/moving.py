"""A training on another device."""

from __future__ import annotations

import torch

from sk_autoencoder._training.procedure import Training
from sk_autoencoder._utils.devices import home_of


def move(training: Training, device: torch.device) -> None:
    """Move all that a training holds to a device, or to the CPU what stays there."""
    net, model, home = training.net, training.model, home_of(device)
    for frame in (model.frame, model.output, model.whitening):
        frame.to(home)
    net.criterion_.to(device)
    net.device = device
    net.send(home)

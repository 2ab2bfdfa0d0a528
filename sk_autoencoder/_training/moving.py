"""A training on another device."""

from __future__ import annotations

from typing import Any

import torch

from sk_autoencoder._training.procedure import Training


def move(training: Training, device: torch.device) -> None:
    """Move all that a training holds to a device."""
    net, model = training.net, training.model
    before = net.parameters()
    for part in (*net.parts(), net.criterion_, model.frame, model.output, model.whitening):
        part.to(device)
    net.device = device
    if net.optimizer_ is not None:
        # Torch may have put other parameters in the place of those that the optimizer knows.
        moved = dict(zip(map(id, before), net.parameters(), strict=True))
        _rebind(net.optimizer_, moved)


def _rebind(optimizer: torch.optim.Optimizer, moved: dict[int, Any]) -> None:
    """Let an optimizer go on with other parameters, and with its state beside these."""
    for group in optimizer.param_groups:
        group["params"] = [moved[id(parameter)] for parameter in group["params"]]
    states = [(moved[id(parameter)], state) for parameter, state in optimizer.state.items()]
    optimizer.state.clear()
    optimizer.state.update(states)
    optimizer.load_state_dict(optimizer.state_dict())  # which moves each state

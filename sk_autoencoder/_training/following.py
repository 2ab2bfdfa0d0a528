"""An optimizer that follows the weights it trains, where these go to another device."""

from __future__ import annotations

import torch
from torch import nn


def follow(
    optimizer: torch.optim.Optimizer | None, before: list[nn.Parameter], after: list[nn.Parameter]
) -> None:
    """Let an optimizer go on with weights that were moved, and with its state beside them.

    Torch may have put other parameters in the place of those that the optimizer knows.
    """
    if optimizer is None:
        return
    moved = dict(zip(map(id, before), after, strict=True))
    for group in optimizer.param_groups:
        group["params"] = [moved[id(parameter)] for parameter in group["params"]]
    states = [(moved[id(parameter)], state) for parameter, state in optimizer.state.items()]
    optimizer.state.clear()
    optimizer.state.update(states)
    optimizer.load_state_dict(optimizer.state_dict())  # which moves each state

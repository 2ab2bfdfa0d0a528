"""Steps of Adam that all weights take as one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sk_autoencoder._training._steps.adam import (
    Moments,
    begin_moments,
    is_fused_adam,
    moments_of,
    take_step,
)
from sk_autoencoder._training._steps.flat import joined, like
from sk_autoencoder._training.net_state import StatefulNet


class FlatAdam:
    """Takes the steps of fused Adam, along a gradient of all parameters in one tensor.

    Until `release` the parameters, what Adam remembers of them, and their average are parts of one
    tensor each: a step of many small tensors takes several times as long.

    Parameters
    ----------
    net : StatefulNet
        One that `is_flat`.

    Attributes
    ----------
    gradient : Tensor
        Where the gradients of all parameters are to be written, one behind the other.
    """

    def __init__(self, net: StatefulNet):
        self.optimizer, self.parameters = net.optimizer_, list(net.module_.parameters())
        (self.group,) = self.optimizer.param_groups
        begin_moments(self.optimizer, self.parameters)
        of_each = moments_of(self.optimizer, self.parameters)
        self.weights = joined(self.parameters)
        self.gradient = torch.zeros_like(self.weights)
        averages, squares = joined(of_each.averages), joined(of_each.squares)
        self.moments = Moments([averages], [squares], [of_each.steps[0].clone()])
        self._put(self.weights, averages, squares)
        if net.average_ is not None:
            net.average_.flatten(self.weights)

    def step(self) -> None:
        """Take a step."""
        take_step(self.group, [self.weights], [self.gradient], self.moments)

    def release(self) -> None:
        """Let each parameter, and what Adam remembers of it, be a tensor of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.detach().clone()
            state = self.optimizer.state[parameter]
            state.update({name: value.clone() for name, value in state.items()})

    def _put(self, *flat: Tensor) -> None:
        """Let parameters, and what Adam remembers of them, be parts of what is in one tensor."""
        (step,) = self.moments.steps
        parts = zip(*(like(self.parameters, each) for each in flat), strict=True)
        for parameter, (weight, average, square) in zip(self.parameters, parts, strict=True):
            parameter.data = weight
            state = {"step": step, "exp_avg": average, "exp_avg_sq": square}
            self.optimizer.state[parameter] = state


def is_flat(net: StatefulNet) -> bool:
    """Whether all weights of a net that trains a plain stack are stepped alike, by fused Adam."""
    optimizer, parameters = net.optimizer_, list(net.module_.parameters())
    if not is_fused_adam(optimizer) or len(optimizer.param_groups) > 1:
        return False
    return _is_one(parameters, optimizer.param_groups[0]["params"]) and _are_equal(
        [optimizer.state[p]["step"] for p in parameters if p in optimizer.state], len(parameters)
    )


def _is_one(parameters: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return [id(parameter) for parameter in parameters] == [id(other) for other in others]


def _are_equal(steps: Sequence[Tensor], n: int) -> bool:
    """Whether none of so many parameters was stepped yet, or each as often."""
    return not steps or (len(steps) == n and all(bool(step == steps[0]) for step in steps))

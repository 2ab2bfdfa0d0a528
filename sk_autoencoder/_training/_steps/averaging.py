"""The average of the weights along a training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sk_autoencoder._training._steps.flat import joined, like

HORIZON = 200
WARM_UP = 3
EVERY = 4


class WeightAverage:
    """Exponential moving average of parameters, over some last steps.

    The weights jump about their mean as long as the learning rate is high; their average
    stays near it (Polyak and Juditsky, 1992) [1]_, so that an epoch can be judged, and kept,
    before the rate has come down. Over the first steps the average is taken over a third of
    them.

    References
    ----------
    .. [1] Polyak and Juditsky (1992). Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30(4), 838-855.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = [parameter.detach() for parameter in parameters]
        self.others = [parameter.clone() for parameter in self.parameters]
        self.widen()
        self.n_steps = 0
        self.shown = False

    def narrow(self, parameters: list[Tensor], others: list[Tensor]) -> None:
        """Average a part of the parameters alone, into views of `others`, until `widen`."""
        self.averaged = parameters, others

    def widen(self) -> None:
        """Average all parameters again."""
        self.averaged = self.parameters, self.others

    def flatten(self, weights: Tensor) -> None:
        """Average all parameters as one tensor, which holds them, one behind the other."""
        others = joined(self.others)
        self.parameters, self.others = (like(self.others, flat) for flat in (weights, others))
        self.averaged = [weights], [others]

    def update(self) -> None:
        """Take a step of the optimizer into the average; later on, only every fourth."""
        self.n_steps += 1
        share = max(1 / HORIZON, WARM_UP / (self.n_steps + WARM_UP))
        if self.n_steps > HORIZON:
            if self.n_steps % EVERY:
                return
            share *= EVERY
        parameters, others = self.averaged
        torch._foreach_lerp_(others, parameters, share)

    @torch.no_grad()
    def show(self, shown: bool) -> None:
        """Put the average into the module, or the weights that the optimizer goes on from."""
        if shown is not self.shown:
            for parameter, other in zip(*self.averaged, strict=True):
                kept = parameter.clone()
                parameter.copy_(other)
                other.copy_(kept)
            self.shown = shown

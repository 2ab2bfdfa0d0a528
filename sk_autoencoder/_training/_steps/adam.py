"""Steps of Adam, without what torch's optimizer asks anew at each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sk_autoencoder._nn.optimizers import Adam, AdamW


def quick_step(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Return what takes a step of an optimizer: for fused Adam and AdamW quicker than its own.

    It computes the same, on the optimizer's own state.
    """
    return _Step(optimizer) if is_fused_adam(optimizer) else optimizer.step


def is_fused_adam(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer is fused Adam or AdamW, without what few ask for."""
    plain = type(optimizer) in (torch.optim.Adam, torch.optim.AdamW, Adam, AdamW)
    groups = optimizer.param_groups
    return plain and all(group["fused"] and not group["amsgrad"] for group in groups)


class Moments(NamedTuple):
    """What Adam remembers of some parameters: averages, those of squares, numbers of steps."""

    averages: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


def begin_moments(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> None:
    """Let fused Adam remember of parameters what it does before its first step."""
    for parameter in parameters:
        if parameter not in optimizer.state:
            optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }


def moments_of(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> Moments:
    """Return what Adam remembers of parameters, as it holds it."""
    states = [optimizer.state[parameter] for parameter in parameters]
    return Moments(*([s[name] for s in states] for name in ("exp_avg", "exp_avg_sq", "step")))


def take_step(
    group: dict, parameters: list[Tensor], gradients: list[Tensor], moments: Moments
) -> None:
    """Take a step of fused Adam, with the rates of a group of parameters.

    torch's own function of it asks half as long again for devices, dtypes and compilers.
    """
    if not parameters:
        return
    beta1, beta2 = group["betas"]
    step: Any = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    torch._foreach_add_(moments.steps, 1)
    step(
        parameters,
        gradients,
        moments.averages,
        moments.squares,
        [],
        moments.steps,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=group["maximize"],
    )


class _Step:
    """Hands the gradients of each group of parameters to torch's function of Adam."""

    def __init__(self, optimizer: torch.optim.Optimizer):
        self.optimizer = optimizer
        self.groups: list[tuple[dict, list[Tensor], Moments]] = []

    @torch.no_grad()
    def __call__(self) -> None:
        if not self.groups:
            # The optimizer makes its state itself, in its first step.
            self.optimizer.step()
            self.groups = [self._trained(group) for group in self.optimizer.param_groups]
            return
        for group, parameters, moments in self.groups:
            gradients: list[Any] = [parameter.grad for parameter in parameters]
            take_step(group, parameters, gradients, moments)

    def _trained(self, group: dict) -> tuple[dict, list[Tensor], Moments]:
        """Return a group, its parameters that are trained, and what Adam remembers of them."""
        parameters = [p for p in group["params"] if p.grad is not None]
        return group, parameters, moments_of(self.optimizer, parameters)

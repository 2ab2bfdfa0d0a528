"""Steps of Adam that processes share: each takes those of a part of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sk_autoencoder._training._steps.adam import Moments, is_fused_adam, moments_of, take_step
from sk_autoencoder._training._steps.clipping import GradientClip, length_of
from sk_autoencoder._training._steps.flat import WIDTH, like, padded_size
from sk_autoencoder._training.net_state import StatefulNet
from sk_autoencoder._utils.shared_memory import SharedMemory

# Of fewer weights, to wait for the others once more takes longer than to step them all.
LEAST_WEIGHTS = 100_000


class Split(NamedTuple):
    """Views of tensors that lie one behind the other: of my part, by their places, and the rest."""

    mine: dict[int, Tensor]
    others: list[Tensor]


def split(tensors: Sequence[Tensor], mine: slice) -> Split:
    """Split tensors at the cells of a part of them."""
    parts, at = Split({}, []), 0
    for place, tensor in enumerate(tensors):
        flat = tensor.detach().view(-1)
        start, stop = (min(max(edge - at, 0), len(flat)) for edge in (mine.start, mine.stop))
        if start < stop:
            parts.mine[place] = flat[start:stop]
        parts.others.extend(part for part in (flat[:start], flat[stop:]) if len(part))
        at += len(flat)
    return parts


class ShardedAdam:
    """Sums the gradients of processes, and takes the steps of Adam along them.

    Each process sums, cuts and steps the weights of a part, and reads those of the other parts from
    the others (Xu et al., 2020) [1]_. What Adam remembers is right for that part alone, until
    `end_epoch` gives all of it to each process.

    Parameters
    ----------
    net : StatefulNet
        Its optimizer is fused Adam.
    parameters : list of Tensor
        What is trained, in the order of their gradients.
    memory : SharedMemory
        Of `n_cells` cells.

    Attributes
    ----------
    gradient : Tensor
        Where this process writes the gradients of all parameters, one behind the other.

    References
    ----------
    .. [1] Xu, Lee, Chen, Hechtman, Huang, Joshi, Krikun, Lepikhin, Ly, Maggioni, Pang, Shazeer,
       Wang, Wang, Wu and Chen (2020). Automatic cross-replica sharding of weight update in
       data-parallel training. arXiv:2004.13336.
    """

    def __init__(self, net: StatefulNet, parameters: list[Tensor], memory: SharedMemory):
        self.optimizer, self.parameters = net.optimizer_, parameters
        self.processes, self.memory = net.processes_, memory
        self.clip: GradientClip | None = net.clip_
        self.rank, n = net.processes_.rank, net.processes_.size
        size = padded_size(parameters)
        parts, told, self.shares, self.lengths = memory.cells.split([n * size, size, n, n])
        self.parts = parts.view(n, size)
        self.gradient, self.total = self.parts[self.rank], torch.empty(size)
        n_rows = size // WIDTH
        start, stop = (WIDTH * (n_rows * rank // n) for rank in (self.rank, self.rank + 1))
        self.mine = slice(start, stop)
        self.weights = split(parameters, self.mine)
        self.told = split(like(parameters, told), self.mine)
        self.groups: list[tuple[dict, list[Tensor], list[Tensor], Moments]] = []
        self.n_steps = 0

    @torch.no_grad()
    def sum_(self, tensor: Tensor, weight: float) -> None:
        """Sum a gradient over all processes, each weighted: the first time whole, then my part."""
        self.shares[self.rank] = weight
        self._meet()
        cells = self.mine if self.groups else slice(None)
        total, shares = self.total[cells], self.shares.tolist()
        # In the order of their ranks, so that all have the same bits of the whole.
        torch.mul(self.parts[0, cells], shares[0], out=total)
        for part, share in zip(self.parts[1:, cells], shares[1:], strict=True):
            total.add_(part, alpha=share)
        if not self.groups:
            self._meet()
            tensor.copy_(total)

    @torch.no_grad()
    def cut(self) -> None:
        """Cut the gradient, by the length of all its parts."""
        assert self.clip is not None
        if not self.groups:
            self.clip.cut(self.gradient)
            return
        part = self.total[self.mine]
        self.lengths[self.rank] = length_of(part)
        self._meet()
        part.mul_(self.clip.share_of(torch.linalg.vector_norm(self.lengths)))

    @torch.no_grad()
    def step(self) -> None:
        """Step the weights of my part, and read those of the others."""
        if not self.groups:
            # The optimizer makes its state itself, in its first step.
            self.optimizer.step()
            self.groups = [self._part_of(group) for group in self.optimizer.param_groups]
            return
        for group in self.groups:
            take_step(*group)
        self._exchange(self.weights)
        self.n_steps += 1

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Read what the others' Adam remembers of their parts."""
        averages, squares, steps = moments_of(self.optimizer, self.parameters)
        for tensors in (averages, squares):
            self._meet()  # until then others read what was written before
            self._exchange(split(tensors, self.mine))
        for place, step in enumerate(steps):
            if place not in self.weights.mine:
                step.add_(self.n_steps)
        self.n_steps = 0

    def _part_of(self, group: dict) -> tuple[dict, list[Tensor], list[Tensor], Moments]:
        """Return a group of parameters, and what `take_step` needs of my part of them."""
        averages, squares, steps = moments_of(self.optimizer, self.parameters)
        gradients = like(self.parameters, self.total)
        mine = [split(of, self.mine).mine for of in (gradients, averages, squares)]
        in_group = {id(parameter) for parameter in group["params"]}
        places = [i for i in self.weights.mine if id(self.parameters[i]) in in_group]
        weights = [self.weights.mine[i] for i in places]
        gradients, averages, squares = ([of[i] for i in places] for of in mine)
        return group, weights, gradients, Moments(averages, squares, [steps[i] for i in places])

    def _exchange(self, tensors: Split) -> None:
        """Tell the others my part of tensors, and put theirs in place of what is here."""
        torch._foreach_copy_([*self.told.mine.values()], [*tensors.mine.values()])
        self._meet()
        torch._foreach_copy_(tensors.others, self.told.others)

    def _meet(self) -> None:
        self.processes.meet(self.memory)


def sharded_adam(net: StatefulNet) -> ShardedAdam | None:
    """Return what takes the steps of a net whose gradients are written out, where that pays.

    None where it trains alone or is small, the optimizer is another one, or there is no memory
    that its processes share.
    """
    parameters, n = list(net.module_.parameters()), net.processes_.size
    size = padded_size(parameters)
    is_worth_it = n > 1 and size >= max(LEAST_WEIGHTS, n * WIDTH)
    if not is_worth_it or not is_fused_adam(net.optimizer_):
        return None
    memory = net.processes_.memory(parameters[0], n_cells(size, n))
    return None if memory is None else ShardedAdam(net, parameters, memory)


def n_cells(size: int, n: int) -> int:
    """Return how many cells some processes share for so many weights."""
    return (n + 1) * size + 2 * n

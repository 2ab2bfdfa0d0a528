"""Steps of Adam that processes share: each takes those of a part of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from sk_autoencoder._training._steps.adam import (
    Moments,
    begin_moments,
    is_fused_adam,
    moments_of,
    take_step,
)
from sk_autoencoder._training._steps.clipping import GradientClip, length_of
from sk_autoencoder._training._steps.flat import WIDTH, like, padded_size, places
from sk_autoencoder._training.net_state import StatefulNet
from sk_autoencoder._utils.shared_memory import SharedMemory

# Of fewer weights, to wait for the others once more takes longer than to step them all.
LEAST_WEIGHTS = 100_000


class ShardedAdam:
    """Sums the gradients of processes, and takes the steps of Adam along them.

    While an epoch lasts, all processes compute with weights in memory that they share. Each sums,
    cuts, steps and averages a part of them (Xu et al., 2020) [1]_. Between epochs each has all
    weights, and all that Adam remembers, in its own memory.

    Parameters
    ----------
    net : StatefulNet
        Its optimizer is fused Adam.
    parameters : list of Parameter
        What is trained, in the order of their gradients.
    memory : SharedMemory
        Of `n_cells` cells.

    Attributes
    ----------
    gradient : Tensor
        Where this process writes the gradients of all parameters, one behind the other, weighted
        by the share that its rows have in a batch.
    cut : callable or None
        Cuts the sum of the gradients, where the net does that.

    References
    ----------
    .. [1] Xu, Lee, Chen, Hechtman, Huang, Joshi, Krikun, Lepikhin, Ly, Maggioni, Pang, Shazeer,
       Wang, Wang, Wu and Chen (2020). Automatic cross-replica sharding of weight update in
       data-parallel training. arXiv:2004.13336.
    """

    def __init__(self, net: StatefulNet, parameters: list[Tensor], memory: SharedMemory):
        self.optimizer, self.parameters = net.optimizer_, parameters
        self.average = net.average_
        self.cut = None if net.clip_ is None else partial(self._cut, net.clip_)
        self.processes, self.memory = net.processes_, memory
        self.rank, n = net.processes_.rank, net.processes_.size
        size = padded_size(parameters)
        parts, weights, self.lengths = memory.cells.split([n * size, size, n])
        edges = [WIDTH * (size // WIDTH * rank // n) for rank in range(n + 1)]
        self.cells = [slice(*edge) for edge in pairwise(edges)]
        mine = self.cells[self.rank]
        self.parts, self.total = parts.view(n, size), torch.empty(size)
        self.my_parts, self.my_total = [part[mine] for part in self.parts], self.total[mine]
        self.gradient, self.weights = self.parts[self.rank], like(parameters, weights)
        self.my_weights = self._mine(self.weights)
        begin_moments(self.optimizer, parameters)
        self.groups = [self._part_of(group) for group in self.optimizer.param_groups]
        self.n_steps = 0

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let the parameters be the weights that are shared, for what takes hold of them."""
        own = [parameter.data for parameter in self.parameters]
        for parameter, weight in zip(self.parameters, self.weights, strict=True):
            parameter.data = weight
        try:
            yield
        finally:
            for parameter, weight in zip(self.parameters, own, strict=True):
                parameter.data = weight

    @torch.no_grad()
    def begin_epoch(self) -> None:
        """Take the weights to where all compute with them."""
        for place, piece in self._mine(self.parameters).items():
            self.my_weights[place].copy_(piece)
        self._meet()
        if self.average is not None:
            averaged = self._mine(self.average.others)
            self.average.narrow([*self.my_weights.values()], [*averaged.values()])

    @torch.no_grad()
    def add(self) -> None:
        """Add my part of the gradients of all processes."""
        self._meet()
        torch.add(self.my_parts[0], self.my_parts[1], out=self.my_total)
        for part in self.my_parts[2:]:
            self.my_total.add_(part)

    @torch.no_grad()
    def _cut(self, clip: GradientClip) -> None:
        """Cut my part of the gradient, by the length of all its parts."""
        self.lengths[self.rank] = length_of(self.my_total)
        self._meet()
        clip.cut_by(torch.linalg.vector_norm(self.lengths), [self.my_total])

    @torch.no_grad()
    def step(self) -> None:
        """Step my part of the weights."""
        for group in self.groups:
            take_step(*group)
        self.n_steps += 1
        self._meet()

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Take all weights into the module, and what Adam remembers of them into the optimizer."""
        for parameter, weight in zip(self.parameters, self.weights, strict=True):
            parameter.copy_(weight)
        averages, squares, steps = moments_of(self.optimizer, self.parameters)
        for place, step in enumerate(steps):
            if place not in self.my_weights:
                step.add_(self.n_steps)
        self.n_steps = 0
        self._exchange(averages)
        self._exchange(squares)
        if self.average is not None:
            self.average.widen()
            self._exchange(self.average.others)

    def _mine(self, tensors: Sequence[Tensor]) -> dict[int, Tensor]:
        return pieces(tensors, self.cells[self.rank])

    def _part_of(self, group: dict) -> tuple[dict, list[Tensor], list[Tensor], Moments]:
        """Return a group of parameters, and what `take_step` needs of my part of them."""
        in_group = {id(parameter) for parameter in group["params"]}
        places = [i for i in self.my_weights if id(self.parameters[i]) in in_group]
        averages, squares, steps = moments_of(self.optimizer, self.parameters)
        gradients = like(self.parameters, self.total)
        g, a, s = (self._mine(of) for of in (gradients, averages, squares))
        weights, gradients, averages, squares, steps = (
            [of[i] for i in places] for of in (self.my_weights, g, a, s, steps)
        )
        return group, weights, gradients, Moments(averages, squares, steps)

    def _exchange(self, tensors: Sequence[Tensor]) -> None:
        """Put the parts that the others have of tensors in place of what is here."""
        self._meet()  # until then they read what stands where it is written now
        mine = self._mine(like(tensors, self.gradient))
        for place, piece in self._mine(tensors).items():
            mine[place].copy_(piece)
        self._meet()
        for cells, part in zip(self.cells, self.parts, strict=True):
            written = pieces(like(tensors, part), cells)
            for place, piece in pieces(tensors, cells).items():
                piece.copy_(written[place])

    def _meet(self) -> None:
        self.processes.meet(self.memory)


def sharded_adam(net: StatefulNet) -> ShardedAdam | None:
    """Return what takes the steps of a net whose gradients are written out, where that pays.

    None where it trains alone or is small, the optimizer is another one, or there is no memory
    that its processes share.
    """
    parameters, n = list(net.module_.parameters()), net.processes_.size
    size = padded_size(parameters)
    pays = n > 1 and size >= max(LEAST_WEIGHTS, n * WIDTH)
    if not pays or not is_fused_adam(net.optimizer_):
        return None
    memory = net.processes_.memory(parameters[0], n_cells(size, n))
    return None if memory is None else ShardedAdam(net, parameters, memory)


def n_cells(size: int, n: int) -> int:
    """Return how many cells `n` processes share for so many weights."""
    return (n + 1) * size + n


def pieces(tensors: Sequence[Tensor], cells: slice) -> dict[int, Tensor]:
    """Return views of what some cells have of tensors one behind the other, by their places."""
    found = {}
    for place, (tensor, own) in enumerate(zip(tensors, places(tensors), strict=True)):
        start, stop = max(cells.start, own.start), min(cells.stop, own.stop)
        if start < stop:
            found[place] = tensor.detach().view(-1)[start - own.start : stop - own.start]
    return found

"""Processes that share memory step a part of the weights each, and end as one that steps all."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training._steps.flat import WIDTH, like, padded_size, places
from sk_autoencoder._training._steps.sharding import (
    LEAST_WEIGHTS,
    ShardedAdam,
    n_cells,
    pieces,
    sharded_adam,
)
from sk_autoencoder._utils.processes import ALONE
from sk_autoencoder._utils.shared_memory import SharedMemory, bytes_of

N_EPOCHS, N_STEPS = 3, 4
SHARES = {2: (0.5, 0.75), 3: (0.25, 0.5, 0.3)}
SIZES = ((60, 50), (60,), (7, 60), (7,), (41, 7))


def made(optimizer):
    """A module's parameters, in two groups of another rate, and what trains them."""
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(size)) for size in SIZES]
    groups = [{"params": parameters[3:], "lr": 0.03}, {"params": parameters[:3]}]
    return parameters, optimizer(groups, lr=0.01, fused=True)


def gradient_of(rank, step, parameters):
    """A gradient that each process has another one of: it depends on the weights of now."""
    generator = torch.Generator().manual_seed(100 * rank + step)
    drawn = [torch.randn(p.shape, generator=generator) for p in parameters]
    return [
        p.detach() * 0.1 + noise * 10 ** (step % 3)
        for p, noise in zip(parameters, drawn, strict=True)
    ]


def of_one(n, optimizer, is_cut):
    """Train in one process, by the sum of all gradients and the steps of torch itself."""
    parameters, optimizer = made(optimizer)
    average, clip = WeightAverage(parameters), GradientClip(parameters)
    for step in range(N_EPOCHS * N_STEPS):
        parts = [gradient_of(rank, step, parameters) for rank in range(n)]
        for i, parameter in enumerate(parameters):
            parameter.grad = sum(s * part[i] for s, part in zip(SHARES[n], parts, strict=True))
        if is_cut:
            clip()
        optimizer.step()
        average.update()
    return parameters, optimizer, average


class Thread:
    """Stands for a process: `meet` is all that sharded steps ask of it."""

    def __init__(self, rank, n):
        self.rank, self.size = rank, n

    def meet(self, memory):
        memory.meet(timeout=60)


def of_several(n, optimizer, is_cut):
    """Train in threads that stand for processes, each with parameters of its own."""
    cells = n_cells(padded_size([torch.empty(size) for size in SIZES]), n)
    memory = torch.zeros(bytes_of(n, cells), dtype=torch.uint8)
    trained = [made(optimizer) for _ in range(n)]

    def train(rank):
        parameters, stepped = trained[rank]
        average = WeightAverage(parameters)
        clip = GradientClip(parameters) if is_cut else None
        net = SimpleNamespace(
            optimizer_=stepped, average_=average, clip_=clip, processes_=Thread(rank, n)
        )
        sharded = ShardedAdam(net, parameters, SharedMemory(memory, rank, [os.getpid()] * n))
        with sharded.lent():
            weights = [parameter.detach() for parameter in parameters]
        for parameter, part in zip(parameters, like(parameters, sharded.gradient), strict=True):
            parameter.grad = part
        for epoch in range(N_EPOCHS):
            sharded.begin_epoch()
            for step in range(epoch * N_STEPS, (epoch + 1) * N_STEPS):
                for parameter, part in zip(
                    parameters, gradient_of(rank, step, weights), strict=True
                ):
                    parameter.grad.copy_(part * SHARES[n][rank])
                sharded.add()
                if is_cut:
                    sharded.cut()
                sharded.step()
                average.update()
            sharded.end_epoch()
        return parameters, stepped, average

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(train, range(n)))


def held(parameters, optimizer, average):
    """All numbers of a training, by their names."""
    states = [optimizer.state[parameter] for parameter in parameters]
    numbers = {"weights": parameters, "averaged weights": average.others}
    return numbers | {name: [s[name] for s in states] for name in states[0]}


@pytest.mark.quick
@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("n", [2, 3])
def test_all_end_with_what_one_process_ends_with(n, optimizer, is_cut):
    expected = held(*of_one(n, optimizer, is_cut))
    first, *others = [held(*trained) for trained in of_several(n, optimizer, is_cut)]
    for name, tensors in expected.items():
        for found, tensor in zip(first[name], tensors, strict=True):
            torch.testing.assert_close(found, tensor, rtol=1e-4, atol=1e-6)
        for other in others:
            assert all(map(torch.equal, first[name], other[name])), name


@pytest.mark.quick
def test_pieces_are_all_cells_once():
    tensors = [torch.arange(float(n)) for n in (5, 1, 7, 4)]
    start = places(tensors)[2].start
    edges = (0, 6, start + 2, start + 3, 2**10)
    parts = [pieces(tensors, slice(*edge)) for edge in pairwise(edges)]
    assert [list(part) for part in parts] == [[0], [1, 2], [2], [2, 3]]
    for place, tensor in enumerate(tensors):
        assert torch.equal(torch.cat([p[place] for p in parts if place in p]), tensor)
    parts[2][2].fill_(9)
    assert tensors[2].tolist() == [0, 1, 9, 3, 4, 5, 6]


def offered(n_weights=LEAST_WEIGHTS, n=2, dtype=torch.float32, **params):
    """A net for sharded steps, whose processes have memory to share."""
    module = nn.Linear(n_weights, 1, bias=False, dtype=dtype)
    processes = Thread(0, n)
    processes.memory = lambda tensor, cells: SharedMemory(
        torch.zeros(bytes_of(n, cells), dtype=torch.uint8), 0, [1] * n
    )
    optimizer = torch.optim.Adam(module.parameters(), **({"fused": True} | params))
    return SimpleNamespace(
        module_=module, optimizer_=optimizer, average_=None, clip_=None, processes_=processes
    )


@pytest.mark.quick
def test_steps_are_shared_where_that_pays():
    assert isinstance(sharded_adam(offered()), ShardedAdam)
    assert sharded_adam(offered(LEAST_WEIGHTS - WIDTH)) is None
    assert sharded_adam(offered(n=LEAST_WEIGHTS // WIDTH + 2)) is None
    assert sharded_adam(offered(amsgrad=True)) is None
    assert sharded_adam(offered(fused=False)) is None
    alone = offered()
    alone.processes_ = ALONE
    assert sharded_adam(alone) is None
    apart = offered()
    apart.processes_.memory = lambda tensor, cells: None
    assert sharded_adam(apart) is None

"""Whether the threads of a training may follow the load: not where that changes a bit of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training._steps.pace import N_STEPS, Pace
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._utils.threads import OneThread


@contextmanager
def pace_of(net: AutoencoderNet, rows: tuple, n_batches: int, n_epochs: int) -> Iterator[None]:
    """Let the threads of a training follow the load of the machine, if that changes no bit of it.

    Parameters
    ----------
    net : AutoencoderNet
        One whose training begins.
    rows : tuple of Rows
        Those that train, and those that judge, or None.
    n_batches, n_epochs : int
        The batches of an epoch, and the epochs. Of few steps none are spent on a trial.
    """
    is_long = n_batches * n_epochs > N_STEPS
    may_wait = is_long and torch.get_num_threads() > 1 and net.has_plain_steps
    if not may_wait or not _same_bits(net, rows, n_batches):
        yield
        return
    net.pace_ = Pace()
    try:
        yield
    finally:
        net.pace_.end()
        net.pace_ = None


def _same_bits(net: AutoencoderNet, rows: tuple, n_batches: int) -> bool:
    """Whether some steps and losses have the same bits with one thread and with all."""
    together = list(_computed(net, rows, n_batches))
    with OneThread():
        alone = list(_computed(net, rows, n_batches))
    return all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))


def _computed(net: AutoencoderNet, rows: tuple, n_batches: int) -> Iterator[Tensor]:
    """Yield what is computed of batches of each size, on copies of what has to stay."""
    train, judges = rows
    module, optimizer = copy.deepcopy((net.module_, net.optimizer_))
    clip = None if net.clip_ is None else GradientClip(module.parameters())
    average = WeightAverage(module.parameters())
    twin = net.twin(module_=module, optimizer_=optimizer, clip_=clip, average_=average)
    gradients, cut, take_step, *_ = twin.make_steps()
    for size in {len(train) // n_batches, -(-len(train) // n_batches)}:
        yield gradients(*train[:size])
        if cut is not None:
            cut()
        take_step()
        average.update()
    yield from (parameter.detach() for parameter in module.parameters())
    yield from average.others
    size = 0 if judges is None else net.get_params_for("iterator_valid")["batch_size"]
    for start in {0, len(judges) - len(judges) % size} - {len(judges)} if size else ():
        with torch.inference_mode():
            yield net.row_losses(*judges[start : start + size])

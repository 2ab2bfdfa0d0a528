"""How many threads the steps of a training take: one or all, whichever are quicker by now."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._utils.threads import OneThread

if TYPE_CHECKING:
    from sk_autoencoder._training.net import AutoencoderNet

# Steps that are timed with each number of threads. They are timed again after so many steps, and so
# many times the seconds that they took, since a step of threads that wait can be very long.
N_TIMED, N_STEPS, RARELY = 4, 200, 30.0


class Pace:
    """Finds by timing steps whether one thread is quicker than all, again from time to time.

    On an idle machine all are. Beside other busy processes threads wait for each other at each
    product, and a step can take ten times as long as with one of them.
    """

    def __init__(self):
        self.one = OneThread()
        self.is_alone = False
        self.seconds, self.began = 0.0, None
        self.steps = self._steps()

    def next_step(self) -> None:
        """Choose the threads of the step that begins now."""
        self.pause()
        next(self.steps)
        self.began = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock, which goes on with the next step."""
        if self.began is not None:
            self.seconds += time.perf_counter() - self.began
            self.began = None

    def end(self) -> None:
        """Leave the threads as they were."""
        self._set(alone=False)
        self.steps.close()

    def _steps(self) -> Generator[None]:
        """Yield before each step, with its threads set."""
        while True:
            alone = yield from self._timed(alone=True)
            together = yield from self._timed(alone=False, most=alone)
            self._set(alone=alone < together)
            self.seconds, n_steps = 0.0, 0
            while n_steps < N_STEPS or self.seconds < RARELY * (alone + together):
                yield
                n_steps += 1

    def _timed(self, *, alone: bool, most: float = math.inf) -> Generator[None, None, float]:
        """Yield before some steps, and return the seconds they took, once these are over `most`."""
        self._set(alone)
        self.seconds = 0.0
        for _ in range(N_TIMED):
            yield
            if self.seconds > most:
                break
        return self.seconds

    def _set(self, alone: bool) -> None:
        if alone is not self.is_alone:
            if alone:
                self.one.__enter__()
            else:
                self.one.__exit__()
            self.is_alone = alone


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
    gradients, cut, take_step = net.twin(
        module_=module, optimizer_=optimizer, clip_=clip
    ).make_steps()
    average = WeightAverage(module.parameters())
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

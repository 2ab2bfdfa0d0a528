"""What a training prints of its epochs: their losses, and how long it still takes."""

from __future__ import annotations

import time

from skorch.callbacks import Callback, PrintLog


class EpochLog(PrintLog):
    """Print a line of each epoch as skorch's own does, which makes it even where none is read."""

    def on_epoch_end(self, net, **kwargs):
        if net.verbose or self.sink is not print:
            super().on_epoch_end(net, **kwargs)


class SecondsLeft(Callback):
    """Record "left": the seconds that the epochs to come take, if each is as long as those so far.

    They are the most that a training takes, which may be stopped before.

    Parameters
    ----------
    n_epochs : int
        The epochs of the training.
    """

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_train_begin(self, net, **kwargs):
        self.began_, self.n_done_ = time.perf_counter(), 0

    def on_epoch_end(self, net, **kwargs):
        self.n_done_ += 1
        of_each = (time.perf_counter() - self.began_) / self.n_done_
        net.history.record("left", of_each * (self.n_epochs - self.n_done_))

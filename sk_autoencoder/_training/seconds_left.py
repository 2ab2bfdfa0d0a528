"""The callback that tells how long a training still takes."""

from __future__ import annotations

import time

from skorch.callbacks import Callback


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

"""The callback that keeps the weights of the best epoch."""

from __future__ import annotations

from skorch.callbacks import Callback


class BestEpoch(Callback):
    """Keep the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    epoch, loss : int, float
        The epoch that the training starts from, and its validation loss.

    Attributes
    ----------
    epoch_, loss_ : int, float
        The best epoch, that of the start where none was better, and its validation loss.
    """

    def __init__(self, epoch, loss):
        self.epoch = epoch
        self.loss = loss

    def on_train_begin(self, net, **kwargs):
        self.epoch_, self.loss_ = self.epoch, self.loss
        self.weights_ = net.weights()

    def on_epoch_end(self, net, **kwargs):
        loss = net.history[-1, "valid_loss"]
        if loss < self.loss_:
            self.epoch_, self.loss_ = net.history[-1, "epoch"], loss
            self.weights_ = net.weights()

    def on_train_end(self, net, **kwargs):
        net.load_weights(self.weights_)
        del self.weights_

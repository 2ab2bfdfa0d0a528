"""The skorch net that trains an autoencoder: its epochs, its schedule, its best weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog
from skorch.utils import to_tensor

BLOWN_UP = 1e6

OWN_CALLBACKS = frozenset({"best_epoch", "early_stopping", "epoch_timer", "print_log"})


class AutoencoderNet(NeuralNet):
    """A skorch `NeuralNet` whose target is its input.

    It is given a pair of `Rows`, the training and the validation part (or None), where
    skorch takes X. Losses in `history` are in the units of X.
    """

    lr_scheduler_: torch.optim.lr_scheduler.LRScheduler | None = None
    stop_asked_ = False

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def get_split_datasets(self, X, y=None, **fit_params):
        return X

    def fit_epoch(self, rows) -> bool:
        """Train for one epoch on a pair of `Rows`; True where a callback asks to stop."""
        self.stop_asked_ = False
        self.fit_loop(rows, epochs=1)
        return self.stop_asked_

    def notify(self, method_name, **cb_kwargs):
        """Call a hook of all callbacks, of those behind one that asks to stop as well.

        skorch's `EarlyStopping` asks by raising what Ctrl-C raises; only the former ends here.
        """
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                if method_name != "on_epoch_end" or not _has_lost_patience(callback):
                    raise
                self.stop_asked_ = True

    def infer(self, x, **fit_params):
        return self.module_.decode(self.module_.encode(to_tensor(x, device=self.device)))

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go through all batches, and record the mean loss of their rows."""
        if iterator is None:
            return
        loss = self._mean_loss(iterator, training, prefix, step_fn, **fit_params)
        rows = iterator.dataset
        if training and not loss <= BLOWN_UP * rows.coordinates.mean_square:
            raise ValueError(
                f"The fit diverged in epoch {self.history[-1, 'epoch']}: its mean training loss "
                f"is {rows.in_units_of_X(loss):.3g}. Lower lr, which is {self.lr:g}, or choose "
                "another optimizer or activation."
            )
        self._record(f"{prefix}_loss", rows.in_units_of_X(loss))

    def _record(self, name: str, loss: float) -> None:
        """Record a loss, and whether it is the best yet, as skorch's scoring does."""
        before = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < min(before, default=math.inf))

    def _mean_loss(self, iterator, training, prefix, step_fn, **fit_params) -> float:
        """Mean loss of the rows of all batches, in the network's coordinates.

        It is read once at the end, and batches are noted only where a user's callback may look.
        """
        watched = any(name not in OWN_CALLBACKS for name, _ in self.callbacks_)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch in iterator:
            if watched:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            total += step["loss"].detach() * len(batch[0])
            if watched:
                self.history.record_batch(f"{prefix}_loss", step["loss"].item())
                self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        return total.item() / len(iterator.dataset)

    def loss(self, rows) -> float:
        """Mean loss of the present weights on a `Rows`, in the units of X."""
        self._set_training(False)
        total = 0.0
        with torch.inference_mode():
            for t, target in self.get_iterator(rows, training=False):
                total += self.criterion_(self.infer(t), target).item() * len(t)
        return rows.in_units_of_X(total / len(rows))

    def as_if_stopped(self, dtype: torch.dtype) -> AutoencoderNet:
        """Give a net for inference with the weights that a stop after this epoch would keep."""
        twin = object.__new__(type(self))
        twin.__dict__ |= vars(self) | {"callbacks_": [], "module_": copy.deepcopy(self.module_)}
        best = dict(self.callbacks_).get("best_epoch")
        if best is not None:
            twin.module_.load_state_dict(best.weights_)
        twin.rest(dtype)
        return twin

    def rest(self, dtype: torch.dtype) -> None:
        """End training: inference mode, in the dtype of X, without a schedule."""
        self.lr_scheduler_ = None
        self.module_.eval().to(dtype)

    def train_step(self, batch, **fit_params):
        step = super().train_step(batch, **fit_params)
        if self.lr_scheduler_ is not None:
            self.lr_scheduler_.step()
        return step

    def schedule(self, name: str, n_steps: int) -> None:
        """Set the course of the learning rate for the next `n_steps` steps."""
        self.lr_scheduler_ = None
        for group in self.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] = self.lr
        if name == "one_cycle" and n_steps > 0:
            self.lr_scheduler_ = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer_, max_lr=self.lr, total_steps=n_steps, cycle_momentum=False
            )

    @contextmanager
    def unchanged_on_error(self) -> Iterator[None]:
        """Bring weights, optimizer and history back where the block raises."""
        module = copy.deepcopy(self.module_.state_dict())
        optimizer = copy.deepcopy(self.optimizer_.state_dict())
        shuffling = self.iterator_train__rng.get_state()
        n_epochs = len(self.history)
        dtype = next(self.module_.parameters()).dtype
        try:
            yield
        except BaseException:
            # The optimizer takes its state over in the dtype of the weights: first float32.
            self.module_.float().eval().load_state_dict(module)
            self.optimizer_.load_state_dict(optimizer)
            self.module_.to(dtype)
            self.iterator_train__rng.set_state(shuffling)
            self.lr_scheduler_ = None
            del self.history[n_epochs:]
            raise


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
        self.weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        loss = net.history[-1, "valid_loss"]
        if loss < self.loss_:
            self.epoch_, self.loss_ = net.history[-1, "epoch"], loss
            self.weights_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.weights_)
        del self.weights_


def _has_lost_patience(callback: Callback) -> bool:
    """Whether a callback is skorch's early stopping, and has just asked to stop."""
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience

"""The skorch net that trains an autoencoder: its batches, its losses, its epochs."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch.callbacks import EpochTimer
from skorch.utils import to_tensor
from torch import Tensor

from sk_autoencoder._nn.batch import Pass
from sk_autoencoder._nn.frames import as_tensor
from sk_autoencoder._training import own_callbacks
from sk_autoencoder._training._steps.adam import quick_step
from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.backprop import is_plain
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training._steps.epoch import take_steps
from sk_autoencoder._training._steps.pieces import InPieces
from sk_autoencoder._training._steps.plain import plain_steps
from sk_autoencoder._training._steps.schedule import one_cycle
from sk_autoencoder._training._steps.sharing import shared
from sk_autoencoder._training.net_state import MeanLoss, StatefulNet, Steps
from sk_autoencoder._training.own_parts import check_made_module, check_made_optimizer, making
from sk_autoencoder._training.plan import Plan
from sk_autoencoder._training.printing import EpochLog
from sk_autoencoder._utils.blocks import as_dense
from sk_autoencoder._utils.devices import as_wide, takes_written_out_steps


class AutoencoderNet(StatefulNet):
    """A skorch `NeuralNet` whose target is its input.

    `predict` and `forward` take rows of X and return their reconstructions in the units of X.
    In training it takes a pair of `Rows`, the training and the validation part (or None), where
    skorch takes X. Losses in `history` are in the units of X. `criterion_` is the objective, and
    `penalties_` are added to it; a weight counts the loss of the mean of X alone. `bottleneck_`
    changes codes before they are decoded. Above `max_loss` a fit has diverged.

    Parameters
    ----------
    bottleneck, penalties : torch.nn.Module
    frames : Frames
    """

    max_loss = math.inf
    stop_asked_ = False

    def __init__(self, module, criterion, *, bottleneck, penalties, frames, **kwargs):
        # Before skorch's own, behind which it takes modules in its initialize methods alone.
        self.bottleneck = bottleneck
        self.penalties = penalties
        self.frames = frames
        super().__init__(module, criterion, **kwargs)

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("print_log", EpochLog())]

    @property
    def error(self) -> Any:
        """The error of a reconstruction, which the objective is made of."""
        return self.criterion_.error

    def get_split_datasets(self, X, y=None, **fit_params):
        return X

    def initialize_module(self):
        """Make the module, and say what is wrong where that fails or gives no autoencoder."""
        with making("module", self.module, self.get_params_for("module")):
            super().initialize_module()
        check_made_module(self.module_, self.module)
        self.bottleneck_ = self.bottleneck
        self.penalties_ = self.penalties
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Make the optimizer, and say what is wrong where that fails or gives none."""
        given = {"parameters", *self.get_params_for_optimizer("optimizer", [])[1]}
        with making("optimizer", self.optimizer, given):
            super().initialize_optimizer(*args, **kwargs)
        check_made_optimizer(self.optimizer_, self.optimizer, self.parameters())
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Try a loss of the user's, before an epoch of it is lost."""
        super().on_train_begin(net, X=X, y=y, **kwargs)
        if callable(getattr(self.error, "loss", None)) and X is not None:
            self._try_loss(X[0])

    def _try_loss(self, rows) -> None:
        """Refuse a loss that has no gradient or no value for the network as it is."""
        t, target = rows[: self.batch_size]
        self._set_training(False)
        with torch.enable_grad():
            reconstruction = self.infer(t)
            loss = self.criterion_(reconstruction, target)
        if reconstruction.requires_grad and not loss.requires_grad:
            raise ValueError(
                "loss gave a tensor that has no gradient. Compute it from the reconstruction by "
                "functions of torch alone, without detach(), numpy() or torch.no_grad()."
            )
        if not loss.isfinite():
            raise ValueError(
                f"loss gave a mean of {loss:g} before the first step of the training. It has to be "
                "finite for reconstructions near those of PCA, or of module where one is given."
            )

    def fit_epoch(self, rows) -> bool:
        """Train for one epoch on a pair of `Rows`; True where a callback asks to stop."""
        if rows[1] is None:
            own_callbacks.check_monitors(self.callbacks_)
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
                if method_name != "on_epoch_end" or not own_callbacks.has_lost_patience(callback):
                    raise
                self.stop_asked_ = True

    def _set_training(self, training=True):
        """Set the mode of the modules that are in the other one; to set it costs many products."""
        for name in (*self._modules, *self._criteria):
            module = getattr(self, f"{name}_")
            if module.training is not training:
                module.train(training)

    def infer(self, x, **fit_params):
        x = to_tensor(x, device=self.parameters()[0].device)
        return self.module_.decode(self.module_.encode(x))

    def forward_iter(self, X, training=False, device="cpu"):
        """Yield reconstructions of rows of X, batch by batch, in the units of X."""
        size = self.get_params_for("iterator_valid")["batch_size"]
        self._set_training(training)
        dtype = next(self.module_.parameters()).dtype
        for start in range(0, len(X), size):
            with torch.set_grad_enabled(training):
                output = self.infer(self.frames.input.read(X[start : start + size]).to(dtype))
                yield self.frames.rows_of(output).to(device)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, y_true)

    def pass_through(self, t, target) -> Pass:
        """Send a batch through the network."""
        if self.autocast_dtype is None or not self.module_.training:
            z, divergence, reconstruction = self._round_trip(t)
        else:
            # The weights stay in float32, and so does the loss.
            with torch.autocast(torch.device(self.device).type, self.autocast_dtype):
                z, divergence, reconstruction = self._round_trip(t)
            z, reconstruction = z.float(), reconstruction.float()
        return Pass(t, z, reconstruction, target, divergence)

    def _round_trip(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes, their divergences and reconstructions of a batch."""
        encode, decode = self.compiled_ or (self.module_.encode, self.module_.decode)
        z = encode(t)
        code, divergence = self.bottleneck_(t, z)
        return z, divergence, decode(code)

    def compile_module(self) -> None:
        """Let torch compile the module for the training to come."""
        # Batches differ by a row, for which nothing is to be compiled anew.
        encode, decode = self.module_.encode, self.module_.decode
        self.compiled_ = torch.compile(encode, dynamic=True), torch.compile(decode, dynamic=True)

    def batch_loss(self, t, target) -> tuple[Tensor, Pass]:
        """Return what a training step makes small, the loss of a batch and its penalties."""
        batch = self.pass_through(t, target)
        loss = self.criterion_.of_batch(batch)
        return (loss + self.penalty(batch) if self.penalties_ else loss), batch

    def penalty(self, batch: Pass) -> Tensor:
        """Return the sum of the penalties of a batch, in the units of the loss."""
        return self.error.unit_loss * self.penalties_(self.module_, batch)

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of a batch, as skorch's own method does."""
        self._set_training(True)
        if self.pieces_ is None:
            pieces = InPieces(self._gradients_told, self.parameters())
            self.pieces_ = shared(pieces, self.processes_, self.rows_a_batch_)
        loss, reconstruction = self.pieces_.told(*batch)
        if self.clip_ is not None:
            self.clip_()
        return {"loss": loss, "y_pred": reconstruction}

    def row_losses(self, t, target) -> Tensor:
        """Return the loss of each row, of shape (batch,): a mean over the sizes of the code."""
        codes = self.bottleneck_.validated(self.module_.encode(t))
        losses = [self.error.rows(self.module_.decode(code), target) for code in codes]
        return torch.stack(losses).mean(dim=0)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go through all batches, and record the mean loss of their rows."""
        if iterator is None:
            return
        rows, watched = iterator.dataset, self._is_watched()
        if not training:
            loss = self.loss(rows, watched=watched)
        else:
            self._check_trainable()
            self._show_average(False)
            loss = self._train_watched(iterator, step_fn) if watched else self._train(iterator)
            loss = rows.in_units_of_X(loss)
            self._show_average(True)
        if training and not loss <= self.max_loss:
            raise ValueError(
                f"The fit diverged in epoch {self.history[-1, 'epoch']}: its mean training loss "
                f"is {loss:.3g}. Lower lr, which is {self.lr:g}, or choose another optimizer or "
                "activation; if it goes on from another fit, pass rows in the units of that."
            )
        self._record(f"{prefix}_loss", loss)

    def _check_trainable(self) -> None:
        """Refuse to train for an epoch in which callbacks have frozen all parameters."""
        groups = self.optimizer_.param_groups  # to ask for names as well takes as long as a step
        if not any(p.requires_grad for group in groups for p in group["params"]):
            raise ValueError(
                f"Callbacks have frozen all parameters of the network in epoch "
                f"{self.history[-1, 'epoch']}, so that nothing can be trained. Leave some to "
                "train, such as with Freezer('*encoder*')."
            )

    def _show_average(self, shown: bool) -> None:
        """Put averaged weights into the module to be judged and kept, or the others to train on."""
        if self.average_ is not None:
            self.average_.show(shown)

    def _record(self, name: str, loss: float) -> None:
        """Record a loss, and whether it is the best yet, as skorch's scoring does."""
        before = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < min(before, default=math.inf))

    def _is_watched(self) -> bool:
        """Whether callbacks of the user may look at single batches."""
        return any(name not in own_callbacks.OWN_CALLBACKS for name, _ in self.callbacks_)

    def _train(self, iterator) -> float:
        """Take a step on each batch, with nothing in between; the loss is read once at the end."""
        if self.steps_ is None:
            self.steps_ = self.make_steps()
        if self.steps_.mode is torch.enable_grad:
            self._set_training(True)
        return take_steps(self, self.steps_, iterator)

    def make_steps(self) -> Steps:
        """Return what the steps of a training are made of, which no callback looks at."""
        if self._is_plain():
            return plain_steps(self)
        pieces = InPieces(self._gradients, self.parameters())
        gradients = shared(pieces, self.processes_, self.rows_a_batch_)
        return Steps(gradients, self.clip_, quick_step(self.optimizer_), torch.enable_grad)

    def _gradients(self, t, target) -> Tensor:
        """Compute the gradients of a batch, and return its loss."""
        return self._gradients_told(t, target)[0]

    def _gradients_told(self, t, target) -> tuple[Tensor, Tensor]:
        """Compute the gradients of a batch, and return its loss and its reconstruction."""
        self.optimizer_.zero_grad()
        loss, passed = self.batch_loss(t, target)
        self._backward(loss)
        return loss.detach(), passed.reconstruction.detach()

    def _backward(self, loss: Tensor) -> None:
        """Compute the gradients of a loss, in numbers whose squares optimizers can sum."""
        factor = self.error.gradient_factor
        (loss if factor == 1.0 else loss * factor).backward()

    @property
    def has_plain_steps(self) -> bool:
        """Whether steps are those of a plain stack, here alone, without draws or callbacks."""
        is_plain = self._is_plain() and self.bottleneck_.mask is None
        return is_plain and not self._is_watched() and self.processes_.size == 1

    def _is_plain(self) -> bool:
        """Whether the loss is the squared error of a plain stack, and nothing besides."""
        objective = self.criterion_
        is_square = objective.is_mean_of_rows and objective.error.target_is_input
        if self.penalties_ or self.compiled_ or not (is_square and self.bottleneck_.is_plain):
            return False
        is_trained = all(parameter.requires_grad for parameter in self.module_.parameters())
        return is_trained and is_plain(self.module_) and takes_written_out_steps(self.device)

    def _train_watched(self, iterator, step_fn) -> float:
        """Take skorch's steps, each of them noted and told to callbacks."""
        mean, rows = MeanLoss(self.device, iterator.dataset.data.processes), iterator.dataset
        for batch in iterator:
            self.next_lr()
            told = self._told(batch, rows.block(iterator.chosen))
            self.notify("on_batch_begin", batch=told, training=True)
            step = step_fn(batch)
            if self.average_ is not None:
                self.average_.update()
            loss, size = step["loss"].detach(), len(batch[0])
            mean.add(loss, size)
            self._note_batch("train", rows.in_units_of_X(loss.item()), size)
            step["y_pred"] = self.frames.rows_of(step["y_pred"].detach())
            self.notify("on_batch_end", batch=told, training=True, **step)
        return mean.value()

    def _told(self, batch, block) -> tuple[Tensor, Tensor]:
        """Return a batch as callbacks are told of it: what is read and its target, as rows of X."""
        frame = self.frames.input
        with torch.no_grad():
            return frame.rows_of(batch[0]), as_tensor(as_dense(block), frame.device)

    def loss(self, rows, *, watched=False, penalized=True) -> float:
        """Return the mean loss of the present weights on a `Rows`, in the units of X.

        Unless `penalized`, it is that of the reconstruction alone.
        """
        self._set_training(False)
        mean = MeanLoss(self.device, rows.data.processes)
        iterator = self.get_iterator(rows, training=False)
        for t, target in iterator:
            told = None
            if watched:
                told = self._told((t, target), rows.block(iterator.chosen))
                self.notify("on_batch_begin", batch=told, training=False)
            loss = self._loss_of_new(t, target, penalized)
            mean.add(loss, len(t))
            if watched:
                self._note_batch("valid", rows.in_units_of_X(loss.item()), len(t))
                with torch.no_grad():
                    step = {"loss": loss, "y_pred": self.frames.rows_of(self.infer(t))}
                self.notify("on_batch_end", batch=told, training=False, **step)
        return rows.in_units_of_X(mean.value())

    def _loss_of_new(self, t, target, penalized: bool) -> Tensor:
        """Return the mean loss of a batch that is not trained on."""
        if penalized and not self.criterion_.is_mean_of_rows:
            with torch.no_grad():
                return as_wide(self.batch_loss(t, target)[0])
        with torch.inference_mode():
            of_rows = as_wide(self.row_losses(t, target))
            weight = 1.0 if target.weight is None else target.weight
            loss = (of_rows * weight).mean()
        if penalized and self.penalties_:
            with torch.no_grad():
                loss = loss + self.penalty(self.pass_through(t, target))
        return loss

    @property
    def is_of_reconstruction(self) -> bool:
        """Whether the loss is that of the reconstruction alone, as PCA's is."""
        return self.criterion_.is_mean_of_rows and not self.penalties_

    def _note_batch(self, prefix: str, loss: float, size: int) -> None:
        self.history.record_batch(f"{prefix}_loss", loss)
        self.history.record_batch(f"{prefix}_batch_size", size)

    def begin_training(self, plan: Plan, n_batches: int) -> None:
        """Get ready for the steps of a plan, of so many batches an epoch."""
        self.processes_.equalize(self.state())
        self.lr = plan.lr
        self.set_schedule(plan.lr_schedule, plan.n_epochs * n_batches)
        self.average_ = WeightAverage(self.parameters()) if plan.averages else None
        self.clip_ = GradientClip(self.parameters()) if plan.clips else None
        self.steps_ = self.pieces_ = None

    def set_schedule(self, name: str, n_steps: int) -> None:
        """Set the schedule of the learning rate for the next `n_steps` steps."""
        own_callbacks.check_schedule(name, self.callbacks_)
        for group in self.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] = self.lr
        # As numbers of Python, which a checkpoint of the optimizer can be loaded with.
        self.rates_ = iter(one_cycle(n_steps).tolist()) if name == "one_cycle" else None

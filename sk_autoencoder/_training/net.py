"""The skorch net that trains an autoencoder: its batches, its losses, its epochs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog
from skorch.utils import to_tensor

from sk_autoencoder._model.bound import Variational
from sk_autoencoder._nn.bottlenecks import Prefixes, first
from sk_autoencoder._nn.losses import Target
from sk_autoencoder._training._steps.adam import quick_step
from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.backprop import Backprop, is_plain
from sk_autoencoder._training._steps.schedule import one_cycle
from sk_autoencoder._training.own_callbacks import OWN_CALLBACKS, check_monitors, check_schedule
from sk_autoencoder._training.own_parts import check_made_module, check_made_optimizer, making


class Pass(NamedTuple):
    """A batch on its way through the module, as penalties see it.

    `z` is what the encoder gives, before nested components shorten it or noise is added to it.
    """

    t: torch.Tensor  # (batch, n_inputs)
    z: torch.Tensor  # (batch, n_components)
    reconstruction: torch.Tensor  # (batch, n_inputs)
    target: Target
    divergence: torch.Tensor | None = None  # (batch,), of variational codes


Penalty = Callable[[Any, Pass], torch.Tensor]  # of the module and a batch, a number


class AutoencoderNet(NeuralNet):
    """A skorch `NeuralNet` whose target is its input.

    It is given a pair of `Rows`, the training and the validation part (or None), where
    skorch takes X. Losses in `history` are in the units of X. `sizes` are those of the code
    that are validated, one unless components are nested; `prefixes` shortens codes in
    training, None where they are not nested. `penalties`, each with its weight, are added to
    the loss of a batch; a weight counts `unit_loss`, the loss of the mean of X alone.
    `variational` draws codes around those of the encoder, and makes the loss a bound. Above
    `largest_loss` a fit has diverged. Gradients are those of the loss times `gradient_factor`.
    In training the module computes in `autocast_dtype`,
    None for that of its weights, and by `compiled_` methods where there are any.
    """

    prefixes: Prefixes | None = None
    penalties: tuple[tuple[float, Penalty], ...] = ()
    variational: Variational | None = None
    unit_loss: float = 1.0
    gradient_factor: float = 1.0
    sizes: tuple[int, ...] = ()
    largest_loss = math.inf
    autocast_dtype: torch.dtype | None = None
    compiled_: tuple[Callable, Callable] | None = None
    rates_: Iterator[float] | None = None
    average_: WeightAverage | None = None
    stop_asked_ = False

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def get_split_datasets(self, X, y=None, **fit_params):
        return X

    def initialize_module(self):
        """Make the module, and say what is wrong where that fails or gives no autoencoder."""
        with making("module", self.module, self.get_params_for("module")):
            super().initialize_module()
        check_made_module(self.module_, self.module)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Make the optimizer, and say what is wrong where that fails or gives none."""
        given = {"parameters", *self.get_params_for_optimizer("optimizer", [])[1]}
        with making("optimizer", self.optimizer, given):
            super().initialize_optimizer(*args, **kwargs)
        parameters = [parameter for _, parameter in self.get_all_learnable_params()]
        check_made_optimizer(self.optimizer_, self.optimizer, parameters)
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Try a loss of the user's, before an epoch of it is lost."""
        super().on_train_begin(net, X=X, y=y, **kwargs)
        if callable(self.criterion_.loss) and X is not None:
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
            check_monitors(self.callbacks_)
        self.stop_asked_ = False
        self.fit_loop(rows, epochs=1)
        return self.stop_asked_

    def notify(self, method_name, **cb_kwargs):
        """Call a hook of all callbacks, of those behind one that asks to stop as well.

        skorch's `EarlyStopping` asks by raising what Ctrl-C raises; only the former ends here.
        Of a batch callbacks are given input and target, as skorch has it: two tensors.
        """
        if "batch" in cb_kwargs:
            t, target = cb_kwargs["batch"]
            cb_kwargs["batch"] = t, target.rows
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

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, y_true)

    def pass_through(self, t, target) -> Pass:
        """Send a batch through the module."""
        if self.autocast_dtype is None or not self.module_.training:
            z, divergence, reconstruction = self._round_trip(t)
        else:
            # The weights stay in float32, and so does the loss.
            with torch.autocast(torch.device(self.device).type, self.autocast_dtype):
                z, divergence, reconstruction = self._round_trip(t)
            z, reconstruction = z.float(), reconstruction.float()
        return Pass(t, z, reconstruction, target, divergence)

    def _round_trip(self, t: torch.Tensor) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Codes, their divergence and reconstructions of a batch; in training codes may change."""
        encode, decode = self.compiled_ or (self.module_.encode, self.module_.decode)
        z = encode(t)
        if self.variational is not None:
            code, divergence = self.variational.draw(self.module_, t, z)
            return z, divergence, decode(code)
        if self.prefixes is not None and self.module_.training:
            return z, None, decode(self.prefixes.shorten(z))
        return z, None, decode(z)

    def compile_module(self) -> None:
        """Let torch compile the module for the training to come."""
        # Batches differ by a row, for which nothing is to be compiled anew.
        encode, decode = self.module_.encode, self.module_.decode
        self.compiled_ = torch.compile(encode, dynamic=True), torch.compile(decode, dynamic=True)

    def batch_loss(self, t, target) -> tuple[torch.Tensor, Pass]:
        """Give what a training step makes small: the loss of a batch, and its penalties."""
        batch = self.pass_through(t, target)
        loss = self.criterion_(batch.reconstruction, target)
        if self.variational is not None:
            loss = self.variational.bound(loss, batch.divergence, target.weight)
        return (loss + self.penalty(batch) if self.penalties else loss), batch

    def penalty(self, batch: Pass) -> torch.Tensor:
        """Sum of the penalties of a batch, by their weights."""
        terms = [weight * penalty(self.module_, batch) for weight, penalty in self.penalties]
        return self.unit_loss * torch.stack(terms).sum()

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of a batch, as skorch's own method does."""
        self._set_training(True)
        loss, passed = self.batch_loss(*batch)
        self._backward(loss)
        return {"loss": loss, "y_pred": passed.reconstruction}

    def row_losses(self, t, target) -> torch.Tensor:
        """Loss of each row with the present weights, of shape (batch,).

        Where components are nested, it is the mean over several sizes of the code.
        """
        z = self.module_.encode(t)
        codes = [z] if self.prefixes is None else [first(z, size) for size in self.sizes]
        losses = [self.criterion_.rows(self.module_.decode(code), target) for code in codes]
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
        if training and not loss <= self.largest_loss:
            raise ValueError(
                f"The fit diverged in epoch {self.history[-1, 'epoch']}: its mean training loss "
                f"is {loss:.3g}. Lower lr, which is {self.lr:g}, or choose another optimizer or "
                "activation; if it goes on from another fit, pass rows in the units of that."
            )
        self._record(f"{prefix}_loss", loss)

    def _check_trainable(self) -> None:
        """Refuse to train for an epoch in which callbacks have frozen all parameters."""
        if not any(p.requires_grad for _, p in self.get_all_learnable_params()):
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
        return any(name not in OWN_CALLBACKS for name, _ in self.callbacks_)

    @torch.enable_grad()  # whatever the caller has set
    def _train(self, iterator) -> float:
        """Take a step on each batch, with nothing in between; the loss is read once at the end."""
        self._set_training(True)
        plain = self._is_plain()
        gradients = Backprop(self.module_, self.autocast_dtype) if plain else self._gradients
        take_step, average = quick_step(self.optimizer_), self.average_
        mean = _Mean(self.device)
        for t, target in iterator:
            mean.add(gradients(t, target), len(t))
            self._next_lr()
            take_step()
            if average is not None:
                average.update()
        return mean.value()

    def _gradients(self, t, target) -> torch.Tensor:
        """Compute the gradients of a batch, and give its loss."""
        self.optimizer_.zero_grad()
        loss, _ = self.batch_loss(t, target)
        self._backward(loss)
        return loss.detach()

    def _backward(self, loss: torch.Tensor) -> None:
        """Compute the gradients of a loss, in numbers whose squares optimizers can sum."""
        (loss if self.gradient_factor == 1.0 else loss * self.gradient_factor).backward()

    def _is_plain(self) -> bool:
        """Whether the loss is the squared error of a plain stack, and nothing besides."""
        others = self.prefixes, self.penalties, self.variational, self.compiled_
        if any(others) or self.criterion_.output is not None:
            return False
        frozen = any(not parameter.requires_grad for parameter in self.module_.parameters())
        return not frozen and is_plain(self.module_)

    def _train_watched(self, iterator, step_fn) -> float:
        """Take skorch's steps, each of them noted and told to callbacks."""
        mean = _Mean(self.device)
        for batch in iterator:
            self._next_lr()
            self.notify("on_batch_begin", batch=batch, training=True)
            step = step_fn(batch)
            if self.average_ is not None:
                self.average_.update()
            loss, size = step["loss"].detach(), len(batch[0])
            mean.add(loss, size)
            self._note_batch("train", iterator.dataset.in_units_of_X(loss.item()), size)
            self.notify("on_batch_end", batch=batch, training=True, **step)
        return mean.value()

    def loss(self, rows, *, watched=False, penalized=True) -> float:
        """Mean loss of the present weights on a `Rows`, in the units of X.

        Unless `penalized`, it is that of the reconstruction alone.
        """
        self._set_training(False)
        mean = _Mean(self.device)
        for t, target in self.get_iterator(rows, training=False):
            if watched:
                self.notify("on_batch_begin", batch=(t, target), training=False)
            loss = self._loss_of_new(t, target, penalized)
            mean.add(loss, len(t))
            if watched:
                self._note_batch("valid", rows.in_units_of_X(loss.item()), len(t))
                step = {"loss": loss, "y_pred": self.evaluation_step((t, target))}
                self.notify("on_batch_end", batch=(t, target), training=False, **step)
        return rows.in_units_of_X(mean.value())

    def _loss_of_new(self, t, target, penalized: bool) -> torch.Tensor:
        """Mean loss of a batch that is not trained on."""
        if penalized and self.variational is not None:
            with torch.no_grad():
                return self.batch_loss(t, target)[0].double()
        with torch.inference_mode():
            of_rows = self.row_losses(t, target).double()
            weight = 1.0 if target.weight is None else target.weight
            loss = (of_rows * weight).mean()
        if penalized and self.penalties:
            with torch.no_grad():
                loss = loss + self.penalty(self.pass_through(t, target))
        return loss

    @property
    def is_of_reconstruction(self) -> bool:
        """Whether the loss is that of the reconstruction alone, as PCA's is."""
        return self.variational is None and not self.penalties

    def _note_batch(self, prefix: str, loss: float, size: int) -> None:
        self.history.record_batch(f"{prefix}_loss", loss)
        self.history.record_batch(f"{prefix}_batch_size", size)

    def twin(self, **others) -> AutoencoderNet:
        """Give a net with the same attributes but for some; `copy` would pickle the module."""
        twin = object.__new__(type(self))
        twin.__dict__ |= vars(self) | others
        return twin

    def as_if_stopped(self, dtype: torch.dtype) -> AutoencoderNet:
        """Give a net for inference with the weights that a stop after this epoch would keep."""
        twin = self.twin(callbacks_=[], module_=copy.deepcopy(self.module_))
        best = dict(self.callbacks_).get("best_epoch")
        if best is not None:
            twin.module_.load_state_dict(best.weights_)
        twin.rest(dtype)
        return twin

    def rest(self, dtype: torch.dtype) -> None:
        """End training: inference mode, in the dtype of X, without a schedule."""
        self._forget_training()
        self.module_.eval().to(dtype)

    def _forget_training(self) -> None:
        """Leave nothing of what only a training needs."""
        self.rates_ = self.average_ = self.compiled_ = self.autocast_dtype = None

    def schedule(self, name: str, n_steps: int) -> None:
        """Set the course of the learning rate for the next `n_steps` steps."""
        check_schedule(name, self.callbacks_)
        for group in self.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] = self.lr
        # As numbers of Python, which a checkpoint of the optimizer can be loaded with.
        self.rates_ = iter(one_cycle(n_steps).tolist()) if name == "one_cycle" else None

    def _next_lr(self) -> None:
        if self.rates_ is None:
            return
        factor = next(self.rates_)
        for group in self.optimizer_.param_groups:
            group["lr"] = factor * group["initial_lr"]

    def generators(self) -> list[torch.Generator]:
        """Return what a training draws from, beside the order of its rows."""
        parts = self.prefixes, self.variational, *(penalty for _, penalty in self.penalties)
        found = (getattr(part, "generator", None) for part in parts)
        return [generator for generator in found if generator is not None]

    @contextmanager
    def unchanged_on_error(self, *generators: torch.Generator) -> Iterator[None]:
        """Bring weights, optimizer, history and generators back where the block raises.

        `generators` are those that are not the net's own.
        """
        drawn_from = [*self.generators(), *generators]
        drawn = [generator.get_state() for generator in drawn_from]
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
            for generator, state in zip(drawn_from, drawn, strict=True):
                generator.set_state(state)
            self._forget_training()
            del self.history[n_epochs:]
            raise


class _Mean:
    """Mean loss of the rows of batches, summed where the losses are.

    No loss is kept: each would pin the memory beside it, which then grows with every step.
    """

    def __init__(self, device):
        self.total = torch.zeros((), dtype=torch.float64, device=device)
        self.n_rows = 0

    @torch.no_grad()
    def add(self, loss: torch.Tensor, n_rows: int) -> None:
        self.total.add_(loss, alpha=n_rows)
        self.n_rows += n_rows

    def value(self) -> float:
        return self.total.item() / self.n_rows


def _has_lost_patience(callback: Callback) -> bool:
    """Whether a callback is skorch's early stopping, and has just asked to stop."""
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience

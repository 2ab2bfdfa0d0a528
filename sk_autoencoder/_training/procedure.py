"""The training of a net: its epochs, and which of them to keep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from skorch.callbacks import EarlyStopping
from skorch.utils import noop

from sk_autoencoder._nn.frames import torch_dtype
from sk_autoencoder._training import selection as _evidence
from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.precision import choose_precision, tf32
from sk_autoencoder._training.baseline import pca_and_mean, pca_of_corrupted
from sk_autoencoder._training.batches import Rows
from sk_autoencoder._training.best_epoch import BestEpoch
from sk_autoencoder._training.corruption import CorruptedRows
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.pretraining import pretrain_layerwise
from sk_autoencoder._training.selection import Gains, Kept, gains_over_pca
from sk_autoencoder._training.setup import local_torch_generator, starts_at_pca
from sk_autoencoder._training.split import Part
from sk_autoencoder._utils.copies import count_distinct
from sk_autoencoder._utils.threads import enough_threads
from sk_autoencoder._validation import Data, check_callbacks

LARGEST_REFIT = 2000

BATCHES_PER_EPOCH = 16
BATCH_SIZES = (16, 256)
AUTO_STEPS = 4000
AUTO_EPOCHS = (12, 400)

# Times the loss of the mean of X.
BLOWN_UP = 1e6

# Of the mean of X. Of others the gradients vanish beside Adam's epsilon, or have squares that
# float32 does not hold.
ORDINARY_LOSSES = (1e-4, 1e4)


@dataclass(frozen=True)
class Course:
    """How long to train, and how.

    `n_epochs` is the length of the schedule of the learning rate; training may be told to
    end after `last` epochs of it. `averages` says whether weights are averaged.
    """

    n_epochs: int
    batch_size: int
    lr_schedule: str
    averages: bool
    last: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What was kept of a training with validation rows, and whether a callback stopped it."""

    kept: Kept | None
    stopped: bool


def plan(estimator, train: np.ndarray, valid: Part | None) -> Course:
    """Give the course of a fit on the training rows.

    It has no epochs where nothing is there to learn: where X is constant, or where early
    stopping is asked for and PCA with so many components needs all rows.
    """
    n_rows = len(train)
    batch_size = _batch_size(estimator, n_rows)
    n_epochs = estimator.max_epochs
    if n_epochs == "auto":
        least, most = AUTO_EPOCHS
        n_batches = math.ceil(n_rows / batch_size)
        n_epochs = min(max(math.ceil(AUTO_STEPS / n_batches), least), most)
    if estimator._axes.constant or (estimator.early_stopping and valid is None):
        n_epochs = 0
    # The statistics of batch normalization are not those of averaged weights.
    averages = estimator.average and estimator.module is None
    averages = averages and estimator.normalization != "batch"
    return Course(n_epochs, batch_size, estimator.lr_schedule, averages)


def plan_one_epoch(estimator, n_rows: int) -> Course:
    """Give the course of a single epoch at a constant learning rate."""
    return Course(1, _batch_size(estimator, n_rows), "constant", averages=False)


def trains_again(estimator, data: Data) -> bool:
    """Whether to train again, to confirm a gain over PCA and on all rows.

    Callbacks of skorch watch one training, and a warm start goes on from its validated
    weights, so that with either there is no second one.
    """
    if estimator.callbacks or estimator.warm_start:
        return False
    if estimator.refit != "auto":
        return bool(estimator.refit)
    return count_distinct(data.copies, np.arange(len(data))) < LARGEST_REFIT


def yardstick(estimator, data: Data, index: np.ndarray) -> tuple[float, float]:
    """Mean loss of some rows, corrupted if asked for, with PCA, and with the mean alone."""
    net = estimator.net_
    fill = estimator._coordinates.fill
    pca, mean = pca_and_mean(estimator._axes, data, index, net.criterion_, net.sizes, fill)
    return pca if estimator._noise is None else _corrupted_pca(estimator, data, index), mean


def _corrupted_pca(estimator, data: Data, index: np.ndarray) -> float:
    """Mean loss of PCA of corrupted rows: the yardstick of denoising."""
    rows = _rows(estimator, data, index, fixed=True)
    assert isinstance(rows, CorruptedRows)
    return pca_of_corrupted(estimator._axes, rows, estimator.net_.sizes)


def pretrain(estimator, data: Data, index: np.ndarray, rng) -> None:
    """Train the layers of a net that starts from random weights one by one."""
    rows = Rows(data.X, index, estimator._coordinates, estimator.net_.criterion_, data.weight)
    batch_size, seed = _batch_size(estimator, len(index)), int(rng.randint(2**31))
    with _quick_products(estimator, batch_size):
        pretrain_layerwise(estimator.net_.module_, rows, batch_size, seed)


def set_bounds(estimator, data: Data, index: np.ndarray) -> float:
    """Tell the net how large its losses can be; give the loss of PCA on these rows.

    That is the loss of the mean of X, which penalties count in, and one that none exceeds
    unless the fit diverges.
    """
    net, axes, coordinates = estimator.net_, estimator._axes, estimator._coordinates
    if net.criterion_.output is None:
        pca = float(np.mean([axes.leading(size).training_loss() for size in net.sizes]))
        mean = axes.total_variance / axes.n_features
        if estimator._noise is not None:
            pca = _corrupted_pca(estimator, data, index)
    else:
        pca, mean = yardstick(estimator, data, index)
    net.unit_loss = mean if net.criterion_.output is not None else mean / coordinates.unit
    net.gradient_factor = _gradient_factor(net)
    net.largest_loss = BLOWN_UP * max(mean, coordinates.mean_square * coordinates.unit)
    return pca if net.variational is None else start_loss(estimator, data, index)


def _gradient_factor(net: AutoencoderNet) -> float:
    """Return a power of two that makes the loss ordinary, 1 where it is: it rounds nothing."""
    least, most = ORDINARY_LOSSES
    unit = net.unit_loss
    if net.criterion_.output is None or not 0 < unit < math.inf or least <= unit <= most:
        return 1.0
    return 2.0 ** -round(math.log2(unit))


def start_loss(estimator, data: Data, index: np.ndarray) -> float:
    """Mean loss of some rows before the first step, with all that counts in it."""
    net, rows = estimator.net_, _rows(estimator, data, index, fixed=True)
    net.module_.float()
    _set_tail(net, rows)
    loss = net.loss(rows)
    net.rest(estimator._coordinates.dtype)
    return loss


def _set_tail(net: AutoencoderNet, rows: Rows | CorruptedRows | None) -> None:
    """Tell a bound what lies outside of the coordinates: what the least loss becomes in X."""
    if net.variational is not None and rows is not None:
        least = rows.in_units_of_X(0.0)
        net.variational.tail = least / (rows.in_units_of_X(1.0) - least)


def train(
    estimator, part: Part, valid: Part | None, course: Course, start_epoch: int, task
) -> Outcome:
    """Train the estimator's net on a part of some data; keep the best epoch for another, if any.

    Each epoch is a subtask of `task`.
    """
    net = estimator.net_
    rows = (
        _rows(estimator, *part, fixed=False),
        None if valid is None else _rows(estimator, *valid, fixed=True),
    )
    noise = estimator._noise
    generators = () if noise is None else (noise.draws.generator,)
    with net.unchanged_on_error(*generators), _quick_products(estimator, course.batch_size):
        net.module_.float()
        _set_tail(net, rows[0])
        if estimator.compile:
            net.compile_module()
        net.batch_size, net.lr = course.batch_size, estimator.lr
        net.verbose = int(estimator.verbose) if course.last is None else 0
        best = None if rows[1] is None else BestEpoch(start_epoch, net.loss(rows[1]))
        net.callbacks = _callbacks(estimator, best)
        net.initialize_callbacks()
        net.schedule(
            course.lr_schedule, course.n_epochs * len(net.get_iterator(rows[0], training=True))
        )
        net.average_ = WeightAverage(net.module_) if course.averages else None
        seed = int(net.iterator_train__rng.randint(2**31))
        with local_torch_generator(estimator, seed, net.device):
            stopped = _run_epochs(estimator, rows, course, part.data, task)
        kept = None
        if best is not None and valid is not None:
            kept = _keep(estimator, valid, rows[1], best, start_epoch)
        net.rest(estimator._coordinates.dtype)
    return Outcome(kept, stopped)


def _run_epochs(estimator, rows, course: Course, data: Data, task) -> bool:
    """Train epoch by epoch, each of them a task for the callbacks of scikit-learn.

    True where one of these asks to stop.
    """
    net = estimator.net_
    stopped = False
    net.notify("on_train_begin", X=rows, y=None)
    for _ in range(course.n_epochs if course.last is None else course.last):
        epoch = task.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=estimator, X=data.X, y=data.y)
        patience_lost = net.fit_epoch(rows)
        stopped = epoch.call_on_fit_task_end(
            estimator=estimator,
            X=data.X,
            y=data.y,
            reconstruction_attributes=lambda: {
                "net_": net.as_if_stopped(estimator._coordinates.dtype)
            },
        )
        if stopped or patience_lost:
            break
    net.notify("on_train_end", X=rows, y=None)
    return stopped


def _keep(estimator, part: Part, rows, best: BestEpoch, start_epoch: int) -> Kept:
    """Keep the best epoch, or PCA where a start there is not told from it.

    `rows` are those of `part`, which judge. With penalties or a bound the epochs are not
    compared with PCA, which does not make those small.
    """
    if not estimator.net_.is_of_reconstruction:
        return Kept(best.epoch_, estimator.net_.loss(rows, penalized=False))
    if start_epoch > 0 or not starts_at_pca(estimator):
        return Kept(best.epoch_, best.loss_)
    gains = _gains(estimator, part, rows)
    kept = Kept(best.epoch_, best.loss_, gains)
    if (
        gains.of_each.mean() > 0
        if _evidence.is_unsettled(kept)
        else _evidence.better_than_chance(gains)
    ):
        return kept
    return Kept(0, best.loss, gains)


def gains_of(estimator, part: Part) -> Gains:
    """Return what the net saves of PCA's loss on the rows of a part."""
    estimator.net_.module_.float()
    gains = _gains(estimator, part, _rows(estimator, *part, fixed=True))
    estimator.net_.rest(estimator._coordinates.dtype)
    return gains


def _gains(estimator, part: Part, rows) -> Gains:
    data, index = part
    numbers = (None if each is None else each[index] for each in (data.copies, data.groups))
    return Gains.of_rows(gains_over_pca(estimator.net_, rows), *numbers)


def _rows(estimator, data: Data, index: np.ndarray, *, fixed: bool) -> Rows | CorruptedRows:
    """Give rows of X in the network's coordinates, whatever dtype these had in the first fit.

    Where they are corrupted, `fixed` rows are so in the same way each time.
    """
    coordinates = estimator._coordinates
    if coordinates.dtype != torch_dtype(data.X.dtype):
        coordinates = coordinates.astype(torch_dtype(data.X.dtype))
    rows = Rows(data.X, index, coordinates, estimator.net_.criterion_, data.weight, data.known)
    return rows if estimator._noise is None else CorruptedRows(rows, estimator._noise, fixed=fixed)


def _callbacks(estimator, best: BestEpoch | None) -> list:
    """Give skorch's callbacks: with validation rows ours, and always the user's."""
    own: list = []
    if best is not None:
        patience = EarlyStopping(
            patience=estimator.n_iter_no_change,
            threshold=estimator.tol,
            sink=print if estimator.verbose else noop,
        )
        own = [("best_epoch", best), ("early_stopping", patience)]
    return own + check_callbacks(estimator.callbacks)


def _batch_size(estimator, n_rows: int) -> int:
    """Give the batch size asked for, or the power of two that gives some 16 batches an epoch."""
    if estimator.batch_size != "auto":
        size = min(estimator.batch_size, n_rows)
    else:
        least, most = BATCH_SIZES
        size = min(max(2 ** round(math.log2(n_rows / BATCHES_PER_EPOCH)), least), most)
    if estimator.normalization == "batch" and n_rows // math.ceil(n_rows / size) < 2:
        raise ValueError(
            f"normalization='batch' needs two rows in each batch, but {n_rows} rows in batches of "
            f"at most {size} leave one alone. Raise batch_size, pass more rows, or use "
            "normalization='layer'."
        )
    return size


@contextmanager
def _quick_products(estimator, batch_size: int) -> Iterator[None]:
    """Multiply in the precision and with the threads that suit the batches of a training."""
    net = estimator.net_
    n_products = batch_size * sum(weight.numel() for weight in net.module_.parameters())
    left = estimator._axes.share_left()
    precision = choose_precision(estimator.precision, torch.device(net.device), left, n_products)
    net.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None
    with tf32(precision == "tf32"), enough_threads(n_products):
        yield

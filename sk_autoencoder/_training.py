"""The training of a net: the rows set aside, the epochs, and which of them to keep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from numbers import Integral

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from skorch.callbacks import EarlyStopping
from skorch.utils import noop
from threadpoolctl import ThreadpoolController

from sk_autoencoder import _evidence
from sk_autoencoder._averaging import WeightAverage
from sk_autoencoder._batches import Rows
from sk_autoencoder._best_epoch import BestEpoch
from sk_autoencoder._combinations import gives_wide_codes_meaning
from sk_autoencoder._coordinates import torch_dtype
from sk_autoencoder._corruption import CorruptedRows
from sk_autoencoder._evidence import ENOUGH_ROWS, Kept, gains_over_pca
from sk_autoencoder._net import AutoencoderNet
from sk_autoencoder._precision import choose_precision, tf32
from sk_autoencoder._pretraining import pretrain_layerwise
from sk_autoencoder._start import local_torch_generator, starts_at_pca
from sk_autoencoder._supervised import strata
from sk_autoencoder._validation import Data, check_callbacks, rows_with_known_cells
from sk_autoencoder._yardstick import pca_and_mean, pca_of_corrupted

VALIDATION_FRACTION = 0.1
LARGEST_VALIDATION_FRACTION = 1 / 3
LARGEST_REFIT = 2000

BATCHES_PER_EPOCH = 16
BATCH_SIZES = (16, 256)
AUTO_STEPS = 4000
AUTO_EPOCHS = (12, 400)

# Times the loss of the mean of X.
BLOWN_UP = 1e6

# Multiplications in a batch below which a second thread costs more than it gives.
THREADED_BATCH = 2**25


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


def split_rows(estimator, data: Data, rng) -> tuple[np.ndarray, np.ndarray | None]:
    """Give the indices of the training rows and, for early stopping, of the validation rows.

    Of supervised classes both have the same shares. A start at PCA needs more training rows
    than components: with fewer, PCA reconstructs them exactly, and no row is set aside, unless
    more than that is asked for.
    """
    everything, rows = np.arange(len(data)), rows_with_known_cells(data)
    n_samples = len(rows)
    if not estimator.early_stopping or n_samples < 2:
        return everything, None
    fraction = estimator.validation_fraction
    if fraction == "auto":
        wanted = max(VALIDATION_FRACTION, ENOUGH_ROWS / n_samples)
        fraction = min(wanted, LARGEST_VALIDATION_FRACTION)
    n_valid = math.ceil(fraction * n_samples)
    if n_valid == n_samples:
        raise ValueError(
            f"validation_fraction={fraction} leaves none of the {n_samples} rows to train on. "
            "Lower validation_fraction, or set early_stopping=False."
        )
    classes = strata(estimator, data, rows, min(n_valid, n_samples - n_valid))
    train, valid = train_test_split(rows, test_size=n_valid, random_state=rng, stratify=classes)
    share = not isinstance(estimator.n_components, Integral)
    may_copy = starts_at_pca(estimator) and not gives_wide_codes_meaning(estimator)
    if may_copy and not share and len(train) <= estimator.n_components:
        return everything, None
    return np.sort(train), np.sort(valid)


def plan(estimator, train: np.ndarray, valid: np.ndarray | None) -> Course:
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


def refits(estimator, n_samples: int) -> bool:
    """Whether to train again on all rows, the validation rows among them.

    Callbacks of skorch watch one training, and a warm start goes on from its validated
    weights, so that with either there is no second one.
    """
    if estimator.callbacks or estimator.warm_start:
        return False
    return n_samples < LARGEST_REFIT if estimator.refit == "auto" else bool(estimator.refit)


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
    net.largest_loss = BLOWN_UP * max(mean, coordinates.mean_square * coordinates.unit)
    return pca if net.variational is None else start_loss(estimator, data, index)


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


def train(estimator, data: Data, parts, course: Course, start_epoch: int, task) -> Outcome:
    """Train the estimator's net on the training part of the data; keep its best epoch, if any.

    `parts` holds the indices of the training and of the validation rows, or None for these.
    Each epoch is a subtask of `task`.
    """
    net = estimator.net_
    rows = tuple(
        None if index is None else _rows(estimator, data, index, fixed=is_valid)
        for index, is_valid in zip(parts, (False, True), strict=True)
    )
    with net.unchanged_on_error(), _quick_products(estimator, course.batch_size):
        net.module_.float()
        _set_tail(net, rows[0])
        if estimator.compile:
            net.compile_module()
        net.batch_size, net.lr = course.batch_size, estimator.lr
        net.verbose = int(estimator.verbose) if course.last is None else 0
        valid = rows[1]
        best = None if valid is None else BestEpoch(start_epoch, net.loss(valid))
        net.callbacks = _callbacks(estimator, best)
        net.initialize_callbacks()
        net.schedule(
            course.lr_schedule, course.n_epochs * len(net.get_iterator(rows[0], training=True))
        )
        net.average_ = WeightAverage(net.module_) if course.averages else None
        seed = int(net.iterator_train__rng.randint(2**31))
        with local_torch_generator(estimator, seed, net.device):
            stopped = _run_epochs(estimator, rows, course, data, task)
        kept = None
        if best is not None and valid is not None:
            kept = _keep(estimator, valid, best, start_epoch)
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


def _keep(estimator, rows: Rows | CorruptedRows, best: BestEpoch, start_epoch: int) -> Kept:
    """Keep the best epoch, or PCA where a start there is not told from it.

    With penalties or a bound the epochs are not compared with PCA, which does not make those small.
    """
    if not estimator.net_.is_of_reconstruction:
        return Kept(best.epoch_, estimator.net_.loss(rows, penalized=False))
    if start_epoch > 0 or not starts_at_pca(estimator):
        return Kept(best.epoch_, best.loss_)
    gains = gains_over_pca(estimator.net_, rows)
    kept = Kept(best.epoch_, best.loss_, gains)
    if gains.mean() > 0 if _evidence.is_unsettled(kept) else _evidence.better_than_chance(gains):
        return kept
    return Kept(0, best.loss, gains)


def gains_of_rows(estimator, data: Data, index: np.ndarray) -> np.ndarray:
    """Give what the net saves of PCA's loss on each of the rows."""
    net = estimator.net_
    net.module_.float()
    gains = gains_over_pca(net, _rows(estimator, data, index, fixed=True))
    net.rest(estimator._coordinates.dtype)
    return gains


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
    with tf32(precision == "tf32"), _enough_threads(n_products):
        yield


@contextmanager
def _enough_threads(n_products: int) -> Iterator[None]:
    """Leave small batches to one thread: waiting for a second would take most of the time.

    OpenMP, which torch runs on, counts its threads for each calling thread apart, so that
    fits in other threads and the pools of NumPy stay as they are.
    """
    if n_products >= THREADED_BATCH:
        yield
        return
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    """Find the OpenMP pools of the process once, since that takes milliseconds."""
    return ThreadpoolController().select(user_api="openmp")

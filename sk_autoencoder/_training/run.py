"""A training: its epochs, and which of them to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skorch.callbacks import EarlyStopping
from skorch.utils import noop

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._training import selection
from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training.best_epoch import BestEpoch
from sk_autoencoder._training.devices import local_torch_generator
from sk_autoencoder._training.own_callbacks import check_callbacks
from sk_autoencoder._training.plan import Plan, quick_products
from sk_autoencoder._training.selection import Kept
from sk_autoencoder._training.setup import Setup


@dataclass(frozen=True)
class Run:
    """A training that has ended.

    `kept` tells which epoch the rows that judge have chosen, None where none do. `stopped` tells
    whether a callback of scikit-learn has asked for the end, and `epochs` what each recorded.
    """

    setup: Setup
    kept: Kept | None
    stopped: bool
    epochs: tuple[dict, ...]

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights the net has; 0 is the start."""
        return len(self.setup.net.history) if self.kept is None else self.kept.epoch


@dataclass(frozen=True)
class Course:
    """What a run goes through: its rows, those that judge, its plan, and where it starts from."""

    train: Data
    held_out: Data | None
    plan: Plan
    start_epoch: int = 0


def run(setup: Setup, course: Course, task: Any) -> Run:
    """Train the net of a setup; keep the best epoch, where rows judge.

    Each epoch is a subtask of `task`, of which callbacks are told.
    """
    net, config, plan = setup.net, setup.config, course.plan
    n_before = len(net.history)
    rows = (
        setup.rows(course.train, fixed=False),
        None if course.held_out is None else setup.rows(course.held_out, fixed=True),
    )
    with quick_products(setup, plan.batch_size):
        net.prepare_for_training()
        net.criterion_.learn_tail(rows[0])
        if config.runtime.compile:
            net.compile_module()
        net.batch_size = plan.batch_size
        net.verbose = int(config.runtime.verbose) if plan.last is None else 0
        best = None if rows[1] is None else BestEpoch(course.start_epoch, net.loss(rows[1]))
        net.callbacks = _callbacks(config, best)
        net.initialize_callbacks()
        n_batches = len(net.get_iterator(rows[0], training=True))
        net.lr = plan.lr
        net.set_schedule(plan.lr_schedule, plan.n_epochs * n_batches)
        net.average_ = WeightAverage(net.parameters()) if plan.averages else None
        net.clip_ = GradientClip(net.parameters()) if plan.clips else None
        seed = int(net.iterator_train__rng.randint(2**31))
        with local_torch_generator(config.network.has_own_module, seed, net.device):
            stopped = _run_epochs(setup, rows, plan.length, task)
        kept = None if best is None else _keep(setup, course, rows[1], best)
        net.prepare_for_inference()
    epochs = tuple(_without_batches(epoch) for epoch in net.history[n_before:])
    return Run(setup, kept, stopped, epochs)


def _run_epochs(setup: Setup, rows: tuple, n_epochs: int, task: Any) -> bool:
    """Train epoch by epoch; True where a callback of scikit-learn asks to stop."""
    net, stopped = setup.net, False
    net.notify("on_train_begin", X=rows, y=None)
    for _ in range(n_epochs):
        epoch = task.begin_epoch()
        patience_lost = net.fit_epoch(rows)
        stopped = epoch.end(setup)
        if stopped or patience_lost:
            break
    net.notify("on_train_end", X=rows, y=None)
    return stopped


def _keep(setup: Setup, course: Course, rows: Any, best: BestEpoch) -> Kept:
    """Keep the best epoch, or PCA where a start there is not told from it.

    `rows` judge. With penalties or a bound the epochs are not compared with PCA, which does not
    make those small.
    """
    net = setup.net
    if not net.is_of_reconstruction:
        return Kept(best.epoch_, net.loss(rows, penalized=False))
    if course.start_epoch > 0 or not setup.config.starts_at_pca:
        return Kept(best.epoch_, best.loss_)
    assert course.held_out is not None
    gains = selection.gains_of(net, rows, course.held_out)
    kept = Kept(best.epoch_, best.loss_, gains)
    if selection.is_unsettled(kept):
        is_better = gains.of_each.mean() > 0
    else:
        is_better = selection.better_than_chance(gains)
    return kept if is_better else Kept(0, best.loss, gains)


def _callbacks(config: Config, best: BestEpoch | None) -> list:
    """Return skorch's callbacks: with rows that judge ours, and always the user's."""
    own: list = []
    if best is not None:
        patience = EarlyStopping(
            patience=config.schedule.n_iter_no_change,
            threshold=config.schedule.tol,
            sink=print if config.runtime.verbose else noop,
        )
        own = [("best_epoch", best), ("early_stopping", patience)]
    return own + check_callbacks(config.runtime.callbacks)


def _without_batches(epoch: dict) -> dict:
    """Return a row of skorch's history without its batches and marks."""
    dropped = {"batches", "train_loss_best", "valid_loss_best"}
    return {name: value for name, value in epoch.items() if name not in dropped}

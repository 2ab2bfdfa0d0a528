"""A training: its epochs, and which of them to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skorch.callbacks import EarlyStopping
from skorch.utils import noop

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._training._steps.pace_trial import pace_of
from sk_autoencoder._training.best_epoch import BestEpoch
from sk_autoencoder._training.checkpoints import UNKEPT, Progress
from sk_autoencoder._training.evidence import PCA, JudgePoints, Line, Point, best_of, judged_epochs
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.own_callbacks import check_callbacks
from sk_autoencoder._training.plan import Plan
from sk_autoencoder._training.printing import SecondsLeft
from sk_autoencoder._training.selection import ENOUGH_ROWS
from sk_autoencoder._training.setup import Setup
from sk_autoencoder._utils.generators import local_torch_generator


@dataclass(frozen=True)
class Run:
    """A training that has ended.

    `kept` tells which epoch the rows that judge have chosen, None where none do, and `told` what
    those say that are asked of the way there. `stopped` tells whether a callback of scikit-learn
    has asked for the end, and `epochs` what each recorded.
    """

    setup: Setup
    kept: Kept | None
    stopped: bool
    epochs: tuple[dict, ...]
    told: JudgePoints | None = None

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights the net has; 0 is the start."""
        return len(self.setup.net.history) if self.kept is None else self.kept.epoch


@dataclass(frozen=True)
class Kept:
    """The epoch whose weights were kept, and its validation loss in the units of X.

    The weights were moved back to PCA by the share `shrinkage` of the way, None where they were
    not compared with PCA.
    """

    epoch: int
    shrinkage: float | None
    loss: float


@dataclass(frozen=True)
class Course:
    """What a run goes through: its rows, those that judge, its plan, and where it starts from.

    Rows that are `asked` tell of points on the way, to choose one of them later; by `held_out`
    rows the best epoch is chosen at once. `shrinkage` is the share of the way by which the last
    weights are moved back to the first ones. Of the epochs `n_as_one` are told as one.
    """

    train: Data
    held_out: Data | None
    plan: Plan
    start_epoch: int = 0
    asked: Data | None = None
    shrinkage: float = 0.0
    n_as_one: int = 1


def run(setup: Setup, course: Course, task: Any, checkpoints: Any = UNKEPT) -> Run:
    """Train the net of a setup; keep the best epoch, where rows judge.

    Each epoch is a subtask of `task`, of which callbacks are told, and that may stop the training.
    `checkpoints` keeps its state meanwhile.
    """
    net, config, plan = setup.net, setup.config, course.plan
    n_before = len(net.history)
    rows, judge = _rows(setup, course), None
    net.processes_ = course.train.processes
    with setup.quick_products(plan.batch_size):
        net.prepare_for_training()
        net.criterion_.learn_tail(rows[0])
        if config.runtime.compile:
            net.compile_module()
        net.batch_size = plan.batch_size
        net.verbose = int(config.runtime.verbose) if plan.last is None else 0
        best = None
        if rows[1] is not None:
            best = BestEpoch(course.start_epoch, net.loss(rows[1]))
        if config.compares_with_pca and course.start_epoch == 0:
            judge = _judge(setup, course, rows[1])
        net.callbacks = _callbacks(config, best, judge if course.asked is not None else None)
        if net.verbose:
            net.callbacks.append(("seconds_left", SecondsLeft(plan.length)))
        net.initialize_callbacks()
        n_batches = len(net.get_iterator(rows[0], training=True))
        net.rows_a_batch_ = course.train.n_of_all / n_batches
        net.begin_training(plan, n_batches)
        line = Line(net.parameters()) if course.shrinkage > 0 else None
        seed = int(net.iterator_train__rng.randint(2**31))
        generator = local_torch_generator(config.network.has_own_module, seed, net.device)
        with pace_of(net, rows, n_batches, plan.length):
            with generator:
                stopped = _run_epochs(setup, rows, plan.length, task, checkpoints.next_training())
            if line is not None:
                line.shrink(course.shrinkage)
            kept = None if best is None else _keep(net, rows[1], best, judge)
            kept = net.processes_.of_first(kept)
            net.processes_.equalize(net.state())
        _forget_callbacks(net)
        net.prepare_for_inference()
    epochs = tuple(_without_batches(epoch) for epoch in net.history[n_before:])
    return Run(setup, kept, stopped, epochs, None if course.asked is None else judge)


def _rows(setup: Setup, course: Course) -> tuple:
    """Return the rows that train, and those that judge each epoch, or None."""
    held_out, judges = course.held_out, None
    if held_out is not None:
        judges = setup.rows(held_out.part_of(course.train.processes), fixed=True)
    return setup.rows(course.train, fixed=False), judges


def _judge(setup: Setup, course: Course, judges: Any) -> JudgePoints | None:
    """Return what asks rows of points on the way; None where there are no such rows."""
    asked = course.held_out if course.asked is None else course.asked
    if asked is None:
        return None
    if asked is course.held_out:
        rows = judges
    else:
        rows = setup.rows(asked.part_of(course.train.processes), fixed=True)
    line, n_as_one = Line(setup.net.parameters()), course.n_as_one
    epochs = judged_epochs(course.plan.n_epochs // n_as_one)
    shrinkages = setup.config.schedule.shrinkages
    return JudgePoints(line, rows, asked, epochs=epochs, shrinkages=shrinkages, n_as_one=n_as_one)


def _run_epochs(setup: Setup, rows: tuple, n_epochs: int, task: Any, checkpoints: Any) -> bool:
    """Train epoch by epoch; True where a callback of scikit-learn, or Ctrl-C, asks to stop."""
    net = setup.net
    net.notify("on_train_begin", X=rows, y=None)
    progress = checkpoints.resume(setup, len(net.get_iterator(rows[0], training=True)))
    while not progress.ended and progress.n_epochs < n_epochs:
        epoch = task.begin_epoch()
        told = net.fit_epoch(rows), epoch.end(setup)
        patience_lost, stopped = map(any, zip(*net.processes_.of_all(told), strict=True))
        n_done = progress.n_epochs + 1
        progress = Progress(n_done, stopped or patience_lost or n_done == n_epochs, stopped)
        checkpoints.keep(setup, progress)
    net.notify("on_train_end", X=rows, y=None)
    return progress.stopped


def _keep(net: AutoencoderNet, rows: Any, best: BestEpoch, judge: JudgePoints | None) -> Kept:
    """Keep the best epoch or, where nothing shows that it is better, the start at PCA.

    `rows` judge. With penalties or a bound the epochs are not compared with PCA, which does not
    make those small. Where further rows will be asked, the choice is left to them.
    """
    if not net.is_of_reconstruction:
        return Kept(best.epoch_, None, net.loss(rows, penalized=False))
    if judge is None:
        return Kept(best.epoch_, None, best.loss_)
    if judge in dict(net.callbacks_).values():
        return Kept(best.epoch_, 0.0, best.loss_)
    judge.on_train_begin(net)
    judge.ask(net, best.epoch_)
    few = next(iter(judge.gains_.values())).n_independent < ENOUGH_ROWS
    point = best_of(judge.gains_, few=few) if best.epoch_ > 0 else PCA
    point = Point(*net.processes_.of_first(point))
    judge.line.shrink(point.shrinkage)
    if point == PCA:
        return Kept(*point, loss=best.loss)
    return Kept(*point, loss=net.loss(rows) if point.shrinkage else best.loss_)


def _callbacks(config: Config, best: BestEpoch | None, judge: JudgePoints | None) -> list:
    """Return skorch's callbacks: with rows that judge ours, and always the user's."""
    own: list = [] if judge is None else [("judge_points", judge)]
    if best is not None:
        patience = EarlyStopping(
            patience=config.schedule.n_iter_no_change,
            threshold=config.schedule.tol,
            sink=print if config.runtime.verbose else noop,
        )
        own += [("best_epoch", best), ("early_stopping", patience)]
    return own + check_callbacks(config.runtime.callbacks)


def _forget_callbacks(net: AutoencoderNet) -> None:
    """Leave out the callbacks of one training alone, of which one holds the table, and its time."""
    if (timer := dict(net.callbacks_).get("epoch_timer")) is not None:
        timer.epoch_start_time_ = None
    of_one = (JudgePoints, SecondsLeft)
    net.callbacks_ = [item for item in net.callbacks_ if not isinstance(item[1], of_one)]
    net.callbacks = [
        item
        for item in net.callbacks
        if not (isinstance(item, tuple) and isinstance(item[1], of_one))
    ]


def _without_batches(epoch: dict) -> dict:
    """Return a row of skorch's history without its batches, marks and what is only printed."""
    dropped = {"batches", "train_loss_best", "valid_loss_best", "left"}
    return {name: value for name, value in epoch.items() if name not in dropped}

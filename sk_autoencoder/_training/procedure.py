"""From data and parameters to a fitted autoencoder: the order of things."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._model.components import Moments
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._training.baseline import Baseline
from sk_autoencoder._training.evidence import PCA
from sk_autoencoder._training.finish import Facts, choose_size, finish, measure, measure_pca
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.plan import (
    Plan,
    judge_in_turn,
    make_plan,
    plan_one_epoch,
    trains_again,
)
from sk_autoencoder._training.run import Course, Kept, Run, run
from sk_autoencoder._training.setup import Setup, go_on, set_up
from sk_autoencoder._training.split import WARNED_CALLER, Split, rows_to_confirm, split_rows

# Trainings without some rows, which judge: a third of the rows in each of them.
MOST_TURNS = 3


@dataclass(frozen=True)
class Tools:
    """What all stages of a fit share: parameters, a random source, and who is told of it."""

    config: Config
    rng: np.random.RandomState
    watch: Any


@dataclass(frozen=True)
class Choice:
    """What the rows that judge have chosen: an epoch, its score, and what it explains.

    The weights were moved back to PCA by the share `shrinkage` of the way. Without such rows the
    epoch is the last one, and the scores are None. `n_judges` is the number of those rows.
    """

    epoch: int
    facts: Facts
    shrinkage: float = 0.0
    validation_score: float | None = None
    pca_validation_score: float | None = None
    n_judges: int = 0


@dataclass(frozen=True)
class Resumable:
    """What a fit that goes on needs of the one before.

    `saw_all_rows` tells whether that trained on all of its rows, and `params` holds the parameters
    that have to stay as they were. `target` is the encoder of y.
    """

    setup: Setup
    moments: Moments
    saw_all_rows: bool
    params: dict[str, str]
    target: Any


@dataclass(frozen=True)
class Training:
    """All that a fit leaves.

    `why_pca` tells why the result is PCA, where it is.
    """

    model: FittedAutoencoder
    net: AutoencoderNet
    history: pd.DataFrame
    n_iter: int
    choice: Choice
    is_pca: bool
    resumable: Resumable
    why_pca: str = ""

    @property
    def config(self) -> Config:
        """The parameters of the fit."""
        return self.resumable.setup.config


def fit_autoencoder(
    data: Data, given: Data | None, tools: Tools, previous: Training | None = None
) -> Training:
    """Train an autoencoder, and choose between an epoch of the training and PCA.

    Parameters
    ----------
    data : Data
    given : Data or None
        Rows of the user's own that judge.
    tools : Tools
    previous : Training, default=None
        A fit to go on from, which stays as it is.
    """
    config = tools.config
    setup = None if previous is None else _take_up(previous, data, given, tools)
    split = split_rows(data, given, config, tools.rng)
    setup = setup or set_up(split.train, config, tools.rng)
    baseline = None if split.held_out is None else setup.baseline(split.held_out)
    history = _first_row(setup, split, baseline) if previous is None else previous.history
    plan = make_plan(setup, len(split.train), learns=_learns(setup, split))
    # More tasks than epochs: to confirm the gain, and to train on all rows.
    task = tools.watch.begin("fit", plan.n_epochs + MOST_TURNS)
    start_epoch = previous.choice.epoch if previous is not None and setup.net.history else 0
    in_turn = split.held_out is not None and not split.is_given
    asked = split.held_out if in_turn and judge_in_turn(config, split.data) else None
    trained = run(setup, Course(split.train, split.held_out, plan, start_epoch, asked), task)
    facts = _measure(trained, split.judges, previous)
    saw_all_rows = split.held_out is None or split.is_given
    choice = _choose(trained, facts, baseline, len(split.judges))
    result = Result(trained.setup, choice, saw_all_rows)
    if trained.kept is not None and (previous is None or trained.kept.shrinkage is not None):
        result = _settle(Attempt(trained, split, plan), result, replace(tools, watch=task))
    if not config.runtime.warm_start:
        result.setup.net.forget_optimizer()
    training = _complete(result, data, _appended(history, trained), trained, None)
    if training.is_pca:
        training = replace(training, why_pca=_why_pca(training))
    task.end(training)
    return training


def fit_one_epoch(data: Data, tools: Tools, previous: Training | None = None) -> Training:
    """Train an autoencoder for one epoch on some rows, and keep the last weights.

    Parameters
    ----------
    data : Data
    tools : Tools
    previous : Training, default=None
        A fit to go on from, which stays as it is.
    """
    config = tools.config
    if previous is None:
        setup, saw_all_rows, before = set_up(data, config, tools.rng), False, None
        history = _first_row(setup, Split(data, data, None), None)
    else:
        setup = go_on(previous.resumable.setup, data, config, tools.rng)
        saw_all_rows, before = previous.resumable.saw_all_rows, previous.resumable.moments
        history = previous.history
    task = tools.watch.begin("partial_fit", 1)
    trained = run(setup, Course(data, None, plan_one_epoch(config, len(data))), task)
    facts = _measure(trained, data, previous)
    result = Result(trained.setup, _choose(trained, facts, None), saw_all_rows)
    training = _complete(result, data, _appended(history, trained), trained, before)
    task.end(training)
    return training


@dataclass(frozen=True)
class Result:
    """The network that a fit ends with, what was chosen, and whether it has seen all rows."""

    setup: Setup
    choice: Choice
    saw_all_rows: bool = False


@dataclass(frozen=True)
class Attempt:
    """A training with rows that judge, and what it takes to train again as in that."""

    run: Run
    split: Split
    plan: Plan

    @property
    def kept(self) -> Kept:
        """The epoch that the rows that judge have chosen."""
        assert self.run.kept is not None
        return self.run.kept


def _take_up(previous: Training, data: Data, given: Data | None, tools: Tools) -> Setup:
    """Return the network of a fit before, to go on with."""
    before = previous.resumable
    if tools.config.schedule.early_stopping and before.saw_all_rows and given is None:
        warnings.warn(
            "The last fit trained on all rows, so that rows set aside now are not new to "
            "the network. To go on with validation, pass X_val, or set warm_start=True "
            "before a first fit that sets rows aside.",
            UserWarning,
            stacklevel=WARNED_CALLER - 1,
        )
    return go_on(before.setup, data, tools.config, tools.rng)


def _learns(setup: Setup, split: Split) -> bool:
    """Return whether there is something to learn.

    There is nothing where X is constant, or where early stopping is asked for and PCA with so
    many components needs all rows.
    """
    needs_all = setup.config.schedule.early_stopping and split.held_out is None
    return not (setup.axes.constant or needs_all)


def _first_row(setup: Setup, split: Split, baseline: Baseline | None) -> pd.DataFrame:
    """Return the history before the first epoch."""
    row = {"epoch": 0, "train_loss": setup.loss, "dur": setup.seconds}
    history = pd.DataFrame([row])
    if split.held_out is not None and baseline is not None:
        history.insert(2, "valid_loss", setup.start_loss(split.held_out, baseline.pca))
    return history


def _appended(history: pd.DataFrame, trained: Run) -> pd.DataFrame:
    """Return a history with the epochs of a run."""
    return pd.concat([history, pd.DataFrame(trained.epochs)], ignore_index=True)


def _measure(trained: Run, judges: Data, previous: Training | None) -> Facts:
    """Return what some rows tell of a net, of as many components as are asked for.

    Their number is chosen in the first fit, and kept in those that go on from it.
    """
    facts = measure(trained.setup, judges)
    if previous is None:
        return choose_size(trained.setup, facts)
    return facts.leading(previous.model.n_components)


def _choose(trained: Run, facts: Facts, baseline: Baseline | None, n_judges: int = 0) -> Choice:
    """Return the epoch that was kept, and its scores on so many rows."""
    kept = trained.kept
    if kept is None or baseline is None:
        return Choice(trained.best_epoch, facts)
    is_pca = kept.epoch == 0 and trained.setup.config.starts_at_pca
    loss = baseline.pca if is_pca else kept.loss
    score, of_pca = (explained_variance(each, baseline.mean) for each in (loss, baseline.pca))
    shrinkage = 1.0 if is_pca else kept.shrinkage or 0.0
    return Choice(kept.epoch, facts, shrinkage, score, of_pca, n_judges)


def _settle(attempt: Attempt, result: Result, tools: Tools) -> Result:
    """Confirm that the best epoch beats PCA, and repeat on all rows what was found best.

    Where a callback stops that, the weights stay those of the training before.
    """
    data, config = attempt.split.data, tools.config
    # Rows of the user's own that judge are not trained on, and no others are asked.
    again = not attempt.split.is_given and not attempt.run.stopped and trains_again(config, data)
    choice, stopped = result.choice, False
    if again and attempt.run.told is not None:
        choice, stopped = _judge_in_turn(attempt, choice, tools)
    is_pca = choice.epoch == 0 and config.starts_at_pca
    if stopped or not (is_pca or again):
        return result
    plan = attempt.plan.until(choice.epoch)
    repeated = _repeat(attempt, Course(data, None, plan, shrinkage=choice.shrinkage), tools)
    return result if repeated.stopped else Result(repeated.setup, choice, again and not is_pca)


def _judge_in_turn(attempt: Attempt, choice: Choice, tools: Tools) -> tuple[Choice, bool]:
    """Choose a point on the way from PCA by what all rows tell, each of a net new to it.

    The net is trained anew without some rows that were not asked yet, until the gain is settled
    or none are left. Return the choice, and whether a callback asks to stop.
    """
    split, told = attempt.split, attempt.run.told
    assert told is not None
    assert split.held_out is not None
    setup, plan = attempt.run.setup, attempt.plan.until(len(attempt.run.epochs))
    evidence = told.evidence(setup.baseline(split.held_out))
    fresh, n_valid, n_judges = split.train, evidence.n_independent, choice.n_judges
    for _ in range(MOST_TURNS - 1):
        if evidence.is_settled or not evidence.gains:
            break
        others, asked = rows_to_confirm(replace(split, train=fresh), n_valid, tools.rng)
        if len(asked) == 0:
            break
        repeated = _repeat(attempt, Course(others, None, plan, asked=asked), tools)
        if repeated.stopped:
            return choice, True
        assert repeated.told is not None
        evidence += repeated.told.evidence(repeated.setup.baseline(asked))
        n_judges += len(asked)
        fresh = fresh.take(np.setdiff1d(fresh.rows, asked.rows))
    point, facts = evidence.best(), choice.facts
    if point == PCA:
        facts = choose_size(setup, measure_pca(setup, split.judges, facts))
    scores = evidence.score(point), evidence.score(PCA)
    return Choice(point.epoch, facts, point.shrinkage, *scores, n_judges), False


def _repeat(attempt: Attempt, course: Course, tools: Tools) -> Run:
    """Start anew on some rows, and train for the first epochs of the plan."""
    before, n_epochs = attempt.run.setup, course.plan.length
    # PCA of other rows may need another number of components for the same share of variance.
    keeps_width = n_epochs > 0 or tools.config.code.nested
    setup = set_up(course.train, tools.config, tools.rng, before.width if keeps_width else None)
    repeated = Run(setup, None, stopped=False, epochs=())
    if n_epochs > 0:
        task = tools.watch.begin("refit" if course.asked is None else "confirm", n_epochs)
        repeated = run(setup, course, task)
        task.end(repeated.setup)
    setup.net.prepare_for_inference()
    setup.net.history = before.net.history
    return repeated


def _complete(
    result: Result, data: Data, history: pd.DataFrame, trained: Run, before: Moments | None
) -> Training:
    """Return all that a fit leaves. `before` holds the moments of the fits that it goes on from."""
    setup, choice, config = result.setup, result.choice, result.setup.config
    model, moments = finish(setup, data, choice.facts, before)
    is_pca = choice.epoch == 0 and config.starts_at_pca
    params = config.fixed_params()
    resumable = Resumable(setup, moments, result.saw_all_rows, params, data.target)
    return Training(model, setup.net, history, len(trained.epochs), choice, is_pca, resumable)


def _why_pca(training: Training) -> str:
    """Return why the result is PCA."""
    setup = training.resumable.setup
    if training.n_iter > 0:
        losses = training.history["valid_loss"]
        if losses.min() < losses[0]:
            n_judges = training.choice.n_judges
            return f"the gain over PCA on {n_judges} validation rows may be chance"
        return "no epoch had a lower validation loss"
    if setup.axes.constant:
        return "X is constant"
    if setup.config.schedule.max_epochs == 0:
        return "max_epochs is 0"
    return "there are too few distinct rows to validate on"

"""From data and parameters to a fitted autoencoder: the order of things."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._model.components import Moments
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._training.baseline import Baseline
from sk_autoencoder._training.budget import make_plan
from sk_autoencoder._training.few_rows import are_few, is_worth_sharing
from sk_autoencoder._training.finish import Facts, choose_size, finish, measure
from sk_autoencoder._training.legend import legend
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.plan import plan_one_epoch
from sk_autoencoder._training.repeats import (
    MOST_REPEATS,
    Attempt,
    Choice,
    Result,
    Tools,
    grow,
    settle,
)
from sk_autoencoder._training.run import Course, Run, run
from sk_autoencoder._training.setup import MAX_CHOSEN, Setup, go_on, set_up
from sk_autoencoder._training.split import WARNED_CALLER, Split, split_rows
from sk_autoencoder._utils.processes import Alone

# Times one more than the components that are chosen.
WIDE = 3


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
    training = _fit(data, given, tools, previous, None)
    while previous is None and (width := _narrower(training)) is not None:
        training = _fit(data, given, tools, None, width)
    if previous is None:
        _warn_of_limit(training)
    return training


def _warn_of_limit(training: Training) -> None:
    """Warn where as many components as are looked at count, and there may be more."""
    is_auto = training.config.code.n_components == "auto"
    if is_auto and training.model.n_components == MAX_CHOSEN < training.model.n_features:
        warnings.warn(
            f"n_components='auto' looks at no more than {MAX_CHOSEN} components, and all of them "
            "explain more of the variance than chance would. Pass a greater number if that many "
            "are wanted.",
            UserWarning,
            stacklevel=WARNED_CALLER - 2,
        )


def _narrower(training: Training) -> int | None:
    """Return the width with which to choose the number of components again, or None.

    A wide code has much to learn beside the few components that count: these explain more where
    they have fewer beside them, and what is left for others is told from chance more sharply.
    """
    width, n_components = training.model.width, training.model.n_components
    is_auto = training.config.code.n_components == "auto" and n_components > 1
    if not is_auto or width <= WIDE * (n_components + 1):
        return None
    return 2 * (n_components + 1)


def _fit(
    data: Data, given: Data | None, tools: Tools, previous: Training | None, width: int | None
) -> Training:
    """Return a training on some rows, of a code of a width or of that which is asked for."""
    config = tools.config
    setup = None if previous is None else _take_up(previous, data, given, tools)
    split = split_rows(data, given, config, tools.rng)
    if tools.processes.size > 1 and is_worth_sharing(split.data):
        split = split.share(tools.processes)
        data = split.data
    setup = setup or set_up(split.train, config, tools.rng, width, are_few(split.data))
    baseline = None if split.held_out is None else setup.baseline(split.held_out)
    history = _first_row(setup, split, baseline) if previous is None else previous.history
    in_turn = split.judges_in_turn(config)
    plan = make_plan(setup, split, learns=_learns(setup, split))
    # More tasks than epochs, since trainings follow.
    task = tools.watch.begin("fit", plan.n_epochs + MOST_REPEATS)
    tools = replace(tools, watch=task)
    start_epoch = previous.choice.epoch if previous is not None and setup.net.history else 0
    asked = split.held_out if in_turn else None
    course = Course(split.train, split.held_out, plan, start_epoch, asked)
    trained = run(setup, course, task, tools.checkpoints)
    attempt = grow(Attempt(trained, split, plan), tools)
    trained = attempt.run
    facts = _measure(trained, split.judges, previous)
    saw_all_rows = split.held_out is None or split.is_given
    choice = _choose(trained, facts, baseline, len(split.judges))
    result = Result(trained.setup, choice, saw_all_rows)
    if trained.kept is not None and (previous is None or trained.kept.shrinkage is not None):
        result = settle(attempt, result, tools)
    result = _agreed(result, tools.processes)
    if not config.runtime.warm_start:
        result.setup.net.forget_optimizer()
    history = _with_shrinkages(_appended(history, trained), result.choice)
    training = _explained(_complete(result, data, history, trained, None))
    task.end(training)
    return training


def _explained(training: Training) -> Training:
    """Return a training that tells why it is PCA, where it is."""
    return replace(training, why_pca=_why_pca(training)) if training.is_pca else training


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
    if tools.processes.size > 1:
        data = data.share(tools.processes)
    if previous is None:
        setup, saw_all_rows, before = set_up(data, config, tools.rng), False, None
        history = _first_row(setup, Split(data, data, None), None)
    else:
        setup = go_on(previous.resumable.setup, data, config, tools.rng)
        saw_all_rows, before = previous.resumable.saw_all_rows, previous.resumable.moments
        history = previous.history
    task = tools.watch.begin("partial_fit", 1)
    plan = plan_one_epoch(config, setup.net.module_, data.n_of_all)
    trained = run(setup, Course(data, None, plan), task)
    facts = _measure(trained, data, previous)
    result = Result(trained.setup, _choose(trained, facts, None), saw_all_rows)
    training = _complete(result, data, _appended(history, trained), trained, before)
    task.end(training)
    return training


def _agreed(result: Result, processes: Alone) -> Result:
    """Return a result that all processes have, to the bit."""
    processes.equalize(result.setup.net.state())
    return replace(result, choice=processes.of_first(result.choice))


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


def _with_shrinkages(history: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Return a history that tells how far the weights of judged epochs are best moved to PCA."""
    if not choice.shrinkages:
        return history
    shares = {0: 1.0} | dict(choice.shrinkages)
    told = history["epoch"].map(shares)
    if "shrinkage" in history:
        told = told.fillna(history["shrinkage"])
    return history.assign(shrinkage=told)


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
    shares = {} if kept.shrinkage is None else {kept.epoch: shrinkage}
    return Choice(kept.epoch, facts, shrinkage, score, of_pca, n_judges, shares)


def _complete(
    result: Result, data: Data, history: pd.DataFrame, trained: Run, before: Moments | None
) -> Training:
    """Return all that a fit leaves. `before` holds the moments of the fits that it goes on from."""
    setup, choice, config = result.setup, result.choice, result.setup.config
    model, moments = finish(setup, data, choice.facts, before)
    is_pca = choice.epoch == 0 and config.starts_at_pca
    params = config.fixed_params()
    history.attrs.update(legend(setup.net, config))
    setup = replace(setup, seconds=0.0)
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

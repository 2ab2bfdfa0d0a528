"""Trainings after the first of a fit: for longer, without other rows, and on all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from sk_autoencoder._config import Config
from sk_autoencoder._training import selection
from sk_autoencoder._training.baseline import Baseline
from sk_autoencoder._training.checkpoints import UNKEPT
from sk_autoencoder._training.evidence import PCA, Evidence
from sk_autoencoder._training.few_rows import are_few, trains_again
from sk_autoencoder._training.finish import Facts, choose_size, measure_pca
from sk_autoencoder._training.plan import Plan
from sk_autoencoder._training.run import Course, Kept, Run, run
from sk_autoencoder._training.setup import Setup, set_up
from sk_autoencoder._training.split import Split, rows_to_confirm
from sk_autoencoder._utils.processes import ALONE, Alone

# Trainings without some rows, which judge: a third of the rows in each of them.
MOST_TURNS = 3

# How often a training is followed by one of more epochs.
MOST_LONGER = 2

# All that may follow the first training; those that fall behind it are repeated.
MOST_REPEATS = MOST_LONGER + 2 * MOST_TURNS

# A net is not yet at its end whose best point comes late in the training, and whose rows that judge
# lose at most so many times what those lose that train. It may be more where little is left of
# their loss with PCA, at most such a share: of more, most may be noise, which no training explains.
LATE, MOST_OVERFIT = 0.7, 1.3
LITTLE_LEFT, MOST_OVERFIT_OF_LITTLE = 1 / 3, 3.0

# Around PCA gradients are small, and the noise of small batches may keep a net there: it has not
# left where training rows still lose such a share of what they lose with PCA, unless that is next
# to nothing of their variance. Batches are then so many times as large.
STUCK, NEXT_TO_NOTHING, CALMER = 0.9, 1e-6, 4

# A training falls behind that saves a smaller share of what the first has saved.
LEAST_SAVED = 0.5


@dataclass(frozen=True)
class Tools:
    """What all stages of a fit share: parameters, a random source, who is told, what is kept.

    `processes` are those that have the same rows, of which each may train on a part.
    """

    config: Config
    rng: np.random.RandomState
    watch: Any
    checkpoints: Any = UNKEPT
    processes: Alone = ALONE


@dataclass(frozen=True)
class Choice:
    """What the rows that judge have chosen: an epoch, its score, and what it explains.

    The weights were moved back to PCA by the share `shrinkage` of the way; `shrinkages` holds the
    shares that suit the epochs that were judged. Without such rows the epoch is the last one, and
    the scores are None. `n_judges` is the number of those rows.
    """

    epoch: int
    facts: Facts
    shrinkage: float = 0.0
    validation_score: float | None = None
    pca_validation_score: float | None = None
    n_judges: int = 0
    shrinkages: Mapping[int, float] = field(default_factory=dict)


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

    @property
    def is_pca(self) -> bool:
        """Whether the rows that judge prefer PCA to each epoch."""
        return self.kept.epoch == 0 if self.run.told is None else self.evidence.best() == PCA

    @cached_property
    def baseline(self) -> Baseline:
        """What the rows that judge lose with PCA, and with the mean."""
        assert self.split.held_out is not None
        return self.run.setup.baseline(self.split.held_out)

    @cached_property
    def evidence(self) -> Evidence:
        """What the rows tell that were asked."""
        assert self.run.told is not None
        return self.run.told.evidence(self.baseline)


def grow(attempt: Attempt, tools: Tools) -> Attempt:
    """Train anew for longer while the rows that judge gain more by it than by chance.

    Epochs are twice as many then, in batches twice as large, whose gradients are less noisy; four
    times where the net has not left PCA. Where a callback stops that, the training before is the
    last one.
    """
    split = attempt.split
    for _ in range(MOST_LONGER):
        times = _times_longer(attempt)
        if times == 1:
            break
        plan = attempt.plan.grown(times)
        asked = None if attempt.run.told is None else split.held_out
        course = Course(split.train, split.held_out, plan, asked=asked)
        longer = Attempt(_train_anew(attempt, course, tools, "longer"), split, plan)
        if longer.run.stopped:
            return replace(attempt, run=replace(attempt.run, stopped=True))
        if not _gains_more(longer, attempt):
            break
        attempt = longer
    return attempt


def _times_longer(attempt: Attempt) -> int:
    """Return for how many times as many epochs a net may be trained to become a better one."""
    plan, ended = attempt.plan, attempt.run
    if ended.stopped or not ended.epochs:
        return 1
    if plan.calms and attempt.is_pca:
        return CALMER if _is_stuck(attempt) else 1
    return 2 if plan.grows and ended.told is not None and _is_unfinished(attempt) else 1


def _is_stuck(attempt: Attempt) -> bool:
    """Whether a net has not left PCA, so that it has not learned its rows by heart either."""
    if _has_left(attempt.run, len(attempt.run.epochs)):
        return False
    return attempt.baseline.pca > NEXT_TO_NOTHING * attempt.baseline.mean


def _has_left(ended: Run, n_epochs: int) -> bool:
    """Whether training rows have lost clearly less than with PCA after some epochs."""
    return ended.epochs[n_epochs - 1]["train_loss"] < STUCK * ended.setup.loss


def _is_unfinished(attempt: Attempt) -> bool:
    """Whether a longer training may find a better net."""
    epochs, point = attempt.run.epochs, attempt.evidence.best()
    is_late = point.epoch >= LATE * attempt.plan.n_epochs and point.shrinkage == 0
    trained, judged = epochs[-1]["train_loss"], min(epoch["valid_loss"] for epoch in epochs)
    is_little = judged <= LITTLE_LEFT * attempt.baseline.pca
    return is_late and judged <= (MOST_OVERFIT_OF_LITTLE if is_little else MOST_OVERFIT) * trained


def _gains_more(longer: Attempt, shorter: Attempt) -> bool:
    """Whether the best point of a longer training is better than that of a shorter one."""
    if longer.is_pca or shorter.is_pca:
        return not longer.is_pca
    best, before = (attempt.evidence.best() for attempt in (longer, shorter))
    gains = longer.evidence.gains[best] - shorter.evidence.gains[before]
    return selection.better_than_chance(gains)


def settle(attempt: Attempt, result: Result, tools: Tools) -> Result:
    """Confirm that the best epoch beats PCA, and repeat on all rows what was found best.

    Where a callback stops that, the weights stay those of the training before.
    """
    data, config = attempt.split.data, tools.config
    # Rows of the user's own that judge are not trained on, and no others are asked.
    again = not attempt.split.is_given and not attempt.run.stopped and trains_again(config, data)
    choice, stopped = result.choice, False
    if again and attempt.run.told is not None:
        choice, stopped = judge_in_turn(attempt, choice, tools)
    is_pca = choice.epoch == 0 and config.starts_at_pca
    if stopped or not (is_pca or again):
        return result
    plan = attempt.plan.until(choice.epoch)
    repeated = _repeat(attempt, Course(data, None, plan, shrinkage=choice.shrinkage), tools)
    return result if repeated.stopped else Result(repeated.setup, choice, again and not is_pca)


def judge_in_turn(attempt: Attempt, choice: Choice, tools: Tools) -> tuple[Choice, bool]:
    """Choose a point on the way from PCA by what all rows tell, each of a net new to it.

    The net is trained anew without some rows that were not asked yet, until the gain is settled
    or none are left, and no longer than to the last epoch that may yet be chosen. Return the
    choice, and whether a callback asks to stop.
    """
    split = attempt.split
    setup, evidence = attempt.run.setup, attempt.evidence
    fresh, n_valid, n_judges = split.train, evidence.n_independent, choice.n_judges
    for _ in range(MOST_TURNS - 1):
        if evidence.is_settled or not evidence.gains:
            break
        others, asked = rows_to_confirm(replace(split, train=fresh), n_valid, tools.rng)
        if len(asked) == 0:
            break
        plan = attempt.plan.until(evidence.last_epoch())
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
    shares = evidence.shrinkages()
    return Choice(point.epoch, facts, point.shrinkage, *scores, n_judges, shares), False


def _repeat(attempt: Attempt, course: Course, tools: Tools) -> Run:
    """Train anew for the first epochs of the plan, and keep the history of the first training.

    A training that stays at PCA, where the first did not, is repeated in larger batches.
    """
    name = "refit" if course.asked is None else "confirm"
    repeated = _train_anew(attempt, course, tools, name)
    if course.plan.calms and not repeated.stopped and _falls_behind(repeated, attempt.run):
        calmer = replace(course, plan=course.plan.grown(CALMER), n_as_one=CALMER)
        repeated = _train_anew(attempt, calmer, tools, name)
    repeated.setup.net.prepare_for_inference()
    repeated.setup.net.history = attempt.run.setup.net.history
    return repeated


def _falls_behind(repeated: Run, first: Run) -> bool:
    """Whether a training saves far less of PCA's loss than the first did in as many epochs."""
    n_epochs = len(repeated.epochs)
    if n_epochs == 0 or not _has_left(first, n_epochs):
        return False
    saved, of_first = (
        ended.setup.loss - ended.epochs[n_epochs - 1]["train_loss"] for ended in (repeated, first)
    )
    return saved < LEAST_SAVED * of_first


def _train_anew(attempt: Attempt, course: Course, tools: Tools, name: str) -> Run:
    """Start anew on some rows, and train there in a task of a name."""
    n_epochs = course.plan.length
    # PCA of other rows may need another number of components for the same share of variance.
    keeps_width = n_epochs > 0 or tools.config.code.nested
    width = attempt.run.setup.width if keeps_width else None
    setup = set_up(course.train, tools.config, tools.rng, width, are_few(course.train))
    if n_epochs == 0:
        return Run(setup, None, stopped=False, epochs=())
    task = tools.watch.begin(name, n_epochs)
    trained = run(setup, course, task, tools.checkpoints)
    task.end(trained.setup)
    return trained

"""How the autoencoders of this package are fitted: check, train, publish."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from sk_autoencoder._combinations import check_combinations
from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._exporting import ExportingMixin
from sk_autoencoder._methods import FittedMethods
from sk_autoencoder._reading import (
    check_alone,
    check_same_rows,
    check_table,
    draw_judges,
    read_or_stream,
)
from sk_autoencoder._saving.mixin import SavingMixin
from sk_autoencoder._saving.pickles import replace_fitted
from sk_autoencoder._sklearn_compat import fit_context
from sk_autoencoder._sources.table import Table
from sk_autoencoder._training.checkpoints import UNKEPT, checkpoints_of
from sk_autoencoder._training.finish import model_as_if_stopped
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.own_parts import check_own_parts, refuse_estimators
from sk_autoencoder._training.procedure import Tools, Training, fit_autoencoder, fit_one_epoch
from sk_autoencoder._training.setup import Setup
from sk_autoencoder._training.supervision import encode_target, encode_validation_target
from sk_autoencoder._transforming import TransformToMixin
from sk_autoencoder._utils.absent import Absent
from sk_autoencoder._utils.arrays import (
    as_numpy,
    is_dispatched,
    like,
)
from sk_autoencoder._utils.interrupts import interrupts
from sk_autoencoder._utils.processes import Alone, find_processes
from sk_autoencoder._utils.random import check_random_source
from sk_autoencoder._utils.threads import enough_threads, enough_threads_for_axes
from sk_autoencoder._validation import (
    Features,
    Passed,
    check_data,
    check_lengths,
    check_n_components,
    check_unchanged,
    check_validation_data,
    gradients_enabled,
)
from sk_autoencoder._watch import Watch

# The fitted attributes that are arrays in the library of X.
ARRAYS = ("mean_", "explained_variance_", "explained_variance_ratio_")


@dataclass(frozen=True)
class Checked:
    """What a fit is given, checked: its parameters, its rows, those that judge, its source."""

    config: Config
    data: Data
    given: Data | None
    features: Features
    rng: np.random.RandomState
    processes: Alone


class BaseAutoencoder(
    TransformToMixin,
    FittedMethods,
    ExportingMixin,
    SavingMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """An autoencoder that stands where PCA stands: how it is fitted."""

    if TYPE_CHECKING:  # of scikit-learn's, which has no types

        def set_output(self, *, transform: str | None = None) -> Self: ...
        def set_params(self, **params: Any) -> Self: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_callbacks(self, *callbacks: Any) -> Self: ...
        def get_feature_names_out(self, input_features: Any = None) -> np.ndarray: ...

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups_val: Any = None,
        resume_from: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train the autoencoder on the rows of X.

        The rows that are set aside tell how well new rows are reconstructed only if they are
        independent of those that are trained on. Overlapping windows of a series are not, nor
        are repeated measures of a subject: say so by `groups`, or pass `X_val`. Exact copies of
        a row are found out, and stay on one side.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, of at least two rows. float32 stays float32; all else becomes
            float64. Cells of an array may be missing (NaN): they are left out of the loss,
            and of the mean and axes. In each step half of the rows also miss the cells that
            others miss, so that the network learns to impute. Of a sparse matrix only a few
            rows at a time are made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Classes or values for `supervised_weight`, else ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None counts each as one.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, a number or a name. Rows of a group may depend on each other:
            they are all trained on, or all set aside, and a gain over PCA has to show in
            several groups. None takes rows for independent that are no copies of each other.
            Only used with `early_stopping`.
        X_val : {array-like, sparse matrix} of shape (n_samples_val, n_features), default=None
            Rows to validate on, none of which is trained on; no row of X is then set aside.
            Exact copies of rows of X among them do not judge. In a `Pipeline` they go through
            the steps before with ``Pipeline(..., transform_input=["X_val"])``. Needs
            `early_stopping`.
        y_val : array-like of shape (n_samples_val,) or (n_samples_val, n_outputs), default=None
            Classes or values of the rows of `X_val` for `supervised_weight`, else ignored.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            How much each row of `X_val` counts, 0 or more; None counts each as one.
        groups_val : array-like of shape (n_samples_val,), default=None
            Group of each row of `X_val`, where these depend on each other, too.
        resume_from : str or os.PathLike, default=None
            A file that `checkpoint` has written, of a fit of the same rows and parameters that
            was killed. This one goes on from there, and ends as that would have ended, bit by
            bit on the same machine. Nothing in the file is run.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If X is not a real matrix, has an infinite cell, one too large to be squared in
            its dtype (above 1e140 in float64, 1e30 in float32) or a feature without any known
            one, if `n_components` exceeds what X allows, if `loss` does not suit X, if
            `groups` or `X_val` do not suit X, if parameters make no sense together, or if the
            fit diverges. What was fitted before is kept.
        """
        held = interrupts(self.on_interrupt == "stop")
        processes = find_processes(self.distributed)
        threads, named = enough_threads(math.inf), processes.named()
        with gradients_enabled(), threads, named, held as interrupted:
            previous = self._previous() if self.warm_start else None
            passed = Passed(X, y, sample_weight, groups)
            judging = Passed(X_val, y_val, sample_weight_val, groups_val)
            checked = self._check(passed, judging, previous, processes)
            checked, checkpoints = _with_checkpoints(checked, previous, resume_from)
            tools = replace(self._tools(checked, X, interrupted), checkpoints=checkpoints)
            with enough_threads_for_axes(*checked.data.X.shape), closing(checked.data):
                training = fit_autoencoder(checked.data, checked.given, tools, previous)
        if interrupted():
            warnings.warn(
                "Ctrl-C ended the fit before its time. What it has found until then is kept.",
                UserWarning,
                stacklevel=3,
            )
        return self._publish(training, checked.features, X)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch, on these rows alone.

        The first call finds the mean, the scale and the principal axes from its rows, so
        they should be a fair sample; later calls keep them. No rows are set aside for
        validation, the learning rate is constant and the last weights are kept.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; at least two rows in the first call.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Classes or values for `supervised_weight`, else ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None counts each as one.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        processes = find_processes(self.distributed)
        with gradients_enabled(), enough_threads(math.inf), processes.named():
            previous = self._previous()
            passed = Passed(X, y, sample_weight)
            checked = self._check(passed, Passed(None), previous, processes)
            if checked.data.is_streamed:
                raise ValueError(
                    "partial_fit takes rows in memory, but X is larger. Pass a part of it, or call "
                    "fit, which reads it a block at a time."
                )
            with enough_threads_for_axes(*checked.data.X.shape):
                training = fit_one_epoch(checked.data, self._tools(checked, X), previous)
        return self._publish(training, checked.features, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = bool(self.supervised_weight)
        tags.array_api_support = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_array_api_convert__(self, converter):
        """Return a copy with the arrays that a fit sets converted, for `move_estimator_to`."""
        moved = copy.copy(self)
        for name in ARRAYS:
            if name in vars(self):
                setattr(moved, name, converter(getattr(self, name)))
        return moved

    def _validate_params(self):
        refuse_estimators(self)
        super()._validate_params()

    net_ = Absent[AutoencoderNet](
        "is left out of what `save` writes, since only training needs it. Use model_, the fitted "
        "autoencoder by itself, or fit a clone."
    )

    def _previous(self) -> Training | None:
        """Return the fit to go on from; None where there is none."""
        previous = vars(self).get("_training")
        if previous is None and "model_" in vars(self):
            raise ValueError(
                f"This {type(self).__name__} was loaded from a file of its model alone, without "
                "what training goes on from. Fit a clone of it, or keep with joblib what is to be "
                "trained on."
            )
        return previous

    def _check(
        self, passed: Passed, judging: Passed, previous: Training | None, processes: Alone
    ) -> Checked:
        """Return what a fit is given, checked. What is learnt of X is written on a copy."""
        config = Config.of(self)
        check_combinations(config)
        check_own_parts(config)
        check_alone(config, processes)
        header, weight = copy.copy(self), config.penalties.supervised_weight
        rng = processes.of_first(check_random_source(self.random_state))
        passed, reset = read_or_stream(passed, config, processes), previous is None
        if isinstance(passed.X, Table):
            data = check_table(header, passed.X, reset=reset)
        else:
            y = as_numpy(passed.y, "y") if weight or is_dispatched(passed.y) else passed.y
            loss = config.objective.found
            data = check_data(header, passed._replace(y=y), loss, reset=reset)
            check_same_rows(data, processes)
        given = check_validation_data(header, judging, config, data)
        if data.is_streamed:
            data, given = draw_judges(data, given, config, processes, rng)
        if previous is not None:
            check_unchanged(previous.resumable.params, config.fixed_params())
        else:
            check_n_components(config, data)
        check_lengths(weight, passed, judging)
        encoder = None if previous is None else previous.resumable.target
        data = encode_target(data, passed.y, weight, encoder)
        if given is not None:
            data = replace(data, has_missing=given.has_missing)
            given = encode_validation_target(given, judging.y, data.target)
        return Checked(config, data, given, Features.of(header), rng, processes)

    def _tools(self, checked: Checked, X, interrupted: Callable[[], bool] = bool) -> Tools:
        """Return what the stages of a fit share. `interrupted` tells whether to stop."""

        def attributes(state: Setup | Training) -> dict[str, Any]:
            return self._attributes(state, checked.features, X)

        watch = Watch(self, checked.data, attributes, interrupted)
        return Tools(checked.config, checked.rng, watch, processes=checked.processes)

    def _publish(self, training: Training, features: Features, X):
        """Set all fitted attributes at once, and say so where the result is PCA."""
        replace_fitted(self, self._attributes(training, features, X))
        if training.is_pca and self.verbose:
            width = self.n_components_
            print(f"The result is PCA with {width} components: {training.why_pca}.")
        return self

    def _attributes(self, state: Setup | Training, features: Features, X) -> dict[str, Any]:
        """Return the fitted attributes by name: of a fit, or as if it had stopped at a setup."""
        found = {name: value for name, value in vars(features).items() if value is not None}
        if isinstance(state, Setup):
            model = model_as_if_stopped(state)
            found |= {"model_": model, "n_components_": model.n_components, "mean_": model.mean}
        else:
            found |= _attributes_of(state)
        return {
            name: like(as_numpy(value), X) if name in ARRAYS else value
            for name, value in found.items()
        }


def _with_checkpoints(
    checked: Checked, previous: Training | None, resume_from: Any
) -> tuple[Checked, Any]:
    """Return what a fit is given, with the random source of the one it goes on from, and its file.

    Without a file to write or to read nothing is kept.
    """
    if checked.config.runtime.checkpoint is None and resume_from is None:
        return checked, UNKEPT
    before = None if previous is None else previous.net.arrays()
    kept = checkpoints_of(checked.config, (checked.data, checked.given), before, checked.rng)
    if resume_from is not None:
        kept.read(Path(resume_from))
    return replace(checked, rng=kept.rng), kept


def _attributes_of(training: Training) -> dict[str, Any]:
    """Return what a fit sets, by name."""
    model, choice = training.model, training.choice
    variances = np.diag(training.resumable.moments.covariance)[: model.n_components].copy()
    found = {
        "_training": training,
        "model_": model,
        "net_": training.net,
        "n_components_": model.n_components,
        "mean_": model.mean,
        "explained_variance_": variances,
        "explained_variance_ratio_": choice.facts.shares,
        "noise_variance_": choice.facts.noise_variance,
        "history_": training.history,
        "n_iter_": training.n_iter,
        "best_epoch_": choice.epoch,
        "is_pca_": training.is_pca,
        "shrinkage_": None if model.bottleneck.has_prior else choice.shrinkage,
    }
    scores = {
        "validation_score_": choice.validation_score,
        "pca_validation_score_": choice.pca_validation_score,
    }
    return {name: value for name, value in found.items() if value is not None} | scores

"""AutoencoderTransformer: an autoencoder where PCA stands."""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sk_autoencoder import _inference, _start, _training
from sk_autoencoder._coordinates import torch_dtype
from sk_autoencoder._module import ACTIVATIONS
from sk_autoencoder._principal_axes import explained_variance
from sk_autoencoder._validation import (
    check_codes,
    check_n_components,
    check_random_source,
    check_unchanged,
    check_X,
    fitted_attributes,
    like_output,
    unchanged_on_error,
)


class AutoencoderTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CallbackSupportMixin, BaseEstimator
):
    """Dimensionality reduction with a stacked autoencoder that starts at PCA.

    An encoder of layers that get narrower maps the rows of X to codes of `n_components`
    numbers, the mirrored decoder maps them back, and both are trained together to make the
    mean squared error of the reconstruction small [1]_. Beside each of the two lies a
    straight linear path, which starts as the solution of PCA. The network therefore begins
    as PCA with the same number of components, and training goes on from there. The weights
    of the best validation epoch are kept if they beat PCA on the validation rows by more
    than chance would: if the mean gain exceeds its standard error [3]_ and more than a few
    rows gain (Wilcoxon's signed-rank test at 5 %). Fewer than 100 validation rows are not
    trusted alone: as many others are asked too, after a training without them. Else the
    result is PCA, fitted on all rows.

    Parameters
    ----------
    n_components : int, default=2
        Width of the code, at most ``min(n_samples, n_features)``.

    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. "auto" takes
        three widths that halve, the first of them twice the number of features or of
        training rows, whichever is smaller, but from 128 to 512; no width is below that of
        the code. An empty sequence leaves one linear layer each.

    activation : {"celu", "elu", "gelu", "identity", "leaky_relu", "mish", "relu", "selu", \
            "sigmoid", "silu", "softplus", "tanh"}, default="gelu"
        Activation behind each hidden layer. The code and the output have none.

    linear_shortcut : bool, default=True
        Whether to lay the linear path beside each stack and start at PCA. False gives the
        textbook stacked autoencoder, which starts from random weights.

    module : torch.nn.Module or callable, default=None
        A network of your own in place of the stacked autoencoder: a module, which is copied
        before it is trained, or a class or function that makes one. It needs the methods
        `encode`, from a float32 tensor of shape (batch, n_features) to one of shape (batch,
        n_components), and `decode`, the way back. It is
        given the rows of X as they are, not centred and not scaled; `hidden_layer_sizes`,
        `activation` and `linear_shortcut` are not used.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or callable, default="adamw"
        Optimizer, by name or as a class of torch. "sgd" has a Nesterov momentum of 0.9.

    lr : float, default=3e-3
        Learning rate, the highest one where the schedule changes it.

    lr_schedule : {"one_cycle", "constant"}, default="one_cycle"
        Course of the learning rate over `max_epochs`: one rise and one fall [2]_, or none.

    weight_decay : "auto" or float, default="auto"
        Weight decay of the optimizer. "auto" takes 0.1 for AdamW, which keeps it apart from
        the gradient, and the optimizer's own default for the others.

    batch_size : "auto" or int, default="auto"
        Rows a step. "auto" takes the power of two that gives some 16 batches an epoch, at
        least 16 and at most 256.

    max_epochs : "auto" or int, default="auto"
        The most epochs to train for. "auto" takes as many as make some 4000 steps, at least
        12 and at most 400. With 0 epochs, the result is what training would start from:
        PCA, unless `linear_shortcut` is False or `module` is given.

    early_stopping : bool, default=True
        Whether to set rows aside for validation, stop where they are reconstructed no
        better, and keep the best epoch's weights. False trains on all rows for `max_epochs`
        and keeps the last weights.

    validation_fraction : "auto" or float, default="auto"
        Share of the rows that is set aside, in (0, 1). "auto" takes a tenth, or more where
        that is less than 100 rows, but at most a third. Used with `early_stopping`.

    refit : "auto" or bool, default="auto"
        Whether to train once more, on all rows and for as many epochs as were best, so that
        no row is lost to validation. "auto" does so where there are fewer than 2000 rows.
        Not done where `callbacks` are given. Used with `early_stopping`.

    n_iter_no_change : int, default=20
        Epochs without a better validation loss after which training stops.

    tol : float, default=1e-4
        Share by which the validation loss has to fall to count as better in
        `n_iter_no_change`.

    device : str, default="auto"
        Device to train and to compute on, such as "cpu" or "cuda:0". "auto" takes a CUDA
        GPU where there is one.

    callbacks : list, default=None
        Callbacks of skorch, or (name, callback) pairs. `history` of the net that they are
        given has the losses in the units of X. Callbacks of scikit-learn are set with
        `set_callbacks`.

    net_params : dict, default=None
        Further parameters of skorch's `NeuralNet`, such as
        ``{"optimizer__betas": (0.9, 0.95)}`` or, with a class as `module`,
        ``{"module__width": 32}``.

    warm_start : bool, default=False
        Whether `fit` goes on training what the last call left, on the same principal axes
        and with the same optimizer, instead of starting anew.

    random_state : int, RandomState instance or None, default=None
        Determines the split, the first weights and the order of the rows. An int repeats a
        fit bit by bit on one machine; None draws from the operating system. Neither reads
        nor changes the global generators of NumPy and torch.

    verbose : int or bool, default=0
        Whether to print skorch's table, a line an epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module.

    n_components_ : int
        Width of the code.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows, float64.

    history_ : pandas.DataFrame
        A row an epoch: "epoch", "train_loss", "valid_loss" with `early_stopping`, "dur" in
        seconds, and what callbacks record. Losses are mean squared errors in the squared
        units of X. Row 0 is PCA with as many components, fitted on the training rows.

    n_iter_ : int
        Number of epochs that the last call of `fit` or `partial_fit` trained for.

    best_epoch_ : int
        The epoch whose weights were kept; 0 is the start, which is PCA unless
        `linear_shortcut` is False or `module` is given.

    validation_score_ : float or None
        Share of the variance of the validation rows that is explained with the weights
        kept; None without validation rows.

    pca_validation_score_ : float or None
        The same for PCA, fitted on the training rows.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where all of them are strings.

    See Also
    --------
    sklearn.decomposition.PCA : The linear reduction that this one starts from.
    compare_with_pca : Both side by side, on rows that neither has seen.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). Reducing the dimensionality of data with neural
       networks. Science 313, 504-507.
    .. [2] Smith and Topin (2018). Super-convergence: very fast training of neural networks
       using large learning rates. arXiv:1708.07120.
    .. [3] Breiman, Friedman, Olshen and Stone (1984). Classification and regression trees.
       Section 3.4.3, on the one-standard-error rule.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, max_epochs=5, random_state=0)
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [StrOptions({"auto"}), "array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "linear_shortcut": ["boolean"],
        "module": [torch.nn.Module, callable, None],
        "optimizer": [StrOptions(set(_start.OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(_training.LR_SCHEDULES))],
        "weight_decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
        "refit": [StrOptions({"auto"}), "boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "device": [str],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes="auto",
        activation="gelu",
        linear_shortcut=True,
        module=None,
        optimizer="adamw",
        lr=3e-3,
        lr_schedule="one_cycle",
        weight_decay="auto",
        batch_size="auto",
        max_epochs="auto",
        early_stopping=True,
        validation_fraction="auto",
        refit="auto",
        n_iter_no_change=20,
        tol=1e-4,
        device="auto",
        callbacks=None,
        net_params=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.linear_shortcut = linear_shortcut
        self.module = module
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train the autoencoder on the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, of at least two rows. float32 stays float32; all else becomes
            float64.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If X is not a finite real matrix, if `n_components` exceeds what X allows, or if
            the fit diverges. What was fitted before is kept.
        """
        with unchanged_on_error(self):
            resume = self.warm_start and hasattr(self, "net_")
            X, y, rng = self._check(X, y, resume)
            if resume and self.early_stopping and self._saw_all_rows:
                warnings.warn(
                    "The last fit trained on all rows, so that rows set aside now are not new to "
                    "the network. Set warm_start=True before the first fit to go on with "
                    "validation.",
                    UserWarning,
                    stacklevel=3,  # behind the decorator
                )
            train, valid = _training.split_rows(self, len(X), rng)
            if not resume:
                self._start(X, train, valid, rng)
            course = _training.plan(self, train, valid)
            # Two more tasks than epochs: to confirm the gain, and to train on all rows.
            task = self._init_callback_context(max_subtasks=course.n_epochs + 2)
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            outcome = self._train(X, y, train, valid, course, task)
            self._saw_all_rows = valid is None
            if outcome.kept is not None and (not resume or outcome.kept.epoch == 0):
                self._settle(X, y, train, outcome, course, task, rng)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one more epoch, on these rows alone.

        The first call finds the mean, the scale and the principal axes from its rows, so
        they should be a fair sample; later calls keep them. No rows are set aside for
        validation, the learning rate is constant and the last weights are kept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data; at least two rows in the first call.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        with unchanged_on_error(self):
            resume = hasattr(self, "net_")
            X, y, rng = self._check(X, y, resume)
            rows = np.arange(len(X))
            if not resume:
                self._start(X, rows, None, rng)
                self._saw_all_rows = False
            task = self._init_callback_context(task_name="partial_fit", max_subtasks=1)
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            self._train(X, y, rows, None, _training.plan_one_epoch(self, len(X)), task)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X):
        """Encode the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
            Their codes, in the units and in the floating dtype of X.
        """
        check_is_fitted(self)
        X = check_X(self, X, reset=False)
        return _inference.encode(*self._network(X.dtype), X, self.n_components_)

    def inverse_transform(self, X):
        """Decode codes to rows in the space of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes, as `transform` gives them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features_in_)
            The reconstruction, in the floating dtype of the codes. Where `set_output` asks
            for a DataFrame it is one, with the feature names of the training data and, in
            pandas, the index of the codes.
        """
        check_is_fitted(self)
        codes = check_codes(self, X)
        return like_output(self, _inference.decode(*self._network(codes.dtype), codes), X)

    def reconstruct(self, X):
        """Encode the rows of X and decode them again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            The same as ``inverse_transform(transform(X))``, in the floating dtype of X and
            the container that `inverse_transform` gives.
        """
        check_is_fitted(self)
        rows = check_X(self, X, reset=False)
        return like_output(self, _inference.reconstruct(*self._network(rows.dtype), rows), X)

    def reconstruction_error(self, X, *, per_feature=False):
        """Squared error of the reconstruction of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to reconstruct.
        per_feature : bool, default=False
            Whether to give the squared error of each cell, instead of its mean over a row.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors in the squared units of X, float64.
        """
        check_is_fitted(self)
        X = check_X(self, X, reset=False)
        network = self._network(X.dtype)
        if per_feature:
            return _inference.squared_error(*network, X)
        return _inference.mean_squared_error(*network, X)

    def score_samples(self, X):
        """Say how normal each row of X is: minus its mean squared reconstruction error.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher is more normal, in the squared units of X, float64.
        """
        return -self.reconstruction_error(X)

    def score(self, X, y=None):
        """Share of the variance of X that its reconstruction explains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to reconstruct.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        score : float
            One minus the summed squared error of the reconstruction over that of `mean_`:
            1 is perfect, 0 no better than the mean of the training data.
        """
        check_is_fitted(self)
        X = check_X(self, X, reset=False)
        loss = float(_inference.mean_squared_error(*self._network(X.dtype), X).mean())
        _, variance = self._axes.loss_and_variance(X, np.arange(len(X)))
        return explained_variance(loss, variance)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return self.n_components_

    def _network(self, dtype):
        """Give the frame and the module for rows of a dtype."""
        coordinates, module = self._coordinates, self.net_.module_
        dtype = torch_dtype(dtype)
        if coordinates.dtype != dtype:
            return coordinates.astype(dtype), copy.deepcopy(module).to(dtype)
        return coordinates, module

    def _check(self, X, y, resume):
        """Give checked rows, what callbacks are told of a target, and a random source."""
        X = check_X(self, X, reset=not resume)
        if resume:
            check_unchanged(self._network_params, _start.network_params(self))
        return X, X if y is None else y, check_random_source(self.random_state)

    def _start(self, X, train, valid, rng):
        """Fit PCA on the training rows, and build the net that goes on from there."""
        began = time.perf_counter()
        k = self.n_components_ = check_n_components(self.n_components, *X.shape)
        axes = _start.find_axes(X, train, k, rng)
        self._axes = axes.leading(k)
        self.mean_ = axes.mean
        self._coordinates = _start.choose_coordinates(self, axes, torch_dtype(X.dtype))
        self.net_ = _start.build_net(self, self._coordinates, rng)
        self._network_params = _start.network_params(self)
        row = {"epoch": 0, "train_loss": self._axes.training_loss()}
        if valid is not None:
            row["valid_loss"], _ = self._axes.loss_and_variance(X, valid)
        self.history_ = pd.DataFrame([{**row, "dur": time.perf_counter() - began}])

    def _train(self, X, y, train, valid, course, task):
        """Train the net, and set what is told of it: its epochs, its best one, its scores."""
        n_before = len(self.net_.history)
        start_epoch = self.best_epoch_ if n_before else 0
        outcome = _training.train(self, X, y, (train, valid), course, start_epoch, task)
        kept = outcome.kept
        epochs = [_without_batches(epoch) for epoch in self.net_.history[n_before:]]
        self.history_ = pd.concat([self.history_, pd.DataFrame(epochs)], ignore_index=True)
        self.n_iter_ = len(epochs)
        self.best_epoch_ = len(self.net_.history)
        self.validation_score_ = self.pca_validation_score_ = None
        if kept is not None:
            pca_loss, variance = self._axes.loss_and_variance(X, valid)
            is_pca = kept.epoch == 0 and _start.starts_at_pca(self)
            self.best_epoch_ = kept.epoch
            self.pca_validation_score_ = explained_variance(pca_loss, variance)
            self.validation_score_ = explained_variance(pca_loss if is_pca else kept.loss, variance)
        return outcome

    def _settle(self, X, y, train, outcome, course, task, rng):
        """Confirm that the best epoch beats PCA, and repeat on all rows what was found best.

        Where a callback stops that, the weights stay those of the training before.
        """
        validated = fitted_attributes(self)
        kept, everything = outcome.kept, np.arange(len(X))
        refits = _training.refits(self, len(X)) and not outcome.stopped
        asked = _training.rows_to_confirm(kept, train, rng) if refits else None
        stopped = False
        if asked is not None:
            others = np.setdiff1d(everything, asked)
            stopped = self._repeat(X, y, others, "confirm", kept.epoch, course, task, rng)
            gains = np.append(kept.gains, _training.gains_over_pca(self, X, asked))
            if not stopped and not _training.better_than_chance(gains):
                self.best_epoch_, self.validation_score_ = 0, self.pca_validation_score_
        is_pca = self.best_epoch_ == 0 and _start.starts_at_pca(self)
        if not stopped and (is_pca or refits):
            stopped = self._repeat(X, y, everything, "refit", self.best_epoch_, course, task, rng)
            self._saw_all_rows = not is_pca
        if stopped:
            vars(self).update(validated)

    def _repeat(self, X, y, rows, name, n_epochs, course, task, rng):
        """Start anew on some rows, and train for the first epochs of the course.

        True where a callback asks to stop.
        """
        history, net_history = self.history_, self.net_.history
        self._start(X, rows, None, rng)
        stopped = False
        if n_epochs > 0:
            task = task.subcontext(task_name=name, max_subtasks=n_epochs)
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            course = replace(course, last=n_epochs)
            stopped = _training.train(self, X, y, (rows, None), course, 0, task).stopped
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        self.net_.rest(self._coordinates.dtype)
        self.history_, self.net_.history = history, net_history
        return stopped


def _without_batches(epoch: dict) -> dict:
    """Give a row of skorch's history without its batches and marks."""
    dropped = {"batches", "train_loss_best", "valid_loss_best"}
    return {name: value for name, value in epoch.items() if name not in dropped}

"""AutoencoderTransformer: an autoencoder where PCA stands."""

from __future__ import annotations

import copy
import math
import time
import warnings
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin

from sk_autoencoder._combinations import check_combinations, gives_wide_codes_meaning
from sk_autoencoder._model import bound as _variational
from sk_autoencoder._model import components as _components
from sk_autoencoder._model import sampling as _sampling
from sk_autoencoder._model.fitted import Network
from sk_autoencoder._nn.frames import torch_dtype
from sk_autoencoder._nn.layers import ACTIVATIONS, NORMALIZATIONS
from sk_autoencoder._nn.losses import OBJECTIVES
from sk_autoencoder._nn.penalties import SPARSITIES
from sk_autoencoder._nn.whitening import Whitening, rounding_variances
from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._sklearn_compat import (
    Interval,
    RealNotInt,
    StrOptions,
    config_context,
    fit_context,
)
from sk_autoencoder._training import procedure as _training
from sk_autoencoder._training import selection as _evidence
from sk_autoencoder._training import setup as _start
from sk_autoencoder._training import supervision as _supervised
from sk_autoencoder._training._steps.precision import PRECISIONS
from sk_autoencoder._training._steps.schedule import LR_SCHEDULES
from sk_autoencoder._training.corruption import CORRUPTIONS
from sk_autoencoder._training.masking import hidden_again, noise_or_hidden_cells
from sk_autoencoder._training.own_parts import refuse_estimators
from sk_autoencoder._training.split import Part, rows_to_confirm, split
from sk_autoencoder._utils.absent import Absent
from sk_autoencoder._utils.arrays import (
    as_numpy,
    check_same_library,
    is_dispatched,
    like,
    like_attribute,
)
from sk_autoencoder._utils.threads import enough_threads
from sk_autoencoder._validation import (
    check_codes,
    check_data,
    check_fitted,
    check_n_components,
    check_random_source,
    check_unchanged,
    check_validation_data,
    check_X,
    fitted_attributes,
    gradients_enabled,
    like_input,
    like_output,
    unchanged_on_error,
)

# The fitted attributes that are arrays.
ARRAYS = ("mean_", "explained_variance_", "explained_variance_ratio_")


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
    trusted alone: as many others are asked too, after a training without them, and have to
    show two standard errors and pass at 0.1 %; where there is no second training (see `refit`),
    the few have to show that alone. Else the result is PCA, fitted on all rows, and
    `is_pca_` says so.

    What the validation rows tell holds for new rows if all rows are independent of each other.
    Exact copies of a row are found out: they stay on one side of the split, and count once
    where the gain over PCA is judged. Other rows that depend on each other, such as windows of
    a series that overlap or repeated measures of a subject, are seen as independent unless
    `fit` is given their `groups`, or validation rows of your own as `X_val`.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Width of the code, at most ``min(n_samples, n_features)``; with `corruption` or
        `sparsity_penalty`, which keep a wide code from being a copy of X, it may be more. A
        contraction does not keep it from that, nor does `variational`. A float in (0, 1) asks
        for the fewest components that explain that share of the variance of the training rows
        by PCA: with `nested`, of the validation rows by the network, but no more than those.
        All axes of X are computed then, ``min(n_samples, n_features)`` of them, which takes
        memory where X is wide. None takes that many components, in `partial_fit` as many as
        the first call allows. PCA loses nothing with them, so that there is only something to
        learn where more than the reconstruction is asked for, as with `nested`.

    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. "auto" takes
        three widths that halve, the first of them twice the number of features or of
        training rows, whichever is smaller, but from 128 to 512; no width is below that of
        the code. An empty sequence leaves one linear layer each.

    activation : {"celu", "elu", "gelu", "identity", "leaky_relu", "mish", "relu", "selu", \
            "sigmoid", "silu", "softplus", "tanh"}, default="silu"
        Activation behind each hidden layer. The code and the output have none.

    linear_shortcut : bool, default=True
        Whether to lay the linear path beside each stack and start at PCA. False gives the
        textbook stacked autoencoder, which starts from random weights.

    nested : bool, default=False
        Whether to order the components, as those of PCA are: ``Z[:, :j]`` is then a code of
        j components, which `inverse_transform` takes, for each j. In training each row keeps
        only its first components, as many as are drawn for it [4]_. The losses in `history_`
        are then means over several sizes of the code.

    whiten : bool, default=False
        Whether `transform` centres the codes and gives them unit variances and no
        correlation on the training rows, those of all calls of `partial_fit`. Whitened
        components are made of their own and the ones before them. What may be rounding of
        the cells of X in their dtype is not scaled up to unit variance.

    dropout : float, default=0.0
        Share of the hidden units that are zero in a step of the training, in [0, 1); never
        units of the code or of the output [11]_.

    normalization : {"batch", "layer"}, default=None
        Normalization between each hidden layer and its activation, over the batch [12]_ or
        over the units of a row [13]_; never of the code. With "batch" weights are not
        averaged, since their average has other statistics.

    tied_weights : bool, default=False
        Whether the decoder's weights are the transposes of the encoder's, so that it has
        biases alone to learn [6]_.

    pretrain : {"layerwise"}, default=None
        How a stack that starts from random weights, with ``linear_shortcut=False``, is
        trained beforehand: "layerwise" trains each layer of the encoder and its mirror, for
        500 steps or, of fewer than 65 rows, 100 for each 16 of them, to reconstruct what the
        layers below give [14]_.

    module : torch.nn.Module or callable, default=None
        A network of your own in place of the stacked autoencoder: a module, which is copied
        before it is trained, or a class or function that makes one. It needs the methods
        `encode`, from a float32 tensor of shape (batch, n_features) to one of shape (batch,
        n_components), and `decode`, the way back. It is
        given the rows of X as they are, not centred and not scaled; `hidden_layer_sizes`,
        `activation` and `linear_shortcut` are not used, and `dropout`, `normalization`,
        `tied_weights` and `pretrain` are refused.
        What it draws, first weights or dropout, comes from torch's global generator, which is
        seeded for the fit and put back after it; that is not safe where several threads fit at
        the same time.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy", "poisson"} or \
            callable, default="squared_error"
        What training makes small, on average over the cells of X. "huber" is quadratic up to
        an error of 1 and linear from there. "binary_crossentropy", for X in [0, 1], puts a
        logistic function behind the decoder, and "poisson", half the Poisson deviance for X
        from 0 on, an exponential, which from e times the largest cell of the training data
        on goes on as a straight line; with these two the network starts near PCA but not at
        it. A callable is given reconstruction and X as tensors of shape (batch, n_features), and
        gives the loss of each cell in that shape.

    variational : bool, default=False
        Whether to train a variational autoencoder [15]_: codes are means of normal
        distributions, held together by a prior from which `sample` draws, and `score_samples`
        gives the evidence lower bound. It starts at probabilistic PCA [16]_, whose codes are
        those of PCA, shrunken, and whose prior is normal with the variance of the components
        beyond the noise, in the units of X (with `module` or without `linear_shortcut`, of
        variance 1 in the units of X that the network has seen scaled). The variance of the
        noise is always the one that suits the reconstructions best [17]_, so that there is
        nothing to tune, and codes do not collapse to the prior. The losses in `history_` are
        the bound as an error: the mean squared one times ``exp(2 * KL / n_features)``. The
        epoch with the best bound is kept; there is no test against PCA. Needs the squared
        error or the binary cross-entropy, and no `nested`.

    kl_weight : float, default=1.0
        Weight of the divergence from the prior in training: above 1 codes keep less, and
        their components part more [18]_. Used with `variational`.

    supervised_weight : float, default=0.0
        Weight of a linear head that predicts y from the code, in training alone: its
        cross-entropy where y holds classes, the squared error of the standardised y where it
        holds continuous values, of one or several columns, told apart as scikit-learn's
        `type_of_target` does. Whole numbers are classes; standardise y to have them read as
        values. At 1 a head that knows nothing loses as much as a reconstruction that knows
        nothing but the mean [19]_. In training the head is given codes that are mixed in
        pairs, and has to tell both labels [20]_. `partial_fit` and `warm_start` read y as
        the first call has: a later y has no other classes and no more columns. Rows with
        the class -1, or with NaN or None, have no label, and count for the reconstruction
        alone; with strings as classes, -1 needs an array of dtype object. The epoch with the
        smallest sum is kept; there is no test against PCA. With 0, y is ignored.

    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, default=None
        What is done to the rows before they are encoded, anew in each step of the training,
        while the target stays clean: the denoising autoencoder [6]_. "gaussian" adds normal
        noise; "masking" sets cells to the mean of their feature, which is zero for the
        network; "salt_and_pepper" sets them to the least or to the greatest training value of
        their feature; "swap" takes them from the same feature of other rows of the batch. A
        callable is given rows of X, a tensor of shape (batch, n_features) in their floating
        dtype, and the torch.Generator to draw from, and gives corrupted rows in that shape.
        Gaps are filled before, and no further cells hidden. The validation rows are corrupted
        once and for all, PCA's scores are those of PCA of corrupted rows, and the network has
        to beat these.

    corruption_level : float, default=0.3
        With "gaussian" the standard deviation of the noise, in the units of X; with the other
        names the share of the cells, in [0, 1], that is corrupted. A callable has its own.

    sparsity_penalty : float, default=0.0
        Weight of a penalty that makes components zero or nearly so in most rows. This and the
        two weights below count in losses of the mean of X (by default, its variance), and what
        they weigh is without units, of the order of 1, and no smaller for a code that is only
        smaller. With any of the three, the losses in `history_` hold the penalties, and the
        epoch with the smallest sum is kept, whether or not PCA reconstructs better.

    sparsity : {"l1", "kl"}, default="l1"
        The penalty, of components as shares of their root mean squares over a batch: "l1" is
        the mean of the absolute values [21]_, 0.8 where they are normal and ``p**0.5`` where
        they are zero but in a share p of the rows; "kl" the Kullback-Leibler divergence of
        `sparsity_target` from the mean activities ``z**2 / (1 + z**2)`` of the components
        [7]_, which would be 0.34 and ``p / (1 + p)``. Components that are nearly copies of one
        another are as sparse as one: an `orthogonality_penalty` as large keeps them apart.
        Used with `sparsity_penalty`.

    sparsity_target : float, default=0.05
        Mean activity of a component that "kl" aims at, in (0, 1).

    contractive_penalty : float, default=0.0
        Weight of the share that noise has in the codes of noisy rows, to first order in the
        noise, which is as large in each feature as the root mean variance of the features.
        With PCA the share is 1/2 where features neither correlate nor differ in variance, and
        smaller for components that vary by more. It is a mean over the directions of the code,
        and the same for all of its linear images. As in the contractive autoencoder [8]_,
        codes come to change little where rows do; that one ties the weights, lest the decoder
        undo what only shrinks the code. The derivative is estimated from one random direction
        a row and step [9]_. Batches with fewer rows than components tell little.

    orthogonality_penalty : float, default=0.0
        Weight of the mean squared correlation of pairs of components over a batch [10]_; a
        single component has none, and is trained as without.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or callable, default="adamw"
        Optimizer, by name or as a class of torch. "sgd" has a Nesterov momentum of 0.9, and
        "adamw" betas of (0.9, 0.97).

    lr : float, default=5e-3
        Learning rate, the highest one where the schedule changes it.

    lr_schedule : {"one_cycle", "constant"}, default="one_cycle"
        Course of the learning rate over `max_epochs`: one rise and one fall [2]_, or none.

    weight_decay : "auto" or float, default="auto"
        Weight decay of the optimizer. "auto" takes 0.1 for AdamW, which keeps it apart from
        the gradient, and the optimizer's own default for the others.

    average : bool, default=True
        Whether an epoch is judged by, and ends with, a moving average of the weights over
        some 200 steps, instead of the last ones [5]_. Not done by `partial_fit`, nor with a
        `module` of your own.

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
        that is less than 100 rows, but at most a third. Copies of a row count as one row, and
        with `groups` it is a share of the groups. With `supervised_weight` it is a share
        of each class, where each has rows enough. Used with `early_stopping`.

    refit : "auto" or bool, default="auto"
        Whether to train once more, on all rows and for as many epochs as were best, so that
        no row is lost to validation. "auto" does so where there are fewer than 2000 rows,
        copies not counted. Not done where `callbacks` or `X_val` are given, or with
        `warm_start`. Used with `early_stopping`.

    n_iter_no_change : int, default=100
        Epochs without a better validation loss after which training stops.

    tol : float, default=1e-4
        Share by which the validation loss has to fall to count as better in
        `n_iter_no_change`.

    device : str or torch.device, default="auto"
        Device to train and to compute on, such as "cpu" or "cuda:0". "auto" takes a CUDA
        GPU where there is one.

    precision : {"auto", "bfloat16", "float32", "tf32"}, default="float32"
        How exactly the module multiplies matrices in training. Its weights, the losses and
        all that follows a training are not concerned. "bfloat16" keeps 8 binary digits of each
        number, through torch's autocast; "tf32" keeps 11, on CUDA GPUs. "auto" takes bfloat16
        where the device multiplies in it, the net is large, and PCA leaves at least a
        hundredth of the variance, next to which the rounding is nothing; else, where those
        two hold, TF32 on CUDA; else float32.

    compile : bool, default=False
        Whether to train with the module compiled by `torch.compile`. That takes a C++
        compiler and, at the start of the first training in a process, some ten seconds.

    callbacks : list, default=None
        Callbacks of skorch, or (name, callback) pairs. `history` of the net that they are
        given has the losses in the units of X; batches and predictions are in coordinates of
        the network, so that scorings of scikit-learn are refused: `EpochScoring` takes a
        function of (net, rows, y), which can ask ``net.loss(rows)``. Refused, too, is what would
        replace the network (`InputShapeSetter`, `LoadInitState`, ``load_best=True``), and
        beside `lr_schedule="one_cycle"` an `LRScheduler`. Callbacks of scikit-learn are set
        with `set_callbacks`.

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
        nor changes the global generators of NumPy and torch. In several threads, each with an
        estimator of its own, fits repeat too, but not with a `module` that draws numbers: it
        draws from torch's global generator, which all threads share. Fit those in processes,
        as joblib's "loky" does.

    verbose : int or bool, default=0
        Whether to print skorch's table, a line an epoch, and at the end of `fit`, where the
        result is PCA, a line that says so and why.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module.

    n_components_ : int
        Width of the code.

    explained_variance_ : ndarray of shape (`n_components_`,)
        Variance of each component of the codes of the training rows, before whitening,
        float64; those of all calls of `partial_fit`, each coded when it came. With no epochs
        it is that of PCA.

    explained_variance_ratio_ : ndarray of shape (`n_components_`,)
        Share of the variance that each component adds to what those before it explain,
        float64: its sum up to the j-th is the score of codes of j components. Measured on
        the validation rows, before a `refit` trains on them, or on the training rows where
        there are none. Only with `nested`.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows, float64.

    history_ : pandas.DataFrame
        A row an epoch: "epoch", "train_loss", "valid_loss" with `early_stopping`, "dur" in
        seconds, and what callbacks record. Losses are means of `loss` over the cells of X: by
        default mean squared errors in its squared units. With `corruption` they are errors of
        what is made of corrupted rows; where X has gaps, of what is made of rows with further
        cells hidden, of which those hidden count for up to half. Row 0 is PCA with as many
        components, fitted on the training rows, without penalties; with `variational`, it is
        the network before its first step.

    n_iter_ : int
        Number of epochs that the last call of `fit` or `partial_fit` trained for.

    best_epoch_ : int
        The epoch whose weights were kept; 0 is the start, which is PCA unless
        `linear_shortcut` is False, `variational` is True or `module` is given.

    is_pca_ : bool
        Whether the result is PCA, as no epoch was kept: `best_epoch_` is 0, and the start is
        PCA.

    validation_score_ : float or None
        Share of the variance of the validation rows that is explained with the weights
        kept, or with another `loss`, of what the mean of X loses; None without validation
        rows.

    pca_validation_score_ : float or None
        The same for PCA, fitted on the training rows. With `corruption`, or where X has gaps,
        both are scores of what is made of rows as the losses in `history_` have them.

    noise_variance_ : float
        Variance of the noise of a cell, in the squared units of X: the expected mean squared
        error of the validation rows, or of the training rows where there are none, of at
        most 1000 of them. Only with `variational` and the squared error.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where all of them are strings.

    See Also
    --------
    sklearn.decomposition.PCA : The linear reduction that this one starts from.
    compare_with_pca : Both side by side, on rows that neither has seen.

    Notes
    -----
    With scikit-learn's array API dispatch, X may be a tensor on any device, or an array of
    another library: methods then give arrays of that library on that device where they are
    said to give an ndarray, and so are `mean_`, `components_`, `explained_variance_` and
    `explained_variance_ratio_`. Without it, tensors on the CPU are read as arrays.

    In a forked child of a process all is computed in one thread, since the threads of the
    parent are not there.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). Reducing the dimensionality of data with neural
       networks. Science 313, 504-507.
    .. [2] Smith and Topin (2018). Super-convergence: very fast training of neural networks
       using large learning rates. arXiv:1708.07120.
    .. [3] Breiman, Friedman, Olshen and Stone (1984). Classification and regression trees.
       Section 3.4.3, on the one-standard-error rule.
    .. [4] Rippel, Gelbart and Adams (2014). Learning ordered representations with nested
       dropout. ICML.
    .. [5] Polyak and Juditsky (1992). Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30(4), 838-855.
    .. [6] Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010). Stacked denoising
       autoencoders. Journal of Machine Learning Research 11, 3371-3408.
    .. [7] Ng (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.
    .. [8] Rifai, Vincent, Muller, Glorot and Bengio (2011). Contractive auto-encoders:
       explicit invariance during feature extraction. ICML.
    .. [9] Hutchinson (1990). A stochastic estimator of the trace of the influence matrix for
       Laplacian smoothing splines. Communications in Statistics - Simulation and
       Computation 19(2), 433-450.
    .. [10] Cogswell, Ahmed, Girshick, Zitnick and Batra (2016). Reducing overfitting in deep
       networks by decorrelating representations. ICLR.
    .. [11] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014). Dropout: a
       simple way to prevent neural networks from overfitting. Journal of Machine Learning
       Research 15, 1929-1958.
    .. [12] Ioffe and Szegedy (2015). Batch normalization: accelerating deep network training
       by reducing internal covariate shift. ICML.
    .. [13] Ba, Kiros and Hinton (2016). Layer normalization. arXiv:1607.06450.
    .. [14] Bengio, Lamblin, Popovici and Larochelle (2007). Greedy layer-wise training of
       deep networks. NeurIPS.
    .. [15] Kingma and Welling (2014). Auto-encoding variational Bayes. ICLR.
    .. [16] Tipping and Bishop (1999). Probabilistic principal component analysis. Journal of
       the Royal Statistical Society B 61(3), 611-622.
    .. [17] Rybkin, Daniilidis and Levine (2021). Simple and effective VAE training with
       calibrated decoders. ICML.
    .. [18] Higgins et al. (2017). beta-VAE: learning basic visual concepts with a constrained
       variational framework. ICLR.
    .. [19] Le, Patterson and White (2018). Supervised autoencoders: improving generalization
       performance with unsupervised regularizers. NeurIPS.
    .. [20] Verma et al. (2019). Manifold mixup: better representations by interpolating hidden
       states. ICML.
    .. [21] Hoyer (2004). Non-negative matrix factorization with sparseness constraints.
       Journal of Machine Learning Research 5, 1457-1469.

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
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
        "hidden_layer_sizes": [StrOptions({"auto"}), "array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "linear_shortcut": ["boolean"],
        "nested": ["boolean"],
        "whiten": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions(set(NORMALIZATIONS)), None],
        "tied_weights": ["boolean"],
        "pretrain": [StrOptions({"layerwise"}), None],
        "module": [torch.nn.Module, callable, None],
        "loss": [StrOptions(set(OBJECTIVES)), callable],
        "variational": ["boolean"],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "supervised_weight": [Interval(Real, 0, None, closed="left")],
        "corruption": [StrOptions(set(CORRUPTIONS)), callable, None],
        "corruption_level": [Interval(Real, 0, None, closed="left")],
        "sparsity_penalty": [Interval(Real, 0, None, closed="left")],
        "sparsity": [StrOptions(set(SPARSITIES))],
        "sparsity_target": [Interval(Real, 0, 1, closed="neither")],
        "contractive_penalty": [Interval(Real, 0, None, closed="left")],
        "orthogonality_penalty": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(_start.OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "weight_decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "average": ["boolean"],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
        "refit": [StrOptions({"auto"}), "boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "compile": ["boolean"],
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
        activation="silu",
        linear_shortcut=True,
        nested=False,
        whiten=False,
        dropout=0.0,
        normalization=None,
        tied_weights=False,
        pretrain=None,
        module=None,
        loss="squared_error",
        variational=False,
        kl_weight=1.0,
        supervised_weight=0.0,
        corruption=None,
        corruption_level=0.3,
        sparsity_penalty=0.0,
        sparsity="l1",
        sparsity_target=0.05,
        contractive_penalty=0.0,
        orthogonality_penalty=0.0,
        optimizer="adamw",
        lr=5e-3,
        lr_schedule="one_cycle",
        weight_decay="auto",
        average=True,
        batch_size="auto",
        max_epochs="auto",
        early_stopping=True,
        validation_fraction="auto",
        refit="auto",
        n_iter_no_change=100,
        tol=1e-4,
        device="auto",
        precision="float32",
        compile=False,
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
        self.nested = nested
        self.whiten = whiten
        self.dropout = dropout
        self.normalization = normalization
        self.tied_weights = tied_weights
        self.pretrain = pretrain
        self.module = module
        self.loss = loss
        self.variational = variational
        self.kl_weight = kl_weight
        self.supervised_weight = supervised_weight
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.sparsity_penalty = sparsity_penalty
        self.sparsity = sparsity
        self.sparsity_target = sparsity_target
        self.contractive_penalty = contractive_penalty
        self.orthogonality_penalty = orthogonality_penalty
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.average = average
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.precision = precision
        self.compile = compile
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        *,
        groups=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        groups_val=None,
    ):
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
            and of the mean and axes. In each step half of the rows are given the gaps of
            others, too, so that the network learns to fill them: what it fills in is as good
            as these are like the gaps to come. Of a sparse matrix only a few rows at a time
            are made dense.
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
        with unchanged_on_error(self), gradients_enabled(), enough_threads(math.inf):
            resume = self.warm_start and hasattr(self, "net_")
            validation = X_val, y_val, sample_weight_val, groups_val
            data, given, rng = self._check(X, y, sample_weight, resume, groups, validation)
            if resume and self.early_stopping and self._saw_all_rows and given is None:
                warnings.warn(
                    "The last fit trained on all rows, so that rows set aside now are not new to "
                    "the network. To go on with validation, pass X_val, or set warm_start=True "
                    "before a first fit that sets rows aside.",
                    UserWarning,
                    stacklevel=3,  # behind the decorator
                )
            check_n_components(
                self.n_components, *data.X.shape, wide=gives_wide_codes_meaning(self)
            )
            data, train, valid = split(self, data, given, rng)
            if not resume:
                for name in ("noise_variance_", "explained_variance_ratio_"):
                    vars(self).pop(name, None)  # which not every fit sets anew
                self._start(data, train, rng)
            yardstick = None
            if valid is not None:
                yardstick = _training.yardstick(self, *valid)
                if not resume:
                    start = yardstick[0]
                    if self.net_.variational is not None:
                        start = _training.start_loss(self, *valid)
                    self.history_.insert(2, "valid_loss", start)
            course = _training.plan(self, train, valid)
            # Two more tasks than epochs: to confirm the gain, and to train on all rows.
            task = self._init_callback_context(max_subtasks=course.n_epochs + 2)
            task.call_on_fit_task_begin(estimator=self, X=data.X, y=data.y)
            outcome = self._train(Part(data, train), valid, yardstick, course, task)
            self._saw_all_rows = valid is None or valid.data is not data
            # Before the validation rows are trained on.
            judges = Part(data, train) if valid is None else valid
            self._measure_noise(*judges)
            self._explain(*judges, resume)
            if outcome.kept is not None and (not resume or outcome.kept.gains is not None):
                self._settle(data, train, valid, outcome, course, task, rng)
            self.is_pca_ = self.best_epoch_ == 0 and _start.starts_at_pca(self)
            self._describe(data)
            self._move_attributes(X)
            task.call_on_fit_task_end(estimator=self, X=data.X, y=data.y)
        if self.is_pca_ and self.verbose:
            print(self._why_pca(course, valid))
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
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
        with unchanged_on_error(self), gradients_enabled(), enough_threads(math.inf):
            resume = hasattr(self, "net_")
            data, _, rng = self._check(X, y, sample_weight, resume)
            rows = np.arange(len(data))
            if not resume:
                check_n_components(
                    self.n_components, *data.X.shape, wide=gives_wide_codes_meaning(self)
                )
                self._start(data, rows, rng)
                self._saw_all_rows = False
            self.is_pca_ = False
            task = self._init_callback_context(task_name="partial_fit", max_subtasks=1)
            task.call_on_fit_task_begin(estimator=self, X=data.X, y=data.y)
            course = _training.plan_one_epoch(self, len(data))
            self._train(Part(data, rows), None, None, course, task)
            self._measure_noise(data, rows)
            self._explain(data, rows, resume)
            self._describe(data, before=self._moments if resume else None)
            self._move_attributes(X)
            task.call_on_fit_task_end(estimator=self, X=data.X, y=data.y)
        return self

    def transform(self, X):
        """Encode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
            Their codes, in the units and in the floating dtype of X.
        """
        rows, gaps = self._check_rows(X, "transform")
        with self._threads(rows.shape[0]):
            codes = self._network(rows.dtype, gaps=gaps).encode(rows)
        return like_input(self, codes, X)

    def inverse_transform(self, X):
        """Decode codes to rows in the space of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes, as `transform` gives them; with `nested` their first columns alone will do.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features_in_)
            The reconstruction, in the floating dtype of the codes. Where `set_output` asks
            for a DataFrame it is one, with the feature names of the training data and, in
            pandas, the index of the codes.
        """
        check_fitted(self)
        check_same_library(self, X, "inverse_transform")
        codes = check_codes(self, X)
        with self._threads(len(codes)):
            rows = self._network(codes.dtype).decode(codes)
        return like_output(self, rows, X)

    def reconstruct(self, X):
        """Encode the rows of X and decode them again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            The same as ``inverse_transform(transform(X))``, in the floating dtype of X and
            the container that `inverse_transform` gives.
        """
        rows, gaps = self._check_rows(X, "reconstruct")
        with self._threads(rows.shape[0]):
            back = self._network(rows.dtype, gaps=gaps).reconstruct(rows)
        return like_output(self, back, X)

    def reconstruction_error(self, X, *, per_feature=False):
        """Squared error of the reconstruction of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        per_feature : bool, default=False
            Whether to give the squared error of each cell, instead of its mean over a row.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors in the squared units of X, float64.
        """
        rows, gaps = self._check_rows(X, "reconstruction_error")
        with self._threads(rows.shape[0]):
            network = self._network(rows.dtype, gaps=gaps)
            errors = network.squared_error if per_feature else network.mean_squared_error
            return like(errors(rows), X)

    def score_samples(self, X):
        """Say how normal each row of X is: minus its mean squared reconstruction error.

        With `variational`, the evidence lower bound of the log-likelihood of its known cells,
        with normal noise of variance `noise_variance_` around the reconstruction, or with the
        cross-entropy that is the `loss`. Its mean over the code is taken at points that are
        the same for each row. `kl_weight` counts in training alone.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher is more normal, float64: in the squared units of X, or the bound in nats.
        """
        check_fitted(self)
        check_same_library(self, X, "score_samples")
        if not self.variational:
            return -self.reconstruction_error(X)
        rows, gaps = check_X(self, X, reset=False)
        noise = self.noise_variance_ if self.loss == "squared_error" else None
        with self._threads(2 * _variational.N_DIRECTIONS * rows.shape[0]):
            network = self._network(rows.dtype, gaps=gaps, whiten=False)
            return like(_variational.bounds(network, rows, noise), X)

    def sample(self, n_samples=1, random_state=None):
        """Generate new rows, like those of the training data.

        Codes are drawn and decoded. With `variational` they come from the prior; without,
        from a mixture of normal distributions that is fitted, when a sample is first asked
        for, on the codes of at most 5000 rows of the last call of `fit` or `partial_fit`.
        Of 1, 2, 4, ... 32 normal distributions it has as many as have the lowest Bayesian
        information criterion [1]_.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the rows; None draws from the operating system.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_in_)
            The rows, in the units and the floating dtype of the training data and in the
            container that `inverse_transform` gives. They are means, without the noise of
            cells, and are not clipped to the range of the training data; with
            ``loss="binary_crossentropy"`` or ``"poisson"`` they are in the range of the loss.

        References
        ----------
        .. [1] Schwarz (1978). Estimating the dimension of a model. Annals of Statistics 6(2),
           461-464.
        """
        check_fitted(self)
        n_samples = _sampling.check_n_samples(n_samples)
        dtype = np.float32 if self._coordinates.dtype == torch.float32 else np.float64
        # A mixture of scikit-learn does less with dispatch than without.
        with enough_threads(0), config_context(array_api_dispatch=False):
            codes = self._sampler.sample(n_samples, check_random_source(random_state))
        codes = codes[:, : self.n_components_].astype(dtype)
        with self._threads(n_samples):
            rows = self._network(dtype, whiten=False).decode(codes)
        return like_output(self, rows, self.mean_)

    def score(self, X, y=None, sample_weight=None):
        """Share of the variance of X that its reconstruction explains.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct; only their known cells count.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None counts each as one.

        Returns
        -------
        score : float
            One minus the summed squared error of the reconstruction over that of `mean_`:
            1 is perfect, 0 no better than the mean of the training data.
        """
        check_fitted(self)
        check_same_library(self, X, "score")
        data = check_data(self, X, None, sample_weight, reset=False)
        network = self._network(data.X.dtype, gaps=data.gaps, whiten=False)
        with self._threads(len(data)):
            return _components.explained(network, data, self._axes.mean)

    @property
    def components_(self):
        """Local linear map of the decoder, an ndarray of shape (n_components_, n_features_in_).

        Row i is the derivative of the reconstruction by component i of the code, before
        whitening, at the code of `mean_`: what a small change of the component does to each
        feature. With no epochs these are PCA's components.
        """
        check_fitted(self)
        with gradients_enabled(), self._threads(self._width):
            network = self._network(np.float64, whiten=False)
            components = network.local_linear_map(self._axes.mean)
        return like_attribute(components, self.mean_)

    # What users of PCA look for, and where to find it.
    explained_variance_ratio_ = Absent(
        "is only set with nested=True: without it, components have no order. Set nested=True, or "
        "use score(X), the share of the variance that all components explain together."
    )
    noise_variance_ = Absent(
        "is only set with variational=True and loss='squared_error'. Set variational=True, or use "
        "reconstruction_error(X).mean(), the mean squared error of a cell."
    )
    singular_values_ = Absent(
        "is not set. Use (explained_variance_ * (n_samples - 1)) ** 0.5, which is PCA's."
    )
    n_samples_ = Absent("is not set. Use len(X).")
    get_covariance = Absent(
        "is not given, since the distribution of the rows is not normal. Use "
        "np.cov(sample(10_000), rowvar=False) for the covariance of generated rows, or "
        "score_samples(X) to tell how normal rows are."
    )
    get_precision = Absent(
        "is not given, since the distribution of the rows is not normal. Use score_samples(X) to "
        "tell how normal rows are."
    )

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

    def _network(self, dtype, *, gaps=False, whiten=True):
        """Give the module, between its frames, for rows of a dtype, which may have gaps."""
        coordinates, output, module = self._coordinates, self._output, self.net_.module_
        dtype = torch_dtype(dtype)
        if coordinates.dtype != dtype:
            coordinates, output = coordinates.astype(dtype), output.astype(dtype)
            module = copy.deepcopy(module).to(dtype)
        link = self.net_.criterion_.objective.link
        return Network(
            coordinates,
            output,
            module,
            self._width,
            self.n_components_,
            gaps=gaps,
            activation=None if link is None else link.activation,
            whitening=self._whitening if whiten else None,
        )

    def _check_rows(self, X, method):
        """Give checked rows for a method of a fitted transformer, and whether they have gaps."""
        check_fitted(self)
        check_same_library(self, X, method)
        return check_X(self, X, reset=False)

    def _threads(self, n_rows):
        """Take the threads that suit so many rows, in a context."""
        return enough_threads(n_rows * self.net_.products_a_row)

    def _move_attributes(self, X):
        """Move arrays that a fit sets to the library and the device of X, as PCA has them."""
        self.mean_ = self._axes.mean
        for name in ARRAYS:
            if name in vars(self):
                setattr(self, name, like(as_numpy(getattr(self, name)), X))

    def __sklearn_array_api_convert__(self, converter):
        """Give a copy with the arrays that a fit sets converted, for `move_estimator_to`."""
        moved = copy.copy(self)
        for name in ARRAYS:
            if name in vars(self):
                setattr(moved, name, converter(getattr(self, name)))
        return moved

    def _whole_network(self, data):
        """Give the network for the rows of some data, with all components, not whitened."""
        network = self._network(data.X.dtype, gaps=data.gaps, whiten=False)
        return replace(network, n_components=self._width)

    def _validate_params(self):
        refuse_estimators(self)
        super()._validate_params()

    def _check(self, X, y, sample_weight, resume, groups=None, validation=(None,) * 4):
        """Return checked data, those of the user's own validation rows, and a random source."""
        check_combinations(self)
        _start.check_parts(self)
        if self.supervised_weight or is_dispatched(y):
            y = as_numpy(y, "y")
        data = check_data(self, X, y, sample_weight, groups, reset=not resume)
        given = check_validation_data(self, data, *validation)
        rng = check_random_source(self.random_state)
        if resume:
            check_unchanged(self._network_params, _start.network_params(self))
        data, self._answers = _supervised.read(self, X, y, data, resume)
        if given is not None:
            data = replace(data, gaps=given.gaps)
            given = _supervised.read_validation(self, *validation[:2], given)
        if resume and data.gaps:
            self.net_ = _start.with_gaps(self)
            self._noise = hidden_again(self, data, rng)
        return data, given, rng

    def _start(self, data, rows, rng, width=None):
        """Fit PCA on some rows, and build the net that goes on from there.

        `width` is that of its code where a training before this one has set it.
        """
        began = time.perf_counter()
        axes, filling = _start.find_axes(self, data, rows, rng)
        self._width = self.n_components_ = width or _start.choose_n_components(self, axes, data)
        self._axes = axes.leading(self._width)
        self.mean_ = axes.mean
        axes = _start.axes_of_frame(self, axes)
        self._coordinates = _start.choose_coordinates(self, axes, torch_dtype(data.X.dtype))
        self._coordinates.fill = partial(filling.fill, components=self._axes.components)
        self._output = _start.choose_output(self, axes, self._coordinates, data, rows)
        self._whitening = None
        self._noise = noise_or_hidden_cells(self, axes.mean, data, rows, rng)
        self.net_ = _start.build_net(self, data.gaps, rng)
        self._network_params = _start.network_params(self)
        if self.pretrain == "layerwise":
            _training.pretrain(self, data, rows, rng)
        loss = _training.set_bounds(self, data, rows)
        row = {"epoch": 0, "train_loss": loss, "dur": time.perf_counter() - began}
        self.history_ = pd.DataFrame([row])

    def _train(self, part, valid, yardstick, course, task):
        """Train the net, and set what is told of it: its epochs, its best one, its scores."""
        n_before = len(self.net_.history)
        start_epoch = self.best_epoch_ if n_before else 0
        outcome = _training.train(self, part, valid, course, start_epoch, task)
        kept = outcome.kept
        epochs = [_without_batches(epoch) for epoch in self.net_.history[n_before:]]
        self.history_ = pd.concat([self.history_, pd.DataFrame(epochs)], ignore_index=True)
        self.n_iter_ = len(epochs)
        self.best_epoch_ = len(self.net_.history)
        self.validation_score_ = self.pca_validation_score_ = None
        if kept is not None:
            pca_loss, mean_loss = yardstick
            is_pca = kept.epoch == 0 and _start.starts_at_pca(self)
            self.best_epoch_ = kept.epoch
            self.pca_validation_score_ = explained_variance(pca_loss, mean_loss)
            loss = pca_loss if is_pca else kept.loss
            self.validation_score_ = explained_variance(loss, mean_loss)
        return outcome

    def _settle(self, data, train, valid, outcome, course, task, rng):
        """Confirm that the best epoch beats PCA, and repeat on all rows what was found best.

        Where a callback stops that, the weights stay those of the training before.
        """
        validated = fitted_attributes(self)
        # Rows of the user's own that judge are not trained on, and no others are asked.
        again = valid.data is data and _training.trains_again(self, data) and not outcome.stopped
        stopped = False
        if _evidence.is_unsettled(outcome.kept):
            trained = train if again else None
            stopped = self._confirm(data, trained, valid, outcome.kept, course, task, rng)
        is_pca = self.best_epoch_ == 0 and _start.starts_at_pca(self)
        finished = False
        if not stopped and (is_pca or again):
            everything, n_epochs = np.arange(len(data)), self.best_epoch_
            finished = not self._repeat(data, everything, "refit", n_epochs, course, task, rng)
            self._saw_all_rows = again and not is_pca
        if not finished:
            vars(self).update(validated)

    def _confirm(self, data, train, valid, kept, course, task, rng):
        """Ask other training rows, too, whether the net beats PCA; else keep PCA.

        The net is trained anew without them. There may be none to ask, as with None as `train`.
        True where a callback asks to stop.
        """
        gains, stopped = kept.gains, False
        of_pca = _components.of_pca(self._axes, self._width, self._coordinates.fill)
        mean = self._axes.mean
        asked = np.empty(0, dtype=np.intp)
        if train is not None:
            others, asked = rows_to_confirm(data, train, gains.n_independent, rng)
        if len(asked) > 0:
            stopped = self._repeat(data, others, "confirm", kept.epoch, course, task, rng)
            gains += _training.gains_of(self, Part(data, asked))
        if not stopped and not _evidence.better_than_chance(gains, few=True):
            self.best_epoch_, self.validation_score_ = 0, self.pca_validation_score_
            if self.nested:
                share = _components.explained_by_each(of_pca, *valid, mean)
                self._set_shares(share, choose=True)
        return stopped

    def _why_pca(self, course, valid):
        """Return a line that says that the result is PCA, and why."""
        if course.n_epochs > 0:
            losses = self.history_["valid_loss"]
            why = "no epoch had a lower validation loss"
            if losses.min() < losses[0]:
                why = f"the gain over PCA on {len(valid.rows)} validation rows may be chance"
        elif self._axes.constant:
            why = "X is constant"
        elif self.max_epochs == 0:
            why = "max_epochs is 0"
        else:
            why = "there are too few distinct rows to validate on"
        return f"The result is PCA with {self.n_components_} components: {why}."

    def _repeat(self, data, rows, name, n_epochs, course, task, rng):
        """Start anew on some rows, and train for the first epochs of the course.

        True where a callback asks to stop.
        """
        history, net_history = self.history_, self.net_.history
        # PCA of other rows may need another number of components for the same share of variance.
        keeps_width = n_epochs > 0 or self.nested
        self._start(data, rows, rng, self._width if keeps_width else None)
        stopped = False
        if n_epochs > 0:
            task = task.subcontext(task_name=name, max_subtasks=n_epochs)
            task.call_on_fit_task_begin(estimator=self, X=data.X, y=data.y)
            course = replace(course, last=n_epochs)
            stopped = _training.train(self, Part(data, rows), None, course, 0, task).stopped
            task.call_on_fit_task_end(estimator=self, X=data.X, y=data.y)
        self.net_.rest(self._coordinates.dtype)
        self.history_, self.net_.history = history, net_history
        return stopped

    def _measure_noise(self, data, rows):
        """Set the variance of a variational code's noise."""
        if self.variational and self.loss == "squared_error":
            network = self._whole_network(data)
            self.noise_variance_ = _variational.noise_variance(network, data, rows)

    def _explain(self, data, rows, resume):
        """Set the share of the variance of some rows that each nested component adds.

        Their number is chosen by it in the first call, and kept in those that go on from there.
        """
        if self.nested:
            of_network = _components.of_network(self._whole_network(data))
            share = _components.explained_by_each(of_network, data, rows, self._axes.mean)
            self._set_shares(share, choose=not resume)

    def _set_shares(self, share, choose):
        """Set what each component explains and, if asked for a share, how many there are."""
        n_components = self.n_components_
        if choose and _start.asks_for_share(self):
            n_components = _components.fewest(share, self.n_components)
        self.explained_variance_ratio_ = share[:n_components]

    def _describe(self, data, before=None):
        """Set what is told of the components, from their codes of these rows and those before."""
        network = self._whole_network(data)
        moments = _components.moments_of_fit(network, data)
        self._moments = moments if before is None else before + moments
        if self.nested:
            self.n_components_ = len(self.explained_variance_ratio_)
        covariance = self._moments.covariance
        self.explained_variance_ = np.diag(covariance)[: self.n_components_].copy()
        self._whitening = None
        if self.whiten:
            components = self._axes.components if _start.starts_at_pca(self) else None
            dtype = self._coordinates.dtype
            rounding = rounding_variances(self.mean_, covariance, dtype, components)
            self._whitening = Whitening(self._moments.mean, covariance, rounding)
            self._whitening.to(self._coordinates.mean.device)
        if self.variational:
            self._sampler = _variational.prior(network)
        else:
            self._sampler = _sampling.code_mixture(network, data)


def _without_batches(epoch: dict) -> dict:
    """Give a row of skorch's history without its batches and marks."""
    dropped = {"batches", "train_loss_best", "valid_loss_best"}
    return {name: value for name, value in epoch.items() if name not in dropped}

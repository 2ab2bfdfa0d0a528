"""VariationalAutoencoderTransformer: an autoencoder whose codes have a prior."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from sk_autoencoder._base import BaseAutoencoder
from sk_autoencoder._config import constraints_of
from sk_autoencoder._sklearn_compat import StrOptions


class VariationalAutoencoderTransformer(BaseAutoencoder):
    """Dimensionality reduction with a variational autoencoder that starts at probabilistic PCA.

    Codes are means of normal distributions, which a prior holds together [1]_: `sample` draws new
    rows from the prior, and `score_samples` gives the evidence lower bound of the log-likelihood.
    The network starts at probabilistic PCA [2]_, whose codes are those of PCA, shrunken, and whose
    prior is normal with the variance of the components beyond the noise, in the units of X. With
    `module`, or without `linear_shortcut`, the prior has variance 1 in the units in which the
    network sees X. The variance of the noise is always the one that suits the reconstructions best
    [3]_, so that there is nothing to tune, and codes do not collapse to the prior.

    It differs from `AutoencoderTransformer` in this: the epoch with the best bound is kept, without
    a test against PCA; components are not nested; losses in `history_` are the bound as an error,
    the mean squared one times ``exp(2 * KL / n_features)``. Take it where new rows or likelihoods
    are asked for, and `AutoencoderTransformer` where codes and reconstructions are.

    Parameters named as there are the same.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Width of the code, at most ``min(n_samples, n_features)``, or more with `corruption` or
        `sparsity_penalty`. A float in (0, 1) takes the fewest components by which PCA explains
        that share of the variance of the training rows. None takes ``min(n_samples, n_features)``.

    whiten : bool, default=False
        Whether codes are centred and uncorrelated, with unit variances.

    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers, which the decoder reverses. "auto" takes three that
        halve, the first from 128 to 512, none below the code's.

    activation : {"celu", "elu", "gelu", "identity", "leaky_relu", "mish", "relu", "selu", \
            "sigmoid", "silu", "softplus", "tanh"}, default="silu"
        Activation behind each hidden layer.

    linear_shortcut : bool, default=True
        Whether to start at probabilistic PCA. False starts from random weights.

    dropout : float, default=0.0
        Share of hidden units that are zero in a step, in [0, 1).

    normalization : {"batch", "layer"}, default=None
        Normalization before each activation. With "batch", weights are not averaged.

    tied_weights : bool, default=False
        Whether the decoder's weights are the encoder's, transposed.

    pretrain : {"layerwise"}, default=None
        "layerwise" first trains each layer on what those below give [4]_. Only used when
        `linear_shortcut` is False.

    module : torch.nn.Module or callable, default=None
        A network in place of the stack, or what makes one. Its `encode` maps float32 tensors of
        shape (batch, n_features) to (batch, n_components), its `decode` back. Threads may not fit
        it together.

    loss : {"squared_error", "binary_crossentropy"}, default="squared_error"
        What is likely: normal noise around the reconstruction, or, for X in [0, 1], a logistic
        function behind the decoder.

    kl_weight : float, default=1.0
        Weight of the divergence from the prior in training: above 1 codes keep less, and their
        components part more [5]_.

    supervised_weight : float, default=0.0
        Weight of a linear head that predicts y from the code in training, by cross-entropy or the
        squared error of the standardised y [6]_ [7]_. At 1, knowing nothing loses as much as the
        mean of X. The class -1, NaN or None is no label.

    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, default=None
        What is done to rows before encoding [8]_. "masking" sets cells to the mean of their
        feature, "salt_and_pepper" to its least or greatest value, "swap" takes them from other
        rows. A callable takes a tensor of shape (batch, n_features) and a torch.Generator, and
        returns corrupted rows.

    corruption_level : float, default=0.3
        Standard deviation of "gaussian" noise in units of X, else share of cells. Only used when
        `corruption` is a name.

    sparsity_penalty : float, default=0.0
        Weight of a penalty that makes components zero in most rows. Penalties are of the order of
        1, and count in losses of the mean of X.

    sparsity : {"l1", "kl"}, default="l1"
        "l1" is the mean absolute value over the root mean square [9]_; "kl" compares mean
        activities with `sparsity_target` [10]_. Only used when `sparsity_penalty` is above 0.

    sparsity_target : float, default=0.05
        Mean activity of a component, in (0, 1). Only used when `sparsity` is "kl".

    contractive_penalty : float, default=0.0
        Weight of the share that noise of rows has in codes [11]_.

    orthogonality_penalty : float, default=0.0
        Weight of the mean squared correlation of pairs of components [12]_.

    weight_decay : "auto" or float, default="auto"
        Weight decay. "auto" is 0.1 for AdamW, and the default of other optimizers.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or callable, default="adamw"
        Optimizer, by name or as a class. "adamw" has betas of (0.9, 0.97), "sgd" a Nesterov
        momentum of 0.9.

    lr : "auto" or float, default="auto"
        Learning rate, the highest one of the schedule. "auto" is 5e-3.

    lr_schedule : {"one_cycle", "constant"}, default="one_cycle"
        Learning rate over `max_epochs`: a rise and a fall [13]_, or constant.

    average : bool, default=True
        Whether an epoch ends with averaged weights [14]_. Only used in `fit`, when `module` is
        None.

    batch_size : "auto" or int, default="auto"
        Rows a step. "auto" takes from 16 to 256, for some 16 batches an epoch.

    max_epochs : "auto" or int, default="auto"
        Largest number of epochs. "auto" makes some 4000 steps, in 12 to 400 epochs.

    warm_start : bool, default=False
        Whether `fit` goes on from the last call, with its optimizer.

    early_stopping : bool, default=True
        Whether to set rows aside for validation, and keep the best epoch. False keeps the last
        weights.

    validation_fraction : "auto" or float, default="auto"
        Share of the rows, or groups, that is set aside, in (0, 1). "auto" is a tenth, or 100 rows,
        but at most a third. Only used when `early_stopping` is True.

    refit : "auto" or bool, default="auto"
        Whether to train once more on all rows, for as many epochs as were best. "auto" does so
        with fewer than 2000. Only used when `early_stopping` is True, without `callbacks`, `X_val`
        or `warm_start`.

    n_iter_no_change : int, default=100
        Epochs without a better validation loss before training stops.

    tol : float, default=1e-4
        Share by which a better validation loss has to be lower.

    random_state : int, RandomState instance or None, default=None
        Determines split, first weights and order of rows. An int repeats a fit bit by bit on one
        machine.

    device : str or torch.device, default="auto"
        Device that trains, such as "cuda:0" or "mps". "auto" takes a CUDA GPU, else the CPU.

    precision : {"auto", "bfloat16", "float32", "tf32"}, default="float32"
        Precision of matrix products in training. "auto" takes bfloat16, or TF32 on CUDA, where
        that is quicker and PCA leaves 1 % of the variance.

    compile : bool, default=False
        Whether to use `torch.compile`, which needs a C++ compiler.

    distributed : bool or "auto", default="auto"
        Whether to train with other processes of the same script, as torchrun starts them. "auto"
        does so where it finds some; True needs them.

    callbacks : list, default=None
        Callbacks of skorch, or (name, callback) pairs.

    net_params : dict, default=None
        Further parameters of skorch's `NeuralNet`, such as ``{"optimizer__betas": (0.9, 0.95)}``
        or, with a class as `module`, ``{"module__width": 32}``.

    checkpoint : str or os.PathLike, default=None
        File that ``fit(X, resume_from=checkpoint)`` goes on from.

    checkpoint_every : int, default=10
        Epochs between two writes of it.

    on_interrupt : {"raise", "stop"}, default="raise"
        What Ctrl-C does in `fit`: "stop" ends it after the epoch.

    verbose : int or bool, default=0
        Whether to print a line an epoch, and why the result is PCA.

    Attributes
    ----------
    model_ : FittedAutoencoder
        The fitted autoencoder alone: immutable, NumPy in and out, safe in threads.

    net_ : skorch.NeuralNet
        The trained net, whose `predict` gives reconstructions. Only `warm_start` and `partial_fit`
        keep its optimizer.

    n_components_ : int
        Width of the code.

    explained_variance_ : ndarray of shape (`n_components_`,)
        Variance of each component on training rows, before whitening, float64.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows, float64.

    history_ : pandas.DataFrame
        A row an epoch: "epoch", "train_loss", "valid_loss", "dur" in seconds, and what callbacks
        record. Losses are means over cells, by default in the squared units of X, of rows as they
        are read: corrupted, or with further cells masked where some are missing. Row 0 is the
        network before its first step.

    n_iter_ : int
        Epochs of the last call.

    best_epoch_ : int
        The epoch that was kept; 0 is the start.

    is_pca_ : bool
        False: there is no test against PCA.

    validation_score_ : float or None
        Share of the variance, or other `loss`, explained on validation rows.

    pca_validation_score_ : float or None
        The same for PCA of the training rows.

    noise_variance_ : float
        Variance of the noise of a cell, in the squared units of X: the expected mean squared error
        of at most 1000 validation rows or, without any, training rows. Only with the squared error.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features.

    See Also
    --------
    AutoencoderTransformer : Starts at PCA, and is PCA where nothing better is found.
    sklearn.decomposition.PCA : The linear reduction; its `score_samples` is a likelihood too.

    Notes
    -----
    With scikit-learn's array API dispatch, X may be a tensor on any device, or an array of another
    library, and so are then results and array attributes.

    References
    ----------
    .. [1] Kingma and Welling (2014). ICLR.
    .. [2] Tipping and Bishop (1999). J. R. Statist. Soc. B 61(3).
    .. [3] Rybkin, Daniilidis and Levine (2021). ICML.
    .. [4] Bengio et al. (2007). NeurIPS 19.
    .. [5] Higgins et al. (2017). ICLR.
    .. [6] Le, Patterson and White (2018). NeurIPS 31.
    .. [7] Verma et al. (2019). ICML.
    .. [8] Vincent et al. (2010). JMLR 11.
    .. [9] Hoyer (2004). JMLR 5.
    .. [10] Ng (2011). CS294A lecture notes, Stanford University.
    .. [11] Rifai et al. (2011). ICML.
    .. [12] Cogswell et al. (2016). ICLR.
    .. [13] Smith and Topin (2018). arXiv:1708.07120.
    .. [14] Polyak and Juditsky (1992). SIAM J. Control Optim. 30(4).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import VariationalAutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = VariationalAutoencoderTransformer(8, max_epochs=5, random_state=0).fit(X)
    >>> autoencoder.sample(3, random_state=0).shape
    (3, 64)
    """

    def __init__(
        self,
        n_components: int | float | str | None = 2,
        *,
        whiten: bool = False,
        hidden_layer_sizes: str | Sequence[int] = "auto",
        activation: str = "silu",
        linear_shortcut: bool = True,
        dropout: float = 0.0,
        normalization: str | None = None,
        tied_weights: bool = False,
        pretrain: str | None = None,
        module: Any = None,
        loss: str | Callable[..., Any] = "squared_error",
        kl_weight: float = 1.0,
        supervised_weight: float = 0.0,
        corruption: str | Callable[..., Any] | None = None,
        corruption_level: float = 0.3,
        sparsity_penalty: float = 0.0,
        sparsity: str = "l1",
        sparsity_target: float = 0.05,
        contractive_penalty: float = 0.0,
        orthogonality_penalty: float = 0.0,
        weight_decay: str | float = "auto",
        optimizer: Any = "adamw",
        lr: str | float = "auto",
        lr_schedule: Any = "one_cycle",
        average: bool = True,
        batch_size: str | int = "auto",
        max_epochs: str | int = "auto",
        warm_start: bool = False,
        early_stopping: bool = True,
        validation_fraction: str | float = "auto",
        refit: str | bool = "auto",
        n_iter_no_change: int = 100,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device = "auto",
        precision: str = "float32",
        compile: bool = False,
        distributed: str | bool = "auto",
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 10,
        on_interrupt: str = "raise",
        verbose: int | bool = 0,
    ) -> None:
        self.n_components = n_components
        self.whiten = whiten
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.linear_shortcut = linear_shortcut
        self.dropout = dropout
        self.normalization = normalization
        self.tied_weights = tied_weights
        self.pretrain = pretrain
        self.module = module
        self.loss = loss
        self.kl_weight = kl_weight
        self.supervised_weight = supervised_weight
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.sparsity_penalty = sparsity_penalty
        self.sparsity = sparsity
        self.sparsity_target = sparsity_target
        self.contractive_penalty = contractive_penalty
        self.orthogonality_penalty = orthogonality_penalty
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.average = average
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.compile = compile
        self.distributed = distributed
        self.callbacks = callbacks
        self.net_params = net_params
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.on_interrupt = on_interrupt
        self.verbose = verbose

    # Losses that are likelihoods.
    _parameter_constraints: ClassVar[dict] = constraints_of(__init__) | {
        "loss": [StrOptions({"squared_error", "binary_crossentropy"})]
    }

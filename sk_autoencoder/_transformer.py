"""AutoencoderTransformer: an autoencoder where PCA stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from sk_autoencoder._base import BaseAutoencoder
from sk_autoencoder._config import constraints_of


class AutoencoderTransformer(BaseAutoencoder):
    """Dimensionality reduction with a stacked autoencoder that starts at PCA.

    An encoder of layers that get narrower maps rows to codes, and a decoder that mirrors it maps
    them back, with a small mean squared error [1]_. Both start at PCA. The best validation epoch is
    kept if it beats PCA by more than chance; else the result is PCA of all rows.

    Copies of a row stay on one side of the split. Pass `groups` or `X_val` to `fit` where other
    rows depend on each other. `set_params` changes no result before the next fit.

    Parameters
    ----------
    n_components : int, float, "auto" or None, default=2
        Width of the code, at most ``min(n_samples, n_features)``, which None takes; more with
        `corruption` or `sparsity_penalty`. A float in (0, 1) takes the fewest that explain that
        share of the variance; "auto", with `nested`, those before the elbow [2]_, at most 32.

    nested : bool, default=False
        Whether ``Z[:, :j]`` is a code of j components, which `inverse_transform` takes [3]_.

    whiten : bool, default=False
        Whether codes are centred and uncorrelated, with unit variances.

    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers, which the decoder reverses. "auto" takes three that
        halve, the first from 128 to 512, none below the code's.

    activation : {"auto", "celu", "elu", "gelu", "identity", "leaky_relu", "mish", "relu", "selu", \
            "sigmoid", "silu", "softplus", "tanh"}, default="auto"
        Activation. "auto" is "elu" for few rows without noise or penalties, else "silu".

    linear_shortcut : bool, default=True
        Whether to start at PCA. False gives the textbook stack, with random weights.

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

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy", "poisson"} or \
            callable, default="squared_error"
        Loss of a cell. "huber" is quadratic up to 1. "binary_crossentropy", for X in [0, 1], puts a
        logistic function behind the decoder, "poisson", for X from 0 on, an exponential. A callable
        takes reconstruction and X, tensors of shape (batch, n_features), and returns losses in that
        shape.

    supervised_weight : float, default=0.0
        Weight of a linear head that predicts y from the code in training, by cross-entropy or the
        squared error of the standardised y [5]_ [6]_. At 1, knowing nothing loses as much as the
        mean of X. The class -1, NaN or None is no label.

    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, default=None
        What is done to rows before encoding [7]_. "masking" sets cells to the mean of their
        feature, "salt_and_pepper" to its least or greatest value, "swap" takes them from other
        rows. A callable takes a tensor of shape (batch, n_features) and a torch.Generator, and
        returns corrupted rows.

    corruption_level : float, default=0.3
        Standard deviation of "gaussian" noise in units of X, else share of cells. Only used when
        `corruption` is a name.

    sparsity_penalty : float, default=0.0
        Weight, about 1, of a penalty that makes most components of a row zero. There is then no
        test against PCA.

    sparsity : {"l1", "kl"}, default="l1"
        "l1" is the mean absolute value over the root mean square [8]_; "kl" compares mean
        activities with `sparsity_target` [9]_. Only used when `sparsity_penalty` is above 0.

    sparsity_target : float, default=0.05
        Mean activity of a component, in (0, 1). Only used when `sparsity` is "kl".

    contractive_penalty : float, default=0.0
        Weight of the share that noise of rows has in codes [10]_.

    orthogonality_penalty : float, default=0.0
        Weight of the mean squared correlation of pairs of components [11]_.

    weight_decay : "auto" or float, default="auto"
        Weight decay. "auto" is 0.1 for AdamW, and the default of other optimizers.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or callable, default="adamw"
        Optimizer, by name or as a class. "adamw" has betas of (0.9, 0.97), "sgd" a Nesterov
        momentum of 0.9.

    lr : "auto" or float, default="auto"
        Highest learning rate. "auto" is 5e-3; where Adam starts at PCA with a smooth loss alone,
        2.56 over the first hidden width [12]_, from 5e-3 to 0.02, and half of it with "elu".

    lr_schedule : {"one_cycle", "constant"}, default="one_cycle"
        Learning rate over `max_epochs`: a rise and a fall [13]_, or constant.

    average : bool, default=True
        Whether an epoch ends with averaged weights [14]_. Only used in `fit`, when `module` is
        None.

    batch_size : "auto" or int, default="auto"
        Rows a step. "auto" takes 16 to 256 first, for some 16 batches an epoch.

    max_epochs : "auto" or int, default="auto"
        Most epochs. "auto" makes 2000 to 4000 steps, in 12 to 400 epochs; fewer than 2000 rows
        begin with 1000, in twice the epochs while validation rows gain.

    warm_start : bool, default=False
        Whether `fit` goes on from the last call, with its optimizer.

    early_stopping : bool, default=True
        Whether to set rows aside for validation, and keep the best epoch. False keeps the last
        weights.

    validation_fraction : "auto" or float, default="auto"
        Share of the rows, or groups, set aside. "auto" is a tenth, or a third of fewer than 2000
        distinct rows, in turn. Only used when `early_stopping` is True.

    refit : "auto" or bool, default="auto"
        Whether to train once more on all rows, for as many epochs as were best. "auto" does so
        with fewer than 2000. Only used when `early_stopping` is True, without `callbacks`, `X_val`
        or `warm_start`.

    shrinkage : "auto" or float, default="auto"
        Share of the way from the trained weights back to PCA, in [0, 1) [15]_. "auto" chooses 0,
        0.25, 0.5, 0.75 or PCA by validation, a float that or PCA. Only used when `early_stopping`
        and `linear_shortcut` are True, without penalties.

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
        Whether to print each epoch, and why the result is PCA.

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

    explained_variance_ratio_ : ndarray of shape (`n_components_`,)
        Share of the variance of validation rows, else training rows, that each component adds,
        float64. Only with `nested`.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows, float64.

    history_ : pandas.DataFrame
        A row an epoch, from PCA on: "epoch", "train_loss", "valid_loss", "dur" in seconds,
        "shrinkage", and what callbacks record. Losses are means over cells, by default in squared
        units of X.

    n_iter_ : int
        Epochs of the last call.

    best_epoch_ : int
        The epoch that was kept; 0 is the start.

    is_pca_ : bool
        Whether the result is PCA.

    shrinkage_ : float
        Share of the way back to PCA; 1 is PCA.

    validation_score_ : float or None
        Share of the variance, or other `loss`, explained on validation rows.

    pca_validation_score_ : float or None
        The same for PCA of the training rows.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features.

    See Also
    --------
    VariationalAutoencoderTransformer : Codes with a prior.
    sklearn.decomposition.PCA : The start.
    compare_with_pca : Both compared.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). Science 313.
    .. [2] Zhu and Ghodsi (2006). Computational Statistics & Data Analysis 51(2).
    .. [3] Rippel, Gelbart and Adams (2014). ICML.
    .. [4] Bengio et al. (2007). NeurIPS 19.
    .. [5] Le, Patterson and White (2018). NeurIPS 31.
    .. [6] Verma et al. (2019). ICML.
    .. [7] Vincent et al. (2010). JMLR 11.
    .. [8] Hoyer (2004). JMLR 5.
    .. [9] Ng (2011). CS294A lecture notes, Stanford University.
    .. [10] Rifai et al. (2011). ICML.
    .. [11] Cogswell et al. (2016). ICLR.
    .. [12] Yang et al. (2022). arXiv:2203.03466.
    .. [13] Smith and Topin (2018). arXiv:1708.07120.
    .. [14] Polyak and Juditsky (1992). SIAM J. Control Optim. 30(4).
    .. [15] Wortsman et al. (2022). CVPR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> AutoencoderTransformer(8, max_epochs=5, random_state=0).fit_transform(X).shape
    (1797, 8)
    """

    def __init__(
        self,
        n_components: int | float | str | None = 2,
        *,
        nested: bool = False,
        whiten: bool = False,
        hidden_layer_sizes: str | Sequence[int] = "auto",
        activation: str = "auto",
        linear_shortcut: bool = True,
        dropout: float = 0.0,
        normalization: str | None = None,
        tied_weights: bool = False,
        pretrain: str | None = None,
        module: Any = None,
        loss: str | Callable[..., Any] = "squared_error",
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
        shrinkage: str | float = "auto",
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
        self.nested = nested
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
        self.shrinkage = shrinkage
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

    _parameter_constraints: ClassVar[dict] = constraints_of(__init__)

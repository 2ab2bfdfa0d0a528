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

    An encoder of layers that get narrower maps rows of X to codes, and the mirrored decoder maps
    them back. Training makes the mean squared error of the reconstruction small [1]_. A linear path
    beside each of the two starts as the solution of PCA, so that the network begins as PCA. The
    weights of the best validation epoch are kept if they beat PCA: if the mean gain exceeds its
    standard error [2]_, and Wilcoxon's signed-rank test passes at 5 %. With fewer than 100
    validation rows, the network is trained again without an equally large second set; the gain on
    both sets must exceed two standard errors and pass at 0.1 %. Else the result is PCA of all rows.

    Exact copies of a row stay on one side of the split, and count once. Pass `groups` or `X_val` to
    `fit` where other rows depend on each other.

    Methods answer from what was fitted: `set_params` changes no result before the next fit.

    Parameters
    ----------
    n_components : int, float, "auto" or None, default=2
        Width of the code, at most ``min(n_samples, n_features)``, which None takes; more with
        `corruption` or `sparsity_penalty`. A float in (0, 1) takes the fewest components that
        explain that share of the variance; "auto", with `nested`, as many as stand before the elbow
        of what components add on rows not trained on, by a profile likelihood [21]_: at most 32.
        Where few do, it trains anew with fewer beside them.

    nested : bool, default=False
        Whether to order the components: ``Z[:, :j]`` is then a code of j components, which
        `inverse_transform` takes [3]_. Losses are means over several sizes of the code.

    whiten : bool, default=False
        Whether `transform` gives codes that are centred and uncorrelated, with unit variances.

    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. "auto" takes three
        widths that halve, the first from 128 to 512 and none below that of the code.

    activation : {"celu", "elu", "gelu", "identity", "leaky_relu", "mish", "relu", "selu", \
            "sigmoid", "silu", "softplus", "tanh"}, default="silu"
        Activation behind each hidden layer. The code and the output have none.

    linear_shortcut : bool, default=True
        Whether to start at PCA. False gives the textbook stack, which starts from random weights.

    dropout : float, default=0.0
        Share of the hidden units that are zero in a step, in [0, 1) [4]_.

    normalization : {"batch", "layer"}, default=None
        Normalization between each hidden layer and its activation [5]_ [6]_. With "batch",
        weights are not averaged.

    tied_weights : bool, default=False
        Whether the decoder's weights are the transposes of the encoder's.

    pretrain : {"layerwise"}, default=None
        "layerwise" first trains each layer and its mirror on what the layers below give [7]_. Only
        used when `linear_shortcut` is False.

    module : torch.nn.Module or callable, default=None
        A network in place of the stack: a module, which is copied, or what makes one. Its `encode`
        maps rows of X, a float32 tensor of shape (batch, n_features), to (batch, n_components), and
        its `decode` maps them back. It draws from torch's global generator, so that threads may not
        fit it together.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy", "poisson"} or \
            callable, default="squared_error"
        Loss of a cell. "huber" is quadratic up to an error of 1. "binary_crossentropy", for X in
        [0, 1], puts a logistic function behind the decoder, and "poisson", half the deviance for X
        from 0 on, an exponential. A callable takes reconstruction and X as tensors of shape
        (batch, n_features), and returns the loss of each cell in that shape.

    supervised_weight : float, default=0.0
        Weight of a linear head that predicts y from the code in training: by cross-entropy for
        classes, by the squared error of the standardised y for values [8]_ [9]_. At 1, a head that
        knows nothing loses as much as the mean of X. The class -1, NaN or None is no label. With
        0, y is ignored.

    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, default=None
        What is done to rows before they are encoded, while the target stays clean [10]_.
        "masking" sets cells to the mean of their feature, "salt_and_pepper" to its least or
        greatest value, and "swap" takes them from other rows. A callable takes rows, a tensor of
        shape (batch, n_features), and a torch.Generator, and returns corrupted rows.

    corruption_level : float, default=0.3
        Standard deviation of "gaussian" noise, in the units of X; else the share of cells. Only
        used when `corruption` is a name.

    sparsity_penalty : float, default=0.0
        Weight of a penalty, of the order of 1, that makes components zero in most rows. It counts
        in losses of the mean of X. With one, there is no test against PCA.

    sparsity : {"l1", "kl"}, default="l1"
        "l1" is the mean absolute value of components, as shares of their root mean squares [11]_;
        "kl" compares their mean activities with `sparsity_target` [12]_. Only used when
        `sparsity_penalty` is above 0.

    sparsity_target : float, default=0.05
        Mean activity of a component, in (0, 1). Only used when `sparsity` is "kl".

    contractive_penalty : float, default=0.0
        Weight of the share that noise of the rows has in the codes [13]_ [14]_.

    orthogonality_penalty : float, default=0.0
        Weight of the mean squared correlation of pairs of components over a batch [15]_.

    weight_decay : "auto" or float, default="auto"
        Weight decay of the optimizer. "auto" is 0.1 for AdamW, and the default of the others.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or callable, default="adamw"
        Optimizer, by name or as a class of torch. "adamw" has betas of (0.9, 0.97), and "sgd" a
        Nesterov momentum of 0.9.

    lr : "auto" or float, default="auto"
        Learning rate, the highest one of the schedule. "auto" is 5e-3. Where Adam goes on from PCA
        by a smooth loss, without penalties, corruption, missing cells or dropout, it is 2.56 over
        the width of the first hidden layer [18]_, between that and 0.02, and above it gradients
        longer than the last ones are cut [19]_.

    lr_schedule : {"one_cycle", "constant"}, default="one_cycle"
        Schedule of the learning rate over `max_epochs`: one rise and one fall [16]_, or none.

    average : bool, default=True
        Whether an epoch ends with a moving average of the weights [17]_. Only used in `fit`, when
        `module` is None.

    batch_size : "auto" or int, default="auto"
        Rows a step. "auto" is a power of two, from 16 to 256, for some 16 batches an epoch.

    max_epochs : "auto" or int, default="auto"
        Largest number of epochs. "auto" makes some 4000 steps, in 12 to 400 epochs. Where
        `lr` is chosen from the width, it makes fewer at a higher rate, down to 2000. Fewer than
        2000 rows, which judge in turn, begin with half as many, and train anew for twice as long,
        up to twice, while the rows set aside gain more by it than by chance.

    warm_start : bool, default=False
        Whether `fit` goes on from the last call, with its optimizer.

    early_stopping : bool, default=True
        Whether to set rows aside for validation, and keep the best epoch. False trains on all rows
        and keeps the last weights.

    validation_fraction : "auto" or float, default="auto"
        Share of the rows, or groups, that is set aside. "auto" is a tenth, or 100 rows, but at
        most a third; a third of fewer than 2000 distinct rows, which are then set aside in turn
        until the gain over PCA is sure. Only used when `early_stopping` is True.

    refit : "auto" or bool, default="auto"
        Whether to train once more on all rows, for as many epochs as were best. "auto" does so
        with fewer than 2000 distinct rows. Only used when `early_stopping` is True, without
        `callbacks`, `X_val` or `warm_start`.

    shrinkage : "auto" or float, default="auto"
        Share of the way from the trained weights back to those of PCA, at least 0 and below 1, as
        of a ridge [20]_. "auto" chooses 0, 0.25, 0.5, 0.75 or PCA by the rows set aside, a float
        that or PCA. Only used when `early_stopping` and `linear_shortcut` are True, without
        penalties.

    n_iter_no_change : int, default=100
        Epochs without a better validation loss after which training stops.

    tol : float, default=1e-4
        Share by which the validation loss has to fall to count in `n_iter_no_change`.

    random_state : int, RandomState instance or None, default=None
        Determines the split, the first weights and the order of rows. An int repeats a fit bit by
        bit on one machine.

    device : str or torch.device, default="auto"
        Device that trains, such as "cuda:0", "mps" or "xpu". "auto" takes a CUDA GPU where there is
        one, else the CPU. One without numbers of 64 bits trains alone: all else, and all methods
        of the fitted estimator, are computed on the CPU.

    precision : {"auto", "bfloat16", "float32", "tf32"}, default="float32"
        Precision of matrix products in training. "auto" takes bfloat16, or TF32 on CUDA, where
        that is quicker and PCA leaves at least a hundredth of the variance.

    compile : bool, default=False
        Whether to compile the module with `torch.compile`, which needs a C++ compiler.

    distributed : bool or "auto", default="auto"
        Whether to train together with other processes that run the same script, as torchrun
        starts them. "auto" does so where it finds some, and True needs them.

    callbacks : list, default=None
        Callbacks of skorch, or (name, callback) pairs, given what is in the units of X. Those of
        scikit-learn are set by `set_callbacks`.

    net_params : dict, default=None
        Further parameters of skorch's `NeuralNet`, such as ``{"optimizer__betas": (0.9, 0.95)}``
        or, with a class as `module`, ``{"module__width": 32}``.

    checkpoint : str or os.PathLike, default=None
        File for the state of `fit`, which ``fit(X, resume_from=checkpoint)`` goes on from.

    checkpoint_every : int, default=10
        Epochs between two states written.

    on_interrupt : {"raise", "stop"}, default="raise"
        What Ctrl-C does in `fit`: "stop" ends it after the epoch, and keeps the best one.

    verbose : int or bool, default=0
        Whether to print a line an epoch, "left" being the most seconds that the training still
        takes, and why the result is PCA.

    Attributes
    ----------
    model_ : FittedAutoencoder
        The fitted autoencoder by itself, with `encode`, `decode`, `reconstruct`, `sample` and
        `score_samples`, on NumPy arrays. It is immutable, and safe in threads.

    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module. `net_.predict` and `net_.forward`
        take rows of X and return reconstructions. Only `warm_start` and `partial_fit` keep its
        optimizer, so that pickles are small.

    n_components_ : int
        Width of the code.

    explained_variance_ : ndarray of shape (`n_components_`,)
        Variance of each component on the training rows, before whitening, float64.

    explained_variance_ratio_ : ndarray of shape (`n_components_`,)
        Share of the variance of the validation rows, else of the training rows, that each
        component adds to those before it, float64. Only with `nested`.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows, float64.

    history_ : pandas.DataFrame
        A row an epoch: "epoch", "train_loss", "valid_loss", "dur" in seconds, and what callbacks
        record. Losses are means over cells, by default in the squared units of X, of rows as they
        are read: corrupted, or with further cells masked where some are missing. Row 0 is PCA.
        "shrinkage" is the share of the way back to PCA that suits the weights of an epoch best, NaN
        where that was not asked.

    n_iter_ : int
        Number of epochs of the last call.

    best_epoch_ : int
        The epoch whose weights were kept; 0 is the start.

    is_pca_ : bool
        Whether the result is PCA.

    shrinkage_ : float
        Share of the way by which the weights were moved back to PCA: 0 is the trained network, 1
        is PCA.

    validation_score_ : float or None
        Share of the variance of the validation rows that is explained, or of another `loss`; None
        without validation rows.

    pca_validation_score_ : float or None
        The same for PCA, fitted on the training rows.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where all are strings.

    See Also
    --------
    VariationalAutoencoderTransformer : Codes with a prior, and a bound of the likelihood.
    sklearn.decomposition.PCA : The linear reduction that this one starts from.
    compare_with_pca : Both, on rows that neither has seen.

    Notes
    -----
    With scikit-learn's array API dispatch, X may be a tensor on any device, or an array of another
    library, and so are then results and array attributes.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). Reducing dimensionality with networks. Science 313.
    .. [2] Breiman et al. (1984). Classification and regression trees. Section 3.4.3.
    .. [3] Rippel, Gelbart and Adams (2014). Learning ordered representations with nested dropout.
    .. [4] Srivastava et al. (2014). Dropout. JMLR 15.
    .. [5] Ioffe and Szegedy (2015). Batch normalization. ICML.
    .. [6] Ba, Kiros and Hinton (2016). Layer normalization. arXiv:1607.06450.
    .. [7] Bengio et al. (2007). Greedy layer-wise training of deep networks. NeurIPS.
    .. [8] Le, Patterson and White (2018). Supervised autoencoders. NeurIPS.
    .. [9] Verma et al. (2019). Manifold mixup. ICML.
    .. [10] Vincent et al. (2010). Stacked denoising autoencoders. JMLR 11.
    .. [11] Hoyer (2004). Non-negative matrix factorization with sparseness constraints. JMLR 5.
    .. [12] Ng (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.
    .. [13] Rifai et al. (2011). Contractive auto-encoders. ICML.
    .. [14] Hutchinson (1990). A stochastic estimator of the trace. Communications in Statistics 19.
    .. [15] Cogswell et al. (2016). Reducing overfitting by decorrelating representations. ICLR.
    .. [16] Smith and Topin (2018). Super-convergence. arXiv:1708.07120.
    .. [17] Polyak and Juditsky (1992). Acceleration by averaging. SIAM J. Control Optim. 30(4).
    .. [18] Yang et al. (2022). Tensor programs V. arXiv:2203.03466.
    .. [19] Seetharaman et al. (2020). AutoClip. IEEE MLSP.
    .. [20] Wortsman et al. (2022). Robust fine-tuning of zero-shot models. CVPR.
    .. [21] Zhu and Ghodsi (2006). Automatic dimensionality selection from the scree plot via the
       use of profile likelihood. Computational Statistics & Data Analysis 51(2).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, max_epochs=5, random_state=0)
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    """

    def __init__(
        self,
        n_components: int | float | str | None = 2,
        *,
        nested: bool = False,
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

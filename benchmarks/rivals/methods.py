"""Methods that reduce rows and give them back, as their users would call them.

Each takes the rows to fit, the number of components and a seed, and returns a function that
reconstructs rows. What has to be tuned is tuned on a part of the rows to fit, within the time
that is counted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import loguniform
from sklearn.decomposition import PCA, KernelPCA
from sklearn.model_selection import ParameterGrid, ParameterSampler, train_test_split
from sklearn.neural_network import MLPRegressor

from sk_autoencoder import AutoencoderTransformer

Reconstruct = Callable[[np.ndarray], np.ndarray]
Method = Callable[[np.ndarray, int, int], Reconstruct]

# Of the rows to fit, set aside to tune on.
SHARE_TO_TUNE = 0.2

N_TRIALS = 20
TEXTBOOK = {
    "hidden_layer_sizes": [(32,), (64,), (128,), (64, 32), (128, 64), (256, 128)],
    "activation": ["relu", "tanh", "elu", "gelu"],
    "lr": loguniform(3e-4, 1e-2),
    "batch_size": [16, 32, 64, 128],
    "max_epochs": [25, 50, 100, 200],
    "weight_decay": loguniform(1e-6, 1e-3),
}

# Gammas in units of one over the number of features, which have unit variance.
KERNEL_PCA = {"gamma": [0.03, 0.1, 0.3, 1.0], "alpha": [1e-3, 1e-2, 1e-1, 1.0]}


def squared_error(reconstruct: Reconstruct, X: np.ndarray) -> float:
    """Return the sum of squared errors, inf where a method has diverged."""
    with np.errstate(all="ignore"):
        error = float(np.square(X - reconstruct(X)).sum())
    return error if np.isfinite(error) else np.inf


def tuned(fit: Callable[..., Reconstruct], trials, X: np.ndarray, seed: int) -> Reconstruct:
    """Fit with each of some parameters on a part of the rows, and with the best on all."""
    train, judges = train_test_split(X, test_size=SHARE_TO_TUNE, random_state=seed)
    errors = [squared_error(fit(train, **params), judges) for params in trials]
    return fit(X, **trials[int(np.argmin(errors))])


def pca(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    model = PCA(n_components, random_state=seed).fit(X)
    return lambda rows: model.inverse_transform(model.transform(rows))


def kernel_pca(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    """Fit a Gaussian kernel with its learned inverse, tuned by a small grid."""

    def fit(rows, *, gamma, alpha):
        model = KernelPCA(
            n_components,
            kernel="rbf",
            gamma=gamma / rows.shape[1],
            alpha=alpha,
            fit_inverse_transform=True,
            random_state=seed,
        ).fit(rows)
        return lambda new: model.inverse_transform(model.transform(new))

    return tuned(fit, list(ParameterGrid(KERNEL_PCA)), X, seed)


def mlp_regressor(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    """Fit scikit-learn's network as an autoencoder, stopped early."""
    width = max(64, n_components)
    model = MLPRegressor(
        hidden_layer_sizes=(width, n_components, width),
        activation="tanh",
        early_stopping=True,
        max_iter=1000,
        random_state=seed,
    ).fit(X, X)
    # With one feature it gives a vector.
    return lambda rows: model.predict(rows).reshape(rows.shape)


def textbook(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    """Fit the stack that starts anywhere, tuned by random trials."""

    def fit(rows, **params):
        model = AutoencoderTransformer(
            n_components,
            linear_shortcut=False,
            optimizer=torch.optim.AdamW,
            early_stopping=True,
            random_state=seed,
            **params,
        ).fit(rows)
        return model.reconstruct

    return tuned(fit, list(ParameterSampler(TEXTBOOK, N_TRIALS, random_state=seed)), X, seed)


def ours(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    return AutoencoderTransformer(n_components, random_state=seed).fit(X).reconstruct


def hypertools(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    from hypertools.reduce.autoencoders import DeepAutoencoder

    model = DeepAutoencoder(n_components, random_state=seed)
    model.fit(X)
    return lambda rows: np.asarray(model.inverse_transform(model.transform(rows)))


def encdr(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    from encdr import ENCDR

    model = ENCDR(latent_dim=n_components, random_state=seed).fit(X)
    return lambda rows: model.inverse_transform(model.transform(rows))


def pyod(X: np.ndarray, n_components: int, seed: int) -> Reconstruct:
    """Fit PyOD's network, which offers no codes, with a code of the size that is asked for."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(
        hidden_neuron_list=[64, 32, n_components],
        preprocessing=False,
        random_state=seed,
        verbose=0,
    ).fit(X.astype(np.float32))
    network = model.model.eval()

    @torch.inference_mode()
    def reconstruct(rows):
        return network(torch.as_tensor(rows, dtype=torch.float32)).numpy()

    return reconstruct


OURS, TUNED = "AutoencoderTransformer", "textbook, tuned"
METHODS: dict[str, Method] = {
    "PCA": pca,
    "KernelPCA, tuned": kernel_pca,
    "MLPRegressor": mlp_regressor,
    TUNED: textbook,
    OURS: ours,
}
OPTIONAL: dict[str, Method] = {"hypertools": hypertools, "encdr": encdr, "pyod": pyod}


def installed() -> dict[str, Method]:
    """Return the methods whose libraries are installed."""
    found = {n: m for n, m in OPTIONAL.items() if importlib.util.find_spec(n) is not None}
    return METHODS | found


def missing() -> list[str]:
    """Return the libraries that are not."""
    return sorted(set(OPTIONAL) - set(installed()))

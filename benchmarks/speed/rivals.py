"""Our fit and those of others: the same network, optimizer, batch size and epochs.

Each takes the rows as a float32 array, and is what a user of that library would write. The
network is the textbook one: linear layers with ReLU between, none behind the code and the
output, trained by Adam with a learning rate of 1e-3 on the mean squared error of all rows.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from skorch import NeuralNetRegressor
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.data import Case
from sk_autoencoder import AutoencoderTransformer

LR = 1e-3


def textbook(case: Case, **params) -> AutoencoderTransformer:
    """Our estimator as the textbook's autoencoder: a random start, all rows, the last weights."""
    textbook = {
        "hidden_layer_sizes": case.hidden,
        "activation": "relu",
        "linear_shortcut": False,
        "optimizer": "adam",
        "lr": LR,
        "lr_schedule": "constant",
        "average": False,
        "early_stopping": False,
        "batch_size": case.batch_size,
        "max_epochs": case.epochs,
        "random_state": 0,
    }
    return AutoencoderTransformer(case.code, **textbook | params)


def network(case: Case) -> nn.Sequential:
    """Give the same network in torch alone, with new weights."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(case.widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    del layers[2 * len(case.hidden) + 1], layers[-1]  # behind the code, and behind the output
    return nn.Sequential(*layers)


def ours(X: np.ndarray, case: Case, epochs: int) -> AutoencoderTransformer:
    return textbook(case, max_epochs=epochs).fit(X)


def dataloader_epochs(X: np.ndarray, case: Case) -> Iterator[nn.Module]:
    """Train with the loop of PyTorch's tutorials, and yield the module after each epoch."""
    module = network(case)
    optimizer = torch.optim.Adam(module.parameters(), lr=LR)
    dataset = TensorDataset(torch.from_numpy(X))
    loader = DataLoader(dataset, batch_size=case.batch_size, shuffle=True)
    while True:
        for (x,) in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(module(x), x).backward()
            optimizer.step()
        yield module


def dataloader_loop(X: np.ndarray, case: Case, epochs: int) -> nn.Module:
    """Train with the loop of PyTorch's tutorials for some epochs."""
    return next(islice(dataloader_epochs(X, case), epochs - 1, None))


def slicing_loop(X: np.ndarray, case: Case, epochs: int) -> nn.Module:
    """Train with a loop by someone who knows that a `DataLoader` collates row by row."""
    module = network(case)
    optimizer = torch.optim.Adam(module.parameters(), lr=LR, fused=True)
    rows = torch.from_numpy(X)
    for _ in range(epochs):
        for index in torch.randperm(len(rows)).split(case.batch_size):
            x = rows[index]
            optimizer.zero_grad()
            nn.functional.mse_loss(module(x), x).backward()
            optimizer.step()
    return module


def plain_skorch(X: np.ndarray, case: Case, epochs: int) -> NeuralNetRegressor:
    net = NeuralNetRegressor(
        network,
        module__case=case,
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=case.batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return net.fit(X, X)


def mlp(case: Case, **params) -> MLPRegressor:
    """Give the same network in scikit-learn, untrained."""
    return MLPRegressor(
        hidden_layer_sizes=case.widths[1:-1],
        activation="relu",  # behind the code too: there is no way to say otherwise
        learning_rate_init=LR,
        batch_size=case.batch_size,
        **params,
    )


def mlp_regressor(X: np.ndarray, case: Case, epochs: int) -> MLPRegressor:
    model = mlp(case, max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1, alpha=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told when to stop
        return model.fit(X, X)


def pyod(X: np.ndarray, case: Case, epochs: int):
    """Train PyOD's detector, whose fit also scores the rows."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(
        hidden_neuron_list=[*case.hidden, case.code],
        batch_norm=False,
        dropout_rate=0.0,
        preprocessing=False,
        lr=LR,
        batch_size=case.batch_size,
        epoch_num=epochs,
        verbose=0,
    )
    return model.fit(X)


def encdr(X: np.ndarray, case: Case, epochs: int):
    """Train encdr's transformer, which runs on Lightning."""
    from encdr import ENCDR

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    model = ENCDR(
        hidden_dims=list(case.hidden),
        latent_dim=case.code,
        learning_rate=LR,
        batch_size=case.batch_size,
        max_epochs=epochs,
        validation_split=0.0,
        standardize=False,
        trainer_kwargs={
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on worker processes
        return model.fit(X)


OURS = "ours"
FITS: dict[str, Callable] = {
    OURS: ours,
    "dataloader": dataloader_loop,
    "slicing": slicing_loop,
    "skorch": plain_skorch,
    "mlp": mlp_regressor,
    "pyod": pyod,
    "encdr": encdr,
}
LABELS = {
    OURS: "AutoencoderTransformer",
    "dataloader": "DataLoader loop by hand",
    "slicing": "slicing loop by hand",
    "skorch": "plain skorch",
    "mlp": "MLPRegressor",
    "pyod": "PyOD's AutoEncoder",
    "encdr": "encdr",
}
OPTIONAL = ("pyod", "encdr")


def is_installed(rival: str) -> bool:
    return rival not in OPTIONAL or importlib.util.find_spec(rival) is not None

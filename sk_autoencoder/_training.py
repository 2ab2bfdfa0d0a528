"""From checked X to a trained net: its start, its epochs, the callbacks that end them."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from skorch.callbacks import EarlyStopping
from skorch.utils import noop
from sklearn.model_selection import train_test_split
from torch import nn

from sk_autoencoder import _coordinates
from sk_autoencoder._batches import BLOCK_ROWS, Batches, Rows
from sk_autoencoder._coordinates import Coordinates, torch_dtype
from sk_autoencoder._module import StackedAutoencoder, auto_hidden_layer_sizes, check_module
from sk_autoencoder._net import AutoencoderNet, BestEpoch
from sk_autoencoder._principal_axes import PrincipalAxes

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

LR_SCHEDULES = ("one_cycle", "constant")

# The transformer sets these from its own parameters, so that net_params may not.
RESERVED_NET_PARAMS = frozenset(
    {
        "batch_size",
        "callbacks",
        "dataset",
        "device",
        "iterator_train",
        "iterator_valid",
        "lr",
        "max_epochs",
        "module",
        "optimizer",
        "train_split",
        "verbose",
        "warm_start",
    }
)

LEAST_AXES = 256
AXES_PER_COMPONENT = 4

BATCHES_PER_EPOCH = 16
BATCH_SIZES = (16, 256)
AUTO_STEPS = 4000
AUTO_EPOCHS = (12, 400)


def split_rows(estimator, n_samples: int, rng) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices of the training rows and, for early stopping, of the validation rows.

    A start at PCA needs more training rows than components: with fewer, PCA reconstructs
    them exactly, and no row is set aside.
    """
    rows = np.arange(n_samples)
    if not estimator.early_stopping:
        return rows, None
    train, valid = train_test_split(
        rows, test_size=estimator.validation_fraction, random_state=rng
    )
    if starts_at_pca(estimator) and len(train) <= estimator.n_components:
        return rows, None
    return np.sort(train), np.sort(valid)


def starts_at_pca(estimator) -> bool:
    """Whether the network before its first step is PCA."""
    return estimator.linear_shortcut and estimator.module is None


def find_axes(X: np.ndarray, index: np.ndarray, n_components: int, rng) -> PrincipalAxes:
    """Principal axes of rows of X, far more than the code has components."""
    n_axes = min(max(LEAST_AXES, AXES_PER_COMPONENT * n_components), len(index), X.shape[1])
    return PrincipalAxes.fit(X, index, n_axes, rng)


def choose_coordinates(estimator, axes: PrincipalAxes, dtype: torch.dtype) -> Coordinates:
    """Give the frame that suits the network: rotated onto the axes for a start at PCA."""
    if estimator.module is not None:
        return _coordinates.raw(axes, dtype)
    if starts_at_pca(estimator):
        return _coordinates.principal(axes, dtype)
    return _coordinates.standard(axes, dtype)


def build_net(estimator, coordinates: Coordinates, rng) -> AutoencoderNet:
    """Build the initialized skorch net that the estimator's parameters describe."""
    net_params = estimator.net_params or {}
    if reserved := RESERVED_NET_PARAMS.intersection(net_params):
        raise ValueError(
            f"net_params sets {sorted(reserved)}, which {type(estimator).__name__} sets from "
            "its own parameters. Use the parameter of that name, or leave it out."
        )
    seed = int(rng.randint(2**31))
    device = resolve_device(estimator.device)
    with local_torch_generator(estimator, seed, device):
        net = AutoencoderNet(
            **{
                "module": _module(estimator, coordinates, seed),
                "criterion": nn.MSELoss,
                "lr": estimator.lr,
                "iterator_train": Batches,
                "iterator_train__rng": np.random.RandomState(seed),
                "iterator_valid": Batches,
                "iterator_valid__batch_size": BLOCK_ROWS,
                "callbacks": [],
                "verbose": int(estimator.verbose),
                "device": device,
                **_optimizer_params(estimator, device),
                **net_params,
            }
        ).initialize()
    coordinates.to(device)
    check_module(net.module_, coordinates.n_axes, estimator.n_components, device)
    return net


def train(
    estimator,
    X: np.ndarray,
    y,
    parts: tuple[np.ndarray, np.ndarray | None],
    start_epoch: int,
    max_epochs,
    lr_schedule: str,
) -> BestEpoch | None:
    """Train the estimator's net on parts of X; with validation rows, keep its best epoch."""
    net = estimator.net_
    rows = tuple(
        None if index is None else Rows(X, index, estimator._coordinates, net.device)
        for index in parts
    )
    with net.unchanged_on_error():
        net.module_.float()
        net.batch_size = auto_batch_size(estimator.batch_size, len(rows[0]))
        n_batches = len(net.get_iterator(rows[0], training=True))
        n_epochs = auto_max_epochs(max_epochs, n_batches)
        if estimator._axes.constant:
            n_epochs = 0  # nothing is there to learn
        best = None
        if rows[1] is not None:
            best = BestEpoch(start_epoch, net.loss(rows[1]))
        net.callbacks = _callbacks(estimator, best)
        net.initialize_callbacks()
        net.schedule(lr_schedule, n_epochs * n_batches)
        seed = int(net.iterator_train__rng.randint(2**31))
        with local_torch_generator(estimator, seed, net.device):
            _run_epochs(estimator, rows, n_epochs, X, X if y is None else y)
        net.rest(torch_dtype(X.dtype))
    return best


def _run_epochs(estimator, rows, n_epochs: int, X, y) -> None:
    """Train for up to `n_epochs`, each of them a task for the callbacks of scikit-learn."""
    net = estimator.net_
    fit_task = estimator._init_callback_context(max_subtasks=n_epochs)
    fit_task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    net.notify("on_train_begin", X=rows, y=None)
    for _ in range(n_epochs):
        epoch = fit_task.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        stop = net.fit_epoch(rows)
        stop |= epoch.call_on_fit_task_end(
            estimator=estimator,
            X=X,
            y=y,
            reconstruction_attributes=lambda: {"net_": net.as_if_stopped(torch_dtype(X.dtype))},
        )
        if stop:
            break
    net.notify("on_train_end", X=rows, y=None)
    fit_task.call_on_fit_task_end(estimator=estimator, X=X, y=y)


def _callbacks(estimator, best: BestEpoch | None) -> list:
    """Give skorch's callbacks: with validation rows ours, and always the user's."""
    own: list = []
    if best is not None:
        patience = EarlyStopping(
            patience=estimator.n_iter_no_change,
            threshold=estimator.tol,
            sink=print if estimator.verbose else noop,
        )
        own = [("best_epoch", best), ("early_stopping", patience)]
    return own + list(estimator.callbacks or [])


def auto_batch_size(batch_size, n_rows: int) -> int:
    """Give the batch size asked for, or the power of two that gives some 16 batches an epoch."""
    if batch_size != "auto":
        return min(batch_size, n_rows)
    least, most = BATCH_SIZES
    return min(max(2 ** round(math.log2(n_rows / BATCHES_PER_EPOCH)), least), most)


def auto_max_epochs(max_epochs, n_batches: int) -> int:
    """Give the epochs asked for, or as many as make some 4000 steps of the optimizer."""
    if max_epochs != "auto":
        return max_epochs
    least, most = AUTO_EPOCHS
    return min(max(math.ceil(AUTO_STEPS / n_batches), least), most)


def resolve_device(device: str) -> torch.device:
    """Give the device named, or a GPU where "auto" finds one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


@contextmanager
def local_torch_generator(estimator, seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for a user's module, and put it back afterwards.

    Our own module draws from a generator of its own, which unlike this is safe in threads.
    """
    if estimator.module is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.random.default_generator.manual_seed(seed)
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            if device.type == "cuda":
                torch.cuda.manual_seed(seed)
            yield


def _module(estimator, coordinates: Coordinates, seed: int):
    """Give the module to train: a copy of the user's, or a stacked autoencoder."""
    if isinstance(estimator.module, nn.Module):
        return copy.deepcopy(estimator.module).float()
    if estimator.module is not None:
        return estimator.module
    hidden = estimator.hidden_layer_sizes
    if isinstance(hidden, str):
        hidden = auto_hidden_layer_sizes(coordinates.n_axes, estimator.n_components)
    return StackedAutoencoder(
        coordinates.n_axes,
        estimator.n_components,
        hidden,
        activation=estimator.activation,
        linear_shortcut=estimator.linear_shortcut,
        generator=torch.Generator().manual_seed(seed),
    )


def _optimizer_params(estimator, device: torch.device) -> dict:
    """Give the optimizer's class and what it takes of weight_decay and of a fused step."""
    cls = OPTIMIZERS.get(estimator.optimizer, estimator.optimizer)
    takes = inspect.signature(cls).parameters
    params = {"optimizer": cls}
    if "weight_decay" in takes:
        params["optimizer__weight_decay"] = estimator.weight_decay
    if "momentum" in takes and cls is torch.optim.SGD:
        params |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    if "fused" in takes and device.type in ("cpu", "cuda"):
        params["optimizer__fused"] = True
    return params

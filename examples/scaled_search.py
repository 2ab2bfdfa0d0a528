"""Searches that end sooner than a grid: successive halving, pruning by Optuna, a cluster of dask.

    pip install "sk-autoencoder[dask]" optuna
    python examples/scaled_search.py

A grid fits each of its points for as long as the best. The first two give up the worst of them
early, and the last fits them beside each other. Each prints its seconds, and what the best of its
fits explains of rows that were set aside.
"""

import time

import joblib
import numpy as np
import optuna
from distributed import Client, LocalCluster
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ParameterGrid, train_test_split
from skorch.callbacks import Callback

from sk_autoencoder import AutoencoderTransformer

MAX_EPOCHS = 64
GRID = {"lr": [1e-3, 5e-3, 2e-2], "activation": ["silu", "tanh"], "batch_size": [64, 256]}

X = load_digits().data.astype(np.float32)
X_train, X_val = train_test_split(X, test_size=0.25, random_state=0)
AUTOENCODER = AutoencoderTransformer(
    8, max_epochs=MAX_EPOCHS, lr_schedule="constant", random_state=0
)


def grid():
    """Fit each point for all epochs."""
    split = [(np.arange(len(X_train)), np.arange(len(X_train), len(X)))]
    search = GridSearchCV(AUTOENCODER, GRID, cv=split, refit=False)
    return search.fit(np.vstack([X_train, X_val])).best_score_


def halving():
    """Fit all points for a few epochs, then the better half for as many more, and so on.

    With `warm_start` a fit goes on with the weights, so that no epoch is trained twice.
    """
    candidates = [
        clone(AUTOENCODER).set_params(warm_start=True, **params) for params in ParameterGrid(GRID)
    ]
    n_done, n_epochs = 0, MAX_EPOCHS // 2 ** int(np.log2(len(candidates)))
    while n_done < MAX_EPOCHS:
        n_more = min(max(n_done, n_epochs), MAX_EPOCHS - n_done)
        for candidate in candidates:
            candidate.set_params(max_epochs=n_more).fit(X_train, X_val=X_val)
        n_done += n_more
        candidates.sort(key=lambda candidate: candidate.score(X_val), reverse=True)
        candidates = candidates[: max(1, len(candidates) // 2)]
    return candidates[0].score(X_val)


class Pruning(Callback):
    """Tells a trial of Optuna of each epoch, and ends it where Optuna says so."""

    def __init__(self, trial):
        self.trial = trial

    def on_epoch_end(self, net, **kwargs):
        epoch = net.history[-1]
        self.trial.report(-epoch["valid_loss"], epoch["epoch"])
        if self.trial.should_prune():
            raise optuna.TrialPruned


def pruned():
    """Fit each point until it is behind the median of those before at the same epoch."""

    def objective(trial):
        params = {name: trial.suggest_categorical(name, values) for name, values in GRID.items()}
        autoencoder = clone(AUTOENCODER).set_params(**params, callbacks=[Pruning(trial)])
        return autoencoder.fit(X_train, X_val=X_val).score(X_val)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler(GRID, seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=4),
    )
    study.optimize(objective, n_trials=len(ParameterGrid(GRID)))
    return study.best_value


def grid_on_dask():
    """Fit each point on one of the workers of a cluster."""
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster), joblib.parallel_config("dask"):
        return grid()


if __name__ == "__main__":
    for search in (grid, halving, pruned, grid_on_dask):
        began = time.perf_counter()
        score = search()
        seconds = time.perf_counter() - began
        print(f"{search.__name__:14} {seconds:6.1f} s, explained variance {score:.4f}")

"""What tests ask of the inside of a fit, in one place."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._nn.heads import Head
from sk_autoencoder._nn.whitening import Unwhitened
from sk_autoencoder._training import evidence, procedure, repeats, split


def data_of(X, **others):
    """Give the rows of a table as a fit takes them."""
    return Data(X, X, np.arange(X.shape[0]), **others)


def wrap_runs(monkeypatch, wrapper):
    """Let `wrapper(run, setup, course, task)` stand for each training of a fit."""
    run = procedure.run

    def wrapped(setup, course, task, checkpoints):
        return wrapper(partial(run, checkpoints=checkpoints), setup, course, task)

    for module in (procedure, repeats):
        monkeypatch.setattr(module, "run", wrapped)


def setup_of(autoencoder):
    """Give the network of a fit as it was set up: axes, corruptor, net."""
    return autoencoder._training.resumable.setup


def corruptor_of(autoencoder):
    """Give what has corrupted the rows of a fit."""
    return setup_of(autoencoder).corruptor


def target_encoder_of(autoencoder):
    """Give what has read the y of a fit."""
    return autoencoder._training.resumable.target


def moments_of(autoencoder):
    """Give the moments of the codes of the rows of a fit."""
    return autoencoder._training.resumable.moments


def split_rows(autoencoder, data, rng):
    """Give the indices of the rows that would train, and of those that would judge, or None."""
    train, held_out = split.draw_rows(data, Config.of(autoencoder), rng)
    return train.rows, None if held_out is None else held_out.rows


def rows_to_confirm(data, train, n_valid, rng):
    """Give the indices of the rows that would train anew, and of those that would be asked."""
    made = split.Split(data, data.take(train), None)
    return [part.rows for part in split.rows_to_confirm(made, n_valid, rng)]


def rows_of(autoencoder, data, *, fixed):
    """Give the rows of a table as the net reads them in training or, fixed, in validation."""
    return setup_of(autoencoder).rows(data, fixed=fixed)


def gains_of(autoencoder, data):
    """Give what the net saves of PCA's loss on each row of a table."""
    setup = setup_of(autoencoder)
    setup.net.prepare_for_training()
    values = evidence.gains_over_pca(setup.net, setup.rows(data, fixed=True))
    setup.net.prepare_for_inference()
    return evidence.gains_of(values, data)


def head_of(width, encoder):
    """Give a head that predicts what a target encoder gives."""
    facts = {name: getattr(encoder, name) for name in ("are_classes", "share", "ignorance")}
    return Head(width, encoder.n_outputs, **facts)


def unwhitened(autoencoder):
    """Give a copy whose codes are not whitened."""
    copied = copy.deepcopy(autoencoder)
    copied.model_ = replace(copied.model_, whitening=Unwhitened())
    return copied

"""Checkpoints of a fit: a file that is written from time to time, and a fit that goes on from it.

A fit is a series of trainings, with steps between them that are quick and repeat themselves. The
file holds the state of each training that has begun. Those that have ended are put into their last
state at once, and the one that has not goes on from where it was.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from torch import nn

from sk_autoencoder._config import Config, as_text
from sk_autoencoder._data import Data
from sk_autoencoder._training.setup import Setup
from sk_autoencoder._training.states import (
    parameters_of_callback,
    random_state_of,
    random_values,
    restore,
    state_of,
    without_optimizer,
)
from sk_autoencoder._utils.files import clear_leftovers, temporary_beside, write_whole
from sk_autoencoder._utils.values import UnknownValueError

KIND, VERSION = "checkpoint of sk-autoencoder", 1

# Parameters that may be others when a fit goes on. All else decides on the weights.
FREE = frozenset(
    [
        *("callbacks", "checkpoint", "checkpoint_every", "compile", "device", "on_interrupt"),
        "verbose",
    ]
)

# What torch raises of a file that it has not written, or not whole, or that holds code.
DAMAGED = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, UnicodeDecodeError),
    *(AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError),
)


class Unkept:
    """No checkpoints."""

    def next_training(self) -> Unkept:
        """Return what keeps the training that begins now."""
        return self

    def resume(self, setup: Setup, n_batches: int) -> Progress:
        """Put a training that begins where it was, and return how far that is."""
        return Progress()

    def keep(self, setup: Setup, progress: Progress) -> None:
        """Write the state of a training after an epoch, where it is time to."""


UNKEPT = Unkept()


@dataclass(frozen=True)
class Progress:
    """How far a training is: its epochs, whether it has ended, and whether a callback asked to."""

    n_epochs: int = 0
    ended: bool = False
    stopped: bool = False


@dataclass
class Checkpoints:
    """What keeps the states of the trainings of a fit.

    Parameters
    ----------
    origin : dict of str to str
        What the result depends on: parameters, and hashes of the rows and of the fit before.
    rng : RandomState
        The random source of the fit, as it is at its start.
    path : Path or None
        Where to write; None writes nothing.
    every : int
        Epochs from one writing to the next.
    keeps_optimizer : bool
        Whether optimizers are asked for at the end of the fit.
    states : list
        Those of the trainings that have begun.
    """

    origin: Mapping[str, str]
    rng: np.random.RandomState
    path: Path | None
    every: int
    keeps_optimizer: bool
    states: list[dict[str, Any]] = field(default_factory=list)
    n_begun: int = 0

    def __post_init__(self):
        self.rng_at_start = random_values(self.rng)

    def next_training(self) -> TrainingCheckpoints:
        """Return what keeps the training that begins now."""
        self.n_begun += 1
        return TrainingCheckpoints(self, self.n_begun - 1)

    def read(self, path: Path) -> None:
        """Go on from what a file holds, after a look at whether it is one of this fit."""
        found = _read(path)
        _check_origin(path, found["origin"], self.origin)
        self.states = found["states"]
        self.rng = random_state_of(found["rng"])
        self.rng_at_start = found["rng"]

    def write(self) -> None:
        """Write all states. Where that fails, the fit goes on, and the file before is whole."""
        assert self.path is not None
        content = {
            "kind": KIND,
            "version": VERSION,
            "origin": dict(self.origin),
            "rng": self.rng_at_start,
            "states": self.states,
        }
        try:
            write_whole(self.path, lambda file: torch.save(content, file))
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by the latter
            warnings.warn(
                f"The checkpoint {self.path} could not be written: {error}. The fit goes on, and "
                "what stood there before is whole.",
                UserWarning,
                stacklevel=2,
            )


@dataclass
class TrainingCheckpoints:
    """What keeps the states of one training, which has a number in the fit."""

    fit: Checkpoints
    number: int
    n_before: int = 0

    def resume(self, setup: Setup, n_batches: int) -> Progress:
        """Put a training that begins where it was, and return how far that is."""
        self.n_before = len(setup.net.history)
        if self.number >= len(self.fit.states):
            return Progress()
        state = self.fit.states[self.number]
        n_epochs = restore(setup, state, n_batches)
        return Progress(n_epochs, state["ended"], state["stopped"])

    def keep(self, setup: Setup, progress: Progress) -> None:
        """Write the state of a training after an epoch, where it is time to."""
        if self.fit.path is None:
            return
        if not (progress.ended or progress.n_epochs % self.fit.every == 0):
            return
        try:
            state = state_of(setup, self.n_before)
        except UnknownValueError as error:
            raise ValueError(f"checkpoint cannot keep {error}.") from error
        if progress.ended and not self.fit.keeps_optimizer:
            state = without_optimizer(state)
        state |= {"ended": progress.ended, "stopped": progress.stopped}
        self.fit.states[self.number :] = [state]
        self.fit.write()


def checkpoints_of(
    config: Config, parts: tuple[Data | None, ...], before: Any, rng: np.random.RandomState
) -> Checkpoints:
    """Return what keeps the states of a fit, once it is sure that a file can be written.

    Parameters
    ----------
    config : Config
    parts : tuple of Data or None
        The rows of the fit, and those that judge.
    before : object or None
        Weights of the fit that this one goes on from.
    rng : RandomState
    """
    runtime = config.runtime
    path = None if runtime.checkpoint is None else Path(runtime.checkpoint).resolve()
    if path is not None:
        _check_place(path)
    origin = config.texts(FREE) | {
        "callbacks": _told(runtime.callbacks),  # with any there is no second training
        "the weights of module": _hash_of_module(config.network.module),
        "X": _hash_of(parts),
        "the fit before": joblib.hash(before),
    }
    return Checkpoints(origin, rng, path, runtime.checkpoint_every, runtime.warm_start)


def _hash_of_module(module: Any) -> str:
    """Return a hash of the weights of a module of the user's, "" for what has none yet."""
    if not isinstance(module, nn.Module):
        return ""
    state = module.state_dict().values()
    return joblib.hash([t.detach().cpu().numpy() for t in state if isinstance(t, torch.Tensor)])


def _told(callbacks: Sequence | None) -> str:
    """Return the classes of callbacks, or of pairs with their names, and what they were made of."""
    found = []
    for item in callbacks or []:
        callback = item[1] if isinstance(item, (tuple, list)) else item
        names = parameters_of_callback(callback)
        made_of = {name: value for name, value in vars(callback).items() if name in names}
        found.append((type(callback).__qualname__, as_text(made_of)))
    return str(found)


def _check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before the long fit."""
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint={str(path)!r} is a folder. Give the name of a file.")
    try:
        with temporary_beside(path):
            clear_leftovers(path)
    except OSError as error:
        raise type(error)(
            error.errno, f"checkpoint={str(path)!r} cannot be written: {error.strerror}"
        ) from error


def _hash_of(parts: tuple[Data | None, ...]) -> str:
    """Return a hash of rows, and of what belongs to each."""
    arrays = [
        None if data is None else (data.identity, data.rows, data.weight, data.labels, data.groups)
        for data in parts
    ]
    return joblib.hash(arrays, coerce_mmap=True)


def _read(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing in it is run."""
    if not path.is_file():
        raise FileNotFoundError(
            f"resume_from={str(path)!r} is {'no file' if path.exists() else 'not there'}. Pass the "
            "checkpoint of a fit, or None where there is none yet."
        )
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what no checkpoint is
            content = io.BytesIO(file.read())
            found = torch.load(content, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise ValueError(
            f"resume_from={str(path)!r} is no checkpoint that can be read: it is damaged, or "
            "another program has written it."
        ) from error
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ValueError(
            f"resume_from={str(path)!r} is a file of torch, but no checkpoint of a fit."
        )
    if found.get("version") != VERSION:
        raise ValueError(
            f"resume_from={str(path)!r} is a checkpoint of version {found.get('version')}, and "
            f"this version of the package goes on from version {VERSION}. Fit anew."
        )
    return found


def _check_origin(path: Path, found: Mapping[str, str], origin: Mapping[str, str]) -> None:
    """Refuse to go on with what a fit of other rows or parameters has left."""
    names = [name for name in {**found, **origin} if found.get(name) != origin.get(name)]
    if names:
        told = ", ".join("X, or what belongs to its rows," if n == "X" else n for n in names)
        raise ValueError(
            f"resume_from={str(path)!r} is the checkpoint of another fit: {told} was not the same. "
            "Pass the same rows and parameters, or fit anew."
        )

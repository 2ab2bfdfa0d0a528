"""Callbacks of skorch that cannot do here what they are for: refused, with what does it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from skorch.callbacks import (
    BatchScoring,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    PassthroughScoring,
)

OWN_CALLBACKS = frozenset(
    {"best_epoch", "early_stopping", "epoch_timer", "judge_points", "print_log", "seconds_left"}
)


def _has_no_scoring(callback) -> bool:
    """Return whether a scoring would ask the net for a score, which it has none."""
    return getattr(callback, "scoring", None) is None


def _is_uncached_name(callback) -> bool:
    """Return whether a scoring of scikit-learn would have no target to compare with."""
    return not callable(callback.scoring) and not getattr(callback, "use_caching", True)


def _is_of_other_batches(callback) -> bool:
    """Whether a score is looked for in training batches, but of validation ones, or the reverse."""
    other = "valid_" if getattr(callback, "on_train", False) else "train_"
    return str(getattr(callback, "name", "")).startswith(other)


# Classes, which of their instances are refused, and why.
REFUSED: list[tuple[tuple[type, ...], Callable[[Any], bool], str]] = [
    (
        (InputShapeSetter,),
        lambda _: True,
        "which would make the module anew when the training begins, without what the fit has set "
        "up. Pass net_params={'module__input_dim': X.shape[1]}, or as module a function that "
        "makes one for X.",
    ),
    (
        (LoadInitState,),
        lambda _: True,
        "which would replace the network that the fit has set up for X, and its history. To go on "
        "training, keep the estimator (pickle, joblib) and use partial_fit or warm_start=True.",
    ),
    (
        (Checkpoint, EarlyStopping),
        lambda callback: getattr(callback, "load_best", False),
        "with load_best=True, but which weights to keep is for the fit to choose: those of the "
        "best validation epoch with early_stopping=True, else the last ones. Leave load_best out.",
    ),
    (
        (EpochScoring, BatchScoring),
        _has_no_scoring,
        "without a scoring, but the net has no score of its own. Pass the name of a scoring of "
        "scikit-learn, such as 'neg_mean_squared_error', which compares rows of X with their "
        "reconstructions, or a function of (net, rows, y).",
    ),
    (
        (EpochScoring, BatchScoring),
        _is_uncached_name,
        "with a scoring of scikit-learn and use_caching=False, so that it would have nothing to "
        "compare the reconstructions with. Set use_caching=True, or pass a function of (net, rows, "
        "y), such as lambda net, rows, y: net.loss(rows).",
    ),
    (
        (PassthroughScoring,),
        _is_of_other_batches,
        "whose on_train does not go with its name. Set on_train=True for what is recorded of "
        "training batches, such as 'train_loss', and False for what is of validation batches.",
    ),
]


def check_callbacks(callbacks) -> list:
    """Return skorch's callbacks as a list; refuse what cannot work, and say what does."""
    for item in callbacks or []:
        check_callback(item)
    return list(callbacks or [])


def check_callback(item) -> None:
    """Refuse what is no callback of skorch, or one that cannot do here what it is for."""
    named = isinstance(item, (tuple, list)) and len(item) == 2
    name, callback = item if named else (None, item)
    if not hasattr(callback, "on_train_begin"):
        raise TypeError(
            f"callbacks has {callback!r}, which is no callback of skorch. Callbacks of "
            "scikit-learn are set with set_callbacks, and policies of the learning rate go into "
            "LRScheduler of skorch."
        )
    if name in OWN_CALLBACKS:
        raise ValueError(
            f"callbacks has the name {name!r}, which a callback of the fit itself has. Choose "
            "another name."
        )
    kind = callback if inspect.isclass(callback) else type(callback)
    for kinds, is_refused, reason in REFUSED:
        if issubclass(kind, kinds) and is_refused(callback):
            raise ValueError(f"callbacks has {kind.__name__}, {reason}")


def check_schedule(lr_schedule: str, callbacks: Iterable) -> None:
    """Refuse that two set the learning rate."""
    for _, callback in callbacks:
        if lr_schedule != "constant" and isinstance(callback, LRScheduler):
            raise ValueError(
                f"callbacks has LRScheduler with policy={callback.policy!r}, which sets the "
                f"learning rate, and so does lr_schedule={lr_schedule!r}. Set "
                "lr_schedule='constant' to leave it to the callback, or leave the callback out."
            )


def check_monitors(callbacks: Iterable) -> None:
    """Refuse callbacks that look at validation losses, where there are no validation rows."""
    for _, callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("valid_"):
            raise ValueError(
                f"callbacks has {type(callback).__name__} with monitor={monitor!r}, but no rows "
                "are set aside for validation: with early_stopping=False and in partial_fit there "
                f"are none. Set monitor={monitor.replace('valid_', 'train_')!r}, or call fit with "
                "early_stopping=True."
            )


def has_lost_patience(callback: Any) -> bool:
    """Whether a callback is skorch's early stopping, and has just asked to stop."""
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience

"""What a case does: its calls in their order, and what has to hold between them."""

from __future__ import annotations

import linecache
import pickle
import random
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks.fuzz.cases import Case
from benchmarks.fuzz.oracles import Finding, check_detector, check_transformer, demand, outputs
from benchmarks.fuzz.tables import snapshot
from sk_autoencoder import AutoencoderTransformer, load
from sk_autoencoder._saving.estimators import Reader, plain_estimator

# What the parameter checks of the package, and of scikit-learn, say where a case asks for what
# is refused.
REFUSALS = (
    r"n_components=.* must be at most min\(n_samples, n_features\)",
    r"^dropout=.* drops hidden units, but hidden_layer_sizes is empty",
    r"^normalization=.* is put behind hidden layers, but hidden_layer_sizes is empty",
    r"^contractive_penalty takes the derivative",
    r"^sparsity_penalty makes components zero, but whiten=True",
    r"^normalization='batch' needs two rows in each batch",
    r"^validation_fraction=.* leaves none",
    r"^y has \d+ classes among its \d+ labelled rows",
    r"^sample_weight leaves \d rows",
    r"^n_neighbors=.* is more than the \d+ training rows",
    r"^The 'loss' parameter of VariationalAutoencoderTransformer must be",
    r"minimum of 2 is required",
    r"^X_val is passed, but with early_stopping=False",
)
# Of a module that is given X as it is, whatever its size, a fit may diverge.
DIVERGENCE = r"^The fit diverged"
# So may the first epoch of a fit that goes on from constant rows, which have no units to train in.
DIVERGENCE_AFTER_CONSTANT_ROWS = r"^The fit diverged in epoch 1:"

# By file and text; the first two are told, the third is of scikit-learn's own PCA of constant rows.
WARNINGS = (
    ("", r"^The last fit trained on all rows"),
    ("", r"^Each row of X_val is a copy of a row of X"),
    ("decomposition/_pca.py", r"^invalid value encountered in divide"),
)


class Refused(Exception):  # noqa: N818 (no fault)
    """The case asks for what the package refuses."""


class Broken(Callback):
    """A callback of a user that fails in the second epoch, or the first one."""

    def on_epoch_end(self, net, **kwargs):
        """Raise what no check raises."""
        raise ZeroDivisionError("an error of the user's own")


def check(case: Case) -> None:
    """Play a case, and play it once more without the calls that fail: both end the same.

    Raises a `Finding` where something does not hold that should, and `Refused` where the case
    asks for what the package refuses.
    """
    with _untouched_world():
        first, second = play(case, checked=True), play(case, checked=False)
        with _guard("the same calls again", case):
            _same(
                outputs(case, first),
                outputs(case, second),
                "the same calls, less those that failed, give other bits",
            )


def play(case: Case, *, checked: bool) -> Any:
    """Make the calls of a case; `checked` with those that fail, and with all that has to hold."""
    estimator = case.estimator()
    for name in case.calls:
        if name in FAILURES:
            if checked:
                _fail(case, estimator, name)
        elif name in STEPS:
            estimator = STEPS[name](case, estimator)
        else:
            with _guard(name, case):
                CALLS[name](case, estimator)
    if checked:
        with _guard("an oracle", case):
            (check_detector if case.detector else check_transformer)(case, estimator)
    return estimator


@contextmanager
def _guard(name: str, case: Case) -> Iterator[None]:
    """Turn errors and warnings that should not be into findings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (Finding, Refused):
            raise
        except Exception as error:
            _judge(error, name, case)
    for warning in caught:
        text, file = str(warning.message), _short(warning.filename)
        if not any(file.endswith(end) and re.search(start, text) for end, start in WARNINGS):
            where = f"{file}:{warning.lineno}"
            kind = f"{warning.category.__name__} at {where}"
            raise Finding(kind, f"{name}: {text}")


def _judge(error: Exception, name: str, case: Case) -> None:
    """Raise `Refused` for a clear error of the package's checks, a `Finding` for any other."""
    text = str(error)
    patterns = REFUSALS + ((DIVERGENCE,) if _may_diverge(case) else ())
    if name in case.calls[1:]:
        patterns += (DIVERGENCE_AFTER_CONSTANT_ROWS,)
    is_told = any(re.search(pattern, text) for pattern in patterns)
    is_check = isinstance(error, (ValueError, TypeError)) and _is_raised_on_purpose(error)
    if is_check and is_told:
        raise Refused(text) from error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kind = f"{type(error).__name__} in {_short(frame.filename)}:{frame.name}"
    raise Finding(kind, f"{name}: {text}") from error


def _may_diverge(case: Case) -> bool:
    return "module" in case.params or case.params.get("lr", 0) > 0.01


def _is_raised_on_purpose(error: Exception) -> bool:
    """Whether a `raise` of Python code, not a library below it, has made the error."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return linecache.getline(frame.filename, frame.lineno or 0).strip().startswith("raise")


def _short(path: str) -> str:
    """Give the last two parts of a path."""
    return "/".join(path.split("/")[-2:])


def _fit(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "fit", case.table.rows(), case.y())


def _fit_transform(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "fit_transform", case.table.rows(), case.y())


def _fit_predict(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "fit_predict", case.table.rows())


def _weights(case: Case) -> np.ndarray:
    """Weights of the rows, of which some count nothing; the first three count."""
    rng = np.random.RandomState(case.table.seed)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], case.table.n_samples)
    weight[:3] = 1.0
    return weight


def _fit_with_weights(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "fit", case.table.rows(), case.y(), _weights(case))


def _fit_with_groups(case: Case, estimator: Any) -> Any:
    """Fit on pairs of rows that stay together, and every third row alone."""
    index = np.arange(case.table.n_samples)
    groups = np.where(index % 3 == 2, index, index // 3 * 3)
    return _watched(estimator, "fit", case.table.rows(), case.y(), groups=groups)


def _fit_with_validation_rows(case: Case, estimator: Any) -> Any:
    """Fit with the first half of another table of the kind as validation rows, and their y."""
    half = np.arange(max(case.table.n_samples // 2, 1))
    y = case.y()
    validation = {"X_val": replace(case.table, seed=case.table.seed + 1).rows(half)}
    if y is not None:
        validation["y_val"] = y[half]
    return _watched(estimator, "fit", case.table.rows(), y, **validation)


def _partial_fit(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "partial_fit", case.table.rows(), case.y())


def _partial_fit_with_weights(case: Case, estimator: Any) -> Any:
    return _watched(estimator, "partial_fit", case.table.rows(), case.y(), _weights(case))


def _partial_fit_a_few_rows(case: Case, estimator: Any) -> Any:
    """Go on with two rows, or start with half of them."""
    n = case.table.n_samples
    index = np.arange(2 if hasattr(estimator, "net_") else max(n // 2, 2))
    y = case.y()
    return _watched(
        estimator, "partial_fit", case.table.rows(index), None if y is None else y[index]
    )


def _fit_again_warmly(case: Case, estimator: Any) -> Any:
    before = estimator.warm_start
    estimator.set_params(warm_start=True)
    try:
        return _fit(case, estimator)
    finally:
        estimator.set_params(warm_start=before)


def _watched(estimator: Any, method: str, X: Any, *others: Any, **named: Any) -> Any:
    """Call a method that trains; X, what comes with it and the parameters stay as they were."""
    before = _inputs(estimator, X, *others, **named)
    arguments = others if method != "fit_transform" else others[:1]
    result = getattr(estimator, method)(X, *arguments, **named)
    if _inputs(estimator, X, *others, **named) != before:
        raise Finding(f"{method} changes its arguments or the parameters")
    return result


def _inputs(estimator: Any, X: Any, *others: Any, X_val: Any = None, **named: Any) -> Any:
    parts = [snapshot(X), None if X_val is None else snapshot(X_val)]
    parts += [None if part is None else part.tobytes() for part in (*others, *named.values())]
    return parts, {name: repr(value) for name, value in estimator.get_params(deep=True).items()}


def _pickle(case: Case, estimator: Any) -> Any:
    """Go on with what pickle makes of the estimator, which gives the same bits."""
    with _guard("pickle", case):
        other = pickle.loads(pickle.dumps(estimator))
        _same(outputs(case, estimator), outputs(case, other), "pickle gives other bits")
    return other


def _save(case: Case, estimator: Any) -> Any:
    """Save the estimator and load it: it gives the same bits. What goes on is the original."""
    if case.detector and not isinstance(estimator.autoencoder_, AutoencoderTransformer):
        return estimator  # which is for skops
    with _guard("save", case), TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        estimator.save(path)
        params = estimator.get_params()
        code = {name: params[name] for name in Reader({}).asked(plain_estimator(estimator))}
        other = load(path, **code)
        _same(outputs(case, estimator), outputs(case, other), "save gives other bits")
    return estimator


def _use(case: Case, estimator: Any) -> Any:
    """Use all methods that do not train: they change nothing."""
    with _guard("use", case):
        before = outputs(case, estimator)
        (check_detector if case.detector else check_transformer)(case, estimator)
        _same(before, outputs(case, estimator), "methods that only read change what follows")
    return estimator


def _fit_another_table(case: Case, estimator: Any) -> Any:
    """Fit a clone of it on a table of another width in between; what is learnt stays apart."""
    other = replace(case, table=replace(case.table, n_features=case.table.n_features + 1))
    with _guard("fit another table", case):
        try:
            _fit(other, other.estimator())
        except Exception as error:
            _judge(error, "fit another table", case)
    return estimator


def _fail(case: Case, estimator: Any, name: str) -> None:
    """Make a call that fails; the estimator is as it was before."""
    before = outputs(case, estimator) if hasattr(estimator, "n_features_in_") else None
    attributes = set(vars(estimator))
    params = estimator.get_params(deep=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            FAILURES[name](case, estimator)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            own = isinstance(error, ZeroDivisionError) and "user's own" in str(error)
            if not own and not _is_raised_on_purpose(error):
                _judge(error, name, case)
        except Exception as error:
            _judge(error, name, case)
        else:
            # Where nothing is trained nothing fails: the fit itself then is another one.
            raise Refused(f"{name} does not fail")
    estimator.set_params(**params)
    changed = sorted(set(vars(estimator)) ^ attributes)
    demand(not changed, "an error leaves other attributes", f"{name}: {', '.join(changed)}")
    if before is not None:
        _same(before, outputs(case, estimator), "an error changes what was fitted")


def _infinite_cell(case: Case, estimator: Any) -> None:
    X = replace(case.table, container="array", dtype="float64").values()
    X[-1, -1] = np.inf
    _train_on(case, estimator, X)


def _another_width(case: Case, estimator: Any) -> None:
    X = replace(case.table, container="array").values()
    X = np.hstack([X, X])
    method = "fit" if case.detector else "partial_fit"
    if hasattr(estimator, "n_features_in_") and not case.detector:
        getattr(estimator, method)(X, case.y())
    estimator.score_samples(X)


def _no_weight(case: Case, estimator: Any) -> None:
    estimator.fit(case.table.rows(), case.y(), np.zeros(case.table.n_samples))


def _divergence(case: Case, estimator: Any) -> None:
    estimator.set_params(lr=1e30, warm_start=False, max_epochs=4, early_stopping=False)
    estimator.fit(case.table.rows(), case.y())


def _an_error_in_a_callback(case: Case, estimator: Any) -> None:
    estimator.set_params(callbacks=[Broken()])
    _train_on(case, estimator, case.table.rows())


def _a_changed_parameter(case: Case, estimator: Any) -> None:
    estimator.set_params(dropout=0.7, activation="mish", weight_decay=0.77)
    if not hasattr(estimator, "net_"):
        raise ValueError("nothing to go on with")
    estimator.partial_fit(case.table.rows(), case.y())


def _train_on(case: Case, estimator: Any, X: Any) -> None:
    """Go on training where that is possible, else fit."""
    (estimator.fit if case.detector else estimator.partial_fit)(X, case.y())


CALLS: dict[str, Callable[[Case, Any], Any]] = {
    "fit": _fit,
    "fit_transform": _fit_transform,
    "fit_predict": _fit_predict,
    "fit with weights": _fit_with_weights,
    "fit with groups": _fit_with_groups,
    "fit with validation rows": _fit_with_validation_rows,
    "partial_fit": _partial_fit,
    "partial_fit with weights": _partial_fit_with_weights,
    "partial_fit a few rows": _partial_fit_a_few_rows,
    "fit again warmly": _fit_again_warmly,
}
STEPS: dict[str, Callable[[Case, Any], Any]] = {
    "pickle": _pickle,
    "save": _save,
    "use": _use,
    "fit another table": _fit_another_table,
}
FAILURES: dict[str, Callable[[Case, Any], None]] = {
    "infinite cell": _infinite_cell,
    "another width": _another_width,
    "no weight": _no_weight,
    "divergence": _divergence,
    "an error in a callback": _an_error_in_a_callback,
    "a changed parameter": _a_changed_parameter,
}


def _same(ours: dict, theirs: dict, kind: str) -> None:
    """Raise a finding where two of what is told of an estimator, or of the process, differ."""
    apart = [name for name in ours if ours[name] != theirs[name]]
    demand(not apart, kind, ", ".join(apart))


@contextmanager
def _untouched_world() -> Iterator[None]:
    """Ask that generators, threads and settings of the process stay as they are."""
    before = world()
    yield
    _same(before, world(), "a global setting changes")


def world() -> dict[str, Any]:
    """Give the settings of the process that a library can change, and its generators."""
    kind, keys, *rest = np.random.get_state()
    return {
        "numpy": (kind, keys.tobytes(), *rest),
        "random": random.getstate(),
        "torch": torch.random.get_rng_state().numpy().tobytes(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters),
        "errors": np.geterr(),
        "print options": np.get_printoptions(),
    }

"""X to checked X, and a fitted state that survives an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import check_array, validate_data

DTYPES = [np.float64, np.float32]
PRIVATE_STATE = ("_axes", "_coordinates", "_network_params", "_saw_all_rows")


def check_X(estimator, X, *, reset: bool) -> np.ndarray:
    """Rows of X as a finite float32 or float64 array; other dtypes become float64."""
    return validate_data(
        estimator, X, reset=reset, dtype=DTYPES, ensure_min_samples=2 if reset else 1
    )


def check_codes(estimator, Z) -> np.ndarray:
    """Codes as a finite float32 or float64 array of the width that `transform` gives."""
    Z = check_array(Z, dtype=DTYPES, input_name="X", estimator=estimator)
    if Z.shape[1] != estimator.n_components_:
        raise ValueError(
            f"X has {Z.shape[1]} columns, but {type(estimator).__name__} was fitted with "
            f"n_components={estimator.n_components_}. Pass what transform gave."
        )
    return Z


def check_n_components(n_components: int, n_samples: int, n_features: int) -> int:
    """Refuse more components than there are features or rows, as PCA does."""
    if isinstance(n_components, bool):
        raise TypeError(f"n_components={n_components} is a bool. Pass a whole number from 1 on.")
    if n_components > min(n_samples, n_features):
        raise ValueError(
            f"n_components={n_components} must be at most min(n_samples, n_features)="
            f"{min(n_samples, n_features)}, with n_samples={n_samples} and "
            f"n_features={n_features}. Lower n_components, or pass more data."
        )
    return n_components


def check_unchanged(before: dict[str, str], now: dict[str, str]) -> None:
    """Refuse to go on with a net that other parameters describe."""
    changed = sorted(name for name in now if now[name] != before[name])
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since the last fit, but partial_fit and warm_start go "
            "on with the network of that fit. Set back what changed, or call fit with "
            "warm_start=False to start anew."
        )


def check_hidden_layer_sizes(hidden_layer_sizes):
    """Give "auto", or the widths as a tuple of int, each of them at least 1."""
    if isinstance(hidden_layer_sizes, str):
        return hidden_layer_sizes
    widths = tuple(hidden_layer_sizes)
    if not all(isinstance(width, Integral) and width >= 1 for width in widths):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must be 'auto' or a sequence of whole "
            "numbers from 1 on, the widths of the encoder's hidden layers, such as (128, 64)."
        )
    return tuple(int(width) for width in widths)


def check_callbacks(callbacks) -> list:
    """Give skorch's callbacks as a list, and tell those of scikit-learn where they belong."""
    for item in callbacks or []:
        callback = item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item
        if not hasattr(callback, "on_train_begin"):
            raise TypeError(
                f"callbacks has {callback!r}, which is no callback of skorch. Callbacks of "
                "scikit-learn are set with set_callbacks."
            )
    return list(callbacks or [])


def check_random_source(random_state) -> np.random.RandomState:
    """Give a generator of our own, so that NumPy's global one is neither read nor moved."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def like_output(estimator, X: np.ndarray, original):
    """Rows of X in the container that `set_output` asks for, under the input's names."""
    container = _get_output_config("transform", estimator)["dense"]
    if container == "default":
        return X
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = np.array([f"x{i}" for i in range(X.shape[1])], dtype=object)
    return ADAPTERS_MANAGER.adapters[container].create_container(X, original, columns=names)


@contextmanager
def unchanged_on_error(estimator) -> Iterator[None]:
    """Leave the fitted attributes as they were where the block raises, Ctrl-C included."""
    before = fitted_attributes(estimator)
    try:
        yield
    except BaseException:
        for name in fitted_attributes(estimator):
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


def fitted_attributes(estimator) -> dict:
    """Give what a fit sets, by name."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name in PRIVATE_STATE or (name.endswith("_") and not name.startswith("_"))
    }

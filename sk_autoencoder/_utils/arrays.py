"""Arrays of other libraries: to NumPy on the way in, and back on the way out.

Everything is computed from NumPy arrays. Tensors on the CPU share their memory with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sk_autoencoder._sklearn_compat import (
    array_api_compat,
    check_same_namespace,
    get_config,
    get_namespace_and_device,
    is_numpy_namespace,
    move_to,
)

DISPATCH = "sklearn.config_context(array_api_dispatch=True)"

# What NumPy has too; the others are narrower.
FLOATING_OF_NUMPY = (torch.float16, torch.float32, torch.float64)


def as_numpy(X, name: str = "X"):
    """Return an array of another library as one of NumPy, and all else as it is."""
    if isinstance(X, torch.Tensor):
        return _of_tensor(X, name)
    if isinstance(X, np.ndarray) or not is_dispatched(X):
        return X
    return move_to(X, xp=np, device="cpu")


def can_be_shared(X: np.ndarray) -> bool:
    """Whether torch can share the memory of an array.

    A single row of reversed ones has a negative stride, and is contiguous all the same.
    """
    return X.flags.c_contiguous and X.flags.writeable and min(X.strides, default=0) >= 0


def is_dispatched(X) -> bool:
    """Whether scikit-learn dispatches, and X is an array of another library than NumPy."""
    if isinstance(X, np.ndarray) or not get_config()["array_api_dispatch"]:
        return False
    return array_api_compat.is_array_api_obj(X) and not is_numpy_namespace(
        array_api_compat.array_namespace(X)
    )


def like(result: np.ndarray, X):
    """Return a result in the library and on the device of X, where scikit-learn dispatches."""
    if not is_dispatched(X):
        return result
    xp, _, device = get_namespace_and_device(X)
    return move_to(result, xp=xp, device=device)


def like_attribute(result: np.ndarray, attribute):
    """Return a result in the library and on the device of a fitted attribute."""
    if isinstance(attribute, np.ndarray):
        return result
    xp = array_api_compat.array_namespace(attribute)
    return move_to(result, xp=xp, device=array_api_compat.device(attribute))


def check_same_library(estimator, X, method: str) -> None:
    """Refuse an X of another library or device than that of the fit, where they dispatch."""
    if type(X) is np.ndarray and type(estimator.mean_) is np.ndarray:
        return  # at once, since codes of a single row are asked for too
    check_same_namespace(X, estimator, attribute="mean_", method=method)


def _of_tensor(X: torch.Tensor, name: str) -> np.ndarray:
    """Return a tensor of any device as an array, or say why it is not taken."""
    dispatched = get_config()["array_api_dispatch"]
    for is_refused, reason in REFUSED:
        if is_refused(X, dispatched):
            described = f"of dtype {X.dtype} and layout {X.layout} on device {str(X.device)!r}"
            raise TypeError(f"{name} is a tensor {described}" + reason.format(name=name))
    if _is_narrow(X):
        X = X.double()
    return X.cpu().resolve_conj().resolve_neg().numpy()


def _is_narrow(X: torch.Tensor) -> bool:
    """Whether the numbers of a tensor are floating ones for which NumPy has no dtype."""
    return X.is_floating_point() and X.dtype not in FLOATING_OF_NUMPY


REFUSED: list[tuple[Any, str]] = [
    (
        lambda X, dispatched: X.layout is not torch.strided,
        ", but sparse tensors are not read. Pass {name}.to_dense(), or the same as a sparse "
        "array of SciPy, which is never made dense as a whole.",
    ),
    (
        lambda X, dispatched: X.is_meta,
        ", which holds no numbers. Pass a tensor on a device that does, such as 'cpu'.",
    ),
    (
        lambda X, dispatched: X.requires_grad,
        " that requires grad, but no gradients are passed back through an estimator. Pass "
        "{name}.detach().",
    ),
    (
        lambda X, dispatched: X.device.type != "cpu" and not dispatched,
        f", but without array API dispatch tensors are read from the CPU. Pass {{name}}.cpu(), or "
        f"use {DISPATCH}, under which results are tensors on the device of {{name}}.",
    ),
    (
        lambda X, dispatched: _is_narrow(X) and not dispatched,
        ", and NumPy has no such dtype. Pass {name}.float().",
    ),
]

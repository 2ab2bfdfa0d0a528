"""Every private name of scikit-learn that is used: what may change in a version to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn import base
from sklearn._config import config_context, get_config
from sklearn.externals import array_api_compat
from sklearn.utils import _param_validation
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._array_api import (
    _is_numpy_namespace as is_numpy_namespace,
)
from sklearn.utils._array_api import (
    check_same_namespace,
    get_namespace_and_device,
    move_to,
)
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils._set_output import ADAPTERS_MANAGER
from sklearn.utils._set_output import _get_output_config as get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _get_feature_names as get_feature_names
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "ADAPTERS_MANAGER",
    "HasMethods",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "array_api_compat",
    "check_same_namespace",
    "check_sample_weight",
    "config_context",
    "fit_context",
    "get_config",
    "get_feature_names",
    "get_namespace_and_device",
    "get_output_config",
    "is_numpy_namespace",
    "move_to",
    "num_samples",
    "safe_indexing",
    "validate_params",
]

Function = TypeVar("Function", bound=Callable[..., Any])


# Neither of scikit-learn's own tells a type checker that a function stays what it is.
def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]:
    """Return what validates the parameters of an estimator before a method fits it."""
    found: Any = base._fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
    return found


def validate_params(
    constraints: dict[str, Any], *, prefer_skip_nested_validation: bool
) -> Callable[[Function], Function]:
    """Return what validates the arguments of a function."""
    found: Any = _param_validation.validate_params(
        constraints, prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return found

"""What a fit of a transformer leaves, as arrays and facts, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from sk_autoencoder._model.plain import Own, model_of, plain_model
from sk_autoencoder._saving.values import CodeError, of_json, to_json
from sk_autoencoder._utils.facts import FactError, array, choice, count, fact
from sk_autoencoder._utils.plain import Plain

# Fitted attributes that are numbers, by what they may be.
NUMBERS: dict[str, tuple[type, ...]] = {
    "n_iter_": (int,),
    "best_epoch_": (int,),
    "is_pca_": (bool,),
    "shrinkage_": (float,),
    "noise_variance_": (float,),
    "validation_score_": (float, type(None)),
    "pca_validation_score_": (float, type(None)),
}
VARIANCES = ("explained_variance_", "explained_variance_ratio_")
# Of the arrays, those of other libraries are loaded as NumPy's.
LIBRARIES: dict[str, Any] = {"numpy": np.asarray, "torch": torch.from_numpy}
COLUMNS = (np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.bool_))


def plain_fit(estimator: Any) -> Plain:
    """Return all that a fit has set, but for what only training needs."""
    found = vars(estimator)
    library = type(found["mean_"]).__module__.split(".")[0]
    facts: dict[str, Any] = {
        "library": library if library in LIBRARIES else "numpy",
        "numbers": {name: to_json(found[name]) for name in NUMBERS if name in found},
    }
    if "feature_names_in_" in found:
        facts["feature_names"] = [str(name) for name in found["feature_names_in_"]]
    plain = Plain(facts)
    plain.put("model", plain_model(found["model_"]))
    plain.put("history", _plain_history(found["history_"]))
    for name in VARIANCES:
        if name in found:
            plain.arrays[name] = np.asarray(_as_numpy(found[name]), dtype=np.float64)
    return plain


def fit_of(plain: Plain, own: Own, device: torch.device) -> dict[str, Any]:
    """Return the fitted attributes of a description, by name."""
    model = model_of(plain.part("model"), own, device)
    like = LIBRARIES[choice(plain.facts, "library", LIBRARIES)]
    found = {
        "model_": model,
        "n_components_": model.n_components,
        "n_features_in_": model.n_features,
        "mean_": like(model.mean),
        "history_": _history_of(plain.part("history")),
    }
    each = (model.n_components,)
    found |= {
        name: like(array(plain.arrays, name, each, np.float64))
        for name in VARIANCES
        if name in plain.arrays
    }
    if "feature_names" in plain.facts:
        names = fact(plain.facts, "feature_names", list)
        if len(names) != model.n_features or not all(isinstance(name, str) for name in names):
            raise FactError("'feature_names' are no names of the features")
        found["feature_names_in_"] = np.asarray(names, dtype=object)
    return found | _numbers_of(fact(plain.facts, "numbers", dict))


def _numbers_of(facts: dict[str, Any]) -> dict[str, Any]:
    found = {name: of_json(value) for name, value in facts.items()}
    for name, value in found.items():
        if name not in NUMBERS or type(value) not in NUMBERS[name]:
            raise FactError(f"{name!r} is no attribute, or not of its kind")
    return found


def _as_numpy(values: Any) -> Any:
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values


def _plain_history(history: pd.DataFrame) -> Plain:
    """Return a history; what callbacks have recorded is kept where JSON can hold it."""
    plain = Plain({"columns": [str(name) for name in history], "attrs": dict(history.attrs)})
    values: dict[str, Any] = {}
    for number, (name, column) in enumerate(history.items()):
        if column.dtype in COLUMNS:
            plain.arrays[str(number)] = column.to_numpy()
            continue
        try:
            values[str(number)] = to_json(column.tolist())
        except CodeError as error:
            raise TypeError(
                f"The column {name!r} of history_ holds {error}, which is not saved. Record "
                "numbers or texts in callbacks, or delete the column."
            ) from error
    plain.facts["values"] = values
    plain.facts["n_rows"] = len(history)
    return plain


def _history_of(plain: Plain) -> pd.DataFrame:
    facts, n_rows = plain.facts, count(plain.facts, "n_rows", least=0)
    columns, values = fact(facts, "columns", list), fact(facts, "values", dict)
    if len(set(map(str, columns))) != len(columns):
        raise FactError("'columns' are no names of a history")
    found: dict[str, Any] = {}
    for number, name in enumerate(map(str, columns)):
        if (key := str(number)) in plain.arrays:
            found[name] = array(plain.arrays, key, (n_rows,), *COLUMNS, finite=False)
            continue
        column = of_json(fact(values, key, list))
        if len(column) != n_rows:
            raise FactError(f"the column {name!r} has {len(column)} rows, not {n_rows}")
        found[name] = pd.Series(column, dtype=object).infer_objects()
    history = pd.DataFrame(found)
    history.attrs.update(_attrs_of(fact(facts, "attrs", dict)))
    return history


def _attrs_of(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return what tells a plot how to name the losses."""
    kinds: dict[str, type] = {"row_0": str, "starts_at_row_0": bool, "loss_name": str}
    return {name: fact(attrs, name, kind) for name, kind in kinds.items()}

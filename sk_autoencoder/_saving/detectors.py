"""What a fit of a detector leaves beside its autoencoder, as arrays and facts, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from sk_autoencoder._outliers.references import References
from sk_autoencoder._saving.values import of_json, to_json
from sk_autoencoder._utils.facts import FactError, array, count, fact
from sk_autoencoder._utils.plain import Plain


def plain_fit(estimator: Any) -> Plain:
    """Return the references and the threshold. The index of the former is made anew."""
    found = vars(estimator)
    facts = {"n_neighbors": int(found["n_neighbors_"]), "offset": to_json(found["offset_"])}
    if "feature_names_in_" in found:
        facts["feature_names"] = [str(name) for name in found["feature_names_in_"]]
    return Plain(facts, {"references": found["references_"]})


def fit_of(plain: Plain) -> dict[str, Any]:
    """Return the fitted attributes of a description, by name."""
    references = array(plain.arrays, "references", (None, None), np.float64)
    n_neighbors = count(plain.facts, "n_neighbors")
    if not 1 <= n_neighbors <= len(references) or references.shape[1] == 0:
        raise FactError(f"'n_neighbors' is {n_neighbors}, of {len(references)} references")
    offset = of_json(fact(plain.facts, "offset", (int, float, dict)))
    if not isinstance(offset, (int, float)):
        raise FactError("'offset' is no number")
    index = References.of(references, n_neighbors)
    found = {
        "references_": references,
        "location_": index.location,
        "neighbors_": index.neighbors,
        "n_neighbors_": n_neighbors,
        "offset_": float(offset),
        "n_features_in_": references.shape[1],
    }
    if "feature_names" in plain.facts:
        names = fact(plain.facts, "feature_names", list)
        if len(names) != references.shape[1] or not all(isinstance(each, str) for each in names):
            raise FactError("'feature_names' are no names of the features")
        found["feature_names_in_"] = np.asarray(names, dtype=object)
    return found

"""What a comparison comes to, in words."""

from __future__ import annotations

import re

from sk_autoencoder._report.measures import Measures

SAME = 0.005  # of the variance


def verdict(measures: Measures) -> list[str]:
    """Return sentences: the size at which most is gained, then what PCA needs for as much."""
    gains = {
        size: measures.explained(measures.name, size) - measures.explained(measures.pca_name, size)
        for size in measures.sizes
    }
    size = max(gains, key=gains.__getitem__)
    ours, pca = (measures.explained(name, size) for name in (measures.name, measures.pca_name))
    told = [
        f"At {_components(size)} the autoencoder explains {_share(ours)} of the variance of rows "
        f"that no fit has seen, {measures.pca_name} {_share(pca)}."
    ]
    if abs(gains[size]) < SAME:
        return [*told, "These rows are as flat as PCA takes them to be: PCA will do."]
    if gains[size] < 0:
        return [*told, "PCA is ahead at each size: keep it."]
    needed = measures.pca_needs(ours)
    told.append(
        "PCA does not reach that with all of its components."
        if needed is None
        else f"PCA needs {needed} for as much."
    )
    ahead = [str(each) for each, gain in gains.items() if gain < -SAME]
    if ahead:
        told.append(f"PCA is ahead at {' and '.join(ahead)}.")
    return told


def _components(size: int) -> str:
    return "1 component" if size == 1 else f"{size} components"


def _share(value: float) -> str:
    """Return a share as .84, with as many digits as tell it from 1."""
    for digits in range(2, 7):
        text = f"{value:.{digits}f}"
        if not text.startswith("1") or value >= 1:
            break
    return re.sub(r"^(-?)0\.", r"\1.", text)

"""A drop-in replacement for PCA: a stacked autoencoder that starts at PCA."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_autoencoder._comparison import compare_with_pca
    from sk_autoencoder._displays import (
        CodesDisplay,
        ComparisonDisplay,
        OutlierExplanationDisplay,
        ReconstructionCurveDisplay,
        ReconstructionDisplay,
        TrainingCurveDisplay,
    )
    from sk_autoencoder._loading import load
    from sk_autoencoder._outlier import AutoencoderOutlierDetector
    from sk_autoencoder._saving.trusted import TRUSTED_TYPES
    from sk_autoencoder._sources.source import Source
    from sk_autoencoder._transformer import AutoencoderTransformer
    from sk_autoencoder._variational import VariationalAutoencoderTransformer

__all__ = [
    "TRUSTED_TYPES",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "CodesDisplay",
    "ComparisonDisplay",
    "OutlierExplanationDisplay",
    "ReconstructionCurveDisplay",
    "ReconstructionDisplay",
    "Source",
    "TrainingCurveDisplay",
    "VariationalAutoencoderTransformer",
    "compare_with_pca",
    "load",
]
__version__ = "0.1.0"

_ROOMS = {
    "AutoencoderOutlierDetector": "_outlier",
    "AutoencoderTransformer": "_transformer",
    "CodesDisplay": "_displays",
    "ComparisonDisplay": "_displays",
    "OutlierExplanationDisplay": "_displays",
    "ReconstructionCurveDisplay": "_displays",
    "ReconstructionDisplay": "_displays",
    "Source": "_sources.source",
    "TrainingCurveDisplay": "_displays",
    "VariationalAutoencoderTransformer": "_variational",
    "TRUSTED_TYPES": "_saving.trusted",
    "compare_with_pca": "_comparison",
    "load": "_loading",
}


def __getattr__(name: str):
    """Import a public name where it is first used: torch alone takes seconds (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

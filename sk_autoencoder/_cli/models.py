"""Models in files: what `fit` writes and the other commands read, without running code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import sk_autoencoder
from sk_autoencoder._cli.columns import Columns
from sk_autoencoder._cli.reading import check_installed
from sk_autoencoder._cli.writing import FITTED
from sk_autoencoder._saving.mixin import content_of

OURS = (
    sk_autoencoder.AutoencoderTransformer,
    sk_autoencoder.VariationalAutoencoderTransformer,
    sk_autoencoder.AutoencoderOutlierDetector,
)


@dataclass(frozen=True)
class Model:
    """A fitted estimator of ours, perhaps behind a scaler in a pipeline."""

    estimator: Any

    @property
    def last(self) -> Any:
        """The estimator of ours."""
        return self.estimator[-1] if isinstance(self.estimator, Pipeline) else self.estimator

    @property
    def is_detector(self) -> bool:
        """Whether it tells outliers."""
        return isinstance(self.last, sk_autoencoder.AutoencoderOutlierDetector)

    @property
    def columns(self) -> Columns:
        """The columns that it was fitted with."""
        names = getattr(self.estimator, "feature_names_in_", None)
        return Columns(self.estimator.n_features_in_, None if names is None else tuple(names))

    @property
    def feature_names(self) -> list[str]:
        """Names of its columns, those of scikit-learn where they have none."""
        columns = self.columns
        return list(columns.names or (f"x{i}" for i in range(columns.n_columns)))

    def scaled(self, X: Any) -> Any:
        """Return rows as the estimator of ours is given them."""
        return self.estimator[:-1].transform(X) if self._is_pipeline else X

    def unscaled(self, X: np.ndarray) -> np.ndarray:
        """Return rows of the estimator of ours in the units of the file."""
        return self.estimator[:-1].inverse_transform(X) if self._is_pipeline else X

    @property
    def _is_pipeline(self) -> bool:
        return isinstance(self.estimator, Pipeline)


def write_model(estimator: Any, path: Path, file: BinaryIO) -> None:
    """Write a fitted estimator, as the ending of its file asks for."""
    if path.suffix.lower() == ".safetensors":
        file.write(content_of(estimator))
    elif path.suffix.lower() == ".skops":
        _skops().dump(estimator, file)
    else:
        import joblib

        joblib.dump(estimator, file)


def read_model(name: str) -> Model:
    """Read a model that `fit` has written; nothing in its file is run."""
    path = Path(name)
    if path.suffix.lower() not in FITTED:
        raise ValueError(f"--model {name} does not end in {', '.join(FITTED)}")
    if not path.is_file():
        raise FileNotFoundError(
            f"--model {name} is {'not a file' if path.exists() else 'not there'}"
        )
    try:
        estimator = _read(path)
        model = Model(estimator)
        if not isinstance(model.last, OURS):
            raise ValueError(f"it holds a {type(model.last).__name__}, which is no model of ours")
        check_is_fitted(model.estimator)
    except MemoryError:
        raise
    except Exception as error:  # what a damaged file raises is up to the library that reads it
        raise ValueError(f"--model {name} cannot be read: {error}") from error
    return model


def _read(path: Path) -> Any:
    if path.suffix.lower() == ".safetensors":
        return sk_autoencoder.load(path)
    check_installed("skops", "a file of skops")
    return _skops().load(path, trusted=sk_autoencoder.TRUSTED_TYPES)


def _skops() -> Any:
    from importlib import import_module

    return import_module("skops.io")

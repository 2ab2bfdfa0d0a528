"""The command that fits a model to all rows of a file, and saves it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sk_autoencoder._cli.progress import progress_bar
from sk_autoencoder._cli.reading import Data, Options, find_data, read_data
from sk_autoencoder._cli.writing import FITTED, find_output, write

if TYPE_CHECKING:
    from sk_autoencoder._cli.models import Model


def fit(args: argparse.Namespace) -> list[str]:
    """Read, fit and write, and return the lines to print."""
    options = Options(args.sep, args.decimal, args.header, args.drop_non_numeric)
    source = find_data(args.data, options)
    path = _find_output(args)
    estimator = _make(args)
    data = read_data(source, options)
    estimator.fit(data.X)

    from sk_autoencoder._cli.models import Model, write_model

    write(path, lambda file: write_model(estimator, path, file))
    return [_heading(data, args), *data.notes, *_told(Model(estimator), data), f"wrote {path}"]


def _find_output(args: argparse.Namespace) -> Path:
    """Check before the long fit that the model can be written after it."""
    path = find_output(args.save, FITTED, "--save")
    assert path is not None
    if args.standardize and path.suffix.lower() == ".safetensors":
        raise ValueError(
            f"--save {args.save} holds a model alone, and not the scaler of --standardize; choose "
            "a file that ends in .skops"
        )
    if path.suffix.lower() == ".skops":
        from sk_autoencoder._cli.models import check_skops

        check_skops(f"--save {args.save}")
    return path


def _make(args: argparse.Namespace) -> Any:
    """Return the estimator that is asked for, behind a scaler where that is, too."""
    estimator = _estimator(args)
    if bar := progress_bar():
        _trained(estimator).set_callbacks(bar)
    if not args.standardize:
        return estimator
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)


def _estimator(args: argparse.Namespace) -> Any:
    import sk_autoencoder

    kinds = {
        "transformer": sk_autoencoder.AutoencoderTransformer,
        "variational": sk_autoencoder.VariationalAutoencoderTransformer,
        "detector": sk_autoencoder.AutoencoderOutlierDetector,
    }
    estimator = kinds[args.estimator](random_state=args.random_state)
    asked = {"n_components": args.n_components, "max_epochs": args.max_epochs}
    asked = {name: value for name, value in asked.items() if value is not None}
    if args.estimator == "detector" and asked:
        estimator.set_params(autoencoder=sk_autoencoder.AutoencoderTransformer())
        asked = {f"autoencoder__{name}": value for name, value in asked.items()}
    try:
        return estimator.set_params(**asked, **dict(args.set))
    except (TypeError, ValueError) as error:
        raise ValueError(f"--set cannot be done: {error}") from error


def _trained(estimator: Any) -> Any:
    """Return what tells of its training."""
    return getattr(estimator, "autoencoder", None) or estimator


def _heading(data: Data, args: argparse.Namespace) -> str:
    n_rows, n_features = data.X.shape
    standardized = ", standardized" if args.standardize else ""
    return f"{data.name}: {n_features} features{standardized}; fitted on {n_rows} rows"


def _told(model: Model, data: Data) -> list[str]:
    """Return what the user should know of a fit."""
    fitted = model.last
    if model.is_detector:
        n_outliers = int((model.estimator.predict(data.X) == -1).sum())
        return [f"{n_outliers} of the rows are outliers"]
    told = [f"{fitted.n_components_} components after {fitted.n_iter_} epochs"]
    if fitted.validation_score_ is not None:
        told.append(
            f"explained variance of rows set aside: {fitted.validation_score_:.4f}, by PCA "
            f"{fitted.pca_validation_score_:.4f}"
        )
    return [*told, "the result is PCA"] if fitted.is_pca_ else told

"""The command that fits a model to all rows of a file, and saves it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sk_autoencoder._cli.options import Options
from sk_autoencoder._cli.progress import progress_bar
from sk_autoencoder._cli.reading import Data, find_data, read_data
from sk_autoencoder._cli.writing import FITTED, find_model, write

if TYPE_CHECKING:
    from sk_autoencoder._cli.models import Model


def fit(args: argparse.Namespace) -> list[str]:
    """Read, fit and write, and return the lines to print."""
    options = Options(args.sep, args.decimal, args.header, args.drop_non_numeric)
    source = find_data(args.data, options)
    path = find_model(args.save, FITTED, standardized=args.standardize, what="a model")
    assert path is not None
    data = read_data(source, options)
    estimator = _make(args, data)

    from sk_autoencoder._cli.columns import with_names
    from sk_autoencoder._cli.models import Model, write_model

    try:
        estimator.fit(with_names(data.X))
    except TypeError as error:  # of parameters that only a fit looks at
        raise ValueError(str(error)) from error
    if hasattr(estimator, "set_callbacks"):
        estimator.set_callbacks()  # a bar is no part of the model
    write(path, lambda file: write_model(estimator, path, file))
    return [_heading(data, args), *data.notes, *_told(Model(estimator), data), f"wrote {path}"]


def _make(args: argparse.Namespace, data: Data) -> Any:
    """Return the estimator that is asked for, behind a scaler where that is, too."""
    estimator = _estimator(args, data)
    if args.standardize:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        estimator = make_pipeline(StandardScaler(), estimator)
    bar = progress_bar()
    if bar is not None and hasattr(estimator, "set_callbacks"):  # the outermost one is told
        estimator.set_callbacks(bar)
    return estimator


def _estimator(args: argparse.Namespace, data: Data) -> Any:
    """Return an estimator of ours with the parameters that are asked for."""
    import sk_autoencoder

    kinds = {
        "transformer": sk_autoencoder.AutoencoderTransformer,
        "variational": sk_autoencoder.VariationalAutoencoderTransformer,
        "detector": sk_autoencoder.AutoencoderOutlierDetector,
    }
    estimator = kinds[args.estimator](random_state=args.random_state)
    asked = {"n_components": args.n_components, "max_epochs": args.max_epochs}
    asked = {name: value for name, value in asked.items() if value is not None}
    if args.estimator == "detector":
        asked = {f"autoencoder__{name}": value for name, value in asked.items()}
    twice = sorted({name for name, _ in args.set} & {*asked, "random_state"})
    if twice:
        raise ValueError(f"--set {twice[0]}=... has an option of its own; leave one of them out")
    asked |= dict(args.set)
    if any(name.startswith("autoencoder__") for name in asked) and "autoencoder" not in asked:
        from sk_autoencoder._outlier import default_autoencoder

        estimator.set_params(autoencoder=default_autoencoder(*data.X.shape))
    try:
        return estimator.set_params(**asked)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"--set cannot be done: {error}") from error


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

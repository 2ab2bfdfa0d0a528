"""The commands that ask a saved model: of each row of a file, or for new rows."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sk_autoencoder._cli.options import Options
from sk_autoencoder._cli.reading import Data, find_data, read_data
from sk_autoencoder._cli.writing import RESULTS, check_not_data, find_output, write, write_table

if TYPE_CHECKING:
    import pandas as pd

    from sk_autoencoder._cli.models import Model


def transform(args: argparse.Namespace) -> list[str]:
    """Write codes, and return the lines to print."""
    return _of_rows(args, _codes)


def reconstruct(args: argparse.Namespace) -> list[str]:
    """Write reconstructions, and return the lines to print."""
    return _of_rows(args, _reconstructions)


def score(args: argparse.Namespace) -> list[str]:
    """Write scores, and return the lines to print."""
    return _of_rows(args, _scores)


def outliers(args: argparse.Namespace) -> list[str]:
    """Write which rows are outliers, and return the lines to print."""
    return _of_rows(args, _labels)


def sample(args: argparse.Namespace) -> list[str]:
    """Write new rows, and return the lines to print."""
    path = _find_output(args)
    model = _read_model(args)
    if model.is_detector:
        raise ValueError(_no_code(args, "new rows"))
    rows = model.unscaled(model.last.sample(args.n_samples, args.random_state))
    table = _table(rows, model.feature_names)
    write(path, lambda file: write_table(table, path, file))
    return [f"{len(table)} rows of {table.shape[1]} features", f"wrote {path}"]


def _of_rows(args: argparse.Namespace, ask: Callable) -> list[str]:
    """Ask a model of the rows of a file, and write a table with a row for each."""
    options = Options(args.sep, args.decimal, args.header)
    source = find_data(args.data, options)
    path = _find_output(args)
    check_not_data(path, source, f"--output {args.output}")
    model = _read_model(args)
    data = read_data(source, options, model.columns)
    table, told = ask(args, model, data)
    if path.suffix.lower() != ".npy":  # which has room for numbers alone
        table = _with_names(table, data)
    write(path, lambda file: write_table(table, path, file))
    n_features = model.columns.n_columns
    heading = f"{data.name}: {n_features} features, {len(table)} rows"
    return [heading, *data.notes, *told, f"wrote {path}"]


def _codes(args: argparse.Namespace, model: Model, data: Data) -> tuple[pd.DataFrame, list[str]]:
    if model.is_detector:
        raise ValueError(_no_code(args, "codes"))
    codes = model.estimator.transform(data.X)
    return _table(codes, model.estimator.get_feature_names_out()), []


def _reconstructions(
    args: argparse.Namespace, model: Model, data: Data
) -> tuple[pd.DataFrame, list[str]]:
    if model.is_detector:
        raise ValueError(_no_code(args, "reconstructions"))
    rows = model.scaled(data.X)
    back = model.unscaled(model.last.reconstruct(rows))
    errors = model.last.reconstruction_error(rows)
    return _table(back, model.feature_names), [_error(model, rows, errors)]


def _scores(args: argparse.Namespace, model: Model, data: Data) -> tuple[pd.DataFrame, list[str]]:
    rows = model.scaled(data.X)
    columns = {"score_samples": model.last.score_samples(rows)}
    if model.is_detector:
        return _columns(columns | {"decision_function": model.last.decision_function(rows)}), []
    columns["reconstruction_error"] = model.last.reconstruction_error(rows)
    return _columns(columns), [_error(model, rows, columns["reconstruction_error"])]


def _labels(args: argparse.Namespace, model: Model, data: Data) -> tuple[pd.DataFrame, list[str]]:
    if not model.is_detector:
        raise ValueError(
            f"--model {args.model} has no threshold for outliers. Fit one that has: fit DATA "
            "--estimator detector --save FILE"
        )
    from sk_autoencoder._outliers.threshold import labels_of

    rows = model.scaled(data.X)
    scores = model.last.score_samples(rows)
    away = scores - model.last.offset_
    labels = labels_of(away)  # not by predict, which would search for neighbours again
    table = _columns({"predict": labels, "score_samples": scores, "decision_function": away})
    return table, [f"{int((labels == -1).sum())} of the rows are outliers, -1 in column 'predict'"]


def _error(model: Model, rows: Any, errors: Any) -> str:
    """Return a line on how well rows come back, as the model is given them."""
    return f"mean reconstruction error {errors.mean():.4g}, score {model.last.score(rows):.4f}"


def _no_code(args: argparse.Namespace, what: str) -> str:
    return f"--model {args.model} is a detector, which gives no {what}. Use score or outliers"


def _find_output(args: argparse.Namespace) -> Path:
    path = find_output(args.output, RESULTS, "--output")
    assert path is not None
    if path.suffix.lower() in (".parquet", ".feather"):
        from sk_autoencoder._cli.reading import check_installed

        check_installed("pyarrow", f"--output {args.output}")
    return path


def _read_model(args: argparse.Namespace) -> Model:
    from sk_autoencoder._cli.models import read_model

    return read_model(args.model)


def _table(values: Any, names: Any) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    return pd.DataFrame(np.asarray(values), columns=list(names))


def _columns(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def _with_names(table: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Return a table with the names that the file has for its rows, in a column of theirs."""
    from sk_autoencoder._cli.columns import row_names

    names = row_names(data.X)
    if names is None:
        return table
    title = "row" if names.name is None else str(names.name)
    while title in table.columns:
        title = f"{title}_"
    # No kind of table has all kinds of labels.
    kept = getattr(names.dtype, "kind", "O") in "iufM"
    table.insert(0, title, names if kept else names.map(str))
    return table

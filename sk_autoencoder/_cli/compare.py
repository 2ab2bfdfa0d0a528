"""The command that compares an autoencoder with PCA on a data set."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sk_autoencoder._cli.options import Options
from sk_autoencoder._cli.progress import progress_bar
from sk_autoencoder._cli.reading import Data, check_installed, find_data, read_data
from sk_autoencoder._cli.writing import (
    MODELS,
    PAGES,
    PICTURES,
    TABLES,
    check_not_data,
    find_model,
    find_output,
    write,
    write_table,
)

# Imports of what takes seconds to load stand in functions: --help and errors come at once.
if TYPE_CHECKING:
    from sk_autoencoder._comparison import Comparison

SIZES = (2, 8, 16)
DOMINANT = 0.95  # share of all variance that one column seldom has in comparable units


@dataclass(frozen=True)
class Outputs:
    """Paths of the files to write, None where none was asked for."""

    picture: Path | None
    table: Path | None
    report: Path | None
    model: Path | None


def compare(args: argparse.Namespace) -> list[str]:
    """Read, fit and write, and return the lines to print."""
    options = Options(args.sep, args.decimal, args.header, args.drop_non_numeric)
    source = find_data(args.data, options)
    outputs = _find_outputs(args, source)
    data = read_data(source, options)
    comparison = _run(args, data)
    written = _write(outputs, comparison, data, args)
    return [
        _heading(data, comparison, args.standardize),
        *_notes(data, args.standardize),
        "",
        _text_table(comparison),
        *(f"wrote {path}" for path in written),
    ]


def _run(args: argparse.Namespace, data: Data) -> Comparison:
    """Fit both methods at each size."""
    from sk_autoencoder._cli.columns import with_names
    from sk_autoencoder._comparison import run_comparison
    from sk_autoencoder._transformer import AutoencoderTransformer

    estimator = AutoencoderTransformer(max_epochs=args.max_epochs or "auto")
    if bar := progress_bar():
        estimator.set_callbacks(bar)
    return run_comparison(
        with_names(data.X),
        args.n_components or "auto",
        estimator=estimator,
        test_size=args.test_size,
        random_state=args.random_state,
        standardize=args.standardize,
        auto_sizes=SIZES,
    )


def _find_outputs(args: argparse.Namespace, source: str | Path) -> Outputs:
    """Check before the long fit that all files can be written after it."""
    if args.report is not None:
        check_installed("plotly", "--report")
    if args.output is not None:
        from sk_autoencoder._displays.axes import check_matplotlib

        check_matplotlib("--output")
    outputs = Outputs(
        find_output(args.output, PICTURES, "--output"),
        find_output(args.table, TABLES, "--table"),
        find_output(args.report, PAGES, "--report"),
        find_model(args.save, MODELS, standardized=args.standardize, what="an autoencoder"),
    )
    check_not_data(outputs.table, source, f"--table {args.table}")
    return outputs


def _write(
    outputs: Outputs, comparison: Comparison, data: Data, args: argparse.Namespace
) -> list[Path]:
    """Make the pictures and tables asked for, and then write all files; return their paths."""
    contents: dict[Path, bytes] = {}
    if outputs.picture is not None:
        from sk_autoencoder._cli.report import draw_report

        figure = draw_report(comparison, f"PCA and autoencoder on {data.name}", data.image_shape)
        suffix = outputs.picture.suffix[1:].lower()
        contents[outputs.picture] = _made(partial(figure.savefig, format=suffix))
    if outputs.table is not None:
        contents[outputs.table] = _made(partial(write_table, comparison.table(), outputs.table))
    if outputs.report is not None:
        contents[outputs.report] = _report(comparison, data, args).encode()
    if outputs.model is not None:  # may be large, and so is not made beforehand
        from sk_autoencoder._cli.models import write_model

        model = comparison.largest_autoencoder()
        write(outputs.model, partial(write_model, model, outputs.model))
    for path, content in contents.items():
        write(path, methodcaller("write", content))
    written = (outputs.picture, outputs.table, outputs.model, outputs.report)
    return [path for path in written if path is not None]


def _made(write_to: Callable[[BinaryIO], object]) -> bytes:
    """Return what is written to a file."""
    file = BytesIO()
    write_to(file)
    return file.getvalue()


def _report(comparison: Comparison, data: Data, args: argparse.Namespace) -> str:
    """Return the page of a comparison."""
    from sk_autoencoder._cli.python_lines import lines_of_compare
    from sk_autoencoder._report.machine import described
    from sk_autoencoder._report.measures import Measures
    from sk_autoencoder._report.page import Words, page

    measures = Measures(comparison)
    words = Words(
        f"PCA and autoencoder on {data.name}",
        _heading(data, comparison, args.standardize),
        tuple(_notes(data, args.standardize)),
        lines_of_compare(args, data, measures.sizes),
        described(),
    )
    return page(measures, words, data.image_shape)


def _heading(data: Data, comparison: Comparison, standardized: bool) -> str:
    n_test, n_features = comparison.X_test.shape
    return (
        f"{data.name}: {n_features} features{', standardized' if standardized else ''}; "
        f"fitted on {len(comparison.X_train)} rows, errors of {n_test} held-out rows"
    )


def _notes(data: Data, standardized: bool) -> list[str]:
    """Return what the user should know of the data beside the table."""
    notes = list(data.notes)
    if data.image_shape is not None:  # complete, and all pixels
        return notes
    from sk_autoencoder._cli.numeric_table import count_missing, dominant_column

    if n_missing := count_missing(data.X):
        notes.append(
            f"{n_missing} of {data.X.size} cells are missing: PCA is fitted on imputed rows (the "
            "mean of the column), and the errors are those of the known cells"
        )
    dominant = None if standardized or data.X.shape[1] == 1 else dominant_column(data.X)
    if dominant and dominant[1] >= DOMINANT:
        name, share = dominant
        notes.append(
            f"column {name} holds {_percent(share)} of the variance, so that the errors are mostly "
            "its own; --standardize scales all columns to unit variance"
        )
    return notes


def _percent(share: float) -> str:
    """Return a share in percent, never rounded up to all."""
    return f"{min(100 * share, 99.99):.4g} %"


def _text_table(comparison: Comparison) -> str:
    """Format the results as aligned columns, sizes of the code apart from each other."""
    head = ("components", "method", "error", "explained variance", "fit time", "transform time")
    lines = [" ".join(f"{text:>{_width(text)}}" for text in head)]
    for r in comparison.results:
        cells = (
            f"{r.n_components}",
            r.method,
            f"{r.error:#.4g}".rstrip("."),
            f"{r.explained_variance:.4f}",
            f"{r.fit_time:.3f} s",
            f"{r.transform_time * 1e3:.2f} ms",
        )
        lines.append(" ".join(f"{c:>{_width(text)}}" for c, text in zip(cells, head, strict=True)))
    return "\n".join(lines)


def _width(heading: str) -> int:
    return max(len(heading), len("autoencoder")) + 1

"""The command line: compare an autoencoder with PCA on a data set."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sk_autoencoder import __version__
from sk_autoencoder._reading import Data, find_data, read_data
from sk_autoencoder._writing import MODELS, PICTURES, TABLES, find_output, write

# Imports of what takes seconds to load stand in functions: --help and errors come at once.
if TYPE_CHECKING:
    from sk_autoencoder._comparison import Comparison

WRONG_USE = 2
INTERRUPTED = 130
PROGRAM = "python -m sk_autoencoder"


@dataclass(frozen=True)
class Outputs:
    """Paths of the files to write, None where none was asked for."""

    picture: Path | None
    table: Path | None
    model: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit code."""
    args = _parser().parse_args(argv)
    try:
        _compare(args)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ImportError) as error:
        print(f"{PROGRAM} compare: error: {_one_line(error)}", file=sys.stderr)
        return WRONG_USE
    return 0


def _compare(args: argparse.Namespace) -> None:
    """Read, fit, print and write."""
    source = find_data(args.data)
    outputs = _find_outputs(args, source)
    data = read_data(source)
    comparison = _run(args, data)
    print(_heading(data, comparison, args.standardize))
    print(_text_table(comparison))
    for path in _write(outputs, comparison, data):
        print(f"wrote {path}")


def _run(args: argparse.Namespace, data: Data) -> Comparison:
    """Fit both methods at each size."""
    from sk_autoencoder._comparison import run_comparison
    from sk_autoencoder._transformer import AutoencoderTransformer

    estimator = AutoencoderTransformer(max_epochs=args.max_epochs or "auto")
    if sys.stdout.isatty() and sys.stderr.isatty() and importlib.util.find_spec("rich"):
        from sklearn.callback import ProgressBar

        estimator.set_callbacks(ProgressBar())
    return run_comparison(
        data.X,
        args.n_components,
        estimator=estimator,
        test_size=args.test_size,
        random_state=args.random_state,
        standardize=args.standardize,
    )


def _find_outputs(args: argparse.Namespace, source: str | Path) -> Outputs:
    """Check before the long fit that all files can be written after it."""
    if args.output is not None:
        from sk_autoencoder._displays._axes import check_matplotlib

        check_matplotlib("--output")
    outputs = Outputs(
        find_output(args.output, PICTURES, "--output"),
        find_output(args.table, TABLES, "--table"),
        find_output(args.save, MODELS, "--save"),
    )
    if isinstance(source, Path) and outputs.table == source.resolve():
        raise ValueError(f"--table {args.table} is the data itself; choose another file")
    return outputs


def _write(outputs: Outputs, comparison: Comparison, data: Data) -> list[Path]:
    """Write the files asked for, and give their paths."""
    if outputs.table is not None:
        text = (
            comparison.table().to_csv(index=False)
            if outputs.table.suffix.lower() == ".csv"
            else comparison.table().to_json(orient="records", indent=2) + "\n"
        )
        write(outputs.table, lambda file: file.write(text.encode()))
    if outputs.model is not None:
        import joblib

        write(outputs.model, lambda file: joblib.dump(comparison.largest_autoencoder(), file))
    if outputs.picture is not None:
        from sk_autoencoder._report import draw_report

        figure = draw_report(comparison, f"PCA and autoencoder on {data.name}", data.image_shape)
        suffix = outputs.picture.suffix[1:].lower()
        write(outputs.picture, lambda file: figure.savefig(file, format=suffix))
    written = (outputs.picture, outputs.table, outputs.model)
    return [path for path in written if path is not None]


def _heading(data: Data, comparison: Comparison, standardized: bool) -> str:
    n_test, n_features = comparison.X_test.shape
    return (
        f"{data.name}: {n_features} features{', standardized' if standardized else ''}; "
        f"fitted on {comparison.n_train} rows, errors of {n_test} held-out rows\n"
    )


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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line, without the usage before them."""

    def error(self, message: str):
        self.exit(WRONG_USE, f"{self.prog}: error: {' '.join(message.split())}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="An autoencoder that starts at PCA.")
    parser.add_argument("--version", action="version", version=f"sk-autoencoder {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare",
        help="compare an autoencoder with PCA on held-out rows",
        # argparse would put DATA last, where --n-components takes it for one more size.
        usage=f"{PROGRAM} compare [DATA] [options]",
        description="Compare an autoencoder with PCA on held-out rows, at several sizes of the "
        "code: error, explained variance, fit and transform time.",
    )
    _add_arguments(compare)
    return parser


def _add_arguments(compare: argparse.ArgumentParser) -> None:
    add = compare.add_argument
    add(
        "data",
        nargs="?",
        default="digits",
        metavar="DATA",
        help="digits, fashion-mnist, or a .csv, .parquet or .npy file of numbers (default: digits)",
    )
    add(
        "--n-components",
        nargs="+",
        type=_positive,
        default=[2, 8, 16],
        metavar="K",
        help="sizes of the code (default: 2 8 16)",
    )
    add("--output", metavar="FILE", help=f"picture to write ({', '.join(PICTURES)})")
    add("--table", metavar="FILE", help=f"table to write ({', '.join(TABLES)})")
    add(
        "--save",
        metavar="FILE",
        help=f"autoencoder with the most components to write ({', '.join(MODELS)})",
    )
    add(
        "--test-size",
        type=_test_size,
        default=0.25,
        metavar="SIZE",
        help="share of the rows to hold out, or their number (default: 0.25)",
    )
    add(
        "--random-state",
        type=_seed,
        default=0,
        metavar="SEED",
        help="seed of the split and of the fits (default: 0)",
    )
    add("--standardize", action="store_true", help="scale the columns to unit variance first")
    add("--max-epochs", type=_positive, metavar="N", help="the most epochs of a fit")


def _positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _seed(text: str) -> int:
    """Read a seed that NumPy takes."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _test_size(text: str) -> float | int:
    """Read a share in (0, 1), or a number of rows."""
    try:
        size = int(text) if text.isdigit() else float(text)
    except ValueError:
        size = -1
    if not (size >= 1 if isinstance(size, int) else 0 < size < 1):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a share between 0 and 1 nor a number of rows"
        )
    return size


if __name__ == "__main__":
    sys.exit(main())

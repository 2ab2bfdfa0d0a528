"""The command line: compare an autoencoder with PCA on a data set."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sk_autoencoder._cli.arguments import WRONG_USE, parse
from sk_autoencoder._cli.reading import Data, Options, find_data, read_data
from sk_autoencoder._cli.stopping import Stopped, stop_on_signals
from sk_autoencoder._cli.writing import MODELS, PICTURES, TABLES, find_output, write

# Imports of what takes seconds to load stand in functions: --help and errors come at once.
if TYPE_CHECKING:
    from sk_autoencoder._comparison import Comparison

UNPRINTED = 1
INTERRUPTED = 130
SCRIPT = "sk-autoencoder"
SIZES = (2, 8, 16)
DOMINANT = 0.95  # share of all variance that one column seldom has in comparable units


@dataclass(frozen=True)
class Outputs:
    """Paths of the files to write, None where none was asked for."""

    picture: Path | None
    table: Path | None
    model: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit code.

    It is 0, 1 where the table could not be printed, 2 after an error, and 128 plus the number of
    the signal after one: 130 after Ctrl-C, 143 after SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    program = _program()
    try:
        with stop_on_signals():
            args = _parse(argv, program)
            with _open_streams():
                lines = _compare(args)
    except KeyboardInterrupt:
        _complain(f"{program}: interrupted")
        return INTERRUPTED
    except Stopped as stop:
        _complain(f"{program}: {stop}")
        return stop.exit_code
    except (ValueError, OSError, ImportError) as error:
        _complain(f"{program} compare: error: {_one_line(error)}")
        return WRONG_USE
    except MemoryError:
        _complain(f"{program} compare: error: the memory does not suffice. Pass fewer rows")
        return WRONG_USE
    return _print(lines, f"{program} compare")


def _parse(argv: list[str], program: str) -> argparse.Namespace:
    """Parse the arguments; what --help and --version print is written at once."""
    try:
        return parse(argv, program)
    except SystemExit as done:
        if not done.code:
            done.code = _print([], program)
        raise


def _compare(args: argparse.Namespace) -> list[str]:
    """Read, fit and write, and return the lines to print."""
    options = Options(args.sep, args.decimal, args.header, args.drop_non_numeric)
    source = find_data(args.data, options)
    outputs = _find_outputs(args, source)
    data = read_data(source, options)
    comparison = _run(args, data)
    written = _write(outputs, comparison, data)
    return [
        _heading(data, comparison, args.standardize),
        *_notes(data, args.standardize),
        "",
        _text_table(comparison),
        *(f"wrote {path}" for path in written),
    ]


def _print(lines: list[str], program: str) -> int:
    """Print lines, and return the exit code; who stops reading early has read enough."""
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        print(*lines, sep="\n", end="\n" if lines else "", flush=True)
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        done = " ".join(line for line in lines if line.startswith("wrote "))
        reason = error.strerror or error
        _complain(f"{program}: error: the table cannot be printed: {reason}. {done}".rstrip())
        return UNPRINTED
    return 0


@contextmanager
def _open_streams() -> Iterator[None]:
    """Let libraries print to nowhere where a standard stream is closed, and None."""
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            if getattr(sys, name) is None:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect(nowhere))
        yield


def _forget_stdout() -> None:
    """Send what is left to print nowhere, so that Python does not try it again at its end."""
    with suppress(AttributeError, OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(message: str) -> None:
    """Print a message for the user, where there is a place for it."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


def _program() -> str:
    """Return how the user has called the command line."""
    called = Path(sys.argv[0]).stem if sys.argv else ""
    return SCRIPT if called == SCRIPT else "python -m sk_autoencoder"


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
        args.n_components or "auto",
        estimator=estimator,
        test_size=args.test_size,
        random_state=args.random_state,
        standardize=args.standardize,
        auto_sizes=SIZES,
    )


def _find_outputs(args: argparse.Namespace, source: str | Path) -> Outputs:
    """Check before the long fit that all files can be written after it."""
    if args.output is not None:
        from sk_autoencoder._displays.axes import check_matplotlib

        check_matplotlib("--output")
    outputs = Outputs(
        find_output(args.output, PICTURES, "--output"),
        find_output(args.table, TABLES, "--table"),
        find_output(args.save, MODELS, "--save"),
    )
    if outputs.model is not None and args.standardize and outputs.model.suffix != ".joblib":
        raise ValueError(
            f"--save {args.save} holds an autoencoder alone, and not the scaler of --standardize; "
            "choose a file that ends in .joblib"
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
        write(outputs.model, lambda file: _dump(outputs.model, comparison, file))
    if outputs.picture is not None:
        from sk_autoencoder._cli.report import draw_report

        figure = draw_report(comparison, f"PCA and autoencoder on {data.name}", data.image_shape)
        suffix = outputs.picture.suffix[1:].lower()
        write(outputs.picture, lambda file: figure.savefig(file, format=suffix))
    written = (outputs.picture, outputs.table, outputs.model)
    return [path for path in written if path is not None]


def _dump(path: Path | None, comparison: Comparison, file: BinaryIO) -> None:
    """Write the autoencoder with the most components, as the ending of its file asks for."""
    if path is not None and path.suffix.lower() == ".joblib":
        import joblib

        joblib.dump(comparison.largest_autoencoder(), file)
        return
    from sk_autoencoder._saving.mixin import content_of

    file.write(content_of(comparison.largest_autoencoder()))


def _heading(data: Data, comparison: Comparison, standardized: bool) -> str:
    n_test, n_features = comparison.X_test.shape
    return (
        f"{data.name}: {n_features} features{', standardized' if standardized else ''}; "
        f"fitted on {comparison.n_train} rows, errors of {n_test} held-out rows"
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
